"""After a crash: what became of jobs that an engine of before has handed over."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

from segue.executors.batch_answers import Row
from segue.executors.batch_journal import Intent, read_all
from segue.executors.batch_judge import Patience, judge
from segue.executors.batch_records import Begun
from segue.executors.batch_reports import returned, started, submitted
from segue.executors.batch_states import Phase, meaning_of
from segue.executors.batch_system import BatchSystem
from segue.executors.batch_tracked import Tracked, ids_to_account, match_tickets
from segue.model.errors import ExecutorError
from segue.model.events import Ended
from segue.protocols.executor import JobKey, RunReport

#: Who waits is the engine: a job that is not known to have ended is followed.
_ENDLESS: Final = Patience(float("inf"), float("inf"))
#: A report, and the job to be followed from now on; None when it was the last report.
Found = tuple[RunReport, Tracked | None]


class Finder:
    """Answers for each job: by its records, by the queue, by the accounts, by its ticket."""

    def __init__(self, state: Path, commands: BatchSystem) -> None:
        self._state = state
        self._commands = commands

    def find(self, jobs: Mapping[JobKey, str], followed: Mapping[JobKey, Tracked]) -> list[Found]:
        """Return one answer a job; `followed` are those that this engine knows already.

        Raises
        ------
        ExecutorError
            If the batch system cannot be asked now, or its answer cannot be read.
        """
        journals = read_all(self._state)
        found: list[Found] = []
        unclear: list[Tracked] = []
        now = time.time()
        for key, job_id in jobs.items():
            intent = journals.intents.get(key.name)
            if key in followed:
                found.append((_standing(followed[key], now), followed[key]))
                continue
            if intent is None and not job_id:
                found.append((returned(key, now), None))
                continue
            intent = intent or Intent(key.name, "", None, "", "", {}, now)
            tracked = Tracked(key, intent._replace(job_id=intent.job_id or job_id))
            tracked.read_records()
            if not tracked.job_id and tracked.begun:
                _name(tracked, tracked.begun.job_id)
            end = _end(tracked, None, None)
            if end:
                found.append((end, None))
            else:
                unclear.append(tracked)
        return found + list(self._ask(unclear))

    def _ask(self, unclear: list[Tracked]) -> Iterator[Found]:
        if not unclear:
            return
        unnamed = [tracked for tracked in unclear if not tracked.job_id]
        listing = self._commands.list_jobs(
            [] if unnamed else [tracked.job_id for tracked in unclear]
        )
        for tracked, job_id in match_tickets(unnamed, listing.rows.values()):
            _name(tracked, job_id)
        missing = [
            tracked for tracked in unclear if tracked.job_id and tracked.job_id not in listing.rows
        ]
        if listing.unreadable and (missing or any(not tracked.job_id for tracked in unclear)):
            raise ExecutorError("the answer about the queue cannot be read")
        accounts = self._commands.account(ids_to_account(missing)) if missing else None
        for tracked in unclear:
            row = listing.rows.get(tracked.job_id)
            tracked.listed(row)
            yield self._answer(tracked, row, tracked.row_in(accounts) or tracked.row_in(listing))

    def _answer(self, tracked: Tracked, row: Row | None, accounted: Row | None) -> Found:
        now = time.time()
        end = _end(tracked, row, accounted)
        if end:
            return end, None
        known = row or accounted
        if known is None and tracked.begun is None and tracked.intent.folder:
            if tracked.take_back():
                return returned(tracked.key, now), None
            _name(tracked, _begun(tracked).job_id)
        meaning = meaning_of(known.state) if known else None
        tracked.told_started = tracked.begun is not None or bool(
            meaning and meaning.phase is not Phase.PENDING
        )
        return _standing(tracked, now, known), tracked


def _begun(tracked: Tracked) -> Begun:
    """Return the record of a job that has just taken its ticket."""
    if tracked.begun is None:
        folder = tracked.intent.folder
        raise ExecutorError(
            f"nobody can tell whether {tracked.key.name} has begun: {folder} cannot be written"
        )
    return tracked.begun


def _end(tracked: Tracked, row: Row | None, accounted: Row | None) -> RunReport | None:
    """Return how it ended, if that is known."""
    asked = row is not None or accounted is not None
    facts = tracked.facts(row, asked, accounted, asked)
    report = judge(facts, time.time(), _ENDLESS).report
    return report if report and isinstance(report.report, Ended) else None


def _standing(tracked: Tracked, now: float, row: Row | None = None) -> RunReport:
    """Return that it has begun, or that the batch system has it."""
    if not tracked.told_started:
        return submitted(tracked.key, now, tracked.job_id)
    begun = tracked.begun
    at = (begun.at if begun else None) or (row.start if row else None) or now
    node = (begun.node if begun else "") or (row.node if row else "")
    return started(tracked.key, at, tracked.job_id, node)


def _name(tracked: Tracked, job_id: str) -> None:
    tracked.intent = tracked.intent._replace(job_id=job_id)
    tracked.name_output()
