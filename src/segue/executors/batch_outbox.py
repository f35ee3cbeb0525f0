"""Jobs on their way to a batch system: grouped, prepared, written down, submitted; in that order.

A slice at a time, so that nobody waits for the ends of jobs while many go out. When it
will not have more of this user's jobs, the rest waits here: that is no fault of a task.
"""

from __future__ import annotations

import os
import time
from collections import deque
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Final, NamedTuple

from segue.executors import batch_files
from segue.executors.batch_answers import Refusal, Submission
from segue.executors.batch_bell import bell_name
from segue.executors.batch_files import PrepareError
from segue.executors.batch_journal import Intent, Journal
from segue.executors.batch_reports import ended
from segue.executors.batch_request import Request
from segue.executors.batch_system import BatchSystem
from segue.executors.batch_wrapper import Surroundings, Work, wrapper_text
from segue.executors.slurm_request import (
    array_command,
    array_script,
    array_surroundings,
    grouped,
    site_command,
)
from segue.model.states import Cause
from segue.protocols.executor import JobKey, RunReport

#: So many commands go out before the ends of other jobs are looked at again.
_SLICE: Final = 32
#: So many submissions run at once. Slurm's controller takes some 70 jobs a second, whoever asks.
_AT_ONCE: Final = 4
#: Larger arrays are handed over in parts, so that a limit does not refuse all of them.
_ARRAY_AT_MOST: Final = 1000
#: Pause before it is asked again to take jobs beyond a limit.
_HOLD_S: Final = 15.0


class Handed(NamedTuple):
    """A job that was submitted; without an id nobody knows whether it was."""

    request: Request
    intent: Intent


@dataclass(slots=True)
class Sent:
    """What became of a slice: jobs that are out or may be, and the ends of others."""

    handed: list[Handed]
    ends: list[RunReport]


class _Parcel(NamedTuple):
    """One command that submits, ready to be run."""

    requests: tuple[Request, ...]
    intents: tuple[Intent, ...]
    command: list[str]


