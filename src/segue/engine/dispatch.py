"""The dock: perform deeds in batches, and bring in what executors report."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from segue.engine.jobs import job_of
from segue.engine.live_run import CancelJob, Deed, LiveRun, ReadOutput, Recall, Submit
from segue.engine.output import Grow, read_growth
from segue.model.errors import ExecutorError, RefusedError
from segue.model.events import Ended, Grown, GrowthFailed, JobEvent
from segue.model.run import AttemptRecord
from segue.model.states import Cause
from segue.protocols.clock import Clock
from segue.protocols.executor import Executor, Job, JobKey, RunReport
from segue.protocols.store import Commit

log = logging.getLogger("segue.dispatch")

#: An executor without a limit of its own is given so many jobs a turn.
BATCH: Final = 1000

#: A run and what happened to it.
RunEvent = tuple[str, JobEvent]


class Dispatch:
    """All executors of an engine as one.

    `executors` maps pool names to executors; the pool ``""`` is the default one's.
    """

    def __init__(
        self, executors: Mapping[str, Executor], default: str, grow: Grow, clock: Clock
    ) -> None:
        self._executors = {name: _telling(each) for name, each in executors.items()}
        self._default = default
        self._grow = grow
        self._clock = clock

    # Where -------------------------------------------------------------------

    def pools(self) -> list[str]:
        """Return the names of the pools that tasks may ask for."""
        return list(self._executors)

    def bound_to_host(self) -> set[str]:
        """Return the executors whose jobs can only be found from where they were submitted."""
        return {name for name, each in self._executors.items() if each.capabilities.bound_to_host}

    def serving(self, pool: str) -> str:
        """Return the name of the executor that serves the pool."""
        return pool if pool in self._executors else self._default

    def room(self, executor: str, runs: Iterable[LiveRun]) -> int:
        """Return how many more jobs the executor is glad to hold."""
        capabilities = self._executors[executor].capabilities
        if capabilities.slots is None:
            return BATCH
        if len(self._executors) == 1:
            held = sum(len(run.in_flight) for run in runs)
        else:
            held = sum(
                attempt.place == executor for run in runs for attempt in run.attempts.values()
            )
        return capabilities.slots + capabilities.ahead - held

    def has_plenty(self, runs: Iterable[LiveRun]) -> bool:
        """Tell whether every executor holds so much that none waits for us soon."""
        runs = list(runs)
        return all(
            each.capabilities.slots is not None
            and self.room(name, runs) < each.capabilities.ahead // 2
            for name, each in self._executors.items()
        )

    # Out ---------------------------------------------------------------------

    def act(self, run: LiveRun, deeds: Sequence[Deed]) -> list[RunEvent]:
        """Perform the deeds of one run, in order; return what is known at once."""
        known: list[RunEvent] = []
        jobs: dict[str, list[Job]] = {}
        for deed in deeds:
            if isinstance(deed, Submit):
                attempt = run.attempts.get(deed.task)
                if attempt is not None and attempt.number == deed.attempt:
                    jobs.setdefault(attempt.place, []).append(job_of(run, attempt))
                continue
            # A cancel must not overtake the submission that it is about.
            known += self._submit(jobs)
            if isinstance(deed, CancelJob):
                self._cancel(run, deed)
            elif isinstance(deed, ReadOutput):
                known.append((run.record.id, self._read_output(run, deed)))
            elif isinstance(deed, Recall):
                self.recall()
        return known + self._submit(jobs)

    def recall(self) -> None:
        """Take back from all executors what they hold and have not begun."""
        for executor in self._executors.values():
            executor.recall()

    def _submit(self, jobs: dict[str, list[Job]]) -> list[RunEvent]:
        known: list[RunEvent] = []
        for place, wanted in jobs.items():
            try:
                known += self._executors[place].submit(wanted)
            except ExecutorError as error:
                now = self._clock.now()
                known += [_unreachable(job.key, str(error), now) for job in wanted]
        jobs.clear()
        return known

    def _cancel(self, run: LiveRun, deed: CancelJob) -> None:
        attempt = run.attempts.get(deed.task)
        if attempt is None or attempt.number != deed.attempt:
            return
        try:
            self._executors[attempt.place].cancel({_key(run, attempt): attempt.job_id})
        except ExecutorError as error:
            log.warning("cancel failed: %s", error)

    def _read_output(self, run: LiveRun, deed: ReadOutput) -> Grown | GrowthFailed:
        now = self._clock.now()
        growth = read_growth(run, deed.task, run.attempts[deed.task].folder, self._grow)
        if isinstance(growth, str):
            return GrowthFailed(deed.task, deed.attempt, now, growth)
        return Grown(deed.task, deed.attempt, now, growth)

    # In ----------------------------------------------------------------------

    def filenos(self) -> set[int]:
        """Return the descriptors that are readable when `collect` has something."""
        return {executor.fileno() for executor in self._executors.values()} - {-1}

    def collect(self) -> list[RunReport]:
        """Return what executors have reported, without waiting."""
        return [report for executor in self._executors.values() for report in executor.collect()]

    def stored(self, changed: Mapping[str, Commit]) -> None:
        """Let executors forget the jobs whose ends are stored now."""
        ended: dict[str, list[JobKey]] = {}
        for name, commit in changed.items():
            for attempt in commit.attempts.values():
                if attempt.ended_at is not None:
                    key = JobKey(name, attempt.task, attempt.number)
                    ended.setdefault(attempt.place, []).append(key)
        for place, keys in ended.items():
            if place in self._executors:
                self._executors[place].forget(keys)

    def find(self, run: LiveRun) -> list[RunEvent]:
        """Ask what became of the jobs of a run that another engine has left.

        Raises
        ------
        ExecutorError
            If an executor cannot be asked now.
        RefusedError
            If the run has jobs in a pool that this engine does not serve.
        """
        wanted: dict[str, dict[JobKey, str]] = {}
        found: list[RunEvent] = []
        for attempt in run.attempts.values():
            if attempt.ended_at is not None:
                deed = ReadOutput(attempt.task, attempt.number)
                found.append((run.record.id, self._read_output(run, deed)))
            else:
                wanted.setdefault(attempt.place, {})[_key(run, attempt)] = attempt.job_id
        for place, jobs in wanted.items():
            if place not in self._executors:
                raise RefusedError(
                    f"run {run.record.id} has jobs in the pool {place!r}, unknown here",
                    f"this engine serves: {', '.join(self._executors)}",
                )
            found += self._executors[place].find(jobs)
        cancelling = {
            _key(run, attempt): attempt.job_id
            for attempt in run.attempts.values()
            if run.records[attempt.task].cancelling and attempt.ended_at is None
        }
        for place, jobs in wanted.items():
            again = {key: job_id for key, job_id in cancelling.items() if key in jobs}
            if again:
                self._executors[place].cancel(again)
        return found

    def close(self) -> None:
        """Let all executors go; what runs goes on."""
        for executor in self._executors.values():
            executor.close()


def _telling(executor: Executor) -> Executor:
    """Return an executor that tells by itself what happens."""
    if executor.capabilities.pushes:
        return executor
    from segue.engine.watch import Watch  # threads, which local runs do without

    return Watch(executor)


def _key(run: LiveRun, attempt: AttemptRecord) -> JobKey:
    return JobKey(run.record.id, attempt.task, attempt.number)


def _unreachable(key: JobKey, message: str, at: float) -> RunReport:
    ended = Ended(key.task, key.attempt, at, Cause.UNREACHABLE, message=message)
    return RunReport(key.run, ended)
