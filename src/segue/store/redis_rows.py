"""Records as the JSON documents of the Redis store, and back. Pure."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import fields
from typing import Any, Final

from segue.model.access import Role, Token
from segue.model.definition import (
    barrier_from_json,
    barrier_to_json,
    task_from_json,
    task_to_json,
)
from segue.model.events import NO_USAGE, Usage
from segue.model.run import AttemptRecord, HistoryRecord, Lease, Node, RunRecord, TaskRecord
from segue.model.states import Cause, RunState, TaskState
from segue.model.workflow import Barrier, Verdict
from segue.protocols.store import Commit, Request, TaskFilter

#: All signs beyond ASCII are escaped: what a person typed may hold bytes that are no text.
_encode: Final = json.JSONEncoder(separators=(",", ":")).encode
_RUN_FIELDS: Final = tuple(each.name for each in fields(RunRecord))

Words = list[str | int]


def run_text(run: RunRecord) -> str:
    """Return the document of a run."""
    value = {name: getattr(run, name) for name in _RUN_FIELDS}
    for name in ("tags", "context", "counts"):
        value[name] = dict(value[name])
    # Within a text of its own: RedisJSON would refuse half of a pair of surrogates.
    value["reading"] = _encode(dict(run.reading))
    return _encode(value)


def run_record(value: Mapping[str, Any]) -> RunRecord:
    """Return the run of a document."""
    known = {name: value[name] for name in _RUN_FIELDS if name in value}
    known["state"] = RunState(known["state"])
    known["verdict"] = Verdict(known["verdict"])
    known["reading"] = json.loads(known["reading"])
    return RunRecord(**known)


def node_text(node: Node) -> str:
    """Return the document of a task or barrier."""
    if isinstance(node, Barrier):
        return _encode({"barrier": barrier_to_json(node)})
    return _encode({"task": task_to_json(node)})


def node_of(value: Mapping[str, Any]) -> Node:
    """Return the task or barrier of a document."""
    if "barrier" in value:
        return barrier_from_json(value["barrier"])
    return task_from_json(value["task"])


def record_text(record: TaskRecord) -> str:
    """Return the document of how far a task has come; its state stands first."""
    return _encode(dict(zip(TaskRecord._fields, record, strict=True)))


def task_record(value: Mapping[str, Any]) -> TaskRecord:
    """Return how far a task has come."""
    known = dict(value)
    known["state"] = TaskState(known["state"])
    known["cause"] = _cause(known["cause"])
    return TaskRecord(**known)


def attempt_text(attempt: AttemptRecord) -> str:
    """Return the document of an attempt."""
    return _encode(dict(zip(AttemptRecord._fields, attempt, strict=True)))


def attempt_record(value: Mapping[str, Any]) -> AttemptRecord:
    """Return the attempt of a document."""
    known = dict(value)
    known["state"] = TaskState(known["state"])
    known["cause"] = _cause(known["cause"])
    known["usage"] = Usage(*known["usage"]) if any_of(known["usage"]) else NO_USAGE
    return AttemptRecord(**known)


def any_of(values: Sequence[Any]) -> bool:
    """Tell whether anything is known."""
    return any(value is not None for value in values)


def _cause(word: str | None) -> Cause | None:
    return None if word is None else Cause(word)


def history_text(record: HistoryRecord) -> str:
    """Return a line of the history."""
    return _encode(dict(zip(HistoryRecord._fields, record, strict=True)))


def history_record(text: str) -> HistoryRecord:
    """Return what a line of the history says."""
    return HistoryRecord(**json.loads(text))


def token_text(token: Token) -> str:
    """Return the document of a token."""
    value = {each.name: getattr(token, each.name) for each in fields(Token)}
    return _encode(value | {"role": token.role.word})


def token_of(text: str) -> Token:
    """Return the token of a document."""
    value = json.loads(text)
    return Token(**(value | {"role": Role[value["role"].upper()]}))


def command_text(request: Request) -> str:
    """Return the document of a request."""
    return _encode({"kind": request.kind, "argument": dict(request.argument), "at": request.at})


def is_wanted(node: Node, record: TaskRecord, wanted: TaskFilter) -> bool:
    """Tell whether a filter lets a node through; its paging is left to the reader."""
    template = getattr(node, "template", "") or node.name
    return (
        (not wanted.states or record.state in wanted.states)
        and (not wanted.template or template == wanted.template)
        and (not wanted.names or node.name in wanted.names)
    )


# A commit ------------------------------------------------------------------------------


def commit_words(commit: Commit, lease: Lease, definitions: Mapping[int, str]) -> Words:
    """Return what `commit.lua` reads of one commit, in its order.

    `definitions` are the documents of nodes that have changed.
    """
    new = _encode(dict(zip(TaskRecord._fields, TaskRecord(), strict=True)))
    words: Words = [commit.run, lease.owner, lease.epoch, len(commit.nodes)]
    for position, node in enumerate(commit.nodes, commit.first_new):
        words += (position, node.name, node_text(node), new)
    words.append(len(definitions))
    for position, text in definitions.items():
        words += (position, text)
    words.append(len(commit.steps))
    for position, (old, record) in commit.steps.items():
        words += (position, old.value, record.state.value, record_text(record))
    words += _attempt_words(commit)
    words += (commit.history[0].number if commit.history else 0, len(commit.history))
    for line in commit.history:
        step = f"{line.old}>{line.new}" if line.kind == "step" else ""
        words += (history_text(line), step)
    words.append("" if commit.run_record is None else run_text(commit.run_record))
    words.append(len(commit.commands_taken))
    words += commit.commands_taken
    return words


def _attempt_words(commit: Commit) -> Words:
    kept = [each for each in commit.attempts.values() if each.state is not TaskState.READY]
    gone = [each for each in commit.attempts.values() if each.state is TaskState.READY]
    words: Words = [len(kept)]
    for attempt in kept:
        words += (attempt.task, attempt.number, attempt_text(attempt))
    words.append(len(gone))
    for attempt in gone:
        words += (attempt.task, attempt.number)
    return words


def new_definitions(commit: Commit, stored: Mapping[int, Mapping[str, Any]]) -> dict[int, str]:
    """Return the documents that patches and late needs change, by position.

    `stored` holds the old ones of those with late needs.
    """
    changed: dict[int, Any] = {
        at: json.loads(node_text(node)) for at, node in commit.patched.items()
    }
    for position, need in commit.late_needs:
        if position not in changed:
            fresh = position >= commit.first_new and commit.nodes
            text = node_text(commit.nodes[position - commit.first_new]) if fresh else ""
            changed[position] = json.loads(text or _encode(stored[position]))
        (definition,) = changed[position].values()
        needs = definition.setdefault("needs", [])
        if need not in needs:
            needs.append(need)
    return {position: _encode(value) for position, value in changed.items()}
