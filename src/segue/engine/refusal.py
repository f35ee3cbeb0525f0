"""Why a run could not be taken up: written into its history, where every window finds it.

The engine that refuses a run is not the window that shows it, and may be on another
machine. So the reason is kept with the run, and it holds until an engine takes the run.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from segue.model.errors import RefusedError
from segue.model.run import HistoryRecord, Lease, RunRecord
from segue.protocols.store import Commit, Store

#: Lines of this kind, with this word, tell why an engine has left a run alone.
KIND: Final = "engine"
REFUSED: Final = "refused"
#: Several servers may refuse a run by turns: each reason is said once among so many lines.
LINES_COMPARED: Final = 20


def note_refusal(
    store: Store, run: RunRecord, lease: Lease, error: RefusedError, now: float
) -> None:
    """Write why the run could not be taken up into its history, under a lease that is ours.

    What stands there already, with nothing but refusals behind it, is not written again.
    """
    detail = _in_one_line(error)
    newest = store.newest_history(run.id)
    last = newest.number if newest else 0
    if detail in _refusals_at_the_end(store, run.id, last):
        return
    line = HistoryRecord(last + 1, now, KIND, new=REFUSED, detail=detail)
    told = Commit(run.id, history=[line], run_record=replace(run, updated_at=now))
    store.commit(told, lease)


def refusal_of(store: Store, run: str) -> str:
    """Return why the last engine that came by has left the run alone; empty: none has."""
    newest = store.newest_history(run)
    return newest.detail if newest is not None and _is_refusal(newest) else ""


def _refusals_at_the_end(store: Store, run: str, last: int) -> set[str]:
    found: set[str] = set()
    for line in store.history(run, max(0, last - LINES_COMPARED)):
        if _is_refusal(line):
            found.add(line.detail)
        else:
            found.clear()
    return found


def _is_refusal(line: HistoryRecord) -> bool:
    return line.kind == KIND and line.new == REFUSED


def _in_one_line(error: RefusedError) -> str:
    said = Exception.__str__(error)
    return f"{said}: {error.hint}" if error.hint else said
