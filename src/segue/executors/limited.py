"""An executor as a pool of its own: under another name, with at most so many jobs out."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace

from segue.protocols.executor import (
    Capabilities,
    Executor,
    Job,
    JobKey,
    RunReport,
    TakesHints,
)
from segue.protocols.runners_shown import NO_RUNNERS, RunnersShown, ShowsRunners


class Limited:
    """Stands for `inner`; `limit` is the most jobs that are out at once, None: as it says."""

    def __init__(self, inner: Executor, name: str, limit: int | None) -> None:
        self.name = name
        self._inner = inner
        self._limit = limit

    @property
    def capabilities(self) -> Capabilities:
        """Its own, with no more slots than the limit and, under a limit, none ahead."""
        own = self._inner.capabilities
        if self._limit is None:
            return own
        slots = self._limit if own.slots is None else min(own.slots, self._limit)
        return replace(own, slots=slots, ahead=0)

    def submit(self, jobs: Sequence[Job]) -> Sequence[RunReport]:
        """Pass it on."""
        return self._inner.submit(jobs)

    def poll(self, jobs: Mapping[JobKey, str]) -> Sequence[RunReport]:
        """Pass it on."""
        return self._inner.poll(jobs)

    def cancel(self, jobs: Mapping[JobKey, str]) -> None:
        """Pass it on."""
        self._inner.cancel(jobs)

    def recall(self) -> None:
        """Pass it on."""
        self._inner.recall()

    def find(self, jobs: Mapping[JobKey, str]) -> Sequence[RunReport]:
        """Pass it on."""
        return self._inner.find(jobs)

    def hint(self, jobs: Collection[JobKey]) -> None:
        """Pass it on."""
        inner: object = self._inner
        if isinstance(inner, TakesHints):
            inner.hint(jobs)

    def runners(self) -> RunnersShown:
        """Return its runners, if it has such."""
        inner: object = self._inner
        return inner.runners() if isinstance(inner, ShowsRunners) else NO_RUNNERS

    def forget(self, jobs: Sequence[JobKey]) -> None:
        """Pass it on."""
        self._inner.forget(jobs)

    def fileno(self) -> int:
        """Return its descriptor."""
        return self._inner.fileno()

    def collect(self) -> Sequence[RunReport]:
        """Pass it on."""
        return self._inner.collect()

    def close(self) -> None:
        """Pass it on."""
        self._inner.close()
