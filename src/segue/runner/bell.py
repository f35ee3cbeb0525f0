"""Wakes those who wait for news, and costs no thread while they do."""

from __future__ import annotations

import asyncio
import contextlib


class Bell:
    """Rung from any thread; heard by coroutines of one event loop."""

    def __init__(self) -> None:
        self._loop: asyncio.AbstractEventLoop | None = None
        self._rung = asyncio.Event()

    def hang(self) -> None:
        """Belong to the event loop that calls this."""
        self._loop = asyncio.get_running_loop()

    def ring(self) -> None:
        """Wake all who wait."""
        if self._loop is not None:
            # It may be closed: then nobody waits.
            with contextlib.suppress(RuntimeError):
                self._loop.call_soon_threadsafe(self._ring)

    def _ring(self) -> None:
        self._rung.set()
        self._rung = asyncio.Event()

    @property
    def next(self) -> asyncio.Event:
        """What is set when it rings next: to be taken before one looks for news."""
        return self._rung


async def heard(event: asyncio.Event, limit_s: float) -> bool:
    """Wait for the event; return whether it came in time."""
    try:
        await asyncio.wait_for(event.wait(), limit_s)
    except TimeoutError:
        return False
    return True
