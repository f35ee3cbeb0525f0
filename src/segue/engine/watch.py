"""The lookout: lets an executor that must be asked look like one that tells.

A batch system answers in its own time, so it is spoken to in a thread of its own:
submissions, cancels and polls in turn, many jobs at a time. What it says lies ready
for the loop, whose descriptor becomes readable. A poll that fails changes nothing.
"""

from __future__ import annotations

import contextlib
import logging
import os
import queue
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence

from segue.model.errors import ExecutorError
from segue.model.events import Ended, Returned, Started, Submitted
from segue.model.states import Cause
from segue.protocols.executor import Capabilities, Executor, Job, JobKey, RunReport

log = logging.getLogger("segue.watch")


class Watch:
    """An executor around another one that does not push events."""

    def __init__(self, inner: Executor, *, wall_time: Callable[[], float] = time.time) -> None:
        self.name = inner.name
        self._inner = inner
        self._wall_time = wall_time
        self._jobs: dict[JobKey, str] = {}
        self._ready: deque[RunReport] = deque()
        self._orders: queue.Queue[Callable[[], Sequence[RunReport]] | None] = queue.Queue()
        self._read_end, self._write_end = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        self._thread = threading.Thread(target=self._work, name=f"watch {self.name}", daemon=True)
        self._thread.start()

    @property
    def capabilities(self) -> Capabilities:
        """What the executor inside can do, and that it pushes now."""
        inner = self._inner.capabilities
        return Capabilities(inner.slots, inner.ahead, True, inner.poll_interval_s)

    def submit(self, jobs: Sequence[Job]) -> Sequence[RunReport]:
        """Hand the jobs to the thread; what becomes of them comes as events."""

        def order() -> Sequence[RunReport]:
            for job in jobs:
                self._jobs[job.key] = ""
            try:
                return self._inner.submit(jobs)
            except ExecutorError as error:
                now = self._wall_time()
                return [
                    RunReport(
                        job.key.run,
                        Ended(
                            job.key.task,
                            job.key.attempt,
                            now,
                            Cause.UNREACHABLE,
                            message=str(error),
                        ),
                    )
                    for job in jobs
                ]

        self._orders.put(order)
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
        """Hand the recall to the thread."""

        def order() -> Sequence[RunReport]:
            self._inner.recall()
            return []

        self._orders.put(order)

    def find(self, jobs: Mapping[JobKey, str]) -> Sequence[RunReport]:
        """Ask now, and poll from now on for what still lives."""
        found = self._inner.find(jobs)
        self._orders.put(lambda: self._note(found))
        return found

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
            timeout = max(0.0, poll_at - time.monotonic()) if self._jobs else None
            try:
                order = self._orders.get(timeout=timeout)
            except queue.Empty:
                self._carry_out(lambda: self._inner.poll(dict(self._jobs)))
                poll_at = time.monotonic() + interval_s
                continue
            if order is None:
                return
            self._carry_out(order)

    def _carry_out(self, order: Callable[[], Sequence[RunReport]]) -> None:
        try:
            reports = order()
        except ExecutorError as error:
            log.warning("%s could not be asked: %s", self.name, error)
            return
        except Exception:
            # A fault of the adapter must not end this thread: nobody would notice.
            log.exception("%s failed", self.name)
            return
        self._note(reports)
        if reports:
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
