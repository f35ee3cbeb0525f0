"""What the log of a launch says of each step, in the words that LUTE's users look for. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

from segue.lute.launch import shown
from segue.model.errors import shorten
from segue.model.run import AttemptRecord, TaskRecord
from segue.model.states import Cause, TaskState
from segue.model.workflow import Barrier, Task, TriggerRule

COMPLETED: Final = "COMPLETED"
DASHES: Final = "-" * 50
_BOLD_GREEN: Final = "\x1b[1;32m"
_PLAIN: Final = "\x1b[0m"
_BY_STATE: Final = {
    TaskState.SUCCEEDED: COMPLETED,
    TaskState.FAILED: "FAILED",
    TaskState.SKIPPED: "UPSTREAM_FAILED",
    TaskState.CANCELLED: "CANCELLED",
}
#: Where a cause says more than that it failed.
_BY_CAUSE: Final = {
    Cause.TIMED_OUT: "TIMEDOUT",
    Cause.REFUSED: "SUBPROCESS_FAILED",
    Cause.UNREACHABLE: "SUBPROCESS_FAILED",
    Cause.LOST: "UNRESPONSIVE",
    Cause.CANCELLED: "CANCELLED",
}
#: What a failed job may say of itself that its exit code does not.
_SAID: Final = frozenset({"TIMEDOUT", "CANCELLED"})


def status_of(record: TaskRecord, said: str = "") -> str:
    """Return LUTE's word for how a step has ended.

    `said` is what its job has told last: it counts only where it explains a failure.

    Examples
    --------
    >>> status_of(TaskRecord(TaskState.FAILED, 1, Cause.EXIT_CODE), said="TIMEDOUT")
    'TIMEDOUT'
    >>> status_of(TaskRecord(TaskState.FAILED, 1, Cause.EXIT_CODE), said="COMPLETED")
    'FAILED'
    """
    word = _BY_STATE[record.state]
    if record.state is not TaskState.FAILED or record.cause is None:
        return word
    if record.cause is Cause.EXIT_CODE and said in _SAID:
        return said
    return _BY_CAUSE.get(record.cause, word)


def heading(task: Task, status: str) -> str:
    """Return the lines above the log of a step."""
    return f"Providing logs for {shown(task)} [Exited as: {status}]\n{DASHES}\n"


def which(task: Task, attempt: AttemptRecord | None) -> str:
    r"""Return the line that tells steps of one name apart; empty where none is needed.

    Examples
    --------
    >>> from segue.model.workflow import ManagedTask
    >>> which(Task("Tester-2", ManagedTask("Tester")), None)
    'Step Tester-2\n'
    """
    parts = []
    if task.name != shown(task):
        parts.append(f"Step {task.name}")
    if attempt is not None and attempt.number > 1:
        parts.append(f"attempt {attempt.number}")
    line = ", ".join(parts)
    return f"{line[:1].upper()}{line[1:]}\n" if parts else ""


def times(task: Task, attempt: AttemptRecord) -> str:
    """Return how long a step waited and ran, in whole seconds."""
    begun, ended = attempt.started_at, attempt.ended_at
    if begun is None or ended is None:
        return ""
    pending = begun - (begun if attempt.submitted_at is None else attempt.submitted_at)
    return (
        f"Time {shown(task)} spent:\n"
        f"- Pending: {max(0.0, pending):.0f} s\n"
        f"- Running: {max(0.0, ended - begun):.0f} s\n"
    )


def not_launched(task: Task, reason: str) -> str:
    """Return what stands in place of the log of a step that was never started."""
    return f"---- NOT LAUNCHING {shown(task)} ----\n{reason}\n"


def reason_of(
    task: Task, record: TaskRecord, needs: Iterable[tuple[Task | Barrier, TaskRecord]]
) -> str:
    """Return in a sentence why a step was not started."""
    if record.state is TaskState.CANCELLED:
        return "The workflow was cancelled before it could start."
    ended = ", ".join(
        f"{shown(node)} has ended as {status_of(need)}"
        for node, need in needs
        if isinstance(node, Task) and need.state in _BY_STATE
    )
    return f"Its rule is !{task.trigger.name} ({_MEANING[task.trigger]}); {ended or 'see above'}."


_MEANING: Final[Mapping[TriggerRule, str]] = {
    TriggerRule.ALL_SUCCESS: "all steps before it must succeed",
    TriggerRule.ANY_SUCCESS: "one step before it must succeed",
    TriggerRule.ALL_COMPLETED: "all steps before it must end",
    TriggerRule.ALL_FAILED: "all steps before it must fail",
    TriggerRule.ANY_FAILED: "one step before it must fail",
    TriggerRule.ALWAYS: "a step before it must end",
}


def log_heading(name: str) -> str:
    r"""Return the line above what a job has just said.

    Examples
    --------
    >>> "[Logs from **Tester**]" in log_heading("Tester")
    True
    """
    return f"{_BOLD_GREEN}[Logs from **{shorten(name, 255)}**]{_PLAIN}\n"


def last_words(*, succeeded: bool, ok: int, neutral: int, total: int) -> str:
    """Return the end of the log: both ways to count, then LUTE's own last line.

    `neutral` are steps that their rule has kept from starting, without any failure in that.

    Examples
    --------
    >>> print(last_words(succeeded=True, ok=3, neutral=1, total=4), end="")
    3 steps succeeded [3/3], 1 was skipped by its rule; maestro counts that too: FAILED [3/4]
    Exiting after workflow completed successfully.
    """
    maestro = COMPLETED if ok == total else "FAILED"
    steps = f"{ok} step{'' if ok == 1 else 's'} succeeded [{ok}/{total - neutral}]"
    verb = "was skipped by its rule" if neutral == 1 else "were skipped by their rules"
    counted = "maestro counts that too" if neutral else "maestro's verdict"
    line = f"{steps}, {neutral} {verb}; {counted}: {maestro} [{ok}/{total}]\n"
    if succeeded:
        return f"{line}Exiting after workflow completed successfully.\n"
    return f"{line}Exiting after workflow failed! [{ok}/{total} succeeded]\n"
