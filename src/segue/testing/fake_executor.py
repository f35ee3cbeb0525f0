"""An executor in memory, driven by the test: nothing happens until the test says so.

It keeps the contract (it passes `segue.testing.executor_suite` as far as that needs no
real programs), so an engine that works with it works with the real ones::

    executor = FakeExecutor(clock)
    executor.submit([job])
    executor.start(job.key)
    executor.finish(job.key, exit_code=3)
    executor.collect()   # Started, Ended

What runs lies in a `FakePlace`. An engine's crash is a new `FakeExecutor` on the same
place (`reopen`): it is told nothing until it asks `find`.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from segue.model.events import NO_USAGE, Ended, Returned, Started, Submitted, Usage
from segue.model.states import Cause
from segue.protocols.clock import Clock
from segue.protocols.executor import Capabilities, Job, JobKey, RunReport
from segue.testing.fake_clock import FakeClock


@dataclass(slots=True)
class FakePlace:
    """The outside: it lives on when an executor on it is gone.

    Attributes
    ----------
    waiting, running
        Jobs that are submitted, and those that have begun, in order.
    ends
        The ends of jobs that have not been forgotten.
    handed_over
        Every key that was ever submitted, in order, twice if it came twice.
    unreachable
        While set, `find` raises this.
    """

    waiting: dict[JobKey, Job] = field(default_factory=dict)
    running: dict[JobKey, Job] = field(default_factory=dict)
    ends: dict[JobKey, Ended] = field(default_factory=dict)
    handed_over: list[JobKey] = field(default_factory=list)
    unreachable: Exception | None = None


class FakeExecutor:
    """Fulfils `segue.protocols.executor.Executor` without any process.

    Parameters
    ----------
    clock
        Where the times of reports come from.
    slots, ahead
        What `capabilities` says; the fake itself starts only what the test starts.
    place
        The outside; None: a new one.
    """

    def __init__(
        self,
        clock: Clock | None = None,
        *,
        slots: int | None = None,
        ahead: int = 0,
        place: FakePlace | None = None,
        name: str = "fake",
    ) -> None:
        self.name = name
        self.clock = clock or FakeClock()
        self.place = place or FakePlace()
        self.cancelled: list[JobKey] = []
        self._capabilities = Capabilities(slots, ahead, pushes=True)
        self._news: list[RunReport] = []
        #: Jobs whose reports come here: those submitted here, or found.
        self._mine: set[JobKey] = set()
        self._bell = os.eventfd(0, os.EFD_CLOEXEC | os.EFD_NONBLOCK)

    # -- what the test does -----------------------------------------------------------

    def start(self, key: JobKey, node: str = "") -> None:
        """Let a waiting job begin."""
        self.place.running[key] = self.place.waiting.pop(key)
        self._tell(key, Started(key.task, key.attempt, self.clock.now(), f"fake:{key.name}", node))

    def finish(
        self,
        key: JobKey,
        exit_code: int | None = 0,
        *,
        cause: Cause | None = None,
        signal: int | None = None,
        message: str = "",
        usage: Usage = NO_USAGE,
    ) -> None:
        """Let a job end, also one that has not begun; the cause follows from the exit code."""
        if self.place.running.pop(key, None) is None:
            del self.place.waiting[key]
        if cause is None and (exit_code or signal):
            cause = Cause.SIGNAL if signal else Cause.EXIT_CODE
        if cause is not None and exit_code == 0:
            exit_code = None
        end = Ended(
            key.task, key.attempt, self.clock.now(), cause, exit_code, signal, usage, message
        )
        self.place.ends[key] = end
        self._tell(key, end)

    def lose(self, key: JobKey) -> None:
        """Let a job vanish without a trace: `Ended` with cause ``lost``."""
        self.finish(key, None, cause=Cause.LOST)

    def repeat(self, report: RunReport) -> None:
        """Say something once more, late or twice, as the outside may."""
        self._push(report)

    def reopen(self) -> FakeExecutor:
        """Return a new executor on the same place, as after a crash of the engine."""
        self._mine.clear()
        return FakeExecutor(
            self.clock,
            slots=self._capabilities.slots,
            ahead=self._capabilities.ahead,
            place=self.place,
            name=self.name,
        )

    # -- what the engine does ---------------------------------------------------------

    @property
    def capabilities(self) -> Capabilities:
        """What the test has asked for; it pushes."""
        return self._capabilities

    def submit(self, jobs: Sequence[Job]) -> Sequence[RunReport]:
        """Take the jobs; nothing is known of them yet. A job it has is not taken twice."""
        for job in jobs:
            self.place.handed_over.append(job.key)
            if not self._has(job.key):
                self.place.waiting[job.key] = job
                self._mine.add(job.key)
        return []

    def poll(self, jobs: Mapping[JobKey, str]) -> Sequence[RunReport]:
        """Return what `collect` does."""
        return self.collect()

    def cancel(self, jobs: Mapping[JobKey, str]) -> None:
        """End the jobs at once, with cause ``cancelled``; `cancelled` remembers who was asked."""
        self.cancelled += jobs
        for key in jobs:
            if key in self.place.waiting or key in self.place.running:
                self.finish(key, None, cause=Cause.CANCELLED)

    def recall(self) -> None:
        """Give back what the test has not started."""
        for key in [key for key in self.place.waiting if key in self._mine]:
            del self.place.waiting[key]
            self._tell(key, Returned(key.task, key.attempt, self.clock.now()))

    def find(self, jobs: Mapping[JobKey, str]) -> Sequence[RunReport]:
        """Say what the place knows of each job."""
        if self.place.unreachable:
            raise self.place.unreachable
        return [RunReport(key.run, self._found(key)) for key in jobs]

    def forget(self, jobs: Sequence[JobKey]) -> None:
        """Drop the ends of these jobs."""
        for key in jobs:
            self.place.ends.pop(key, None)

    def fileno(self) -> int:
        """Return a descriptor that is readable while there is news."""
        return self._bell

    def collect(self) -> Sequence[RunReport]:
        """Return the news."""
        news, self._news = self._news, []
        if news:
            os.eventfd_read(self._bell)
        return news

    def close(self) -> None:
        """Let go; the place stays as it is."""
        if self._bell >= 0:
            os.close(self._bell)
        self._bell = -1

    def _has(self, key: JobKey) -> bool:
        place = self.place
        return key in place.waiting or key in place.running or key in place.ends

    def _found(self, key: JobKey) -> Submitted | Started | Ended | Returned:
        now = self.clock.now()
        if key in self.place.ends:
            return self.place.ends[key]
        if key in self.place.running:
            self._mine.add(key)
            return Started(key.task, key.attempt, now, f"fake:{key.name}")
        if key in self.place.waiting:
            self._mine.add(key)
            return Submitted(key.task, key.attempt, now, f"fake:{key.name}")
        return Returned(key.task, key.attempt, now)

    def _tell(self, key: JobKey, report: Started | Ended | Returned) -> None:
        if key in self._mine:
            self._push(RunReport(key.run, report))

    def _push(self, report: RunReport) -> None:
        if not self._news:
            os.eventfd_write(self._bell, 1)
        self._news.append(report)
