"""`maestro cancel`: stops studies, whether a conductor lives or not."""

from __future__ import annotations

import argparse
import contextlib
import sys
from pathlib import Path

from segue.cli.maestro import FAILED
from segue.cli.maestro_study import NoStudyError, Study, answer, open_study, print_line
from segue.engine.commands import CommandKind
from segue.maestro.files import CANCEL_LOCK, STATUS, is_original
from segue.model.errors import OutsideError, RefusedError, UserError
from segue.model.states import FINAL_RUN


def cancel(options: argparse.Namespace) -> int:
    """Cancel the studies; return the exit code: 1 if any of them could not be."""
    code = 0
    found = []
    for directory in options.directory:
        path = Path(directory).absolute()
        if path.is_dir():
            print_line(f"Study in '{path}' to be cancelled.")
            found.append(path)
        else:
            print_line(f"Attempted to cancel '{path}' -- study directory not found.")
            code = FAILED
    if not found:
        print_line("Cancellation aborted.")
        return FAILED
    if not options.autoyes and not _sure():
        return code
    for path in found:
        try:
            _cancel(path)
        except (UserError, OutsideError) as error:
            sys.stderr.write(f"maestro: {error}\n")
            code = FAILED
    return code


def _sure() -> bool:
    return answer("Are you sure? [y|[n]]: ") in ("y", "yes")


def _cancel(path: Path) -> None:
    try:
        study = open_study(path)
    except NoStudyError:
        if not is_original(path) and not (path / STATUS).exists():
            raise
        # A conductor of the original looks for this file.
        (path / CANCEL_LOCK).touch()
        return
    with contextlib.closing(study.service.store):
        if study.run.state in FINAL_RUN:
            print_line(f"The study in '{path}' has ended already.")
            return
        if not study.service.ask(study.run, CommandKind.CANCEL, {"reason": "maestro cancel"}):
            _carry_out(study)


def _carry_out(study: Study) -> None:
    """Be the conductor for as long as the cancel takes: the command is stored already."""
    from segue.cli.maestro_conduct import conduct
    from segue.maestro.log import WARNING, StudyLog

    try:
        conduct(study, StudyLog(sys.stderr, WARNING))
    except RefusedError:
        # A conductor has come in that moment, and takes the command.
        if not study.service.wait_taken(study.run.id):
            raise
