"""The judge: what follows when something happens to a run.

Pure: no I/O, no clock, nothing remembered. `decide` and `admit` read a run and
answer with a `Decision`; they change nothing. The same run, event and time always
give the same answer, so every rule here can be tested by telling it what happened.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import replace
from typing import Any, Final

from segue.engine.draft import Draft, is_waiting_for_needs
from segue.engine.folders import attempt_folder
from segue.engine.live_run import (
    NO_DECISION,
    CancelJob,
    Decision,
    LiveRun,
    ReadOutput,
    Recall,
    Submit,
)
from segue.engine.retry import is_restart, next_try
from segue.engine.trigger import Answer, answer, skip_cause
from segue.model.events import (
    CancelRun,
    CancelTask,
    Ended,
    Event,
    Grown,
    GrowthFailed,
    PauseRun,
    ResumeRun,
    RetryTasks,
    Returned,
    Started,
    Submitted,
)
from segue.model.run import AttemptRecord, TaskRecord
from segue.model.states import (
    FINAL,
    FINAL_RUN,
    OUTSIDE,
    RETRIABLE,
    Cause,
    RunState,
    TaskState,
)
from segue.model.workflow import Barrier, Nothing, Task, TriggerRule, Verdict


def decide(run: LiveRun, event: Event | None, now: float) -> Decision:
    """Return what follows from `event` at the time `now`; None asks what time alone does.

    An event of an attempt that is not the task's newest, or that has ended,
    changes nothing.
    """
    draft = Draft(run, now)
    if event is None:
        _time_passed(draft)
    else:
        _HANDLERS[type(event)](draft, event)
    _end_run(draft)
    return draft.decision()


def admit(run: LiveRun, pool: str, executor: str, room: int, now: float) -> Decision:
    """Return the steps that let up to `room` ready tasks of the pool start.

    The run's own limit, a pause and a cancel are kept. `executor` is the name of the
    executor that serves the pool.
    """
    if run.record.state is not RunState.RUNNING or run.record.cancelling:
        return NO_DECISION
    if run.record.limit:
        room = min(room, run.record.limit - len(run.in_flight))
    if room <= 0:
        return NO_DECISION
    draft = Draft(run, now)
    for position in run.ready(pool, room):
        _start(draft, position, executor)
    return draft.decision()


# Jobs ------------------------------------------------------------------------


def _start(draft: Draft, position: int, executor: str) -> None:
    record = draft.record(position)
    number = record.attempt + 1
    task = draft.base.task(position)
    draft.step(position, record._replace(state=TaskState.SUBMITTING, attempt=number))
    draft.set_attempt(
        AttemptRecord(
            position,
            number,
            TaskState.SUBMITTING,
            executor,
            attempt_folder(draft.run, position, task.name, number),
            submitted_at=draft.now,
            restarted=is_restart(task, record),
        )
    )
    draft.deeds.append(Submit(position, number))


def _current(draft: Draft, event: Any) -> tuple[TaskRecord, AttemptRecord] | None:
    """Return the task's record and attempt if the event is about its living newest one."""
    if event.task >= draft.size:
        return None
    record = draft.record(event.task)
    attempt = draft.attempt(event.task)
    if record.state not in OUTSIDE or record.attempt != event.attempt or attempt is None:
        return None
    # A generator whose job has ended waits for its output to be read.
    if attempt.ended_at is not None and not isinstance(event, Grown | GrowthFailed):
        return None
    return record, attempt


def _submitted(draft: Draft, event: Submitted) -> None:
    current = _current(draft, event)
    if current is None or current[0].state is not TaskState.SUBMITTING:
        return
    record, attempt = current
    draft.step(event.task, record._replace(state=TaskState.SUBMITTED))
    draft.set_attempt(attempt._replace(state=TaskState.SUBMITTED, job_id=event.job_id))


def _started(draft: Draft, event: Started) -> None:
    current = _current(draft, event)
    if current is None or current[0].state is TaskState.RUNNING:
        return
    record, attempt = current
    draft.step(event.task, record._replace(state=TaskState.RUNNING))
    draft.set_attempt(
        attempt._replace(
            state=TaskState.RUNNING,
            job_id=event.job_id or attempt.job_id,
            node=event.node,
            started_at=event.at,
        )
    )


def _returned(draft: Draft, event: Returned) -> None:
    current = _current(draft, event)
    if current is None:
        return
    record, attempt = current
    if record.state is TaskState.RUNNING:
        # It had begun, and now its executor knows nothing of it: nobody ever will.
        lost = attempt._replace(ended_at=event.at, cause=Cause.LOST)
        _failed(draft, draft.base.task(event.task), lost, Cause.LOST)
        return
    if record.cancelling:
        cancelled = attempt._replace(ended_at=event.at, cause=Cause.CANCELLED)
        _finish(draft, event.task, cancelled, TaskState.CANCELLED, Cause.CANCELLED)
        return
    # The attempt never began: its number is given out again.
    draft.set_attempt(attempt._replace(state=TaskState.READY))
    draft.step(
        event.task,
        record._replace(state=TaskState.READY, attempt=record.attempt - 1),
        None,
        "returned",
    )


