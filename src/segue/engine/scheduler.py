"""The loop: take events, decide, commit, then act. The only writer of states.

One turn takes everything that has come in, lets `decide` judge it event by event,
writes all that follows in one transaction, and only then touches the outside. When
the store cannot be written, nothing is acted upon: what is decided stays here and is
written when the store can be written again.
"""

from __future__ import annotations

import logging
import select
from collections import deque
from collections.abc import Callable, Mapping
from typing import Final, NamedTuple

from segue.engine import transcript
from segue.engine.commands import CommandKind, command_events, describe
from segue.engine.decide import admit, decide, first_look
from segue.engine.dispatch import Dispatch, RunEvent
from segue.engine.doorbell import Doorbell
from segue.engine.live_run import NO_DECISION, Decision, Deed, LiveRun
from segue.engine.reuse import reused
from segue.model.errors import ExecutorError, LeaseLostError, StoreError, shorten
from segue.model.events import ClockSetBack, Ended
from segue.model.run import Lease, RunRecord
from segue.model.states import FINAL_RUN, Cause
from segue.protocols.clock import Clock
from segue.protocols.store import Commit, RingingStore, Store, StoredCommand

log = logging.getLogger("segue.scheduler")

#: A lease is in force so long, and is renewed after a third of it.
LEASE_S: Final = 12.0
#: While executors have work in hand, what happens in so many milliseconds is committed
#: together.
GATHER_MS: Final = 4
#: Pause before a store that could not be written is tried again.
STORE_RETRY_S: Final = 2.0
#: Attempts that could not be started are spoken of no more often than this.
SPOILT_AGAIN_S: Final = 5.0
#: Pause before an executor that could not say what became of jobs is asked again.
ASK_AGAIN_S: Final = 5.0


class Turn(NamedTuple):
    """What a turn of the loop did, for whoever watches."""

    changed: Mapping[str, Commit]
    ended: tuple[RunRecord, ...]


