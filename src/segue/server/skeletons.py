"""The bare graph of a run: names, templates and needs, kept small and for a while.

Windows that draw, and whoever asks what waits for a task, need the whole graph. It is
read once, kept as numbers, and read again only when a generator has added to it.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Final

from segue.protocols.windows import Joint, Windows

#: Graphs are kept until they have so many nodes together.
NODES_KEPT: Final = 600_000


@dataclass
class Skeleton:
    """A graph by positions: `needs[at]` are the positions that the node at `at` needs.

    `template[at]` is a number that stands for `templates[...]`; -1: a barrier. `rules` and
    `generators` hold only what is not usual.
    """

    names: list[str] = field(default_factory=list)
    template: list[int] = field(default_factory=list)
    templates: list[str] = field(default_factory=list)
    needs: list[tuple[int, ...]] = field(default_factory=list)
    rules: dict[int, str] = field(default_factory=dict)
    generators: set[int] = field(default_factory=set)

    @cached_property
    def index(self) -> Mapping[str, int]:
        """Positions by names."""
        return {name: at for at, name in enumerate(self.names)}

    @cached_property
    def dependents(self) -> Sequence[Sequence[int]]:
        """Who needs each node."""
        found: list[list[int]] = [[] for _ in self.names]
        for at, needs in enumerate(self.needs):
            for need in needs:
                found[need].append(at)
        return found

    def is_barrier(self, at: int) -> bool:
        """Tell whether nothing runs there."""
        return self.template[at] < 0

    def behind(self, positions: Iterable[int]) -> set[int]:
        """Return all that waits for these, directly or not, without these themselves."""
        begun = list(positions)
        found: set[int] = set()
        todo = list(begun)
        while todo:
            for each in self.dependents[todo.pop()]:
                if each not in found:
                    found.add(each)
                    todo.append(each)
        return found - set(begun)


def skeleton_of(joints: Iterable[Joint]) -> Skeleton:
    """Return the graph that the joints make.

    Examples
    --------
    >>> first = Joint(0, "a", "", False, [], "", False)
    >>> skeleton_of([first, Joint(1, "b", "", False, ["a"], "", False)]).needs
    [(), (0,)]
    """
    found = Skeleton()
    numbers: dict[str, int] = {}
    positions: dict[str, int] = {}
    #: Equal needs, as those of a thousand tasks behind one barrier, are one tuple.
    same: dict[tuple[int, ...], tuple[int, ...]] = {}
    #: Needs that stand behind those who need them, as barriers do.
    later: dict[int, Sequence[str]] = {}
    for at, (_, name, template, barrier, wanted, trigger, generator) in enumerate(joints):
        found.names.append(name)
        positions[name] = at
        try:
            needs = tuple([positions[need] for need in wanted])
        except KeyError:
            later[at], needs = wanted, ()
        found.needs.append(same.setdefault(needs, needs))
        if barrier:
            found.template.append(-1)
            continue
        number = numbers.setdefault(template or name, len(numbers))
        found.template.append(number)
        if trigger and trigger != "all_success":
            found.rules[at] = trigger
        if generator:
            found.generators.add(at)
    found.templates.extend(numbers)
    for at, names in later.items():
        needs = tuple([positions[name] for name in names if name in positions])
        found.needs[at] = same.setdefault(needs, needs)
    return found


class Skeletons:
    """Keeps the graphs that were asked for last; safe in threads."""

    def __init__(self) -> None:
        self._kept: OrderedDict[str, Skeleton] = OrderedDict()
        self._lock = threading.Lock()
        self._reading: dict[str, threading.Lock] = {}

    def of(self, run: str, windows: Windows) -> Skeleton:
        """Return the graph of a run, read if it is not here or has grown."""
        size = windows.node_number(run)
        with self._lock:
            kept = self._kept.get(run)
            if kept is not None and len(kept.names) == size:
                self._kept.move_to_end(run)
                return kept
            reading = self._reading.setdefault(run, threading.Lock())
        with reading:
            with self._lock:
                kept = self._kept.get(run)
            if kept is None or len(kept.names) < size:
                kept = skeleton_of(windows.joints(run))
                self._keep(run, kept)
        with self._lock:
            self._reading.pop(run, None)
        return kept

    def has(self, run: str) -> bool:
        """Tell whether the graph of a run is at hand."""
        with self._lock:
            return run in self._kept

    def forget(self, run: str) -> None:
        """Forget a run that was removed."""
        with self._lock:
            self._kept.pop(run, None)

    def _keep(self, run: str, skeleton: Skeleton) -> None:
        with self._lock:
            self._kept[run] = skeleton
            self._kept.move_to_end(run)
            while len(self._kept) > 1 and self._size() > NODES_KEPT:
                self._kept.popitem(last=False)

    def _size(self) -> int:
        return sum(len(each.names) for each in self._kept.values())
