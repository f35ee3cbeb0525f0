"""What the end of a node means for those that need it. Pure.

Works on a draft: tallies are kept, trigger rules answered, ends passed on.
"""

from __future__ import annotations

from collections import deque

from segue.engine.draft import Draft, is_waiting_for_needs
from segue.engine.trigger import Answer, answer, skip_cause
from segue.model.states import TaskState
from segue.model.workflow import Barrier, Nothing, Task, TriggerRule


def settle(draft: Draft, position: int) -> None:
    """Tell the dependents of an ended node, and theirs, as far as that decides anything."""
    ended = deque([position])
    while ended:
        position = ended.popleft()
        record = draft.record(position)
        for dependent in draft.dependents(position):
            draft.set_tally(dependent, draft.tally(dependent).settled(record))
            if answer_needs(draft, dependent):
                ended.append(dependent)


def answer_needs(draft: Draft, position: int) -> bool:
    """Let a waiting node start or skip if its rule says so; return whether it has ended."""
    record = draft.record(position)
    if not is_waiting_for_needs(record):
        return False
    node, tally = draft.node(position), draft.tally(position)
    rule = rule_of(node)
    said = answer(rule, tally)
    if said is Answer.WAIT:
        return False
    if said is Answer.SKIP:
        cause = skip_cause(rule, tally)
        draft.step(position, record._replace(state=TaskState.SKIPPED, cause=cause), cause)
        return True
    if record.held:
        return False
    if isinstance(node, Barrier) or isinstance(node.action, Nothing):
        draft.step(position, record._replace(state=TaskState.SUCCEEDED, cause=None))
        return True
    draft.step(position, record._replace(state=TaskState.READY, cause=None))
    return False


def rule_of(node: Task | Barrier) -> TriggerRule:
    """Return the trigger rule of a task, or what amounts to one of a barrier."""
    if isinstance(node, Task):
        return node.trigger
    return TriggerRule.ALL_COMPLETED if node.any_end else TriggerRule.ALL_SUCCESS
