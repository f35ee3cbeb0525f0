"""The two forms in which Redis keeps documents: RedisJSON where the server has it, else hashes.

Pure: commands are built here and answers taken apart; `redis_session` speaks. A key holds
many documents, each under a field.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, Final, Protocol

Command = tuple[str | int, ...]
#: So many fields go into one command.
CHUNK: Final = 2000


class Documents(Protocol):
    """One form of keeping documents."""

    #: As the scripts know it.
    form: str

    def create(self, key: str, texts: Mapping[str | int, str]) -> list[Command]:
        """Return the commands that make a key with these documents."""
        ...

    def every(self, key: str) -> Command:
        """Return the command that reads all documents of a key."""
        ...

    def from_every(self, answer: Any) -> dict[str, Any]:
        """Return all documents by their fields."""
        ...

    def some(self, key: str, wanted: Sequence[str | int]) -> Command:
        """Return the command that reads the documents of at least one field."""
        ...

    def from_some(self, answer: Any, wanted: Sequence[str | int]) -> list[Any]:
        """Return the documents in the order of their fields; None where there is none."""
        ...


class HashDocuments:
    """Each key a hash, each document a JSON text in it."""

    form = "hash"

    def create(self, key: str, texts: Mapping[str | int, str]) -> list[Command]:
        """Return the commands that make a key with these documents."""
        return hash_commands(key, texts)

    def every(self, key: str) -> Command:
        """Return the command that reads all documents of a key."""
        return ("HGETALL", key)

    def from_every(self, answer: Any) -> dict[str, Any]:
        """Return all documents by their fields."""
        return {field: json.loads(text) for field, text in answer.items()}

    def some(self, key: str, wanted: Sequence[str | int]) -> Command:
        """Return the command that reads the documents of at least one field."""
        return ("HMGET", key, *wanted)

    def from_some(self, answer: Any, wanted: Sequence[str | int]) -> list[Any]:
        """Return the documents in the order of their fields; None where there is none."""
        return [None if text is None else json.loads(text) for text in answer]


class JsonDocuments:
    """Each key one RedisJSON object, each document a value in it."""

    form = "json"

    def create(self, key: str, texts: Mapping[str | int, str]) -> list[Command]:
        """Return the command that makes a key with these documents."""
        inside = ",".join(f'"{field}":{text}' for field, text in texts.items())
        return [("JSON.SET", key, "$", f"{{{inside}}}")]

    def every(self, key: str) -> Command:
        """Return the command that reads all documents of a key."""
        return ("JSON.GET", key, "$")

    def from_every(self, answer: Any) -> dict[str, Any]:
        """Return all documents by their fields."""
        found: list[dict[str, Any]] = json.loads(answer) if answer else []
        return found[0] if found else {}

    def some(self, key: str, wanted: Sequence[str | int]) -> Command:
        """Return the command that reads the documents of at least one field."""
        return ("JSON.GET", key, *(_path(field) for field in wanted))

    def from_some(self, answer: Any, wanted: Sequence[str | int]) -> list[Any]:
        """Return the documents in the order of their fields; None where there is none."""
        found = json.loads(answer) if answer else {}
        if len(set(wanted)) == 1 and isinstance(found, list):
            found = {_path(wanted[0]): found}
        return [next(iter(found.get(_path(field), ())), None) for field in wanted]


def hash_commands(key: str, texts: Mapping[str | int, str | int]) -> list[Command]:
    """Return the commands that put fields into a plain hash, some thousands at a time."""
    pairs = list(texts.items())
    return [
        ("HSET", key, *(word for pair in pairs[at : at + CHUNK] for word in pair))
        for at in range(0, len(pairs), CHUNK)
    ]


def _path(field: str | int) -> str:
    return f'$["{field}"]'
