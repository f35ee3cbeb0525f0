"""Records of the store as the shapes of `documents`."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from segue.model.definition import resources_to_json, task_to_json
from segue.model.errors import Problem, Severity
from segue.model.location import Place
from segue.model.run import AttemptRecord, HistoryRecord, RunRecord
from segue.model.states import TaskState
from segue.model.workflow import Argv, Container, ManagedTask, Script
from segue.model.workflow import Task as WorkflowTask
from segue.protocols import windows
from segue.server import documents as d
from segue.server import picture_documents as pictured
from segue.server.desk import Desk
from segue.server.masking import masked, masked_text, masked_words

#: Warnings of a document are remembered with the run, up to so many.
WARNINGS_KEPT = 100


def summary(desk: Desk, row: windows.RunRow) -> d.RunSummary:
    """Return a run as lists show it."""
    return d.RunSummary(**_summary(desk, row))


def continued_by(desk: Desk, row: windows.RunRow) -> str | None:
    """Return the run that goes on with this one's work; None: there is none."""
    for each in desk.store.runs(workspace=row.record.workspace):
        if each.continues == row.record.id:
            return each.id
    return None


def run(desk: Desk, row: windows.RunRow, continued: str | None) -> d.Run:
    """Return a run with all but its tasks; `continued` is the run that goes on with its work."""
    record = row.record
    return d.Run(
        **_summary(desk, row),
        workspace=record.workspace,
        directory=record.directory,
        restart_limit=record.restart_limit,
        slots=record.slots,
        verdict=record.verdict.value,
        parameters=masked(_parameters(record)),
        warnings=[_warning(each) for each in record.reading.get("warnings", ())],
        continued_by=continued,
    )


def _summary(desk: Desk, row: windows.RunRow) -> dict[str, Any]:
    record = row.record
    lease = desk.engine_of(row)
    engine = None
    if lease is not None:
        engine = d.EngineDocument(
            host=lease.host, process_id=lease.process_id, alive=desk.is_alive(lease)
        )
    return {
        "id": record.id,
        "number": row.number,
        "workflow": record.workflow,
        "dialect": record.dialect,
        "state": record.state,
        "cancelling": record.cancelling,
        "tags": dict(record.tags),
        "description": record.description,
        "pool": record.pool,
        "source": record.source,
        "continues": record.continues or None,
        "created_at": d.moment(record.created_at),
        "started_at": d.moment(record.started_at),
        "ended_at": d.moment(record.ended_at),
        "updated_at": d.moment(record.updated_at),
        "counts": {state: number for state, number in record.counts.items() if number},
        "task_count": sum(record.counts.values()),
        "limit": record.limit,
        "priority": record.priority,
        "engine": engine,
        "problem": desk.problem_of(row, lease),
        "submitted_by": record.reading.get("submitted_by"),
    }


def _parameters(record: RunRecord) -> Mapping[str, Any]:
    own: Mapping[str, Any] = record.context.get("parameters", {})
    given: Mapping[str, Any] = record.reading.get("parameters", {})
    return {**(own if isinstance(own, Mapping) else {}), **given}


def kept_warning(problem: Problem) -> dict[str, Any]:
    """Return a warning as it is remembered with a run."""
    return d.problem_document(problem).model_dump(mode="json", exclude_none=True)


def _warning(kept: Mapping[str, Any]) -> d.DocumentProblem:
    return d.DocumentProblem.model_validate(kept)


def problem_of(kept: Mapping[str, Any]) -> Problem:
    """Return a warning that `kept_warning` has written."""
    place = Place(kept["path"], kept["line"], kept["column"]) if kept.get("path") else None
    return Problem(kept["code"], kept["message"], place, kept["hint"], Severity.WARNING)


# Tasks ---------------------------------------------------------------------------


def task_row(row: windows.TaskRow, now: float) -> d.TaskRow:
    """Return a task as tables show it."""
    return d.TaskRow(**_task_row(row, now))


