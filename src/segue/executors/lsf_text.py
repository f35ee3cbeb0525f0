"""What is said to LSF's programs and what they answer. Pure.

Source: the manuals of bsub, bjobs and bkill of IBM Spectrum LSF 10.1; specification of
Maestro, section 4.8.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Final

from segue.executors.batch_answers import Listing, Row
from segue.executors.batch_program import header_words
from segue.executors.batch_request import OptionError, Request
from segue.executors.slurm_request import comment_of
from segue.model.workflow import Resources
from segue.protocols.executor import Job

SUBMITTED: Final = re.compile(r"Job <(\d+)> is submitted")
#: The description is last, since it may hold the sign between the fields. No field has a
#: width: ids of more than seven digits are then whole.
_FIELDS: Final = "jobid stat exit_code first_host exit_reason job_description"
_UNKNOWN: Final = re.compile(r"^(No .*job found|Job <\S+> is not found)", re.MULTILINE)
_ENDED: Final = re.compile(r"already finished|No matching job found|is being terminated")
#: What bsub must not be told, since we say it or cannot follow it.
_OURS: Final = frozenset({"-o", "-oo", "-e", "-eo", "-cwd", "-Jd"})
_REFUSED: Final = frozenset({"-I", "-Ip", "-Is", "-K", "-w", "-r"})
_ARRAY: Final = re.compile(r"\[.*\]")

#: States of LSF in Slurm's words.
STATES: Final[Mapping[str, str]] = {
    "PEND": "PENDING",
    "PSUSP": "PENDING",
    "WAIT": "PENDING",
    "PROV": "PENDING",
    "FWD_PEND": "PENDING",
    "RUN": "RUNNING",
    "USUSP": "SUSPENDED",
    "SSUSP": "SUSPENDED",
    # Nobody has heard of its host for a while: that is no end.
    "UNKWN": "RUNNING",
    "DONE": "COMPLETED",
    "ZOMBI": "NODE_FAIL",
}
#: Why a job has been ended, by how LSF's reason begins, in Slurm's words.
REASONS: Final[Mapping[str, str]] = {
    "TERM_RUNLIMIT": "TIMEOUT",
    "TERM_CPULIMIT": "TIMEOUT",
    "TERM_DEADLINE": "DEADLINE",
    "TERM_MEMLIMIT": "OUT_OF_MEMORY",
    "TERM_SWAP": "OUT_OF_MEMORY",
    "TERM_OWNER": "CANCELLED",
    "TERM_ADMIN": "CANCELLED",
    "TERM_FORCE_OWNER": "CANCELLED",
    "TERM_FORCE_ADMIN": "CANCELLED",
    "TERM_BUCKET_KILL": "CANCELLED",
    "TERM_PREEMPT": "PREEMPTED",
    "TERM_REQUEUE_OWNER": "PREEMPTED",
    "TERM_REQUEUE_ADMIN": "PREEMPTED",
    "TERM_LOAD": "PREEMPTED",
    "TERM_WINDOW": "PREEMPTED",
    "TERM_ORPHAN_SYSTEM": "NODE_FAIL",
    "TERM_RC_RECLAIM": "NODE_FAIL",
    "TERM_UNKNOWN": "FAILED",
}


def options_of(job: Job) -> list[str]:
    """Return what bsub is asked for the job: its script's own options, or its resources.

    Raises
    ------
    OptionError
        If the script has an option that we cannot follow.
    """
    words = header_words(job, "#BSUB")
    if not words:
        return resource_options(job.resources)
    kept, skip = [], False
    for position, word in enumerate(words):
        if skip:
            skip = False
        elif word in _REFUSED:
            raise OptionError(f"the option {word} of bsub cannot be followed here")
        elif _ARRAY.search(word) and words[position - 1] == "-J":
            raise OptionError(f"the job array {word!r} cannot be followed here: write a task each")
        elif word in _OURS:
            skip = position + 1 < len(words)
        else:
            kept.append(word)
    return kept


def resource_options(resources: Resources) -> list[str]:
    """Return the options that ask for the resources.

    Examples
    --------
    >>> resource_options(Resources(nodes=2, queue="pbatch", walltime_s=5400))
    ['-nnodes', '2', '-q', 'pbatch', '-W', '90']
    """
    minutes = -(-resources.walltime_s // 60) if resources.walltime_s else None
    forms: list[tuple[str, object]] = [
        ("-nnodes", resources.nodes),
        ("-n", resources.processes if not resources.nodes else None),
        ("-q", resources.queue),
        ("-G", resources.account),
        ("-W", minutes),
        ("-M", f"{resources.memory_mb}MB" if resources.memory_mb else None),
        ("-U", resources.reservation),
    ]
    words = [word for option, value in forms if value for word in (option, str(value))]
    return [*words, "-x"] if resources.exclusive else words


def bsub_command(request: Request, ticket: str) -> list[str]:
    """Return the command that submits the job's wrapper.

    The program itself writes into its attempt's folder; what LSF has to say of the job
    goes to a file beside that.
    """
    job = request.job
    name = [] if "-J" in request.arguments else ["-J", request.name]
    report = f"{job.folder}/lsf"
    return [
        *("bsub", "-cwd", job.workdir, *request.arguments, *name),
        *("-Jd", comment_of(job.key.name, ticket, ""), "-oo", report, "-eo", report, "-rn"),
        *("/bin/bash", f"{job.folder}/job"),
    ]


def bjobs_command(job_ids: Sequence[str], user: str) -> list[str]:
    """Return the command that lists the jobs; without ids, all of the user's."""
    who = list(job_ids) if job_ids else ["-u", user] if user else []
    return ["bjobs", "-a", "-noheader", "-o", f"{_FIELDS} delimiter='|'", *who]


def says_unknown(errors: str) -> bool:
    """Tell whether bjobs has failed only because it knows no such job."""
    return bool(_UNKNOWN.search(errors))


def says_ended(text: str) -> bool:
    """Tell whether bkill has failed only because the jobs have ended."""
    return bool(_ENDED.search(text))


def read_bjobs(text: str) -> Listing:
    """Return what bjobs says, in Slurm's words; a line that cannot be read is only told.

    Examples
    --------
    >>> listing = read_bjobs("123456789|EXIT|140|n1|TERM_RUNLIMIT: job killed|r.0.1@abcdef12")
    >>> row = listing.rows["123456789"]; row.state, row.ended_with, row.ticket
    ('TIMEOUT', (140, 0), 'abcdef12')
    """
    rows, unreadable = {}, []
    for line in text.splitlines():
        fields = [field.strip() for field in line.split("|", 5)]
        if not line.strip():
            continue
        if len(fields) != 6 or not fields[0].isdecimal() or not fields[1].isupper():
            unreadable.append(line)
            continue
        job_id, state, code, host, reason, comment = fields
        ended_with = (int(code) if code.isdecimal() else 0, 0)
        word = _word(state, reason)
        rows[job_id] = Row(
            job_id,
            word,
            ended_with,
            "" if host == "-" else host,
            None,
            None,
            _reason(state, reason),
            comment,
        )
    return Listing(rows, tuple(unreadable))


def _reason(state: str, reason: str) -> str:
    """Return why it has ended, or waits in another way than in turn."""
    if reason != "-":
        return reason
    return state if STATES.get(state) == "PENDING" and state != "PEND" else ""


def _word(state: str, reason: str) -> str:
    if state != "EXIT":
        return STATES.get(state, state)
    return REASONS.get(reason.partition(":")[0].strip(), "FAILED")
