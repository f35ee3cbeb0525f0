"""The executor of batch systems: jobs that are submitted, watched, and found again.

This module owns the bookkeeping between the executor's contract and a batch system. How one
is spoken to is a `BatchSystem` (`slurm_commands`, `lsf`, `flux`); how jobs go out is in
`batch_outbox`, what is known of each in `batch_tracked`, and what that means for it in
`batch_judge`.

How a job is found again: its comment in the queue begins with ``<name>@<ticket>``, and before
it is submitted a journal on disk says which ticket is whose (`batch_journal`). Why none
runs twice: a job begins only by taking its ticket, and an engine that gives a submission
up takes the ticket first (`batch_records`).
"""

from __future__ import annotations

import logging
import time
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Final

from segue.executors import batch_files, batch_reports
from segue.executors.batch_answers import Listing, Row
from segue.executors.batch_bell import Bells
from segue.executors.batch_find import Finder
from segue.executors.batch_journal import Journal
from segue.executors.batch_judge import Verdict, judge
from segue.executors.batch_outbox import Handed, Outbox
from segue.executors.batch_request import OptionError
from segue.executors.batch_settings import Settings
from segue.executors.batch_states import meaning_of
from segue.executors.batch_system import BatchSystem
from segue.executors.batch_tracked import Tracked, ids_to_account, match_tickets
from segue.model.errors import ExecutorError
from segue.model.events import Ended, Returned, Started
from segue.model.states import Cause
from segue.protocols.executor import Capabilities, Job, JobKey, RunReport

log = logging.getLogger("segue.batch")

#: It is asked less often when nothing changes for long, but this often.
SLOWEST_POLL_S: Final = 15.0
#: The pause between two polls is a part of the time since something last changed.
_PART_OF_QUIET: Final = 1 / 20
#: When a job's end is known and its cause is not, the batch system is asked again after this.
_SOON_S: Final = 0.25
#: A job that is said to end just now is looked at this often, and for so long.
_HINT_LOOK_S: Final = 0.1
_HINTED_S: Final = 10.0
#: A job that lives on after a cancel is cancelled again.
_CANCEL_AGAIN_S: Final = 30.0


