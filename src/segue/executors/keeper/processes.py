"""Which processes belong to a job, and how to stop them.

A job's processes are those of its session, those that carry its mark in their
environment (`SEGUE_JOB` with its name, `SEGUE_SPOOL` with its keeper's folder, since two
stores may use one name), and the children of any of these. So neither a process that
made a session of its own nor one that wiped its environment gets away, unless it did
both and its parent has ended.

The adapter uses this module too, for what a dead keeper left behind.
"""

import os
import select
import signal
import time

TICKS_PER_S = os.sysconf("SC_CLK_TCK")
PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")
#: The variables that mark each process of a job.
JOB_MARK = b"SEGUE_JOB"
SPOOL_MARK = b"SEGUE_SPOOL"


def ticks_now() -> int:
    """Return the time since the machine's start in the unit of ``/proc/<pid>/stat``."""
    return int(time.clock_gettime(time.CLOCK_BOOTTIME) * TICKS_PER_S)


class Process:
    """One line of the process table. Zombies are never in it: they run nothing."""

    __slots__ = ("group", "parent", "pid", "rss_bytes", "session", "started")

    def __init__(self, pid: int, fields: list[bytes]) -> None:
        self.pid = pid
        self.parent = int(fields[1])
        self.group = int(fields[2])
        self.session = int(fields[3])
        self.started = int(fields[19])
        self.rss_bytes = int(fields[21]) * PAGE_BYTES


def read_process(pid: int) -> Process | None:
    """Return the process, or None if it is gone or a zombie.

    Source: man proc_pid_stat; the name in field 2 may hold spaces and brackets.
    """
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            text = file.read()
    except OSError:
        return None
    fields = text[text.rindex(b")") + 2 :].split()
    if fields[0] in (b"Z", b"X"):
        return None
    return Process(pid, fields)


def all_processes() -> list[Process]:
    """Return the living processes of this machine, without ourselves."""
    pids = [int(name) for name in os.listdir("/proc") if name.isdigit()]
    own = os.getpid()
    return [found for pid in pids if pid != own and (found := read_process(pid))]


def mark_of(pid: int) -> tuple[str, str]:
    """Return the job's name and the spool folder in the process's environment, or two ``""``."""
    try:
        with open(f"/proc/{pid}/environ", "rb") as file:
            text = file.read()
    except OSError:
        return "", ""
    if SPOOL_MARK not in text:
        return "", ""
    variables = dict(line.partition(b"=")[::2] for line in text.split(b"\0"))
    return os.fsdecode(variables.get(JOB_MARK, b"")), os.fsdecode(variables.get(SPOOL_MARK, b""))


def family(
    name: str, keeper: str, leader: int = 0, window: tuple[int, int] = (0, 0)
) -> list[Process]:
    """Return the living processes of a job.

    Parameters
    ----------
    name
        The job's name, as its environment holds it.
    keeper
        The name of its keeper's spool folder, which no other keeper ever has.
    leader
        Pid of its first process; 0 when nobody knows it.
    window
        Pair of ticks between which the leader was started; a process of that pid with
        another start time is a stranger.
    """
    processes = all_processes()
    for process in processes:
        if process.pid == leader and not window[0] <= process.started <= window[1]:
            leader = 0
            break
    # The kernel gives no pid out anew while it names a session, so a session of
    # that number is the job's even when its leader has ended.
    members = {
        process.pid
        for process in processes
        if (leader and leader in (process.session, process.pid))
        or _is_marked(process.pid, name, keeper)
    }
    grown = bool(members)
    while grown:
        children = {p.pid for p in processes if p.parent in members} - members
        members |= children
        grown = bool(children)
    return [process for process in processes if process.pid in members]


def _is_marked(pid: int, name: str, keeper: str) -> bool:
    job, spool = mark_of(pid)
    return job == name and os.path.basename(spool) == keeper


def send(process: Process, number: int) -> None:
    """Send a signal to exactly this process; not to one that has its pid by now."""
    try:
        descriptor = os.pidfd_open(process.pid)
    except OSError:
        return
    try:
        now = read_process(process.pid)
        if now and now.started == process.started:
            signal.pidfd_send_signal(descriptor, number)
    except OSError:
        pass  # it has just ended, or is not ours to stop
    finally:
        os.close(descriptor)


def send_group(leader: int, number: int) -> None:
    """Send a signal to the group of a child that we have not reaped."""
    try:  # noqa: SIM105 - the keeper imports no contextlib
        os.killpg(leader, number)
    except OSError:
        pass  # none of it is ours to stop: a program that changes its user


def kill_family(
    name: str,
    keeper: str,
    leader: int = 0,
    window: tuple[int, int] = (0, 0),
    limit_s: float = 5.0,
) -> list[Process]:
    """Kill what still runs of a job and wait for its end; return what could not be killed.

    Again and again, since a process may have had a child just before it died.
    """
    until = time.monotonic() + limit_s
    members = family(name, keeper, leader, window)
    while members and time.monotonic() < until:
        watched = watch(members)
        for process in members:
            send(process, signal.SIGKILL)
        for descriptor in watched:
            end = select.poll()
            end.register(descriptor, select.POLLIN)
            end.poll(max(0.0, until - time.monotonic()) * 1000)
            os.close(descriptor)
        members = family(name, keeper, leader, window)
    return members


def watch(members: list[Process]) -> list[int]:
    """Return a descriptor for each process, readable when it has ended."""
    descriptors = []
    for process in members:
        try:
            descriptors.append(os.pidfd_open(process.pid))
        except OSError:
            continue  # it has ended
    return descriptors
