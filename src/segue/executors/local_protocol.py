"""What the engine and its keeper say to each other, as values. Pure.

The messages are listed in `segue.executors.keeper`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from segue.model.events import Ended, Returned, Started, Submitted, Usage
from segue.model.states import Cause
from segue.model.workflow import Argv, Container, ManagedTask, Nothing, Script
from segue.protocols.executor import Job, JobKey, RunReport

#: Verbs of messages that are reports about a job.
REPORTS: Final = frozenset({"submitted", "started", "ended", "returned"})
#: Of these, the last that is ever said of a job.
LAST: Final = frozenset({"ended", "returned"})


def submit_message(job: Job) -> list[Any]:
    """Return the message that hands the job to the keeper.

    Only for an action that `refusal` and `is_nothing` have let pass.
    """
    arguments: Sequence[str] | None = None
    script: str | None = None
    shell = file = ""
    match job.action:
        case Argv(arguments=given) | ManagedTask(command=given):
            arguments = given
        case Script(text=text, shell=program, file=name):
            script, shell, file = text, program, name
    return [
        "submit",
        job.key.name,
        job.folder,
        job.workdir,
        arguments,
        script,
        shell,
        file,
        [job.output.stdout, job.output.stderr] if job.output else None,
        dict(job.environment) if job.environment else None,
        job.clear_environment,
        job.timeout_s,
    ]


def answer_at_once(job: Job, at: float) -> RunReport | None:
    """Return the end of a job that needs no process, or can never have one; else None."""
    match job.action:
        case Nothing():
            return _ended(job.key, at, None, "", started_at=at)
        case Container(image=image):
            hint = "give the task to an executor that does, or run the image by a command"
            message = f"the local executor runs no containers (image {image!r}); {hint}"
            return _ended(job.key, at, Cause.REFUSED, message)
        case ManagedTask(command=(), name=name):
            hint = "say how by --lute-command 'prog -t {task_name} -c {config}'"
            message = f"nothing says how the managed task {name!r} is started here; {hint}"
            return _ended(job.key, at, Cause.REFUSED, message)
    return None


def unreachable(key: JobKey, at: float, message: str) -> RunReport:
    """Return the end of a job that could not be handed over now."""
    return _ended(key, at, Cause.UNREACHABLE, message)


def lost(key: JobKey, at: float, message: str, started_at: float | None = None) -> RunReport:
    """Return the end of a job of which nobody can know how it ended."""
    return _ended(key, at, Cause.LOST, message, started_at=started_at)


def returned(key: JobKey, at: float) -> RunReport:
    """Return that the job never began."""
    return RunReport(key.run, Returned(key.task, key.attempt, at))


def _ended(
    key: JobKey, at: float, cause: Cause | None, message: str, started_at: float | None = None
) -> RunReport:
    end = Ended(key.task, key.attempt, at, cause, message=message, started_at=started_at)
    return RunReport(key.run, end)


def report_of(message: Sequence[Any], keeper: str, node: str) -> RunReport:
    """Return what a message of the keeper says, whose verb is one of `REPORTS`.

    Examples
    --------
    >>> report_of(["returned", "r.0.1", 12.5], "k1", "host").report
    Returned(task=0, attempt=1, at=12.5)
    >>> report_of(["started", "r.0.1", 12.5, 4711], "k1", "host").report.job_id
    'k1:4711'
    """
    verb, name, at, *rest = message
    run, task, attempt = JobKey.of(name)
    match verb:
        case "submitted":
            return RunReport(run, Submitted(task, attempt, at, keeper))
        case "started":
            return RunReport(run, Started(task, attempt, at, f"{keeper}:{rest[0]}", node))
        case "returned":
            return RunReport(run, Returned(task, attempt, at))
    cause, exit_code, number, cpu_s, peak, started_at, text, *pid = rest
    cause = Cause(cause) if cause else None
    usage = Usage(cpu_s, peak)
    job_id = f"{keeper}:{pid[0]}" if pid and pid[0] else ""
    end = Ended(task, attempt, at, cause, exit_code, number, usage, text, started_at, job_id)
    return RunReport(run, end)
