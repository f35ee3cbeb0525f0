"""The local executor: jobs as processes of this machine, which outlive the engine.

Every job is a child of a keeper (see `segue.executors.keeper`), a process of its own that
lives on when the engine dies. An engine has one keeper that it starts and submits to, and
takes over those of dead engines, until their last job has ended.

This module owns the bookkeeping between the executor's contract and the keepers. What
keepers say is read in `local_protocol`, what dead ones left behind in `local_spool`.
"""

from __future__ import annotations

import os
import select
import time
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from segue.executors import local_link, local_protocol, local_spool
from segue.executors.keeper.journal import boot_id
from segue.executors.local_link import KeeperLink
from segue.model.errors import ExecutorError
from segue.protocols.executor import Capabilities, Job, JobKey, RunReport

#: How long `find` waits for the word of a living keeper.
ANSWER_LIMIT_S: Final = 10.0
#: So many stored ends are gathered before the keeper is woken to forget them.
_FORGET_TOGETHER: Final = 100


def open_local(
    state_dir: Path, *, slots: int | None = None, grace_s: float = 10.0
) -> LocalExecutor:
    """Return a local executor that keeps its spool under `state_dir`.

    Parameters
    ----------
    state_dir
        Where keepers have their folders; the same one finds jobs again after a crash.
    slots
        At most so many jobs at once; None: as many as this process may use processors.
    grace_s
        Seconds between TERM and KILL when a job is cancelled or timed out.
    """
    return LocalExecutor(state_dir, slots or len(os.sched_getaffinity(0)), grace_s)


