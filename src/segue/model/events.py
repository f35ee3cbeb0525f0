"""What can happen to a run. Every event about a job names its attempt."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, NamedTuple

from segue.model.states import Cause
from segue.model.workflow import Growth


class Usage(NamedTuple):
    """What an attempt used: CPU seconds and the largest resident size of a process."""

    cpu_s: float | None = None
    peak_rss_bytes: int | None = None


NO_USAGE: Final = Usage()


@dataclass(frozen=True, slots=True)
class Submitted:
    """The executor has the job and gave it a name of its own."""

    task: int
    attempt: int
    at: float
    job_id: str


@dataclass(frozen=True, slots=True)
class Started:
    """The job has begun."""

    task: int
    attempt: int
    at: float
    job_id: str
    node: str = ""


@dataclass(frozen=True, slots=True)
class Ended:
    """The job has ended; `cause` is None when it ended well."""

    task: int
    attempt: int
    at: float
    cause: Cause | None
    exit_code: int | None = None
    signal: int | None = None
    usage: Usage = NO_USAGE
    message: str = ""
    #: When it began, for a job whose start nobody has seen.
    started_at: float | None = None


@dataclass(frozen=True, slots=True)
class Returned:
    """The executor does not have the job and never began it: it may be given out again."""

    task: int
    attempt: int
    at: float


@dataclass(frozen=True, slots=True)
class Grown:
    """What a generator printed has been read."""

    task: int
    attempt: int
    at: float
    growth: Growth


@dataclass(frozen=True, slots=True)
class GrowthFailed:
    """What a generator printed cannot be used; `message` says why."""

    task: int
    attempt: int
    at: float
    message: str


@dataclass(frozen=True, slots=True)
class CancelRun:
    """A person stops the whole run."""

    at: float
    reason: str = ""


@dataclass(frozen=True, slots=True)
class CancelTask:
    """A person stops one task."""

    task: int
    at: float
    reason: str = ""


@dataclass(frozen=True, slots=True)
class RetryTasks:
    """A person wants tasks that did not succeed to run again; empty: all of them."""

    tasks: tuple[int, ...]
    at: float


@dataclass(frozen=True, slots=True)
class PauseRun:
    """A person wants nothing more of the run to start."""

    at: float


@dataclass(frozen=True, slots=True)
class ResumeRun:
    """A person wants a paused run to go on."""

    at: float


JobEvent = Submitted | Started | Ended | Returned | Grown | GrowthFailed
Command = CancelRun | CancelTask | RetryTasks | PauseRun | ResumeRun
Event = JobEvent | Command
