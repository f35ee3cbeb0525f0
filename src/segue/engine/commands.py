"""What doors ask of an engine: the kinds of stored commands, as events. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum

from segue.engine.live_run import LiveRun
from segue.model.events import CancelRun, CancelTask, Command, PauseRun, ResumeRun, RetryTasks
from segue.protocols.store import StoredCommand


class CommandKind(StrEnum):
    """What a person can ask of a run. `cancel` and `retry` may name tasks."""

    CANCEL = "cancel"
    RETRY = "retry"
    PAUSE = "pause"
    RESUME = "resume"


def command_events(command: StoredCommand, run: LiveRun, now: float) -> Sequence[Command]:
    """Return the events that a stored command stands for.

    Names of tasks that the run does not hold are passed over: the door has checked
    them, and a task never goes away.
    """
    names = command.argument.get("tasks", [])
    tasks = tuple(run.index[name] for name in names if name in run.index)
    reason = str(command.argument.get("reason", ""))
    match CommandKind(command.kind):
        case CommandKind.CANCEL if names:
            return [CancelTask(task, now, reason) for task in tasks]
        case CommandKind.CANCEL:
            return [CancelRun(now, reason)]
        case CommandKind.RETRY:
            return [RetryTasks(tasks, now)] if tasks or not names else []
        case CommandKind.PAUSE:
            return [PauseRun(now)]
        case CommandKind.RESUME:
            return [ResumeRun(now)]


def describe(command: StoredCommand) -> str:
    """Return the command in words, for the history.

    Examples
    --------
    >>> describe(StoredCommand(1, "r", "cancel", {"tasks": ["fit"]}, 0.0))
    'cancel fit'
    """
    names = command.argument.get("tasks", [])
    shown = [*names[:5], f"and {len(names) - 5} more"] if len(names) > 5 else names
    return " ".join([command.kind, *shown])
