"""Pools: executors by the names that runs and tasks ask for."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

#: A pool's name becomes the name of a folder, and stands in lists and addresses.
NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")


@dataclass(frozen=True, slots=True)
class PoolSettings:
    """A named pool: which executor runs its jobs, and how many at once.

    `limit` is the most jobs that are out at once; None: what the executor has room for.
    """

    name: str
    executor: str
    limit: int | None = None

    @property
    def fault(self) -> str:
        """What is wrong with it, or nothing.

        Examples
        --------
        >>> PoolSettings("fast", "local", 4).fault
        ''
        >>> PoolSettings("../x", "local").fault
        "a pool cannot be called '../x': letters, digits, '_', '.' and '-' make a name"
        """
        if not NAME.fullmatch(self.name):
            signs = "letters, digits, '_', '.' and '-' make a name"
            return f"a pool cannot be called {self.name!r}: {signs}"
        if self.limit is not None and self.limit < 1:
            return f"the pool {self.name!r} must be let run at least one job at once"
        return ""