class Outbox:
    """Holds jobs until the batch system has them."""

    def __init__(self, commands: BatchSystem, journal: Journal, *, arrays: bool) -> None:
        self._commands = commands
        self._journal = journal
        self._arrays = arrays
        self._groups: deque[tuple[Request, ...]] = deque()
        self._held_until = 0.0
        self._threads: ThreadPoolExecutor | None = None

    def put(self, requests: Sequence[Request]) -> None:
        """Take the jobs in, equal ones together."""
        at_most = _ARRAY_AT_MOST
        if self._arrays and len(requests) > 1:
            at_most = min(at_most, self._commands.array_size())
        self._groups += grouped(requests, arrays=self._arrays, at_most=at_most)

    def holds(self, key: JobKey) -> bool:
        """Tell whether the job waits here."""
        return any(request.job.key == key for group in self._groups for request in group)

    def take_out(self, keys: Iterable[JobKey]) -> list[JobKey]:
        """Drop these jobs, and return those that were here."""
        wanted = set(keys)
        taken = [
            request.job.key
            for group in self._groups
            for request in group
            if request.job.key in wanted
        ]
        if taken:
            left = (
                tuple(request for request in group if request.job.key not in wanted)
                for group in self._groups
            )
            self._groups = deque(group for group in left if group)
        return taken

    def clear(self) -> list[JobKey]:
        """Drop all jobs, and return them."""
        return self.take_out([request.job.key for group in self._groups for request in group])

    def due_s(self) -> float:
        """Return in how many seconds the next slice can go out."""
        if not self._groups:
            return float("inf")
        return max(0.0, self._held_until - time.monotonic())

    def release(self) -> None:
        """A job has ended, so there may be room for another."""
        self._held_until = 0.0

    def send(self, *, others: bool) -> Sent:
        """Hand over the next slice; `others` says that it has jobs of ours already."""
        sent = Sent([], [])
        groups = [self._groups.popleft() for _ in range(min(_SLICE, len(self._groups)))]
        parcels = [parcel for group in groups if (parcel := self._parcel(group, sent))]
        if not parcels:
            return sent
        try:
            self._journal.intend(intent for parcel in parcels for intent in parcel.intents)
        except OSError as error:
            text = f"what is submitted cannot be written down: {error.strerror}"
            for parcel in parcels:
                _end(sent, parcel.requests, Cause.UNREACHABLE, text)
            return sent
        refused: list[tuple[Request, ...]] = []
        for parcel, submission in zip(parcels, self._submit(parcels), strict=True):
            if submission.refusal is Refusal.LIMIT:
                refused += self._beyond_limit(parcel, submission, sent, others)
            else:
                self._take(parcel, submission, sent)
        self._groups.extendleft(reversed(refused))
        return sent

    def close(self) -> None:
        """Stop the threads."""
        if self._threads:
            self._threads.shutdown()

    def _submit(self, parcels: Sequence[_Parcel]) -> list[Submission]:
        if len(parcels) == 1:
            return [self._hand_over(parcels[0])]
        if self._threads is None:
            self._threads = ThreadPoolExecutor(_AT_ONCE, "submit")
        return list(self._threads.map(self._hand_over, parcels))

    def _hand_over(self, parcel: _Parcel) -> Submission:
        request = parcel.requests[0]
        if not request.site:
            return self._commands.submit(parcel.command)
        job = request.job
        changes = batch_files.job_environment(job)
        submission = self._commands.submit_by(parcel.command, job.workdir, changes)
        if submission.job_id:
            log = self._commands.log_of(submission.job_id)
            batch_files.adopt_output(job.folder, log)
        return submission

    def _take(self, parcel: _Parcel, submission: Submission, sent: Sent) -> None:
        if submission.refusal is Refusal.FOR_EVER:
            _end(sent, parcel.requests, Cause.REFUSED, submission.message)
            return
        if submission.refusal is Refusal.NOT_NOW:
            _end(sent, parcel.requests, Cause.UNREACHABLE, submission.message)
            return
        ids = {}
        for request, intent in zip(parcel.requests, parcel.intents, strict=True):
            if submission.job_id:
                job_id = id_of(submission.job_id, intent.element)
                ids[intent.name] = job_id
                intent = intent._replace(job_id=job_id)
                batch_files.name_output(intent.folder, intent.workdir, intent.output, job_id)
            sent.handed.append(Handed(request, intent))
        if ids:
            self._journal.name(ids)

    def _beyond_limit(
        self, parcel: _Parcel, submission: Submission, sent: Sent, others: bool
    ) -> list[tuple[Request, ...]]:
        """Return what is to be tried again: a part of an array, or the job when there is room."""
        requests = parcel.requests
        if len(requests) > 1:
            half = len(requests) // 2
            return [requests[:half], requests[half:]]
        if others or sent.handed:
            self._held_until = time.monotonic() + _HOLD_S
            return [requests]
        # None of the jobs that fill the limit is ours: nothing here says when there is room.
        _end(sent, requests, Cause.UNREACHABLE, submission.message)
        return []

    # Files ---------------------------------------------------------------------------

    def _parcel(self, group: Sequence[Request], sent: Sent) -> _Parcel | None:
        """Make the files of a group; those whose files cannot be made end here."""
        if group[0].site:
            return self._site_parcel(group[0], sent)
        ticket = batch_files.new_ticket()
        is_array = len(group) > 1
        ready = []
        for request in group:
            where = self._where(request, is_array)
            try:
                self._prepare(request, ticket, where, () if is_array else request.header)
            except PrepareError as error:
                _end(sent, [request], error.cause, str(error))
            else:
                ready.append(request)
        if not ready:
            return None
        intents = tuple(
            _intent(request, ticket, index if is_array else None, str(self._journal.bell))
            for index, request in enumerate(ready)
        )
        if not is_array:
            return _Parcel(tuple(ready), intents, self._commands.single_command(ready[0], ticket))
        folder = f"{os.path.dirname(ready[0].job.folder)}/array.{ticket}"
        try:
            _make_array_folder(folder, ready)
        except OSError as error:
            text = f"cannot make the array's folder {folder}: {error.strerror}"
            _end(sent, ready, Cause.UNREACHABLE, text)
            return None
        return _Parcel(tuple(ready), intents, array_command(ready, ticket, folder))

    def _site_parcel(self, request: Request, sent: Sent) -> _Parcel | None:
        """Make what a job needs that the site's own program submits: a folder for its log."""
        try:
            batch_files.prepare_folders(request.job)
        except PrepareError as error:
            _end(sent, [request], error.cause, str(error))
            return None
        ticket = batch_files.new_ticket()
        intent = _intent(request, ticket, None, str(self._journal.bell))
        # Without a folder: nothing of ours will leave records there.
        return _Parcel((request,), (intent._replace(folder=""),), site_command(request, ticket))

    def _where(self, request: Request, is_array: bool) -> Surroundings:
        return array_surroundings(request) if is_array else self._commands.surroundings(request)

    def _prepare(
        self, request: Request, ticket: str, where: Surroundings, header: Sequence[str]
    ) -> None:
        job = request.job
        work = Work(
            title=job.title,
            ticket=ticket,
            folder=job.folder,
            workdir=job.workdir,
            command=batch_files.command_of(job),
            bell=bell_name(self._journal.bell, job.key.name),
            environment=batch_files.job_environment(job),
            clear_environment=job.clear_environment,
            timeout_s=job.timeout_s,
        )
        batch_files.prepare(job, wrapper_text(work, where, header))
        batch_files.name_output(job.folder, job.workdir, request.output, "")


def id_of(array_id: str, index: int | None) -> str:
    """Return the id of an element; the id itself for a job that is none.

    Examples
    --------
    >>> id_of("71", 3), id_of("71", None)
    ('71_3', '71')
    """
    return array_id if index is None else f"{array_id}_{index}"


def _make_array_folder(folder: str, requests: Sequence[Request]) -> None:
    os.makedirs(folder, exist_ok=True)
    for index, request in enumerate(requests):
        os.symlink(request.job.folder, f"{folder}/{index}")
    with open(f"{folder}/job", "wb") as file:
        file.write(os.fsencode(array_script(requests, folder)))


def _intent(request: Request, ticket: str, index: int | None, bell: str) -> Intent:
    job = request.job
    return Intent(
        job.key.name, ticket, index, job.folder, job.workdir, request.output, time.time(), "", bell
    )


def _end(sent: Sent, requests: Iterable[Request], cause: Cause, message: str) -> None:
    now = time.time()
    sent.ends += [ended(request.job.key, now, cause, message) for request in requests]
