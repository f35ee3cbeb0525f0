r"""Which runner has which job: written down before it is handed over.

One file for all engines that use a pool from here, ``<state>/journal``, a JSON array a line:

- ``["line", name, ...]``: these came to us and wait in line; no runner has them.
- ``["give", name, url, folder, needs, lease_s, at]``: is about to be handed to that runner.
- ``["end", name, ...]``: their ends are stored; the runner may forget them.
- ``["gone", name, ...]``: no runner has anything of them any more.

A job of which nothing is written here may have come from another machine: then all runners
must be asked. What is gone is dropped when the file has grown; a lock keeps others from
writing meanwhile.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import threading
import time
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final, NamedTuple

from segue.protocols.runner import Amounts

#: What nobody has asked for so long is dropped, in seconds.
KEPT_FOR_S: Final = 180 * 24 * 3600.0
#: The file is rewritten when it has so many more lines than jobs.
SPARE_LINES: Final = 20_000
_encode: Final = json.JSONEncoder(separators=(",", ":")).encode


class Note(NamedTuple):
    """What is written of a job. Without `url` it waits in line; `ended`: its end is stored."""

    url: str = ""
    folder: str = ""
    needs: Amounts = {}  # noqa: RUF012 - never changed
    lease_s: float = 0.0
    at: float = 0.0
    ended: bool = False


def read_lines(text: str, notes: dict[str, Note]) -> dict[str, Note]:
    r"""Add what the lines say to `notes`, and return it; a torn line costs that line.

    Examples
    --------
    >>> text = '["line","r.0.1","r.1.1"]\n["give","r.0.1","http://a","/f",{},9.0,5.0]\n["go'
    >>> notes = read_lines(text, {})
    >>> notes["r.0.1"].url, notes["r.1.1"].url
    ('http://a', '')
    """
    for line in text.splitlines():
        try:
            kind, *rest = json.loads(line)
            if kind == "line":
                notes.update(dict.fromkeys(rest, Note()))
            elif kind == "give":
                name, *said = rest
                notes[name] = Note(*said)
            elif kind == "end":
                notes.update(
                    {name: notes[name]._replace(ended=True) for name in rest if name in notes}
                )
            elif kind == "gone":
                for name in rest:
                    notes.pop(name, None)
        except (ValueError, TypeError):
            continue
    return notes


class Journal:
    """The journal in a pool's folder; to be used by several threads, and several engines."""

    def __init__(self, state: Path) -> None:
        state.mkdir(parents=True, exist_ok=True, mode=0o700)
        self.path = state / "journal"
        self._lock_file = os.open(state / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        self._turn = threading.Lock()
        self._descriptor = -1
        self._lines = 0
        with self._turn, self._held(fcntl.LOCK_EX):
            self._rewrite()

    def read(self) -> dict[str, Note]:
        """Return what is written of each job by now, by any engine."""
        with self._turn, self._held(fcntl.LOCK_SH):
            return self._read()

    def line(self, names: Iterable[str]) -> None:
        """Write that these jobs wait here; not told if that fails: it only saves questions."""
        with contextlib.suppress(OSError):
            self._write([["line", *names]])

    def give(self, notes: Mapping[str, Note]) -> None:
        """Write to whom jobs are about to be handed; it is on the disk when this returns.

        Raises
        ------
        OSError
            If it cannot be written: then nothing may be handed over.
        """
        self._write([["give", name, *note[:5]] for name, note in notes.items()], flush=True)

    def end(self, names: Iterable[str]) -> None:
        """Write that the ends of these jobs are stored."""
        with contextlib.suppress(OSError):
            self._write([["end", *names]])

    def gone(self, names: Iterable[str]) -> None:
        """Write that no runner has anything of these jobs."""
        with contextlib.suppress(OSError):
            self._write([["gone", *names]])

    def close(self) -> None:
        """Let the file go."""
        os.close(self._descriptor)
        os.close(self._lock_file)

    # With the turn and the lock held ------------------------------------------------------

    def _write(self, lines: list[list[Any]], *, flush: bool = False) -> None:
        text = "".join(_encode(line) + "\n" for line in lines if len(line) > 1)
        if not text:
            return
        with self._turn:
            with self._held(fcntl.LOCK_SH):
                self._open_newest()
                # An empty line first: the last write may have stopped half way, on a full disk.
                data = ("\n" + text).encode()
                while data:
                    data = data[os.write(self._descriptor, data) :]
                if flush:
                    os.fdatasync(self._descriptor)
            self._lines += len(lines)
            if self._lines > SPARE_LINES:
                with self._held(fcntl.LOCK_EX):
                    self._rewrite()

    def _open_newest(self) -> None:
        """Open the file again if another engine has put a new one in its place."""
        with contextlib.suppress(FileNotFoundError):
            there, ours = os.stat(self.path), os.fstat(self._descriptor)
            if (there.st_dev, there.st_ino) == (ours.st_dev, ours.st_ino):
                return
        os.close(self._descriptor)
        self._descriptor = self._opened()

    def _opened(self) -> int:
        flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC
        return os.open(self.path, flags, 0o600)

    def _read(self) -> dict[str, Note]:
        try:
            return read_lines(self.path.read_text(errors="replace"), {})
        except FileNotFoundError:
            return {}

    def _rewrite(self) -> None:
        """Put a file in its place that holds only what is not gone."""
        oldest = time.time() - KEPT_FOR_S
        lines: list[list[Any]] = []
        for name, note in self._read().items():
            if not note.url:
                lines.append(["line", name])
            elif note.at > oldest:
                lines.append(["give", name, *note[:5]])
                lines += [["end", name]] if note.ended else []
        new = self.path.with_suffix(".new")
        with open(new, "w") as file:
            file.write("".join(_encode(line) + "\n" for line in lines))
            file.flush()
            os.fsync(file.fileno())
        os.replace(new, self.path)
        if self._descriptor >= 0:
            os.close(self._descriptor)
        self._descriptor = self._opened()
        self._lines = 0

    @contextlib.contextmanager
    def _held(self, kind: int) -> Iterator[None]:
        with contextlib.suppress(OSError):  # a file system without locks
            fcntl.flock(self._lock_file, kind)
        try:
            yield
        finally:
            with contextlib.suppress(OSError):
                fcntl.flock(self._lock_file, fcntl.LOCK_UN)


def owner_of(state: Path) -> str:
    """Return the word by which runners know the engines that use this folder.

    Made up when it is first asked for; two who ask at once get the same.
    """
    path = state / "owner"
    with contextlib.suppress(FileNotFoundError):
        return path.read_text().strip()
    state.mkdir(parents=True, exist_ok=True, mode=0o700)
    own = state / f"owner.{os.getpid()}"
    own.write_text(os.urandom(12).hex())
    with contextlib.suppress(FileExistsError):
        os.link(own, path)
    own.unlink()
    return path.read_text().strip()
