"""Going on in the background, as daemons do that are called with ``-d``."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from typing import NoReturn

import click

from segue.model.errors import OutsideError


def leave_terminal(program: str) -> Callable[[str], None]:
    """Go on in a process of its own; return what says, with a line, that it is ready.

    The process that was called waits for that line, prints it, and leaves.
    """
    reading, writing = os.pipe()
    if os.fork():
        os.close(writing)
        _leave(reading, program)
    os.close(reading)
    os.setsid()
    if os.fork():
        os._exit(0)
    os.chdir("/")
    nothing = os.open(os.devnull, os.O_RDWR)
    for stream in (0, 1):
        os.dup2(nothing, stream)
    os.close(nothing)
    return _told_parent(writing)


def _leave(reading: int, program: str) -> NoReturn:
    with os.fdopen(reading) as stream:
        said = stream.read().strip()
    if not said:
        click.echo(f"{program}: it did not start; without -d it says why", err=True)
        os._exit(OutsideError.exit_code)
    click.echo(said)
    sys.stdout.flush()
    os._exit(0)


def _told_parent(writing: int) -> Callable[[str], None]:
    def tell(line: str) -> None:
        os.write(writing, line.encode())
        os.close(writing)
        nothing = os.open(os.devnull, os.O_RDWR)
        os.dup2(nothing, 2)
        os.close(nothing)

    return tell
