"""How much memory a job takes with all its processes.

The sum of what is resident is cheap and counts shared pages once for each process. So it
only raises a suspicion; the verdict is by shares (PSS), where each page counts once.
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final

from segue.executors.keeper.processes import Process
from segue.runner.capacity import MB

#: Memory is looked at so often, in seconds; seldomer where looking itself would take more
#: than this share of the time.
LOOK_S: Final = 0.5
LOOKING_SHARE: Final = 0.02
#: By shares a suspect is looked at for such a part of the time, since that is dear.
SHARES_SHARE: Final = 0.2
_PSS: Final = re.compile(rb"^Pss:\s+(\d+) kB$", re.MULTILINE)

Known = set[tuple[int, int]]


def families(
    processes: Iterable[Process], leaders: Mapping[str, int], known: Mapping[str, Known]
) -> dict[str, list[Process]]:
    """Return the processes of each job.

    Parameters
    ----------
    processes
        All that there are.
    leaders
        Pid of the first process of each job, by name: it leads a session.
    known
        Pids and start times of processes that were a job's before: one that has left its
        session, and whose parent has ended, is still the job's.

    Returns
    -------
    dict
        Of each job those of its session, those known, and the children of any of these.
    """
    by_session: dict[int, list[Process]] = {}
    by_parent: dict[int, list[Process]] = {}
    by_identity: dict[tuple[int, int], Process] = {}
    for process in processes:
        by_session.setdefault(process.session, []).append(process)
        by_parent.setdefault(process.parent, []).append(process)
        by_identity[process.pid, process.started] = process
    found = {}
    for name, leader in leaders.items():
        before = [by_identity[each] for each in known.get(name, ()) if each in by_identity]
        members: dict[int, Process] = {}
        new = [*by_session.get(leader, ()), *before]
        while new:
            process = new.pop()
            if process.pid not in members:
                members[process.pid] = process
                new += by_parent.get(process.pid, ())
        found[name] = list(members.values())
    return found


def share_bytes(process: Process) -> int:
    """Return the process's share of memory, or what is resident where that is not told."""
    try:
        with open(f"/proc/{process.pid}/smaps_rollup", "rb") as file:
            found = _PSS.search(file.read())
    except PermissionError:
        return process.rss_bytes  # it has become another user's
    except OSError:
        return 0  # it has ended
    return int(found[1]) * 1024 if found else 0


@dataclass
class Suspects:
    """Looks at jobs that seem to take more than they may."""

    #: When each job may be looked at by shares again (monotonic).
    _again_at: dict[str, float] = field(default_factory=dict)

    def over_limit(self, name: str, members: Iterable[Process], limit_bytes: int) -> int | None:
        """Return how much a job takes if that is more than the limit, else None."""
        members = list(members)
        if sum(each.rss_bytes for each in members) <= limit_bytes:
            return None
        begun = time.monotonic()
        if begun < self._again_at.get(name, 0.0):
            return None
        # Twice: what forks or ends between two of its processes is counted twice itself.
        taken = sum(map(share_bytes, members))
        if taken > limit_bytes:
            taken = min(taken, sum(map(share_bytes, members)))
        took_s = time.monotonic() - begun
        self._again_at[name] = begun + took_s / SHARES_SHARE
        return taken if taken > limit_bytes else None

    def keep(self, names: Iterable[str]) -> None:
        """Forget all other jobs."""
        kept = set(names)
        self._again_at = {each: at for each, at in self._again_at.items() if each in kept}


def in_mb(size_bytes: int) -> str:
    """Return a size for people.

    Examples
    --------
    >>> in_mb(200 * 2**20)
    '200 MB'
    """
    return f"{size_bytes / MB:.0f} MB"


def next_look_s(begun: float) -> float:
    """Return how long to wait before the next look, which began at `begun` (monotonic)."""
    return max(LOOK_S, (time.monotonic() - begun) / LOOKING_SHARE)
