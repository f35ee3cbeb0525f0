"""`conductor`: takes a study's run and drives it to its end in the foreground.

What has finished is not run again and what still runs is taken over, so this is also how
a study goes on after a crash.
"""

from __future__ import annotations

import argparse
import contextlib
import sys
from pathlib import Path

from segue.cli.maestro import add_log_options, guarded
from segue.model.errors import UserError


def main(arguments: list[str] | None = None) -> None:
    """Run `conductor` and leave with its exit code."""
    sys.exit(guarded("conductor", lambda: _run(arguments)))


def make_parser() -> argparse.ArgumentParser:
    """Return the parser of `conductor`."""
    parser = argparse.ArgumentParser(
        prog="conductor",
        description="Drives a study to its end: what has finished is not run again, and what "
        "runs is taken over. Exit codes: 0 finished, 2 finished with failures, 3 cancelled, "
        "1 anything else.",
        formatter_class=argparse.RawTextHelpFormatter,
    )
    parser.add_argument("directory", help="The directory of a study.")
    parser.add_argument(
        "-s", "--status", action="store_true", help="Show the status of the study; run nothing."
    )
    add_log_options(parser, logstdout="Accepted, as by the original; without effect.")
    parser.add_argument(
        "-t", "--sleeptime", type=int, help="Most seconds between two versions of status.csv."
    )
    parser.add_argument(
        "--force",
        action="store_true",
        help="Take it over though its last machine cannot be seen from here.",
    )
    return parser


def _run(arguments: list[str] | None) -> int:
    options = make_parser().parse_args(arguments)
    if options.status:
        from segue.cli.maestro import make_parser as maestro_parser
        from segue.cli.maestro_status import status

        return status(maestro_parser().parse_args(["status", options.directory]))
    path = Path(options.directory).absolute()
    if not path.is_dir():
        raise UserError(f"there is no directory {path}", "'maestro run' makes the one of a study")
    return _conduct(path, options)


def _conduct(path: Path, options: argparse.Namespace) -> int:
    from dataclasses import replace

    from segue.cli.maestro_begin import begin_again
    from segue.cli.maestro_conduct import conduct, verdict_code
    from segue.cli.maestro_study import NoStudyError, open_study
    from segue.maestro.files import StudyFolder, read_settings, write_settings
    from segue.maestro.log import StudyLog
    from segue.maestro.rows import VERDICTS
    from segue.model.states import FINAL_RUN

    settings = read_settings(path)
    if settings.dry:
        raise UserError(
            f"the study in {path} was a dry run", f"launch it: maestro run {settings.specification}"
        )
    if options.sleeptime is not None:
        settings = replace(settings, sleeptime_s=max(0, options.sleeptime))
        write_settings(StudyFolder(path, settings.name), settings)
    try:
        study = open_study(path)
    except NoStudyError as error:
        if not error.never_began:
            raise
        # Made ready and never begun: the question was answered with no, or we died there.
        begin_again(path, settings, error.link)
        study = open_study(path)
    _check_place(path, study.run.workspace)
    log = StudyLog(sys.stderr, options.debug_lvl)
    with contextlib.closing(study.service.store):
        if study.run.state in FINAL_RUN:
            log.info(f"'{settings.name}' has ended: {VERDICTS[study.run.state][0]}")
            return verdict_code(study.run, study.service.store)
        return conduct(study, log, force=options.force)


def _check_place(path: Path, workspace: str) -> None:
    """Raise `UserError` if the study's steps would write somewhere else than into `path`."""
    with contextlib.suppress(OSError):
        if path.samefile(workspace):
            return
    raise UserError(
        f"the study in {path} was launched in {workspace}, where its steps write",
        "move it back",
    )


if __name__ == "__main__":
    main()
