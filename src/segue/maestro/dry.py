"""A dry run: every workspace and script is written, and nothing is run."""

from __future__ import annotations

import os
from collections.abc import Sequence

from segue.maestro.outline import Outline
from segue.maestro.rows import DRY_RUN, Course, make_row
from segue.maestro.status_csv import csv_line, csv_text
from segue.model.workflow import Script, Task


def write_scripts(tasks: Sequence[Task], workspace: str) -> None:
    """Make the workspace of each task, and write its script and restart script there."""
    made: set[str] = set()
    for task in tasks:
        folder = os.path.join(workspace, task.workdir or "")
        if folder not in made:
            os.makedirs(folder, exist_ok=True)
            made.add(folder)
        for action in (task.action, task.restart):
            if isinstance(action, Script) and action.file:
                path = os.path.join(folder, action.file)
                flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC
                with open(os.open(path, flags, 0o755), "wb") as file:
                    file.write(os.fsencode(action.text))


def dry_csv(outline: Outline, now: float) -> str:
    """Return the ``status.csv`` of a dry run, which knows only its ends."""
    return csv_text(
        csv_line(
            make_row(
                outline.names[position],
                outline.workspaces[position],
                outline.parameters[position],
                DRY_RUN,
                Course(ended_at=now),
                now,
                final=True,
            )
        )
        for position in outline.order
    )
