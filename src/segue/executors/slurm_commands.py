"""Speaks to Slurm's programs: sbatch, squeue, sacct, scancel, scontrol. Acts, decides nothing."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from segue.executors import slurm_site, slurm_text
from segue.executors.batch_answers import Listing, Refusal, Row, Submission
from segue.executors.batch_command import Answer, NoAnswerError, run
from segue.executors.batch_request import Request
from segue.executors.batch_wrapper import Surroundings
from segue.executors.slurm_request import SURROUNDINGS, request_of, single_command
from segue.model.errors import ExecutorError
from segue.protocols.executor import Job

#: sbatch waits itself while a controller is busy; its own limit is 10 to 100 s.
SBATCH_LIMIT_S: Final = 120.0
ASK_LIMIT_S: Final = 60.0
#: Arguments of one command stay far below what the kernel takes (128 KiB for one of them).
_IDS_A_COMMAND: Final = 1000
#: Variables of sbatch that would change what we asked for.
_SBATCH_VARIABLES: Final = frozenset(
    {"SBATCH_ARRAY_INX", "SBATCH_CLUSTERS", "SBATCH_TEST_ONLY", "SBATCH_WAIT", "SBATCH_REQUEUE"}
)
#: Of the variables that Slurm gives to jobs, these are about the cluster. The others are
#: about the job that we may run in ourselves, and a job submitted with them would take
#: them for its own.
_OF_THE_CLUSTER: Final = frozenset({"SLURM_CONF", "SLURM_CONF_SERVER", "SLURM_JWT"})


class SlurmCommands:
    """The programs, as they are found on the PATH. Each call is counted in `calls`."""

    def __init__(
        self, *, sbatch_limit_s: float = SBATCH_LIMIT_S, ask_limit_s: float = ASK_LIMIT_S
    ) -> None:
        self._sbatch_limit_s = sbatch_limit_s
        self._ask_limit_s = ask_limit_s
        self._array_size: int | None = None
        self.calls: dict[str, int] = {}

    def request_of(self, job: Job) -> Request:
        """Return what sbatch is asked for the job."""
        return request_of(job)

    def surroundings(self, request: Request) -> Surroundings:
        """Return what the job's wrapper must know of Slurm."""
        return SURROUNDINGS

    def single_command(self, request: Request, ticket: str) -> list[str]:
        """Return the sbatch command of one job."""
        return single_command(request, ticket)

    def submit(self, words: Sequence[str]) -> Submission:
        """Run an sbatch command; return the id, or why there is none."""
        self._count("sbatch")
        try:
            answer = run(words, limit_s=self._sbatch_limit_s, environment=job_environment())
        except NoAnswerError as error:
            return Submission(refusal=Refusal.UNSURE, message=str(error))
        except ExecutorError as error:
            return Submission(refusal=_unstarted(error), message=str(error))
        job_id = slurm_text.read_sbatch(answer.output)
        if job_id and answer.code == 0:
            return Submission(job_id)
        return _unsubmitted("sbatch", answer)

    def submit_by(
        self, words: Sequence[str], workdir: str, changes: Mapping[str, str | None]
    ) -> Submission:
        """Let a site's own program submit a job; return the id, or why there is none.

        Its environment is that of sbatch with the changes, of which None removes a name.
        """
        program = os.path.basename(words[0])
        self._count(program)
        environment = {**job_environment(), **changes}
        given = {name: value for name, value in environment.items() if value is not None}
        try:
            answer = run(words, limit_s=self._sbatch_limit_s, environment=given, workdir=workdir)
        except NoAnswerError as error:
            return Submission(refusal=Refusal.UNSURE, message=str(error))
        except ExecutorError as error:
            return Submission(refusal=_unstarted(error), message=str(error))
        job_id = slurm_site.read_answer(answer.output + answer.errors)
        # Whatever happened to the program after that: there is a job.
        return Submission(job_id) if job_id else _unsubmitted(program, answer)

    def log_of(self, job_id: str) -> str:
        """Return where the output of a job goes; empty if Slurm does not say."""
        try:
            answer = self._ask(["scontrol", "show", "job", job_id])
        except ExecutorError:
            return ""
        return slurm_site.log_path(answer.output, job_id) if answer.code == 0 else ""

    def list_jobs(self, job_ids: Iterable[str] = ()) -> Listing:
        """Return what squeue says of the jobs; without ids, of all jobs of this user.

        Raises
        ------
        ExecutorError
            If it does not answer.
        """
        answer = self._ask(slurm_text.squeue_command(job_ids, str(os.getuid())))
        if answer.code == 0:
            return slurm_text.read_squeue(answer.output)
        if slurm_text.is_unknown_job(answer.errors):
            return Listing({})
        raise ExecutorError(f"squeue has failed: {answer.said}")

    def account(self, job_ids: Sequence[str]) -> Listing | None:
        """Return what sacct says of the jobs; None where no accounts are kept.

        Raises
        ------
        ExecutorError
            If it does not answer.
        """
        if shutil.which("sacct") is None:
            return None
        rows: dict[str, Row] = {}
        unreadable: tuple[str, ...] = ()
        for ids in _parts(job_ids):
            answer = self._ask(slurm_text.sacct_command(ids))
            if slurm_text.is_without_accounting(answer.errors):
                return None
            if answer.code != 0:
                raise ExecutorError(f"sacct has failed: {answer.said}")
            part = slurm_text.read_sacct(answer.output)
            rows |= part.rows
            unreadable += part.unreadable
        return Listing(rows, unreadable)

    def cancel(self, job_ids: Sequence[str]) -> None:
        """Ask for the end of the jobs.

        Raises
        ------
        ExecutorError
            If Slurm cannot be reached.
        """
        for ids in _parts(job_ids):
            answer = self._ask(slurm_text.scancel_command(ids))
            # Ended ones among them are no fault; scancel says so and goes on.
            if answer.code != 0 and not slurm_text.is_unknown_job(answer.errors):
                raise ExecutorError(f"scancel has failed: {answer.said}")

    def array_size(self) -> int:
        """Return how many elements an array may have; 0: nobody knows. Asked once."""
        if self._array_size is None:
            try:
                answer = self._ask(["scontrol", "show", "config"])
            except ExecutorError:
                return 0
            if answer.code != 0:
                return 0
            self._array_size = slurm_text.read_array_size(answer.output)
        return self._array_size

    def _ask(self, words: Sequence[str]) -> Answer:
        self._count(words[0])
        return run(words, limit_s=self._ask_limit_s, environment=_asking_environment())

    def _count(self, program: str) -> None:
        self.calls[program] = self.calls.get(program, 0) + 1


