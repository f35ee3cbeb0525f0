"""A study that goes on by another door than its conductor: its files are kept all the same."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from segue.cli.engine import Session
from segue.cli.maestro_conduct import StudyProgress, ready_temporary
from segue.cli.progress import Progress
from segue.engine.commands import CommandKind
from segue.engine.live_run import LiveRun
from segue.engine.scheduler import Turn
from segue.maestro.files import Settings, StudyFolder, read_link, read_settings
from segue.maestro.launch import with_settings
from segue.maestro.log import StudyLog
from segue.model.run import RunRecord
from segue.model.workflow import Workflow


def as_launched(workflow: Workflow, earlier: RunRecord) -> Workflow:
    """Return an edited study with the settings that `maestro run` was given."""
    settings = read_settings(Path(earlier.workspace))
    ready_temporary(settings)
    return with_settings(workflow, settings)


def keep_study(session: Session, record: RunRecord) -> None:
    """Let a session keep the table and the log of the study whose folder the run writes into."""
    path = Path(record.workspace)
    link = read_link(path)
    if link is None or not _is_of(session, record, link.run):
        return
    settings = read_settings(path)
    ready_temporary(settings)
    session.progress = Together(session.progress, _progress(session, record, settings, link.name))


def _is_of(session: Session, record: RunRecord, study_run: str) -> bool:
    """Tell whether the run is the study's, or goes on with it."""
    run: RunRecord | None = record
    while run is not None and run.id != study_run:
        run = session.store.run(run.continues) if run.continues else None
    return run is not None


def _progress(session: Session, record: RunRecord, settings: Settings, name: str) -> StudyProgress:
    folder = StudyFolder(Path(record.workspace), name)
    # The terminal is the other progress's; the story goes into the study's file alone.
    log = StudyLog(None)
    log.open(folder.log)

    def ask(kind: CommandKind, argument: Mapping[str, Any]) -> None:
        now = session.engine.scheduler.clock.now()
        session.store.put_command(record.id, kind.value, argument, now)
        session.engine.scheduler.ring()

    return StudyProgress(
        folder, log, settings.sleeptime_s, ask, lambda: session.store.attempts(record.id)
    )


class Together:
    """Two that are told what happens: one shows it, the other keeps the study's files."""

    def __init__(self, shown: Progress, kept: StudyProgress) -> None:
        self._shown = shown
        self._kept = kept
        self.beat_s = min(each.beat_s for each in (shown, kept) if each.beat_s)

    def begin(self, run: LiveRun) -> None:
        """The run begins, or goes on."""
        self._kept.begin(run)
        self._shown.begin(run)

    def turned(self, turn: Turn) -> None:
        """A turn of the loop has been stored."""
        self._kept.turned(turn)
        self._shown.turned(turn)

    def say(self, message: str) -> None:
        """Show a message in words."""
        self._kept.say(message)
        self._shown.say(message)

    def beat(self) -> None:
        """Time has gone by."""
        self._kept.beat()
        self._shown.beat()

    def end(self) -> None:
        """Nothing more will come."""
        self._kept.end()
        self._shown.end()
