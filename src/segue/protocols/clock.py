"""What time it is: the one thing that tests replace first."""

from __future__ import annotations

import time
from typing import Protocol


class Clock(Protocol):
    """Tells the time in seconds since the epoch, UTC."""

    def now(self) -> float:
        """Return the time now."""
        ...


class SystemClock:
    """The clock of this machine."""

    def now(self) -> float:
        """Return the time now."""
        return time.time()
