"""The line to one runner: two threads that speak with it, so that nobody else waits for it.

One thread listens: a single question, again and again, brings all changes of all jobs. The
other talks: it hands jobs over, stops them, acknowledges their ends, fetches output. What
they learn is told to the executor as `News`; what becomes of a job is decided there.

A runner that does not answer is asked in ways that prolong no lease (`capacity`) until it
does. So the time of its last other question, `asked_at`, says until when its jobs can live.
"""

from __future__ import annotations

import functools
import logging
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Iterable, Sequence
from typing import Final, TypeVar

from segue.executors import runner_output
from segue.executors.runner_client import RunnerClient, RunnerRefusedError, RunnerSilentError
from segue.executors.runner_journal import Journal, Note
from segue.executors.runner_news import (
    Acknowledged,
    Failed,
    Fetched,
    Given,
    Heard,
    News,
    NotGiven,
    Silent,
    Unknown,
)
from segue.executors.runner_output import Wanted
from segue.model.states import Cause
from segue.protocols.runner import ENDED, RETURNED, Capacity, Changes, Order

log = logging.getLogger("segue.runner")

#: A question for changes is let wait for so long at the runner, in seconds.
WAIT_S: Final = 5.0
#: All jobs are listed so often: how much they have printed by now, and whether one is gone.
LIST_S: Final = 3.0
#: A runner that is silent is asked again after so long, at first and at last.
ASK_AGAIN_S: Final = 0.2
RARELY_S: Final = 10.0
#: A runner that answers at once and says nothing is not asked without a pause, in seconds.
PAUSE_S: Final = 0.02
#: So many jobs are written down together, and so many ends acknowledged.
_TOGETHER: Final = 64
_ACKS_TOGETHER: Final = 100
#: What is still to be acknowledged when we leave may take so long, in seconds.
_LEAVE_S: Final = 2.0

_Value = TypeVar("_Value")


