"""The books of a runner: whose job is in which state, and what is still free.

Any thread may ask; a lock keeps it whole. Nothing here touches a disk or a process.
"""

from __future__ import annotations

import hashlib
import json
import threading
from collections import Counter, OrderedDict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Final

from segue.model.definition import action_to_json
from segue.model.events import Ended, Usage
from segue.model.states import Cause
from segue.protocols.executor import JobKey
from segue.protocols.runner import ENDED, RETURNED, RUNNING, TAKEN, Amounts, Order, Told, fits
from segue.runner.spool import Stop, now_s

#: So many names of jobs that were forgotten are known still: an order for one of them
#: is an echo that was long on its way.
FORGOTTEN_KEPT: Final = 10_000
#: Ends by which a job that was stopped for its memory can show it.
_STOPPED: Final = frozenset({Cause.CANCELLED, Cause.SIGNAL, Cause.EXIT_CODE})


class RefusedOrder(Exception):  # noqa: N818 - it is an answer, and no error of ours
    """An order that is not taken; `code` is a stable word for programs."""

    def __init__(self, code: str, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.hint = hint


@dataclass(slots=True)
class Record:
    """A job, and what has become of it.

    `taken_at` is in seconds since the start of the machine, `at` and `started_at` are times
    of the day. `pid` is that of its first process, once it is known.
    """

    key: JobKey
    owner: str
    lease_s: float
    needs: Amounts
    likeness: str
    taken_at: float
    at: float
    number: int = 0
    state: str = TAKEN
    job_id: str = ""
    pid: int = 0
    started_at: float | None = None
    peak_rss_bytes: int = 0
    stop: Stop | None = None
    end: Ended | None = None

    @property
    def over(self) -> bool:
        """Whether it takes nothing any more."""
        return self.state in (ENDED, RETURNED)

    def told(self) -> Told:
        """Return what is told of it, without the sizes of its output."""
        return Told(
            self.key.name,
            self.number,
            self.state,
            self.at,
            self.job_id,
            self.started_at,
            end=self.end,
        )


def record_of(order: Order, at: float, taken_at: float) -> Record:
    """Return the record of an order that was taken."""
    return Record(
        order.job.key, order.owner, order.lease_s, order.needs, likeness_of(order), taken_at, at
    )


def likeness_of(order: Order) -> str:
    """Return what is equal for two orders of one job, and not for those of two jobs.

    Two stores may call jobs by one name; the environment may differ from engine to engine.
    """
    said = json.dumps([action_to_json(order.job.action), order.job.workdir])
    return hashlib.sha256(said.encode()).hexdigest()


class Book:
    """All records of a runner, the last that changed at the end."""

    def __init__(self, total: Amounts, clock: Callable[[], float] = now_s) -> None:
        self.total = total
        self._clock = clock
        self._lock = threading.RLock()
        self._stored = threading.Condition(self._lock)
        self._records: OrderedDict[str, Record] = OrderedDict()
        self._living: dict[str, Record] = {}
        #: Names whose orders are being written to the disk.
        self._storing: set[str] = set()
        self._forgotten: OrderedDict[str, None] = OrderedDict()
        self._used: Counter[str] = Counter()
        self._number = 0
        self._freed = 0
        #: When each owner was heard last, in seconds since the start of the machine.
        self._heard: dict[str, float] = {}
        self._newly_heard: set[str] = set()

    # -- what is asked ----------------------------------------------------------------

    @property
    def number(self) -> int:
        """The number of the last change."""
        return self._number

    @property
    def freed(self) -> int:
        """The number of the last change by which something has become free."""
        return self._freed

    def free(self) -> Amounts:
        """Return what nobody has."""
        with self._lock:
            return {name: max(0, amount - self._used[name]) for name, amount in self.total.items()}

    def living(self) -> list[Record]:
        """Return the records of jobs that have not ended."""
        with self._lock:
            return list(self._living.values())

    @property
    def running(self) -> int:
        """How many jobs have not ended."""
        return len(self._living)

    def told(self, name: str) -> Told | None:
        """Return what is told of one job."""
        with self._lock:
            record = self._records.get(name)
            return record.told() if record else None

    def changes(self, owner: str, after: int) -> tuple[int, list[Told]]:
        """Return the number of the last change, and what of the owner's has changed since."""
        with self._lock:
            if after > self._number:  # of an earlier life of this runner
                after = 0
            found = []
            for record in reversed(self._records.values()):
                if record.number <= after:
                    break
                if record.owner == owner:
                    found.append(record.told())
            return self._number, found[::-1]

    # -- owners -----------------------------------------------------------------------

    def hear(self, owner: str) -> None:
        """The owner has just asked for its jobs."""
        with self._lock:
            if not any(record.owner == owner for record in self._living.values()):
                return  # whoever that is: strangers leave nothing here
            self._heard[owner] = self._clock()
            self._newly_heard.add(owner)

    def shortest_lease_s(self, owner: str) -> float | None:
        """Return the shortest lease among the living jobs of an owner."""
        with self._lock:
            mine = [each.lease_s for each in self.living() if each.owner == owner]
        return min(mine, default=None)

    def own(self, owner: str, names: Iterable[str]) -> tuple[list[str], list[Told]]:
        """Give jobs to the owner; return those that were another's, and what is told of all."""
        moved, found = [], []
        with self._lock:
            for name in dict.fromkeys(names):
                record = self._records.get(name)
                if record is None:
                    continue
                if record.owner != owner:
                    record.owner = owner
                    moved.append(name)
                found.append(record.told())
        return moved, found

    def leases(self) -> dict[JobKey, float]:
        """Return for how many seconds living jobs may live on, of owners heard since last time."""
        now = self._clock()
        with self._lock:
            heard, self._newly_heard = self._newly_heard, set()
            return {
                record.key: max(0.0, self._lease_end(record) - now)
                for record in self.living()
                if record.owner in heard
            }

    @property
    def heard_anew(self) -> bool:
        """Whether an owner was heard since `leases` was asked for last."""
        return bool(self._newly_heard)

    def remaining_s(self, name: str) -> float:
        """Return for how many seconds a job may live on if its owner is not heard again."""
        with self._lock:
            return self._lease_end(self._records[name]) - self._clock()

    def _lease_end(self, record: Record) -> float:
        heard = self._heard.get(record.owner, record.taken_at)
        return max(heard, record.taken_at) + record.lease_s

    # -- what becomes of the jobs -----------------------------------------------------

    def reserve(self, order: Order, *, closing: bool = False) -> bool:
        """Take an order, to be followed by `stored` or `give_up`; False: it is known already.

        Raises
        ------
        RefusedOrder
            If there is no room, or never will be, or if the name is another job's; when
            `closing`, whatever is new.
        """
        name = order.job.key.name
        with self._lock:
            while name in self._storing:
                self._stored.wait()
            known = self._records.get(name)
            if known and known.state != RETURNED:
                _check_likeness(known, order)
                return False
            if name in self._forgotten:
                raise RefusedOrder("bad_job", f"{name} has ended, and its end was acknowledged")
            if closing:  # not before: "stopping" means that the job is not here
                raise RefusedOrder("stopping", "this runner is being stopped", "try another one")
            self._check_room(order.needs)
            self._storing.add(name)
            self._used.update(order.needs)
            return True

    def stored(self, order: Order, at: float) -> None:
        """The order that was taken is on the disk."""
        with self._lock:
            record = record_of(order, at, self._clock())
            self._change(record)
            self._storing.discard(order.job.key.name)
            self._stored.notify_all()

    def give_up(self, order: Order) -> None:
        """The order that was taken cannot be kept."""
        with self._lock:
            self._used.subtract(order.needs)
            self._storing.discard(order.job.key.name)
            self._stored.notify_all()

    def restore(self, record: Record) -> None:
        """Take over a record of an earlier life."""
        with self._lock:
            if not record.over:
                self._used.update(record.needs)
            self._change(record)

    def stop(self, name: str, stop: Stop) -> Record | None:
        """Remember why a living job is being stopped; None: there is none, or it is already."""
        with self._lock:
            record = self._records.get(name)
            if record is None or record.over or record.stop:
                return None
            record.stop = stop
            return record

    def is_stopped(self, name: str) -> bool:
        """Tell whether somebody wants the job to end."""
        with self._lock:
            record = self._records.get(name)
            return record is not None and record.stop is not None

    def started(self, key: JobKey, at: float, job_id: str) -> None:
        """The job runs."""
        with self._lock:
            record = self._records.get(key.name)
            if record is None or record.state != TAKEN:
                return
            record.state, record.at, record.started_at = RUNNING, at, at
            record.job_id = job_id
            record.pid = int(job_id.rpartition(":")[2] or 0)
            self._change(record)

    def seen(self, peaks: Mapping[str, int]) -> None:
        """Remember how much memory jobs took with all their processes."""
        with self._lock:
            for name, rss_bytes in peaks.items():
                record = self._records.get(name)
                if record:
                    record.peak_rss_bytes = max(record.peak_rss_bytes, rss_bytes)

    def last_word(self, key: JobKey, end: Ended | None, at: float, host: str) -> Told | None:
        """Return what will be told of a job that is over; None: it was over before.

        Without an end it never began.
        """
        with self._lock:
            record = self._records.get(key.name)
            if record is None or record.over:
                return None
            if end is None:
                return Told(key.name, 0, RETURNED, at)
            end = _as_it_was(record, end, host)
            started_at = end.started_at or record.started_at
            job_id = end.job_id or record.job_id
            return Told(key.name, 0, ENDED, end.at, job_id, started_at, end=end)

    def over(self, told: Told) -> None:
        """The job is over, as was said by `last_word`."""
        with self._lock:
            record = self._records[told.name]
            self._used.subtract(record.needs)
            record.state, record.at, record.end = told.state, told.at, told.end
            record.job_id, record.started_at = told.job_id, told.started_at
            self._change(record)
            self._freed = self._number

    def forget(self, names: Iterable[str]) -> list[str]:
        """Drop jobs that are over; return those that were."""
        gone = []
        with self._lock:
            for name in names:
                record = self._records.get(name)
                if record is None or not record.over:
                    continue
                del self._records[name]
                gone.append(name)
                if record.state == ENDED:
                    self._forgotten[name] = None
            while len(self._forgotten) > FORGOTTEN_KEPT:
                self._forgotten.popitem(last=False)
            owners = {each.owner for each in self._records.values()}
            self._heard = {name: at for name, at in self._heard.items() if name in owners}
        return gone

    def older_than(self, at: float) -> list[str]:
        """Return the jobs that were over before that time of the day."""
        with self._lock:
            return [name for name, each in self._records.items() if each.over and each.at < at]

    def _change(self, record: Record) -> None:
        self._number += 1
        record.number = self._number
        if record.over:
            self._living.pop(record.key.name, None)
        else:
            self._living[record.key.name] = record
        self._records[record.key.name] = record
        self._records.move_to_end(record.key.name)

    def _check_room(self, needs: Amounts) -> None:
        for name, amount in needs.items():
            if amount > self.total.get(name, 0):
                has = ", ".join(f"{each} {self.total[each]}" for each in self.total)
                raise RefusedOrder(
                    "too_large", f"it needs {name} {amount}, and there is never so much here",
                    f"this runner has {has}",
                )  # fmt: skip
        if not fits(needs, self.free()):
            raise RefusedOrder(
                "insufficient_capacity",
                "there is no room for it now",
                "hand it over again when something has ended",
            )


def _check_likeness(known: Record, order: Order) -> None:
    if known.likeness != likeness_of(order):
        raise RefusedOrder(
            "bad_job",
            f"{order.job.key.name} is the name of another job here",
            "two stores must not use one name for their runs",
        )


def _as_it_was(record: Record, end: Ended, host: str) -> Ended:
    """Return the end in the runner's words: it knows more than who has run the job."""
    cause, message = end.cause, end.message
    if record.stop and record.stop.cause is Cause.OUT_OF_MEMORY and cause in _STOPPED:
        cause, message = record.stop.cause, record.stop.message
    elif cause in (Cause.REFUSED, Cause.UNREACHABLE):
        message = f"on {host}: {message}"
    peak = max(end.usage.peak_rss_bytes or 0, record.peak_rss_bytes) or None
    return end._replace(cause=cause, message=message, usage=Usage(end.usage.cpu_s, peak))


def sized(told: Told, sizes: tuple[int, int]) -> Told:
    """Return what is told of a job with how much it has printed."""
    return replace(told, stdout_bytes=sizes[0], stderr_bytes=sizes[1])
