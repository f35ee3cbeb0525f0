"""The runner executor: jobs on other machines, where `segue runner` waits for them.

This module keeps the books of an engine's jobs: which wait in line, which runner has which,
what was told of them. The line and the choice of a runner are `runner_line` and
`runner_placement`; who speaks to a runner is `runner_link`; the contract of both sides is
`segue.protocols.runner`.

It pushes its events: each runner has threads of its own that wait for news, so the end of a
job is heard at once, and a slow runner holds nobody up. All books are kept in the engine's
thread, in `collect`, without locks.

Why no job runs twice: a runner is written down before it is given a job (`runner_journal`);
a job whose answer was lost stays with that runner until it has said no; and a runner that
is silent counts as dead only when what it had can live no longer (leases).
"""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final

from segue.executors import batch_reports, runner_settings
from segue.executors.batch_files import job_environment
from segue.executors.runner_farm import Farm
from segue.executors.runner_find import Answer, Finder
from segue.executors.runner_held import Held
from segue.executors.runner_journal import Journal, owner_of
from segue.executors.runner_line import Line
from segue.executors.runner_link import RunnerLink
from segue.executors.runner_news import (
    Acknowledged,
    Failed,
    Fetched,
    Given,
    Heard,
    News,
    NotGiven,
    Silent,
    Unknown,
    Word,
)
from segue.executors.runner_output import Wanted
from segue.executors.runner_over import Over
from segue.executors.runner_placement import Room, in_words, largest
from segue.model.events import Ended, Started, Submitted
from segue.model.pools import RunnerSettings
from segue.model.states import Cause
from segue.protocols.executor import Capabilities, Job, JobKey, RunReport
from segue.protocols.runner import (
    ENDED,
    RETURNED,
    RUNNING,
    STOPPED_WITHIN_S,
    TAKEN,
    Order,
    Told,
    needs_of,
)
from segue.protocols.runners_shown import RunnersShown

log = logging.getLogger("segue.runner")

#: The end of a job waits so long for output that a silent runner still has, in seconds.
OUTPUT_PATIENCE_S: Final = 60.0


def open_runner(state_dir: Path, settings: RunnerSettings | None = None) -> RunnerExecutor:
    """Return an executor that gives jobs to runners; it keeps its journal under `state_dir`.

    Without `settings` the environment names the runners.

    Raises
    ------
    UserError
        If no runners are named, their token cannot be read.
    """
    return RunnerExecutor(state_dir, settings or runner_settings.settings_of(os.environ))


