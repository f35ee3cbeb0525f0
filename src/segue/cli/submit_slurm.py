"""`submit_slurm`: submit one managed Task of LUTE as a batch job, as LUTE's own command does."""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import time
from collections.abc import Sequence
from typing import Final

from segue.lute.submit import Submission, check_arguments, job_script
from segue.model.errors import OutsideError, SegueError, UserError

_SUBMIT_LIMIT_S: Final = 120.0


def main(arguments: Sequence[str] | None = None) -> int:
    """Submit it; return the exit code."""
    return _main(arguments, lenient=False)


def lenient_main(arguments: Sequence[str] | None = None) -> int:
    """Submit it as `submit_slurm.sh` did, which lets every argument through to Slurm."""
    return _main(arguments, lenient=True)


def _main(arguments: Sequence[str] | None, *, lenient: bool) -> int:
    options, rest = _parser(lenient).parse_known_args(arguments)
    try:
        words = tuple(rest) if lenient else check_arguments(rest)
        submission = _submission(options, () if lenient else words)
        text = job_script(submission, os.environ)
        sys.stdout.write(_submit(submission.task, text, words if lenient else ()))
    except SegueError as error:
        sys.stderr.write(f"{error}\n")
        return 2 if isinstance(error, UserError) else 1
    return 0


def _parser(lenient: bool) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="submit_slurm.sh" if lenient else "submit_slurm",
        description="Submit one managed Task as a batch job.",
        epilog="All other arguments are Slurm's own, as --name=value or --exclusive.",
        allow_abbrev=False,
    )
    parser.add_argument("-c", "--config", required=True, help="the config YAML")
    parser.add_argument("-t", "--taskname", required=True, help="the managed Task: Tester")
    parser.add_argument("-e", "--experiment", help="default: EXPERIMENT of the environment")
    parser.add_argument("-r", "--run", help="default: RUN_NUM of the environment")
    parser.add_argument("-d", "--debug", action="store_true", help="let the Task say more")
    parser.add_argument("-K", "--KERB", default="", help="a Kerberos cache: FILE:...")
    parser.add_argument("--psana1", action="store_true", help="set up psana 1 (the default)")
    parser.add_argument("--psana2", action="store_true", help="set up psana 2")
    parser.add_argument("--lute-path", default="", help="run the Tasks of this LUTE checkout")
    return parser


def _submission(options: argparse.Namespace, words: tuple[str, ...]) -> Submission:
    experiment = options.experiment or os.environ.get("EXPERIMENT", "")
    # The electronic logbook's jobs are given the run's number and a time.
    run = (options.run or os.environ.get("RUN_NUM", "")).split("_")[0]
    if not experiment or not run:
        raise UserError("experiment and run are not known", "give them: -e EXPERIMENT -r RUN")
    if options.KERB:
        os.environ["KRB5CCNAME"] = options.KERB
    return Submission(
        task=options.taskname,
        config=os.path.abspath(options.config),
        experiment=experiment,
        run=run,
        stamp=time.strftime("%Y-%m-%d_%H-%M-%S", time.gmtime()),
        psana=2 if options.psana2 and not options.psana1 else 1,
        debug=options.debug,
        slurm_arguments=words,
        lute_path=options.lute_path or os.environ.get("LUTE_PATH", ""),
    )


def _submit(task: str, text: str, words: Sequence[str]) -> str:
    """Hand the script to Slurm, in the current folder; return what Slurm said."""
    try:
        done = subprocess.run(
            ["sbatch", *words, f"--job-name={task}"],
            input=text,
            capture_output=True,
            text=True,
            timeout=_SUBMIT_LIMIT_S,
            check=False,
        )
    except FileNotFoundError as error:
        message = "there is no sbatch on the PATH"
        raise OutsideError(
            message, "this command submits to Slurm; run it where Slurm is"
        ) from error
    except subprocess.TimeoutExpired as error:
        message = f"sbatch has not answered after {_SUBMIT_LIMIT_S:g} s"
        raise OutsideError(message, "look whether the job is there: squeue --me") from error
    if done.returncode:
        raise OutsideError(f"sbatch refuses: {done.stderr.strip()}", "see the Slurm arguments")
    sys.stderr.write(done.stderr)
    return done.stdout


if __name__ == "__main__":
    sys.exit(main())
