"""The files that attempts print into, read without trust in what lies there.

A task can replace its output by anything: a link to a file of somebody else, a pipe that
never answers. Only plain files are read, and no link is followed.
"""

from __future__ import annotations

import asyncio
import os
import re
import stat
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from segue.model.errors import NotFoundError, StoreError
from segue.model.run import AttemptRecord
from segue.model.states import FINAL
from segue.model.times import duration, rfc3339

if TYPE_CHECKING:
    from segue.server.desk import Desk
    from segue.server.site import Site

#: Output travels in pieces of so many bytes.
PIECE_BYTES: Final = 256 * 1024
#: A file that grows is looked at so often, in seconds, and the store every so many looks.
LOOK_S: Final = 0.2
LOOKS_PER_QUESTION: Final = 3
_RANGE: Final = re.compile(r"bytes=(\d{0,18})-(\d{0,18})")


@dataclass(frozen=True, slots=True)
class Part:
    """The bytes from `begin` to before `end`; `ranged`: a range was asked for."""

    begin: int
    end: int
    ranged: bool = False

    @property
    def length(self) -> int:
        """How many bytes that are."""
        return self.end - self.begin


@dataclass(frozen=True, slots=True)
class Reading:
    """A file of output as it was when it was asked for; it may grow."""

    attempt: AttemptRecord
    path: str
    size: int

    def part(self, wanted: str, tail: int | None) -> Part | None:
        """Return what is asked for; None: there is no such range.

        A range of several parts, or of another kind, is passed over, as RFC 9110 allows.

        Examples
        --------
        >>> reading = Reading(None, "", 10)
        >>> reading.part("bytes=2-4", None), reading.part("bytes=-3", None)
        (Part(begin=2, end=5, ranged=True), Part(begin=7, end=10, ranged=True))
        """
        found = _RANGE.fullmatch(wanted.strip())
        if found is None or not (found[1] or found[2]):
            begin = 0 if tail is None else max(0, self.size - tail)
            return Part(begin, self.size)
        if not found[1]:
            number = min(int(found[2]), self.size)
            return Part(self.size - number, self.size, ranged=True) if number else None
        begin = int(found[1])
        end = min(int(found[2]) + 1 if found[2] else self.size, self.size)
        return Part(begin, end, ranged=True) if begin < end else None


def begin(attempt: AttemptRecord, stream: str) -> Reading:
    """Return how an output of an attempt can be read now.

    Raises
    ------
    NotFoundError
        If it was taken away.
    """
    path = os.path.join(attempt.folder, stream)
    try:
        found = os.lstat(path)
    except OSError as error:
        begun = attempt.started_at is not None and attempt.place != "noop"
        if begun and not os.path.isdir(attempt.folder):
            raise NotFoundError(
                f"what attempt {attempt.number} printed is gone",
                "its folder was removed or moved; its results are still known",
            ) from error
        return Reading(attempt, path, 0)
    if not stat.S_ISREG(found.st_mode):
        raise NotFoundError(f"the {stream} of attempt {attempt.number} is no plain file")
    return Reading(attempt, path, found.st_size)


def read_piece(path: str, begin: int, end: int) -> bytes:
    """Return up to a piece of a plain file, from `begin` to before `end`."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return b""
    try:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            return b""
        return os.pread(descriptor, min(PIECE_BYTES, end - begin), begin)
    except OSError:
        return b""
    finally:
        os.close(descriptor)


async def read_aside(path: str, begin: int, end: int) -> bytes:
    """Return what `read_piece` returns, read in another thread: no store is needed for it."""
    return await asyncio.to_thread(read_piece, path, begin, end)


class Follow:
    """What is printed, as it comes, until the attempt has ended."""

    def __init__(self, site: Site, run: str, task: str, reading: Reading, begin: int) -> None:
        self._site = site
        self._names = (run, task, str(reading.attempt.number))
        self._path = reading.path
        self._at = begin

    async def pieces(self) -> AsyncIterator[bytes]:
        """Yield what comes; it is read only as fast as it is taken."""
        looks = 0
        ended = False
        while not self._site.hub.closed:
            # The end is asked for before the last look, so that nothing is missed.
            if looks % LOOKS_PER_QUESTION == 0:
                ended = await self._ended()
            looks += 1
            while piece := await read_aside(self._path, self._at, self._at + PIECE_BYTES):
                self._at += len(piece)
                yield piece
            if ended:
                return
            await asyncio.sleep(LOOK_S)

    async def _ended(self) -> bool:
        try:
            return await self._site.office.ask(self._has_ended)
        except StoreError:
            return False  # asked again: what is printed meanwhile is told all the same

    def _has_ended(self, desk: Desk) -> bool:
        try:
            attempt = desk.attempt(*self._names)
        except NotFoundError:
            return True  # given back, or removed with its run
        return attempt.ended_at is not None or attempt.state in FINAL


def executor_log(attempt: AttemptRecord) -> str:
    """Return what the executor has to say of an attempt, for people."""
    told = [f"attempt {attempt.number} in the pool {attempt.place}"]
    if attempt.job_id:
        told.append(f"job {attempt.job_id}" + (f" on {attempt.node}" if attempt.node else ""))
    times = {what: getattr(attempt, f"{what}_at") for what in ("submitted", "started", "ended")}
    told += [f"{what} {rfc3339(at)}" for what, at in times.items() if at is not None]
    if attempt.started_at is not None and attempt.ended_at is not None:
        told.append(f"it took {duration(max(0.0, attempt.ended_at - attempt.started_at))}")
    ends = {"cause": attempt.cause, "exit code": attempt.exit_code, "signal": attempt.signal}
    told += [f"{what} {value}" for what, value in ends.items() if value is not None]
    told.append(f"state {attempt.state}")
    if attempt.message:
        told.append(attempt.message)
    return "\n".join(told) + "\n"
