"""How another process tells an engine to look at its commands: a named pipe.

A ring is a hint that saves waiting. The command itself lies in the store, and the
engine also looks there each time it renews its leases.
"""

from __future__ import annotations

import contextlib
import os
import socket
import stat
from pathlib import Path

from segue.engine.owner import start_of


class Doorbell:
    """The engine's end: a descriptor that becomes readable when somebody rings.

    `address` is what others ring. It is empty where no named pipe can be made, on a full
    disk for one: commands are then found when leases are renewed, a few seconds later.
    """

    def __init__(self, path: Path) -> None:
        self.address = ""
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            with contextlib.suppress(FileExistsError):
                os.mkfifo(path, 0o600)
            # Opened for both, so that the pipe never ends when a visitor leaves.
            self._descriptor = os.open(path, os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
        except OSError:
            self._descriptor, self._ring_end = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        else:
            self.address = str(path)
            self._ring_end = self._descriptor

    def fileno(self) -> int:
        """Return the descriptor to wait on."""
        return self._descriptor

    def ring(self) -> None:
        """Ring from within this process: safe in threads and signal handlers."""
        with contextlib.suppress(BlockingIOError):
            os.write(self._ring_end, b"!")

    def clear(self) -> None:
        """Forget all rings so far."""
        with contextlib.suppress(BlockingIOError):
            while len(os.read(self._descriptor, 4096)) == 4096:
                pass

    def close(self) -> None:
        """Take the bell down."""
        os.close(self._descriptor)
        if self.address:
            Path(self.address).unlink(missing_ok=True)
        else:
            os.close(self._ring_end)


def bell_name(word: str) -> str:
    """Return a file name for a bell of this process: it tells host and process id."""
    return f"{socket.gethostname()}-{os.getpid()}-{word}"


def remove_stale(folder: Path) -> None:
    """Remove the bells that engines of this machine have left which were killed.

    Those of other machines are left alone: from here nobody can tell who listens there.
    """
    prefix = f"{socket.gethostname()}-"
    try:
        names = os.listdir(folder)
    except OSError:
        return
    for name in names:
        # Bells of the release before have no host in their names.
        number = name.removeprefix(prefix).partition("-")[0]
        path = folder / name
        if number.isdecimal() and not start_of(int(number)) and not _has_listener(path):
            with contextlib.suppress(OSError):
                path.unlink()


def _has_listener(path: Path) -> bool:
    try:
        if not stat.S_ISFIFO(os.lstat(path).st_mode):
            return True  # no bell: not ours to remove
        os.close(os.open(path, os.O_WRONLY | os.O_NONBLOCK | os.O_CLOEXEC))
    except OSError:
        return False
    return True


def ring(path: str) -> bool:
    """Ring the bell of an engine; return whether somebody listens."""
    if not path:
        return False
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        os.write(descriptor, b"!")
    except BlockingIOError:
        pass  # full of rings already
    finally:
        os.close(descriptor)
    return True
