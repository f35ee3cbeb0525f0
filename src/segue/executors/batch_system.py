"""What the executor of batch jobs asks of one batch system: its programs, and how it is spoken to.

`segue.executors.batch_executor` keeps the books for all of them. What they answer is told in the
words of Slurm's states (`batch_states`), which the other systems are translated into.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Protocol

from segue.executors.batch_answers import Listing, Submission
from segue.executors.batch_request import Request
from segue.executors.batch_wrapper import Surroundings
from segue.protocols.executor import Job


class BatchSystem(Protocol):
    """The programs of one batch system."""

    calls: dict[str, int]

    def request_of(self, job: Job) -> Request:
        """Return what is asked for the job; raise `OptionError` if that cannot be passed on."""
        ...

    def surroundings(self, request: Request) -> Surroundings:
        """Return what the job's wrapper must know of the system."""
        ...

    def single_command(self, request: Request, ticket: str) -> list[str]:
        """Return the command that submits one job's wrapper."""
        ...

    def submit(self, words: Sequence[str]) -> Submission:
        """Run that command; return the id, or why there is none."""
        ...

    def submit_by(
        self, words: Sequence[str], workdir: str, changes: Mapping[str, str | None]
    ) -> Submission:
        """Let a site's own program submit a job."""
        ...

    def log_of(self, job_id: str) -> str:
        """Return where the output of a job goes; empty if nobody says."""
        ...

    def list_jobs(self, job_ids: Iterable[str] = ()) -> Listing:
        """Return what is said of the jobs; without ids, of all jobs of this user."""
        ...

    def account(self, job_ids: Sequence[str]) -> Listing | None:
        """Return what the accounts say; None where none are kept."""
        ...

    def cancel(self, job_ids: Sequence[str]) -> None:
        """Ask for the end of the jobs."""
        ...

    def array_size(self) -> int:
        """Return how many elements an array may have; 0: none."""
        ...
