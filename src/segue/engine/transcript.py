"""From decisions to what is stored: one `Commit` a run and turn."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from segue.engine.live_run import NEW, Decision, LiveRun
from segue.model.run import HistoryRecord
from segue.protocols.store import Commit


def record(run: LiveRun, decision: Decision, commit: Commit, now: float) -> None:
    """Add what `decision` changes to `commit`. Called before the run applies it."""
    if decision.nodes and not commit.nodes:
        commit.first_new = len(run.nodes)
    commit.nodes.extend(decision.nodes)
    commit.late_needs.extend(decision.late_needs)
    for position, after in decision.records.items():
        known = commit.steps.get(position)
        if known is not None:
            commit.steps[position] = (known[0], after)
        elif position < len(run.records):
            commit.steps[position] = (run.records[position].state, after)
        else:
            commit.steps[position] = (NEW.state, after)
    commit.patched.update(decision.patched)
    for attempt in (*decision.reused, *decision.attempts.values()):
        commit.attempts[attempt.task, attempt.number] = attempt
    for step in decision.steps:
        _add(run, commit, HistoryRecord(
            0, step.at, "step", step.task, step.attempt or None,
            step.old.value, step.new.value, _detail(step.cause, step.detail),
        ))  # fmt: skip
    for remark in decision.remarks:
        _add(run, commit, HistoryRecord(0, now, "remark", detail=remark))
    if decision.run is not None and decision.run.state is not run.record.state:
        old, new = run.record.state.value, decision.run.state.value
        _add(run, commit, HistoryRecord(0, now, "run", old=old, new=new))


def note(run: LiveRun, commit: Commit, now: float, kind: str, detail: str) -> None:
    """Add a line to the history that is no step: a command, a new engine."""
    _add(run, commit, HistoryRecord(0, now, kind, detail=detail))


def seal(run: LiveRun, commit: Commit, now: float) -> None:
    """Complete the commit with the run's record and counts as they are now."""
    counts = {state.value: number for state, number in run.counts.items() if number}
    run.record = replace(run.record, counts=counts, updated_at=now)
    commit.run_record = run.record


def empty(commit: Commit) -> bool:
    """Tell whether there is nothing to write."""
    parts: Sequence[object] = (commit.steps, commit.attempts, commit.history)
    return not any(parts) and not commit.commands_taken and commit.run_record is None


def _add(run: LiveRun, commit: Commit, record: HistoryRecord) -> None:
    run.history_number += 1
    commit.history.append(record._replace(number=run.history_number))


def _detail(cause: object, detail: str) -> str:
    parts = [str(cause)] if cause is not None else []
    if detail:
        parts.append(detail)
    return ": ".join(parts)
