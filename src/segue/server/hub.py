"""Tells streams what has changed: one look at the store for all who listen.

The engine of this server rings it, and other engines are found by looking now and then.
A listener holds the newest state of each changed run and nothing else: who reads slowly
loses what lay between, and nobody waits for anybody.

A change is known by the time of it, in microseconds: that is what a client says to go on
where it was, at this server or another one.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections import OrderedDict
from collections.abc import AsyncIterator
from typing import Final

from segue.model.errors import SegueError
from segue.protocols.clock import Clock
from segue.protocols.windows import RunQuery, RunRow
from segue.server import shapes
from segue.server.desk import Desk
from segue.server.office import Office

log = logging.getLogger("segue.server")

#: Changes of other engines are looked for so often, in seconds.
LOOK_S: Final = 0.5
#: So soon after a ring, and so often at the most, is looked.
GATHER_S: Final = 0.2
#: Clocks of several servers may differ so much, in seconds.
SKEW_S: Final = 5.0
#: So many changed runs are read in one look, and held for a listener, the newest.
RUNS_HELD: Final = 1000
#: Somebody who listens hears something so often, in seconds, and be it a comment.
HEARTBEAT_S: Final = 15.0

_FAILS: Final = "what has changed cannot be told"


class Change:
    """A run as it is now; `id` is when it changed, in microseconds. `body` None: it is gone."""

    __slots__ = ("body", "ended", "id", "run")

    def __init__(self, run: str, number: int, body: bytes | None, *, ended: bool = False) -> None:
        self.run = run
        self.id = number
        self.body = body
        self.ended = ended


class Listener:
    """Somebody who listens, to one run or to all."""

    def __init__(self, run: str = "") -> None:
        self.run = run
        self._held: OrderedDict[str, Change] = OrderedDict()
        self._rung = asyncio.Event()
        self._closed = False

    @property
    def closed(self) -> bool:
        """Whether the stream is to end."""
        return self._closed

    def put(self, change: Change) -> None:
        """Hold the change instead of an earlier one of the same run."""
        if self.run and self.run != change.run:
            return
        self._held.pop(change.run, None)
        self._held[change.run] = change
        while len(self._held) > RUNS_HELD:
            self._held.popitem(last=False)
        self._rung.set()

    def close(self) -> None:
        """Let the listener's stream end."""
        self._closed = True
        self._rung.set()

    async def wait(self, limit_s: float = HEARTBEAT_S) -> list[Change]:
        """Return what has changed since, oldest first; nothing after `limit_s` seconds."""
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._rung.wait(), limit_s)
        self._rung.clear()
        held, self._held = self._held, OrderedDict()
        return list(held.values())


class Hub:
    """Looks at the store while somebody listens, and hands out what has changed."""

    def __init__(self, office: Office, clock: Clock) -> None:
        self._office = office
        self._clock = clock
        self._listeners: set[Listener] = set()
        self._told: OrderedDict[str, int] = OrderedDict()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._rung = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._last = 0.0
        self._failing = False
        self.closed = False

    @property
    def number(self) -> int:
        """How many listen."""
        return len(self._listeners)

    def start(self) -> None:
        """Begin to look, in the running event loop."""
        self._loop = asyncio.get_running_loop()
        self._last = self._clock.now()
        self._task = self._loop.create_task(self._live())

    def ring(self) -> None:
        """Say that something has changed: from any thread."""
        if self._loop is not None and self._listeners:
            with contextlib.suppress(RuntimeError):  # the loop has ended
                self._loop.call_soon_threadsafe(self._rung.set)

    def removed(self, run: str) -> None:
        """Tell that a run is no more: from any thread."""
        if self._loop is not None:
            change = Change(run, int(self._clock.now() * 1e6), None, ended=True)
            with contextlib.suppress(RuntimeError):
                self._loop.call_soon_threadsafe(self._hand_out, [change])

    def close(self) -> None:
        """Let all streams end."""
        self.closed = True
        for listener in self._listeners:
            listener.close()

    async def stop(self) -> None:
        """Look no more."""
        self.close()
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task

    @contextlib.asynccontextmanager
    async def listening(self, run: str = "") -> AsyncIterator[Listener]:
        """Listen to one run, or to all, as long as the context lasts."""
        listener = Listener(run)
        if self.closed:
            listener.close()
        if not self._listeners:
            self._last = self._clock.now()
            self._told.clear()
        self._listeners.add(listener)
        try:
            yield listener
        finally:
            self._listeners.discard(listener)

    async def since(self, moment: int) -> list[Change]:
        """Return all runs that have changed since, oldest first."""
        return await self._office.ask(lambda desk: _changes(desk, moment / 1e6))

    # Looking ---------------------------------------------------------------------

    async def _live(self) -> None:
        while True:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._rung.wait(), LOOK_S)
            self._rung.clear()
            if self._listeners:
                await self._look()
                await asyncio.sleep(GATHER_S)

    async def _look(self) -> None:
        after = self._last - SKEW_S
        told = dict(self._told)
        try:
            found = await self._office.ask(lambda desk: _changes(desk, after, told))
        except SegueError as error:
            log.debug("nothing can be told now: %s", error)
            return
        except Exception:
            # A fault of ours at one run: streams live on, and are not told of it for ever.
            log.log(logging.DEBUG if self._failing else logging.ERROR, _FAILS, exc_info=True)
            self._failing = True
            return
        self._failing = False
        self._hand_out(found)

    def _hand_out(self, changes: list[Change]) -> None:
        for change in changes:
            self._last = max(self._last, change.id / 1e6)
            self._told[change.run] = change.id
            self._told.move_to_end(change.run)
            for listener in self._listeners:
                listener.put(change)
        while len(self._told) > 2 * RUNS_HELD:
            self._told.popitem(last=False)


def _changes(desk: Desk, after: float, told: dict[str, int] | None = None) -> list[Change]:
    """Return the runs that have changed since, oldest first, but for what was told already."""
    rows = desk.windows.runs(RunQuery(updated_after=after, limit=RUNS_HELD))
    known = told or {}
    return [
        change_of(desk, row) for row in reversed(rows) if known.get(row.record.id) != change_id(row)
    ]


def change_id(row: RunRow) -> int:
    """Return the name of a run's newest change."""
    return int(row.record.updated_at * 1e6)


def change_of(desk: Desk, row: RunRow) -> Change:
    """Return a run as those who listen are told of it."""
    body = shapes.summary(desk, row).model_dump_json(by_alias=True).encode()
    return Change(row.record.id, change_id(row), body, ended=row.record.ended_at is not None)
