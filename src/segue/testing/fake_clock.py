"""A clock that stands still until a test moves it, forwards or, as real ones may, back."""

from __future__ import annotations


class FakeClock:
    """Fulfils `segue.protocols.clock.Clock`; only `advance` and `set_back` move it.

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
        """Let `seconds` pass.

        Raises
        ------
        ValueError
            If `seconds` is negative.
        """
        if seconds < 0:
            raise ValueError(f"time cannot go back by {-seconds} s")
        self._now += seconds

    def set_back(self, seconds: float) -> None:
        """Show an earlier time, as when somebody corrects the clock of a machine."""
        self._now -= seconds
