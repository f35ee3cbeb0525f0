"""Which runner a job goes to: the one on which it weighs least. Pure.

The impact of a job on a runner is the largest share of anything that it takes of what is
free there. So large memory is kept for those that need it, and work spreads by itself.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import NamedTuple

from segue.protocols.runner import Amounts, fits


class Room(NamedTuple):
    """A runner as far as placing goes: what it has, what of it is free, how many jobs it has."""

    name: str
    total: Amounts
    free: Amounts
    running: int = 0


def impact(needs: Amounts, free: Amounts) -> float:
    """Return the largest share that the needs take of what is free; infinite: not there.

    Examples
    --------
    >>> impact({"cores": 2, "memory_mb": 5_000}, {"cores": 4, "memory_mb": 80_000})
    0.5
    >>> impact({"gpus": 1}, {"cores": 4})
    inf
    """
    shares = (_share(amount, free.get(name, 0)) for name, amount in needs.items())
    return max(shares, default=0.0)


def _share(amount: int, free: int) -> float:
    if amount <= 0:
        return 0.0
    return amount / free if free > 0 else math.inf


def choose(needs: Amounts, rooms: Iterable[Room]) -> Room | None:
    """Return the runner with room on which the job weighs least; None without room.

    Of equals it is the one with the fewest jobs, then the first by name.

    Examples
    --------
    >>> def room(name, cores, memory_mb):
    ...     amounts = {"cores": cores, "memory_mb": memory_mb}
    ...     return Room(name, amounts, amounts)
    >>> rooms = [room("a", 70, 20_000), room("b", 4, 80_000), room("c", 10, 30_000)]
    >>> choose({"cores": 2, "memory_mb": 5_000}, rooms).name
    'c'
    >>> choose({"cores": 99}, rooms) is None
    True

    Source: the runner's own README and the example there (Daggy).
    """
    able = [room for room in rooms if fits(needs, room.free)]
    return min(
        able, key=lambda room: (impact(needs, room.free), room.running, room.name), default=None
    )


def largest(needs: Amounts, rooms: Iterable[Room]) -> Room | None:
    """Return the runner that comes nearest to holding the needs when it is empty.

    Examples
    --------
    >>> rooms = [Room("a", {"cores": 8}, {}), Room("b", {"cores": 16, "gpus": 1}, {})]
    >>> largest({"cores": 64}, rooms).name
    'b'
    """

    def order(room: Room) -> tuple[float, list[int], str]:
        own = sorted(room.total.values(), reverse=True)
        return impact(needs, room.total), [-amount for amount in own], room.name

    return min(rooms, key=order, default=None)


def in_words(amounts: Amounts) -> str:
    """Return amounts for people.

    Examples
    --------
    >>> in_words({"cores": 4, "memory_mb": 500, "gpus": 1})
    '4 cores, 500 MB of memory, 1 gpus'
    >>> in_words({})
    'nothing'
    """
    words = [
        f"{amount} MB of memory" if name == "memory_mb" else f"{amount} {name}"
        for name, amount in amounts.items()
    ]
    return ", ".join(words) or "nothing"
