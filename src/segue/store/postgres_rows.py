"""Records as PostgreSQL takes them: many rows as one JSON array of objects. Pure."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from segue.model.run import Lease
from segue.model.states import TaskState
from segue.protocols.store import Commit
from segue.store import rows

RUN_CHANGE: Final = (
    "state", "started_at", "ended_at", "priority", "cancelling", "counts", "task_limit",
    "restart_limit", "slots", "updated_at", "number",
)  # fmt: skip
NODE: Final = ("run", "position", "name", "template", "barrier")
NODE_CHANGE: Final = (
    "state", "attempt", "cause", "failures", "losses", "restarts", "not_before", "cancelling",
    "refusals", "reused_from", "held", "run", "position", "old",
)  # fmt: skip
ATTEMPT: Final = (
    "run", "task", "number", "state", "place", "folder", "job_id", "node", "cause", "exit_code",
    "signal", "submitted_at", "started_at", "ended_at", "cpu_s", "peak_rss_bytes", "message",
    "restarted",
)  # fmt: skip
HISTORY: Final = ("run", "number", "at", "kind", "task", "attempt", "old", "new", "detail")
DEFINITION: Final = ("run", "position", "definition")
HELD: Final = ("run", "epoch", "owner")

_encode: Final = json.JSONEncoder(separators=(",", ":"), ensure_ascii=False).encode
#: PostgreSQL keeps no NUL in a text; people see this instead.
_REPLACED: Final = "\ufffd"

#: Commits of one turn, each with the number of its run.
Numbered = Sequence[tuple[int, Commit]]


def clean(row: Iterable[Any]) -> tuple[Any, ...]:
    """Return the row with what PostgreSQL does not keep in a text replaced.

    Examples
    --------
    >>> clean((1, "a" + chr(0)))
    (1, 'a\ufffd')
    """
    return tuple(
        each.replace("\0", _REPLACED) if isinstance(each, str) and "\0" in each else each
        for each in row
    )


def as_json(names: Sequence[str], found: Sequence[tuple[Any, ...]]) -> str:
    """Return rows as one JSON array of objects.

    Examples
    --------
    >>> as_json(("run", "number"), [(1, 2)])
    '[{"run":1,"number":2}]'
    """
    text = _encode([dict(zip(names, row, strict=True)) for row in found])
    if "\\u0000" in text:
        text = _encode([dict(zip(names, clean(row), strict=True)) for row in found])
    return text


def held(leases: Iterable[tuple[int, Lease]]) -> str:
    """Return the leases, each with the number of its run, as `hold_leases` takes them."""
    return as_json(HELD, [(number, lease.epoch, lease.owner) for number, lease in leases])


def new_nodes(commits: Numbered) -> list[tuple[Any, ...]]:
    """Return the rows of nodes that generators have added."""
    return [
        rows.node_row(run, commit.first_new + at, node)
        for run, commit in commits
        for at, node in enumerate(commit.nodes)
    ]


def node_changes(commits: Numbered) -> list[tuple[Any, ...]]:
    """Return the rows of tasks that have changed."""
    return [
        (*rows.task_row(record), run, position, old.value)
        for run, commit in commits
        for position, (old, record) in commit.steps.items()
    ]


def kept_attempts(commits: Numbered) -> list[tuple[Any, ...]]:
    """Return the rows of attempts that are to be there."""
    return [
        rows.attempt_row(run, attempt)
        for run, commit in commits
        for attempt in commit.attempts.values()
        if attempt.state is not TaskState.READY
    ]


def gone_attempts(commits: Numbered) -> list[tuple[int, int, int]]:
    """Return the keys of attempts that were given back."""
    return [
        (run, attempt.task, attempt.number)
        for run, commit in commits
        for attempt in commit.attempts.values()
        if attempt.state is TaskState.READY
    ]


def history(commits: Numbered) -> list[tuple[Any, ...]]:
    """Return the rows of what has happened."""
    return [rows.history_row(run, line) for run, commit in commits for line in commit.history]


def run_changes(commits: Numbered) -> list[tuple[Any, ...]]:
    """Return the rows of the runs themselves."""
    return [
        rows.run_change(commit.run_record, run)
        for run, commit in commits
        if commit.run_record is not None
    ]


def patched_definitions(commit: Commit) -> dict[int, str]:
    """Return the definitions of tasks that a person has changed, by position."""
    return {at: rows.node_row(0, at, node)[-1] for at, node in commit.patched.items()}


def late_definitions(commit: Commit, stored: Mapping[int, str]) -> dict[int, str]:
    """Return the definitions that late needs change, by position; `stored` holds the old ones."""
    changed: dict[int, str] = {}
    for position, need in commit.late_needs:
        before = changed.get(position) or stored.get(position)
        if before is None:
            before = rows.node_row(0, position, commit.nodes[position - commit.first_new])[-1]
        changed[position] = rows.with_need(before, need)
    return changed
