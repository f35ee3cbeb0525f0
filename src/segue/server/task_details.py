"""One task as its page shows it: what it does, what it waits for, what it has tried."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from segue.engine.explain import Explanation, explain
from segue.model.run import AttemptRecord, RunRecord
from segue.model.states import FINAL, FINAL_RUN, TaskState
from segue.model.workflow import Barrier, Task
from segue.protocols import windows
from segue.protocols.store import StoredNode, TaskFilter
from segue.server import documents as d
from segue.server import shapes
from segue.server.desk import Desk
from segue.server.masking import masked
from segue.server.site import Site
from segue.server.skeletons import Skeleton

#: So many needs, and so many dependents, are named.
NEIGHBOURS_NAMED: Final = 100
#: Of more needs than these it is only said how many they are.
NEEDS_EXPLAINED: Final = 2000
HINTS: Final = 8


def row_of(desk: Desk, run: str, task: str) -> d.TaskRow:
    """Return a task as tables show it."""
    stored = desk.task(run, task)
    attempts = desk.attempts(run, stored)
    return shapes.task_row(_row(stored, attempts), desk.clock.now())


def _row(stored: StoredNode, attempts: Sequence[AttemptRecord]) -> windows.TaskRow:
    assert isinstance(stored.node, Task)
    return windows.TaskRow(
        stored.position,
        stored.node.name,
        stored.node.template,
        False,
        stored.record,
        attempts[-1] if attempts else None,
    )


def task_document(desk: Desk, site: Site, run: str, name: str) -> d.Task:
    """Return all that is known of a task."""
    row, now = desk.run(run), desk.clock.now()
    stored = desk.task(run, name)
    task = stored.node
    assert isinstance(task, Task)
    attempts = desk.attempts(run, stored)
    skeleton = site.skeletons.of(run, desk.windows)
    at = stored.position
    dependents = skeleton.dependents[at] if at < len(skeleton.names) else ()
    lease = desk.engine_of(row)
    owned = lease is not None and desk.is_alive(lease)
    owned = owned or row.record.state in FINAL_RUN
    return d.Task(
        **shapes.task_row(_row(stored, attempts), now).model_dump(),
        definition=shapes.definition(task),
        action=shapes.action(task),
        parameters=masked(task.parameters),
        needs=_neighbours(desk, run, task.needs[:NEIGHBOURS_NAMED], skeleton, waits=False),
        need_count=len(task.needs),
        dependents=_neighbours(
            desk,
            run,
            [skeleton.names[each] for each in dependents[:NEIGHBOURS_NAMED]],
            skeleton,
            waits=True,
        ),
        dependent_count=len(dependents),
        trigger=task.trigger.value,
        retry=shapes.retry(task),
        resources=shapes.resources(task),
        why=_why(desk, row.record, stored, skeleton, owned=owned),
        attempt_list=[shapes.attempt(each, now) for each in attempts],
        generated_by=task.generated_by or None,
    )


def _why(
    desk: Desk, record: RunRecord, stored: StoredNode, skeleton: Skeleton, *, owned: bool
) -> d.Why:
    """Return why the task is where it is; of very many needs only how many they are."""
    waited_for = _needs_behind(skeleton, stored.position)
    skipped_far_down = (
        stored.record.state is TaskState.SKIPPED and len(skeleton.names) > NEEDS_EXPLAINED
    )
    if waited_for > NEEDS_EXPLAINED or skipped_far_down:
        said = _explained_in_short(desk, record, stored, waited_for, owned=owned)
    else:
        said = explain(desk.store, record, stored, desk.clock.now(), owned)
    return d.Why(
        sentence=said.sentence,
        hints=[*said.reasons, *said.steps],
        reasons=list(said.reasons),
        steps=list(said.steps),
    )


def _needs_behind(skeleton: Skeleton, position: int) -> int:
    """Return how many nodes a task waits for, those behind its barriers counted."""
    if position >= len(skeleton.names):
        return 0
    return sum(
        len(skeleton.needs[need]) if skeleton.is_barrier(need) else 1
        for need in skeleton.needs[position]
    )


def _explained_in_short(
    desk: Desk, record: RunRecord, stored: StoredNode, waited_for: int, *, owned: bool
) -> Explanation:
    """Return why the task is where it is, without reading each of its needs."""
    state, name = stored.record.state, stored.node.name
    if state is TaskState.WAITING and not stored.record.held and not stored.record.not_before:
        wanted = TaskFilter(names=tuple(stored.node.needs[:NEIGHBOURS_NAMED]))
        open_needs = [
            f"{each.node.name}: {each.record.state}"
            for each in desk.store.nodes(record.id, wanted)
            if each.record.state not in FINAL
        ]
        return Explanation(name, state, f"it waits for {waited_for:,} needs", open_needs[:HINTS])
    if state is TaskState.SKIPPED:
        query = windows.TaskQuery(states=(TaskState.FAILED, TaskState.CANCELLED), limit=HINTS)
        unhappy = [
            f"in this run {each.name} has {each.record.state}"
            for each in desk.windows.tasks(record.id, query)
        ]
        return Explanation(name, state, "it was skipped: a need did not succeed", unhappy)
    assert isinstance(stored.node, Task)
    alone = stored._replace(node=replace(stored.node, needs=()))
    return explain(desk.store, record, alone, desk.clock.now(), owned)


def _neighbours(
    desk: Desk, run: str, names: Sequence[str], skeleton: Skeleton, *, waits: bool
) -> list[d.Neighbour]:
    """Return the nodes of these names in their order; `waits`: they are behind the task."""
    if not names:
        return []
    found = {each.node.name: each for each in desk.store.nodes(run, TaskFilter(names=tuple(names)))}
    shown = []
    for name in dict.fromkeys(names):
        each = found.get(name)
        if each is None:
            continue
        barrier = isinstance(each.node, Barrier)
        number = 1
        if barrier and waits and each.position < len(skeleton.names):
            number = len(skeleton.dependents[each.position])
        elif barrier:
            number = len(each.node.needs)
        kind = "barrier" if barrier else "task"
        shown.append(
            d.Neighbour.model_validate(
                {"name": name, "state": each.record.state, "kind": kind, "tasks": number}
            )
        )
    return shown
