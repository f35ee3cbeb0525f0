"""An executor that is opened when it is first used, for whoever cannot say what will be."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence

from segue.model.errors import ExecutorError, UserError
from segue.protocols.executor import (
    Capabilities,
    Executor,
    Job,
    JobKey,
    RunReport,
    TakesHints,
)
from segue.protocols.runners_shown import NO_RUNNERS, RunnersShown, ShowsRunners


class Lazy:
    """Stands for an executor; `open_it` opens it. That one must push its events."""

    def __init__(self, name: str, open_it: Callable[[], Executor]) -> None:
        self.name = name
        self._open_it = open_it
        self._inner: Executor | None = None

    @property
    def capabilities(self) -> Capabilities:
        """Its own once it is open; until then, as many as are submitted."""
        return self._inner.capabilities if self._inner else Capabilities(pushes=True)

    def submit(self, jobs: Sequence[Job]) -> Sequence[RunReport]:
        """Pass it on."""
        return self._opened().submit(jobs)

    def poll(self, jobs: Mapping[JobKey, str]) -> Sequence[RunReport]:
        """Pass it on."""
        return self._inner.poll(jobs) if self._inner else []

    def cancel(self, jobs: Mapping[JobKey, str]) -> None:
        """Pass it on."""
        self._opened().cancel(jobs)

    def recall(self) -> None:
        """Pass it on."""
        if self._inner:
            self._inner.recall()

    def find(self, jobs: Mapping[JobKey, str]) -> Sequence[RunReport]:
        """Pass it on."""
        return self._opened().find(jobs)

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
        if self._inner:
            self._inner.forget(jobs)

    def fileno(self) -> int:
        """Return its descriptor; -1 while it is not open."""
        return self._inner.fileno() if self._inner else -1

    def collect(self) -> Sequence[RunReport]:
        """Pass it on."""
        return self._inner.collect() if self._inner else []

    def close(self) -> None:
        """Pass it on."""
        if self._inner:
            self._inner.close()

    def _opened(self) -> Executor:
        if self._inner is None:
            try:
                self._inner = self._open_it()
            except UserError as error:
                # Found out too late to be the user's: a run is going on.
                raise ExecutorError(f"the pool {self.name!r} cannot be opened: {error}") from error
        return self._inner
