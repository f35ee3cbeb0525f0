"""The bell folder: jobs leave a file there when they begin and end, and we look at it.

A hint that saves the wait for the next poll, and nothing more: a job that cannot write
there, or a network file system that shows it late, costs time only.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterable
from pathlib import Path


class Bells:
    """The bell folders of this engine and of those it has taken over from."""

    def __init__(self) -> None:
        self._seen: dict[str, int] = {}

    def watch(self, folder: str | Path) -> None:
        """Look at this folder too from now on."""
        if folder:
            self._seen.setdefault(str(folder), 0)

    def rung(self) -> bool:
        """Tell whether something has changed since the last `names`; one look a folder."""
        return any(_changed_at(folder) > seen for folder, seen in self._seen.items())

    def names(self) -> set[str]:
        """Return the names of the jobs that have rung, and clear the folders."""
        names: set[str] = set()
        for folder, seen in self._seen.items():
            changed_at = _changed_at(folder)
            if changed_at > seen:
                # Noted before we read: what comes in while we do is found the next time.
                self._seen[folder] = changed_at
                names |= _take(folder)
        return names


def bell_name(folder: str | Path, name: str) -> str:
    """Return what the job of this name rings, as `batch_wrapper.Work.bell` wants it."""
    return f"{folder}/{name}"


def _changed_at(folder: str) -> int:
    try:
        return os.stat(folder).st_mtime_ns
    except OSError:
        return 0


def _take(folder: str) -> set[str]:
    try:
        files: Iterable[str] = os.listdir(folder)
    except OSError:
        return set()
    names = set()
    for file in files:
        names.add(file.rpartition(".")[0])
        with contextlib.suppress(OSError):
            os.unlink(f"{folder}/{file}")
    return names
