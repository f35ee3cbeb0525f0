"""The story of a study in its log: one line for each change of a task's state. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from segue.maestro.outline import Outline
from segue.maestro.rows import WORDS, shown_job
from segue.model.errors import shorten
from segue.model.run import AttemptRecord, HistoryRecord
from segue.model.states import FINAL, TaskState
from segue.protocols.store import Commit

#: Changes that say nothing to a person: each step goes through them.
_SILENT: Final = frozenset({TaskState.READY, TaskState.SUBMITTING})


def story(outline: Outline, commit: Commit) -> Iterator[str]:
    """Yield a line for each change of a task in the commit, and for what else it tells."""
    for record in commit.history:
        if record.kind == "step":
            line = _step_line(outline, commit, record)
            if line:
                yield line
        elif record.kind != "run":
            yield f"{record.kind}: {shorten(record.detail, 500)}"


def _step_line(outline: Outline, commit: Commit, record: HistoryRecord) -> str:
    state = TaskState(record.new)
    position = record.task
    if state in _SILENT or position is None or position >= outline.tasks:
        return ""
    attempt = commit.attempts.get((position, record.attempt or 0))
    fields = [f"step={outline.names[position]!r}", WORDS[state]]
    if record.attempt:
        fields.append(f"attempt={record.attempt}")
    if attempt is not None:
        fields += _attempt_fields(attempt, ended=state in FINAL or state is TaskState.WAITING)
    remarks = [shorten(record.detail, 300)] if record.detail else []
    if state is TaskState.WAITING:
        remarks.append("it is tried again")
    if remarks:
        fields.append(f"({'; '.join(remarks)})")
    return " ".join(fields)


def _attempt_fields(attempt: AttemptRecord, *, ended: bool) -> Iterator[str]:
    if attempt.job_id:
        yield f"job_id={shown_job(attempt)}"
    if not ended:
        return
    if attempt.exit_code is not None:
        yield f"exit_code={attempt.exit_code}"
    if attempt.signal is not None:
        yield f"signal={attempt.signal}"
    if attempt.ended_at is not None and attempt.started_at is not None:
        yield f"seconds={attempt.ended_at - attempt.started_at:.3f}"
