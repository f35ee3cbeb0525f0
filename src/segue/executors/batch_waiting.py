"""Why a job still waits in the queue, and when that is worth telling. Pure.

It comes with answers that are asked for anyway. The engine stores each reason that it is
told, so one is told only of a job that waits for long, and seldom.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from segue.executors.batch_answers import Row
from segue.executors.batch_states import Phase, meaning_of

#: What stands for no reason. Slurm writes the first of a job that it has not looked at yet.
_NO_REASON: Final = frozenset({"", "None", "(null)"})


def reason_of(row: Row) -> str:
    """Return why the job waits, in the batch system's words; empty where nobody says.

    Examples
    --------
    >>> pending = Row("7", "PENDING", (0, 0), "", None, None, "Priority")
    >>> reason_of(pending), reason_of(pending._replace(reason="None"))
    ('Priority', '')
    >>> reason_of(pending._replace(state="CONFIGURING", reason="None"))
    'CONFIGURING'
    >>> reason_of(pending._replace(state="RUNNING"))
    ''
    """
    meaning = meaning_of(row.state)
    if meaning is None or meaning.phase is not Phase.PENDING:
        return ""
    if row.reason not in _NO_REASON:
        return row.reason
    return "" if row.state == "PENDING" else row.state


@dataclass(slots=True)
class Waiting:
    """What has been told of one job's waiting; times are monotonic."""

    told: str = ""
    _tell_at: float | None = None

    def news(self, row: Row, now: float, after_s: float, every_s: float) -> str:
        """Return the reason if it is to be told now, else nothing.

        It is told when the job has been seen waiting for `after_s` seconds, and after that
        when it has changed, but not before `every_s` seconds have passed.
        """
        reason = reason_of(row)
        if not reason or reason == self.told:
            return ""
        if self._tell_at is None:
            self._tell_at = now + after_s
        if now < self._tell_at:
            return ""
        self.told, self._tell_at = reason, now + every_s
        return reason
