"""A connection to Redis: calls, transactions, scripts, and errors a person can act on.

Knows nothing of runs. The library's own second tries are switched off: whether a script
that was sent has run is for the store to find out.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cache
from hashlib import sha1
from pathlib import Path
from typing import Any, Final

import redis
from redis.backoff import NoBackoff
from redis.exceptions import NoScriptError, RedisError, ResponseError, WatchError
from redis.retry import Retry

from segue.model.errors import IllegalStepError, LeaseLostError, StoreError, UserError
from segue.store.doubt import ConnectionLostError
from segue.store.redis_documents import Command
from segue.store.server_url import shown, without_secrets

log = logging.getLogger("segue.store")

#: A server that does not answer is given up, so that an engine hears its user again.
SETTINGS: Final[Mapping[str, Any]] = {
    "socket_connect_timeout": 5.0,
    "socket_timeout": 10.0,
    "socket_keepalive": True,
    "client_name": "segue",
}


class Session:
    """One client; it connects when it is needed, and again after it was lost."""

    def __init__(self, url: str) -> None:
        self.url = url
        try:
            self._client = redis.Redis.from_url(
                url, decode_responses=True, retry=Retry(NoBackoff(), 0), **SETTINGS
            )
            pool = self._client.connection_pool
            pool.connection_class(**pool.connection_kwargs)  # an unknown option is said here
        except (ValueError, TypeError) as error:
            said = without_secrets(str(error), url)
            raise UserError(
                f"store {shown(url)!r} is not a URL of Redis: {said}",
                "its form is redis://host:6379/0?prefix=segue",
            ) from error

    def call(self, *words: str | int) -> Any:
        """Return the answer to one command."""
        with self._reported():
            return self._client.execute_command(*words)  # type: ignore[no-untyped-call]

    def ask(self, *words: str | int) -> Any:
        """Return the answer to a command that changes nothing; a lost server is asked again."""
        try:
            return self.call(*words)
        except ConnectionLostError:
            return self.call(*words)

    def ask_all(self, commands: Sequence[Command]) -> list[Any]:
        """Return the answers to commands that change nothing, as of one moment."""
        try:
            return self.together(commands)
        except ConnectionLostError:
            return self.together(commands)

    def together(self, commands: Sequence[Command], absent: str = "") -> list[Any]:
        """Carry out commands in one transaction; return their answers.

        Raises
        ------
        KeyError
            If the key `absent` is there already; nothing is done then.
        """
        with self._reported(), self._client.pipeline(transaction=True) as pipeline:
            if absent:
                pipeline.watch(absent)  # type: ignore[no-untyped-call]
                if pipeline.execute_command("EXISTS", absent):  # type: ignore[no-untyped-call]
                    raise KeyError(absent)
                pipeline.multi()
            for words in commands:
                pipeline.execute_command(*words)  # type: ignore[no-untyped-call]
            try:
                return list(pipeline.execute())
            except WatchError as error:
                raise KeyError(absent) from error

    def script(self, name: str, keys: Sequence[str], arguments: Sequence[str | int]) -> Any:
        """Return the answer of a script of ours."""
        text, digest = _script(name)
        words = (len(keys), *keys, *arguments)
        with self._reported():
            try:
                return self._client.execute_command("EVALSHA", digest, *words)  # type: ignore[no-untyped-call]
            except NoScriptError:
                return self._client.execute_command("EVAL", text, *words)  # type: ignore[no-untyped-call]

    def has_json(self) -> bool:
        """Tell whether the server knows the commands of RedisJSON."""
        try:
            self.ask("JSON.TYPE", "segue:is-there-json")
        except ConnectionLostError:
            raise
        except StoreError:
            return False
        return True

    def facts(self, section: str) -> Mapping[str, Any]:
        """Return what the server tells of itself; nothing where it may not."""
        try:
            found: Mapping[str, Any] = self.ask("INFO", section)
        except ConnectionLostError:
            raise
        except StoreError as error:
            log.info("the server does not tell: %s", error)
            return {}
        return found

    def close(self) -> None:
        """Let the connection go."""
        self._client.close()

    @contextmanager
    def _reported(self) -> Iterator[None]:
        try:
            yield
        except (redis.ConnectionError, redis.TimeoutError) as error:
            raise ConnectionLostError(
                f"the store {shown(self.url)} failed: {self._said(error)}",
                "is the server up, and does SEGUE_STORE name it?",
            ) from error
        except ResponseError as error:
            raise self._told(error) from error
        except RedisError as error:
            raise StoreError(f"the store {shown(self.url)} failed: {self._said(error)}") from error

    def _told(self, error: ResponseError) -> Exception:
        code, _, said = self._said(error).partition(" ")
        if code == "SEGUELEASE":
            return LeaseLostError(said, "'segue status' shows what it does")
        if code == "SEGUESTATE":
            return StoreError(said)
        if code == "SEGUEREFUSED":
            return IllegalStepError(said)
        advice = "give it more memory; nothing that was stored is lost" if code == "OOM" else ""
        return StoreError(f"the store {shown(self.url)} failed: {code} {said}", advice)

    def _said(self, error: Exception) -> str:
        return without_secrets(" ".join(str(error).split()) or type(error).__name__, self.url)


@cache
def _script(name: str) -> tuple[str, str]:
    """Return the text of a script, and the digest that Redis knows it by."""
    text = (Path(__file__).parent / "lua" / f"{name}.lua").read_text(encoding="utf-8")
    return text, sha1(text.encode(), usedforsecurity=False).hexdigest()
