"""What the wrapper of a job leaves in the attempt's folder, as values. Pure.

An attempt that is handed to a batch system has a *ticket*, a word that is used once.
Two records carry it in their names:

- ``begun.<ticket>`` is made by the wrapper before it runs anything. It can be made once
  only, so whoever makes it first decides: a wrapper that begins, or an engine that takes
  the submission back (`REVOKED`). Afterwards it takes what the shell says of its child.
- ``exit.<ticket>`` comes by rename when the program has ended.

The text of the wrapper is in `batch_wrapper`.
"""

from __future__ import annotations

import re
from typing import Final, NamedTuple

#: Content of a ``begun`` record that was made to keep the job from beginning.
REVOKED: Final = "revoked"
#: The wrapper ends with this exit code when it could not begin.
CANNOT_BEGIN: Final = 75
#: Exit codes above this are 128 and the number of a signal, if the shell says so too.
_SIGNALS: Final = 128
_CPU: Final = re.compile(r"(\d+)m([\d.,]+)s")


class Begun(NamedTuple):
    """The job has begun."""

    job_id: str
    node: str
    at: float | None


class Exit(NamedTuple):
    """The program has ended, with these words of the wrapper about it.

    `code` is what the shell calls ``$?``; `killed` says that a signal is behind it.
    """

    code: int
    at: float
    #: The wrapper was told to end (TERM): whoever told it knows why, so ask.
    told_to_end: bool = False
    #: We stopped it, after the task's own `timeout_s`.
    timed_out: bool = False
    #: There was no such program.
    refused: bool = False
    #: Its working directory could not be entered on that node.
    nowhere: bool = False
    cpu_s: float | None = None
    killed: bool = False

    @property
    def conclusive(self) -> bool:
        """Nobody needs to be asked for the cause: it ended well, or we know why it did not."""
        known = self.timed_out or self.refused or self.nowhere
        return known or (self.code == 0 and not self.told_to_end)

    @property
    def signal(self) -> int | None:
        """The number of the signal that ended the program, if one did."""
        return self.code - _SIGNALS if self.killed and self.code > _SIGNALS else None


def begun_name(ticket: str) -> str:
    """Return the name of the record of the beginning."""
    return f"begun.{ticket}"


def exit_name(ticket: str) -> str:
    """Return the name of the record of the end."""
    return f"exit.{ticket}"


def read_begun(text: str) -> Begun | None:
    r"""Return what the record says; None when it was made to keep the job from beginning.

    An empty one was made by a wrapper, on a full disk.

    Examples
    --------
    >>> read_begun("71 n1 12.5\n")
    Begun(job_id='71', node='n1', at=12.5)
    >>> read_begun("revoked\n") is None, read_begun("").job_id
    (True, '')
    """
    first = text.partition("\n")[0]
    if first == REVOKED:
        return None
    fields = first.split(" ")
    if len(fields) != 3:
        return Begun("", "", None)
    job_id, node, at = fields
    return Begun(job_id, node, _number(at))


def read_exit(text: str) -> Exit | None:
    r"""Return what the record says; None when it cannot be read.

    Examples
    --------
    >>> end = read_exit("139 12,5 -,killed\n0m0.1s 0m0.0s\n0m1.5s 0m0.25s\n")
    >>> end.signal, end.cpu_s, read_exit("139 12.5 -\n").signal
    (11, 1.75, None)
    """
    lines = text.splitlines()
    fields = lines[0].split(" ") if lines else []
    if len(fields) != 3 or not fields[0].isdigit():
        return None
    at = _number(fields[1])
    if at is None:
        return None
    words = fields[2].split(",")
    return Exit(
        code=int(fields[0]),
        at=at,
        told_to_end="told" in words,
        timed_out="timeout" in words,
        refused="refused" in words,
        nowhere="nowhere" in words,
        cpu_s=_cpu_s(lines[2]) if len(lines) > 2 else None,
        killed="killed" in words,
    )


def _cpu_s(line: str) -> float | None:
    times = [int(minutes) * 60 + (_number(rest) or 0.0) for minutes, rest in _CPU.findall(line)]
    return round(sum(times), 3) if times else None


def _number(text: str) -> float | None:
    """Return the number; some locales write a comma in it."""
    try:
        return float(text.replace(",", "."))
    except ValueError:
        return None