def _ended(draft: Draft, event: Ended) -> None:
    current = _current(draft, event)
    if current is None:
        return
    record, attempt = current
    attempt = attempt._replace(
        cause=event.cause,
        exit_code=event.exit_code,
        signal=event.signal,
        usage=event.usage,
        message=event.message,
        started_at=attempt.started_at or event.started_at,
        ended_at=event.at,
    )
    task = draft.base.task(event.task)
    if event.cause is None and task.generator is None:
        _finish(draft, event.task, attempt, TaskState.SUCCEEDED, None)
    elif event.cause is None:
        if record.state is not TaskState.RUNNING:
            draft.step(event.task, record._replace(state=TaskState.RUNNING))
        draft.set_attempt(attempt._replace(state=TaskState.RUNNING))
        draft.deeds.append(ReadOutput(event.task, event.attempt))
    else:
        _failed(draft, task, attempt, event.cause)


def _failed(draft: Draft, task: Task, attempt: AttemptRecord, cause: Cause) -> None:
    """Try again if a budget allows it, else let the task end."""
    position = attempt.task
    record = draft.record(position)
    if record.cancelling or draft.run.cancelling:
        _finish(draft, position, attempt, TaskState.CANCELLED, Cause.CANCELLED)
        return
    again = next_try(task, record, cause, draft.now)
    if again is None:
        _finish(draft, position, attempt, TaskState.FAILED, cause)
        return
    draft.set_attempt(attempt._replace(state=TaskState.FAILED))
    draft.step(position, again, cause, attempt.message)
    if again.not_before <= draft.now:
        draft.step(position, again._replace(state=TaskState.READY))


def _finish(
    draft: Draft, position: int, attempt: AttemptRecord, state: TaskState, cause: Cause | None
) -> None:
    draft.set_attempt(attempt._replace(state=state))
    record = draft.record(position)._replace(state=state, cause=cause, cancelling=False)
    draft.step(position, record, cause, attempt.message)
    _settle(draft, position)


def _settle(draft: Draft, position: int) -> None:
    """Tell the dependents of an ended node, and theirs, as far as that decides anything."""
    ended = deque([position])
    while ended:
        position = ended.popleft()
        record = draft.record(position)
        for dependent in draft.dependents(position):
            draft.set_tally(dependent, draft.tally(dependent).settled(record))
            if _answer(draft, dependent):
                ended.append(dependent)


def _answer(draft: Draft, position: int) -> bool:
    """Let a waiting node start or skip if its rule says so; return whether it has ended."""
    record = draft.record(position)
    if not is_waiting_for_needs(record):
        return False
    node, tally = draft.node(position), draft.tally(position)
    rule = _rule(node)
    said = answer(rule, tally)
    if said is Answer.WAIT:
        return False
    if said is Answer.SKIP:
        cause = skip_cause(rule, tally)
        draft.step(position, record._replace(state=TaskState.SKIPPED, cause=cause), cause)
        return True
    if isinstance(node, Barrier) or isinstance(node.action, Nothing):
        draft.step(position, record._replace(state=TaskState.SUCCEEDED, cause=None))
        return True
    draft.step(position, record._replace(state=TaskState.READY, cause=None))
    return False


def _rule(node: Task | Barrier) -> TriggerRule:
    if isinstance(node, Task):
        return node.trigger
    return TriggerRule.ALL_COMPLETED if node.any_end else TriggerRule.ALL_SUCCESS


# Generators ------------------------------------------------------------------


def _grown(draft: Draft, event: Grown) -> None:
    current = _current(draft, event)
    if current is None:
        return
    growth = event.growth
    if current[0].cancelling or draft.run.cancelling:
        # What it printed would never be allowed to start.
        _finish(draft, event.task, current[1], TaskState.CANCELLED, Cause.CANCELLED)
        return
    added = draft.add((*growth.tasks, *growth.barriers))
    late = [draft.position(name) for name, _ in growth.late_needs]
    for position, (_, need) in zip(late, growth.late_needs, strict=True):
        _late_need(draft, position, need)
    draft.remarks.extend(str(warning) for warning in growth.warnings)
    _finish(draft, event.task, current[1], TaskState.SUCCEEDED, None)
    for position in (*added, *late):
        if _answer(draft, position):
            _settle(draft, position)


def _late_need(draft: Draft, position: int, need: str) -> None:
    record = draft.record(position)
    if record.state is TaskState.READY and not record.attempt:
        draft.add_need(position, need)
        if answer(_rule(draft.node(position)), draft.tally(position)) is not Answer.START:
            draft.step(position, record._replace(state=TaskState.WAITING), None, "late need")
    elif is_waiting_for_needs(record):
        draft.add_need(position, need)
    else:
        name = draft.node(position).name
        draft.remarks.append(f"{name} had started before it came to need {need}")


def _growth_failed(draft: Draft, event: GrowthFailed) -> None:
    current = _current(draft, event)
    if current is None:
        return
    attempt = current[1]._replace(message=event.message, cause=Cause.BAD_OUTPUT)
    _failed(draft, draft.base.task(event.task), attempt, Cause.BAD_OUTPUT)


