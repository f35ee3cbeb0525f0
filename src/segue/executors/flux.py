"""The Flux executor: jobs through the `flux` command, watched by `flux jobs`. Acts.

No Python bindings are needed. The books are kept by `segue.executors.batch_executor`;
the text of commands and answers is in `flux_text`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from segue.executors import flux_text
from segue.executors.batch_answers import Listing, Submission
from segue.executors.batch_executor import BatchExecutor
from segue.executors.batch_program import Programs, plain_surroundings, request_of_words
from segue.executors.batch_request import Request
from segue.executors.batch_settings import Settings
from segue.executors.batch_wrapper import Surroundings
from segue.model.errors import ExecutorError
from segue.protocols.executor import Job


def open_flux(state_dir: Path, *, settings: Settings | None = None) -> BatchExecutor:
    """Return a Flux executor that keeps its journals under `state_dir`."""
    return BatchExecutor("flux", state_dir, FluxPrograms(), settings or Settings(arrays=False))


class FluxPrograms(Programs):
    """`flux batch`, `flux submit`, `flux jobs`, `flux cancel`."""

    def request_of(self, job: Job) -> Request:
        """Return what Flux is asked for the job."""
        return request_of_words(job, flux_text.options_of(job))

    def surroundings(self, request: Request) -> Surroundings:
        """Return what the job's wrapper must know of Flux."""
        # An instance of its own has ids of its own, and knows which job it is itself.
        nested = request.arguments[0] == "batch"
        known = "$(flux getattr jobid)" if nested else "$FLUX_JOB_ID"
        job_id = f'"$(flux job id --to=f58plain "{known}" 2>/dev/null)"'
        return plain_surroundings(request, job_id=job_id, kept="FLUX*")

    def single_command(self, request: Request, ticket: str) -> list[str]:
        """Return the command that submits one job."""
        return flux_text.submit_command(request, ticket)

    def submit(self, words: Sequence[str]) -> Submission:
        """Run it; return the id, or why there is none."""
        submission = self.run_submit(words, flux_text.SUBMITTED)
        if not submission.job_id:
            return submission
        # Printed with a sign of its own where the locale has it; always taken with an "f".
        return submission._replace(job_id=f"f{submission.job_id}")

    def list_jobs(self, job_ids: Iterable[str] = ()) -> Listing:
        """Return what Flux says of the jobs, in one call.

        Raises
        ------
        ExecutorError
            If it does not answer.
        """
        answer = self.ask(flux_text.jobs_command(list(job_ids)))
        if answer.code == 0 or flux_text.says_unknown(answer.errors):
            return flux_text.read_jobs(answer.output)
        raise ExecutorError(f"flux jobs has failed: {answer.said}")

    def cancel(self, job_ids: Sequence[str]) -> None:
        """Ask for the end of the jobs, all in one call.

        Raises
        ------
        ExecutorError
            If Flux cannot be reached.
        """
        if not job_ids:
            return
        answer = self.ask(["flux", "cancel", *job_ids])
        if answer.code != 0 and not flux_text.says_ended(answer.errors + answer.output):
            raise ExecutorError(f"flux cancel has failed: {answer.said}")
