"""Order, cycles and barriers: what the drawing room checks before anything is stored."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping, Sequence

from segue.model.errors import Problem, did_you_mean, shorten
from segue.model.workflow import Barrier, Task, Workflow

BARRIER_PREFIX = "barrier:"


def find_cycle(needs: Mapping[str, Sequence[str]]) -> list[str]:
    """Return the nodes of one cycle in order, or ``[]`` when there is none.

    Needs that are not keys are passed over. One pass over all edges.

    Examples
    --------
    >>> find_cycle({"a": ["b"], "b": ["c"], "c": ["a"], "d": ["a"]})
    ['a', 'b', 'c']
    >>> find_cycle({"a": [], "b": ["a"]})
    []
    """
    left = _not_ordered(needs)
    if not left:
        return []
    # Every node that is left needs a node that is left, so a walk along needs
    # must come back to where it has been.
    seen: dict[str, int] = {}
    node = next(iter(left))
    while node not in seen:
        seen[node] = len(seen)
        node = next(need for need in needs[node] if need in left)
    walk = list(seen)
    return walk[seen[node] :]


def _not_ordered(needs: Mapping[str, Sequence[str]]) -> dict[str, int]:
    """Return the nodes that no order can hold, in their own order, with their open needs."""
    dependents: dict[str, list[str]] = {}
    left: dict[str, int] = {}
    for name, wanted in needs.items():
        known = [need for need in wanted if need in needs]
        left[name] = len(known)
        for need in known:
            dependents.setdefault(need, []).append(name)
    free = deque(name for name, count in left.items() if not count)
    while free:
        name = free.popleft()
        del left[name]
        for dependent in dependents.get(name, ()):
            left[dependent] -= 1
            if not left[dependent]:
                free.append(dependent)
    return left


def join(
    template: str,
    instances: Sequence[str],
    dependents: int,
    barriers: dict[str, Barrier],
) -> tuple[str, ...]:
    """Return what a task needs in order to need all `instances` of `template`.

    With several instances and several `dependents` the answer is one barrier,
    which is put into `barriers` under its name; otherwise the instances themselves.

    Examples
    --------
    >>> barriers = {}
    >>> join("a", ["a_1", "a_2"], 1, barriers), barriers
    (('a_1', 'a_2'), {})
    >>> join("a", ["a_1", "a_2"], 3, barriers), list(barriers)
    (('barrier:a',), ['barrier:a'])
    """
    if len(instances) < 2 or dependents < 2:
        return tuple(instances)
    name = BARRIER_PREFIX + template
    barriers.setdefault(name, Barrier(name, tuple(instances)))
    return (name,)


def check_graph(workflow: Workflow) -> list[Problem]:
    """Return what is wrong with the graph: names twice, unknown needs, cycles.

    Dialects check their own text with places first; this is the last gate
    before anything is stored, for every dialect alike.
    """
    problems: list[Problem] = []
    needs: dict[str, Sequence[str]] = {}
    nodes: Iterable[Task | Barrier] = (*workflow.tasks, *workflow.barriers)
    for node in nodes:
        if node.name in needs:
            place = node.place if isinstance(node, Task) else None
            quoted = shorten(node.name)
            problems.append(Problem("duplicate_task", f"two tasks are named {quoted!r}", place))
        needs[node.name] = node.needs
    for task in workflow.tasks:
        for need in task.needs:
            if need not in needs:
                hint = did_you_mean(need, [each.name for each in workflow.tasks])
                message = (
                    f"task {shorten(task.name)!r} needs {shorten(need)!r}, which does not exist"
                )
                problems.append(Problem("unknown_task", message, task.place, hint))
    cycle = find_cycle(needs)
    if cycle:
        path = " -> ".join(shorten(name) for name in [*cycle[:20], cycle[0]])
        problems.append(Problem("cycle", f"these tasks wait for each other: {path}"))
    return problems
