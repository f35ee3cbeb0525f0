"""Spool folders of keepers: where they are, who lives, what the dead have left.

``<state>/<host>/<keeper id>/`` belongs to one keeper; its files are listed in
`segue.executors.keeper`. Here is what an engine does with them.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import time
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Final

from segue.executors.keeper.journal import boot_id
from segue.executors.keeper.processes import all_processes, kill_family, mark_of
from segue.executors.local_journal import JournalFacts, read_journal
from segue.executors.local_protocol import lost, report_of
from segue.protocols.executor import JobKey, RunReport

#: A dead spool whose results nobody has asked for is removed after so long.
KEPT_FOR_S: Final = 30 * 24 * 3600.0
#: A spool folder without a journal may belong to a keeper that is just being started.
STARTING_S: Final = 3600.0


def make_spool(host_folder: Path) -> tuple[Path, int]:
    """Make the folder of a new keeper; return it and the descriptor of its held lock."""
    spool = host_folder / f"{int(time.time()):x}-{os.urandom(4).hex()}"
    spool.mkdir(parents=True, mode=0o700)
    try:
        lock = os.open(spool / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError:
        # Each try on a full disk would leave a folder, and take the room that was made.
        remove(spool)
        raise
    # Waits a moment if another engine is just looking whether we live.
    fcntl.flock(lock, fcntl.LOCK_EX)
    return spool, lock


def is_held(spool: Path) -> bool:
    """Whether the keeper of this folder lives."""
    try:
        lock = os.open(spool / "lock", os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return False
    try:
        # Shared, so that two engines that look at once do not take each other for a keeper.
        fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except OSError:
        return True
    finally:
        os.close(lock)
    return False


def wait_until_free(spool: Path, limit_s: float = 5.0) -> bool:
    """Wait for a dying keeper to let go of its lock; return whether it did.

    Its socket may close a moment before its lock: the kernel closes one by one.
    """
    until = time.monotonic() + limit_s
    while is_held(spool):
        if time.monotonic() > until:
            return False
        time.sleep(0.001)
    return True


def spools_in(host_folder: Path) -> list[Path]:
    """Return the spool folders in the folder of a host."""
    try:
        return sorted(path for path in host_folder.iterdir() if path.is_dir())
    except FileNotFoundError:
        return []


def read_facts(spool: Path) -> JournalFacts:
    """Return what the journal of this folder says; nothing if there is none."""
    try:
        return read_journal((spool / "journal").read_bytes())
    except FileNotFoundError:
        return JournalFacts()


def settle(
    spool: Path, facts: JournalFacts, jobs: Mapping[str, JobKey], node: str
) -> dict[str, RunReport]:
    """Say of each job how it ended, as far as the journal of a dead keeper knows it.

    What still runs of a job without a known end is killed before it is called lost.
    A job that the keeper never meant to start is not in the answer.
    """
    answers = {}
    same_boot = facts.boot == boot_id()
    for name, key in jobs.items():
        if name in facts.ends:
            answers[name] = report_of(facts.ends[name], spool.name, node)
        elif name in facts.intents:
            start = facts.starts.get(name)
            message = "the machine was started anew while it ran"
            if same_boot:
                pid, window = (start.pid, start.window) if start else (0, (0, 0))
                message = _kill(name, spool.name, pid, window)
            answers[name] = lost(key, time.time(), message, start.at if start else None)
    return answers


def settle_strays(state_dir: Path, jobs: Mapping[str, JobKey]) -> dict[str, RunReport]:
    """Kill processes of jobs whose spool folder is gone, found by their environment."""
    answers = {}
    for process in all_processes():
        name, spool = mark_of(process.pid)
        if name in jobs and name not in answers and Path(spool).is_relative_to(state_dir):
            message = _kill(name, Path(spool).name, 0, (0, 0))
            answers[name] = lost(jobs[name], time.time(), message)
    return answers


def _kill(name: str, keeper: str, leader: int, window: tuple[int, int]) -> str:
    left = kill_family(name, keeper, leader, window)
    message = "the keeper that ran it was killed; what was left of the job has been stopped"
    if left:
        pids = ", ".join(str(process.pid) for process in left)
        message = f"the keeper that ran it was killed; these cannot be stopped: {pids}"
    return message


def forget(spool: Path, names: Iterable[str]) -> None:
    """Write into the journal of a dead keeper that these ends are stored.

    Removes the folder when nothing is left in it that anybody could ask for.
    """
    line = _forget_line(names)
    try:
        with open(spool / "journal", "ab") as journal:
            journal.write(line)
    except OSError:
        return  # gone already, or no room: it will be forgotten by its age
    if not read_facts(spool).remembered:
        remove(spool)


def _forget_line(names: Iterable[str]) -> bytes:
    quoted = ",".join(f'"{name}"' for name in names)
    # An empty line first: the keeper may have died in the middle of one.
    return f'\n["forget",{quoted}]\n'.encode()


def remove(spool: Path) -> None:
    """Remove the folder of a dead keeper."""
    with contextlib.suppress(OSError):
        from shutil import rmtree  # slow to import, and a run seldom removes anything

        rmtree(spool)


def tidy(host_folder: Path) -> None:
    """Remove folders of dead keepers that nobody can or will ask for any more."""
    for spool in spools_in(host_folder):
        with contextlib.suppress(OSError):
            age_s = time.time() - max(path.stat().st_mtime for path in (spool, *spool.iterdir()))
            if age_s < STARTING_S or is_held(spool):
                continue
            if age_s > KEPT_FOR_S or not read_facts(spool).remembered:
                remove(spool)
