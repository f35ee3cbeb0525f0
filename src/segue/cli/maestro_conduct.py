"""The conductor: drives a study's run to its end, and keeps the study's files."""

from __future__ import annotations

import contextlib
import logging
import os
import shutil
import time
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, Final

from segue import wiring
from segue.cli.engine import Session
from segue.cli.maestro import FAILED
from segue.cli.maestro_study import Study
from segue.engine.commands import CommandKind
from segue.engine.live_run import LiveRun
from segue.engine.scheduler import Turn
from segue.maestro.files import FileRequests, Settings, StudyFolder, read_settings, write_file
from segue.maestro.log import INFO, LogBridge, StudyLog
from segue.maestro.outline import make_outline
from segue.maestro.rows import VERDICTS
from segue.maestro.story import story
from segue.maestro.table import StudyTable
from segue.model.errors import StoreError, UserError
from segue.model.run import AttemptRecord, RunRecord
from segue.model.states import FINAL_RUN, Cause, RunState, TaskState
from segue.protocols.clock import SystemClock
from segue.protocols.store import Store

#: How often a conductor looks for files that ask for something, in seconds.
LOOK_S: Final = 1.0
#: Writing the table takes at most one part in so many of a conductor's time.
_TABLE_SHARE: Final = 20
#: Asks the engine for something: a kind of command and its argument.
Ask = Callable[[CommandKind, Mapping[str, Any]], None]


def conduct(study: Study, log: StudyLog, *, force: bool = False) -> int:
    """Drive the study to its end; return the conductor's exit code."""
    settings = read_settings(study.folder.path)
    log.open(study.folder.log)
    bridge = LogBridge(log)
    logging.getLogger("segue").addHandler(bridge)
    try:
        ready_temporary(settings)
        record = _drive(study, settings, log, force=force)
    finally:
        logging.getLogger("segue").removeHandler(bridge)
        log.close()
    if record.state in FINAL_RUN and settings.temporary:
        shutil.rmtree(settings.temporary, ignore_errors=True)
    return verdict_code(record, study.service.store)


def verdict_code(record: RunRecord, store: Store) -> int:
    """Return a conductor's exit code: 0 finished, 2 with failures, 3 cancelled, 1 not ended.

    A step that somebody has cancelled behind our back makes the study a cancelled one.
    """
    if record.state not in FINAL_RUN:
        return FAILED
    stopped = (each.cause is Cause.CANCELLED for _, each in store.records(record.id))
    if record.state is RunState.FAILED and any(stopped):
        return VERDICTS[RunState.CANCELLED][1]
    return VERDICTS[record.state][1]


def _drive(study: Study, settings: Settings, log: StudyLog, *, force: bool) -> RunRecord:
    store, run, clock = study.service.store, study.run, SystemClock()

    def ask(kind: CommandKind, argument: Mapping[str, Any]) -> None:
        store.put_command(run.id, kind.value, argument, clock.now())
        session.engine.scheduler.ring()

    progress = StudyProgress(
        study.folder, log, settings.sleeptime_s, ask, lambda: store.attempts(run.id)
    )
    state = wiring.state_directory(study.link.store)
    # Without a batch system all steps are local.
    pools = None if run.pool else ()
    executors = wiring.open_executors(state, clock, slots=settings.jobs or None, pools=pools)
    session = Session(store, executors, state, clock, progress=progress)
    if run.state is RunState.PAUSED:
        store.put_command(run.id, CommandKind.RESUME.value, {}, clock.now())
    record = session.drive(run.id, force=force)
    if record.state in FINAL_RUN:
        counts = ", ".join(f"{number} {word}" for word, number in progress.counts().items())
        log.info(f"'{settings.name}' has ended: {VERDICTS[record.state][0]} ({counts})")
    else:
        log.warning(
            f"'{settings.name}' is left as it is; what runs goes on. "
            f"Take it up again: conductor {study.folder.path}"
        )
    return record


def ready_temporary(settings: Settings) -> None:
    """Make the folder for scripts, if there is to be one; never use one that is another's."""
    if not settings.temporary:
        return
    with contextlib.suppress(FileExistsError):
        os.makedirs(settings.temporary, mode=0o700)
    if os.stat(settings.temporary).st_uid != os.getuid():
        raise UserError(f"{settings.temporary} belongs to another user", "launch the study again")


