"""What can be asked of a runner; HTTP stands before it."""

from __future__ import annotations

import os
import secrets
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, Final

from segue import __version__
from segue.model.states import Cause
from segue.protocols.executor import JobKey
from segue.protocols.runner import Amounts, Capacity, Changes, Order, Told
from segue.runner.book import Book, RefusedOrder, sized
from segue.runner.labour import GRACE_S, Cancel, Labour
from segue.runner.spool import Spool, Stop

#: The name of a job may be so long.
NAME_LENGTH: Final = 500


def job_key(name: str) -> JobKey:
    """Return the key of a job that a stranger has named.

    Raises
    ------
    RefusedOrder
        If no job can have that name.

    Examples
    --------
    >>> job_key("build-x7k2.3.1").task
    3
    """
    try:
        key = JobKey.of(name) if len(name) <= NAME_LENGTH else None
    except ValueError:
        key = None
    # Numbers have more than one spelling, and a name shall have one.
    if key is None or key.name != name or not key.run or min(key.task, key.attempt) < 0:
        shown = name if len(name) <= 60 else name[:60] + "..."
        raise RefusedOrder(
            "bad_job", f"{shown!r} is no name of a job", "it reads RUN.TASK.ATTEMPT, as run-1.0.1"
        )
    return key


class Runner:
    """A runner on its spool; `on_news` is called from a thread when a job has changed."""

    def __init__(
        self,
        root: Path,
        total: Amounts,
        on_news: Callable[[], None],
        *,
        enforce: bool = True,
        grace_s: float = GRACE_S,
    ) -> None:
        self._spool = Spool(root)
        self.book = Book(total)
        self._labour = Labour(self.book, self._spool, on_news, enforce=enforce, grace_s=grace_s)
        self._enforce = enforce
        self._boot_id = secrets.token_hex(8)
        self._host = os.uname().nodename
        #: Takes nothing more: it is about to end.
        self.closing = False

    def start(self) -> None:
        """Begin to work."""
        self._labour.start()

    def close(self) -> None:
        """Let go; the jobs go on."""
        self._labour.stop()
        self._spool.close()

    def capacity(self) -> Capacity:
        """Return what there is, and what of it is free."""
        return Capacity(
            self.book.total,
            self.book.free(),
            self._host,
            self._boot_id,
            __version__,
            self._enforce,
            self.book.running,
        )

    def take(self, name: str, body: Any) -> bool:
        """Take a job; False: it is here already.

        Raises
        ------
        RefusedOrder
            If it is not taken, and why.
        """
        order = self._order(name, body)
        if not self.book.reserve(order, closing=self.closing):
            self._own(order.owner, [name])
            self.hear(order.owner)
            return False
        now = time.time()
        try:
            self._spool.write_order(order, now)
        except OSError as error:
            self.book.give_up(order)
            raise RefusedOrder(
                "cannot_store",
                f"the spool cannot be written: {error.strerror}",
                f"make room on {self._host}, or try another runner",
            ) from error
        self.book.stored(order, now)
        self._labour.post(order)
        return True

    def hear(self, owner: str) -> None:
        """The owner asks for its jobs: they live on."""
        self.book.hear(owner)
        self._labour.wake()

    def changes(self, owner: str, after: int) -> Changes:
        """Return what has changed of the owner's jobs since the number."""
        number, tasks = self.book.changes(owner, after)
        return Changes(self.capacity(), number, tuple(map(self._sized, tasks)))

    def find(self, owner: str, names: Iterable[str]) -> Changes:
        """Return what is known of these jobs, which are the owner's from now on."""
        number = self.book.number
        found = self._own(owner, names)
        self.hear(owner)
        return Changes(self.capacity(), number, tuple(map(self._sized, found)))

    def told(self, name: str) -> Told | None:
        """Return what is told of a job; None: there is none of that name."""
        told = self.book.told(name)
        return self._sized(told) if told else None

    def output(self, name: str, stream: str) -> str | None:
        """Return the path of a job's stdout or stderr; None: there is no such job."""
        return str(self._spool.attempt_of(name) / stream) if self.book.told(name) else None

    def stop(self, name: str) -> bool:
        """Stop a job with all that it started; False: there is none of that name."""
        if self.book.told(name) is None:
            return False
        stop = Stop(Cause.CANCELLED)
        if self.book.stop(name, stop):
            self._spool.write_stop(name, stop)
        self._labour.post(Cancel(job_key(name)))
        return True

    def forget(self, names: Iterable[str]) -> int:
        """Forget jobs that are over, with their output; return how many they were."""
        gone = self.book.forget(names)
        for name in gone:
            self._spool.remove(name)
        return len(gone)

    def _order(self, name: str, body: Any) -> Order:
        key = job_key(name)
        try:
            order = Order.from_json(key, str(self._spool.attempt_of(name)), body)
        except (ValueError, RecursionError) as error:
            raise RefusedOrder("bad_job", f"this is no order: {error}") from error
        if not os.path.isabs(order.job.workdir):
            raise RefusedOrder(
                "bad_job", "workdir is no absolute path", "say where on this runner it lies"
            )
        return order

    def _own(self, owner: str, names: Iterable[str]) -> list[Told]:
        moved, found = self.book.own(owner, names)
        for name in moved:
            self._spool.write_owner(name, owner)
        return found

    def _sized(self, told: Told) -> Told:
        return sized(told, self._spool.sizes(told.name))
