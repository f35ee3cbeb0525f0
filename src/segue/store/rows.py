"""Records as rows of SQL stores, and back. Pure."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final, Protocol

from segue.model.access import Role, Token
from segue.model.definition import (
    barrier_from_json,
    barrier_to_json,
    task_from_json,
    task_to_json,
)
from segue.model.events import NO_USAGE, Usage
from segue.model.run import AttemptRecord, HistoryRecord, Node, RunRecord, TaskRecord
from segue.model.states import COMMAND_STEPS, STEPS, Cause, RunState, TaskState
from segue.model.workflow import EMPTY, Barrier, Verdict

_encode: Final = json.JSONEncoder(separators=(",", ":"), ensure_ascii=False).encode
#: Rows hold states and causes as words; these look-ups beat calling the enum.
_STATES: Final = {state.value: state for state in TaskState}
_CAUSES: Final[dict[str | None, Cause | None]] = {cause.value: cause for cause in Cause} | {
    None: None
}


class NamedRow(Protocol):
    """A row that knows the names of its columns."""

    def __getitem__(self, name: str, /) -> Any:
        """Return what is in the column."""
        ...


def step_rows() -> list[tuple[str, str]]:
    """Return every single step, for the table `steps`."""
    return sorted((old.value, new.value) for old, new in STEPS | COMMAND_STEPS)


def way_rows() -> list[tuple[str, str]]:
    """Return every pair of states that steps of one turn can lead between, for the table `ways`.

    No turn leads beyond an intent to submit, which is stored before anything is done.
    """
    steps = set(step_rows())
    intent = TaskState.SUBMITTING.value
    ways = set(steps)
    while True:
        longer = {(a, d) for a, b in ways for c, d in steps if b == c != intent} - ways
        if not longer:
            return sorted(ways)
        ways |= longer


def run_row(run: RunRecord) -> tuple[Any, ...]:
    """Return the row that `insert_run` takes."""
    return (
        run.id,
        run.workflow,
        run.dialect,
        run.state.value,
        run.source,
        run.directory,
        run.workspace,
        run.created_at,
        run.started_at,
        run.ended_at,
        run.verdict.value,
        run.limit,
        run.pool,
        run.priority,
        int(run.cancelling),
        run.description,
        _encode(run.tags),
        _encode(run.context),
        _encode(run.counts),
        run.restart_limit,
        run.slots,
        run.continues,
        # What a person typed may hold bytes that are no text; here they are escaped.
        json.dumps(run.reading),
        run.updated_at,
    )


def run_change(run: RunRecord, number: int) -> tuple[Any, ...]:
    """Return the row that `update_run` takes."""
    return (
        run.state.value,
        run.started_at,
        run.ended_at,
        run.priority,
        int(run.cancelling),
        _encode(run.counts),
        run.limit,
        run.restart_limit,
        run.slots,
        run.updated_at,
        number,
    )


def run_record(row: NamedRow) -> RunRecord:
    """Return the run of a row of `runs`."""
    return RunRecord(
        id=row["id"],
        workflow=row["workflow"],
        dialect=row["dialect"],
        state=RunState(row["state"]),
        source=row["source"],
        directory=row["directory"],
        workspace=row["workspace"],
        created_at=row["created_at"],
        started_at=row["started_at"],
        ended_at=row["ended_at"],
        verdict=Verdict(row["verdict"]),
        limit=row["task_limit"],
        pool=row["pool"],
        priority=row["priority"],
        cancelling=bool(row["cancelling"]),
        description=row["description"],
        tags=json.loads(row["tags"]),
        context=json.loads(row["context"]),
        counts=json.loads(row["counts"]),
        restart_limit=row["restart_limit"],
        slots=row["slots"],
        continues=row["continues"],
        reading=json.loads(row["reading"]),
        updated_at=row["updated_at"],
    )


def node_row(run: int, position: int, node: Node) -> tuple[Any, ...]:
    """Return the row that `insert_node` takes."""
    if isinstance(node, Barrier):
        return (run, position, node.name, "", 1, _encode(barrier_to_json(node)))
    definition = _encode(task_to_json(node))
    return (run, position, node.name, node.template, 0, definition)


def with_need(definition: str, need: str) -> str:
    """Return the stored definition of a node with one more need."""
    value = json.loads(definition)
    needs = value.setdefault("needs", [])
    if need not in needs:  # a patch of the same turn may hold it already
        needs.append(need)
    return _encode(value)


def node_of(barrier: int, definition: str) -> Node:
    """Return the node of a stored definition."""
    value = json.loads(definition)
    return barrier_from_json(value) if barrier else task_from_json(value)


def task_row(record: TaskRecord) -> tuple[Any, ...]:
    """Return the columns that `update_node` sets."""
    state, *plain, cancelling, refusals, reused_from, held = record
    return (state.value, *plain, int(cancelling), refusals, reused_from, int(held))


def task_record(row: tuple[Any, ...]) -> TaskRecord:
    """Return the record of the columns from `state` to `held`."""
    state, attempt, cause, failures, losses, restarts, not_before, *rest = row
    cancelling, refusals, reused_from, held = rest
    return TaskRecord(
        _STATES[state],
        attempt,
        _CAUSES[cause],
        failures,
        losses,
        restarts,
        not_before,
        bool(cancelling),
        refusals,
        reused_from,
        bool(held),
    )


def token_row(token: Token) -> tuple[Any, ...]:
    """Return the row that `put_token` takes."""
    role = token.role.word
    return (token.id, token.name, role, token.digest, token.created_at, token.expires_at)


def token_of(row: tuple[Any, ...]) -> Token:
    """Return the token of a row of `tokens`."""
    number, name, role, *rest = row
    return Token(number, name, Role[role.upper()], *rest)


def attempt_row(run: int, attempt: AttemptRecord) -> tuple[Any, ...]:
    """Return the row that `upsert_attempt` takes."""
    return (
        run,
        attempt.task,
        attempt.number,
        attempt.state.value,
        attempt.place,
        attempt.folder,
        attempt.job_id,
        attempt.node,
        attempt.cause,
        attempt.exit_code,
        attempt.signal,
        attempt.submitted_at,
        attempt.started_at,
        attempt.ended_at,
        attempt.usage.cpu_s,
        attempt.usage.peak_rss_bytes,
        attempt.message,
        int(attempt.restarted),
    )


def attempt_record(row: tuple[Any, ...]) -> AttemptRecord:
    """Return the attempt of a row of `attempts`."""
    (
        _run,
        task,
        number,
        state,
        place,
        folder,
        job_id,
        node,
        cause,
        exit_code,
        signal,
        submitted_at,
        started_at,
        ended_at,
        cpu_s,
        peak_rss_bytes,
        message,
        restarted,
    ) = row
    known = cpu_s is not None or peak_rss_bytes is not None
    return AttemptRecord(
        task,
        number,
        _STATES[state],
        place,
        folder,
        job_id,
        node,
        _CAUSES[cause],
        exit_code,
        signal,
        submitted_at,
        started_at,
        ended_at,
        Usage(cpu_s, peak_rss_bytes) if known else NO_USAGE,
        message,
        bool(restarted),
    )


def history_row(run: int, record: HistoryRecord) -> tuple[Any, ...]:
    """Return the row that `insert_history` takes."""
    return (run, *record)


def json_text(value: Mapping[str, Any]) -> str:
    """Return a JSON object as it is stored."""
    return _encode(value or EMPTY)