class LocalExecutor:
    """Runs jobs on this machine; fulfils `segue.protocols.executor.Executor`."""

    name = "local"

    def __init__(self, state_dir: Path, slots: int, grace_s: float) -> None:
        self._node = os.uname().nodename
        # Resolved: processes carry its path, and other engines may know it by another.
        self._state_dir = state_dir.resolve()
        self._host_folder = self._state_dir / self._node
        self._slots = slots
        self._grace_s = grace_s
        # Enough that no slot idles while the engine commits to a slow disk.
        self._capabilities = Capabilities(
            slots, ahead=max(32, 2 * slots), pushes=True, bound_to_host=True
        )
        self._own: KeeperLink | None = None
        self._own_slots = slots
        self._links: dict[int, KeeperLink] = {}
        #: Folders of dead keepers, by the names of jobs whose ends we took from them.
        self._dead: dict[str, Path] = {}
        self._inbox: list[RunReport] = []
        self._questions = 0
        self._epoll = select.epoll()
        #: Readable while `_inbox` holds something.
        self._bell = os.eventfd(0, os.EFD_CLOEXEC | os.EFD_NONBLOCK)
        self._epoll.register(self._bell, select.EPOLLIN)

    @property
    def capabilities(self) -> Capabilities:
        """At most `slots` at once, some more ahead; it pushes."""
        return self._capabilities

    def prestart(self) -> None:
        """Start the keeper now, so that the first job need not wait for it.

        An error is not told here: `submit` will meet it again.
        """
        try:
            self._keeper()
        except OSError:
            return

    def submit(
        self, jobs: Sequence[Job], leases: Mapping[JobKey, float] | None = None
    ) -> Sequence[RunReport]:
        """Hand the jobs to the keeper; return the ends of those that need no process.

        `leases` are seconds after which a job is stopped unless `renew` says otherwise, even
        if we have died by then; a job without one lives as long as it likes.
        """
        now = time.time()
        known = []
        messages: list[list[Any]] = []
        keys = {}
        for job in jobs:
            answer = local_protocol.answer_at_once(job, now)
            if answer:
                known.append(answer)
            else:
                keys[job.key.name] = job.key
                messages.append(local_protocol.submit_message(job))
        if not messages:
            return known
        try:
            link = self._keeper()
        except OSError as error:
            text = f"cannot start the keeper of local jobs: {error}"
            return known + [local_protocol.unreachable(key, now, text) for key in keys.values()]
        link.jobs.update(keys)
        # In one line with the jobs, so that none is ever there without its lease.
        self._post(link, messages + _lease_messages(leases or {}, keys))
        return known

    def renew(self, leases: Mapping[JobKey, float]) -> None:
        """Let the jobs live for so many seconds more, counted from now."""
        for link in self._links.values():
            messages = _lease_messages(leases, link.jobs)
            if messages:
                self._post(link, messages)

    def poll(self, jobs: Mapping[JobKey, str]) -> Sequence[RunReport]:
        """Return what `collect` does: nobody needs to ask."""
        return self.collect()

    def cancel(self, jobs: Mapping[JobKey, str]) -> None:
        """Stop the jobs with all their processes: TERM, and KILL after the grace time."""
        for link in self._links.values():
            names = [key.name for key in jobs if key.name in link.jobs]
            if names:
                self._post(link, [["cancel", *names]])

    def recall(self) -> None:
        """Ask the keeper for what it has not begun."""
        if self._own and self._own.jobs:
            self._post(self._own, [["recall"]])

    def find(self, jobs: Mapping[JobKey, str]) -> Sequence[RunReport]:
        """Say of each job what became of it: living keepers know, or the journals of dead ones.

        Raises
        ------
        ExecutorError
            If a keeper lives and does not answer, or lives on another machine.
        """
        open_names = {key.name: key for key in jobs}
        answers: dict[str, RunReport] = {}

        def take(found: Mapping[str, RunReport]) -> None:
            for name, report in found.items():
                answers[name] = report
                del open_names[name]

        for link in self._reach_keepers():
            if open_names:
                take(self._ask(link, open_names))
        connected = {link.spool for link in self._links.values()}
        unsure = set()
        for spool in self._all_spools():
            if not open_names or spool in connected:
                continue
            facts = local_spool.read_facts(spool)
            concerned = {name: key for name, key in open_names.items() if name in facts.intents}
            if concerned and local_spool.is_held(spool):
                where = spool.parent.name
                hint = f"continue the run on {where}, or stop the keeper there"
                raise ExecutorError(f"jobs of this run are held by a keeper on {where}", hint)
            found = local_spool.settle(spool, facts, concerned, self._node)
            take(found)
            self._dead.update(dict.fromkeys(found, spool))
            if facts.boot and facts.boot != boot_id():
                unsure |= {key.run for key in open_names.values() if facts.knows_run(key.run)}
        if open_names:
            take(local_spool.settle_strays(self._state_dir, open_names))
        now = time.time()
        for name, key in open_names.items():
            # The end of a machine may have cost the journal its last lines.
            gone = "the machine was started anew, and what it wrote last may be missing"
            sure = key.run not in unsure
            report = (
                local_protocol.returned(key, now) if sure else local_protocol.lost(key, now, gone)
            )
            answers[name] = report
        self._share_slots()
        self._ring()
        return list(answers.values())

    def forget(self, jobs: Sequence[JobKey]) -> None:
        """Let the keepers drop what they kept of these jobs; told to them many at a time."""
        names = {key.name for key in jobs}
        for link in list(self._links.values()):
            link.forgotten += link.kept & names
            link.kept -= names
            if link is not self._own or len(link.forgotten) >= _FORGET_TOGETHER:
                self._tell_forgotten(link)
            self._leave_if_done(link)
        by_spool: dict[Path, list[str]] = {}
        for name in names & self._dead.keys():
            by_spool.setdefault(self._dead.pop(name), []).append(name)
        for spool, gone in by_spool.items():
            local_spool.forget(spool, gone)

    def fileno(self) -> int:
        """Return one descriptor that speaks for all keepers."""
        return self._epoll.fileno()

    def collect(self) -> Sequence[RunReport]:
        """Return what the keepers have said."""
        for descriptor, _ in self._epoll.poll(0):
            link = self._links.get(descriptor)
            if link:
                link.send()
                self._watch(link)
                self._take(link)
        reports, self._inbox = self._inbox, []
        self._ring()
        return reports

    def close(self) -> None:
        """Hang up; a keeper ends by itself when its last job has."""
        for link in self._links.values():
            self._tell_forgotten(link)
            link.close()
        self._links.clear()
        self._own = None
        self._epoll.close()
        os.close(self._bell)
        local_link.reap_keepers()

    # -- keepers ----------------------------------------------------------------------

    def _keeper(self) -> KeeperLink:
        """Return our own keeper; start it if there is none."""
        if self._own is None:
            local_spool.tidy(self._host_folder)
            self._own_slots = self._free_slots()
            self._own = local_link.start_keeper(self._host_folder, self._own_slots, self._grace_s)
            self._add(self._own)
        return self._own

    def _free_slots(self) -> int:
        taken = sum(len(link.jobs) for link in self._links.values() if link is not self._own)
        return max(0, self._slots - taken)

    def _share_slots(self) -> None:
        """Let our own keeper run so many that with the adopted ones it is `slots`."""
        free = self._free_slots()
        if self._own and free != self._own_slots:
            self._own_slots = free
            self._post(self._own, [["slots", free]])

    def _add(self, link: KeeperLink) -> None:
        self._links[link.fileno()] = link
        self._epoll.register(link.fileno(), select.EPOLLIN)

    def _remove(self, link: KeeperLink) -> None:
        del self._links[link.fileno()]
        self._epoll.unregister(link.fileno())
        link.close()
        if link is self._own:
            self._own = None

    def _post(self, link: KeeperLink, messages: Sequence[Sequence[Any]]) -> None:
        link.post(messages)
        self._watch(link)

    def _watch(self, link: KeeperLink) -> None:
        """Wake up also for room in the socket while something waits to be sent."""
        wanted = select.EPOLLIN | (select.EPOLLOUT if link.waits_to_send else 0)
        if wanted != link.watched:
            self._epoll.modify(link.fileno(), wanted)
            link.watched = wanted

    def _tell_forgotten(self, link: KeeperLink) -> None:
        if link.forgotten:
            self._post(link, [["forget", *link.forgotten]])
            link.forgotten.clear()

    def _leave_if_done(self, link: KeeperLink) -> None:
        """Hang up on an adopted keeper that has nothing more for us."""
        if link is not self._own and not link.jobs and not link.kept:
            self._remove(link)

    # -- what they say ----------------------------------------------------------------

    def _take(self, link: KeeperLink) -> None:
        for message in link.receive():
            self._take_message(link, message)
        if not link.open:
            self._bury(link)

    def _take_message(self, link: KeeperLink, message: list[Any]) -> None:
        report = self._report(link, message)
        if report:
            self._inbox.append(report)

    def _report(self, link: KeeperLink, message: list[Any]) -> RunReport | None:
        """Return the report in the message, unless it is none or the job has had its last."""
        verb, *rest = message
        if verb not in local_protocol.REPORTS or rest[0] not in link.jobs:
            return None
        name = rest[0]
        if verb in local_protocol.LAST:
            del link.jobs[name]
            if verb == "ended":
                link.kept.add(name)
            if link is not self._own:
                self._share_slots()
        return local_protocol.report_of(message, link.keeper, self._node)

    def _bury(self, link: KeeperLink) -> None:
        """A keeper has died: say of each of its jobs what its journal knows."""
        own = link is self._own
        self._remove(link)
        local_link.reap_keepers()
        local_spool.wait_until_free(link.spool)
        facts = local_spool.read_facts(link.spool)
        found = local_spool.settle(link.spool, facts, link.jobs, self._node)
        now = time.time()
        for name, key in link.jobs.items():
            if name in found:
                self._inbox.append(found[name])
            elif facts.boot or not own:
                self._inbox.append(local_protocol.returned(key, now))
            else:
                text = f"the keeper of local jobs did not start: {_log_of(link.spool)}"
                self._inbox.append(local_protocol.unreachable(key, now, text))
        self._dead.update(dict.fromkeys([*found, *link.kept], link.spool))
        if link.forgotten or not facts.remembered:
            local_spool.forget(link.spool, link.forgotten)
        self._share_slots()

    # -- finding ----------------------------------------------------------------------

    def _all_spools(self) -> Iterable[Path]:
        """Return the spool folders of all hosts; a machine may have had another name."""
        own = local_spool.spools_in(self._host_folder)
        others = [
            path for path in local_spool.spools_in(self._state_dir) if path != self._host_folder
        ]
        return own + [spool for other in others for spool in local_spool.spools_in(other)]

    def _reach_keepers(self) -> list[KeeperLink]:
        """Return connections to all living keepers of this machine, new ones included."""
        connected = {link.spool for link in self._links.values()}
        for spool in self._all_spools():
            if spool in connected or not local_spool.is_held(spool):
                continue
            link = local_link.connect(spool)
            if link:
                self._add(link)
            elif spool.parent == self._host_folder and not local_spool.wait_until_free(spool):
                raise ExecutorError(f"the keeper of {spool} lives and does not answer")
        return list(self._links.values())

    def _ask(self, link: KeeperLink, names: Mapping[str, JobKey]) -> dict[str, RunReport]:
        """Return what the keeper knows of these jobs; it reports on them to us from now on."""
        link.jobs.update(names)
        # Numbered: an earlier question may have been given up, and its answer still come.
        self._questions += 1
        last = ["adopted", self._questions]
        self._post(link, [["adopt", self._questions, *names]])
        answers: dict[str, RunReport] = {}
        until = time.monotonic() + ANSWER_LIMIT_S
        waiting = select.poll()
        waiting.register(link.fileno(), select.POLLIN)
        answered = False
        while not answered and link.open:
            if not waiting.poll(max(0.0, until - time.monotonic()) * 1000):
                raise ExecutorError(f"the keeper of {link.spool} does not answer")
            link.send()
            for message in link.receive():
                verb, name, *_ = message
                answered = answered or message == last
                if verb == "unknown":
                    link.jobs.pop(name, None)
                elif name in names and name not in answers:
                    report = self._report(link, message)
                    if report:
                        answers[name] = report
                else:
                    self._take_message(link, message)
        if not link.open:
            # Dead before it has told all: its journal answers, with the other dead ones.
            for name in names.keys() - answers.keys():
                link.jobs.pop(name, None)
            self._bury(link)
        else:
            self._watch(link)
            self._leave_if_done(link)
        return answers

    def _ring(self) -> None:
        """Make `fileno` readable exactly while the inbox holds something."""
        if self._inbox:
            os.eventfd_write(self._bell, 1)
            return
        try:
            os.eventfd_read(self._bell)
        except BlockingIOError:
            return


def _lease_messages(leases: Mapping[JobKey, float], known: Mapping[str, JobKey]) -> list[Any]:
    """Return what tells a keeper the leases of those jobs that it knows."""
    by_seconds: dict[float, list[str]] = {}
    for key, seconds in leases.items():
        if key.name in known:
            by_seconds.setdefault(seconds, []).append(key.name)
    return [["lease", seconds, *names] for seconds, names in by_seconds.items()]


def _log_of(spool: Path) -> str:
    """Return the end of what the keeper itself has printed."""
    try:
        return (spool / "log").read_text(errors="replace")[-500:].strip() or "it said nothing"
    except OSError:
        return "it said nothing"
