"""What doors ask of an engine: the kinds of stored commands, as events. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from typing import Any

from segue.engine.live_run import LiveRun
from segue.model.definition import task_from_json
from segue.model.events import (
    CancelRun,
    CancelTask,
    Command,
    HoldTasks,
    MarkDone,
    PatchTasks,
    PauseRun,
    ReleaseTasks,
    ResumeRun,
    RetryTasks,
    UpdateRun,
)
from segue.model.workflow import Task
from segue.protocols.store import StoredCommand


class CommandKind(StrEnum):
    """What a person can ask of a run. `cancel` and `retry` may name tasks.

    `retry` with `force` runs the named tasks again however they ended, and all behind them.
    `hold`, `release` and `mark_done`, which has a reason, name tasks; `patch` has new
    definitions by the names of their tasks, in the form of `segue.model.definition`.
    `update` has numbers, each of which may be absent: `limit` and `restart_limit`, both
    0 for without limit. `reuse` is stored together with a new run (see `segue.engine.reuse`)
    and carried out before anything of it can start.
    """

    CANCEL = "cancel"
    RETRY = "retry"
    PAUSE = "pause"
    RESUME = "resume"
    UPDATE = "update"
    REUSE = "reuse"
    HOLD = "hold"
    RELEASE = "release"
    MARK_DONE = "mark_done"
    PATCH = "patch"


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
            force = command.argument.get("force") is True
            return [RetryTasks(tasks, now, force)] if tasks or not (names or force) else []
        case CommandKind.HOLD:
            return [HoldTasks(tasks, now)]
        case CommandKind.RELEASE:
            return [ReleaseTasks(tasks, now)]
        case CommandKind.MARK_DONE:
            return [MarkDone(tasks, now, reason)]
        case CommandKind.PATCH:
            return [PatchTasks(_definitions(command, run), now)]
        case CommandKind.PAUSE:
            return [PauseRun(now)]
        case CommandKind.RESUME:
            return [ResumeRun(now)]
        case CommandKind.UPDATE:
            return [
                UpdateRun(
                    now,
                    _number(command.argument.get("limit")),
                    _number(command.argument.get("restart_limit")),
                )
            ]
        case CommandKind.REUSE:
            return []  # the run has begun, and runs everything


def _definitions(command: StoredCommand, run: LiveRun) -> dict[int, Task]:
    definitions = command.argument.get("definitions", {})
    return {
        run.index[name]: task_from_json(definition)
        for name, definition in definitions.items()
        if name in run.index
    }


def _number(value: Any) -> int | None:
    """Return a number that can be a limit; any other value changes nothing."""
    plain = isinstance(value, int) and not isinstance(value, bool)
    return value if plain and value >= 0 else None


def describe(command: StoredCommand) -> str:
    """Return the command in words, for the history.

    Examples
    --------
    >>> describe(StoredCommand(1, "r", "cancel", {"tasks": ["fit"]}, 0.0))
    'cancel fit'
    >>> describe(StoredCommand(2, "r", "update", {"restart_limit": 0}, 0.0))
    'update restart limit 0'
    """
    argument = command.argument
    names = argument.get("tasks", []) or list(argument.get("definitions", ()))
    shown = [*names[:5], f"and {len(names) - 5} more"] if len(names) > 5 else list(names)
    if command.kind == CommandKind.REUSE:
        shown.append(f"of {argument.get('run')}")
    for limit in ("limit", "restart_limit"):
        if limit in argument:
            shown.append(f"{limit.replace('_', ' ')} {argument[limit]}")
    if argument.get("reason"):
        shown.append(f"({argument['reason']})")
    if argument.get("force"):
        shown.append("and all behind, by force")
    return " ".join([command.kind.replace("_", " "), *shown])
