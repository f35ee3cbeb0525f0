"""The states of a batch job, and what each means to us. Pure; one table.

The words are Slurm's, which has the most; other systems' are translated into them.

Source: man squeue and man sacct, JOB STATE CODES, of Slurm 22.05 to 24.11.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum
from typing import Final, NamedTuple

from segue.model.states import Cause


class Phase(Enum):
    """How far a job has come."""

    #: It waits, for the first time or again.
    PENDING = "pending"
    #: It has begun. Also while it is suspended: nothing has been decided yet.
    RUNNING = "running"
    #: Its program has ended or been killed; nobody says yet how.
    ENDING = "ending"
    ENDED = "ended"


class Meaning(NamedTuple):
    """What a state means: `cause` only for an end that the exit code does not explain."""

    phase: Phase
    cause: Cause | None = None
    message: str = ""


_PENDING: Final = Meaning(Phase.PENDING)
_RUNNING: Final = Meaning(Phase.RUNNING)


def _ended(cause: Cause, message: str) -> Meaning:
    return Meaning(Phase.ENDED, cause, message)


STATES: Final[Mapping[str, Meaning]] = {
    "PENDING": _PENDING,
    # Nodes are being started for it; its script has not begun.
    "CONFIGURING": _PENDING,
    "POWER_UP_NODE": _PENDING,
    "REQUEUED": _PENDING,
    "REQUEUE_FED": _PENDING,
    "REQUEUE_HOLD": _PENDING,
    "RESV_DEL_HOLD": _PENDING,
    # "Requeued in a special state": held until an administrator releases it.
    "SPECIAL_EXIT": _PENDING,
    "EXPEDITING": _PENDING,
    "RUNNING": _RUNNING,
    "SUSPENDED": _RUNNING,
    "STOPPED": _RUNNING,
    "SIGNALING": _RUNNING,
    "RESIZING": _RUNNING,
    "UPDATE_DB": _RUNNING,
    "COMPLETING": Meaning(Phase.ENDING),
    # Its files are being taken out; it becomes COMPLETED or FAILED after that.
    "STAGE_OUT": Meaning(Phase.ENDING),
    "COMPLETED": Meaning(Phase.ENDED),
    "FAILED": Meaning(Phase.ENDED),
    "TIMEOUT": _ended(Cause.TIMED_OUT, "it was stopped at its time limit"),
    "DEADLINE": _ended(Cause.TIMED_OUT, "it was stopped at its deadline"),
    "OUT_OF_MEMORY": _ended(Cause.OUT_OF_MEMORY, "it used more memory than it had asked for"),
    "NODE_FAIL": _ended(Cause.NODE_FAILURE, "a node of it failed"),
    "BOOT_FAIL": _ended(Cause.NODE_FAILURE, "its nodes could not be started"),
    "LAUNCH_FAILED": _ended(Cause.NODE_FAILURE, "it could not be launched"),
    "RECONFIG_FAIL": _ended(Cause.NODE_FAILURE, "its nodes could not be prepared"),
    "PREEMPTED": _ended(Cause.PREEMPTED, "its nodes were given to another job"),
    "CANCELLED": _ended(Cause.CANCELLED, "the job was cancelled"),
    # In a federation another cluster has started the job's sibling.
    "REVOKED": _ended(Cause.LOST, "another cluster of the federation has taken it"),
}


def meaning_of(state: str) -> Meaning | None:
    """Return what the state means; None: we do not know it, so it changes nothing.

    Slurm writes more than one word for some (``CANCELLED by 0``), and sacct cuts long
    ones (``CANCELLED+``).

    Examples
    --------
    >>> meaning_of("CANCELLED by 0").cause, meaning_of("CANCELLED+").phase
    (<Cause.CANCELLED: 'cancelled'>, <Phase.ENDED: 'ended'>)
    >>> meaning_of("OUT_OF_ME+").cause, meaning_of("RE+"), meaning_of("ASLEEP")
    (<Cause.OUT_OF_MEMORY: 'out_of_memory'>, None, None)
    """
    words = state.split()
    if not words:
        return None
    word = words[0]
    if not word.endswith("+"):
        return STATES.get(word)
    full = [name for name in STATES if name.startswith(word[:-1])]
    return STATES[full[0]] if len(full) == 1 else None
