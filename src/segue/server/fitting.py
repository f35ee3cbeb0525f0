"""Which tasks an intervention would change, and why it would not change the others."""

from __future__ import annotations

from collections.abc import Sequence

from segue.engine.commands import CommandKind
from segue.model.errors import RefusedError, shorten
from segue.model.states import FINAL, OUTSIDE, TaskState
from segue.model.workflow import Task
from segue.protocols.store import StoredNode, TaskFilter
from segue.server.desk import Desk


def named_tasks(desk: Desk, run: str, names: Sequence[str]) -> list[StoredNode]:
    """Return the tasks of these names, each once, by position.

    Raises
    ------
    NotFoundError
        If one of them is not there.
    """
    found = {
        each.node.name: each
        for each in desk.store.nodes(run, TaskFilter(names=tuple(dict.fromkeys(names))))
        if isinstance(each.node, Task)
    }
    for name in names:
        if name not in found:
            desk.task(run, name)  # says what is wrong with it
    return list(found.values())


def fitting_tasks(
    desk: Desk, run: str, names: Sequence[str], wanted: CommandKind, *, all_or_none: bool
) -> list[str]:
    """Return the names of those tasks that would be changed.

    Raises
    ------
    NotFoundError
        If the run or one of the tasks is not there.
    RefusedError
        If none of them would be changed, or, with `all_or_none`, if one would not.
    """
    desk.run(run)
    chosen = named_tasks(desk, run, names)
    refusals = {each.node.name: refusal(each, wanted) for each in chosen}
    refused = [each for each in refusals.values() if each is not None]
    if refused and (all_or_none or len(refused) == len(chosen)):
        raise refused[0]
    return [name for name, why_not in refusals.items() if why_not is None]


def refusal(stored: StoredNode, wanted: CommandKind) -> RefusedError | None:
    """Return why what is wanted would change nothing at a task; None: it would."""
    record = stored.record
    state, name = record.state, shorten(stored.node.name)
    if wanted is CommandKind.CANCEL and state in FINAL:
        return RefusedError(f"task {name!r} has ended already: {state}")
    if wanted is CommandKind.HOLD and (state in FINAL or state in OUTSIDE):
        return RefusedError(f"task {name!r} cannot be held: it is {state}")
    if wanted is CommandKind.RELEASE and not record.held:
        return RefusedError(f"task {name!r} is not held")
    if wanted is CommandKind.MARK_DONE and (state is TaskState.SUCCEEDED or state in OUTSIDE):
        hint = "kill it first" if state in OUTSIDE else ""
        return RefusedError(f"task {name!r} cannot be marked as done: it is {state}", hint)
    return None
