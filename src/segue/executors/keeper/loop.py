"""The keeper's loop: one turn for all that has happened, one write, one send."""

import os
import select
import signal
import socket
import time
from collections import deque

from segue.executors.keeper import processes
from segue.executors.keeper.children import (
    UNREACHABLE,
    Job,
    StartError,
    encode_environment,
    start,
)
from segue.executors.keeper.journal import Journal
from segue.executors.keeper.link import Link

#: A start, or a wait for a slot, is told only when it has lasted so long. Jobs of a few
#: milliseconds then cost the engine one message each.
TELL_AFTER_S = 0.02
#: What a machine that goes down sends to all that runs on it.
SHUTDOWN_SIGNALS = (signal.SIGHUP, signal.SIGTERM, signal.SIGKILL)
#: Pause before the journal is tried again after an error.
JOURNAL_RETRY_S = 1.0
#: The kernel refuses to wait for more than 2**31 ms; by then there is another turn.
LONGEST_WAIT_S = 24 * 3600.0
#: Why a job ends whose lease is over.
FORSAKEN = "nobody has asked for it for too long: its engine is gone, or cut off from here"
#: A journal without any job that matters is emptied when it is larger than this.
JOURNAL_KEPT_BYTES = 4 << 20


class Keeper:
    """Runs jobs, at most `slots` at once, in the order of their submission."""

    def __init__(self, spool: str, listener: socket.socket, slots: int, grace_s: float) -> None:
        self.journal = Journal(f"{spool}/journal")
        self.socket_path = f"{spool}/socket"
        self.keeper = os.path.basename(spool)
        self._spool = os.fsencode(spool)
        self.listener = listener
        self.slots = slots
        self.grace_s = grace_s
        self.draining = False
        self.links: dict[int, Link] = {}
        self.queue: deque[Job] = deque()
        self.running: dict[int, Job] = {}
        #: All jobs that are queued or running, by name.
        self.jobs: dict[str, Job] = {}
        #: The `ended` messages of jobs that no engine has told us to forget.
        self.ended: dict[str, list[object]] = {}
        #: Names that we said we do not have, with the connection that asked. A late
        #: submission by another, which was given up for dead, must not start them.
        self.given_back: dict[str, Link] = {}
        #: When a job ends that somebody must ask for now and then, by name (boot time: a
        #: machine that sleeps is missed by its engine all the while).
        self.leases: dict[str, float] = {}
        #: When each job began to wait, or to run, without the engine being told.
        self._untold: deque[tuple[float, Job]] = deque()
        self._watched: dict[int, Job] = {}
        self._journal_at: float | None = None
        self._journal_error: OSError | None = None
        self._poll = select.poll()
        self._wake, self._wake_end = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
        self._poll.register(self._wake, select.POLLIN)
        self._poll.register(listener, select.POLLIN)
        self._base = encode_environment(dict(os.environ))

    def run(self) -> None:
        """Work until no engine is connected and nothing runs or waits."""
        signal.set_wakeup_fd(self._wake_end, warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda number, frame: None)
        signal.signal(signal.SIGTERM, self._drain)
        # The engine that started us has connected before we existed.
        self._accept()
        self._serve()
        os.unlink(self.socket_path)
        # Somebody may have come in that moment.
        self._accept()
        self._serve()

    def _serve(self) -> None:
        while self.links or self.jobs or self.journal.pending:
            self._turn(self._poll.poll(self._wait_ms()))
            if not self.links:
                self._accept()

    def _drain(self, number: int, frame: object) -> None:
        """Start no more: somebody ends this machine or this session."""
        self.draining = True

    def _wait_ms(self) -> float | None:
        times = [] if self._journal_at is None else [self._journal_at]
        while self._untold and self._untold[0][1].told == "ended":
            self._untold.popleft()
        if self._untold:
            times.append(self._untold[0][0] + TELL_AFTER_S)
        for job in self.running.values():
            at = job.kill_at if job.stop_cause else job.deadline
            if at is not None:
                times.append(at)
        waits = [min(times) - time.monotonic()] if times else []
        if self.leases:
            waits.append(min(self.leases.values()) - _boot_time())
        return min(max(0.0, min(waits)), LONGEST_WAIT_S) * 1000 + 1 if waits else None

    def _turn(self, events: list[tuple[int, int]]) -> None:
        accept = False
        for descriptor, _ in events:
            if descriptor == self._wake:
                os.read(self._wake, 4096)
            elif descriptor == self.listener.fileno():
                accept = True
            elif descriptor in self._watched:
                self._left(descriptor)
            elif descriptor in self.links:
                self._read(self.links[descriptor])
        self._reap()
        if accept:
            self._accept()
        self._keep_times()
        if self.draining:
            for job in list(self.queue):
                self._give_back(job)
        self._flush()
        while self.queue and len(self.running) < self.slots:
            self._fill()
        self._tell()
        for link in list(self.links.values()):
            self._send(link)
        if not self.jobs:
            self._rest()

    # -- what the engines say ---------------------------------------------------------

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            link = Link(connection, self._base)
            self.links[link.fileno()] = link
            self._poll.register(connection, select.POLLIN)

    def _read(self, link: Link) -> None:
        for verb, *arguments in link.receive():
            answer = getattr(self, f"_on_{verb}", None)
            if answer:  # an engine of a later version may know more words
                answer(link, *arguments)
        if not link.open and link.fileno() in self.links:
            self._poll.unregister(link.connection)
            del self.links[link.fileno()]
            link.connection.close()
            for job in self.jobs.values():
                if job.owner is link:
                    job.owner = None

    def _on_submit(self, link: Link, *fields: object) -> None:
        job = Job(list(fields), link, link.environment)
        known = job.name in self.jobs or job.name in self.ended
        if known or self.given_back.get(job.name, link) is not link:
            return
        self.jobs[job.name] = job
        self.queue.append(job)
        self._untold.append((time.monotonic(), job))

    def _on_cancel(self, link: Link, *names: str) -> None:
        for name in names:
            job = self.jobs.get(name)
            if job is None:
                continue
            if job.pid:
                self._stop(job, "cancelled")
            else:
                self.queue.remove(job)
                self._end(job, "cancelled")

    def _on_recall(self, link: Link) -> None:
        for job in list(self.queue):
            if job.owner is link:
                self._give_back(job)

    def _on_adopt(self, link: Link, question: int, *names: str) -> None:
        # What an engine sent before it died comes before what its heir asks.
        for other in list(self.links.values()):
            if other is not link:
                self._read(other)
        self._reap()
        for name in names:
            job = self.jobs.get(name)
            if name in self.ended:
                link.news.append(self.ended[name])
            elif job is None:
                link.news.append(["unknown", name])
                self.given_back[name] = link
            elif job.pid:
                job.owner = link
                job.told = "started"
                link.news.append(["started", name, job.started_at, job.pid])
            else:
                # The heir gives it out again: its own keeper knows the right order.
                job.owner = link
                self._give_back(job)
                self.given_back[name] = link
        link.news.append(["adopted", question])

    def _on_slots(self, link: Link, slots: int) -> None:
        self.slots = slots

    def _on_forget(self, link: Link, *names: str) -> None:
        known = [name for name in names if self.ended.pop(name, None)]
        if known:
            self.journal.add("forget", *known)

    def _on_lease(self, link: Link, seconds: float, *names: str) -> None:
        until = _boot_time() + seconds
        self.leases.update((name, until) for name in names if name in self.jobs)

    # -- what becomes of the jobs -----------------------------------------------------

    def _fill(self) -> None:
        """Start as many jobs as there is room for; their intent is written first."""
        room = min(self.slots - len(self.running), len(self.queue))
        batch = [self.queue.popleft() for _ in range(room)]
        now = time.time()
        for job in batch:
            self.journal.add("intent", job.name, now)
        self._flush()
        crash("after intent")
        for job in batch:
            self._start(job)
        self._flush()

    def _start(self, job: Job) -> None:
        if self._journal_error is not None:
            reason = self._journal_error.strerror
            message = f"cannot write {self.journal.path}: {reason}"
            self._end(job, UNREACHABLE, message=message)
            return
        try:
            job.window = start(job, self._spool)
        except StartError as error:
            self._end(job, error.cause, message=error.message)
            return
        crash("after spawn")
        self.running[job.pid] = job
        self.journal.add("start", job.name, job.started_at, job.pid, *job.window)
        if job.timeout_s is not None:
            job.deadline = time.monotonic() + job.timeout_s
        if job.told:
            self._untold.append((time.monotonic(), job))

    def _reap(self) -> None:
        while self.running:
            try:
                pid, status, usage = os.wait4(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if not pid:
                return
            crash("after reap")
            job = self.running.get(pid)
            if job is None:
                continue
            job.result = (status, usage.ru_utime + usage.ru_stime, usage.ru_maxrss * 1024)
            if job.stop_cause:
                self._wait_for_leavers(job)
            else:
                self._finish(job)

    def _finish(self, job: Job, message: str = "") -> None:
        assert job.result is not None
        del self.running[job.pid]
        code = os.waitstatus_to_exitcode(job.result[0])
        cause = job.stop_cause or ("signal" if code < 0 else "exit_code" if code else None)
        if self.draining and cause == "signal" and -code in SHUTDOWN_SIGNALS:
            # Whoever ends the machine ends all of its processes: not this job's own failure.
            cause, message = "lost", "it was ended with the machine, or with the session"
        message = message or job.stop_message
        self._end(job, cause, code if code >= 0 else None, -code if code < 0 else None, message)

    def _end(
        self,
        job: Job,
        cause: str | None,
        exit_code: int | None = None,
        number: int | None = None,
        message: str = "",
    ) -> None:
        cpu_s, peak = job.result[1:] if job.result else (None, None)
        at = time.time()
        record = ["ended", job.name, at, cause, exit_code, number, cpu_s, peak, job.started_at]
        record += [message, job.pid]
        self.ended[job.name] = record
        self.journal.add("end", *record[1:])
        del self.jobs[job.name]
        self.leases.pop(job.name, None)
        job.told = "ended"
        if job.owner:
            job.owner.news.append(record)

    def _give_back(self, job: Job) -> None:
        self.queue.remove(job)
        del self.jobs[job.name]
        self.leases.pop(job.name, None)
        job.told = "ended"
        if job.owner:
            job.owner.news.append(["returned", job.name, time.time()])

    # -- stopping ---------------------------------------------------------------------

    def _stop(self, job: Job, cause: str, message: str = "") -> None:
        """Ask the job to end: TERM now, KILL after the grace time."""
        if job.stop_cause or os.waitid(os.P_PID, job.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT):
            return  # it has ended by itself, and that is what will be told
        job.stop_cause = cause
        job.stop_message = message
        job.kill_at = time.monotonic() + self.grace_s
        members = processes.family(job.name, self.keeper, job.pid, job.window)
        # To the group in one call first: no child can slip through a fork. CONT
        # wakes what is stopped, so that it can hear TERM.
        for number in (signal.SIGTERM, signal.SIGCONT):
            processes.send_group(job.pid, number)
            for process in members:
                if process.group != job.pid:
                    processes.send(process, number)

    def _wait_for_leavers(self, job: Job) -> None:
        """End a stopped job when the last of its processes has ended."""
        for descriptor in processes.watch(
            processes.family(job.name, self.keeper, job.pid, job.window)
        ):
            job.leavers.add(descriptor)
            self._watched[descriptor] = job
            self._poll.register(descriptor, select.POLLIN)
        if not job.leavers:
            self._finish(job)

    def _left(self, descriptor: int) -> None:
        job = self._watched.pop(descriptor)
        self._poll.unregister(descriptor)
        os.close(descriptor)
        job.leavers.discard(descriptor)
        if not job.leavers:
            self._wait_for_leavers(job)

    def _kill(self, job: Job) -> None:
        left = processes.kill_family(job.name, self.keeper, job.pid, job.window, limit_s=2.0)
        job.kill_at = None
        if job.result is None:
            return  # the first process is a zombie now; its end comes as any other
        for descriptor in list(job.leavers):
            del self._watched[descriptor]
            self._poll.unregister(descriptor)
            os.close(descriptor)
        job.leavers.clear()
        self._finish(job, f"{len(left)} of its processes cannot be killed" if left else "")

    # -- time, journal, news ----------------------------------------------------------

    def _keep_times(self) -> None:
        now = time.monotonic()
        for job in list(self.running.values()):
            if job.stop_cause:
                if job.kill_at is not None and job.kill_at <= now:
                    self._kill(job)
            elif job.deadline is not None and job.deadline <= now:
                job.deadline = None
                self._stop(job, "timed_out")
        if self.leases:
            now = _boot_time()
            for name in [name for name, until in self.leases.items() if until <= now]:
                self._forsake(self.jobs[name])

    def _forsake(self, job: Job) -> None:
        """Stop a job that nobody has asked for while its lease ran."""
        del self.leases[job.name]
        if job.pid:
            self._stop(job, "lost", FORSAKEN)
        else:
            self._give_back(job)

    def _flush(self) -> None:
        self._journal_error = self.journal.flush()
        self._journal_at = time.monotonic() + JOURNAL_RETRY_S if self._journal_error else None

    def _tell(self) -> None:
        """Tell of starts and waits that have lasted; forget those that are over."""
        until = time.monotonic() - TELL_AFTER_S
        while self._untold and self._untold[0][0] <= until:
            _, job = self._untold.popleft()
            if job.told == "ended":
                continue
            job.told = "started" if job.pid else "submitted"
            if job.owner and job.pid:
                job.owner.news.append(["started", job.name, job.started_at, job.pid])
            elif job.owner:
                job.owner.news.append(["submitted", job.name, time.time()])

    def _send(self, link: Link) -> None:
        more = link.send()
        self._poll.modify(link.connection, select.POLLIN | (select.POLLOUT if more else 0))

    def _rest(self) -> None:
        """Hold no directory while idle, and no journal that nobody will read."""
        os.chdir("/")
        if not self.ended and self.journal.size > JOURNAL_KEPT_BYTES:
            self.journal.start_over()


def _boot_time() -> float:
    return time.clock_gettime(time.CLOCK_BOOTTIME)


_CRASH_AT = os.environ.get("SEGUE_CRASH_AT", "")


def crash(point: str) -> None:
    """Kill ourselves here if a test has asked for it (`SEGUE_CRASH_AT`)."""
    if f"keeper: {point}" == _CRASH_AT:
        os.kill(os.getpid(), signal.SIGKILL)
