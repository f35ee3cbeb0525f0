"""A clock that stands still until a test moves it."""

from __future__ import annotations


class FakeClock:
    """Fulfils `segue.protocols.clock.Clock`; only `advance` moves it.

    Examples
    --------
    >>> clock = FakeClock(now=100.0)
    >>> clock.advance(2.5)
    >>> clock.now()
    102.5
    """

    def __init__(self, now: float = 1_700_000_000.0) -> None:
        self._now = now

    def now(self) -> float:
        """Return the time, in seconds since the epoch."""
        return self._now

    def advance(self, seconds: float) -> None:
        """Let `seconds` pass; time never goes back.

        Raises
        ------
        ValueError
            If `seconds` is negative.
        """
        if seconds < 0:
            raise ValueError(f"time cannot go back by {-seconds} s")
        self._now += seconds
