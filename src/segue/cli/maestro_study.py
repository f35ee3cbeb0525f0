"""A study on disk, its run in the store, and whether a conductor lives: for all of `maestro`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import NamedTuple

from segue import wiring
from segue.engine.service import Service
from segue.maestro.files import OWN_FOLDER, Link, StudyFolder, read_link
from segue.model.errors import StoreError, UserError
from segue.model.run import RunRecord
from segue.protocols.clock import SystemClock


class Study(NamedTuple):
    """A study whose run is in its store."""

    folder: StudyFolder
    link: Link
    service: Service
    run: RunRecord

    @property
    def conducted(self) -> bool:
        """Whether a conductor (or any other engine) has the run."""
        return self.service.has_engine(self.run.id)


class NoStudyError(UserError):
    """There is no run for a folder; `link` is what the folder says of one, if it does.

    `never_began` tells that nothing of it can have run yet, so that it may be begun.
    """

    def __init__(self, message: str, hint: str = "", link: Link | None = None) -> None:
        super().__init__(message, hint)
        self.link = link
        self.never_began = True


def open_study(path: Path) -> Study:
    """Return the study in a folder.

    Raises
    ------
    NoStudyError
        If it has no run, or its store, or its run there, is gone.
    """
    link = read_link(path)
    if link is None:
        raise NoStudyError(f"{path} is no study that Segue runs", "is it the right directory?")
    if not _is_there(link.store):
        raise _lost(path, link, f"the store of this study is gone: {link.store}")
    try:
        service = Service(wiring.open_store(link.store), SystemClock())
        run = service.store.run(link.run)
    except StoreError as error:
        raise _lost(path, link, str(error)) from error
    if run is None:
        service.store.close()
        raise _lost(path, link, f"the store {wiring.shown_url(link.store)} has no run {link.run}")
    return Study(StudyFolder(path, link.name), link, service, _newest(service, run))


def _newest(service: Service, run: RunRecord) -> RunRecord:
    """Return the run that goes on with this one's work in its workspace, or this one."""
    if not run.ended_at:
        return run
    runs = service.store.runs(workspace=run.workspace)
    continued = {each.continues: each for each in runs if each.continues}
    while run.id in continued:
        run = continued[run.id]
    return run


def _lost(path: Path, link: Link, message: str) -> NoStudyError:
    error = NoStudyError(message, "bring the store back, or launch the study anew", link)
    error.never_began = not (path / OWN_FOLDER / link.run).exists()
    return error


def find_study(path: Path) -> Study | None:
    """Return the study in a folder, or None if it has no run."""
    try:
        return open_study(path)
    except NoStudyError:
        return None


def _is_there(url: str) -> bool:
    """Tell whether a store is there; opening an SQLite file that is not would make it."""
    if not url.startswith("sqlite://"):
        return True
    folder = wiring.state_directory(url)
    return folder.with_name(folder.name.removesuffix(".d")).exists()


def print_line(text: str) -> None:
    """Print a line on standard output at once: its order with standard error counts."""
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def answer(question: str, *, default: str = "") -> str:
    """Ask on standard output; return the answer, or `default` without asking if given.

    Raises
    ------
    UserError
        If nobody can answer.
    """
    if default:
        return default
    sys.stdout.write(question)
    sys.stdout.flush()
    line = sys.stdin.readline()
    if not line:
        sys.stdout.write("\n")
        raise UserError("nobody answers the question", "-y answers yes, where it is offered")
    return line.strip()
