"""Task and run states, and the tables of steps between them.

Every change of a task's state in the whole house is a pair in `STEPS` (the
engine moves the task because something happened) or in `COMMAND_STEPS` (the
engine moves it because a person asked). The store holds the same pairs and
refuses all others. No other module compares names of states.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Final

from segue.model.errors import IllegalStepError


class TaskState(StrEnum):
    """Where a task is in its life."""

    #: Needs are open, or the time of the next attempt has not come.
    WAITING = "waiting"
    #: May start as soon as its pool and its run have room.
    READY = "ready"
    #: We have written down that we will submit it; the outside may not know it yet.
    SUBMITTING = "submitting"
    #: The executor has it; it has not begun.
    SUBMITTED = "submitted"
    #: A process or job of it is running.
    RUNNING = "running"
    #: Ended well.
    SUCCEEDED = "succeeded"
    #: Ended badly, and no attempt is left.
    FAILED = "failed"
    #: Never started: its trigger rule can no longer be met.
    SKIPPED = "skipped"
    #: Stopped, or kept from starting, by a person.
    CANCELLED = "cancelled"


class RunState(StrEnum):
    """Where a run is in its life."""

    RUNNING = "running"
    PAUSED = "paused"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"


class Cause(StrEnum):
    """Why an attempt ended, or why a task was skipped, as it did."""

    EXIT_CODE = "exit_code"
    SIGNAL = "signal"
    TIMED_OUT = "timed_out"
    OUT_OF_MEMORY = "out_of_memory"
    NODE_FAILURE = "node_failure"
    PREEMPTED = "preempted"
    #: Nobody knows how it ended: the processes that would know are gone too.
    LOST = "lost"
    #: The executor would not take it, and never will.
    REFUSED = "refused"
    #: The executor could not take it now.
    UNREACHABLE = "unreachable"
    #: A generator ended well, but what it printed could not be used.
    BAD_OUTPUT = "bad_output"
    #: A person asked for it.
    CANCELLED = "cancelled"
    #: A need did not succeed.
    UPSTREAM_FAILED = "upstream_failed"
    #: The trigger rule says no, without any failure in that.
    RULE_NOT_MET = "rule_not_met"


W, R, SI, SD, RU = (
    TaskState.WAITING,
    TaskState.READY,
    TaskState.SUBMITTING,
    TaskState.SUBMITTED,
    TaskState.RUNNING,
)
OK, BAD, SKIP, CAN = (
    TaskState.SUCCEEDED,
    TaskState.FAILED,
    TaskState.SKIPPED,
    TaskState.CANCELLED,
)

#: Steps that follow from what happened.
STEPS: Final[frozenset[tuple[TaskState, TaskState]]] = frozenset(
    {
        (W, R),  # needs met, or the delay of a retry is over
        (W, OK),  # nothing to run (a barrier), or taken over from an earlier run
        (W, SKIP),  # the trigger rule can no longer be met
        (R, W),  # held, or given another need or another definition before it started
        (R, SI),  # there is room: intent is stored first
        (SI, R),  # the outside never got it: given back
        (SI, SD),
        (SI, RU),
        (SD, R),  # recalled before it began
        (SD, RU),
        # A report may overtake its predecessor, so each living state can end.
        (SI, OK), (SD, OK), (RU, OK),
        (SI, BAD), (SD, BAD), (RU, BAD),
        (SI, W), (SD, W), (RU, W),  # another attempt will follow
        (SI, CAN), (SD, CAN), (RU, CAN),  # the end of a job that a person cancelled
    }
)  # fmt: skip

#: Steps that a person's command makes.
COMMAND_STEPS: Final[frozenset[tuple[TaskState, TaskState]]] = frozenset(
    {
        (W, CAN), (R, CAN),  # cancel before the start
        (BAD, W), (CAN, W), (SKIP, W),  # retry
        (OK, W),  # again, though it succeeded: asked for with force
        (BAD, OK), (CAN, OK), (SKIP, OK),  # marked done
    }
)  # fmt: skip

FINAL: Final = frozenset({OK, BAD, SKIP, CAN})
#: States in which the outside may hold a job of the task.
OUTSIDE: Final = frozenset({SI, SD, RU})
#: States that `retry` starts from.
RETRIABLE: Final = frozenset({BAD, CAN, SKIP})
#: Run states in which nothing of the run will ever start.
FINAL_RUN: Final = frozenset({RunState.SUCCEEDED, RunState.FAILED, RunState.CANCELLED})
#: Causes that speak of the place where a job ran, not of the job itself. They
#: are retried on a budget of their own.
INFRASTRUCTURE: Final = frozenset(
    {Cause.LOST, Cause.NODE_FAILURE, Cause.PREEMPTED, Cause.UNREACHABLE}
)


def check_step(old: TaskState, new: TaskState) -> None:
    """Raise `IllegalStepError` unless a task may go from `old` to `new`.

    Examples
    --------
    >>> check_step(TaskState.READY, TaskState.SUBMITTING)
    >>> check_step(TaskState.SUCCEEDED, TaskState.RUNNING)
    Traceback (most recent call last):
    ...
    segue.model.errors.IllegalStepError: succeeded -> running is not a step
    """
    if (old, new) not in _ALL_STEPS:
        raise IllegalStepError(f"{old} -> {new} is not a step")


_ALL_STEPS: Final = STEPS | COMMAND_STEPS
