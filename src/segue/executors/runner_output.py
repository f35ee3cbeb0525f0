"""The output of a job elsewhere, copied into the attempt's folder piece by piece.

Each piece is written where it belongs, so a copy that was broken off goes on at its end.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Final, NamedTuple

from segue.executors.keeper.children import PASSING
from segue.model.states import Cause

STREAMS: Final = ("stdout", "stderr")
#: So much is fetched at a time.
PIECE_BYTES: Final = 2**20


class Wanted(NamedTuple):
    """Output to be fetched: of which job, into which folder, and how much there is of it.

    With `final` the job has ended, and whoever asked waits for the last byte.
    """

    name: str
    folder: str
    stdout_bytes: int
    stderr_bytes: int
    final: bool = False

    def missing(self) -> Iterator[tuple[str, int, int]]:
        """Return the streams that are not whole here, each with what is here and what there is."""
        if not self.folder:
            return
        for stream, size in zip(STREAMS, (self.stdout_bytes, self.stderr_bytes), strict=True):
            here = size_of(f"{self.folder}/{stream}") if size else 0
            if here < size:
                yield stream, here, size


def begin(folder: str) -> None:
    """Make an attempt's folder with its output, empty.

    Raises
    ------
    OSError
        If it cannot be made.
    """
    os.makedirs(folder, exist_ok=True)
    for stream in STREAMS:
        flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC
        os.close(os.open(f"{folder}/{stream}", flags, 0o666))


def write(path: str, offset: int, data: bytes) -> None:
    """Write a piece where it belongs.

    Raises
    ------
    OSError
        If it cannot be written.
    """
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o666)
    try:
        view = memoryview(data)
        while view:
            done = os.pwrite(descriptor, view, offset)
            view, offset = view[done:], offset + done
    finally:
        os.close(descriptor)


def size_of(path: str) -> int:
    """Return the size of a file; 0 without one."""
    try:
        return os.stat(path).st_size
    except OSError:
        return 0


def cause_of(error: OSError) -> Cause:
    """Return whether what cannot be written may be written later."""
    return Cause.UNREACHABLE if error.errno in PASSING else Cause.REFUSED
