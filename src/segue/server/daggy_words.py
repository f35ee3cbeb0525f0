"""Our records in the words of Daggy's `/v1`: upper-case states, nanoseconds. Pure.

At this door a task that never started is QUEUED, whatever has become of it: that is what
lets whoever re-queues the run see it go on.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

from segue.model.run import AttemptRecord, HistoryRecord, RunRecord, TaskRecord
from segue.model.states import OUTSIDE, RunState, TaskState
from segue.model.workflow import Argv, Barrier, Script, Task
from segue.protocols.windows import RunRow
from segue.server.masking import masked_text, masked_words

STATES: Final = ("QUEUED", "RUNNING", "RETRY", "PAUSED", "ERRORED", "COMPLETED", "KILLED")
_RUN_STATES: Final[Mapping[RunState, str]] = {
    RunState.RUNNING: "RUNNING",
    RunState.PAUSED: "PAUSED",
    RunState.SUCCEEDED: "COMPLETED",
    RunState.FAILED: "ERRORED",
    RunState.CANCELLED: "KILLED",
}
_TASK_STATES: Final[Mapping[TaskState, str]] = {
    TaskState.WAITING: "QUEUED",
    TaskState.READY: "QUEUED",
    TaskState.SKIPPED: "QUEUED",
    TaskState.SUCCEEDED: "COMPLETED",
    TaskState.FAILED: "ERRORED",
    TaskState.CANCELLED: "KILLED",
    **dict.fromkeys(OUTSIDE, "RUNNING"),
}
_UNBEGUN: Final = frozenset({"waiting", "ready"})


def nanoseconds(at: float | None) -> int | None:
    """Return seconds since the epoch in nanoseconds, as exactly as they are kept.

    Examples
    --------
    >>> nanoseconds(1.5)
    1500000000
    """
    return None if at is None else round(at * 1e6) * 1000


def run_state(record: RunRecord) -> str:
    """Return the state of a run; one of which nothing has started is QUEUED."""
    begun = any(number for state, number in record.counts.items() if state not in _UNBEGUN)
    if record.state is RunState.RUNNING and record.counts and not begun:
        return "QUEUED"
    return _RUN_STATES[record.state]


def task_state(record: TaskRecord) -> str:
    """Return the state of a task.

    Examples
    --------
    >>> task_state(TaskRecord(TaskState.CANCELLED)), task_state(TaskRecord(TaskState.SUCCEEDED, 1))
    ('QUEUED', 'COMPLETED')
    """
    if record.state is TaskState.CANCELLED and not record.attempt:
        return "QUEUED"
    if record.state is TaskState.WAITING and record.not_before:
        return "RETRY"
    return _TASK_STATES[record.state]


def summary(row: RunRow, begun_and_cancelled: int) -> dict[str, Any]:
    """Return a run in a list; `begun_and_cancelled` counts its tasks that were really killed."""
    counts: dict[str, int] = {}
    for state, number in row.record.counts.items():
        word = _TASK_STATES[TaskState(state)]
        if word == "KILLED":
            counts["QUEUED"] = counts.get("QUEUED", 0) + number - begun_and_cancelled
            number = begun_and_cancelled
        counts[word] = counts.get(word, 0) + number
    record = row.record
    return {
        "runID": row.number - 1,
        "tag": record.tags.get("name", ""),
        "state": run_state(record),
        "startTime": nanoseconds(record.started_at or record.created_at),
        "lastUpdate": nanoseconds(record.updated_at),
        "taskCounts": {word: number for word, number in counts.items() if number},
    }


def definition(
    task: Task, parents: Iterable[str], children: Iterable[str], environment: Mapping[str, Any]
) -> dict[str, Any]:
    """Return a task as Daggy's documents write it; `environment` is shown as it is given."""
    job: dict[str, Any] = {}
    if isinstance(task.action, Argv):
        job["command"] = masked_words(task.action.arguments)
    elif isinstance(task.action, Script):
        job["commandString"] = masked_text(task.action.text)
    if environment:
        job["environment"] = dict(environment)
    return {
        "definedName": task.template or task.name,
        "job": job,
        "maxRetries": task.retry.limit,
        "retryIntervalSeconds": task.retry.delay_s,
        "parents": list(dict.fromkeys(parents)),
        "children": list(dict.fromkeys(children)),
        "isGenerator": task.generator is not None,
    }


def attempt(record: AttemptRecord, output: str, error: str, executor: str) -> dict[str, Any]:
    """Return an attempt with all that it printed; a signal is 128 and its number."""
    code = record.exit_code
    if code is None and record.signal is not None:
        code = 128 + record.signal
    return {
        "startTime": nanoseconds(record.started_at or record.submitted_at),
        "stopTime": nanoseconds(record.ended_at),
        "rc": code,
        "outputLog": output,
        "errorLog": error,
        "executorLog": executor,
    }


def state_changes(
    record: RunRecord, lines: Iterable[HistoryRecord], names: Mapping[int, str]
) -> tuple[list[dict[str, Any]], dict[str, list[dict[str, Any]]]]:
    """Return how the run, and each task of it, has changed its state, from QUEUED on."""
    begin = {"time": nanoseconds(record.created_at), "state": "QUEUED"}
    of_run = [begin]
    of_tasks: dict[str, list[dict[str, Any]]] = {name: [begin] for name in names.values()}
    for line in lines:
        if line.kind == "run" and line.number > 1:
            _note(of_run, line.at, _RUN_STATES[RunState(line.new)])
        elif line.kind == "step" and line.task is not None and line.task in names:
            word = _step_word(line, of_tasks[names[line.task]][-1]["state"])
            _note(of_tasks[names[line.task]], line.at, word)
            if word == "RUNNING" and of_run[-1]["state"] == "QUEUED":
                _note(of_run, line.at, "RUNNING")
    return of_run, of_tasks


def _step_word(line: HistoryRecord, before: str) -> str:
    new, old = TaskState(line.new), TaskState(line.old)
    if new is TaskState.WAITING and old in OUTSIDE:
        return "RETRY"
    if new is TaskState.READY and before == "RETRY":
        return "RETRY"  # as long as no attempt is with an executor
    if new is TaskState.CANCELLED and old not in OUTSIDE and not line.attempt:
        return "QUEUED"
    return _TASK_STATES[new]


def _note(changes: list[dict[str, Any]], at: float, state: str) -> None:
    if changes[-1]["state"] != state:
        changes.append({"time": nanoseconds(at), "state": state})


def template_names(barrier: Barrier, templates: Mapping[str, str]) -> list[str]:
    """Return the templates of the tasks that a barrier joins."""
    return list(dict.fromkeys(templates.get(name, name) for name in barrier.needs))
