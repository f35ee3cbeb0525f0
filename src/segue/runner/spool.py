"""The folders of a runner: what it has taken on, and how that ended.

In the spool lie ``lock``, held for life by the daemon; ``keepers/``, the state folder of the
local executor; ``gone/``, what is just being removed; and ``jobs/``, with a folder a job:

- ``order``: what was ordered, when, and since which start of the machine;
- ``owner``: whose it is, where that has changed;
- ``stop``: why it is to be stopped, if it is;
- ``end``: what is told of it at last;
- ``attempt/``: the attempt's own folder, with ``stdout`` and ``stderr``.

Each file comes by a rename, so it is whole or not there.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import logging
import os
import shutil
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

from segue.executors.keeper.journal import boot_id
from segue.model.errors import OutsideError, UserError
from segue.model.states import Cause
from segue.protocols.executor import JobKey
from segue.protocols.runner import Order, Told

log = logging.getLogger("segue.runner")

#: A folder's name may be so long; some file systems take 255 bytes, and some less.
_NAME_LENGTH: Final = 140


@dataclass(frozen=True, slots=True)
class Stop:
    """Why a job is stopped, in the words of its end."""

    cause: Cause
    message: str = ""


@dataclass(frozen=True, slots=True)
class Kept:
    """A job as a daemon finds it at its start.

    `taken_at` is when it was taken, in seconds since the start of the machine, and
    `same_boot` whether that was this start; `taken` is the time of day.
    """

    order: Order
    taken: float
    taken_at: float
    same_boot: bool
    stop: Stop | None
    end: Told | None


def now_s() -> float:
    """Return the seconds since the start of the machine, those asleep included."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)


def folder_name(name: str) -> str:
    """Return a name for the folder of a job, whatever signs the job's own name holds.

    Examples
    --------
    >>> folder_name("build-x7k2.3.1"), folder_name("../a b.0.1")
    ('build-x7k2.3.1', '..%2Fa%20b.0.1')
    """
    quoted = quote(name, safe="")
    if len(quoted) <= _NAME_LENGTH:
        return quoted
    return f"{quoted[: _NAME_LENGTH - 66]}~{hashlib.sha256(name.encode()).hexdigest()}"


class Spool:
    """The folders of one daemon, which holds their lock as long as it lives."""

    def __init__(self, root: Path) -> None:
        """Make the folders, and take the lock.

        Raises
        ------
        UserError
            If another runner holds them.
        OutsideError
            If they cannot be made.
        """
        self.root = root
        self.keepers = root / "keepers"
        self._jobs = root / "jobs"
        self._gone = root / "gone"
        try:
            root.mkdir(parents=True, exist_ok=True)
            for folder in (self.keepers, self._jobs, self._gone):
                folder.mkdir(exist_ok=True, mode=0o700)
            self._lock = os.open(root / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise OutsideError(
                f"the spool {root} cannot be made: {error.strerror}",
                "name a folder that can be written with --spool",
            ) from error
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            os.close(self._lock)
            raise UserError(
                f"another runner uses the spool {root}",
                "stop that one, or give this one a folder of its own with --spool",
            ) from error
        for left in self._gone.iterdir():
            shutil.rmtree(left, ignore_errors=True)

    def close(self) -> None:
        """Let the spool go."""
        os.close(self._lock)

    def attempt_of(self, name: str) -> Path:
        """Return the attempt's folder of a job."""
        return self._folder(name) / "attempt"

    def write_order(self, order: Order, taken: float) -> None:
        """Keep an order; when this returns, no loss of power takes it away.

        Raises
        ------
        OSError
            If it cannot be written; then nothing is kept.
        """
        folder = self._folder(order.job.key.name)
        value = {
            "name": order.job.key.name,
            "taken": taken,
            "taken_at": now_s(),
            "boot": boot_id(),
            "order": order.to_json(),
        }
        try:
            if folder.exists():  # of an order that was returned, or never promised
                self.remove(order.job.key.name)
            folder.mkdir()
            _write(folder / "order", json.dumps(value), flush=True)
            _flush(folder)
            _flush(self._jobs)
        except OSError:
            self.remove(order.job.key.name)
            raise

    def read_order(self, name: str) -> Order:
        """Return an order that was kept.

        Raises
        ------
        OSError, ValueError
            If it cannot be read.
        """
        return self._order(json.loads((self._folder(name) / "order").read_bytes()))

    def write_owner(self, name: str, owner: str) -> None:
        """Keep whose the job is from now on, if there is room for that."""
        self._write_note(name, "owner", owner)

    def write_stop(self, name: str, stop: Stop) -> None:
        """Keep that the job is to be stopped, if there is room for that."""
        self._write_note(name, "stop", [stop.cause, stop.message])

    def write_end(self, told: Told) -> None:
        """Keep the last that is told of a job.

        Raises
        ------
        OSError
            If it cannot be written.
        """
        _write(self._folder(told.name) / "end", json.dumps(told.to_json()))

    def remove(self, name: str) -> None:
        """Forget a job with all that it printed."""
        gone = self._gone / f"{time.time_ns()}-{os.urandom(4).hex()}"
        # Out of sight in one step: half a folder would be read as a job by the next daemon.
        with contextlib.suppress(OSError):
            os.rename(self._folder(name), gone)
        shutil.rmtree(gone, ignore_errors=True)

    def sizes(self, name: str) -> tuple[int, int]:
        """Return how many bytes of stdout and stderr there are."""
        attempt = self.attempt_of(name)
        return _size(attempt / "stdout"), _size(attempt / "stderr")

    def kept(self) -> Iterator[Kept]:
        """Read all jobs that earlier daemons have left; what cannot be read is told, and stays."""
        for folder in sorted(self._jobs.iterdir()):
            try:
                if (folder / "order").exists():
                    yield self._read(folder)
                else:  # its daemon was killed before anything was promised
                    shutil.rmtree(folder, ignore_errors=True)
            except (OSError, ValueError, KeyError, TypeError) as error:
                log.warning("%s cannot be read and is left alone: %s", folder, error)

    def _read(self, folder: Path) -> Kept:
        value = json.loads((folder / "order").read_bytes())
        order = self._order(value)
        if (folder / "owner").exists():
            order = order._replace(owner=json.loads((folder / "owner").read_bytes()))
        stop = None
        if (folder / "stop").exists():
            cause, message = json.loads((folder / "stop").read_bytes())
            stop = Stop(Cause(cause), message)
        end = None
        if (folder / "end").exists():
            end = Told.from_json(json.loads((folder / "end").read_bytes()))
        same_boot = value["boot"] == boot_id()
        return Kept(order, value["taken"], value["taken_at"], same_boot, stop, end)

    def _order(self, value: Any) -> Order:
        name = value["name"]
        return Order.from_json(JobKey.of(name), str(self.attempt_of(name)), value["order"])

    def _folder(self, name: str) -> Path:
        return self._jobs / folder_name(name)

    def _write_note(self, name: str, kind: str, value: Any) -> None:
        try:
            _write(self._folder(name) / kind, json.dumps(value))
        except OSError as error:
            # Missed only if this daemon dies before the job is over.
            log.warning("the %s of %s cannot be kept: %s", kind, name, error)


def _write(path: Path, text: str, *, flush: bool = False) -> None:
    part = path.with_name(path.name + ".part")
    with open(part, "w", encoding="ascii") as file:
        file.write(text)
        if flush:
            file.flush()
            os.fsync(file.fileno())
    os.rename(part, path)


def _flush(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _size(path: Path) -> int:
    try:
        return path.lstat().st_size
    except OSError:
        return 0
