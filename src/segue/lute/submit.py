"""What `submit_slurm` does: one batch job for one managed Task. The text is made here, purely.

The job's script sets the environment up as LUTE's Tasks expect it and runs the managed Task.
Which set-up of psana is sourced, and what runs the Task, a site may say.
"""

from __future__ import annotations

import re
import shlex
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from segue.model.errors import UserError

#: The script that sets psana up, by its version; the variables name a site's own.
PSANA: Final[Mapping[int, tuple[str, str]]] = {
    1: ("SEGUE_PSANA1", "/sdf/group/lcls/ds/ana/sw/conda1/manage/bin/psconda.sh"),
    2: ("SEGUE_PSANA2", "/sdf/group/lcls/ds/ana/sw/conda2/manage/bin/psconda.sh"),
}
_OPTION: Final = re.compile(r"--[A-Za-z][\w-]*=.*", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Submission:
    """One managed Task to be submitted.

    `slurm_arguments` are passed on to Slurm as they are; `stamp` is a time in UTC,
    ``%Y-%m-%d_%H-%M-%S``, for the name of the log.
    """

    task: str
    config: str
    experiment: str
    run: str
    stamp: str
    psana: int = 1
    debug: bool = False
    slurm_arguments: tuple[str, ...] = ()
    lute_path: str = ""


def check_arguments(words: Sequence[str]) -> tuple[str, ...]:
    """Return the words that Slurm gets, if each can stand in a line of a script.

    Raises
    ------
    UserError
        If one is neither ``--name=value`` nor ``--exclusive``.

    Examples
    --------
    >>> check_arguments(["--partition=milano", "--exclusive"])
    ('--partition=milano', '--exclusive')
    """
    for word in words:
        if word != "--exclusive" and not _OPTION.fullmatch(word):
            raise UserError(
                f"the argument {word!r} is not of the form --name=value",
                "write Slurm's options in their long form: --ntasks=4, not -n 4",
            )
        if "\n" in word:
            raise UserError(f"the argument {word!r} holds a line break", "write it in one line")
    return tuple(words)


def log_name(submission: Submission) -> str:
    """Return the name of the job's log; ``%J`` in it is the job's id.

    Examples
    --------
    >>> log_name(Submission("Tester", "c.yaml", "mfx1", "12", "2026-01-02_03-04-05"))
    'Tester_mfx1_r0012_2026-01-02_03-04-05_%J.out'
    """
    run = f"{int(submission.run):04d}" if submission.run.isdecimal() else submission.run
    return f"{submission.task}_{submission.experiment}_r{run}_{submission.stamp}_%J.out"


def job_script(submission: Submission, environment: Mapping[str, str]) -> str:
    """Return the text of the job's script."""
    log = log_name(submission)
    lines = ["#!/bin/bash"]
    lines += [f"#SBATCH {shlex.quote(word)}" for word in submission.slurm_arguments]
    lines += [f"#SBATCH --output={log}", f"#SBATCH --error={log}"]
    lines += [f"export {name}={shlex.quote(value)}" for name, value in _variables(submission)]
    lines += set_up_lines(submission.psana, environment)
    lines.append(shlex.join(task_command(submission)))
    return "\n".join(lines) + "\n"


def set_up_lines(psana: int, environment: Mapping[str, str]) -> list[str]:
    """Return the lines of shell that make the environment which LUTE's Tasks expect."""
    if environment.get("LUTE_USE_TCP") == "0":
        where = "${SLURM_JOB_ID:-$$}"
        lines = ["unset LUTE_USE_TCP", f'export LUTE_SOCKET="/tmp/lute_{where}.sock"']
    else:
        lines = ["export LUTE_USE_TCP=1"]
    variable, usual = PSANA[psana]
    set_up = shlex.quote(environment.get(variable, usual))
    # Away from the site the Task runs on what there is.
    return [*lines, f"[ -r {set_up} ] && source {set_up}"]


def task_command(submission: Submission) -> list[str]:
    """Return the words that run the managed Task: ours, or those of a LUTE checkout."""
    options = ["-c", submission.config, "-t", submission.task]
    if submission.lute_path:
        # LUTE's Tasks say more unless Python optimises.
        flags = "-B" if submission.debug else "-OB"
        return ["python", flags, f"{submission.lute_path}/run_task.py", *options]
    debug = ["--debug"] if submission.debug else []
    return [sys.executable, "-m", "segue.lute.run_task", *options, *debug]


def _variables(submission: Submission) -> list[tuple[str, str]]:
    found = [
        ("EXPERIMENT", submission.experiment),
        ("RUN_NUM", submission.run),
        ("RUN", submission.run),
    ]
    if submission.lute_path:
        found.append(("LUTE_PATH", submission.lute_path))
    return found
