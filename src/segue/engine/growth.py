"""What a generator adds, fitted into its run: the checks that no dialect can make. Pure.

A dialect sees what was printed and the names of the run; only here are the run's own
edges known.
"""

from __future__ import annotations

from dataclasses import replace

from segue.engine.live_run import LiveRun
from segue.model.errors import shorten
from segue.model.graph import BARRIER_PREFIX, find_cycle, join
from segue.model.run import Node
from segue.model.states import FINAL
from segue.model.workflow import Barrier, Growth


def fit(run: LiveRun, generator: int, growth: Growth) -> Growth:
    """Return the growth with what the generator's dependents inherit.

    With `Generator.inherit_dependents`, whoever waits for the generator also waits for
    the new tasks that nothing new waits for.
    """
    task = run.task(generator)
    if task.generator is None or not task.generator.inherit_dependents:
        return growth
    new: list[Node] = [*growth.tasks, *growth.barriers]
    needed = {need for node in new for need in node.needs}
    ends = [new.name for new in growth.tasks if new.name not in needed]
    heirs = [
        run.nodes[position].name
        for position in run.dependents[generator]
        if run.records[position].state not in FINAL
    ]
    barriers: dict[str, Barrier] = {}
    needs = join(f"{task.name}>heirs", ends, len(heirs), barriers)
    known = set(growth.late_needs)
    late = [(heir, need) for heir in heirs for need in needs if (heir, need) not in known]
    return replace(
        growth,
        barriers=(*growth.barriers, *barriers.values()),
        late_needs=(*growth.late_needs, *late),
    )


def fault(run: LiveRun, growth: Growth) -> str:
    """Return why the growth cannot be added to the run, or ``""``."""
    new: dict[str, Node] = {}
    added: list[Node] = [*growth.tasks, *growth.barriers]
    for node in added:
        if node.name in run.index or node.name in new:
            return f"there is a task {shorten(node.name)!r} already"
        new[node.name] = node
    for node in new.values():
        for need in node.needs:
            if need not in run.index and need not in new:
                return f"task {shorten(node.name)!r} needs {shorten(need)!r}, which does not exist"
    for name, need in growth.late_needs:
        if name not in run.index or need not in new:
            return f"{shorten(name)!r} cannot come to need {shorten(need)!r}"
    cycle = _cycle(run, growth, new)
    if cycle:
        names = [shorten(name) for name in [*cycle[:20], cycle[0]]]
        shown = [name for name in names if not name.startswith(BARRIER_PREFIX)]
        return f"these tasks would wait for each other: {' -> '.join(shown)}"
    return ""


def _cycle(run: LiveRun, growth: Growth, new: dict[str, Node]) -> list[str]:
    """Return a cycle that the growth would close. Only what is above it is walked."""
    if not growth.late_needs and not growth.tasks:
        return []
    late: dict[str, list[str]] = {}
    for name, need in growth.late_needs:
        late.setdefault(name, []).append(need)
    needs: dict[str, list[str]] = {}
    todo = list(new)
    while todo:
        name = todo.pop()
        if name in needs:
            continue
        node = new.get(name) or run.nodes[run.index[name]]
        needs[name] = [*node.needs, *late.get(name, ())]
        todo += needs[name]
    return find_cycle(needs)
