"""Runs one command and accounts for everything that it did, what outlives it included.

A small process of its own does the work (this file as a program): the kernel remembers
the size of a process across fork and exec, so a large parent would show in the memory
of each child. That process adopts what the command leaves behind, and waits for it.
"""

from __future__ import annotations

import ctypes
import json
import os
import resource
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

_PR_SET_CHILD_SUBREAPER: Final = 36
_SAMPLE_S: Final = 0.02
_LIMIT_S: Final = 900
#: Others are quiet while they use less than so many processors.
_QUIET_CORES: Final = 0.2
_QUIET_LOOK_S: Final = 0.5
_QUIET_LIMIT_S: Final = 300
_TELLING_S: Final = 0.2
_PAGE: Final = os.sysconf("SC_PAGE_SIZE")
_TICKS: Final = os.sysconf("SC_CLK_TCK")


class MeasureError(Exception):
    """A command could not be run, or failed."""


@dataclass(frozen=True)
class Measured:
    """What a command cost.

    wall_s
        From its start to its own exit.
    started_at_ns
        When it was started, since the epoch.
    cpu_s
        Of it and all its descendants, those that outlived it included.
    largest_bytes
        Peak resident size of the largest single process.
    tree_bytes
        Largest sum of the resident sizes of all its processes, seen 50 times a second;
        what they share counts more than once. 0 if it was not looked at.
    other_cores
        How many processors were kept busy by everybody else meanwhile.
    """

    wall_s: float
    started_at_ns: int
    cpu_s: float
    largest_bytes: int
    tree_bytes: int
    other_cores: float


def measure(
    command: Sequence[str],
    folder: Path,
    environment: Mapping[str, str],
    *,
    sample: bool = False,
) -> Measured:
    """Run a command in a folder and return what it cost.

    Raises
    ------
    MeasureError
        If its exit code is not 0.
    """
    os.sync()  # what earlier runs have written must not be paid for by this one
    wanted = json.dumps([list(command), str(folder), dict(environment), sample])
    done = subprocess.run(
        [sys.executable, "-S", "-E", __file__, wanted], stdout=subprocess.PIPE, check=False
    )
    if done.returncode:
        raise MeasureError(f"{' '.join(command)}: cannot be measured")
    answer = json.loads(done.stdout)
    if answer.pop("exit_code"):
        said = Path(folder, "output").read_text(errors="replace")[-2000:]
        raise MeasureError(f"{' '.join(command)}: failed in {folder}:\n{said}")
    return Measured(**answer)


def disturbed(measured: Measured) -> bool:
    """Tell whether others worked so much meanwhile that the figure says little.

    The kernel counts in hundredths of a second, so of a very short command it cannot be told.
    """
    return measured.wall_s > _TELLING_S and measured.other_cores > _QUIET_CORES


def wait_for_quiet() -> None:
    """Wait until others leave the machine alone for a moment; give up after some minutes."""
    deadline = time.monotonic() + _QUIET_LIMIT_S
    while time.monotonic() < deadline:
        before = _busy_s()
        time.sleep(_QUIET_LOOK_S)
        if _busy_s() - before < _QUIET_CORES * _QUIET_LOOK_S:
            return


# In the small process ----------------------------------------------------------


def _main(command: list[str], folder: str, environment: dict[str, str], sample: bool) -> None:
    ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    sampler = _Sampler()
    busy, mine, began = _busy_s(), time.process_time(), time.monotonic()
    with open(os.path.join(folder, "output"), "wb") as output:
        started_at = time.time_ns()
        start = time.perf_counter()
        process = subprocess.Popen(
            command,
            cwd=folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        if sample:
            sampler.start()
        watchdog = threading.Timer(_LIMIT_S, process.kill)
        watchdog.daemon = True
        watchdog.start()
        code = process.wait()
        wall = time.perf_counter() - start
        watchdog.cancel()
    with suppress(ChildProcessError):
        while True:
            os.waitpid(-1, 0)
    sampler.over.set()
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = used.ru_utime + used.ru_stime
    passed = time.monotonic() - began
    other = _busy_s() - busy - cpu - (time.process_time() - mine)
    answer = {
        "exit_code": code,
        "wall_s": wall,
        "started_at_ns": started_at,
        "cpu_s": cpu,
        "largest_bytes": used.ru_maxrss * 1024,
        "tree_bytes": sampler.peak,
        "other_cores": max(0.0, other / passed),
    }
    sys.stdout.write(json.dumps(answer))


class _Sampler(threading.Thread):
    """Looks at the sizes of all descendants until it is over."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self.over = threading.Event()
        self.peak = 0

    def run(self) -> None:
        while not self.over.wait(_SAMPLE_S):
            self.peak = max(self.peak, sum(map(_resident, _descendants(os.getpid()))))


def _descendants(process: int) -> list[int]:
    found = []
    left = _children(process)
    while left:
        child = left.pop()
        found.append(child)
        left += _children(child)
    return found


def _children(process: int) -> list[int]:
    found: list[int] = []
    with suppress(OSError):
        for thread in os.listdir(f"/proc/{process}/task"):
            with open(f"/proc/{process}/task/{thread}/children") as stream:
                found += map(int, stream.read().split())
    return found


def _resident(process: int) -> int:
    try:
        with open(f"/proc/{process}/statm") as stream:
            return int(stream.read().split()[1]) * _PAGE
    except (OSError, IndexError):
        return 0


def _busy_s() -> float:
    """Return the processor seconds that this machine has spent on anything."""
    with open("/proc/stat") as stream:
        user, nice, system, _idle, _wait, irq, soft, steal = stream.readline().split()[1:9]
    return sum(map(int, (user, nice, system, irq, soft, steal))) / _TICKS


if __name__ == "__main__":
    _main(*json.loads(sys.argv[1]))
