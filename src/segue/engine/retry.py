"""Whether a task is tried again, when, and with which action. Pure."""

from __future__ import annotations

from typing import Final

from segue.model.run import TaskRecord
from segue.model.states import INFRASTRUCTURE, Cause, TaskState
from segue.model.workflow import Task

#: Pauses after attempts that an executor could not take, in seconds; then the last again.
UNREACHABLE_DELAYS_S: Final = (1.0, 5.0, 25.0, 60.0)
#: So many such attempts are made, over half an hour, before a task has failed.
UNREACHABLE_LIMIT: Final = 30


def next_try(
    task: Task, record: TaskRecord, cause: Cause, now: float, restart_limit: int | None = None
) -> TaskRecord | None:
    """Return the record of a task that will be tried again, or None when it has failed for good.

    `restart_limit` is the run's: where given it wins over the task's, and 0 is without end.

    Examples
    --------
    >>> from segue.model.workflow import Argv, Retry
    >>> fit = Task("fit", Argv(("fit",)), retry=Retry(limit=1, delay_s=2.0))
    >>> record = TaskRecord(TaskState.RUNNING, attempt=1)
    >>> again = next_try(fit, record, Cause.EXIT_CODE, now=10.0)
    >>> again.state.value, again.not_before, again.failures
    ('waiting', 12.0, 1)
    >>> next_try(fit, again, Cause.EXIT_CODE, now=12.0) is None
    True
    """
    retry = task.retry
    waiting = record._replace(state=TaskState.WAITING, cause=cause)
    if cause is Cause.REFUSED:
        return None
    if cause is Cause.UNREACHABLE:
        if record.refusals >= UNREACHABLE_LIMIT:
            return None
        waiting = waiting._replace(refusals=record.refusals + 1)
        return waiting._replace(not_before=now + pause_s(task, waiting))
    if cause in INFRASTRUCTURE:
        if record.losses >= retry.infrastructure_limit:
            return None
        return waiting._replace(losses=record.losses + 1, not_before=now)
    if cause is Cause.TIMED_OUT and task.restart is not None:
        limit = retry.restart_limit if restart_limit is None else restart_limit or None
        if limit is None or record.restarts < limit:
            return waiting._replace(restarts=record.restarts + 1, not_before=now)
        return None
    if record.failures >= retry.limit:
        return None
    waiting = waiting._replace(failures=record.failures + 1)
    return waiting._replace(not_before=now + pause_s(task, waiting))


def pause_s(task: Task, record: TaskRecord) -> float:
    """Return how long a waiting task pauses before its next attempt, in seconds.

    Examples
    --------
    >>> from segue.model.workflow import Argv
    >>> fit = Task("fit", Argv(("fit",)))
    >>> pause_s(fit, TaskRecord(cause=Cause.UNREACHABLE, refusals=2))
    5.0
    """
    cause = record.cause
    if cause is Cause.UNREACHABLE:
        return UNREACHABLE_DELAYS_S[min(record.refusals, len(UNREACHABLE_DELAYS_S)) - 1]
    if cause in INFRASTRUCTURE or (cause is Cause.TIMED_OUT and task.restart is not None):
        return 0.0
    return task.retry.delay_s


def shortened(task: Task, record: TaskRecord, now: float) -> TaskRecord:
    """Return the record with no longer a wait ahead than its pause: a clock may go back.

    Examples
    --------
    >>> from segue.model.workflow import Argv, Retry
    >>> fit = Task("fit", Argv(("fit",)), retry=Retry(limit=1, delay_s=2.0))
    >>> waiting = TaskRecord(cause=Cause.EXIT_CODE, not_before=3600.0)
    >>> shortened(fit, waiting, now=100.0).not_before
    102.0
    """
    if record.state is not TaskState.WAITING or not record.not_before:
        return record
    latest = now + pause_s(task, record)
    return record if record.not_before <= latest else record._replace(not_before=latest)


def is_restart(task: Task, before: TaskRecord) -> bool:
    """Tell whether the next attempt runs the restart action.

    It does when the one before timed out, or was itself a restart that its place spoilt.
    """
    if task.restart is None or not before.restarts:
        return False
    return before.cause is Cause.TIMED_OUT or before.cause in INFRASTRUCTURE
