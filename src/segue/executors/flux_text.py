"""What is said to the `flux` command and what it answers. Pure.

Source: the manuals of flux-batch, flux-submit, flux-jobs and flux-cancel of flux-core 0.49
to 0.62; specification of Maestro, section 4.9.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

from segue.executors.batch_answers import Listing, Row
from segue.executors.batch_program import header_words
from segue.executors.batch_request import OptionError, Request
from segue.executors.slurm_request import comment_of
from segue.model.workflow import Resources
from segue.protocols.executor import Job

#: An id in base 58, as all its commands print and take it.
SUBMITTED: Final = re.compile(r"^\s*[ƒf]([1-9A-HJ-NP-Za-km-z]+)\s*$", re.MULTILINE)
_FORMAT: Final = "{id.f58plain}|{state}|{result}|{returncode}|{ranks}|{name}"
#: `flux jobs` lists a thousand jobs if nothing is said, and one that is missing is lost to us.
_ALL: Final = "--count=1000000"
_UNKNOWN: Final = re.compile(r"unknown job|no such job|not found|No jobs", re.IGNORECASE)
_ENDED: Final = re.compile(r"inactive|unknown job|no such job", re.IGNORECASE)
#: What we say ourselves.
_OURS: Final = ("--output", "--error", "--cwd", "--urgency")
#: With these it would be more than one job, or none.
_REFUSED: Final = ("--cc", "--bcc", "--dry-run")
#: Of `flux batch` alone: a job that is no instance has no configuration of its own.
_NESTED_ONLY: Final = ("--conf",)

URGENCIES: Final[Mapping[str, int]] = {
    "held": 0,
    "minimal": 1,
    "low": 9,
    "medium": 16,
    "high": 24,
    "expedite": 31,
    "expedited": 31,
}
STATES: Final[Mapping[str, str]] = {
    "NEW": "PENDING",
    "DEPEND": "PENDING",
    "PRIORITY": "PENDING",
    "SCHED": "PENDING",
    "RUN": "RUNNING",
    "CLEANUP": "COMPLETING",
}
RESULTS: Final[Mapping[str, str]] = {
    "COMPLETED": "COMPLETED",
    "FAILED": "FAILED",
    "CANCELED": "CANCELLED",
    "TIMEOUT": "TIMEOUT",
}


def urgency(priority: Any) -> int | None:
    """Return Flux's urgency for a step's priority; None where it has none.

    Raises
    ------
    OptionError
        If it is neither one of the words nor a number from 0 to 1.

    Examples
    --------
    >>> urgency("HIGH"), urgency("expedited"), urgency(0.5), urgency(None)
    (24, 31, 16, None)
    """
    if priority is None or priority == "":
        return None
    known = URGENCIES.get(str(priority).lower())
    if known is not None:
        return known
    try:
        part = float(priority)
    except (TypeError, ValueError):
        part = -1.0
    if not 0 <= part <= 1:
        words = ", ".join(URGENCIES)
        raise OptionError(f"the priority {priority!r} is neither 0 to 1 nor one of {words}")
    return math.ceil(31 * part)


def options_of(job: Job) -> list[str]:
    """Return what Flux is asked for the job: its script's own options, or its resources.

    The first word is the command: ``batch`` for an instance of its own, which is the
    rule, or ``submit``.

    Raises
    ------
    OptionError
        If an option cannot be passed on.
    """
    nested = job.options.get("nested", True) not in (False, "False", "false")
    words = header_words(job, "#flux:") or resource_options(job.resources)
    for word in words:
        if word.partition("=")[0] in _REFUSED:
            raise OptionError(f"the option {word} of flux cannot be followed here")
    unwanted = _OURS if nested else (*_OURS, *_NESTED_ONLY)
    kept = [word for word in words if not word.startswith(tuple(f"{name}=" for name in unwanted))]
    given = urgency(job.options.get("priority"))
    if given is not None:
        kept.append(f"--urgency={given}")
    return ["batch" if nested else "submit", *kept]


def resource_options(resources: Resources) -> list[str]:
    """Return the options that ask for the resources.

    Examples
    --------
    >>> resource_options(Resources(nodes=1, processes=4, walltime_s=90, queue="debug"))
    ['-N1', '-n4', '-t90s', '--queue=debug']
    """
    forms: list[tuple[str, object]] = [
        ("-N{}", resources.nodes),
        ("-n{}", resources.processes or (None if resources.nodes else 1)),
        ("-c{}", resources.cores_per_process),
        ("-g{}", resources.gpus),
        ("-t{}s", resources.walltime_s),
        ("--queue={}", resources.queue),
        ("--bank={}", resources.account),
        ("--exclusive", resources.exclusive),
    ]
    return [form.format(value) for form, value in forms if value]


def submit_command(request: Request, ticket: str) -> list[str]:
    """Return the command that submits the job's wrapper."""
    job = request.job
    command, *options = request.arguments
    named = any(word.startswith("--job-name") for word in options)
    name = [] if named else [f"--job-name={request.name}"]
    comment = comment_of(job.key.name, ticket, "")
    # The wrapper's own words; the program itself writes into the attempt's folder.
    ours = [f"--cwd={job.workdir}", f"--output={job.folder}/flux", f"--error={job.folder}/flux"]
    return [
        *("flux", command, *options, *name, *ours, f"--setattr=user.segue={comment}"),
        *(["/bin/bash"] if command == "submit" else []),
        f"{job.folder}/job",
    ]


def jobs_command(job_ids: Sequence[str]) -> list[str]:
    """Return the command that lists the jobs; without ids, all of the user's."""
    return ["flux", "jobs", "-a", "--no-header", f"--format={_FORMAT}", *(job_ids or [_ALL])]


def says_unknown(errors: str) -> bool:
    """Tell whether `flux jobs` has failed only because it knows no such job."""
    return bool(_UNKNOWN.search(errors))


def says_ended(text: str) -> bool:
    """Tell whether `flux cancel` has failed only because the jobs have ended."""
    return bool(_ENDED.search(text))


def read_jobs(text: str) -> Listing:
    r"""Return what Flux says, in Slurm's words; a line that cannot be read is only told.

    Examples
    --------
    >>> rows = read_jobs("fAbC|INACTIVE|FAILED|3|0|fit\nf2|RUN||-|1|x").rows
    >>> rows["fAbC"].state, rows["fAbC"].ended_with, rows["f2"].state
    ('FAILED', (3, 0), 'RUNNING')
    """
    rows, unreadable = {}, []
    for line in text.splitlines():
        if not line.strip():
            continue
        fields = [field.strip() for field in line.split("|", 5)]
        if len(fields) != 6 or not fields[0].startswith("f") or not fields[1].isupper():
            unreadable.append(line)
            continue
        job_id, state, result, code, ranks, _ = fields
        number = int(code) if re.fullmatch(r"-?\d+", code) else 0
        ended_with = (0, -number) if number < 0 else (number, 0)
        word = RESULTS.get(result, result) if state == "INACTIVE" else STATES.get(state, state)
        node = f"rank {ranks}" if ranks else ""
        reason = state if word == "PENDING" else ""
        rows[job_id] = Row(job_id, word, ended_with, node, None, None, reason)
    return Listing(rows, tuple(unreadable))
