"""The noop executor: every job succeeds at once, and nothing is run.

For measuring all the rest: the engine, the store, the server and its page. Whatever a job
would do is not even looked at, and no folder is made for it.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from segue.model.events import Ended
from segue.protocols.executor import Capabilities, Job, JobKey, RunReport


def open_noop(state_dir: Path) -> NoopExecutor:
    """Return a noop executor; it keeps nothing under `state_dir`."""
    return NoopExecutor()


class NoopExecutor:
    """Runs nothing; fulfils `segue.protocols.executor.Executor`. `clock` tells the time."""

    name = "noop"

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        self._clock = clock
        self._capabilities = Capabilities(pushes=True)

    @property
    def capabilities(self) -> Capabilities:
        """As many jobs as are submitted."""
        return self._capabilities

    def submit(self, jobs: Sequence[Job]) -> Sequence[RunReport]:
        """Let all of them succeed."""
        return self._succeeded([job.key for job in jobs])

    def _succeeded(self, keys: Sequence[JobKey]) -> list[RunReport]:
        now = self._clock()
        return [
            RunReport(key.run, Ended(key.task, key.attempt, now, None, 0, started_at=now))
            for key in keys
        ]

    def poll(self, jobs: Mapping[JobKey, str]) -> Sequence[RunReport]:
        """Return nothing: all is known since `submit`."""
        return []

    def cancel(self, jobs: Mapping[JobKey, str]) -> None:
        """Do nothing: nothing runs."""

    def recall(self) -> None:
        """Do nothing: nothing is held."""

    def find(self, jobs: Mapping[JobKey, str]) -> Sequence[RunReport]:
        """Let those succeed of which an engine has died: they would have, had it asked."""
        return self._succeeded(list(jobs))

    def forget(self, jobs: Sequence[JobKey]) -> None:
        """Do nothing: nothing is kept."""

    def fileno(self) -> int:
        """Return -1: nothing comes in later."""
        return -1

    def collect(self) -> Sequence[RunReport]:
        """Return nothing."""
        return []

    def close(self) -> None:
        """Do nothing."""
