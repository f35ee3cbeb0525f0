"""The one thread that owns the executor: it does what is ordered, and hears how it went."""

from __future__ import annotations

import contextlib
import logging
import os
import queue
import selectors
import signal
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from segue.executors.keeper.processes import all_processes, send
from segue.executors.local import LocalExecutor
from segue.model.errors import ExecutorError
from segue.model.events import Ended, Returned, Started
from segue.model.states import Cause
from segue.protocols.executor import JobKey, RunReport
from segue.protocols.runner import Order
from segue.runner.book import Book, Record, record_of
from segue.runner.capacity import MB
from segue.runner.memory import Known, Suspects, families, in_mb, next_look_s
from segue.runner.spool import Kept, Spool, Stop, now_s

log = logging.getLogger("segue.runner")

#: Between TERM and KILL, in seconds, when a job is stopped.
GRACE_S: Final = 10.0
#: More jobs at once than any machine holds: who may run is decided by the book.
_SLOTS: Final = 1_000_000
#: Leases are told to what holds the jobs so often, and at least ten times while they run.
RENEW_S: Final = 1.0
#: Ends that nobody has acknowledged are kept so long, and looked for so often, in seconds.
KEPT_S: Final = 7 * 24 * 3600.0
SWEEP_S: Final = 3600.0
#: After something that should not have happened there is a pause, in seconds.
PAUSE_S: Final = 1.0


@dataclass(frozen=True, slots=True)
class Cancel:
    """Somebody wants the job to end."""

    key: JobKey


