"""Who owns a run: a process of a machine, told apart from all others for ever."""

from __future__ import annotations

import os
import socket

from segue.model.run import Lease


def owner_name() -> str:
    """Return a name for this process: host, process id, its start, and a random word."""
    pid = os.getpid()
    return f"{socket.gethostname()}:{pid}:{start_of(pid)}:{os.urandom(4).hex()}"


def start_of(pid: int) -> str:
    """Return when a process of this machine began, in a form that is never used twice.

    Empty when there is no such process. A process id is used again, this is not.
    """
    try:
        with open(f"/proc/{pid}/stat", "rb") as stream:
            # The program's name, in brackets, may hold anything.
            fields = stream.read().rpartition(b")")[2].split()
    except OSError:
        return _start_without_proc(pid)
    return "" if fields[0] in (b"Z", b"X") else fields[19].decode()


def _start_without_proc(pid: int) -> str:
    if os.path.exists("/proc/self/stat"):
        return ""
    import psutil  # slow to import, and only needed where there is no /proc

    try:
        return str(psutil.Process(pid).create_time())
    except psutil.Error:
        return ""


def certainly_dead(lease: Lease) -> bool:
    """Tell whether the owner of the lease was a process of this machine that is gone."""
    if lease.host != socket.gethostname():
        return False
    parts = lease.owner.rsplit(":", 2)
    return len(parts) == 3 and start_of(lease.process_id) != parts[1]
