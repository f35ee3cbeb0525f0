"""What can happen to a run. Every event about a job names its attempt.

Named tuples, not dataclasses: they are made for every job, and a class of them is
made ten times as fast, which starting `segue` feels. Two events of different kinds
may compare equal; what happens is told by the kind.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Final, NamedTuple

from segue.model.states import Cause
from segue.model.workflow import Growth, Task

if TYPE_CHECKING:
    from segue.model.run import AttemptRecord


class Usage(NamedTuple):
    """What an attempt used: CPU seconds and the largest resident size of a process."""

    cpu_s: float | None = None
    peak_rss_bytes: int | None = None


NO_USAGE: Final = Usage()


class Submitted(NamedTuple):
    """The executor has the job and gave it a name of its own."""

    task: int
    attempt: int
    at: float
    job_id: str


class Queued(NamedTuple):
    """The job still waits to begin; `message` says why, for people."""

    task: int
    attempt: int
    at: float
    message: str


class Started(NamedTuple):
    """The job has begun."""

    task: int
    attempt: int
    at: float
    job_id: str
    node: str = ""


class Ended(NamedTuple):
    """The job has ended; `cause` is None when it ended well."""

    task: int
    attempt: int
    at: float
    cause: Cause | None
    exit_code: int | None = None
    signal: int | None = None
    usage: Usage = NO_USAGE
    message: str = ""
    #: When it began and what it was called outside, for a job whose start nobody has seen.
    started_at: float | None = None
    job_id: str = ""


class Returned(NamedTuple):
    """The executor does not have the job and never began it: it may be given out again."""

    task: int
    attempt: int
    at: float


class Grown(NamedTuple):
    """What a generator printed has been read."""

    task: int
    attempt: int
    at: float
    growth: Growth


class GrowthFailed(NamedTuple):
    """What a generator printed cannot be used; `message` says why."""

    task: int
    attempt: int
    at: float
    message: str


class CancelRun(NamedTuple):
    """A person stops the whole run."""

    at: float
    reason: str = ""


class CancelTask(NamedTuple):
    """A person stops one task."""

    task: int
    at: float
    reason: str = ""


class RetryTasks(NamedTuple):
    """A person wants tasks that did not succeed to run again; empty: all of them.

    With `force` the tasks named run again however they ended, and everything behind them.
    """

    tasks: tuple[int, ...]
    at: float
    force: bool = False


class HoldTasks(NamedTuple):
    """A person keeps tasks from starting."""

    tasks: tuple[int, ...]
    at: float


class ReleaseTasks(NamedTuple):
    """A person lets tasks that were held start again."""

    tasks: tuple[int, ...]
    at: float


class MarkDone(NamedTuple):
    """A person says that tasks count as done, and why."""

    tasks: tuple[int, ...]
    at: float
    reason: str = ""


class PatchTasks(NamedTuple):
    """A person has changed what tasks do that have not succeeded and are not out.

    Of the new definitions, by position, name, template, needs, rule and generator are
    not taken: the graph stays as it is.
    """

    tasks: Mapping[int, Task]
    at: float


class PauseRun(NamedTuple):
    """A person wants nothing more of the run to start."""

    at: float


class ResumeRun(NamedTuple):
    """A person wants a paused run to go on."""

    at: float


class UpdateRun(NamedTuple):
    """A person changes limits of a run; None leaves one as it is.

    `limit` is that of `RunRecord`, and so is `restart_limit`: 0 is without limit, in both.
    """

    at: float
    limit: int | None = None
    restart_limit: int | None = None


class ReusedTask(NamedTuple):
    """A task that need not run: an earlier run has done it, in these attempts.

    `run` is the run that ran it, which may itself be earlier than the one it was found in.
    """

    task: int
    run: str
    attempts: tuple[AttemptRecord, ...]


class Reused(NamedTuple):
    """Tasks of an earlier run still hold; asked for by whoever stored the run."""

    tasks: tuple[ReusedTask, ...]
    at: float


class ClockSetBack(NamedTuple):
    """The clock of this machine shows an earlier time than it did."""

    at: float


JobEvent = Submitted | Queued | Started | Ended | Returned | Grown | GrowthFailed
Command = (
    CancelRun
    | CancelTask
    | RetryTasks
    | HoldTasks
    | ReleaseTasks
    | MarkDone
    | PatchTasks
    | PauseRun
    | ResumeRun
    | UpdateRun
    | Reused
)
Event = JobEvent | Command | ClockSetBack
