"""Which runs can be deleted: one rule for all stores. Pure."""

from __future__ import annotations

from segue.model.errors import RefusedError
from segue.model.run import Lease, RunRecord
from segue.model.states import FINAL_RUN


def check_deletable(run: RunRecord, lease: Lease | None, now: float) -> None:
    """Raise `RefusedError` unless nothing will ever be written to the run again."""
    if run.state not in FINAL_RUN:
        raise RefusedError(
            f"run {run.id} is {run.state}: only runs that have ended can be deleted",
            f"stop it first: segue cancel {run.id}",
        )
    if lease is not None and lease.until > now:
        raise RefusedError(
            f"run {run.id} is in the hands of process {lease.process_id} on {lease.host}",
            "wait a moment, and try again",
        )
