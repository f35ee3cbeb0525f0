"""Checks that every section of a study needs; each failure is a problem with its place."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import yaml

from segue.dialects.yaml_text import describe, mapping_items, place_of, plain, trap
from segue.model.errors import Problem, Severity, did_you_mean, shorten
from segue.model.location import Place
from segue.model.workflow import EMPTY


class Checks:
    """Collects the problems of one file."""

    def __init__(self, path: str, problems: list[Problem]) -> None:
        self.path = path
        self.problems = problems

    def place(self, node: yaml.Node) -> Place:
        """Return where the node begins."""
        return place_of(node, self.path)

    def refuse(self, at: yaml.Node | Place, code: str, message: str, hint: str = "") -> None:
        """Add an error."""
        place = at if isinstance(at, Place) else self.place(at)
        self.problems.append(Problem(code, message, place, hint))

    def warn(self, at: yaml.Node | Place, code: str, message: str, hint: str = "") -> None:
        """Add a warning."""
        place = at if isinstance(at, Place) else self.place(at)
        self.problems.append(Problem(code, message, place, hint, Severity.WARNING))

    def entries(self, node: yaml.Node) -> dict[str, tuple[yaml.Node, yaml.Node]]:
        """Return key and value node by name; of a key written twice the last one counts."""
        items = mapping_items(node, self.path, self.problems, last_wins=True)
        return {item.key: (item.key_node, item.value) for item in items}

    def entries_silently(self, node: yaml.Node) -> dict[str, tuple[yaml.Node, yaml.Node]]:
        """Return the same, for a section whose duplicates have been reported already."""
        items = mapping_items(node, self.path, [])
        return {item.key: (item.key_node, item.value) for item in items}

    def fields(
        self,
        node: yaml.Node,
        section: str,
        known: Sequence[str],
        required: Sequence[str] = (),
        tolerant: bool = False,
        hints: Mapping[str, str] = EMPTY,
    ) -> dict[str, yaml.Node] | None:
        """Return the value nodes of a section by key, or None when it is no map.

        Unknown keys are errors unless `tolerant`, with what `hints` says of them or the
        nearest known one; missing ones always are.
        """
        if not isinstance(node, yaml.MappingNode):
            message = f"{section} must be a map, not {describe(node)}"
            self.refuse(node, "wrong_type", message, "write 'key: value' lines, or remove it")
            return None
        entries = self.entries(node)
        for name, (key, _) in entries.items():
            if name not in known and not tolerant:
                hint = (
                    hints.get(name)
                    or did_you_mean(name, known)
                    or f"known keys: {', '.join(known)}"
                )
                message = f"unknown key {shorten(name)!r} in {section}"
                self.refuse(key, "unknown_key", message, hint)
        for name in required:
            if name not in entries:
                near = did_you_mean(name, [each for each in entries if each not in known])
                near = near and f"{near.split()[-1].rstrip('?')} looks like it"
                hint = near or f"add '{name}: ...'"
                self.refuse(node, "missing_key", f"{section} has no {name!r}", hint)
        return {name: value for name, (_, value) in entries.items()}

    def text(self, node: yaml.Node | None, what: str) -> str | None:
        """Return a non-empty text, or None with a problem (none if there is no node)."""
        if node is None:
            return None
        value = plain(node)
        if not isinstance(value, str):
            message = f"{what} must be a text, not {describe(node)}{_quoted(node)}"
            quotable = isinstance(node, yaml.ScalarNode) and node.value
            hint = "put it in quotes" if quotable else "write one text"
            self.refuse(node, "wrong_type", message, hint)
            return None
        if not value:
            self.refuse(node, "empty_value", f"{what} is empty", "write a value or remove the key")
            return None
        return value

    def trapped(self, node: yaml.Node, what: str) -> None:
        """Warn of scalars in `node` that YAML 1.1 reads otherwise than people do."""
        for each in node.value if isinstance(node, yaml.SequenceNode) else [node]:
            meaning = trap(each)
            if meaning:
                message = f"{what}: {meaning} to YAML 1.1"
                self.warn(each, "yaml_trap", message, "put it in quotes if you mean the text")

    def values(self, root: yaml.Node) -> None:
        """Refuse tags of one's own (``!name``) and NUL characters: no study has a use for them."""
        seen: set[int] = set()
        left = [root]
        while left:
            node = left.pop()
            if id(node) in seen:
                continue
            seen.add(id(node))
            name = node.tag.removeprefix("tag:yaml.org,2002:")
            if name == node.tag or name.startswith("python/"):
                hint = "remove it; a text that begins with '!' needs quotes"
                self.refuse(node, "unknown_tag", f"the tag {shorten(name)!r} is not known", hint)
            if isinstance(node, yaml.SequenceNode):
                left += node.value
            elif isinstance(node, yaml.MappingNode):
                left += [each for pair in node.value for each in pair]
            elif "\0" in node.value:
                message = "the text holds a NUL character, which no file and no command can have"
                self.refuse(node, "bad_character", message, "remove it")


def _quoted(node: yaml.Node) -> str:
    if isinstance(node, yaml.ScalarNode) and node.value:
        return f" ({shorten(node.value)!r})"
    return ""


def json_value(value: Any) -> Any:
    """Return a YAML value as JSON can hold it: dates and other odd things become text.

    Examples
    --------
    >>> import datetime
    >>> json_value([1, datetime.date(2026, 1, 2), {3: float("inf")}])
    [1, '2026-01-02', {'3': 'inf'}]
    """
    if value is None or isinstance(value, str | bool | int):
        return value
    if isinstance(value, float):
        return value if value - value == 0 else str(value)
    if isinstance(value, list):
        return [json_value(each) for each in value]
    if isinstance(value, dict):
        return {str(key): json_value(each) for key, each in value.items()}
    return str(value)