class RunnerExecutor:
    """Gives jobs to runners; fulfils `segue.protocols.executor.Executor` and `ShowsRunners`."""

    name = "runner"

    def __init__(
        self, state_dir: Path, settings: RunnerSettings, *, margin_s: float = STOPPED_WITHIN_S
    ) -> None:
        self._settings = settings
        self._margin_s = margin_s
        self._owner = owner_of(state_dir)
        self._journal = Journal(state_dir)
        self._line = Line()
        self._held: dict[str, Held] = {}
        #: Those of them that a runner has, or is being given: few, however long the line is.
        self._out: dict[str, Held] = {}
        self._over = Over(self._journal)
        #: Jobs that were given back and may yet reach a runner: it is asked first.
        self._first_to: dict[str, RunnerLink] = {}
        self._returned_at: dict[str, float] = {}
        self._reports: list[RunReport] = []
        token = runner_settings.token_of(settings)
        self._farm = Farm(settings, token, self._journal, self._owner)

    # The contract -------------------------------------------------------------------------

    @property
    def capabilities(self) -> Capabilities:
        """As many as are submitted: what finds no room waits here, in line."""
        return Capabilities(slots=None, pushes=True)

    def submit(self, jobs: Sequence[Job]) -> Sequence[RunReport]:
        """Put the jobs in line, and give out what there is room for."""
        news = [job for job in jobs if job.key.name not in self._held]
        lined = [job for job in news if not self._answer_at_once(job)]
        self._journal.line(job.key.name for job in lined)
        for job in lined:
            self._take_in(job)
        self._place()
        self._tell_waiting(lined)
        return self._take_reports()

    def poll(self, jobs: Mapping[JobKey, str]) -> Sequence[RunReport]:
        """Return nothing: it tells by itself."""
        return []

    def cancel(self, jobs: Mapping[JobKey, str]) -> None:
        """Stop the jobs; those that no runner has end here."""
        for key in jobs:
            held = self._held.get(key.name)
            if held is None:
                continue
            held.cancelling = True
            if held.link is None or held.link.withdraw([key.name]):
                self._end(held, Cause.CANCELLED)
            elif held.known and held.end is None:
                held.link.stop(key.name)
        self._place()
        self._ring()

    def recall(self) -> None:
        """Give back what no runner has been offered."""
        for name, held in list(self._held.items()):
            if held.link is None or held.link.withdraw([name]):
                self._return(held)
        self._ring()

    def find(self, jobs: Mapping[JobKey, str]) -> Sequence[RunReport]:
        """Say of each job what became of it; follow from now on those that live.

        Raises
        ------
        ExecutorError
            If a runner that may have one of them does not answer now.
        """
        known = {key: report for key in jobs if (report := self._standing(key.name))}
        finder = Finder(self._journal.read(), self._farm.link, self._margin_s)
        open_ones = {key: job_id for key, job_id in jobs.items() if key not in known}
        for answer in finder.find(open_ones, self._settings):
            known[answer.key] = self._adopt(answer)
        self._ring()
        return [known[key] for key in jobs]

    def forget(self, jobs: Sequence[JobKey]) -> None:
        """Let the runners forget the jobs too, now or when they answer again."""
        self._over.store(jobs)

    def fileno(self) -> int:
        """Return a descriptor that is readable when there is news."""
        return self._farm.fileno()

    def collect(self) -> Sequence[RunReport]:
        """Take in what the runners have said, and give out what there is room for now."""
        for link, news in self._farm.news():
            self._take_news(link, news)
        self._give_up_dead()
        self._place()
        return self._take_reports()

    def close(self) -> None:
        """Let go; what runs goes on as long as its lease."""
        self._farm.hang_up()
        for _, news in self._farm.news():
            if isinstance(news, Acknowledged):
                self._over.forget(news.names, self._held)
        self._farm.close()
        self._journal.close()

    def runners(self) -> RunnersShown:
        """Return what is known of the runners; in any thread."""
        return self._farm.shown(len(self._line))

    # Out ----------------------------------------------------------------------------------

    def _answer_at_once(self, job: Job) -> bool:
        """Tell the end of a job that needs no runner."""
        report = batch_reports.answer_at_once(job, time.time(), self.name)
        if report is not None:
            self._reports.append(report)
        return report is not None

    def _tell_waiting(self, jobs: Sequence[Job]) -> None:
        """Say of those that have found no room that they are here: it may take long."""
        now = time.time()
        for job in jobs:
            if job.key in self._line:
                self._held[job.key.name].told = Submitted
                self._reports.append(batch_reports.submitted(job.key, now, ""))

    def _take_in(self, job: Job) -> None:
        name = job.key.name
        held = Held(job.key, needs_of(job.resources), job.folder, self._settings.lease_s, job)
        self._held[name] = held
        first_to = self._first_to.pop(name, None)
        if first_to is not None:
            self._give(held, first_to)
        else:
            self._line.put(job.key, held.needs)

    def _place(self) -> None:
        """Give out what there is room for; end what there never will be room for."""
        if not self._line:
            return
        rooms = self._farm.rooms()
        while placed := self._line.next(list(rooms.values())):
            link = self._farm.link(placed.runner)
            self._give(self._held[placed.key.name], link)
            rooms[placed.runner] = self._farm.account(link).room()
        known = self._farm.all_rooms()
        if known is not None:
            self._refuse_too_large(known)

    def _give(self, held: Held, link: RunnerLink) -> None:
        assert held.job is not None, "only what was submitted here waits in line"
        held.link = link
        self._out[held.key.name] = held
        self._farm.account(link).give(held.key.name, held.needs)
        job = replace(held.job, environment=job_environment(held.job))
        link.give(Order(self._owner, held.lease_s, held.needs, job))

    def _refuse_too_large(self, rooms: Sequence[Room]) -> None:
        for needs, keys in self._line.never_fitting(rooms):
            best = largest(needs, rooms)
            has = f"the largest, {best.name}, has {in_words(best.total)}" if best else "none"
            text = f"it asks for {in_words(needs)}, and no runner has so much: {has}"
            for key in keys:
                self._end(self._held[key.name], Cause.REFUSED, text)

    # In: what runners say -----------------------------------------------------------------

    def _take_news(self, link: RunnerLink, news: News) -> None:
        if isinstance(news, Heard):
            self._heard(link, news)
        elif isinstance(news, Acknowledged):
            self._over.forget(news.names, self._held)
        elif not isinstance(news, Silent):
            held = self._held.get(news.name)
            if held is not None and held.link is link:
                self._take_word(held, link, news)

    def _take_word(self, held: Held, link: RunnerLink, news: Word) -> None:
        match news:
            case Given():
                self._was_given(held, link)
            case NotGiven(full=full):
                self._was_not_given(held, link, full)
            case Failed(cause=cause, message=message):
                self._end(held, cause, message)
            case Unknown():
                self._is_unknown(held, link)
            case Fetched(trouble=trouble) if held.end is not None:
                self._finish(held, f"its output is not whole: {trouble}" if trouble else "")

    def _heard(self, link: RunnerLink, news: Heard) -> None:
        account = self._farm.account(link)
        account.hear(news.changes.capacity)
        for told in news.changes.tasks:
            held = self._held.get(told.name)
            if held is not None and held.link is link:
                account.seen(told.name)
                self._take_told(held, link, told)
            elif held is None:
                self._over.hear(link, told)
        if news.listing:
            self._over.hear_all(link, {told.name for told in news.changes.tasks}, self._held)

    def _take_told(self, held: Held, link: RunnerLink, told: Told) -> None:
        if held.end is not None or self._returned_at.get(told.name) == told.at:
            return
        if held.cancelling and told.state in (TAKEN, RUNNING):
            # Said again with each listing: the runner may have died over the first word.
            link.stop(told.name)
        held.known = True
        if told.state == RETURNED:
            # What is told of that again is no news about the next job of this name.
            self._returned_at[told.name] = told.at
            self._return(held)
        elif told.state == ENDED:
            self._begin_end(held, link, told)
        else:
            self._tell_state(held, link, told)
            printed = (told.stdout_bytes, told.stderr_bytes)
            if held.folder and printed != held.printed:
                held.printed = printed
                link.fetch(Wanted(told.name, held.folder, *printed))

    def _tell_state(self, held: Held, link: RunnerLink, told: Told) -> None:
        job_id = told.job_id or told.name
        if told.state == RUNNING and held.told is not Started:
            held.told = Started
            at = told.started_at or told.at
            node = link.capacity.hostname if link.capacity else ""
            self._reports.append(batch_reports.started(held.key, at, job_id, node))
        elif told.state == TAKEN and held.told is None:
            held.told = Submitted
            self._reports.append(batch_reports.submitted(held.key, told.at, job_id))

    def _begin_end(self, held: Held, link: RunnerLink, told: Told) -> None:
        """It has ended; that is told when its output is here."""
        held.end = told
        self._farm.account(link).release(told.name)
        if told.started_at is not None and held.told is not Started:
            self._tell_state(held, link, replace(told, state=RUNNING))
        wanted = Wanted(told.name, held.folder, told.stdout_bytes, told.stderr_bytes, final=True)
        if not held.folder and (told.stdout_bytes or told.stderr_bytes):
            self._finish(held, f"its output stays on {link.url}: its folder is not known here")
        elif next(wanted.missing(), None):
            link.fetch(wanted)
        else:
            self._finish(held)

    def _was_given(self, held: Held, link: RunnerLink) -> None:
        held.known = True
        if held.cancelling and held.end is None:
            link.stop(held.key.name)

    def _was_not_given(self, held: Held, link: RunnerLink, full: bool) -> None:
        account = self._farm.account(link)
        account.release(held.key.name)
        account.full = account.full or full
        held.link = None
        del self._out[held.key.name]
        if held.cancelling:
            self._end(held, Cause.CANCELLED)
        else:
            self._line.put(held.key, held.needs, first=True)

    def _is_unknown(self, held: Held, link: RunnerLink) -> None:
        if held.end is not None:
            return
        if held.known:
            self._end(held, Cause.LOST, f"the runner {link.url} answers and does not know it")
        else:
            self._return(held)

    def _give_up_dead(self) -> None:
        """End what silent runners had, as soon as nothing of it can live."""
        now = time.monotonic()
        silent = self._farm.silent()
        if not silent:
            return
        for held in list(self._out.values()):
            link = held.link
            if link is None or link not in silent:
                continue
            if held.end is not None:
                if now > link.answered_at + min(OUTPUT_PATIENCE_S, held.lease_s + self._margin_s):
                    text = f"its output is not whole: {link.url} does not answer ({link.said})"
                    self._finish(held, text)
            elif now > link.asked_at + held.lease_s + self._margin_s:
                quiet_s = now - link.answered_at
                text = f"the runner {link.url} has not answered for {quiet_s:.0f} s ({link.said})"
                self._end(held, Cause.NODE_FAILURE, text)

    # Ends ---------------------------------------------------------------------------------

    def _finish(self, held: Held, remark: str = "") -> None:
        """Tell the end that the runner has told."""
        assert held.end is not None
        assert held.end.end is not None
        end = held.end.end
        if remark:
            end = end._replace(message=f"{end.message}; {remark}" if end.message else remark)
        self._tell_end(held, RunReport(held.key.run, end))

    def _end(self, held: Held, cause: Cause, message: str = "") -> None:
        """Tell an end that no runner has told."""
        self._tell_end(held, batch_reports.ended(held.key, time.time(), cause, message))

    def _tell_end(self, held: Held, report: RunReport) -> None:
        link = self._leave(held)
        assert isinstance(report.report, Ended)
        self._returned_at.pop(held.key.name, None)
        self._over.tell(held.key.name, link, report)
        self._reports.append(report)

    def _return(self, held: Held) -> None:
        """Give a job back that has not begun and never will."""
        name = held.key.name
        link = self._leave(held)
        if link is not None and held.known:
            link.acknowledge([name])
        self._journal.gone([name])
        self._reports.append(batch_reports.returned(held.key, time.time()))

    def _leave(self, held: Held) -> RunnerLink | None:
        """Strike a job off the books; return the runner that may know it."""
        name = held.key.name
        del self._held[name]
        if held.link is None:
            self._line.take_out([held.key])
            return None
        del self._out[name]
        held.link.drop(name)
        self._farm.account(held.link).release(name)
        return held.link

    # Finding ------------------------------------------------------------------------------

    def _standing(self, name: str) -> RunReport | None:
        """Return what is known here of a job; None: nothing."""
        held = self._held.get(name)
        if held is None:
            return self._over.report_of(name)
        if held.told is Started:
            return batch_reports.started(held.key, time.time(), name, "")
        return batch_reports.submitted(held.key, time.time(), name)

    def _adopt(self, answer: Answer) -> RunReport:
        """Take over what was found, and return the one report of it."""
        name, link, told = answer.key.name, answer.link, answer.told
        if answer.report is not None:
            if isinstance(answer.report.report, Ended):
                self._over.tell(name, link, answer.report)
            else:
                self._journal.gone([name])
                if link is not None:
                    self._first_to[name] = link
            return answer.report
        assert link is not None
        held = Held(answer.key, answer.needs, answer.folder, answer.lease_s, link=link)
        held.known = answer.known
        self._held[name] = self._out[name] = held
        self._farm.account(link).give(name, held.needs)
        link.expect(name)
        if told is None:
            held.told = Submitted
            return batch_reports.submitted(held.key, time.time(), answer.job_id)
        self._farm.account(link).seen(name)
        before = len(self._reports)
        self._take_told(held, link, told)
        return self._first_of(held, before)

    def _first_of(self, held: Held, before: int) -> RunReport:
        """Return the last report since then as the answer; what came before it is implied."""
        if len(self._reports) > before:
            report = self._reports[-1]
            del self._reports[before:]
            return report
        held.told = Submitted
        return batch_reports.submitted(held.key, time.time(), held.key.name)

    # Help ---------------------------------------------------------------------------------

    def _take_reports(self) -> Sequence[RunReport]:
        reports, self._reports = self._reports, []
        return reports

    def _ring(self) -> None:
        if self._reports:
            self._farm.ring()
