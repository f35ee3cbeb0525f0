"""A study made ready to run: its workflow with the settings of the command line. Pure.

And the box in which the command line's settings are shown.
"""

from __future__ import annotations

import os.path
from dataclasses import replace
from typing import Final

from segue.maestro.files import Settings
from segue.model.workflow import Action, Retry, Script, Task, Workflow

#: The pause before a failed local step is tried again, in seconds. The original draws a
#: number between one and two for each try before.
PAUSE_S: Final = 1.5
_RULE: Final = "-" * 42


def with_settings(workflow: Workflow, settings: Settings) -> Workflow:
    """Return the workflow with the tries, restarts and places of scripts that were asked for."""
    given = Retry(restart_limit=settings.restart_limit or None)
    local = replace(given, limit=settings.attempts - 1, delay_s=PAUSE_S)
    if settings.attempts == 1:
        local = given
    if local == Retry() and not settings.temporary:
        return workflow
    scripts = _Scripts(workflow.workspace, settings.temporary)
    tasks = [
        replace(
            task,
            retry=local if (task.pool or workflow.pool or "local") == "local" else given,
            action=scripts.placed(task.action, task),
            restart=task.restart and scripts.placed(task.restart, task),
        )
        for task in workflow.tasks
    ]
    return replace(workflow, tasks=tuple(tasks))


class _Scripts:
    """Puts scripts into a temporary folder instead of the workspaces, each under one name."""

    def __init__(self, workspace: str, temporary: str) -> None:
        # What `..` leads to is asked of the disk, not of the text of a path.
        self._workspace = os.path.realpath(workspace)
        self._temporary = temporary
        self._taken: set[str] = set()

    def placed(self, action: Action, task: Task) -> Action:
        if not self._temporary or not isinstance(action, Script) or not action.file:
            return action
        if action.file in self._taken:
            return replace(action, file="")  # it stays in the folder of its attempt
        self._taken.add(action.file)
        workdir = os.path.join(self._workspace, task.workdir or "")
        target = os.path.join(os.path.realpath(self._temporary), action.file)
        return replace(action, file=os.path.relpath(target, workdir))


def settings_box(settings: Settings, workspace: str) -> str:
    """Return the box that `maestro run` shows before its question."""
    lines = [
        "",
        _RULE,
        f"Submission attempts =       {settings.attempts}",
        f"Submission restart limit =  {settings.restart_limit}",
        f"Submission throttle limit = {settings.throttle}",
        f"Use temporary directory =   {bool(settings.temporary)}",
        f"Hash workspaces =           {settings.hashws}",
        f"Dry run enabled =           {settings.dry}",
        f"Output path =               {workspace}",
        _RULE,
    ]
    return "\n".join(lines)
