"""What the line to a runner tells the executor: the words, and no deeds."""

from __future__ import annotations

from typing import NamedTuple

from segue.model.states import Cause
from segue.protocols.runner import Changes


class Heard(NamedTuple):
    """The runner has told of jobs, and what it has."""

    changes: Changes
    listing: bool


class Given(NamedTuple):
    """The runner has this job."""

    name: str


class NotGiven(NamedTuple):
    """The runner does not have this job; with `full` because it has no room for it now."""

    name: str
    full: bool = False


class Failed(NamedTuple):
    """The job cannot be handed over."""

    name: str
    cause: Cause
    message: str


class Unknown(NamedTuple):
    """The runner answers, and knows no such job."""

    name: str


class Fetched(NamedTuple):
    """All output of an ended job is here, but for what `trouble` says."""

    name: str
    trouble: str = ""


class Acknowledged(NamedTuple):
    """The runner has forgotten these jobs."""

    names: tuple[str, ...]


class Silent(NamedTuple):
    """The runner does not answer, still or by now."""


#: What is about one job.
Word = Given | NotGiven | Failed | Unknown | Fetched
News = Word | Heard | Acknowledged | Silent
