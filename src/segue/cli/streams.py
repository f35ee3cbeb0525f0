"""Our own standard streams: any text can be printed, and a reader that leaves is no error."""

from __future__ import annotations

import contextlib
import errno
import io
import os
import sys
from collections.abc import Iterator

from segue.model.errors import OutsideError


class ReaderLeftError(Exception):
    """Nobody reads our standard output any more, and that is fine (`segue runs | head`)."""


@contextlib.contextmanager
def own_output() -> Iterator[None]:
    """Tell trouble with our own output from all other errors.

    Otherwise it would look as if a run had failed.
    """
    try:
        yield
    except OSError as error:
        if error.filename is not None:
            raise
        if error.errno in (errno.EPIPE, errno.EIO):  # EIO: the terminal was closed
            raise ReaderLeftError from error
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise OutsideError(f"standard output cannot be written: {error.strerror}") from error
        raise


def prepare_streams() -> None:
    """Let every text be printed, and nothing else be opened where output belongs.

    A closed descriptor would be given to the next file that is opened, the store
    perhaps, and words for the user would be written into it.
    """
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        if getattr(sys, name) is None:
            setattr(sys, name, os.fdopen(number, "w" if number else "r", closefd=False))
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")


def be_silent() -> None:
    """Throw away what could not be printed, or Python complains about it when it ends."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
