"""`maestro`: the command of LLNL Maestro, with its options, prompts and exit codes.

argparse and not click: options with one dash (`-fg`), cut-off long options and the look of
the help are as users and their scripts know them. Each command's module is loaded when used.
"""

from __future__ import annotations

import argparse
import gc
import sys
from collections.abc import Callable
from importlib import import_module
from typing import Final

from segue import __version__
from segue.cli.streams import ReaderLeftError, be_silent, own_output, prepare_streams
from segue.model.errors import OutsideError, UserError

#: The release whose behaviour this command has.
MAESTRO_VERSION: Final = "1.2.1"
INTERRUPTED: Final = 130
#: Whatever goes wrong, the original ends with this; argparse with 2.
FAILED: Final = 1
_LEVELS: Final = (
    "Level of logging messages to be output:\n"
    "5 - Critical\n4 - Error\n3 - Warning\n2 - Info (Default)\n1 - Debug"
)


def main(arguments: list[str] | None = None) -> None:
    """Run `maestro` and leave with its exit code."""
    sys.exit(guarded("maestro", lambda: _run(arguments)))


def guarded(program: str, command: Callable[[], int]) -> int:
    """Return the command's exit code; every error but our bugs is told without a traceback."""
    gc.set_threshold(100_000, 20, 100)
    prepare_streams()
    try:
        with own_output():
            code = command()
            sys.stdout.flush()
    except SystemExit as left:
        code = left.code if isinstance(left.code, int) else FAILED
    except KeyboardInterrupt:
        sys.stderr.write("\n")
        code = INTERRUPTED
    except ReaderLeftError:
        be_silent()
        code = 0
    except (UserError, OutsideError) as error:
        text = str(error) if hasattr(error, "problems") else f"{program}: {error}"
        sys.stderr.write(f"{text}\n")
        code = FAILED
    try:
        sys.stdout.flush()
    except OSError:
        be_silent()
    return code


def _run(arguments: list[str] | None) -> int:
    parser = make_parser()
    options = parser.parse_args(arguments)
    if not options.subparser:
        parser.print_help()
        return 0
    module = import_module(f"segue.cli.maestro_{options.subparser}")
    code: int = getattr(module, options.subparser)(options)
    return code


def make_parser() -> argparse.ArgumentParser:
    """Return the parser of `maestro` with all its commands."""
    parser = argparse.ArgumentParser(
        prog="maestro",
        description="The Maestro Workflow Conductor for specifying, launching, and managing "
        "general workflows. This is Segue's.",
        formatter_class=argparse.RawTextHelpFormatter,
    )
    add_log_options(parser, logstdout="Log to stdout in addition to a file. [Default: True]")
    parser.add_argument(
        "-v",
        "--version",
        action="version",
        version=f"maestro {MAESTRO_VERSION}\nSegue {__version__}",
    )
    commands = parser.add_subparsers(dest="subparser")
    _add_cancel(commands.add_parser("cancel", help="Cancel all running jobs."))
    _add_update(
        commands.add_parser(
            "update", help="Update config of a running study (throttle, rlimit, sleep)."
        )
    )
    _add_run(commands.add_parser("run", help="Launch a study based on a specification"))
    _add_status(commands.add_parser("status", help="Check the status of a running study."))
    return parser


def add_log_options(parser: argparse.ArgumentParser, *, logstdout: str) -> None:
    """Add the options that `maestro` and `conductor` share."""
    parser.add_argument(
        "-l", "--logpath", default="", help="Accepted, as by the original; without effect."
    )
    parser.add_argument("-d", "--debug_lvl", type=int, default=2, help=_LEVELS)
    parser.add_argument("-c", "--logstdout", action="store_true", default=True, help=logstdout)


def _add_run(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("specification", help="The study specification (YAML) to load and execute.")
    add(
        "-a", "--attempts", type=int, default=1,
        help="Tries before a local step is marked as failed. [Default: 1]",
    )  # fmt: skip
    add(
        "-r", "--rlimit", type=int, default=1,
        help="Restarts after a timeout of steps that have a restart command "
        "(0: no limit). [Default: 1]",
    )  # fmt: skip
    add(
        "-t", "--throttle", type=int, default=0,
        help="Steps in flight at the same time (0: no limit). [Default: 0]",
    )  # fmt: skip
    add(
        "-s", "--sleeptime", type=int, default=60,
        help="Most seconds between two versions of status.csv; steps start at once, "
        "whatever it is. [Default: 60]",
    )  # fmt: skip
    add(
        "--dry", action="store_true",
        help="Generate the directories and scripts of a study but do not launch it.",
    )  # fmt: skip
    add(
        "-p", "--pgen", default="",
        help="Python file with a function that returns a filled ParameterGenerator.",
    )  # fmt: skip
    add(
        "--pargs", action="append", default=[], metavar="NAME:VALUE",
        help="One argument for the function of --pgen; may be repeated.",
    )  # fmt: skip
    add("-o", "--out", default="", help="Place the study exactly here. [overrides OUTPUT_PATH]")
    add("-fg", action="store_true", help="Run the conductor in the foreground.")
    add(
        "--hashws", action="store_true",
        help="Short names for the workspaces of parameterized steps.",
    )  # fmt: skip
    answers = parser.add_mutually_exclusive_group()
    answers.add_argument(
        "-n", "--autono", action="store_true", help="Automatically answer no to input prompts."
    )
    answers.add_argument(
        "-y", "--autoyes", action="store_true", help="Automatically answer yes to input prompts."
    )
    add("--usetmp", action="store_true", help="Keep scripts in a temporary directory.")
    ours = parser.add_argument_group("options of Segue")
    ours.add_argument(
        "-j", "--jobs", type=int, default=0,
        help="Local steps at the same time; 1: one after another, as the original. "
        "[Default: the number of processors]",
    )  # fmt: skip
    ours.add_argument(
        "--strict-maestro", action="store_true",
        help="Read the specification with the faults of Maestro 1.2.1.",
    )  # fmt: skip


def _add_status(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("directory", nargs="+", help="Directory containing a launched study.")
    add(
        "--layout", choices=["flat", "legacy", "narrow"], default="flat",
        help="Alternate status table layouts. [Default: flat]",
    )  # fmt: skip
    add("--disable-theme", action="store_true", help="No colours.")
    add("--disable-pager", action="store_true", help="Print at once, without a pager.")
    ours = parser.add_argument_group("options of Segue")
    ours.add_argument("--json", action="store_true", help="Print one JSON document.")
    ours.add_argument("--watch", action="store_true", help="Look again until all have ended.")
    ours.add_argument(
        "--state", action="append", default=[], metavar="STATE",
        help="Only steps in this state, such as FAILED; may be repeated.",
    )  # fmt: skip


def _add_cancel(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("directory", nargs="+", help="Directories containing running studies.")
    parser.add_argument(
        "-y", "--autoyes", action="store_true", help="Automatically answer yes to input prompts"
    )


def _add_update(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("directory", nargs="+", help="Directory containing a launched study.")
    for option, text in (
        ("--throttle", "Steps in flight at the same time (0: no limit)."),
        ("--rlimit", "Restarts after a timeout (0: no limit)."),
        ("--sleep", "Most seconds between two versions of status.csv."),
    ):
        add(option, action="append", type=int, default=[], help=text)


if __name__ == "__main__":
    main()
