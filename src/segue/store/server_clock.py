"""How far this machine's clock is from that of the server where leases meet.

A lease is in force until a time. Where engines of several machines look at it, that must
be a time of one clock, or a machine whose clock is an hour ahead would take over what
lives. So what is stored are times of the server's clock, and each machine translates.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final

#: Clocks that differ by less are taken as equal: a lease lasts much longer, and times
#: come back exactly as they were stored.
EQUAL_S: Final = 1.0
#: The server's clock is asked no more often than this.
ASK_AGAIN_S: Final = 1.0


class ServerClock:
    """Translates times; `ask` returns the server's, `own` this machine's clock."""

    def __init__(self, ask: Callable[[], float], own: Callable[[], float] = time.time) -> None:
        self._ask = ask
        self._own = own
        self._ahead_s = 0.0
        self._asked_at = -ASK_AGAIN_S

    def ahead_s(self) -> float:
        """Return how many seconds the server's clock is ahead; 0.0 where that is little."""
        if time.monotonic() >= self._asked_at + ASK_AGAIN_S:
            before = self._own()
            server = self._ask()
            difference = server - (before + self._own()) / 2
            self._ahead_s = difference if abs(difference) >= EQUAL_S else 0.0
            self._asked_at = time.monotonic()
        return self._ahead_s

    def to_server(self, at: float) -> float:
        """Return a time of this machine as the server's clock shows it."""
        return at + self.ahead_s()

    def from_server(self, at: float) -> float:
        """Return a time of the server as this machine's clock shows it; 0 stays 0: never."""
        return at - self.ahead_s() if at else 0.0
