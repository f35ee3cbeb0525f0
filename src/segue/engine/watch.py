"""The lookout: lets an executor that must be asked look like one that tells.

A batch system answers in its own time, so it is spoken to in a thread of its own:
submissions, cancels and polls in turn, many jobs at a time. What it says lies ready
for the loop, whose descriptor becomes readable. A poll that fails changes nothing.

An executor that can tell cheaply when a poll is worth while has a method ``due_s()``,
seconds from now: it is asked ten times a second in place of waiting for the interval.
"""

from __future__ import annotations

import contextlib
import functools
import logging
import os
import queue
import threading
import time
from collections import deque
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace
from typing import Final, NamedTuple, Protocol, runtime_checkable

from segue.model.errors import ExecutorError
from segue.model.events import Ended, Returned, Started, Submitted
from segue.model.states import Cause
from segue.protocols.executor import (
    Capabilities,
    Executor,
    Job,
    JobKey,
    RunReport,
    TakesHints,
)

log = logging.getLogger("segue.watch")

#: So often an executor is asked whether a poll is worth while, in seconds.
LOOK_S: Final = 0.1
#: A place that goes on being silent is spoken of so often, in seconds.
SAY_AGAIN_S: Final = 60.0

_Order = Callable[[], Sequence[RunReport]]


@runtime_checkable
class KnowsWhen(Protocol):
    """An executor that knows when it should be polled."""

    def due_s(self) -> float:
        """Return in how many seconds a poll is worth while; 0: now. Cheap."""
        ...


class _Submission(NamedTuple):
    """An order to submit, which can be taken back while it waits."""

    jobs: Sequence[Job]


