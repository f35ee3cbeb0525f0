"""What a batch system is asked for one job. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from segue.protocols.executor import Job


class OptionError(Exception):
    """An option cannot be given; the message says which and what to do."""


@dataclass(frozen=True, slots=True)
class Request:
    """A job and what the batch system is asked for it.

    Attributes
    ----------
    header
        Lines of its script for the batch system (``#SBATCH ...``).
    arguments
        Further options on the command line, without those that are ours.
    name
        How the job is called in the queue; empty: as the header says.
    comment
        The user's own.
    output
        Second names of stdout and stderr in the workdir; stderr is empty where it goes
        into stdout.
    joined
        stderr goes into stdout.
    site
        The command of the site's own program that submits it in our place.
    """

    job: Job
    header: tuple[str, ...]
    arguments: tuple[str, ...]
    name: str
    comment: str
    output: Mapping[str, str]
    joined: bool = False
    site: tuple[str, ...] = ()
