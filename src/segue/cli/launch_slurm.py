"""`launch_slurm`: runs a LUTE workflow, with the options, log and exit codes of LUTE's own.

Arguments that are not its own are Slurm's, for all steps that have none themselves.
"""

from __future__ import annotations

import argparse
import sys
from typing import Final

from segue.cli.maestro import guarded
from segue.model.errors import OutsideError, SegueError, UserError

#: Experiment or run are not known: as the original ends.
NO_EXPERIMENT: Final = 255


def main(arguments: list[str] | None = None) -> None:
    """Run `launch_slurm` and leave with its exit code."""
    sys.exit(guarded("launch_slurm", lambda: _told(arguments)))


def _told(arguments: list[str] | None) -> int:
    """Run it; what goes wrong before there is a run is told with our own exit codes."""
    try:
        return run(arguments)
    except (UserError, OutsideError) as error:
        return tell(error)


def tell(error: SegueError) -> int:
    """Print an error; return the exit code that it stands for."""
    text = str(error) if hasattr(error, "problems") else f"launch_slurm: {error}"
    sys.stderr.write(f"{text}\n")
    return error.exit_code


def run(arguments: list[str] | None) -> int:
    """Run the workflow; return the exit code."""
    options, slurm_words = make_parser().parse_known_args(arguments)
    if options.resume:
        from segue.cli.launch_slurm_session import resume

        if slurm_words:
            raise UserError(
                f"{slurm_words[0]!r} is of no use with --resume",
                "a run goes on with the Slurm arguments that it was launched with",
            )
        return resume(
            options.resume, options.jobs, unbuffered=options.unbuffered, force=options.force
        )
    if options.force:
        raise UserError("--force is for a launch that goes on", "name its run: --resume RUN")
    from segue.cli.launch_slurm_begin import NoExperimentError, begin

    try:
        begun = begin(options, slurm_words)
    except NoExperimentError as error:
        sys.stderr.write(f"launch_slurm: {error}\n")
        return NO_EXPERIMENT
    if begun is None:
        return 0
    from segue.cli.launch_slurm_session import conduct

    return conduct(*begun, options.jobs, unbuffered=options.unbuffered)


def make_parser() -> argparse.ArgumentParser:
    """Return the parser of `launch_slurm`."""
    parser = argparse.ArgumentParser(
        prog="launch_slurm",
        description="A light-weight workflow manager which executes LUTE managed Tasks. "
        "This is Segue's.",
        epilog="All other arguments are Slurm's, for steps without 'slurm_params': write them "
        "in their long form, --name=value. Exit codes: 0 the workflow succeeded, 1 it did not, "
        "2 the input is wrong, 3 the outside could not be reached, 130 cancelled, "
        "255 experiment or run are missing.",
        allow_abbrev=False,
    )
    _add_the_originals(parser)
    _add_ours(parser.add_argument_group("options of Segue"))
    return parser


def _add_the_originals(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("-c", "--config", default="", help="Path to config YAML file.")
    add("-W", "--workflow_defn", default="", help="Path to a YAML file with workflow.")
    add(
        "-e", "--experiment", default="",
        help="Provide an experiment if not running with ARP.",
    )  # fmt: skip
    add("-r", "--run", default="", help="Provide a run number if not running with ARP.")
    add("-d", "--debug", action="store_true", help="Run in debug mode.")
    add("--type", default="", metavar="TYPE", help="The run type, whatever the logbook says.")
    add(
        "--num_server_threads", type=int, default=2, metavar="N",
        help="Accepted, as by the original; without effect.",
    )  # fmt: skip
    add(
        "--unbuffered", action="store_true",
        help="Print lines of the jobs as they come, and not each log when its job has ended.",
    )  # fmt: skip
    many = parser.add_mutually_exclusive_group()
    many.add_argument("--tag", default="", help="Do it for all runs with this tag.")
    many.add_argument("--sample", default="", help="Do it for all runs of this sample.")
    add(
        "--max-concurrent-runs", type=_count, default=0, metavar="N",
        help="With --tag or --sample: work on so many runs at once. [Default: all]",
    )  # fmt: skip


def _add_ours(group: argparse._ArgumentGroup) -> None:
    add = group.add_argument
    add("--local", action="store_true", help="Run the steps on this machine, without Slurm.")
    add(
        "--set", dest="facts", action="append", default=[], metavar="FACT=VALUE",
        help="Say a fact of the run (daq2, run_type); may be repeated.",
    )  # fmt: skip
    add(
        "--guess", action="store_true",
        help="Guess facts that nobody knows, as the original: daq2=true, run_type=UNKNOWN.",
    )  # fmt: skip
    add("--lute-path", default="", metavar="DIR", help="Run the Tasks of this LUTE checkout.")
    add(
        "--site-submit", default="", metavar="COMMAND",
        help="Let this command submit each step, such as a LUTE installation's submit_slurm.",
    )  # fmt: skip
    add(
        "--merge", action="store_true",
        help="Let 'slurm_params' win over the arguments here option by option, "
        "in place of replacing all of them.",
    )  # fmt: skip
    add(
        "--verdict", choices=["default", "maestro"], default="default",
        help="Whether a step that its rule skips fails the workflow (maestro) or not. "
        "[Default: default]",
    )  # fmt: skip
    add(
        "--bind", default="", metavar="ADDRESS[:PORT]",
        help="Where jobs reach the workflow's Server. [Default: this node's address]",
    )  # fmt: skip
    add("-j", "--jobs", type=_count, default=None, help="With --local: so many steps at once.")
    add("--dry-run", action="store_true", help="Show what would run; run and store nothing.")
    add("--resume", default="", metavar="RUN", help="Go on with a run whose launch has died.")
    add(
        "--force", action="store_true",
        help="With --resume: though its last machine cannot be seen from here.",
    )  # fmt: skip


def _count(text: str) -> int:
    number = int(text)
    if number < 1:
        raise ValueError(text)
    return number


if __name__ == "__main__":
    main()
