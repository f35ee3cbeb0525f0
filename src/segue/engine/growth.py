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
from segue.model.states import FINAL, TaskState
from segue.model.workflow import Barrier, Growth, Task


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
        if run.records[position].state not in FINAL and not _is_own(run, position, task.name)
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


def _is_own(run: LiveRun, position: int, generator: str) -> bool:
    node = run.nodes[position]
    return isinstance(node, Task) and node.generated_by == generator


def regrow(run: LiveRun, generator: int, growth: Growth) -> Growth:
    """Return the growth without what this generator has added before, when it runs once more.

    What it prints otherwise now is among `patched`, as long as that has not succeeded. What
    cannot be brought in line stays among the new tasks, where `fault` will find it.
    """
    name = run.task(generator).name
    new = [replace(task, generated_by=name) for task in growth.tasks]
    names = [task.name for task in new] + [barrier.name for barrier in growth.barriers]
    if all(each not in run.index for each in names):
        return replace(growth, tasks=tuple(new))
    added: list[Task] = []
    patched: list[Task] = []
    for task in new:
        before = _node(run, task.name)
        if not isinstance(before, Task) or before.generated_by != name:
            added.append(task)
        elif not _is_same(before, task):
            may_change = before.needs == task.needs and before.trigger == task.trigger
            done = run.records[run.index[task.name]].state is TaskState.SUCCEEDED
            (patched if may_change and not done else added).append(task)
    barriers = [each for each in growth.barriers if _node(run, each.name) != each]
    late = [
        (old, need)
        for old, need in growth.late_needs
        if need not in run.nodes[run.index[old]].needs
    ]
    return replace(
        growth,
        tasks=tuple(added),
        barriers=tuple(barriers),
        late_needs=tuple(late),
        patched=tuple(patched),
    )


def _node(run: LiveRun, name: str) -> Node | None:
    position = run.index.get(name)
    return None if position is None else run.nodes[position]


def _is_same(before: Task, after: Task) -> bool:
    # Where in the output it stands is no matter.
    return replace(before, place=None) == replace(after, place=None)


def fault(run: LiveRun, growth: Growth) -> str:
    """Return why the growth cannot be added to the run, or ``""``."""
    new: dict[str, Node] = {}
    added: list[Node] = [*growth.tasks, *growth.barriers]
    for node in added:
        if node.name in run.index or node.name in new:
            return _clash(run, node.name)
        new[node.name] = node
    for node in new.values():
        for need in node.needs:
            if need not in run.index and need not in new:
                return f"task {shorten(node.name)!r} needs {shorten(need)!r}, which does not exist"
    for name, need in growth.late_needs:
        if name not in run.index or (need not in new and need not in run.index):
            return f"{shorten(name)!r} cannot come to need {shorten(need)!r}"
    cycle = _cycle(run, growth, new)
    if cycle:
        names = [shorten(name) for name in [*cycle[:20], cycle[0]]]
        shown = [name for name in names if not name.startswith(BARRIER_PREFIX)]
        return f"these tasks would wait for each other: {' -> '.join(shown)}"
    return ""


def _clash(run: LiveRun, name: str) -> str:
    before = _node(run, name)
    said = f"there is a task {shorten(name)!r} already"
    if isinstance(before, Task) and before.generated_by:
        return f"{said}: it has succeeded, or had other needs, when it was generated before"
    return said


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
