"""The log of a launch: one text that shows all steps, as the electronic logbook wants it.

Written by the engine's turns, and by the Server's threads where lines are shown as they come.
Also tells the Server's board what runs, and who may have said something.
"""

from __future__ import annotations

import codecs
import threading
from collections.abc import Callable, Collection
from pathlib import Path
from typing import IO, Final

from segue.cli.engine import READER_IS_GONE
from segue.engine.live_run import LiveRun
from segue.engine.scheduler import Turn
from segue.lute.launch import shown
from segue.lute.launch_words import (
    COMPLETED,
    heading,
    log_heading,
    not_launched,
    reason_of,
    status_of,
    times,
    which,
)
from segue.model.run import AttemptRecord, TaskRecord
from segue.model.states import FINAL, TaskState
from segue.model.workflow import Task
from segue.protocols.executor import JobKey
from segue.server.lute_board import LAST, Board, Said

_CHUNK_BYTES: Final = 2**16
#: Says to whoever runs the jobs that some of them end just now.
Hint = Callable[[Collection[JobKey]], None]


class LaunchLog:
    """Told what happens by the engine and by the Server; fulfils `segue.cli.progress.Progress`.

    `unbuffered` shows lines of the jobs as they come, and no job's log when it has ended,
    unless it has said nothing.
    """

    beat_s: float = 0.0

    def __init__(self, stream: IO[str], errors: IO[str], board: Board, *, unbuffered: bool) -> None:
        self._stream = stream
        self._errors = errors
        self._board = board
        self._unbuffered = unbuffered
        self._lock = threading.Lock()
        self._run: LiveRun | None = None
        #: Jobs that have passed lines on, as the Server knows them.
        self._spoke: set[str] = set()
        self.hint: Hint = lambda jobs: None

    # From the engine -------------------------------------------------------------

    def begin(self, run: LiveRun) -> None:
        """The run begins, or goes on."""
        self._run = run
        steps = sum(run.counts.values())
        done = sum(run.counts[state] for state in FINAL)
        left = f", {done} of them have ended" if done else ""
        self._write(f"Run {run.record.id}: {steps} steps{left}\n")
        for attempt in run.attempts.values():
            self._note(attempt)

    def turned(self, turn: Turn) -> None:
        """A turn of the loop has been stored."""
        run = self._run
        if run is None:
            return
        for commit in turn.changed.values():
            for attempt in commit.attempts.values():
                if attempt.ended_at is None:
                    self._note(attempt)
            for position, (_, record) in commit.steps.items():
                node = run.nodes[position]
                if record.state in FINAL and isinstance(node, Task):
                    attempt_key = (position, record.attempt)
                    self._show_end(run, position, node, record, commit.attempts.get(attempt_key))
            for attempt in commit.attempts.values():
                if attempt.ended_at is not None:
                    self._board.ended(self._key(attempt))

    def say(self, message: str) -> None:
        """Show a message in words."""
        with self._lock:
            self._errors.write(f"launch_slurm: {message}\n")
            self._errors.flush()

    def beat(self) -> None:
        """Nothing here shows how time goes by."""

    def end(self) -> None:
        """Nothing more will come."""

    def _note(self, attempt: AttemptRecord) -> None:
        assert self._run is not None
        node = self._run.nodes[attempt.task]
        if attempt.state is TaskState.RUNNING and isinstance(node, Task):
            self._board.running(self._key(attempt), attempt.job_id, shown(node))

    def _key(self, attempt: AttemptRecord) -> str:
        assert self._run is not None
        return JobKey(self._run.record.id, attempt.task, attempt.number).name

    def _show_end(
        self,
        run: LiveRun,
        position: int,
        task: Task,
        record: TaskRecord,
        attempt: AttemptRecord | None,
    ) -> None:
        key = JobKey(run.record.id, position, record.attempt).name
        status = status_of(record, self._board.status_of(key))
        with self._lock:
            self._stream.write(heading(task, status) + which(task, attempt))
            if not record.attempt:
                needs = [(run.nodes[at], run.records[at]) for at in map(run.index.get, task.needs)
                         if at is not None]  # fmt: skip
                self._stream.write(not_launched(task, reason_of(task, record, needs)))
            elif attempt is not None:
                self._show_log(key, attempt)
                if status == COMPLETED:
                    self._stream.write(times(task, attempt))
            self._stream.flush()

    def _show_log(self, key: str, attempt: AttemptRecord) -> None:
        if attempt.message:
            self._stream.write(f"{attempt.message}\n")
        if self._unbuffered and key in self._spoke:
            return  # it has been seen
        decoder = codecs.getincrementaldecoder("utf-8")("replace")
        last = "\n"
        try:
            with Path(attempt.folder, "stdout").open("rb") as log:
                while data := log.read(_CHUNK_BYTES):
                    text = decoder.decode(data)
                    self._stream.write(text)
                    last = text[-1:] or last
            text = decoder.decode(b"", final=True)
            self._stream.write(text)
        except OSError as error:
            if error.filename is None:
                raise  # our own output
            self._stream.write(f"(its log cannot be read: {error.strerror})\n")
            return
        if (text or last)[-1:] != "\n":
            self._stream.write("\n")

    # From the Server ---------------------------------------------------------------

    def heard(self, said: Said) -> None:
        """A job has said something, in a thread of the Server."""
        keys = self._board.keys_of(said)
        if said.text and self._unbuffered:
            self._spoke.update(keys)
            try:
                self._write(f"{log_heading(said.name)}{said.text.rstrip()}\n")
            except OSError as error:
                if error.errno not in READER_IS_GONE:
                    raise
        if said.status in LAST:
            self.hint([key for name in keys if (key := _job_key(name)) is not None])

    def _write(self, text: str) -> None:
        with self._lock:
            self._stream.write(text)
            self._stream.flush()


def _job_key(name: str) -> JobKey | None:
    """Return the key that a job's name is of; None for what a stranger has made up.

    Examples
    --------
    >>> _job_key("sfx-x7k2.3.1")
    JobKey(run='sfx-x7k2', task=3, attempt=1)
    """
    run, _, rest = name.partition(".")
    task, _, attempt = rest.partition(".")
    if not (task.isdecimal() and attempt.isdecimal()):
        return None
    return JobKey(run, int(task), int(attempt))
