"""How patient the executor of batch systems is. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from segue.executors.batch_judge import Patience

#: A batch system is asked this often, in seconds.
POLL_S: Final = 2.0

#: A submission whose answer was lost is looked for so long before it is taken back.
UNSURE_S: Final = 30.0

#: Why a job waits is told of one that has waited so long, and when that changes, so seldom.
TELL_AFTER_S: Final = 10.0
TELL_EVERY_S: Final = 60.0

PATIENCE: Final = Patience()


@dataclass(frozen=True, slots=True)
class Settings:
    """How patient the executor is, in seconds, and whether equal jobs go out as arrays."""

    poll_s: float = POLL_S
    unsure_s: float = UNSURE_S
    arrays: bool = True
    patience: Patience = PATIENCE
    tell_after_s: float = TELL_AFTER_S
    tell_every_s: float = TELL_EVERY_S
