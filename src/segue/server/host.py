"""The engine of a server, in a thread of its own.

It takes what is submitted at once, and looks every second for runs whose engine is gone.
What it cannot take it leaves alone and tries again later; what goes wrong in it is told,
and it begins again, for nothing that it knows is not in the store.
"""

from __future__ import annotations

import logging
import queue
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from typing import Final

from segue.engine.engine import Engine
from segue.engine.live_run import LiveRun
from segue.engine.owner import certainly_dead
from segue.engine.recover import Taken, begin, prepare
from segue.engine.scheduler import Turn
from segue.model.errors import SegueError, StoreError
from segue.model.run import RunRecord
from segue.model.states import RunState, TaskState
from segue.protocols.executor import Executor
from segue.protocols.runners_shown import NO_RUNNERS, RunnersShown, ShowsRunners
from segue.protocols.store import Store
from segue.server.settings import Parts, ServerSettings

log = logging.getLogger("segue.server.engine")

#: So often it looks for runs that nobody drives, in seconds.
LOOK_S: Final = 1.0
#: A run that no engine has ever had belongs to whoever has just stored it, for so long.
NEWBORN_S: Final = 10.0
#: A run that could not be taken is tried again after so many seconds.
REFUSED_AGAIN_S: Final = 10.0
#: After a fault of our own it begins again after so many seconds.
BEGIN_AGAIN_S: Final = 2.0
#: Executors are given so long to give back what they have not begun.
RECALL_PATIENCE_S: Final = 2.0
#: A run of more tasks is loaded in a thread of its own: others need not wait for it.
LARGE: Final = 5_000
#: It counts as alive while its last turn is not older than this.
ALIVE_S: Final = 10.0


