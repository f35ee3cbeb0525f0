"""Pools: executors by the names that runs and tasks ask for."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

#: A pool's name becomes the name of a folder, and stands in lists and addresses.
NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")
#: Where a runner listens. A token goes with each request, so none stands in the address.
RUNNER_URL: Final = re.compile(r"https?://[^/?#@\s]+(/[^?#\s]*)?")
#: A runner stops the jobs of an engine that has been silent for so long, in seconds.
LEASE_S: Final = 600.0


@dataclass(frozen=True, slots=True)
class RunnerSettings:
    """The runners of a pool.

    Attributes
    ----------
    urls
        Where they listen, as ``http://host:2504``.
    token_file
        The file that holds the word they ask for; empty: they ask for none.
    lease_s
        Seconds that a job lives on without any engine that asks for it.
    """

    urls: tuple[str, ...]
    token_file: str = ""
    lease_s: float = LEASE_S

    @property
    def fault(self) -> str:
        """What is wrong with it, or nothing.

        Examples
        --------
        >>> RunnerSettings(("http://a:2504", "https://b")).fault
        ''
        >>> RunnerSettings(("a:2504",)).fault
        "'a:2504' is no address of a runner: write http://host:2504"
        """
        if not self.urls:
            return 'it names no runners: runners = ["http://host:2504"]'
        for url in self.urls:
            if not RUNNER_URL.fullmatch(url):
                return f"{url!r} is no address of a runner: write http://host:2504"
        if len(set(self.urls)) < len(self.urls):
            return "a runner is named twice"
        if not 1 <= self.lease_s <= 30 * 24 * 3600:
            return f"lease_s is {self.lease_s:g}: give seconds, from 1 to 30 days"
        return ""


@dataclass(frozen=True, slots=True)
class PoolSettings:
    """A named pool: which executor runs its jobs, and how many at once.

    `limit` is the most jobs that are out at once; None: what the executor has room for.
    `runner` says more of a pool whose executor is ``runner``; None: the environment does.
    """

    name: str
    executor: str
    limit: int | None = None
    runner: RunnerSettings | None = None

    @property
    def fault(self) -> str:
        """What is wrong with it, or nothing.

        Examples
        --------
        >>> PoolSettings("fast", "local", 4).fault
        ''
        >>> PoolSettings("../x", "local").fault
        "a pool cannot be called '../x': letters, digits, '_', '.' and '-' make a name"
        >>> PoolSettings("far", "slurm", runner=RunnerSettings(("http://a:2504",))).fault
        "the pool 'far' names runners, and its executor is 'slurm'"
        """
        if not NAME.fullmatch(self.name):
            signs = "letters, digits, '_', '.' and '-' make a name"
            return f"a pool cannot be called {self.name!r}: {signs}"
        if self.limit is not None and self.limit < 1:
            return f"the pool {self.name!r} must be let run at least one job at once"
        if self.runner is None:
            return ""
        if self.executor != "runner":
            return f"the pool {self.name!r} names runners, and its executor is {self.executor!r}"
        return f"the pool {self.name!r}: {self.runner.fault}" if self.runner.fault else ""