def _task_row(row: windows.TaskRow, now: float) -> dict[str, Any]:
    record, attempt = row.record, row.attempt
    return {
        "name": row.name,
        "template": row.template or row.name,
        "position": row.position,
        "state": record.state,
        "cause": record.present_cause,
        "attempts": record.attempt,
        "held": record.held,
        "not_before": d.moment(record.not_before or None),
    } | _of_attempt(attempt, now)


def _of_attempt(attempt: AttemptRecord | None, now: float) -> dict[str, Any]:
    if attempt is None:
        return dict.fromkeys(_ATTEMPT_FIELDS)
    return {
        "submitted_at": d.moment(attempt.submitted_at),
        "started_at": d.moment(attempt.started_at),
        "ended_at": d.moment(attempt.ended_at),
        "duration_seconds": _duration(attempt, now),
        "wait_seconds": _between(attempt.submitted_at, attempt.started_at),
        "exit_code": attempt.exit_code,
        "signal": attempt.signal,
        "cpu_seconds": attempt.usage.cpu_s,
        "peak_rss_bytes": attempt.usage.peak_rss_bytes,
        "place": attempt.place,
        "node": attempt.node or None,
    }


_ATTEMPT_FIELDS = (
    "submitted_at",
    "started_at",
    "ended_at",
    "duration_seconds",
    "wait_seconds",
    "exit_code",
    "signal",
    "cpu_seconds",
    "peak_rss_bytes",
    "place",
    "node",
)


def _duration(attempt: AttemptRecord, now: float) -> float | None:
    """Return how long the attempt has run; one that ended without a word has no duration."""
    over = attempt.ended_at is not None or attempt.state is not TaskState.RUNNING
    return _between(attempt.started_at, attempt.ended_at if over else now)


def _between(begin: float | None, end: float | None) -> float | None:
    if begin is None or end is None:
        return None
    return round(max(0.0, end - begin), 6)


def attempt(record: AttemptRecord, now: float) -> d.Attempt:
    """Return an attempt, with the sizes of what it has printed."""
    folder = Path(record.folder)
    begun = record.started_at is not None
    return d.Attempt(
        number=record.number,
        state=record.state,
        cause=record.cause,
        job_id=record.job_id or None,
        message=record.message,
        restarted=record.restarted,
        stdout_bytes=_size(folder / "stdout"),
        stderr_bytes=_size(folder / "stderr"),
        output_gone=begun and record.place != "noop" and not folder.exists(),
        **_of_attempt(record, now),
    )


def _size(path: Path) -> int | None:
    try:
        return os.stat(path).st_size
    except OSError:
        return None


def action(task: WorkflowTask) -> d.Action:
    """Return what a task does, secrets masked."""
    does = task.action
    match does:
        case Script():
            return d.Action(kind="script", text=masked_text(does.text))
        case Argv():
            return d.Action(kind="arguments", arguments=masked_words(does.arguments))
        case Container():
            return d.Action(kind="container", arguments=masked_words([does.image, *does.arguments]))
        case ManagedTask():
            return d.Action(kind="managed", arguments=masked_words([does.name, *does.command]))
    return d.Action(kind=does.kind)


def definition(task: WorkflowTask) -> dict[str, Any]:
    """Return a task as it is stored, secrets masked."""
    shown: dict[str, Any] = masked(task_to_json(task))
    return shown


def resources(task: WorkflowTask) -> dict[str, Any]:
    """Return what a task asks for."""
    return resources_to_json(task.resources)


def retry(task: WorkflowTask) -> dict[str, Any]:
    """Return how often a task is tried again."""
    own = task.retry
    return {
        "limit": own.limit,
        "delaySeconds": own.delay_s,
        "infrastructureLimit": own.infrastructure_limit,
        "restartLimit": own.restart_limit,
    }


def history_line(record: HistoryRecord, names: Mapping[int, str]) -> pictured.HistoryLine:
    """Return one line of history; `names` are those of the tasks by position."""
    return pictured.HistoryLine(
        number=record.number,
        at=d.moment(record.at) or "",
        kind=record.kind,
        task=None if record.task is None else names.get(record.task),
        attempt=record.attempt,
        old=record.old or None,
        new=record.new or None,
        detail=masked_text(record.detail),
    )