class Labour(threading.Thread):
    """Hands orders to the executor, and writes down what it says of them.

    `on_news` is called after every turn in which a job has changed.
    """

    def __init__(
        self,
        book: Book,
        spool: Spool,
        on_news: Callable[[], None],
        *,
        enforce: bool = True,
        grace_s: float = GRACE_S,
    ) -> None:
        super().__init__(name="labour", daemon=True)
        self._book = book
        self._spool = spool
        self._on_news = on_news
        self._enforce = enforce
        self._grace_s = grace_s
        self._host = os.uname().nodename
        self._inbox: queue.SimpleQueue[Order | Cancel] = queue.SimpleQueue()
        self._bell = os.eventfd(0, os.EFD_CLOEXEC | os.EFD_NONBLOCK)
        self._ending = threading.Event()
        #: What earlier daemons have left and the executor has not been asked for yet.
        self._left = [each for each in spool.kept() if not self._restore(each).over]
        self._known: dict[str, Known] = {}
        self._suspects = Suspects()
        self._look_at = self._renew_at = self._sweep_at = 0.0

    # -- from other threads -----------------------------------------------------------

    def post(self, message: Order | Cancel) -> None:
        """Have this done at the next turn."""
        self._inbox.put(message)
        self.wake()

    def wake(self) -> None:
        """Take a turn: something has changed in the book."""
        os.eventfd_write(self._bell, 1)

    def stop(self) -> None:
        """End the thread; the jobs go on."""
        self._ending.set()
        self.wake()
        self.join()
        os.close(self._bell)

    # -- the thread -------------------------------------------------------------------

    def run(self) -> None:
        """Take turns until told to stop."""
        self._executor = LocalExecutor(self._spool.keepers, _SLOTS, self._grace_s)
        with contextlib.closing(self._executor), selectors.DefaultSelector() as selector:
            selector.register(self._bell, selectors.EVENT_READ)
            selector.register(self._executor.fileno(), selectors.EVENT_READ)
            while not self._ending.is_set():
                try:
                    self._turn()
                    wait_s = self._wait_s()
                except Exception:
                    # A fault of ours shall cost a turn, and not the jobs of everybody.
                    log.exception("a turn has failed")
                    wait_s = PAUSE_S
                selector.select(wait_s)
                with contextlib.suppress(BlockingIOError):
                    os.eventfd_read(self._bell)

    def _turn(self) -> None:
        before = self._book.number
        if self._left:
            self._adopt()
        self._take_orders()
        self._hear(self._executor.collect())
        self._renew()
        self._look()
        self._sweep()
        if self._book.number != before:
            self._on_news()

    def _wait_s(self) -> float:
        now = time.monotonic()
        until = self._sweep_at
        if self._left:
            until = min(until, now + PAUSE_S)
        if self._known:
            until = min(until, self._look_at)
        if self._book.heard_anew:
            until = min(until, self._renew_at)
        return max(0.0, until - now)

    # -- after a start ----------------------------------------------------------------

    def _restore(self, kept: Kept) -> Record:
        """Take a job of an earlier daemon into the book."""
        record = record_of(kept.order, kept.taken, kept.taken_at if kept.same_boot else now_s())
        record.stop = kept.stop
        if kept.end:
            record.state, record.at, record.end = kept.end.state, kept.end.at, kept.end.end
            record.job_id, record.started_at = kept.end.job_id, kept.end.started_at
        self._book.restore(record)
        return record

    def _adopt(self) -> None:
        """Ask the executor for all that was left: what runs is ours from here on."""
        try:
            reports = self._executor.find({each.order.job.key: "" for each in self._left})
        except ExecutorError as error:
            log.warning("jobs of an earlier runner cannot be taken over yet: %s", error)
            return
        left = {each.order.job.key: each for each in self._left}
        self._left = []
        for report in reports:
            key = JobKey(report.run, report.report.task, report.report.attempt)
            kept = left[key]
            if isinstance(report.report, Returned):
                self._begin_again(kept)
            else:
                self._hear([report])
            if self._book.is_stopped(key.name):
                self._executor.cancel({key: ""})

    def _begin_again(self, kept: Kept) -> None:
        """Hand over what never began, if somebody still waits for it."""
        key = kept.order.job.key
        if not kept.same_boot:
            # The end of the machine may have cost the executor's memory of its start.
            message = "the machine was started anew after the job had been taken"
            end = Ended(key.task, key.attempt, time.time(), Cause.LOST, message=message)
            self._hear([RunReport(key.run, end)])
        else:
            self.post(kept.order)

    # -- orders -----------------------------------------------------------------------

    def _take_orders(self) -> None:
        orders: list[Order] = []
        stopped: dict[JobKey, str] = {}
        with contextlib.suppress(queue.Empty):
            while True:
                match self._inbox.get_nowait():
                    case Cancel(key=key):
                        stopped[key] = ""
                    case order:
                        orders.append(order)
        self._submit(orders)
        if stopped:
            self._executor.cancel(stopped)

    def _submit(self, orders: Sequence[Order]) -> None:
        leases = {}
        for order in orders:
            key = order.job.key
            left_s = self._book.remaining_s(key.name)
            if left_s > 0:
                leases[key] = left_s
                if self._book.is_stopped(key.name):  # before it was here
                    self.post(Cancel(key))
            else:
                # Who ordered it has given it up by now, and may run it elsewhere.
                self._over(key, None, time.time())
        jobs = [order.job for order in orders if order.job.key in leases]
        if jobs:
            self._hear(self._executor.submit(jobs, leases))

    # -- what is heard ----------------------------------------------------------------

    def _hear(self, reports: Sequence[RunReport]) -> None:
        for run, report in reports:
            key = JobKey(run, report.task, report.attempt)
            match report:
                case Started(at=at, job_id=job_id):
                    self._book.started(key, at, job_id)
                    self._known.setdefault(key.name, set())
                case Ended(at=at):
                    self._over(key, report, at)
                case Returned(at=at):
                    self._over(key, None, at)

    def _over(self, key: JobKey, end: Ended | None, at: float) -> None:
        """Write the end down; then tell it; then let the executor forget it."""
        told = self._book.last_word(key, end, at, self._host)
        if told is None:
            return
        self._known.pop(key.name, None)
        try:
            self._spool.write_end(told)
        except OSError as error:
            # The executor remembers it still, for the next daemon.
            log.warning("the end of %s cannot be kept: %s", key.name, error)
        else:
            self._executor.forget([key])
        self._book.over(told)

    # -- leases, memory, old ends -----------------------------------------------------

    def _renew(self) -> None:
        """Tell the keepers for how long jobs may live whose owners were heard."""
        now = time.monotonic()
        if not self._book.heard_anew or now < self._renew_at:
            return
        leases = self._book.leases()
        self._executor.renew(leases)
        shortest = min((each.lease_s for each in self._book.living()), default=RENEW_S)
        self._renew_at = now + min(RENEW_S, shortest / 10)

    def _look(self) -> None:
        """See how much memory each job takes, and stop the one that takes too much."""
        begun = time.monotonic()
        if not self._known or begun < self._look_at:
            return
        running = {each.key.name: each for each in self._book.living() if each.pid}
        leaders = {name: each.pid for name, each in running.items()}
        found = families(all_processes(), leaders, self._known)
        self._known = {
            name: {(each.pid, each.started) for each in members} for name, members in found.items()
        }
        self._book.seen(
            {name: sum(each.rss_bytes for each in members) for name, members in found.items()}
        )
        if self._enforce:
            self._suspects.keep(found)
            for name, members in found.items():
                limit_bytes = running[name].needs.get("memory_mb", 0) * MB
                if limit_bytes:
                    taken = self._suspects.over_limit(name, members, limit_bytes)
                    if taken:
                        self._stop_hog(running[name], taken)
                        # Parents first: none shall hear of the end of its child.
                        for each in sorted(members, key=lambda process: process.started):
                            send(each, signal.SIGKILL)
        self._look_at = time.monotonic() + next_look_s(begun)

    def _stop_hog(self, record: Record, taken_bytes: int) -> None:
        limit = record.needs["memory_mb"]
        message = f"it took {in_mb(taken_bytes)} of memory and had asked for {limit} MB"
        stop = Stop(Cause.OUT_OF_MEMORY, message)
        if self._book.stop(record.key.name, stop):
            with contextlib.suppress(OSError):
                self._spool.write_stop(record.key.name, stop)
        self._executor.cancel({record.key: ""})

    def _sweep(self) -> None:
        """Remove what nobody has asked for in a long while."""
        now = time.monotonic()
        if now < self._sweep_at:
            return
        for name in self._book.forget(self._book.older_than(time.time() - KEPT_S)):
            self._spool.remove(name)
        self._sweep_at = now + SWEEP_S
