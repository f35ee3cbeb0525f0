"""What batch systems answer, as values: rows about jobs, and what became of a submission. Pure.

Slurm has the richest words for states, so all others are translated into its own.
"""

from __future__ import annotations

import re
from enum import Enum
from typing import Final, NamedTuple

_COMMENT: Final = re.compile(r"^\S+@([0-9a-f]{6,})(\s|$)")


class Row(NamedTuple):
    """What a batch system says of one job; times in seconds since the epoch."""

    job_id: str
    state: str
    #: Exit code and signal number.
    ended_with: tuple[int, int]
    node: str
    start: float | None
    end: float | None
    #: Why it waits, or why it has ended, in the system's own words.
    reason: str = ""
    comment: str = ""
    cpu_s: float | None = None
    peak_rss_bytes: int | None = None
    #: How often the system has begun it anew by itself.
    restarts: int = 0

    @property
    def ticket(self) -> str:
        """The ticket that our comment carries; empty in a job that is not ours."""
        match = _COMMENT.match(self.comment)
        return match[1] if match else ""


class Listing(NamedTuple):
    """The rows of an answer by job id, and the lines that could not be read."""

    rows: dict[str, Row]
    unreadable: tuple[str, ...] = ()


def base_id(job_id: str) -> str:
    """Return the id of the array that an element belongs to, or the id itself."""
    return job_id.partition("_")[0]


class Refusal(Enum):
    """Why a submission has brought no id."""

    #: It never will: the request is wrong.
    FOR_EVER = "for ever"
    #: So many jobs of this user are not allowed at once; fewer are.
    LIMIT = "limit"
    #: It was not reached, and certainly has no job.
    NOT_NOW = "not now"
    #: It was reached, and nobody knows whether it has the job.
    UNSURE = "unsure"


class Submission(NamedTuple):
    """What became of a submission: an id, or why there is none and the batch system's words."""

    job_id: str = ""
    refusal: Refusal | None = None
    message: str = ""
