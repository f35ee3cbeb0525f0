r"""What an engine meant to hand to a batch system, and what it was called there.

Each engine writes a journal of its own, ``<state>/<session>.journal``, one JSON array a
line, and holds a lock on it while it lives. An intent is written before the batch system
is asked, so that a job can be found after a crash at any line:

- ``["intent", name, ticket, element, folder, workdir, {"stdout": name, ...}, at]``
- ``["id", name, job id]``
- ``["forget", name, ...]``: their ends are stored.

`element` is the place in an array whose jobs share a ticket, or null. Beside it lies the
bell folder of the session, ``<session>.bell/`` (see `batch_bell`).
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import shutil
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, NamedTuple

#: A journal whose jobs nobody has asked for is removed after so long.
KEPT_FOR_S: Final = 180 * 24 * 3600.0
#: A journal that is younger may belong to an engine that is just opening it.
_OPENING_S: Final = 600.0
_encode: Final = json.JSONEncoder(separators=(",", ":")).encode


class Intent(NamedTuple):
    """One job as it was meant to be handed over; `bell` is where it rings."""

    name: str
    ticket: str
    element: int | None
    folder: str
    workdir: str
    output: Mapping[str, str]
    at: float
    job_id: str = ""
    bell: str = ""


@dataclass(frozen=True, slots=True)
class Facts:
    """What journals say: the newest intent of each job, by name, and what may be dropped."""

    intents: dict[str, Intent] = field(default_factory=dict)
    forgotten: set[str] = field(default_factory=set)

    @property
    def remembered(self) -> set[str]:
        """Names of jobs that an engine may still ask for."""
        return set(self.intents) - self.forgotten


def read_lines(text: str, facts: Facts, bell: str = "") -> Facts:
    r"""Add what the lines say to `facts`, and return it; a torn line costs that line.

    Examples
    --------
    >>> text = '["intent","r.0.1","t",null,"/f","/w",{},5.0]\n["id","r.0.1","71"]\n["for'
    >>> read_lines(text, Facts()).intents["r.0.1"].job_id
    '71'
    """
    for line in text.splitlines():
        try:
            kind, *rest = json.loads(line)
            if kind == "intent":
                intent = Intent(*rest)._replace(bell=bell)
                facts.intents[intent.name] = intent
                facts.forgotten.discard(intent.name)
            elif kind == "id":
                name, job_id = rest
                facts.intents[name] = facts.intents[name]._replace(job_id=job_id)
            elif kind == "forget":
                facts.forgotten.update(rest)
        except (ValueError, TypeError, KeyError):
            continue
    return facts


def bell_of(journal: Path) -> Path:
    """Return the bell folder of a journal's session."""
    return journal.with_suffix(".bell")


def read_all(state: Path) -> Facts:
    """Return what all journals in the folder say, the oldest first."""
    facts = Facts()
    for path in _journals(state):
        with contextlib.suppress(OSError):
            text = path.read_text(errors="replace")
            read_lines(text, facts, str(bell_of(path)))
    return facts


def _journals(state: Path) -> list[Path]:
    return sorted(state.glob("*.journal"))


class Journal:
    """The journal of this engine; its file is made with the first line."""

    def __init__(self, state: Path) -> None:
        self.path = state / f"{time.time_ns():x}-{os.urandom(3).hex()}.journal"
        self._descriptor = -1
        self._facts = Facts()

    @property
    def bell(self) -> Path:
        """The bell folder of this session."""
        return bell_of(self.path)

    def intend(self, intents: Iterable[Intent]) -> None:
        """Write what is about to be handed over; it is on the disk when this returns.

        Raises
        ------
        OSError
            If it cannot be written: then nothing may be handed over.
        """
        self._write([["intent", *intent[:6], intent.at] for intent in intents])
        os.fdatasync(self._descriptor)

    def name(self, ids: Mapping[str, str]) -> None:
        """Write what jobs are called outside; not told if that fails: names find them too."""
        with contextlib.suppress(OSError):
            self._write([["id", name, job_id] for name, job_id in ids.items()])

    def forget(self, names: Iterable[str]) -> None:
        """Write that the ends of these jobs are stored."""
        names = list(names)
        if names:
            with contextlib.suppress(OSError):
                self._write([["forget", *names]])

    def close(self) -> None:
        """Close the file; remove it when nobody can ask for anything in it."""
        if self._descriptor < 0:
            return
        tidy(self.path.parent)
        if not self._facts.remembered:
            _remove(self.path)
        os.close(self._descriptor)
        self._descriptor = -1

    def _write(self, lines: list[list[Any]]) -> None:
        text = "".join(_encode(line) + "\n" for line in lines)
        if self._descriptor < 0:
            self._open()
        # An empty line first: the last write may have stopped half way, on a full disk.
        data = ("\n" + text).encode()
        while data:
            data = data[os.write(self._descriptor, data) :]
        read_lines(text, self._facts)

    def _open(self) -> None:
        self.path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        tidy(self.path.parent)
        self.bell.mkdir(exist_ok=True)
        flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC
        self._descriptor = os.open(self.path, flags, 0o600)
        with contextlib.suppress(OSError):  # a file system without locks
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)


def tidy(state: Path) -> None:
    """Remove journals of dead engines that nobody can or will ask for any more."""
    everything = read_all(state)
    for path in _journals(state):
        with contextlib.suppress(OSError):
            own = read_lines(path.read_text(errors="replace"), Facts())
            age_s = time.time() - path.stat().st_mtime
            done = not own.remembered & everything.remembered and age_s > _OPENING_S
            if (done or age_s > KEPT_FOR_S) and not _is_held(path):
                _remove(path)


def _is_held(path: Path) -> bool:
    """Whether the engine of this journal may live; certain only where locks are."""
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except OSError:
        return True
    finally:
        os.close(descriptor)
    return False


def _remove(path: Path) -> None:
    shutil.rmtree(bell_of(path), ignore_errors=True)
    path.unlink(missing_ok=True)
