"""What a runner has, and what of it is given away. It counts and does nothing else.

The runner keeps its own books, and they win. But what it says is a little old when it
comes: what was given to it since is taken off. Two engines on one runner do not know of
each other; what one overlooks, the runner refuses.
"""

from __future__ import annotations

from collections import Counter

from segue.executors.runner_placement import Room
from segue.protocols.runner import Amounts, Capacity


class Account:
    """The books of one runner, by the names of the jobs that it was given.

    Examples
    --------
    >>> account = Account("a")
    >>> account.hear(Capacity({"cores": 4}, {"cores": 4}, "host", "boot"))
    >>> account.give("r.0.1", {"cores": 3})
    >>> account.room().free
    {'cores': 1}
    >>> account.hear(Capacity({"cores": 4}, {"cores": 0}, "host", "boot", running=2))
    >>> account.seen("r.0.1")
    >>> account.room()
    Room(name='a', total={'cores': 4}, free={'cores': 0}, running=2)
    """

    def __init__(self, name: str) -> None:
        self.name = name
        #: It has said that it is full, and nothing else since.
        self.full = False
        self._capacity: Capacity | None = None
        self._given: dict[str, Amounts] = {}
        self._unseen: set[str] = set()
        self._used: Counter[str] = Counter()
        self._unseen_used: Counter[str] = Counter()

    @property
    def heard(self) -> bool:
        """Whether the runner has ever said what it has."""
        return self._capacity is not None

    def hear(self, capacity: Capacity) -> None:
        """The runner has said what it has."""
        self._capacity = capacity
        self.full = False

    def give(self, name: str, needs: Amounts) -> None:
        """Note that a job goes there."""
        if name in self._given:
            return
        self._given[name] = needs
        self._unseen.add(name)
        self._used.update(needs)
        self._unseen_used.update(needs)

    def seen(self, name: str) -> None:
        """What the runner has said counts this job."""
        if name in self._unseen:
            self._unseen.discard(name)
            self._unseen_used.subtract(self._given[name])

    def release(self, name: str) -> None:
        """The job takes nothing there any more."""
        if name in self._given:
            self.seen(name)
            self._used.subtract(self._given.pop(name))

    def room(self) -> Room:
        """Return what is free there, as far as anybody can know."""
        said = self._capacity
        if said is None:
            return Room(self.name, {}, {})
        free = {
            name: min(
                total - self._used[name], said.free.get(name, 0) - self._unseen_used[name]
            )
            for name, total in said.total.items()
        }  # fmt: skip
        return Room(self.name, dict(said.total), free, said.running + len(self._unseen))
