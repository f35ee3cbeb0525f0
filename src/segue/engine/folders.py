"""Where an attempt keeps its files: a safe path from a name that may hold anything."""

from __future__ import annotations

import re
from typing import Final

from segue.model.run import RunRecord

#: Folder inside a run's workspace that is ours.
OWN_FOLDER: Final = ".segue"
_SAFE: Final = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.+=,@-]{0,99}")
_UNSAFE: Final = re.compile(r"[^A-Za-z0-9_.+=,@-]+")


def attempt_folder(run: RunRecord, position: int, name: str, attempt: int) -> str:
    """Return the absolute path of the folder of one attempt.

    A name that is safe as a file name is used as it is. Any other is cut and cleaned,
    and its position behind ``~`` keeps it apart from all others, since no safe name
    holds that sign.

    Examples
    --------
    >>> from segue.model.states import RunState
    >>> run = RunRecord("r", "w", "daggy", RunState.RUNNING, "f", "/", "/work", 0.0)
    >>> attempt_folder(run, 0, "Pull_A", 1)
    '/work/.segue/r/Pull_A.1'
    >>> attempt_folder(run, 7, "fit T=1/2", 2)
    '/work/.segue/r/fit_T=1_2~7.2'
    """
    if not _SAFE.fullmatch(name):
        name = f"{_UNSAFE.sub('_', name[:60])}~{position}"
    return f"{run_folder(run)}/{name}.{attempt}"


def run_folder(run: RunRecord) -> str:
    """Return the absolute path of the folder that holds the attempts of a run."""
    return f"{run.workspace}/{OWN_FOLDER}/{run.id}"