class Watch:
    """An executor around another one that does not push events."""

    def __init__(self, inner: Executor, *, wall_time: Callable[[], float] = time.time) -> None:
        self.name = inner.name
        self._inner = inner
        self._wall_time = wall_time
        self._jobs: dict[JobKey, str] = {}
        self._ready: deque[RunReport] = deque()
        self._rest_until = 0.0
        #: How often in a row the place could not be asked.
        self._silences = 0
        self._say_again_at = 0.0
        self._orders: queue.Queue[_Order | _Submission | None] = queue.Queue()
        self._read_end, self._write_end = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        self._thread = threading.Thread(target=self._work, name=f"watch {self.name}", daemon=True)
        self._thread.start()

    @property
    def capabilities(self) -> Capabilities:
        """What the executor inside can do, and that it pushes now."""
        inner = self._inner.capabilities
        return replace(inner, pushes=True)

    def submit(self, jobs: Sequence[Job]) -> Sequence[RunReport]:
        """Hand the jobs to the thread; what becomes of them comes as events."""
        self._orders.put(_Submission(tuple(jobs)))
        return []

    def poll(self, jobs: Mapping[JobKey, str]) -> Sequence[RunReport]:
        """Ask the executor inside, now and here."""
        return self._inner.poll(jobs)

    def cancel(self, jobs: Mapping[JobKey, str]) -> None:
        """Hand the cancel to the thread."""

        def order() -> Sequence[RunReport]:
            known = {key: job_id or self._jobs.get(key, "") for key, job_id in jobs.items()}
            self._inner.cancel(known)
            return []

        self._orders.put(order)

    def recall(self) -> None:
        """Take back what the thread has not begun to submit, and hand it the recall."""
        waiting: list[Job] = []
        kept: list[_Order | None] = []
        with contextlib.suppress(queue.Empty):
            while True:
                each = self._orders.get_nowait()
                if isinstance(each, _Submission):
                    waiting += each.jobs
                else:
                    kept.append(each)
        for order_kept in kept:
            self._orders.put(order_kept)
        if waiting:
            now = self._wall_time()
            self._tell([_returned(job, now) for job in waiting])

        def order() -> Sequence[RunReport]:
            self._inner.recall()
            return []

        self._orders.put(order)

    def find(self, jobs: Mapping[JobKey, str]) -> Sequence[RunReport]:
        """Ask in the thread and wait for the answer; poll from now on for what still lives.

        Raises
        ------
        ExecutorError
            If the place cannot be asked now.
        """
        answer: queue.Queue[Sequence[RunReport] | Exception] = queue.Queue()

        def order() -> Sequence[RunReport]:
            try:
                found = self._inner.find(jobs)
            except Exception as error:
                answer.put(error)
                return []
            self._note(found)
            answer.put(found)
            return []

        self._orders.put(order)
        found = answer.get()
        if isinstance(found, Exception):
            raise found
        return found

    def hint(self, jobs: Collection[JobKey]) -> None:
        """Pass it on, if the executor inside can use it; safe in any thread."""
        inner: object = self._inner
        if not isinstance(inner, TakesHints):
            return

        def order() -> Sequence[RunReport]:
            inner.hint(jobs)
            return []

        self._orders.put(order)

    def forget(self, jobs: Sequence[JobKey]) -> None:
        """Pass it on."""

        def order() -> Sequence[RunReport]:
            self._inner.forget(jobs)
            return []

        self._orders.put(order)

    def fileno(self) -> int:
        """Return the end of the pipe that is readable when there is something."""
        return self._read_end

    def collect(self) -> Sequence[RunReport]:
        """Return what has been said since the last time."""
        with contextlib.suppress(BlockingIOError):
            while len(os.read(self._read_end, 4096)) == 4096:
                pass
        found = []
        while self._ready:
            found.append(self._ready.popleft())
        return found

    def close(self) -> None:
        """Finish the orders, then let go."""
        self._orders.put(None)
        self._thread.join()
        self._inner.close()
        os.close(self._read_end)
        os.close(self._write_end)

    # In the thread -----------------------------------------------------------

    def _work(self) -> None:
        interval_s = self._inner.capabilities.poll_interval_s
        poll_at = time.monotonic() + interval_s
        while True:
            try:
                order = self._orders.get(timeout=self._patience_s(poll_at))
            except queue.Empty:
                if self._is_due(poll_at):
                    sound = self._carry_out(lambda: self._inner.poll(dict(self._jobs)))
                    poll_at = time.monotonic() + interval_s
                    # What is due stays due when a fault of the adapter hits it each time.
                    self._rest_until = 0.0 if sound else poll_at
                continue
            if order is None:
                return
            if isinstance(order, _Submission):
                self._carry_out(functools.partial(self._submit, order.jobs))
            else:
                self._carry_out(order)

    def _patience_s(self, poll_at: float) -> float | None:
        """Return how long to wait for an order before looking whether to poll."""
        if not self._jobs:
            return None
        if isinstance(self._inner, KnowsWhen):
            rest_s = self._rest_until - time.monotonic()
            return max(min(LOOK_S, self._inner.due_s()), min(LOOK_S, rest_s), 0.0)
        return max(0.0, poll_at - time.monotonic())

    def _is_due(self, poll_at: float) -> bool:
        if isinstance(self._inner, KnowsWhen):
            return self._inner.due_s() <= 0 and time.monotonic() >= self._rest_until
        return time.monotonic() >= poll_at

    def _submit(self, jobs: Sequence[Job]) -> Sequence[RunReport]:
        for job in jobs:
            self._jobs[job.key] = ""
        try:
            return self._inner.submit(jobs)
        except ExecutorError as error:
            now = self._wall_time()
            return [_unreachable(job, str(error), now) for job in jobs]

    def _carry_out(self, order: _Order) -> bool:
        """Carry an order out and tell what it brings; False after a fault of the adapter."""
        try:
            reports = order()
        except ExecutorError as error:
            self._not_asked(error)
            return True
        except Exception:
            # A fault of the adapter must not end this thread: nobody would notice.
            log.exception("%s failed", self.name)
            return False
        if self._silences:
            self._silences = 0
            log.warning("%s answers again", self.name)
        self._note(reports)
        if reports:
            self._tell(reports)
        return True

    def _not_asked(self, error: ExecutorError) -> None:
        """Say that the place is silent: once, and then now and then while that lasts."""
        self._silences += 1
        if self._silences > 1 and time.monotonic() < self._say_again_at:
            return
        self._say_again_at = time.monotonic() + SAY_AGAIN_S
        times = f" {self._silences} times in a row" if self._silences > 1 else ""
        log.warning("%s could not be asked%s: %s", self.name, times, error)

    def _tell(self, reports: Sequence[RunReport]) -> None:
        self._ready.extend(reports)
        with contextlib.suppress(BlockingIOError):
            os.write(self._write_end, b"!")

    def _note(self, reports: Sequence[RunReport]) -> Sequence[RunReport]:
        """Remember which jobs live, and their ids."""
        for run, report in reports:
            key = JobKey(run, report.task, report.attempt)
            if isinstance(report, Submitted | Started):
                self._jobs[key] = report.job_id
            elif isinstance(report, Ended | Returned):
                self._jobs.pop(key, None)
        return ()


def _returned(job: Job, at: float) -> RunReport:
    return RunReport(job.key.run, Returned(job.key.task, job.key.attempt, at))


def _unreachable(job: Job, message: str, at: float) -> RunReport:
    end = Ended(job.key.task, job.key.attempt, at, Cause.UNREACHABLE, message=message)
    return RunReport(job.key.run, end)
