"""What SQLite and the disk say, as errors that a person can act on."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from segue.model.errors import StoreError


@contextmanager
def reported(path: Path) -> Iterator[None]:
    """Turn what SQLite and the disk say into an error that a person can act on."""
    try:
        yield
    except sqlite3.IntegrityError:
        raise  # the schema refused what we wrote: a bug of ours, with traceback
    except sqlite3.Error as error:
        raise StoreError(f"the store {path} failed: {error}", _advice(str(error), path)) from error
    except OSError as error:
        raise StoreError(
            f"the store {path} cannot be made: {error.strerror}",
            "give a place that you can write to with SEGUE_STORE=sqlite:///path/segue.db",
        ) from error


def _advice(message: str, path: Path) -> str:
    full = "unable to open" in message and _is_full(path.parent)
    if full or "full" in message or "I/O error" in message:
        return "make room on the disk; nothing that was stored is lost"
    if "locked" in message:
        return "another process holds it for long; 'segue doctor' shows which engines live"
    if "not a database" in message:
        return "the file is something else; give another one with SEGUE_STORE"
    return "check that the file and its directory can be written: 'segue doctor'"


def _is_full(folder: Path) -> bool:
    """Tell whether the disk has no room: SQLite then only says that it cannot open a file."""
    try:
        room = os.statvfs(folder)
    except OSError:
        return False
    return room.f_bavail == 0 or (room.f_files > 0 and room.f_favail == 0)