class StudyProgress:
    """Told what happens by the engine; keeps ``status.csv`` and the log, looks for requests.

    The table is written when it has changed, but not more than once a second, nor so often
    that it would slow the study down; and every `sleeptime_s` while anything runs.
    """

    beat_s: float = LOOK_S

    def __init__(
        self,
        folder: StudyFolder,
        log: StudyLog,
        sleeptime_s: float,
        ask: Ask,
        attempts: Callable[[], Iterable[AttemptRecord]],
    ) -> None:
        self.folder = folder
        self._log = log
        self._sleeptime_s = sleeptime_s
        self._ask = ask
        self._attempts = attempts
        self._requests = FileRequests(folder.path)
        self._table: StudyTable | None = None
        self._look_at = self._write_at = self._renew_at = 0.0
        self._settings_at = _changed_at(folder.settings)
        self._trouble = ""
        self._cancelled = False

    def begin(self, run: LiveRun) -> None:
        """The run begins, or goes on."""
        attempts = self._attempts() if any(each.attempt for each in run.records) else ()
        self._table = StudyTable(make_outline(run.nodes), run.records, attempts)
        record = run.record
        done = run.counts[TaskState.SUCCEEDED]
        left = f", {done} of them finished" if done else ""
        self._log.info(
            f"study {record.workflow!r}: run {record.id}, "
            f"{self._table.outline.tasks} steps{left}, in {record.workspace}"
        )
        self._write()

    def turned(self, turn: Turn) -> None:
        """A turn of the loop has been stored."""
        table = self._table
        if table is None:
            return
        for commit in turn.changed.values():
            for _, attempt in sorted(commit.attempts.items()):
                if attempt.state is not TaskState.READY:  # given back: there was no such attempt
                    table.note_attempt(attempt)
            for position, (_, record) in commit.steps.items():
                table.note_record(position, record)
            self._log.write(INFO, story(table.outline, commit))

    def say(self, message: str) -> None:
        """Show a message in words."""
        self._log.warning(message)

    def beat(self) -> None:
        """Time has gone by: look for requests, and write the table if it is time."""
        now = time.monotonic()
        if now >= self._look_at:
            self._look_at = now + LOOK_S
            self._look()
        if self._table is None or now < self._write_at:
            return
        if now >= self._renew_at:
            self._table.grow_older()
            self._renew_at = now + self._sleeptime_s
        if self._table.changed:
            self._write()

    def end(self) -> None:
        """Nothing more will come."""
        if self._table is not None:
            self._table.grow_older()
            self._write()

    def counts(self) -> Mapping[str, int]:
        """Return how many steps are in each state."""
        return self._table.counts() if self._table is not None else {}

    # The files ---------------------------------------------------------------

    def _write(self) -> None:
        assert self._table is not None
        began = time.monotonic()
        try:
            write_file(self.folder.status, self._table.csv(time.time()))
            self._trouble = ""
        except OSError as error:
            # A full disk ends no study: the store knows all, and the next table may fit.
            if str(error) != self._trouble:
                self._trouble = str(error)
                self._log.warning(f"status.csv cannot be written: {error}")
        ended = time.monotonic()
        self._write_at = ended + max(1.0, _TABLE_SHARE * (ended - began))
        self._renew_at = ended + self._sleeptime_s

    def _look(self) -> None:
        """Carry out what files ask for; what the store cannot take now is asked again."""
        try:
            if self._requests.cancelled() and not self._cancelled:
                self._log.info("cancelled through .cancel.lock")
                self._ask(CommandKind.CANCEL, {"reason": ".cancel.lock"})
                self._cancelled = True
                self._requests.done(cancel=True)
            self._take_update()
        except StoreError as error:
            self._log.error(str(error))
        changed_at = _changed_at(self.folder.settings)
        if changed_at != self._settings_at:
            self._settings_at = changed_at
            with contextlib.suppress(UserError):
                self._set_sleeptime(read_settings(self.folder.path).sleeptime_s)

    def _take_update(self) -> None:
        try:
            values = self._requests.update()
        except UserError as error:
            self._log.error(str(error))
            self._requests.done(update=True)
            return
        if not values:
            return
        self._log.info(f"updated through .study.update.lock: {dict(values)}")
        argument = update_argument(values.get("throttle"), values.get("rlimit"))
        if argument:
            self._ask(CommandKind.UPDATE, argument)
        if "sleep" in values:
            self._set_sleeptime(values["sleep"])
        self._requests.done(update=True)

    def _set_sleeptime(self, seconds: float) -> None:
        self._sleeptime_s = seconds
        self._renew_at = min(self._renew_at, time.monotonic() + seconds)


def update_argument(throttle: int | None, restart_limit: int | None) -> dict[str, int]:
    """Return the argument of an update command; 0 stands for no limit in both."""
    given = {"limit": throttle, "restart_limit": restart_limit}
    return {name: value for name, value in given.items() if value is not None}


def _changed_at(path: Path) -> int:
    try:
        return os.stat(path).st_mtime_ns
    except OSError:
        return 0
