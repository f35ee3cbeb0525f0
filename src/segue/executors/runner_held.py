"""One job on the books of the runner executor."""

from __future__ import annotations

from dataclasses import dataclass

from segue.executors.runner_link import RunnerLink
from segue.model.events import Started, Submitted
from segue.protocols.executor import Job, JobKey
from segue.protocols.runner import Amounts, Told


@dataclass(slots=True)
class Held:
    """A job that has not ended, as far as we know.

    Attributes
    ----------
    job
        None when an engine before us has handed it over.
    link
        The runner that has it, or is being given it; None while it waits in line.
    known
        That runner has said that it has the job.
    told
        What the engine has heard of it last.
    printed
        How much output was asked for last.
    end
        How it ended, while its output is being fetched.
    """

    key: JobKey
    needs: Amounts
    folder: str
    lease_s: float
    job: Job | None = None
    link: RunnerLink | None = None
    known: bool = False
    told: type[Submitted | Started] | None = None
    printed: tuple[int, int] = (0, 0)
    cancelling: bool = False
    end: Told | None = None
