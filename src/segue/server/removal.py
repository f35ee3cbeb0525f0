"""Removing a run that has ended: its rows, and the folder that a server made for it.

A run that was submitted at a server has a folder of its own, which goes with everything
in it, also what no attempt in the store speaks of. Runs that were started from a shell
write where people work: their files are left alone.
"""

from __future__ import annotations

import logging
import shutil
from pathlib import Path

from segue.engine.folders import run_folder
from segue.model.errors import RefusedError
from segue.model.run import RunRecord
from segue.model.states import FINAL_RUN
from segue.server.desk import Desk

log = logging.getLogger("segue.server")


def remove_run(desk: Desk, run: str) -> None:
    """Remove a run and its folder.

    Raises
    ------
    NotFoundError
        If there is none.
    RefusedError
        If it has not ended, or another run goes on in the folder that was made for it.
    """
    record = desk.run(run).record
    if record.state not in FINAL_RUN:
        raise RefusedError(f"run {run} has not ended: {record.state}", "kill it first")
    others = [each for each in desk.store.runs(workspace=record.workspace) if each.id != record.id]
    folder = _folder_to_remove(record, others)
    desk.store.delete_run(run)
    if folder is not None:
        _remove(folder)


def _folder_to_remove(record: RunRecord, others: list[RunRecord]) -> Path | None:
    """Return the folder that goes with a run; `others` write into the same workspace."""
    if is_folder_of(record):
        if others:
            raise RefusedError(
                f"run {others[0].id} goes on in the folder of run {record.id}",
                f"delete {others[0].id} first",
            )
        return Path(record.workspace)
    if any(is_folder_of(each) for each in others):
        return Path(run_folder(record))
    return None


def is_folder_of(record: RunRecord) -> bool:
    """Tell whether a server has made the workspace, for this very run."""
    return bool(record.reading.get("spec")) and Path(record.workspace).name == record.id


def _remove(folder: Path) -> None:
    if folder.is_symlink():
        return
    try:
        shutil.rmtree(folder)
    except FileNotFoundError:
        log.info("%s was gone already", folder)
    except OSError as error:
        log.warning("%s could not be removed: %s", folder, error)
        shutil.rmtree(folder, ignore_errors=True)