# Time ------------------------------------------------------------------------


def _time_passed(draft: Draft) -> None:
    for position in draft.base.due(draft.now):
        draft.step(position, draft.record(position)._replace(state=TaskState.READY))


def first_look(run: LiveRun, now: float) -> Decision:
    """Return what a run that was just stored, or just loaded, lets happen at once.

    Only such a run is walked as a whole.
    """
    draft = Draft(run, now)
    for position in range(draft.size):
        if _answer(draft, position):
            _settle(draft, position)
    _end_run(draft)
    return draft.decision()


# Commands --------------------------------------------------------------------


def _cancel_run(draft: Draft, event: CancelRun) -> None:
    if draft.run.state in FINAL_RUN:
        return
    draft.set_run(replace(draft.run, cancelling=True))
    for position in range(draft.size):
        if draft.record(position).state not in FINAL:
            _cancel(draft, position, event.reason)


def _cancel_task(draft: Draft, event: CancelTask) -> None:
    if draft.record(event.task).state in FINAL or isinstance(draft.node(event.task), Barrier):
        return
    if _cancel(draft, event.task, event.reason):
        _settle(draft, event.task)


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


def _retry(draft: Draft, event: RetryTasks) -> None:
    wanted = set(event.tasks or range(draft.size))
    chosen = {each for each in wanted if draft.record(each).state in RETRIABLE}
    chosen |= _skipped_behind(draft, chosen)
    if not chosen:
        return
    for position in sorted(chosen):
        fresh = TaskRecord(attempt=draft.record(position).attempt)
        draft.step(position, fresh, None, "retry")
    state = draft.run.state if draft.run.state is RunState.PAUSED else RunState.RUNNING
    draft.set_run(replace(draft.run, state=state, cancelling=False, ended_at=None))
    behind = {each for position in chosen for each in draft.dependents(position)}
    waiting = {each for each in behind if is_waiting_for_needs(draft.record(each))}
    for position in sorted(chosen | waiting):
        draft.recount(position)
    for position in sorted(chosen | waiting):
        if _answer(draft, position):
            _settle(draft, position)


def _skipped_behind(draft: Draft, chosen: set[int]) -> set[int]:
    """Return the skipped nodes behind the chosen ones: they get their chance again."""
    found: set[int] = set()
    todo = list(chosen)
    while todo:
        for dependent in draft.dependents(todo.pop()):
            skipped = draft.record(dependent).state is TaskState.SKIPPED
            if skipped and dependent not in found and dependent not in chosen:
                found.add(dependent)
                todo.append(dependent)
    return found


def _pause(draft: Draft, event: PauseRun) -> None:
    if draft.run.state is RunState.RUNNING:
        draft.set_run(replace(draft.run, state=RunState.PAUSED))
        draft.deeds.append(Recall())


def _resume(draft: Draft, event: ResumeRun) -> None:
    if draft.run.state is RunState.PAUSED:
        draft.set_run(replace(draft.run, state=RunState.RUNNING))


# The run ---------------------------------------------------------------------


def _end_run(draft: Draft) -> None:
    if draft.open_nodes or draft.run.state in FINAL_RUN:
        return
    state = verdict(draft)
    draft.set_run(replace(draft.run, state=state, ended_at=draft.now, cancelling=False))


def verdict(draft: Draft) -> RunState:
    """Return how a run ends whose nodes have all ended."""
    states = {
        draft.record(position).state
        for position in range(draft.size)
        if isinstance(draft.node(position), Task)
    }
    if draft.run.cancelling and TaskState.CANCELLED in states:
        return RunState.CANCELLED
    if states <= {TaskState.SUCCEEDED}:
        return RunState.SUCCEEDED
    if draft.run.verdict is Verdict.STRICT or _failure_unanswered(draft):
        return RunState.FAILED
    return RunState.SUCCEEDED


def _failure_unanswered(draft: Draft) -> bool:
    """Tell whether a task failed, or was cancelled, and no task for failures answered it."""
    for position in range(draft.size):
        failed = draft.record(position).state in (TaskState.FAILED, TaskState.CANCELLED)
        if (
            failed
            and isinstance(draft.node(position), Task)
            and not any(_has_answered(draft, dependent) for dependent in draft.dependents(position))
        ):
            return True
    return False


def _has_answered(draft: Draft, position: int) -> bool:
    node = draft.node(position)
    succeeded = draft.record(position).state is TaskState.SUCCEEDED
    return succeeded and isinstance(node, Task) and node.trigger.for_failures


_HANDLERS: Final[dict[type, Callable[[Draft, Any], None]]] = {
    Submitted: _submitted,
    Started: _started,
    Ended: _ended,
    Returned: _returned,
    Grown: _grown,
    GrowthFailed: _growth_failed,
    CancelRun: _cancel_run,
    CancelTask: _cancel_task,
    RetryTasks: _retry,
    PauseRun: _pause,
    ResumeRun: _resume,
}
