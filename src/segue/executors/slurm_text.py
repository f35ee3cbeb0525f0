"""What is said to Slurm's programs and what they answer. Pure.

Facts about the answers were seen on Slurm 22.05.8 and read in the manuals up to 24.11.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Final

from segue.executors.batch_answers import Listing, Refusal, Row, base_id

# Listing -----------------------------------------------------------------------------

#: The fields of a line of squeue and their widths; the comment is last, for it holds anything.
_FIELDS: Final = (
    ("JobArrayID", 32),
    ("State", 24),
    ("exit_code", 16),
    ("BatchHost", 64),
    ("StartTime", 28),
    ("EndTime", 28),
    ("Reason", 48),
    ("RestartCnt", 8),
    ("Comment", 256),
)
#: sacct's fields, with a sign between them that none of them holds.
_ACCOUNT_FIELDS: Final = "JobID,State,ExitCode,Start,End,TotalCPU,MaxRSS,NodeList"
#: More ids than this are not listed one by one: all jobs of the user are asked for.
_MANY: Final = 1000
_JOB_ID: Final = re.compile(r"\d+(_\d+)?(\+\d+)?")
#: Elements that have not begun, in one line: ``7_[3,5-9%2]``.
_RANGE: Final = re.compile(r"(\d+)_\[[^]]*\]")
_UNITS: Final = {"K": 2**10, "M": 2**20, "G": 2**30, "T": 2**40}


def squeue_command(job_ids: Iterable[str], user: str) -> list[str]:
    """Return the command that lists the jobs, each element of an array on a line of its own.

    Without ids, or with very many, all jobs of the user are listed.
    """
    bases = sorted({base_id(job_id) for job_id in job_ids}, key=int)
    fields = ",".join(f"{name}:{width}" for name, width in _FIELDS)
    who = [f"--user={user}"] if not bases or len(bases) > _MANY else [f"--jobs={','.join(bases)}"]
    return ["squeue", "--noheader", "--array", "--states=all", *who, f"--Format={fields}"]


def is_unknown_job(errors: str) -> bool:
    """Tell whether squeue has failed only because no job of these ids is left."""
    return "Invalid job id" in errors


def read_squeue(text: str) -> Listing:
    """Return what squeue says; a line that cannot be read is only told."""
    rows, unreadable = {}, []
    for line in text.splitlines():
        if not line.strip():
            continue
        row = _squeue_row(line)
        if row is None:
            unreadable.append(line)
        else:
            rows[row.job_id] = row
    return Listing(rows, tuple(unreadable))


def _squeue_row(line: str) -> Row | None:
    fields, at = [], 0
    for _, width in _FIELDS:
        fields.append(line[at : at + width].strip())
        at += width
    job_id, state, code, node, start, end, reason, restarts, comment = fields
    if not _JOB_ID.fullmatch(job_id) or not re.match(r"[A-Z]", state):
        return None
    ended_with = _wait_status(code)
    if ended_with is None:
        return None
    node = "" if node in ("n/a", "(null)") else node
    comment = "" if comment == "(null)" else comment
    again = int(restarts) if restarts.isdecimal() else 0
    return Row(
        job_id, state, ended_with, node, _time(start), _time(end), reason, comment, restarts=again
    )


def _wait_status(text: str) -> tuple[int, int] | None:
    """Return exit code and signal of what squeue prints: a wait status, or ``code:signal``."""
    if re.fullmatch(r"\d+:\d+", text):
        code, number = text.split(":")
        return int(code), int(number)
    if not text.isdigit():
        return None
    return int(text) >> 8, int(text) & 0x7F


def sacct_command(job_ids: Iterable[str]) -> list[str]:
    """Return the command that asks the accounting for these jobs and their steps.

    With ids, always: without, jobs that ended in the last seconds are missing.
    """
    jobs = ",".join(job_ids)
    words = ["sacct", "--noheader", "--parsable2", "--delimiter=|", f"--jobs={jobs}"]
    return [*words, f"--format={_ACCOUNT_FIELDS}"]


def is_without_accounting(errors: str) -> bool:
    """Tell whether the cluster keeps no accounts that could be asked."""
    return "accounting storage is disabled" in errors.lower()


def read_sacct(text: str) -> Listing:
    r"""Return what sacct says; the largest memory is that of the job's largest step.

    Examples
    --------
    >>> text = "7|CANCELLED by 0|0:15|100|160|00:01.500||n1\n7.batch|FAILED|0:15|100|160||4M|n1\n"
    >>> read_sacct(text).rows["7"].peak_rss_bytes, read_sacct(text).rows["7"].cpu_s
    (4194304, 1.5)
    """
    rows: dict[str, Row] = {}
    unreadable: list[str] = []
    peaks: dict[str, int] = {}
    for line in text.splitlines():
        fields = line.split("|")
        if len(fields) != 8:
            unreadable.append(line)
            continue
        job_id, state, code, start, end, cpu, peak, node = fields
        whole, _, step = job_id.partition(".")
        together = _RANGE.fullmatch(whole)
        whole = together[1] if together else whole
        if step:
            peaks[whole] = max(peaks.get(whole, 0), _bytes(peak) or 0)
            continue
        if not re.fullmatch(r"\d+:\d+", code) or not state:
            unreadable.append(line)
        elif _JOB_ID.fullmatch(whole):
            ended_with = _wait_status(code)
            assert ended_with is not None
            times = (_time(start), _time(end))
            rows[whole] = Row(whole, state, ended_with, node, *times, cpu_s=_duration(cpu))
    known = {
        job_id: row._replace(peak_rss_bytes=peaks.get(job_id) or None)
        for job_id, row in rows.items()
    }
    return Listing(known, tuple(unreadable))


def _time(text: str) -> float | None:
    """Return a time that was written with SLURM_TIME_FORMAT=%s."""
    return float(text) if text.isdigit() else None


def _duration(text: str) -> float | None:
    """Return ``[D-][HH:]MM:SS[.mmm]`` in seconds."""
    match = re.fullmatch(r"(?:(\d+)-)?(?:(\d+):)?(\d+):(\d+(?:\.\d+)?)", text)
    if not match:
        return None
    days, hours, minutes, seconds = match.groups()
    return int(days or 0) * 86400 + int(hours or 0) * 3600 + int(minutes) * 60 + float(seconds)


def _bytes(text: str) -> int | None:
    match = re.fullmatch(r"(\d+(?:\.\d+)?)([KMGT]?)", text)
    return int(float(match[1]) * _UNITS.get(match[2], 1)) if match else None


# Submission --------------------------------------------------------------------------


#: Words of sbatch, in the order in which they are looked for. Source: slurm_errno.c and
#: the reasons in slurmctld's proc_req.c; what was seen is in tests/executors.
_REFUSALS: Final = (
    (
        re.compile(
            "Socket timed out|Zero Bytes were transmitted|Transport endpoint is not connected"
            "|Message receive failure|Connection reset|communication connection failure",
            re.IGNORECASE,
        ),
        Refusal.UNSURE,
    ),
    (
        re.compile(
            "MaxSubmit|job submit limit exceeded|temporarily unable to accept|"
            "Resource temporarily unavailable|Too many jobs",
            re.IGNORECASE,
        ),
        Refusal.LIMIT,
    ),
    (
        re.compile(
            "Unable to contact|Connection refused|Connection timed out|Slurm controller|"
            "slurmctld|Slurm backup controller|Invalid authentication|Protocol authentication|"
            "Munge|Unexpected message|in standby mode|configuration file|configuration source|"
            "Partition .*(down|inactive|unavailable)|required partition not available|"
            "Unable to establish|Cannot allocate memory|Too many open files|No space left",
            re.IGNORECASE,
        ),
        Refusal.NOT_NOW,
    ),
)


def refusal_of(errors: str) -> Refusal:
    """Return what it means that sbatch has failed with these words.

    Examples
    --------
    >>> refusal_of("sbatch: error: Batch job submission failed: Invalid account").value
    'for ever'
    >>> refusal_of("sbatch: error: QOSMaxSubmitJobPerUserLimit").value
    'limit'
    """
    for pattern, refusal in _REFUSALS:
        if pattern.search(errors):
            return refusal
    return Refusal.FOR_EVER


def read_sbatch(output: str) -> str:
    r"""Return the job id that ``sbatch --parsable`` has printed; empty if there is none.

    Some sites print a greeting before it.

    Examples
    --------
    >>> read_sbatch("Welcome\n4711;cluster\n")
    '4711'
    """
    lines = [line.strip() for line in output.splitlines() if line.strip()]
    match = re.fullmatch(r"(\d+)(;\S+)?", lines[-1]) if lines else None
    return match[1] if match else ""


def scancel_command(job_ids: Sequence[str]) -> list[str]:
    """Return the command that ends these jobs."""
    return ["scancel", "--quiet", *job_ids]


def read_array_size(config: str) -> int:
    r"""Return how many elements an array may have, from ``scontrol show config``.

    Examples
    --------
    >>> read_array_size("MaxArraySize            = 1001\n")
    1001
    """
    match = re.search(r"^MaxArraySize\s*=\s*(\d+)", config, re.MULTILINE)
    return int(match[1]) if match else 0


def slurm_time(seconds: int) -> str:
    """Return `seconds` as sbatch reads a time limit, rounded up to a minute as Slurm does.

    Raises
    ------
    ValueError
        If `seconds` is below 1: to Slurm a zero means "no limit".

    Examples
    --------
    >>> slurm_time(90_000), slurm_time(61)
    ('1-01:00:00', '0-00:02:00')
    """
    if seconds < 1:
        raise ValueError(f"a time limit of {seconds} s")
    minutes = -(-seconds // 60)
    return f"{minutes // 1440}-{minutes // 60 % 24:02}:{minutes % 60:02}:00"