class BatchExecutor:
    """Runs jobs under a batch system; fulfils `segue.protocols.executor.Executor`.

    It must be asked (`poll`); `due_s` says when that is worth while.
    """

    def __init__(
        self, name: str, state_dir: Path, commands: BatchSystem, settings: Settings
    ) -> None:
        self.name = name
        self._state = state_dir.resolve()
        self._commands = commands
        self._settings = settings
        self._journal = Journal(self._state)
        self._bells = Bells()
        self._outbox = Outbox(commands, self._journal, arrays=settings.arrays)
        self._tracked: dict[JobKey, Tracked] = {}
        self._news: list[RunReport] = []
        self._soon_s = _SOON_S
        self._changed_at = time.monotonic()
        self._ask_at = 0.0
        self._warned: set[str] = set()
        #: Jobs that are said to end just now: until when that is believed, and the next look.
        self._hinted: dict[JobKey, float] = {}
        self._look_at = 0.0

    @property
    def capabilities(self) -> Capabilities:
        """As many as it takes; it must be polled."""
        return Capabilities(slots=None, poll_interval_s=self._settings.poll_s)

    def due_s(self) -> float:
        """Return in how many seconds a poll is worth while; cheap to ask."""
        if self._news or self._bells.rung():
            return 0.0
        now = time.monotonic()
        asking = self._ask_at - now if self._tracked else float("inf")
        looking = self._look_at - now if self._hinted else float("inf")
        return max(0.0, min(asking, looking, self._outbox.due_s()))

    def hint(self, jobs: Collection[JobKey]) -> None:
        """Somebody says that these jobs end just now: look at once, and for a while."""
        now = time.monotonic()
        self._hinted |= dict.fromkeys(self._tracked.keys() & set(jobs), now + _HINTED_S)
        self._look_at = now

    def submit(self, jobs: Sequence[Job]) -> Sequence[RunReport]:
        """Take the jobs in, and hand over the first of them; `poll` goes on with the rest."""
        requests = []
        for job in jobs:
            if job.key in self._tracked or self._outbox.holds(job.key):
                continue
            answer = batch_reports.answer_at_once(job, time.time(), self.name)
            if answer:
                self._news.append(answer)
                continue
            try:
                requests.append(self._commands.request_of(job))
            except OptionError as error:
                now = time.time()
                self._news.append(batch_reports.ended(job.key, now, Cause.REFUSED, str(error)))
        self._outbox.put(requests)
        self._send()
        return self._take_news()

    def poll(self, jobs: Mapping[JobKey, str]) -> Sequence[RunReport]:
        """Return what has changed; the batch system is asked only when it is time to.

        Raises
        ------
        ExecutorError
            If the batch system does not answer, and nothing else has changed.
        """
        self._hear_bells()
        self._follow_hints()
        self._send()
        if self._tracked and time.monotonic() >= self._ask_at:
            try:
                self._ask()
            except ExecutorError as error:
                # Asked again later; what is known by other ways is not held back.
                self._ask_at = time.monotonic() + self._interval_s()
                if not self._news:
                    raise
                log.warning("%s", error)
        return self._take_news()

    def cancel(self, jobs: Mapping[JobKey, str]) -> None:
        """Cancel the jobs, all in one call; what was not handed over yet ends here.

        Raises
        ------
        ExecutorError
            If the batch system cannot be reached; the cancel is tried again with the next polls.
        """
        now = time.time()
        for key in self._outbox.take_out(jobs):
            self._report(batch_reports.ended(key, now, Cause.CANCELLED))
        ids = []
        for key, job_id in jobs.items():
            tracked = self._tracked.get(key)
            if tracked is None:
                ids += [job_id] if job_id else []
                continue
            tracked.cancelled_at = time.monotonic()
            if not tracked.job_id and tracked.take_back():
                self._report(batch_reports.ended(key, now, Cause.CANCELLED))
            elif tracked.job_id:
                ids.append(tracked.job_id)
        self._ask_soon()
        if ids:
            try:
                self._commands.cancel(ids)
            except ExecutorError:
                for key in jobs.keys() & self._tracked.keys():
                    self._tracked[key].cancelled_at = 0.0
                raise

    def recall(self) -> None:
        """Give back what has not been handed over."""
        now = time.time()
        self._news += [batch_reports.returned(key, now) for key in self._outbox.clear()]

    def find(self, jobs: Mapping[JobKey, str]) -> Sequence[RunReport]:
        """Say of each job what became of it; follow from now on those that live.

        Raises
        ------
        ExecutorError
            If the batch system cannot be asked now, or its answer cannot be read.
        """
        reports = []
        finder = Finder(self._state, self._commands)
        for report, tracked in finder.find(jobs, self._tracked):
            reports.append(report)
            if tracked is not None:
                self._tracked[tracked.key] = tracked
                self._bells.watch(tracked.bell)
        self._ask_soon()
        return reports

    def forget(self, jobs: Sequence[JobKey]) -> None:
        """Drop what the journal knows of these jobs; the records stay in their folders."""
        self._journal.forget(key.name for key in jobs)

    def fileno(self) -> int:
        """Return -1: it does not tell by itself."""
        return -1

    def collect(self) -> Sequence[RunReport]:
        """Return what `poll` has not: nothing."""
        return []

    def close(self) -> None:
        """Let go; what was handed over goes on."""
        self._outbox.close()
        self._journal.close()

    # Out -----------------------------------------------------------------------------

    def _send(self) -> None:
        if self._outbox.due_s() > 0:
            return
        sent = self._outbox.send(others=bool(self._tracked))
        for report in sent.ends:
            self._report(report)
        for handed in sent.handed:
            self._follow(handed)

    def _follow(self, handed: Handed) -> None:
        request, intent = handed
        self._bells.watch(intent.bell)
        tracked = Tracked(request.job.key, intent, batch_files.program_of(request.job.action))
        if not self._tracked:
            self._changed_at = time.monotonic()
            self._ask_at = self._changed_at + self._settings.poll_s
        self._tracked[tracked.key] = tracked
        if intent.job_id:
            self._news.append(batch_reports.submitted(tracked.key, time.time(), intent.job_id))
        else:
            tracked.unsure_since = time.monotonic()
            self._ask_soon()

    # In ------------------------------------------------------------------------------

    def _hear_bells(self) -> None:
        """Look at the records of the jobs that have rung; ask only where they do not say all."""
        if not self._bells.rung():
            return
        by_name = {key.name: key for key in self._tracked}
        for name in self._bells.names() & by_name.keys():
            self._look_at_records(self._tracked[by_name[name]])

    def _look_at_records(self, tracked: Tracked) -> None:
        tracked.read_records()
        self._learn_id(tracked, tracked.begun.job_id if tracked.begun else "")
        self._carry_out(tracked, self._judge(tracked, None, asked=False))

    def _follow_hints(self) -> None:
        """Look at the jobs that are said to end just now, as long as they have not."""
        now = time.monotonic()
        if not self._hinted or now < self._look_at:
            return
        self._look_at = now + _HINT_LOOK_S
        for key, until in list(self._hinted.items()):
            tracked = self._tracked.get(key)
            if tracked is None or now > until:
                del self._hinted[key]
            elif not tracked.intent.folder:
                # It leaves no records: only the batch system can say.
                self._ask_soon()
            elif tracked.exit is None:
                self._look_at_records(tracked)

    def _ask(self) -> None:
        """Ask the queue once, and the accounts once for what it does not know."""
        unnamed = [tracked for tracked in self._tracked.values() if not tracked.job_id]
        ids = [] if unnamed else [tracked.job_id for tracked in self._tracked.values()]
        listing = self._commands.list_jobs(ids)
        self._warn_of(listing)
        for tracked, job_id in match_tickets(unnamed, listing.rows.values()):
            self._learn_id(tracked, job_id)
        asks_again = False
        missing: list[Tracked] = []
        for tracked in list(self._tracked.values()):
            row = listing.rows.get(tracked.job_id)
            if row is None and listing.unreadable:
                continue  # its line may be one of those
            tracked.listed(row)
            if not tracked.job_id:
                self._look_for(tracked)
                continue
            verdict = self._judge(tracked, row, asked=True)
            if verdict.ask_accounts:
                missing.append(tracked)
            else:
                asks_again |= self._carry_out(tracked, verdict)
                self._tell_why_it_waits(tracked, row)
                self._cancel_again(tracked)
        if missing:
            asks_again |= self._ask_accounts(missing, listing)
        self._schedule(asks_again)

    def _tell_why_it_waits(self, tracked: Tracked, row: Row | None) -> None:
        if row is None or tracked.told_started or tracked.cancelled_at is not None:
            return
        if tracked.key not in self._tracked:
            return  # it has ended meanwhile
        after_s, every_s = self._settings.tell_after_s, self._settings.tell_every_s
        reason = tracked.waiting.news(row, time.monotonic(), after_s, every_s)
        if reason:
            # Not by `_report`: nothing has changed for which it should be asked more often.
            self._news.append(batch_reports.queued(tracked.key, time.time(), reason))

    def _ask_accounts(self, missing: Sequence[Tracked], listing: Listing) -> bool:
        try:
            accounts = self._commands.account(ids_to_account(missing))
        except ExecutorError as error:
            log.warning("%s", error)
            return False
        if accounts:
            self._warn_of(accounts)
        asks_again = False
        for tracked in missing:
            row = tracked.row_in(accounts) or tracked.row_in(listing)
            if row is None and accounts and accounts.unreadable:
                continue
            verdict = self._judge(tracked, None, asked=True, accounted=row, asked_accounts=True)
            asks_again |= self._carry_out(tracked, verdict)
        return asks_again

    def _judge(
        self,
        tracked: Tracked,
        row: Row | None,
        *,
        asked: bool,
        accounted: Row | None = None,
        asked_accounts: bool = False,
    ) -> Verdict:
        facts = tracked.facts(row, asked, accounted, asked_accounts)
        return judge(facts, time.time(), self._settings.patience)

    def _carry_out(self, tracked: Tracked, verdict: Verdict) -> bool:
        """Do what a verdict says; return whether it is to be asked again soon."""
        if verdict.report:
            self._report(verdict.report)
        if verdict.take_back and tracked.take_back():
            self._report(batch_reports.ended(tracked.key, time.time(), Cause.CANCELLED))
            return False
        if verdict.lost:
            self._lose(tracked)
        if verdict.ask:
            self._ask_soon()
        return verdict.ask

    def _look_for(self, tracked: Tracked) -> None:
        """Nobody knows whether the job is out there: when it stays unknown, take it back."""
        if time.monotonic() - tracked.unsure_since <= self._settings.unsure_s:
            self._ask_soon()
            return
        if not tracked.intent.folder:
            # Nothing of ours keeps a second one from running, so there is none.
            text = (
                f"the site's program has said no job id, and {self.name} knows no such job; "
                "look at the queue before it is run again"
            )
            self._report(batch_reports.ended(tracked.key, time.time(), Cause.REFUSED, text))
        elif tracked.take_back():
            text = f"the submission was not answered, and {self.name} does not know the job"
            now = time.time()
            self._report(batch_reports.ended(tracked.key, now, Cause.UNREACHABLE, text))
        else:
            self._learn_id(tracked, tracked.begun.job_id if tracked.begun else "")
            if not tracked.job_id and tracked.exit:
                # It has ended, and nobody can ever be asked about it.
                verdict = self._judge(tracked, None, asked=True, asked_accounts=True)
                self._carry_out(tracked, verdict)

    def _learn_id(self, tracked: Tracked, job_id: str) -> None:
        if tracked.job_id or not job_id:
            return
        tracked.intent = tracked.intent._replace(job_id=job_id)
        self._journal.name({tracked.key.name: job_id})
        tracked.name_output()
        self._report(batch_reports.submitted(tracked.key, time.time(), job_id))

    def _lose(self, tracked: Tracked) -> None:
        """Stop whatever may be left of a job, then call it lost."""
        tracked.take_back()
        try:
            self._commands.cancel([tracked.job_id])
        except ExecutorError as error:
            log.warning("%s", error)
            return
        text = (
            f"neither the queue nor the accounts of {self.name} know job {tracked.job_id}, "
            "and it has left no exit record"
        )
        now = time.time()
        started_at = tracked.begun.at if tracked.begun else None
        self._report(
            batch_reports.ended(
                tracked.key, now, Cause.LOST, text, started_at=started_at, job_id=tracked.job_id
            )
        )

    def _cancel_again(self, tracked: Tracked) -> None:
        if tracked.key not in self._tracked or tracked.cancelled_at is None:
            return
        if time.monotonic() - tracked.cancelled_at > _CANCEL_AGAIN_S:
            tracked.cancelled_at = time.monotonic()
            self._commands.cancel([tracked.job_id])

    def _report(self, report: RunReport) -> None:
        """Put a report among the news, and keep the books by it."""
        key = JobKey(report.run, report.report.task, report.report.attempt)
        self._news.append(report)
        self._changed_at = time.monotonic()
        tracked = self._tracked.get(key)
        if isinstance(report.report, Started) and tracked:
            tracked.told_started = True
        elif isinstance(report.report, Ended | Returned):
            self._tracked.pop(key, None)
            self._outbox.release()

    def _take_news(self) -> Sequence[RunReport]:
        news, self._news = self._news, []
        return news

    # When ----------------------------------------------------------------------------

    def _interval_s(self) -> float:
        quiet_s = time.monotonic() - self._changed_at
        poll_s = self._settings.poll_s
        return min(max(poll_s, quiet_s * _PART_OF_QUIET), max(poll_s, SLOWEST_POLL_S))

    def _schedule(self, soon: bool) -> None:
        now = time.monotonic()
        if soon:
            self._ask_at = now + min(self._soon_s, self._settings.poll_s)
            # A job may take minutes to complete; nobody is helped by hundreds of questions.
            self._soon_s = min(self._soon_s * 1.5, SLOWEST_POLL_S)
        else:
            self._soon_s = _SOON_S
            self._ask_at = now + self._interval_s()

    def _ask_soon(self) -> None:
        self._ask_at = min(self._ask_at, time.monotonic() + min(_SOON_S, self._settings.poll_s))

    def _warn_of(self, listing: Listing) -> None:
        for line in listing.unreadable:
            self._warn_once("a line of what %s answers cannot be read: %r", line[:200])
        for row in listing.rows.values():
            if meaning_of(row.state) is None:
                self._warn_once("%s has a state that we do not know: %s", row.state)

    def _warn_once(self, text: str, value: str) -> None:
        if value not in self._warned and len(self._warned) < 1000:
            self._warned.add(value)
            log.warning(text, self.name, value)