class Host:
    """Owns an engine: `start`, `offer` it runs, `stop`; safe to be called from any thread."""

    def __init__(
        self,
        parts: Parts,
        settings: ServerSettings,
        on_turn: Callable[[Turn], None] = lambda turn: None,
    ) -> None:
        self._parts = parts
        self._settings = settings
        self._on_turn = on_turn
        self._offered: queue.SimpleQueue[str] = queue.SimpleQueue()
        self._again_at: dict[str, float] = {}
        #: Why a run could not be taken: told once, and again when it is another reason.
        self._refusals: dict[str, str] = {}
        #: Large runs that are being loaded, and those that have been.
        self._loading: set[str] = set()
        self._loaded: queue.SimpleQueue[tuple[Engine, Taken]] = queue.SimpleQueue()
        self._engine: Engine | None = None
        self._executors: Mapping[str, Executor] = {}
        self._stopping = threading.Event()
        self._turned_at = time.monotonic()
        self._looked_at = 0.0
        #: What is wrong now, in words; empty: nothing.
        self.trouble = ""
        self._thread = threading.Thread(target=self._live, name="engine", daemon=True)
        self._ticks = threading.Thread(target=self._tick, name="engine-ticks", daemon=True)

    def start(self) -> None:
        """Begin to drive runs."""
        self._thread.start()
        self._ticks.start()

    def offer(self, run: str) -> None:
        """Let the engine take this run as soon as it can, if nobody has it."""
        self._offered.put(run)
        self._ring()

    def ring(self) -> None:
        """Let the engine look at its commands."""
        self._ring()

    @property
    def alive(self) -> bool:
        """Whether the engine turns."""
        return self._thread.is_alive() and time.monotonic() - self._turned_at < ALIVE_S

    @property
    def number_of_runs(self) -> int:
        """How many runs it drives now."""
        engine = self._engine
        return len(engine.scheduler.runs) if engine is not None else 0

    def runners(self, pool: str) -> RunnersShown:
        """Return what is known of a pool's runners; none where it has no such."""
        executor: object = self._executors.get(pool)
        return executor.runners() if isinstance(executor, ShowsRunners) else NO_RUNNERS

    def stop(self) -> None:
        """Start nothing more, and leave; what runs goes on and can be taken over."""
        self._stopping.set()
        self._ring()
        if self._thread.is_alive():
            self._thread.join()
            self._ticks.join()

    # Its own threads -----------------------------------------------------------

    def _ring(self) -> None:
        engine = self._engine
        if engine is not None:
            try:
                engine.scheduler.ring()
            except OSError:  # it has just been closed
                log.debug("rang at a bell that was taken down")

    def _tick(self) -> None:
        """Turn the loop now and then: nothing rings for a run whose engine has died."""
        while not self._stopping.wait(LOOK_S):
            self._ring()

    def _live(self) -> None:
        while not self._stopping.is_set():
            try:
                self._drive()
            except Exception as error:
                # A bug of ours, or a store that cannot be opened: told, and tried again.
                if isinstance(error, SegueError):
                    self._say(str(error))
                else:
                    self.trouble = f"the engine failed: {error!r}"
                    log.exception("the engine failed; it begins again")
                self._stopping.wait(BEGIN_AGAIN_S)

    def _drive(self) -> None:
        store = self._parts.open_store()
        try:
            executors = self._parts.open_executors()
            engine = Engine(
                store,
                executors,
                self._parts.grow,
                self._parts.clock,
                self._settings.state,
                default_pool=self._settings.default_pool,
                on_turn=self._on_turn,
                on_trouble=self._say,
            )
        except BaseException:
            store.close()
            raise
        self._engine, self._executors = engine, executors
        try:
            while not self._stopping.is_set():
                self._look(engine, store)
                engine.scheduler.turn()
                self._turned_at = time.monotonic()
            while not self._loaded.empty():
                store.release(self._loaded.get()[1].lease)
            self._drain(engine)
        finally:
            self._engine, self._executors = None, {}
            engine.close()
            store.close()

    def _drain(self, engine: Engine) -> None:
        """Take back what executors hold and have not begun, and store that."""
        scheduler = engine.scheduler
        scheduler.draining = True
        engine.dispatch.recall()
        until = time.monotonic() + RECALL_PATIENCE_S
        waker = threading.Timer(RECALL_PATIENCE_S, scheduler.ring)
        waker.daemon = True
        waker.start()
        while not _all_begun(scheduler.runs.values()) and time.monotonic() < until:
            scheduler.turn()
        scheduler.turn(wait=False)
        waker.cancel()
        waker.join()

    # What it takes ---------------------------------------------------------------

    def _look(self, engine: Engine, store: Store) -> None:
        while not self._loaded.empty():
            self._begin(engine, store, *self._loaded.get())
        while not self._offered.empty():
            self._take(engine, store, self._offered.get())
        now = time.monotonic()
        if now < self._looked_at + LOOK_S:
            return
        self._looked_at = now
        try:
            found = store.runs(states=[RunState.RUNNING, RunState.PAUSED])
            living = {run.id for run in found}
            for forgotten in self._again_at.keys() - living:
                del self._again_at[forgotten]
                self._refusals.pop(forgotten, None)
            for run in reversed(found):
                if self._is_forsaken(engine, store, run, now):
                    self._take(engine, store, run.id)
        except StoreError as error:
            self._say(str(error))
        else:
            if self.trouble:
                self.trouble = ""

    def _is_forsaken(self, engine: Engine, store: Store, run: RunRecord, now: float) -> bool:
        """Tell whether nobody drives the run and we may."""
        if run.id in engine.scheduler.runs or run.id in self._loading:
            return False
        if self._again_at.get(run.id, 0.0) > now:
            return False
        lease = store.lease(run.id)
        present = self._parts.clock.now()
        if lease is None:
            return present > run.created_at + NEWBORN_S and self._parts.may_adopt(run)
        return (lease.until <= present or certainly_dead(lease)) and self._parts.may_adopt(run)

    def _take(self, engine: Engine, store: Store, run: str) -> None:
        if run in engine.scheduler.runs or run in self._loading:
            return
        try:
            lease = store.lease(run)
            in_force = lease is not None and lease.until > self._parts.clock.now()
            if lease is not None and in_force and not certainly_dead(lease):
                return  # it has its engine
            record = store.run(run)
            if record is not None and sum(record.counts.values()) > LARGE:
                self._loading.add(run)
                threading.Thread(target=self._load, args=(engine, run), daemon=True).start()
            else:
                engine.take(run)
                self._refusals.pop(run, None)
        except SegueError as error:
            self._refused(run, error)

    def _refused(self, run: str, error: SegueError) -> None:
        self._again_at[run] = time.monotonic() + REFUSED_AGAIN_S
        if self._refusals.get(run) != str(error):
            log.warning("run %s cannot be taken now: %s", run, error)
        self._refusals[run] = str(error)

    def _load(self, engine: Engine, run: str) -> None:
        """Own a large run and load it, in a thread of its own."""
        try:
            store = self._parts.open_store()
            try:
                self._loaded.put((engine, prepare(store, engine.scheduler, run, engine.owner)))
            finally:
                store.close()
        except SegueError as error:
            self._refused(run, error)
            self._loading.discard(run)
        except BaseException:
            self._loading.discard(run)
            raise
        self._ring()

    def _begin(self, engine: Engine, store: Store, loader: Engine, taken: Taken) -> None:
        """Drive a run that was loaded; one that an engine before us asked for is let go."""
        self._loading.discard(taken.live.record.id)
        if loader is engine:
            begin(engine.scheduler, taken, engine.owner)
        else:
            store.release(taken.lease)

    def _say(self, message: str) -> None:
        if message != self.trouble:
            log.warning("%s", message)
        self.trouble = "" if "can be written again" in message else message


def _all_begun(runs: Iterable[LiveRun]) -> bool:
    return all(
        live.records[at].state is TaskState.RUNNING for live in runs for at in live.in_flight
    )
