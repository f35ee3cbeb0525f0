"""After a crash: what became of jobs that an engine of before has given to runners."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

from segue.executors import batch_reports
from segue.executors.runner_journal import Note
from segue.executors.runner_link import RunnerLink
from segue.model.errors import ExecutorError
from segue.model.pools import RunnerSettings
from segue.model.states import Cause
from segue.protocols.executor import JobKey, RunReport
from segue.protocols.runner import Amounts, Told


class Answer(NamedTuple):
    """What was found of a job: a report that ends it here, or the runner that has it.

    Without `told` that runner does not answer now: the job is followed, and what it says
    when it answers, or the end of its lease, decides. `known`: a runner has had it surely.
    """

    key: JobKey
    job_id: str = ""
    link: RunnerLink | None = None
    told: Told | None = None
    report: RunReport | None = None
    known: bool = False
    folder: str = ""
    needs: Amounts = {}  # noqa: RUF012 - never changed
    lease_s: float = 0.0


class Finder:
    """Asks the runner that is written down; where nothing is written, all of them."""

    def __init__(
        self, notes: Mapping[str, Note], link_of: Callable[[str], RunnerLink], margin_s: float
    ) -> None:
        self._notes = notes
        self._link_of = link_of
        self._margin_s = margin_s

    def find(self, jobs: Mapping[JobKey, str], settings: RunnerSettings) -> list[Answer]:
        """Return one answer a job.

        Raises
        ------
        ExecutorError
            If nobody knows which runner has a job, and one that may have it is silent.
        """
        answers: list[Answer] = []
        given: dict[RunnerLink, dict[JobKey, str]] = {}
        anywhere: dict[JobKey, str] = {}
        for key, job_id in jobs.items():
            note = self._notes.get(key.name)
            if note is None:
                anywhere[key] = job_id
            elif note.url:
                given.setdefault(self._link_of(note.url), {})[key] = job_id
            else:
                answers.append(Answer(key, report=_returned(key)))
        heard = _ask(given)
        for link, keys in given.items():
            answers += [
                self._of_one(link, key, job_id, heard[link]) for key, job_id in keys.items()
            ]
        if anywhere:
            answers += self._of_all(
                [self._link_of(url) for url in settings.urls], anywhere, settings
            )
        return answers

    def _of_one(
        self, link: RunnerLink, key: JobKey, job_id: str, heard: Mapping[str, Told] | None
    ) -> Answer:
        """Return what the runner says that is written down for a job."""
        note = self._notes[key.name]
        answer = Answer(
            key, job_id, link, None, None, bool(job_id), note.folder, note.needs, note.lease_s
        )
        if heard is None:
            return answer
        told = heard.get(key.name)
        if told is not None:
            return answer._replace(told=told)
        if job_id:
            text = f"the runner {link.url} answers and does not know it"
            return answer._replace(report=_ended(key, Cause.LOST, text))
        return answer._replace(report=_returned(key))

    def _of_all(
        self, links: Sequence[RunnerLink], jobs: Mapping[JobKey, str], settings: RunnerSettings
    ) -> Iterator[Answer]:
        """Return what any runner says of jobs of which nothing is written here."""
        heard = _ask({link: dict(jobs) for link in links})
        silent = [link for link, told in heard.items() if told is None]
        patience_s = settings.lease_s + self._margin_s
        for key, job_id in jobs.items():
            found = [
                (link, told[key.name]) for link, told in heard.items() if told and key.name in told
            ]
            if found:
                link, told = found[0]
                yield Answer(key, job_id, link, told, known=True, lease_s=settings.lease_s)
            elif any(time.monotonic() < link.asked_at + patience_s for link in silent):
                urls = ", ".join(link.url for link in silent)
                raise ExecutorError(
                    f"nobody can tell what became of {key.name}: {urls} may have it and is silent",
                    f"start that runner again; without it, it is given up after {patience_s:.0f} s",
                )
            elif silent or job_id:
                urls = ", ".join(link.url for link in silent or links)
                text = f"no runner knows it; it was last on one of {urls}"
                yield Answer(key, job_id, report=_ended(key, Cause.NODE_FAILURE, text))
            else:
                yield Answer(key, report=_returned(key))


def _ask(
    jobs: Mapping[RunnerLink, Mapping[JobKey, str]],
) -> dict[RunnerLink, Mapping[str, Told] | None]:
    """Ask the runners, all at once, for these jobs; None: one that is silent."""
    if not jobs:
        return {}

    def ask(link: RunnerLink) -> Mapping[str, Told] | None:
        changes = link.find([key.name for key in jobs[link]])
        return None if changes is None else {told.name: told for told in changes.tasks}

    with ThreadPoolExecutor(len(jobs), "find") as threads:
        return dict(zip(jobs, threads.map(ask, jobs), strict=True))


def _returned(key: JobKey) -> RunReport:
    return batch_reports.returned(key, time.time())


def _ended(key: JobKey, cause: Cause, message: str) -> RunReport:
    return batch_reports.ended(key, time.time(), cause, message)
