"""Jobs that a site's own program submits in our place. Pure.

The program is called with the words of the option `site_submit` of a task, followed by the
task's Slurm options as they are written: it may understand words that Slurm does not. Its
job runs none of our wrapper, so all that is known of it is what Slurm says.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

from segue.executors.batch_request import OptionError
from segue.executors.slurm_options import OWNED
from segue.protocols.executor import Job

#: The option of a task that names the program and its arguments.
OPTION: Final = "site_submit"
_SUBMITTED: Final = re.compile(r"Submitted batch job (\d+)")
_LOG: Final = re.compile(r"\bStdOut=(\S.*?)(?=\s+[A-Z]\w*=|\s*$)", re.MULTILINE)
_COMMENT: Final = "--comment="


def site_words(job: Job) -> tuple[str, ...]:
    """Return the program that submits the job, with its arguments; empty: we do it ourselves."""
    words = job.options.get(OPTION, ())
    return tuple(map(str, words)) if isinstance(words, list | tuple) else ()


def site_options(defaults: Sequence[str], own: Sequence[str]) -> tuple[tuple[str, ...], str]:
    """Return the options for the program, and the user's own comment, which is not among them.

    An option of a step wins over a default of the same name.

    Raises
    ------
    OptionError
        If a job with one of them could not be followed.

    Examples
    --------
    >>> site_options(["--ntasks=1", "--time=5"], ["--ntasks=8", "--psana1", "--comment=mine"])
    (('--time=5', '--ntasks=8', '--psana1'), 'mine')
    """
    given = {_name(word) for word in own}
    words = [*(word for word in defaults if _name(word) not in given), *own]
    for word in words:
        if _name(word) in OWNED:
            raise OptionError(f"{word!r} cannot be passed on; {OWNED[_name(word)]}")
    comments = [word.removeprefix(_COMMENT) for word in words if word.startswith(_COMMENT)]
    kept = tuple(word for word in words if not word.startswith(_COMMENT))
    return kept, comments[-1] if comments else ""


def _name(word: str) -> str:
    return word.partition("=")[0].removeprefix("--") if word.startswith("--") else word


def read_answer(output: str) -> str:
    r"""Return the id of the job that the program has submitted; empty if it says none.

    Examples
    --------
    >>> read_answer("script written\nSubmitted batch job 4711\n"), read_answer("no")
    ('4711', '')
    """
    match = _SUBMITTED.search(output)
    return match[1] if match else ""


def log_path(shown: str, job_id: str) -> str:
    r"""Return where a job's output goes, from ``scontrol show job``; empty if that is not said.

    Examples
    --------
    >>> log_path("   StdIn=/dev/null\n   StdOut=/work/my log_%J.out\n   Power=\n", "71")
    '/work/my log_71.out'
    """
    match = _LOG.search(shown)
    return re.sub("%[jJA]", job_id, match[1]) if match else ""
