"""Times and durations as people and programs read them. Pure."""

from __future__ import annotations

import time


def rfc3339(at: float | None) -> str | None:
    """Return seconds since the epoch as an RFC 3339 time in UTC; None stays None.

    Examples
    --------
    >>> rfc3339(0.25)
    '1970-01-01T00:00:00.250000Z'
    """
    if at is None:
        return None
    from datetime import UTC, datetime  # slow to import

    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def clock_time(at: float) -> str:
    """Return the local time of day, for a line that is read today.

    Examples
    --------
    >>> len(clock_time(0.0))
    8
    """
    return time.strftime("%H:%M:%S", time.localtime(at))


def duration(seconds: float) -> str:
    """Return a duration with as much detail as its size deserves.

    Examples
    --------
    >>> duration(0.0123), duration(59.94), duration(3725), duration(200_000)
    ('0.01 s', '59.9 s', '1 h 02 min', '2 d 07 h')
    """
    if seconds < 10:
        return f"{max(0.0, seconds):.2f} s"
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest_s = divmod(int(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest_s:02d} s"
    hours, minutes = divmod(minutes, 60)
    if hours < 48:
        return f"{hours} h {minutes:02d} min"
    days, hours = divmod(hours, 24)
    return f"{days} d {hours:02d} h"


def size(count: int | None) -> str:
    """Return a number of bytes in binary units; None is a dash.

    Examples
    --------
    >>> size(512), size(10 * 2**20), size(None)
    ('512 B', '10.0 MiB', '-')
    """
    if count is None:
        return "-"
    value, unit = float(count), "B"
    for unit in ("B", "KiB", "MiB", "GiB", "TiB"):
        if value < 1024 or unit == "TiB":
            break
        value /= 1024
    return f"{int(value)} B" if unit == "B" else f"{value:.1f} {unit}"