class Scheduler:
    """Drives the runs that this engine owns.

    `add` gives it a run, `turn` makes one turn, `run_until` turns until a condition holds.
    """

    def __init__(
        self,
        store: Store,
        dispatch: Dispatch,
        doorbell: Doorbell,
        clock: Clock,
        *,
        on_turn: Callable[[Turn], None] = lambda turn: None,
        on_trouble: Callable[[str], None] = lambda message: None,
    ) -> None:
        self.store = store
        self.dispatch = dispatch
        self.doorbell = doorbell
        self.clock = clock
        self.runs: dict[str, LiveRun] = {}
        #: Set to start nothing more; what runs goes on.
        self.draining = False
        self._leases: dict[str, Lease] = {}
        self._pending: dict[str, Commit] = {}
        self._deeds: dict[str, list[Deed]] = {}
        self._inbox: deque[RunEvent] = deque()
        self._renew_at = 0.0
        self._seen_at = clock.now()
        self._retry_store_at = 0.0
        self._trouble = ""
        self._speak_of_spoilt_at = 0.0
        self._on_turn = on_turn
        self._on_trouble = on_trouble
        self._bell = select.poll()
        self._bell.register(doorbell.fileno(), select.POLLIN)
        self._poll = select.poll()
        self._poll.register(doorbell.fileno(), select.POLLIN)
        self._bells = {doorbell.fileno()}
        #: Rings for commands that were written where our doorbell cannot be reached.
        self._store_bell = store.bell() if isinstance(store, RingingStore) else None
        if self._store_bell is not None:
            self._bells.add(self._store_bell.fileno())
            self._bell.register(self._store_bell.fileno(), select.POLLIN)
            self._poll.register(self._store_bell.fileno(), select.POLLIN)
        self._watched: set[int] = set()
        #: Somebody may have written a command since we last looked.
        self._rung = True
        #: Runs of which we do not know yet what became of their jobs.
        self._unasked: set[str] = set()
        self._ask_at = 0.0

    # Runs --------------------------------------------------------------------

    def add(self, run: LiveRun, lease: Lease) -> None:
        """Own a run from now on, under the lease."""
        now = self.clock.now()
        self.runs[run.record.id] = run
        self._leases[run.record.id] = lease
        self._renew_at = min(self._renew_at or now + LEASE_S / 3, now + LEASE_S / 3)
        self._rung = True
        if run.in_flight:
            self._unasked.add(run.record.id)
        self._reuse(run, now)
        self._take(run, first_look(run, now), now)

    def _reuse(self, run: LiveRun, now: float) -> None:
        """Carry out, before anything of the run may start, what was stored with it."""
        for command in self.store.commands([run.record.id]):
            if command.kind == CommandKind.REUSE:
                self._note_command(run, command, now)
                self._take(run, decide(run, reused(self.store, run, command, now), now), now)

    def note(self, run: LiveRun, kind: str, detail: str) -> None:
        """Add a line to the history of a run."""
        transcript.note(run, self._commit_of(run), self.clock.now(), kind, detail)

    def let_go(self, run: str) -> None:
        """Own a run no longer; what runs of it goes on."""
        self.runs.pop(run, None)
        self._pending.pop(run, None)
        self._deeds.pop(run, None)
        lease = self._leases.pop(run, None)
        if lease is not None:
            try:
                self.store.release(lease)
            except StoreError as error:
                log.warning("a lease was not given back, it will end by itself: %s", error)

    def close(self) -> None:
        """Let all runs go."""
        for run in list(self.runs):
            self.let_go(run)
        self.dispatch.close()
        self.doorbell.close()
        if self._store_bell is not None:
            self._store_bell.close()

    # The loop ----------------------------------------------------------------

    def ring(self) -> None:
        """Wake the loop: safe in other threads and in signal handlers."""
        self.doorbell.ring()

    def run_until(self, done: Callable[[], bool]) -> None:
        """Turn until `done`; it is asked after each turn."""
        self.turn(wait=False)
        while not done():
            self.turn()

    def turn(self, *, wait: bool = True) -> Turn:
        """Make one turn: wait for something to happen, judge it, store it, act."""
        if wait:
            self._wait()
        now = self.clock.now()
        if now < self._seen_at:
            self._clock_set_back(now)
        self._seen_at = now
        if self._unasked and now >= self._ask_at:
            self._ask_outside(now)
        self._collect(now)
        self._take_commands(now)
        for run in self.runs.values():
            if (when := run.next_time()) is not None and when <= now:
                self._take(run, decide(run, None, now), now)
        if not self.draining:
            self._admit(now)
        turn = Turn({}, ())
        if now >= self._retry_store_at and (self._pending or self._deeds):
            turn = self._commit(now)
        if now >= self._renew_at:
            self._renew(now)
        return turn

    def _clock_set_back(self, now: float) -> None:
        """Wait for nothing longer than it was to be waited for."""
        log.warning("the clock was set back by %.3f s", self._seen_at - now)
        self._renew_at = min(self._renew_at, now)
        self._retry_store_at = min(self._retry_store_at, now)
        self._ask_at = min(self._ask_at, now)
        self._speak_of_spoilt_at = min(self._speak_of_spoilt_at, now)
        for run in self.runs.values():
            self._take(run, decide(run, ClockSetBack(now), now), now)

    def post(self, event: RunEvent) -> None:
        """Hand in an event, from any thread."""
        self._inbox.append(event)
        self.doorbell.ring()

    def _wait(self) -> None:
        for descriptor in self.dispatch.filenos() - self._watched:
            self._poll.register(descriptor, select.POLLIN)
            self._watched.add(descriptor)
        if self._inbox:
            return
        times = [self._renew_at] if self._leases else []
        times += [when for run in self.runs.values() if (when := run.next_time()) is not None]
        if self._pending or self._rung:
            times.append(self._retry_store_at)
        if self._unasked:
            times.append(self._ask_at)
        timeout = max(0.0, min(times) - self.clock.now()) if times else None
        # Rounded up: waking a moment early would mean turning for nothing.
        fired = self._poll.poll(None if timeout is None else int(timeout * 1000) + 1)
        self._rung = self._rung or any(descriptor in self._bells for descriptor, _ in fired)
        if fired and not self._rung and self.dispatch.has_plenty(self.runs.values()):
            # Nobody waits for what we decide now, so more can come into one commit.
            self._rung = bool(self._bell.poll(GATHER_MS))

    def _collect(self, now: float) -> None:
        self._inbox.extend(self.dispatch.collect())
        while self._inbox:
            name, event = self._inbox.popleft()
            run = self.runs.get(name)
            if run is None:
                log.warning("an event for a run that is not ours: %s %s", name, event)
                continue
            if isinstance(event, Ended) and event.cause is Cause.UNREACHABLE:
                self._speak_of_spoilt(run, event, now)
            self._take(run, decide(run, event, now), now)

    def _speak_of_spoilt(self, run: LiveRun, event: Ended, now: float) -> None:
        """Say that the place is in trouble: what it spoils is tried again in silence."""
        if now < self._speak_of_spoilt_at:
            return
        self._speak_of_spoilt_at = now + SPOILT_AGAIN_S
        name = shorten(run.nodes[event.task].name)
        self._on_trouble(f"{name} could not be started: {event.message}")

    def _take_commands(self, now: float) -> None:
        if not self._rung or now < self._retry_store_at:
            return
        self.doorbell.clear()
        if self._store_bell is not None:
            self._store_bell.clear()
        try:
            commands = self.store.commands(list(self.runs))
        except StoreError as error:
            self._store_fails(error, now)
            return
        self._rung = False
        for command in commands:
            run = self.runs[command.run]
            if command.id in self._commit_of(run).commands_taken:
                continue
            self._note_command(run, command, now)
            for event in command_events(command, run, now):
                self._take(run, decide(run, event, now), now)

    def _note_command(self, run: LiveRun, command: StoredCommand, now: float) -> None:
        commit = self._commit_of(run)
        commit.commands_taken.append(command.id)
        transcript.note(run, commit, now, "command", describe(command))

    def _ask_outside(self, now: float) -> None:
        """After a take-over: ask the executors what became of the jobs of that run."""
        for name in list(self._unasked):
            run = self.runs.get(name)
            try:
                found = self.dispatch.find(run) if run is not None else []
            except ExecutorError as error:
                self._ask_at = now + ASK_AGAIN_S
                self._on_trouble(f"{error}\n  asking again in {ASK_AGAIN_S:.0f} s")
                return
            self._unasked.discard(name)
            self._inbox.extend(found)

    def _take(self, run: LiveRun, decision: Decision, now: float) -> None:
        """Note what a decision changes, and make it true in memory."""
        if decision is NO_DECISION or not (decision or decision.remarks):
            return
        transcript.record(run, decision, self._commit_of(run), now)
        run.apply(decision)
        if decision.deeds:
            self._deeds.setdefault(run.record.id, []).extend(decision.deeds)

    def _commit_of(self, run: LiveRun) -> Commit:
        name = run.record.id
        if name not in self._pending:
            self._pending[name] = Commit(name)
        return self._pending[name]

    def _admit(self, now: float) -> None:
        """Let ready tasks start where there is room, the most urgent runs first."""
        waiting = [run for run in self.runs.values() if run.has_ready()]
        for run in sorted(waiting, key=lambda run: -run.record.priority):
            for pool in run.pools():
                executor = self.dispatch.serving(pool)
                room = self.dispatch.room(executor, self.runs.values())
                if run.overtakes(pool):
                    # What comes back is given out again, behind the more urgent.
                    self.dispatch.recall()
                if room > 0:
                    self._take(run, admit(run, pool, executor, room, now), now)

    # Store first, act second -------------------------------------------------

    def _commit(self, now: float) -> Turn:
        batch = []
        for name, commit in self._pending.items():
            transcript.seal(self.runs[name], commit, now)
            batch.append((commit, self._leases[name]))
        try:
            self.store.commit_many(batch)
        except LeaseLostError as error:
            self._give_up_lost(str(error), now)
            return Turn({}, ())
        except StoreError as error:
            self._store_fails(error, now)
            return Turn({}, ())
        if self._trouble:
            self._trouble = ""
            self._on_trouble("the store can be written again")
        changed, self._pending = self._pending, {}
        deeds, self._deeds = self._deeds, {}
        for name, wanted in deeds.items():
            self._inbox.extend(self.dispatch.act(self.runs[name], wanted))
        self.dispatch.stored(changed)
        ended = tuple(
            self.runs[name].record for name in changed if self.runs[name].record.state in FINAL_RUN
        )
        for record in ended:
            self.let_go(record.id)
        turn = Turn(changed, ended)
        self._on_turn(turn)
        return turn

    def _store_fails(self, error: StoreError, now: float) -> None:
        self._retry_store_at = now + STORE_RETRY_S
        if str(error) != self._trouble:
            self._trouble = str(error)
            self._on_trouble(f"{error}\n  trying again; nothing new is started meanwhile")

    def _give_up_lost(self, message: str, now: float) -> None:
        """Forget the runs that another engine owns now; keep the others."""
        for name, lease in list(self._leases.items()):
            try:
                newest = self.store.lease(name)
            except StoreError as error:
                self._store_fails(error, now)
                return
            if newest is None or newest.epoch != lease.epoch:
                log.warning("%s", message)
                for mine in (self.runs, self._leases, self._pending, self._deeds):
                    mine.pop(name, None)

    def _renew(self, now: float) -> None:
        self._renew_at = now + LEASE_S / 3
        self._rung = True  # a bell can be missed; the store cannot
        if not self._leases:
            return
        try:
            self.store.renew(list(self._leases.values()), now + LEASE_S)
        except LeaseLostError as error:
            self._give_up_lost(str(error), now)
        except StoreError as error:
            log.warning("leases could not be renewed: %s", error)
