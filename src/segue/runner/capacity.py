"""What a machine has for jobs, unless somebody says otherwise."""

from __future__ import annotations

import os
from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

import psutil

from segue.protocols.runner import Amounts

#: What is called an MB here, as batch systems have it, in bytes.
MB: Final = 2**20
#: So many hardware threads are left to the machine itself, where it has more.
THREADS_LEFT: Final = 2
#: The share of the memory that jobs may have, and the least that is offered, in MB.
MEMORY_SHARE: Final = 0.75
LEAST_MEMORY_MB: Final = 100
#: An override of so many stands for all that there are.
ALL: Final = 0


def capacity_of(
    threads: int,
    memory_mb: int,
    *,
    cores: int | None = None,
    memory_limit_mb: int | None = None,
    other: Mapping[str, int] = MappingProxyType({}),
) -> Amounts:
    """Return the amounts that a runner offers.

    Parameters
    ----------
    threads, memory_mb
        What the machine has.
    cores, memory_limit_mb
        What is offered of it; 0: all, None: what leaves the machine room to breathe.
    other
        Amounts of anything else, by name.

    Examples
    --------
    >>> dict(capacity_of(16, 64_000))
    {'cores': 14, 'memory_mb': 48000}
    >>> dict(capacity_of(2, 100, cores=0, memory_limit_mb=60, other={"gpus": 1}))
    {'cores': 2, 'memory_mb': 60, 'gpus': 1}
    """
    if cores is None:
        cores = max(1, threads - THREADS_LEFT)
    if memory_limit_mb is None:
        memory_limit_mb = max(LEAST_MEMORY_MB, int(memory_mb * MEMORY_SHARE))
    offered = {"cores": threads if cores == ALL else cores}
    offered["memory_mb"] = memory_mb if memory_limit_mb == ALL else memory_limit_mb
    return MappingProxyType(offered | dict(other))


def threads_here() -> int:
    """Return how many hardware threads this process may use."""
    return len(os.sched_getaffinity(0))


def memory_here_mb() -> int:
    """Return how much memory this machine has, in MB of 2**20 bytes."""
    return int(psutil.virtual_memory().total // MB)
