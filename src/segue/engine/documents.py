"""What windows show, read from the store alone: the stable JSON documents."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from segue.model.drawing import Drawing, template_of
from segue.model.run import AttemptRecord, HistoryRecord, RunRecord
from segue.model.times import rfc3339
from segue.model.workflow import Barrier, Task
from segue.protocols.store import ALL_TASKS, Store, TaskFilter


def run_document(store: Store, run: RunRecord, wanted: TaskFilter = ALL_TASKS) -> dict[str, Any]:
    """Return the run with its tasks and attempts, as ``segue run --json`` prints it."""
    attempts: dict[int, list[dict[str, Any]]] = {}
    for attempt in store.attempts(run.id):
        attempts.setdefault(attempt.task, []).append(attempt_document(attempt))
    return {
        "run": run.id,
        "workflow": run.workflow,
        "dialect": run.dialect,
        "state": run.state.value,
        "counts": dict(run.counts),
        "workspace": run.workspace,
        "limit": run.limit,
        "restart_limit": run.restart_limit,
        "continues": run.continues or None,
        "created_at": rfc3339(run.created_at),
        "started_at": rfc3339(run.started_at),
        "ended_at": rfc3339(run.ended_at),
        "tasks": [
            {
                "name": stored.node.name,
                "template": template_of(stored.node),
                "state": stored.record.state.value,
                "cause": _text(stored.record.present_cause),
                "held": stored.record.held,
                "reused_from": stored.record.reused_from or None,
                "attempts": attempts.get(stored.position, []),
            }
            for stored in store.nodes(run.id, wanted)
            if isinstance(stored.node, Task)
        ],
    }


def attempt_document(attempt: AttemptRecord) -> dict[str, Any]:
    """Return one attempt with the paths of what it printed."""
    return {
        "number": attempt.number,
        "state": attempt.state.value,
        "cause": _text(attempt.cause),
        "exit_code": attempt.exit_code,
        "signal": attempt.signal,
        "submitted_at": rfc3339(attempt.submitted_at),
        "started_at": rfc3339(attempt.started_at),
        "ended_at": rfc3339(attempt.ended_at),
        "stdout": str(Path(attempt.folder, "stdout")),
        "stderr": str(Path(attempt.folder, "stderr")),
        "cpu_s": attempt.usage.cpu_s,
        "peak_rss_bytes": attempt.usage.peak_rss_bytes,
        "place": attempt.place,
        "job_id": attempt.job_id,
        "message": attempt.message,
    }


def runs_document(runs: Sequence[RunRecord]) -> dict[str, Any]:
    """Return runs as ``segue runs --json`` prints them."""
    return {
        "runs": [
            {
                "run": run.id,
                "workflow": run.workflow,
                "dialect": run.dialect,
                "state": run.state.value,
                "counts": dict(run.counts),
                "started_at": rfc3339(run.started_at),
                "ended_at": rfc3339(run.ended_at),
            }
            for run in runs
        ]
    }


def history_document(record: HistoryRecord, names: dict[int, str]) -> dict[str, Any]:
    """Return one line of a run's history."""
    return {
        "number": record.number,
        "at": rfc3339(record.at),
        "kind": record.kind,
        "task": None if record.task is None else names.get(record.task),
        "attempt": record.attempt,
        "old": record.old or None,
        "new": record.new or None,
        "detail": record.detail,
    }


def drawing_of(store: Store, run: RunRecord) -> Drawing:
    """Return the graph of a run with the states of its tasks."""
    tasks: list[Task] = []
    barriers: list[Barrier] = []
    states: dict[str, str] = {}
    for stored in store.nodes(run.id):
        if isinstance(stored.node, Task):
            tasks.append(stored.node)
            states[stored.node.name] = stored.record.state.value
        else:
            barriers.append(stored.node)
    return Drawing(run.workflow, run.dialect, tasks, barriers, states)


def _text(value: object) -> str | None:
    return None if value is None else str(value)
