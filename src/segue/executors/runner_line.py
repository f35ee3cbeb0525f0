"""The line of jobs that wait for room on a runner. It decides and does nothing else.

First in, first out; but a job that fits goes past those that do not. So that these are not
starved by ever smaller ones, there is a rule of age: when `PASSES` jobs have gone past the
one that stands first of its kind (jobs with the same needs), a runner that can hold it is
kept for it. What came later is not placed there any more, and so that runner runs empty
until there is room. A runner is kept for one job at a time; the oldest has the first choice.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from segue.executors.runner_placement import Room, choose, impact
from segue.protocols.executor import JobKey
from segue.protocols.runner import Amounts, fits

#: So many later jobs may go past one that does not fit.
PASSES: Final = 64

_Needs = tuple[tuple[str, int], ...]


class Placed(NamedTuple):
    """A job, and the name of the runner that it goes to."""

    key: JobKey
    runner: str


@dataclass(slots=True)
class _Kind:
    """Jobs with the same needs, the oldest first, each with its number in the line.

    `passed` counts how many have gone past the first one, and `kept` is the runner that is
    kept for it.
    """

    needs: Amounts
    jobs: OrderedDict[JobKey, int] = field(default_factory=OrderedDict)
    passed: int = 0
    kept: str = ""

    @property
    def first(self) -> tuple[JobKey, int]:
        return next(iter(self.jobs.items()))

    def renew(self) -> None:
        """Another one is first now."""
        self.passed, self.kept = 0, ""


class Line:
    """Jobs that wait; `next` takes out the one that goes to a runner now.

    Examples
    --------
    >>> line = Line()
    >>> line.put(JobKey("r", 0, 1), {"cores": 8})
    >>> line.put(JobKey("r", 1, 1), {"cores": 2})
    >>> line.next([Room("a", {"cores": 8}, {"cores": 4})])
    Placed(key=JobKey(run='r', task=1, attempt=1), runner='a')
    >>> line.next([Room("a", {"cores": 8}, {"cores": 2})]) is None, len(line)
    (True, 1)
    """

    def __init__(self, passes: int = PASSES) -> None:
        self._passes = passes
        self._kinds: dict[_Needs, _Kind] = {}
        self._kind_of: dict[JobKey, _Needs] = {}
        self._numbers = 0

    def __len__(self) -> int:
        return len(self._kind_of)

    def __contains__(self, key: JobKey) -> bool:
        return key in self._kind_of

    def put(self, key: JobKey, needs: Amounts, *, first: bool = False) -> None:
        """Put a job at the end of the line; with `first`, before all others: it was out already."""
        name = tuple(sorted(needs.items()))
        kind = self._kinds.setdefault(name, _Kind(dict(needs)))
        self._kind_of[key] = name
        self._numbers += 1
        kind.jobs[key] = self._numbers
        if first:
            kind.jobs[key] = -self._numbers
            kind.jobs.move_to_end(key, last=False)
            kind.renew()

    def take_out(self, keys: Collection[JobKey]) -> list[JobKey]:
        """Drop these jobs; return those that were here."""
        found = [key for key in keys if key in self._kind_of]
        for key in found:
            self._take(key)
        return found

    def clear(self) -> list[JobKey]:
        """Drop all jobs, and return them in their order."""
        numbered = [
            (number, key) for kind in self._kinds.values() for key, number in kind.jobs.items()
        ]
        self._kinds.clear()
        self._kind_of.clear()
        return [key for _, key in sorted(numbered)]

    def next(self, rooms: Sequence[Room]) -> Placed | None:
        """Take out the next job that goes to one of the runners, and say to which; None: none."""
        kept: set[str] = set()
        waiting = sorted(self._kinds.values(), key=lambda kind: kind.first[1])
        for at, kind in enumerate(waiting):
            room = choose(kind.needs, [room for room in rooms if room.name not in kept])
            if room is not None:
                key, _ = kind.first
                for older in waiting[:at]:
                    older.passed += 1
                self._take(key)
                return Placed(key, room.name)
            if kind.passed >= self._passes:
                kind.kept = _runner_kept(kind, rooms, kept)
                kept.add(kind.kept)
        return None

    def never_fitting(self, rooms: Sequence[Room]) -> Iterator[tuple[Amounts, list[JobKey]]]:
        """Return needs that no runner can hold even when it is empty, with the jobs."""
        for kind in list(self._kinds.values()):
            if not any(fits(kind.needs, room.total) for room in rooms):
                yield kind.needs, list(kind.jobs)

    def _take(self, key: JobKey) -> None:
        name = self._kind_of.pop(key)
        kind = self._kinds[name]
        was_first = kind.first[0] == key
        del kind.jobs[key]
        if not kind.jobs:
            del self._kinds[name]
        elif was_first:
            kind.renew()


def _runner_kept(kind: _Kind, rooms: Sequence[Room], kept: Collection[str]) -> str:
    """Return the runner that is kept for the first of a kind; empty if there is none for it.

    The choice stands as long as that runner is there: changing it would begin anew.
    """
    able = [room for room in rooms if room.name not in kept and fits(kind.needs, room.total)]
    if any(room.name == kind.kept for room in able):
        return kind.kept
    nearest = min(able, key=lambda room: (impact(kind.needs, room.total), room.name), default=None)
    return nearest.name if nearest else ""
