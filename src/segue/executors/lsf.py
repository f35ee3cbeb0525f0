"""The LSF executor: jobs through bsub, watched by bjobs and records of their own. Acts.

The books are kept by `segue.executors.batch_executor`; the text of commands and
answers is in `lsf_text`.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from pathlib import Path

from segue.executors import lsf_text
from segue.executors.batch_answers import Listing, Submission
from segue.executors.batch_executor import BatchExecutor
from segue.executors.batch_program import Programs, plain_surroundings, request_of_words
from segue.executors.batch_request import Request
from segue.executors.batch_settings import Settings
from segue.executors.batch_wrapper import Surroundings
from segue.model.errors import ExecutorError
from segue.protocols.executor import Job


def open_lsf(state_dir: Path, *, settings: Settings | None = None) -> BatchExecutor:
    """Return an LSF executor that keeps its journals under `state_dir`."""
    return BatchExecutor("lsf", state_dir, LsfPrograms(), settings or Settings(arrays=False))


class LsfPrograms(Programs):
    """bsub, bjobs, bkill."""

    def request_of(self, job: Job) -> Request:
        """Return what bsub is asked for the job."""
        return request_of_words(job, lsf_text.options_of(job))

    def surroundings(self, request: Request) -> Surroundings:
        """Return what the job's wrapper must know of LSF."""
        return plain_surroundings(request, job_id='"$LSB_JOBID"', kept="LSB*|LSF*|LS_*")

    def single_command(self, request: Request, ticket: str) -> list[str]:
        """Return the bsub command of one job."""
        return lsf_text.bsub_command(request, ticket)

    def submit(self, words: Sequence[str]) -> Submission:
        """Run a bsub command; return the id, or why there is none."""
        return self.run_submit(words, lsf_text.SUBMITTED)

    def list_jobs(self, job_ids: Iterable[str] = ()) -> Listing:
        """Return what bjobs says of the jobs, in one call.

        Raises
        ------
        ExecutorError
            If it does not answer.
        """
        answer = self.ask(lsf_text.bjobs_command(list(job_ids), str(os.environ.get("USER", ""))))
        if answer.code == 0 or lsf_text.says_unknown(answer.errors):
            return lsf_text.read_bjobs(answer.output)
        raise ExecutorError(f"bjobs has failed: {answer.said}")

    def cancel(self, job_ids: Sequence[str]) -> None:
        """Ask for the end of the jobs, all in one call.

        Raises
        ------
        ExecutorError
            If LSF cannot be reached.
        """
        if not job_ids:
            return
        answer = self.ask(["bkill", *job_ids])
        if answer.code != 0 and not lsf_text.says_ended(answer.errors + answer.output):
            raise ExecutorError(f"bkill has failed: {answer.said}")
