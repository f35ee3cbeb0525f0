"""One row of a study's table: our states in Maestro's words, times and durations as text. Pure."""

from __future__ import annotations

import time
from functools import lru_cache
from typing import Final, NamedTuple

from segue.model.run import AttemptRecord, TaskRecord
from segue.model.states import Cause, RunState, TaskState

NO_TIME: Final = "--"
NO_DURATION: Final = "--:--:--"
NO_JOB: Final = "--"


class Row(NamedTuple):
    """A row as ``status.csv`` holds it; all are texts."""

    step_name: str
    job_id: str
    workspace: str
    state: str
    run_time: str
    elapsed_time: str
    start_time: str
    submit_time: str
    end_time: str
    number_restarts: str
    params: str


HEADER: Final = Row(
    *("Step Name", "Job ID", "Workspace", "State", "Run Time", "Elapsed Time"),
    *("Start Time", "Submit Time", "End Time", "Number Restarts", "Params"),
)

#: The words of Maestro for the states of a task; see `word_of` for failures.
WORDS: Final = {
    TaskState.WAITING: "INITIALIZED",
    TaskState.READY: "INITIALIZED",
    TaskState.SUBMITTING: "PENDING",
    TaskState.SUBMITTED: "PENDING",
    TaskState.RUNNING: "RUNNING",
    TaskState.SUCCEEDED: "FINISHED",
    TaskState.FAILED: "FAILED",
    TaskState.SKIPPED: "FAILED",
    TaskState.CANCELLED: "CANCELLED",
}
#: The words for failures that have one of their own.
FAILURES: Final = {
    Cause.TIMED_OUT: "TIMEDOUT",
    Cause.NODE_FAILURE: "HWFAILURE",
    Cause.LOST: "HWFAILURE",
    # By somebody who did not ask us: scancel, an administrator.
    Cause.CANCELLED: "CANCELLED",
}
DRY_RUN: Final = "DRYRUN"
STATE_WORDS: Final = (
    *dict.fromkeys((*WORDS.values(), *FAILURES.values(), DRY_RUN)),
    *("WAITING", "FINISHING", "QUEUED", "INCOMPLETE", "UNKNOWN", "NOTFOUND"),
)
#: The end of a study in Maestro's word, and the exit code of a conductor.
VERDICTS: Final = {
    RunState.SUCCEEDED: ("FINISHED", 0),
    RunState.RUNNING: ("RUNNING", 1),
    RunState.PAUSED: ("RUNNING", 1),
    RunState.FAILED: ("FAILURE", 2),
    RunState.CANCELLED: ("CANCELLED", 3),
}


class Course(NamedTuple):
    """When a task was first submitted and started, its newest job, and its end.

    Times are seconds since the epoch; a task that is tried again keeps the first ones, as
    in Maestro, whose run time counts the pauses between tries.
    """

    submitted_at: float | None = None
    started_at: float | None = None
    ended_at: float | None = None
    job_id: str = ""
    restarts: int = 0


NO_COURSE: Final = Course()


def follow(course: Course, attempt: AttemptRecord) -> Course:
    """Return the course with what is known of one more attempt, or more of the newest one."""
    submitted_at, started_at = course.submitted_at, course.started_at
    return Course(
        attempt.submitted_at if submitted_at is None else submitted_at,
        attempt.started_at if started_at is None else started_at,
        attempt.ended_at,
        shown_job(attempt) or course.job_id,
        course.restarts,
    )


def shown_job(attempt: AttemptRecord) -> str:
    """Return the job's id as users look for it: a local one is a process id.

    Examples
    --------
    >>> shown_job(AttemptRecord(0, 1, TaskState.RUNNING, "local", "/x", "k1:4711"))
    '4711'
    """
    # A local job that waits for its turn has only the keeper's name.
    return attempt.job_id.partition(":")[2] if attempt.place == "local" else attempt.job_id


def word_of(record: TaskRecord, can_restart: bool) -> str:
    """Return Maestro's word for the state of a task that was not skipped.

    A step that timed out once too often although it has a restart script is FAILED there.

    Examples
    --------
    >>> word_of(TaskRecord(TaskState.FAILED, cause=Cause.TIMED_OUT), can_restart=True)
    'FAILED'
    """
    if record.state is TaskState.FAILED and record.cause is not None:
        if record.cause is Cause.TIMED_OUT and can_restart:
            return WORDS[TaskState.FAILED]
        return FAILURES.get(record.cause, WORDS[TaskState.FAILED])
    return WORDS[record.state]


@lru_cache(maxsize=8192)
def _time_text(second: int) -> str:
    return time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(second))


def time_text(at: float | None) -> str:
    """Return a time as the table shows it, in local time; None is ``--``."""
    return NO_TIME if at is None else _time_text(int(at))


def duration_text(seconds: float | None) -> str:
    """Return a duration as the table shows it; None is ``--:--:--``.

    Examples
    --------
    >>> duration_text(90061.4), duration_text(None)
    ('1d:01h:01m:01s', '--:--:--')
    """
    if seconds is None:
        return NO_DURATION
    return _duration_text(max(0, round(seconds)))


@lru_cache(maxsize=8192)
def _duration_text(seconds: int) -> str:
    minutes, second = divmod(seconds, 60)
    hours, minute = divmod(minutes, 60)
    days, hour = divmod(hours, 24)
    return f"{days}d:{hour:02d}h:{minute:02d}m:{second:02d}s"


def make_row(
    name: str, workspace: str, params: str, word: str, course: Course, now: float, *, final: bool
) -> Row:
    """Return the row of a task; while it has not ended, its durations go on to `now`."""
    submitted_at, started_at, ended_at, job_id, restarts = course
    until = ended_at if final else now
    running = elapsed = None
    if until is not None:
        running = None if started_at is None else until - started_at
        elapsed = None if submitted_at is None else until - submitted_at
    return Row(
        name,
        job_id or NO_JOB,
        workspace,
        word,
        duration_text(running),
        duration_text(elapsed),
        time_text(started_at),
        time_text(submitted_at),
        time_text(ended_at if final else None),
        str(restarts),
        params,
    )