def _unsubmitted(program: str, answer: Answer) -> Submission:
    """Return what it means that a program has said no id."""
    if answer.code == 0:
        message = f"{program} has printed no job id, but {answer.said!r}"
        return Submission(refusal=Refusal.UNSURE, message=message)
    if answer.code < 0:
        message = f"{program} was ended by signal {-answer.code}"
        return Submission(refusal=Refusal.UNSURE, message=message)
    refusal = slurm_text.refusal_of(answer.errors or answer.output)
    return Submission(refusal=refusal, message=answer.said)


def _unstarted(error: ExecutorError) -> Refusal:
    """A command line that the kernel refuses is wrong for ever; a missing program may come back."""
    too_long = "Argument list too long" in str(error) or "null" in str(error)
    return Refusal.FOR_EVER if too_long else Refusal.NOT_NOW


def _parts(job_ids: Sequence[str]) -> Iterable[Sequence[str]]:
    return (job_ids[at : at + _IDS_A_COMMAND] for at in range(0, len(job_ids), _IDS_A_COMMAND))


def job_environment(environment: Mapping[str, str] = os.environ) -> dict[str, str]:
    """Return the environment that sbatch runs in, which jobs inherit."""
    return {
        name: value
        for name, value in environment.items()
        if name not in _SBATCH_VARIABLES
        and (not name.startswith(("SLURM_", "SLURMD_")) or name in _OF_THE_CLUSTER)
    }


def _asking_environment() -> dict[str, str]:
    """Return the environment for questions: times as seconds, words in English."""
    ours = {"SLURM_TIME_FORMAT": "%s", "LC_ALL": "C.UTF-8"}
    unwanted = ("SQUEUE_", "SACCT_", "SCANCEL_")
    kept = {
        name: value for name, value in job_environment().items() if not name.startswith(unwanted)
    }
    return kept | ours
