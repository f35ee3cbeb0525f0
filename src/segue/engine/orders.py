"""What follows when a person asks something of a run. Pure."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import replace

from segue.engine.draft import Draft, is_waiting_for_needs
from segue.engine.live_run import CancelJob, Recall
from segue.engine.settle import answer_needs, rule_of, settle
from segue.engine.trigger import Answer, answer
from segue.model.events import (
    CancelRun,
    CancelTask,
    PauseRun,
    ResumeRun,
    RetryTasks,
    Reused,
    ReusedTask,
    UpdateRun,
)
from segue.model.run import TaskRecord
from segue.model.states import FINAL, FINAL_RUN, OUTSIDE, RETRIABLE, Cause, RunState, TaskState
from segue.model.workflow import Barrier, Task


def cancel_run(draft: Draft, event: CancelRun) -> None:
    """Stop everything; the run ends when nothing of it is outside any more."""
    if draft.run.state in FINAL_RUN:
        return
    draft.set_run(replace(draft.run, cancelling=True))
    for position in range(draft.size):
        if draft.record(position).state not in FINAL:
            _cancel(draft, position, event.reason)


def cancel_task(draft: Draft, event: CancelTask) -> None:
    """Stop one task; what needs it follows its rule."""
    if draft.record(event.task).state in FINAL or isinstance(draft.node(event.task), Barrier):
        return
    if _cancel(draft, event.task, event.reason):
        settle(draft, event.task)


def _cancel(draft: Draft, position: int, reason: str) -> bool:
    """Cancel one node; return whether it has ended by that."""
    record = draft.record(position)
    if record.state in OUTSIDE:
        draft.keep(position, record._replace(cancelling=True))
        draft.deeds.append(CancelJob(position, record.attempt))
        return False
    cancelled = record._replace(state=TaskState.CANCELLED, cause=Cause.CANCELLED)
    draft.step(position, cancelled, Cause.CANCELLED, reason)
    return True


def retry(draft: Draft, event: RetryTasks) -> None:
    """Let tasks that did not succeed run again, and what was skipped behind them."""
    if event.force:
        chosen = _with_all_behind(draft, event.tasks)
    else:
        wanted = set(event.tasks or range(draft.size))
        chosen = {each for each in wanted if draft.record(each).state in RETRIABLE}
        chosen |= skipped_behind(draft, chosen)
    if not chosen:
        return
    for position in sorted(chosen):
        record = draft.record(position)
        fresh = TaskRecord(attempt=record.attempt)
        if record.state is TaskState.WAITING:
            # Its needs are open again, which it waits for in place of any pause.
            draft.keep(position, fresh._replace(held=record.held))
        else:
            draft.step(position, fresh, None, "again" if event.force else "retry")
    go_on(draft)
    answer_again(draft, chosen)


def go_on(draft: Draft) -> None:
    """Let a run that may have ended live: some of its tasks have work again."""
    state = draft.run.state if draft.run.state is RunState.PAUSED else RunState.RUNNING
    draft.set_run(replace(draft.run, state=state, cancelling=False, ended_at=None))


def answer_again(draft: Draft, changed: set[int]) -> None:
    """Count anew what nodes wait for that were changed, or stand behind such, and answer them."""
    behind = {each for position in changed for each in draft.dependents(position)}
    waiting = {each for each in changed | behind if is_waiting_for_needs(draft.record(each))}
    for position in sorted(waiting):
        draft.recount(position)
    for position in sorted(waiting):
        if answer_needs(draft, position):
            settle(draft, position)


def _with_all_behind(draft: Draft, tasks: tuple[int, ...]) -> set[int]:
    """Return the tasks with all that stands behind them, but those with anything outside.

    What is out now would see its needs undone under its feet.
    """
    out_behind = _leading_outside(draft)
    free = {task for task in tasks if task not in out_behind}
    for task in tasks:
        if task in out_behind:
            name, out = draft.node(task).name, draft.node(out_behind[task]).name
            draft.remarks.append(f"{name} does not run again: {out} is out now")
    return free | _behind(draft, free, lambda record: True)


def _leading_outside(draft: Draft) -> dict[int, int]:
    """Return the nodes that are out and all before them, each with one that is out."""
    found = {position: position for position in draft.base.in_flight}
    todo = list(found)
    while todo:
        after = todo.pop()
        for need in draft.node(after).needs:
            before = draft.position(need)
            if before not in found:
                found[before] = found[after]
                todo.append(before)
    return found


def skipped_behind(draft: Draft, chosen: set[int]) -> set[int]:
    """Return the skipped nodes behind the chosen ones: they get their chance again."""
    return _behind(draft, chosen, lambda record: record.state is TaskState.SKIPPED)


def _behind(draft: Draft, begun: set[int], leads_on: Callable[[TaskRecord], bool]) -> set[int]:
    """Return the nodes behind others, near or far, as long as one after the other leads on."""
    found: set[int] = set()
    todo = list(begun)
    while todo:
        for dependent in draft.dependents(todo.pop()):
            known = dependent in found or dependent in begun
            if not known and leads_on(draft.record(dependent)):
                found.add(dependent)
                todo.append(dependent)
    return found


def pause(draft: Draft, event: PauseRun) -> None:
    """Let nothing more start."""
    if draft.run.state is RunState.RUNNING:
        draft.set_run(replace(draft.run, state=RunState.PAUSED))
        draft.deeds.append(Recall())


def resume(draft: Draft, event: ResumeRun) -> None:
    """Let a paused run go on."""
    if draft.run.state is RunState.PAUSED:
        draft.set_run(replace(draft.run, state=RunState.RUNNING))


def update_run(draft: Draft, event: UpdateRun) -> None:
    """Change the limits of a run; decisions from now on keep the new ones.

    Nothing that runs is stopped. What executors hold ahead comes back when a lower
    limit has no room for it.
    """
    if draft.run.state in FINAL_RUN:
        return
    limit = draft.run.limit if event.limit is None else event.limit
    wanted = event.restart_limit
    restart_limit = draft.run.restart_limit if wanted is None else wanted
    draft.set_run(replace(draft.run, limit=limit, restart_limit=restart_limit))
    if limit and len(draft.base.in_flight) > limit:
        draft.deeds.append(Recall())


def reuse(draft: Draft, event: Reused) -> None:
    """Let the tasks that an earlier run has done succeed, in an order that the graph allows.

    A task is passed over when it has been let start, or when not all that it needs
    has succeeded: then it runs, as if nobody had asked.
    """
    wanted = {each.task: each for each in event.tasks}
    todo = deque(range(draft.size))
    while todo:
        position = todo.popleft()
        found = wanted.get(position)
        if not _may_be_reused(draft, position, found):
            continue
        record = draft.record(position)._replace(state=TaskState.SUCCEEDED, cause=None)
        if found is None:
            draft.step(position, record)
        else:
            number = max((each.number for each in found.attempts), default=0)
            record = record._replace(attempt=number, reused_from=found.run)
            draft.step(position, record, None, f"taken over from {found.run}")
            draft.reused.extend(each._replace(task=position) for each in found.attempts)
        for dependent in draft.dependents(position):
            draft.set_tally(dependent, draft.tally(dependent).settled(record))
            todo.append(dependent)
    for position in range(draft.size):
        if answer_needs(draft, position):
            settle(draft, position)


def _may_be_reused(draft: Draft, position: int, found: ReusedTask | None) -> bool:
    """Tell whether a node can succeed without running: barriers open as they always do."""
    node, record = draft.node(position), draft.record(position)
    if not is_waiting_for_needs(record) or record.attempt:
        return False
    if found is None and isinstance(node, Task):
        return False
    tally = draft.tally(position)
    if tally.open or tally.faulty or tally.neutral:
        return False
    return answer(rule_of(node), tally) is Answer.START