class RunnerLink:
    """One runner; `tell` takes its news, in any thread.

    With `retired` it is not in the pool any more: it keeps what it has.
    """

    def __init__(
        self,
        client: RunnerClient,
        journal: Journal,
        owner: str,
        tell: Callable[[RunnerLink, News], None],
        *,
        retired: bool = False,
    ) -> None:
        self.url = client.url
        self.retired = retired
        #: What it said last of itself.
        self.capacity: Capacity | None = None
        #: When it was last asked something that prolongs leases, by the monotonic clock.
        self.asked_at = time.monotonic()
        #: When it last answered.
        self.answered_at = self.asked_at
        self._client = client
        self._journal = journal
        self._owner = owner
        self._tell = functools.partial(tell, self)
        self._troubles: dict[str, str] = {}
        self._said = ""
        self._change = threading.Condition()
        self._closing = False
        self._leave_at = 0.0
        #: To be said, each by the name of its job.
        self._orders: OrderedDict[str, Order] = OrderedDict()
        self._unanswered: OrderedDict[str, Order] = OrderedDict()
        self._stops: OrderedDict[str, None] = OrderedDict()
        self._fetches: OrderedDict[str, Wanted] = OrderedDict()
        self._acks: OrderedDict[str, None] = OrderedDict()
        #: Jobs that the runner must know: missed when it does not list them.
        self._expected: set[str] = set()
        self._threads = [
            threading.Thread(target=work, name=f"{what} {self.url}", daemon=True)
            for work, what in ((self._listen, "listen to"), (self._talk, "talk to"))
        ]
        for each in self._threads:
            each.start()

    # What the executor asks for; none of it waits -----------------------------------------

    @property
    def reachable(self) -> bool:
        """Whether it answers."""
        return self.capacity is not None and not self._troubles

    @property
    def said(self) -> str:
        """What went wrong with it last; empty while it answers."""
        return self._said if self._troubles else ""

    def give(self, order: Order) -> None:
        """Hand a job over; `Given`, `NotGiven` or `Failed` says what came of it."""
        with self._change:
            self._orders[order.job.key.name] = order
            self._change.notify_all()

    def withdraw(self, names: Iterable[str]) -> list[str]:
        """Take back those that have not been handed over, and return them."""
        with self._change:
            return [name for name in names if self._orders.pop(name, None) is not None]

    def expect(self, name: str) -> None:
        """The runner should know this job."""
        with self._change:
            self._expected.add(name)

    def stop(self, name: str) -> None:
        """Ask for the end of a job."""
        with self._change:
            self._stops[name] = None
            self._change.notify_all()

    def fetch(self, wanted: Wanted) -> None:
        """Fetch what is missing of a job's output; at the end of a final one tell `Fetched`."""
        with self._change:
            self._fetches[wanted.name] = wanted
            self._change.notify_all()

    def acknowledge(self, names: Iterable[str]) -> None:
        """Let the runner forget these jobs, now or when it answers again."""
        with self._change:
            for name in names:
                self._drop(name)
                self._acks[name] = None
            self._change.notify_all()

    def drop(self, name: str) -> None:
        """Nobody wants to know more of this job."""
        with self._change:
            self._drop(name)

    def leave(self) -> None:
        """Begin to hang up: say what is left to be acknowledged, and nothing else."""
        with self._change:
            self._closing = True
            self._leave_at = time.monotonic() + _LEAVE_S
            self._change.notify_all()

    def close(self) -> None:
        """Hang up, after `leave`; who is calling a machine that is not there is waited for."""
        self._threads[1].join(max(0.0, self._leave_at - time.monotonic()))
        self._client.interrupt()
        for each in self._threads:
            each.join()
        self._client.close()

    def find(self, names: Sequence[str]) -> Changes | None:
        """Ask, now and here, what the runner knows of these jobs; None: it does not answer."""
        if self._troubles:
            return None
        try:
            return self._asking(lambda: self._client.find(self._owner, names))
        except (RunnerSilentError, RunnerRefusedError) as error:
            log.warning("the runner %s cannot be asked for jobs: %s", self.url, error)
            return None

    def _drop(self, name: str) -> None:
        self._orders.pop(name, None)
        self._unanswered.pop(name, None)
        self._stops.pop(name, None)
        self._fetches.pop(name, None)
        self._expected.discard(name)

    # The thread that listens --------------------------------------------------------------

    def _listen(self) -> None:
        after, boot_id, listed_at = 0, "", 0.0
        while not self._closing:
            listing = not boot_id or (
                bool(self._expected) and time.monotonic() > listed_at + LIST_S
            )
            try:
                changes, missed = self._ask_for_changes(0 if listing else after, listing)
            except Exception as error:
                boot_id = ""  # whatever has happened meanwhile: begin anew
                self._wait_for_answer("listen", error)
                continue
            self._answered("listen", changes.capacity)
            self._hear(changes, missed, listing)
            if not listing and not changes.tasks:
                self._sleep(PAUSE_S)
            anew = changes.capacity.boot_id != boot_id and not listing
            after, boot_id = changes.number, "" if anew else changes.capacity.boot_id
            if listing:
                listed_at = time.monotonic()

    def _ask_for_changes(self, after: int, listing: bool) -> tuple[Changes, list[str]]:
        """Return the changes and, of a listing, jobs that are missing there and everywhere."""
        with self._change:
            expected = set(self._expected) if listing else set()
        wait_s = 0.0 if listing else min(WAIT_S, LIST_S) if self._expected else WAIT_S
        changes = self._asking(lambda: self._client.changes(self._owner, after, wait_s))
        missing = expected - {told.name for told in changes.tasks}
        return changes, [name for name in sorted(missing) if self._client.told(name) is None]

    def _hear(self, changes: Changes, missed: Iterable[str], listing: bool) -> None:
        with self._change:
            for told in changes.tasks:
                if told.state in (ENDED, RETURNED):
                    self._expected.discard(told.name)
            gone = [name for name in missed if name in self._expected]
            self._expected.difference_update(gone)
        self._tell(Heard(changes, listing))
        for name in gone:
            self._tell(Unknown(name))

    # The thread that talks ----------------------------------------------------------------

    def _talk(self) -> None:
        while (step := self._next_step()) is not None:
            try:
                step()
                self._answered("talk")
            except Exception as error:
                self._give_back_orders()
                if self._wait_for_answer("talk", error):
                    self._answered("talk")

    def _next_step(self) -> Callable[[], None] | None:
        """Wait for something to do, and return it; None: nothing more."""
        with self._change:
            while True:
                may_stay = not self._troubles and time.monotonic() < self._leave_at
                if self._closing and not (self._acks and may_stay):
                    return None
                if self._acks:
                    return self._send_acks
                if self._unanswered:
                    return functools.partial(self._put, next(iter(self._unanswered.values())))
                if self._orders:
                    return self._send_orders
                if self._stops:
                    return functools.partial(self._send_stop, next(iter(self._stops)))
                if self._fetches:
                    return functools.partial(self._fetch_piece, next(iter(self._fetches.values())))
                self._change.wait()

    def _send_acks(self) -> None:
        with self._change:
            names = tuple(self._acks)[:_ACKS_TOGETHER]
        self._client.acknowledge(names)
        with self._change:
            for name in names:
                self._acks.pop(name, None)
        self._tell(Acknowledged(names))

    def _send_orders(self) -> None:
        """Write down and hand over the next few; a name is told of once, whatever happens."""
        with self._change:
            count = min(_TOGETHER, len(self._orders))
            taken = [self._orders.popitem(last=False)[1] for _ in range(count)]
        ready = [order for order in taken if self._begin_output(order)]
        try:
            self._journal.give({order.job.key.name: _note(self.url, order) for order in ready})
        except OSError as error:
            for order in ready:
                text = f"what is handed over cannot be written down: {error.strerror}"
                self._tell(Failed(order.job.key.name, Cause.UNREACHABLE, text))
            return
        for at, order in enumerate(ready):
            try:
                self._put(order)
            except (RunnerSilentError, RunnerRefusedError):
                for other in ready[at + 1 :]:
                    self._tell(NotGiven(other.job.key.name))
                raise

    def _begin_output(self, order: Order) -> bool:
        folder = order.job.folder
        try:
            runner_output.begin(folder)
        except (OSError, ValueError) as error:
            cause = runner_output.cause_of(error) if isinstance(error, OSError) else Cause.REFUSED
            reason = error.strerror if isinstance(error, OSError) else str(error)
            text = f"cannot make the attempt's folder {folder}: {reason}"
            self._tell(Failed(order.job.key.name, cause, text))
            return False
        return True

    def _put(self, order: Order) -> None:
        """Hand a job over. Where no answer comes, it is said again, to this runner alone."""
        name = order.job.key.name
        with self._change:
            again = name in self._unanswered
            self._unanswered[name] = order
        try:
            self._asking(lambda: self._client.put(order))
        except (RunnerSilentError, RunnerRefusedError) as error:
            if _may_have_come(error, again):
                raise
            with self._change:
                self._unanswered.pop(name, None)
            self._tell(_refused(name, error, self.url))
            if _is_about_job(error):
                return
            raise
        with self._change:
            if self._unanswered.pop(name, None) is not None:  # it may have been dropped meanwhile
                self._expected.add(name)
        self._tell(Given(name))

    def _give_back_orders(self) -> None:
        """Let others have what this runner has not been offered."""
        with self._change:
            names = list(self._orders)
            self._orders.clear()
        for name in names:
            self._tell(NotGiven(name))

    def _send_stop(self, name: str) -> None:
        self._client.stop(name)
        with self._change:
            self._stops.pop(name, None)

    def _fetch_piece(self, wanted: Wanted) -> None:
        """Fetch the next piece of a job's output; then it is another job's turn."""
        missing = next(wanted.missing(), None)
        trouble = self._fetch_from(wanted, *missing) if missing else ""
        with self._change:
            current = self._fetches.get(wanted.name)
            done = missing is None or bool(trouble)
            if current is wanted and done:
                del self._fetches[wanted.name]
            elif current is not None:
                self._fetches.move_to_end(wanted.name)
        if done and current is wanted and wanted.final:
            self._tell(Fetched(wanted.name, trouble))

    def _fetch_from(self, wanted: Wanted, stream: str, here: int, size: int) -> str:
        """Fetch one piece; return why the rest cannot be had, or nothing."""
        limit = min(runner_output.PIECE_BYTES, size - here)
        try:
            data = self._client.output(wanted.name, stream, here, limit)
        except RunnerRefusedError as error:
            if _is_about_job(error) or error.status == 404:
                return f"{stream} cannot be had from {self.url}: {error}"
            raise
        if not data:
            return f"{stream} ends at byte {here} of {size} on {self.url}"
        try:
            runner_output.write(f"{wanted.folder}/{stream}", here, data)
        except OSError as error:
            return f"{stream} cannot be written: {error.strerror}"
        return ""

    # Both ---------------------------------------------------------------------------------

    def _asking(self, ask: Callable[[], _Value]) -> _Value:
        """Ask what prolongs leases, and remember when that was, unless it was never heard."""
        try:
            answer = ask()
        except RunnerSilentError as error:
            if error.sent:
                self.asked_at = time.monotonic()
            raise
        except RunnerRefusedError:
            self.asked_at = time.monotonic()
            raise
        self.asked_at = time.monotonic()
        return answer

    def _answered(self, who: str, capacity: Capacity | None = None) -> None:
        self.answered_at = time.monotonic()
        if capacity is not None:
            self.capacity = capacity
        with self._change:
            was_silent = self._troubles.pop(who, "")
            all_well = not self._troubles
        if was_silent and all_well:
            log.warning("the runner %s answers again", self.url)

    def _fell_silent(self, who: str, error: Exception) -> None:
        with self._change:
            first = not self._troubles and not self._closing
            self._said = str(error)
            self._troubles[who] = str(error)
        if first:
            log.warning("the runner %s cannot be asked: %s", self.url, error)
        self._tell(Silent())

    def _wait_for_answer(self, who: str, error: Exception) -> bool:
        """Ask more and more rarely until the runner answers; False: we leave before that."""
        pause_s = ASK_AGAIN_S
        if not isinstance(error, RunnerSilentError | RunnerRefusedError):
            # A fault of ours must not end this thread: nobody would notice.
            log.exception("speaking to %s failed", self.url)
        self._fell_silent(who, error)
        while not self._sleep(pause_s):
            if who == "talk":
                self._give_back_orders()
            try:
                self._client.capacity()
            except (RunnerSilentError, RunnerRefusedError) as silence:
                self._fell_silent(who, silence)
            else:
                return True
            pause_s = min(pause_s * 1.5, RARELY_S)
        return False

    def _sleep(self, seconds: float) -> bool:
        """Wait; return True at once when we leave."""
        until = time.monotonic() + seconds
        with self._change:
            while not self._closing and (left := until - time.monotonic()) > 0:
                self._change.wait(left)
            return self._closing


def _note(url: str, order: Order) -> Note:
    return Note(url, order.job.folder, dict(order.needs), order.lease_s, time.time())


def _is_about_job(error: RunnerSilentError | RunnerRefusedError) -> bool:
    """Tell whether the runner refused this job or any now, and not us."""
    about_job = (400, 409, 413, 422, 503)
    return isinstance(error, RunnerRefusedError) and error.status in about_job


def _may_have_come(error: RunnerSilentError | RunnerRefusedError, again: bool) -> bool:
    """Tell whether the runner may have the job, for all that it says.

    Whoever is not let in hears nothing of what has come before, when the token was another.
    """
    if isinstance(error, RunnerSilentError):
        return error.sent or again
    return not _is_about_job(error) and (again or error.status >= 500)


def _refused(name: str, error: RunnerSilentError | RunnerRefusedError, url: str) -> News:
    if isinstance(error, RunnerSilentError) or not _is_about_job(error):
        return NotGiven(name)
    if error.status in (409, 503) or error.code == "too_large":
        # Too large for this one, which may have shrunk: the line knows about all of them.
        return NotGiven(name, full=True)
    return Failed(name, Cause.REFUSED, f"the runner {url} refused it: {error}")
