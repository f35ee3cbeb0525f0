"""What is costly is kept for a while: the longer, the more it costs."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Any, Final, TypeVar

Value = TypeVar("Value")

#: So many values are kept.
KEPT: Final = 256
#: A value that has changed since is made anew no sooner than this, in seconds ...
AT_LEAST_S: Final = 0.25
#: ... and than so many times what it took to make it.
TIMES: Final = 10.0


class Cache:
    """Keeps values by their keys; `version` tells whether one may have changed."""

    def __init__(self) -> None:
        self._values: OrderedDict[Hashable, tuple[Hashable, float, Any]] = OrderedDict()
        self._lock = threading.Lock()
        self._making: dict[Hashable, threading.Lock] = {}

    def get(self, key: Hashable, version: Hashable, make: Callable[[], Value]) -> Value:
        """Return the value of this version, or one that is not much older.

        Many who want the same wait for one to make it.
        """
        found = self._fresh(key, version)
        if found is not None:
            return found[0]  # type: ignore[no-any-return]
        with self._lock:
            lock = self._making.setdefault(key, threading.Lock())
        with lock:
            found = self._fresh(key, version)
            if found is None:
                found = (self._made(key, version, make),)
        with self._lock:
            self._making.pop(key, None)
        return found[0]

    def _fresh(self, key: Hashable, version: Hashable) -> tuple[Any] | None:
        with self._lock:
            kept = self._values.get(key)
            if kept is None or (kept[0] != version and time.monotonic() > kept[1]):
                return None
            self._values.move_to_end(key)
            return (kept[2],)

    def _made(self, key: Hashable, version: Hashable, make: Callable[[], Value]) -> Value:
        begun = time.monotonic()
        value = make()
        ended = time.monotonic()
        until = ended + max(AT_LEAST_S, TIMES * (ended - begun))
        with self._lock:
            self._values[key] = (version, until, value)
            self._values.move_to_end(key)
            while len(self._values) > KEPT:
                self._values.popitem(last=False)
        return value

    def forget(self, run: str) -> None:
        """Forget what is kept of a run: its keys begin with its id."""
        with self._lock:
            for key in [key for key in self._values if isinstance(key, tuple) and key[0] == run]:
                del self._values[key]
