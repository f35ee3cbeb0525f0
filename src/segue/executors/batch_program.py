"""What the adapters of LSF and Flux share: running programs, jobs without arrays or accounts."""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping, Sequence
from typing import Final

from segue.executors.batch_answers import Listing, Refusal, Submission
from segue.executors.batch_command import Answer, NoAnswerError, run
from segue.executors.batch_request import OptionError, Request
from segue.executors.batch_wrapper import Surroundings
from segue.model.errors import ExecutorError
from segue.model.workflow import Script
from segue.protocols.executor import Job

SUBMIT_LIMIT_S: Final = 120.0
ASK_LIMIT_S: Final = 60.0
#: Words of an answer that mean: try again later.
_PASSING: Final = re.compile(
    r"timed? ?out|cannot connect|unable to contact|not responding|try again|unreachable"
    r"|connection|daemon|not running|temporarily|in progress",
    re.IGNORECASE,
)
#: Of these, words that are said when an answer has not come: the job may be there.
_UNANSWERED: Final = re.compile(
    r"timed? ?out|reset by peer|broken pipe|connection (lost|closed)|not responding",
    re.IGNORECASE,
)
#: So LSF ends what it says of a job that it certainly does not have.
_NOT_SUBMITTED: Final = re.compile(r"job not submitted", re.IGNORECASE)


class Programs:
    """The programs of a batch system, as they are found on the PATH; calls are counted."""

    def __init__(self) -> None:
        self.calls: dict[str, int] = {}

    def array_size(self) -> int:
        """Return 0: each job goes out by itself."""
        return 0

    def account(self, job_ids: Sequence[str]) -> Listing | None:
        """Return None: what has ended is known by its record, or from the list of jobs."""
        return None

    def log_of(self, job_id: str) -> str:
        """Return nothing: output goes where we say."""
        return ""

    def submit_by(
        self, words: Sequence[str], workdir: str, changes: Mapping[str, str | None]
    ) -> Submission:
        """Refuse: a site's own program is for Slurm."""
        message = f"{words[0]} submits to Slurm, and this is another batch system"
        return Submission(refusal=Refusal.FOR_EVER, message=message)

    def run_submit(self, words: Sequence[str], read_id: re.Pattern[str]) -> Submission:
        """Run a command that submits; the id is what the pattern's group finds in its answer."""
        program = words[0]
        self._count(program)
        try:
            answer = run(words, limit_s=SUBMIT_LIMIT_S)
        except NoAnswerError as error:
            return Submission(refusal=Refusal.UNSURE, message=str(error))
        except ExecutorError as error:
            return Submission(refusal=Refusal.NOT_NOW, message=str(error))
        found = read_id.search(answer.output)
        if found:
            return Submission(found[1])
        if answer.code <= 0:
            message = f"{program} has printed no job id, but {answer.said!r}"
            return Submission(refusal=Refusal.UNSURE, message=message)
        refusal = refusal_of(answer.errors or answer.output)
        return Submission(refusal=refusal, message=answer.said)

    def ask(self, words: Sequence[str]) -> Answer:
        """Run a command that answers."""
        self._count(words[0])
        return run(words, limit_s=ASK_LIMIT_S)

    def _count(self, program: str) -> None:
        self.calls[program] = self.calls.get(program, 0) + 1


def refusal_of(words: str) -> Refusal:
    """Return what it means that a submission has failed with these words.

    Examples
    --------
    >>> refusal_of("Connection refused").value, refusal_of("Connection timed out").value
    ('not now', 'unsure')
    """
    if _UNANSWERED.search(words) and not _NOT_SUBMITTED.search(words):
        return Refusal.UNSURE
    return Refusal.NOT_NOW if _PASSING.search(words) else Refusal.FOR_EVER


def header_words(job: Job, mark: str) -> list[str]:
    """Return the options in the head of the job's script, the lines that begin with `mark`.

    Raises
    ------
    OptionError
        If a quote in one of them is not closed.
    """
    if not isinstance(job.action, Script):
        return []
    words: list[str] = []
    for line in job.action.text.splitlines():
        if line.startswith(mark):
            try:
                words += shlex.split(line.removeprefix(mark), comments=True)
            except ValueError as error:
                message = f"the line {line!r} cannot be split into words: {str(error).lower()}"
                raise OptionError(message) from error
        elif line.strip() and not line.startswith("#"):
            break
    return words


def to_folder(request: Request) -> tuple[str, ...]:
    """Return lines that let the program write into its attempt's folder, to be read live."""
    folder = shlex.quote(request.job.folder)
    return (f"exec >{folder}/stdout 2>{folder}/stderr",)


def plain_surroundings(request: Request, *, job_id: str, kept: str) -> Surroundings:
    """Return the surroundings of a system that starts no job twice."""
    return Surroundings(
        job_id=job_id,
        requeued="false",
        node='"$HOSTNAME"',
        kept=kept,
        before_program=to_folder(request),
    )


def request_of_words(job: Job, words: Sequence[str]) -> Request:
    """Return the request of a job whose options are these words."""
    names = {"stdout": job.output.stdout, "stderr": job.output.stderr} if job.output else {}
    name = "".join(sign if sign.isprintable() else " " for sign in job.title)[:100]
    return Request(job, (), tuple(words), name or job.key.name, "", names)
