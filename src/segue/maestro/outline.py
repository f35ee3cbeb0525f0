"""What never changes of a study's table: its rows, their order, and who needs whom.

Made once from the nodes of a run and kept beside the study, so that a table of 10,000
steps is shown without reading 10,000 definitions. Knows no states.
"""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final

from segue.model.run import Node
from segue.model.workflow import Barrier, Task

VERSION: Final = 1


@dataclass(frozen=True, slots=True)
class Outline:
    """The rows of a study. All lists but `order` are indexed by position in the run.

    Attributes
    ----------
    order
        The positions of the tasks, in the order in which the table shows them.
    names, workspaces
        Of each task; a barrier has its name and an empty workspace.
    parameters
        ``NAME:value;NAME:value`` of each task.
    needs
        Positions that each node needs.
    restarts
        Positions of tasks with a restart script.
    """

    order: list[int]
    names: list[str]
    workspaces: list[str]
    parameters: list[str]
    needs: list[list[int]]
    restarts: list[int]

    @property
    def tasks(self) -> int:
        """How many tasks there are; barriers have the positions behind them."""
        return len(self.order)


def make_outline(nodes: Sequence[Node]) -> Outline:
    """Return the outline of a run's nodes, given in the order of their positions."""
    index = {node.name: position for position, node in enumerate(nodes)}
    needs = [[index[need] for need in node.needs] for node in nodes]
    return Outline(
        order=_table_order(nodes, needs),
        names=[node.name for node in nodes],
        workspaces=[(node.workdir or "") if isinstance(node, Task) else "" for node in nodes],
        parameters=[parameter_text(node) for node in nodes],
        needs=needs,
        restarts=[
            position
            for position, node in enumerate(nodes)
            if isinstance(node, Task) and node.restart is not None
        ],
    )


def parameter_text(node: Node) -> str:
    """Return the parameters as the table's last column holds them.

    Examples
    --------
    >>> from segue.model.workflow import Nothing
    >>> parameter_text(Task("fit", Nothing(), parameters={"A": 1, "B": "x"}))
    'A:1;B:x'
    """
    if isinstance(node, Barrier) or not node.parameters:
        return ""
    return ";".join(f"{name}:{value}" for name, value in node.parameters.items())


def outline_to_text(outline: Outline) -> str:
    """Return the outline as it is kept in a file."""
    return json.dumps({"version": VERSION, **asdict(outline)}, separators=(",", ":"))


def outline_from_text(text: str) -> Outline | None:
    """Return the outline of a file's text, or None if it is not one of ours."""
    try:
        value: Any = json.loads(text)
        if value.pop("version") != VERSION:
            return None
        return Outline(**value)
    except (ValueError, TypeError, AttributeError, KeyError):
        return None


# The order of the rows -----------------------------------------------------------


def _table_order(nodes: Sequence[Node], needs: Sequence[Sequence[int]]) -> list[int]:
    """Return the tasks breadth first from those without needs, as the original lists them.

    Dependents of one task come in the order of launch of their steps (`launch_order`), and
    the instances of a step in the order of its combinations.
    """
    rank = _ranks(nodes, needs)
    dependents: list[list[int]] = [[] for _ in nodes]
    for position, needed in enumerate(needs):
        for need in needed:
            dependents[need].append(position)
    tasks = [position for position, node in enumerate(nodes) if isinstance(node, Task)]
    seen = {position for position in tasks if not needs[position]}
    order = sorted(seen, key=rank.__getitem__)
    waiting = deque(order)
    while waiting:
        found = [
            each for each in _tasks_behind(waiting.popleft(), nodes, dependents) if each not in seen
        ]
        fresh = sorted(set(found), key=rank.__getitem__)
        seen.update(fresh)
        order += fresh
        waiting += fresh
    return order


def _tasks_behind(
    position: int, nodes: Sequence[Node], dependents: list[list[int]]
) -> Iterator[int]:
    """Yield who needs the task, through barriers too; each barrier is passed only once."""
    for each in dependents[position]:
        if isinstance(nodes[each], Task):
            yield each
        else:
            # The first member to come here finds all that wait behind the barrier.
            behind, dependents[each] = dependents[each], []
            yield from behind


def _ranks(nodes: Sequence[Node], needs: Sequence[Sequence[int]]) -> dict[int, tuple[int, int]]:
    """Return for each task where it is in the order of launch: its step, then itself."""
    steps: dict[str, list[int]] = {}
    for position, node in enumerate(nodes):
        if isinstance(node, Task):
            steps.setdefault(node.template or node.name, []).append(position)
    in_file = sorted(steps, key=lambda name: _written_at(nodes[steps[name][0]], steps[name][0]))
    needed = {name: _steps_needed(steps[name], nodes, needs) for name in in_file}
    number = {name: at for at, name in enumerate(launch_order(needed))}
    return {position: (number[name], position) for name in steps for position in steps[name]}


def _written_at(node: Node, position: int) -> tuple[int, int, int]:
    place = node.place if isinstance(node, Task) else None
    return (place.line, place.column, position) if place else (0, 0, position)


def _steps_needed(
    positions: Iterable[int], nodes: Sequence[Node], needs: Sequence[Sequence[int]]
) -> list[str]:
    found: dict[str, None] = {}
    barriers: set[int] = set()
    for position in positions:
        for need in needs[position]:
            node = nodes[need]
            if isinstance(node, Task):
                found[node.template or node.name] = None
            elif need not in barriers:
                barriers.add(need)
                for member in needs[need]:
                    inner = nodes[member]
                    if isinstance(inner, Task):
                        found[inner.template or inner.name] = None
    return list(found)


def launch_order(needs: Mapping[str, Iterable[str]]) -> list[str]:
    """Return the steps in the order in which Maestro launches them (specification 2.2).

    `needs` maps each step, in the order of the file, to those it needs. Depth first over
    dependents, each put in front when done: independent steps come in reverse order.

    Examples
    --------
    >>> launch_order({"a": [], "b": [], "c": ["a"]})
    ['b', 'a', 'c']
    """
    dependents: dict[str, list[str]] = {name: [] for name in needs}
    for name, needed in needs.items():
        for need in needed:
            dependents[need].append(name)
    seen: set[str] = set()
    done: list[str] = []
    for root in (name for name, needed in needs.items() if not needed):
        seen.add(root)
        path = [(root, iter(dependents[root]))]
        while path:
            name, left = path[-1]
            following = next((each for each in left if each not in seen), None)
            if following is None:
                done.append(name)
                path.pop()
            else:
                seen.add(following)
                path.append((following, iter(dependents[following])))
    return done[::-1]
