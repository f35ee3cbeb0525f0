"""Reports about jobs of a batch system, made of what is known of them. Pure."""

from __future__ import annotations

from segue.executors.batch_records import Begun, Exit
from segue.model.events import NO_USAGE, Ended, Queued, Returned, Started, Submitted, Usage
from segue.model.states import Cause
from segue.model.workflow import Argv, Container, ManagedTask, Nothing
from segue.protocols.executor import Job, JobKey, RunReport


def submitted(key: JobKey, at: float, job_id: str) -> RunReport:
    """Return that the batch system has the job."""
    return RunReport(key.run, Submitted(key.task, key.attempt, at, job_id))


def queued(key: JobKey, at: float, reason: str) -> RunReport:
    """Return that the job waits in the queue, for this reason."""
    return RunReport(key.run, Queued(key.task, key.attempt, at, f"it waits in the queue: {reason}"))


def started(key: JobKey, at: float, job_id: str, node: str) -> RunReport:
    """Return that the job has begun."""
    return RunReport(key.run, Started(key.task, key.attempt, at, job_id, node))


def returned(key: JobKey, at: float) -> RunReport:
    """Return that the job has not begun, and never will."""
    return RunReport(key.run, Returned(key.task, key.attempt, at))


def ended(
    key: JobKey,
    at: float,
    cause: Cause | None,
    message: str = "",
    *,
    exit_code: int | None = None,
    signal: int | None = None,
    usage: Usage = NO_USAGE,
    started_at: float | None = None,
    job_id: str = "",
) -> RunReport:
    """Return how the job ended."""
    end = Ended(
        key.task, key.attempt, at, cause, exit_code, signal, usage, message, started_at, job_id
    )
    return RunReport(key.run, end)


def ended_by_record(
    key: JobKey, record: Exit, begun: Begun | None, job_id: str, program: str = ""
) -> RunReport:
    """Return how the job ended, as its own exit record says."""
    cause: Cause | None = Cause.EXIT_CODE
    message = ""
    number = record.signal
    code = None if number else record.code
    if record.timed_out:
        cause, message = Cause.TIMED_OUT, "stopped at the task's timeout"
    elif record.refused:
        cause, code = Cause.REFUSED, None
        named = f"there is no program {program!r} that" if program else "there is no program that"
        message = f"{named} can be run{_on(begun)}"
    elif record.nowhere:
        cause, code = Cause.UNREACHABLE, None
        message = f"its working directory cannot be entered{_on(begun)}"
    elif number:
        cause = Cause.SIGNAL
    elif code == 0:
        cause = None
    return ended(
        key,
        record.at,
        cause,
        message,
        exit_code=code,
        signal=number,
        usage=Usage(record.cpu_s),
        started_at=begun.at if begun else None,
        job_id=job_id,
    )


def _on(begun: Begun | None) -> str:
    return f" on {begun.node}" if begun and begun.node else ""


def answer_at_once(job: Job, at: float, place: str) -> RunReport | None:
    """Return the end of a job that needs no process, or can never have one; else None."""
    match job.action:
        case Nothing():
            return ended(job.key, at, None, started_at=at)
        case Container(image=image):
            hint = "run the image by a command that your site has for that"
            text = f"the {place} executor runs no containers (image {image!r}); {hint}"
            return ended(job.key, at, Cause.REFUSED, text)
        case ManagedTask(command=(), name=name):
            hint = "say how by --lute-command 'prog -t {task_name} -c {config}'"
            text = f"nothing says how the managed task {name!r} is started here; {hint}"
            return ended(job.key, at, Cause.REFUSED, text)
        case Argv(arguments=()):
            text = "there is nothing to run: the command is empty"
            return ended(job.key, at, Cause.REFUSED, text)
    return None
