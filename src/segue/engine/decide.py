"""The judge: what follows when something happens to a run.

Pure: no I/O, no clock, nothing remembered. `decide` and `admit` read a run and
answer with a `Decision`; they change nothing. The same run, event and time always
give the same answer, so every rule here can be tested by telling it what happened.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any, Final

from segue.engine import interventions, orders
from segue.engine.draft import Draft, is_waiting_for_needs
from segue.engine.folders import attempt_folder
from segue.engine.live_run import (
    NO_DECISION,
    Decision,
    LiveRun,
    ReadOutput,
    Submit,
)
from segue.engine.retry import is_restart, next_try, shortened
from segue.engine.settle import answer_needs, rule_of, settle
from segue.engine.trigger import Answer, answer
from segue.model.events import (
    CancelRun,
    CancelTask,
    ClockSetBack,
    Ended,
    Event,
    Grown,
    GrowthFailed,
    HoldTasks,
    MarkDone,
    PatchTasks,
    PauseRun,
    Queued,
    ReleaseTasks,
    ResumeRun,
    RetryTasks,
    Returned,
    Reused,
    Started,
    Submitted,
    UpdateRun,
)
from segue.model.run import AttemptRecord, TaskRecord
from segue.model.states import (
    FINAL_RUN,
    OUTSIDE,
    Cause,
    RunState,
    TaskState,
)
from segue.model.workflow import Task, Verdict


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


def _queued(draft: Draft, event: Queued) -> None:
    current = _current(draft, event)
    if current is None or current[0].state is not TaskState.SUBMITTED:
        return
    if current[1].message != event.message:
        draft.set_attempt(current[1]._replace(message=event.message))


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
            message="",
        )
    )


def _returned(draft: Draft, event: Returned) -> None:
    current = _current(draft, event)
    if current is None:
        return
    record, attempt = current
    # Why it waited is no news any more.
    attempt = attempt._replace(message="")
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
        job_id=event.job_id or attempt.job_id,
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
    again = next_try(task, record, cause, draft.now, draft.run.restart_limit)
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
    settle(draft, position)


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
    changed = {draft.position(task.name): task for task in growth.patched}
    interventions.patch(draft, PatchTasks(changed, draft.now))
    added = draft.add((*growth.tasks, *growth.barriers))
    late = [draft.position(name) for name, _ in growth.late_needs]
    for position, (_, need) in zip(late, growth.late_needs, strict=True):
        _late_need(draft, position, need)
    draft.remarks.extend(str(warning) for warning in growth.warnings)
    _finish(draft, event.task, current[1], TaskState.SUCCEEDED, None)
    for position in (*added, *late):
        if answer_needs(draft, position):
            settle(draft, position)


def _late_need(draft: Draft, position: int, need: str) -> None:
    record = draft.record(position)
    if record.state is TaskState.READY and not record.attempt:
        # A need that has been retried since it became ready is open again.
        draft.recount(position)
        draft.add_need(position, need)
        if answer(rule_of(draft.node(position)), draft.tally(position)) is not Answer.START:
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


def _clock_set_back(draft: Draft, event: ClockSetBack) -> None:
    for position in draft.base.timed():
        _shorten_pause(draft, position)


def _shorten_pause(draft: Draft, position: int) -> None:
    node, record = draft.node(position), draft.record(position)
    if isinstance(node, Task):
        shorter = shortened(node, record, draft.now)
        if shorter is not record:
            draft.keep(position, shorter)


def first_look(run: LiveRun, now: float) -> Decision:
    """Return what a run that was just stored, or just loaded, lets happen at once.

    Only such a run is walked as a whole.
    """
    draft = Draft(run, now)
    for position in range(draft.size):
        # The clock may have gone back while no engine was there.
        _shorten_pause(draft, position)
        if answer_needs(draft, position):
            settle(draft, position)
    _end_run(draft)
    return draft.decision()


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
    stopped = draft.run.cancelling or draft.run.state is RunState.PAUSED
    if stopped and TaskState.CANCELLED in states:
        # Also when a person paused it and then cancelled, task by task, what was left.
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
    Queued: _queued,
    Started: _started,
    Ended: _ended,
    Returned: _returned,
    Grown: _grown,
    GrowthFailed: _growth_failed,
    ClockSetBack: _clock_set_back,
    CancelRun: orders.cancel_run,
    CancelTask: orders.cancel_task,
    RetryTasks: orders.retry,
    HoldTasks: interventions.hold,
    ReleaseTasks: interventions.release,
    MarkDone: interventions.mark_done,
    PatchTasks: interventions.patch,
    PauseRun: orders.pause,
    ResumeRun: orders.resume,
    UpdateRun: orders.update_run,
    Reused: orders.reuse,
}
