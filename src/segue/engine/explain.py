"""Why does my task wait? Answers in sentences, from the store alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from segue.engine.refusal import refusal_of
from segue.model.errors import shorten
from segue.model.run import AttemptRecord, RunRecord
from segue.model.states import FINAL, FINAL_RUN, OUTSIDE, Cause, RunState, TaskState
from segue.model.times import duration
from segue.model.workflow import Task, TriggerRule
from segue.protocols.store import Store, StoredNode, TaskFilter

_SHOWN = 8


@dataclass(frozen=True, slots=True)
class Explanation:
    """What a task does and why; `steps` are things to try next."""

    task: str
    state: str
    sentence: str
    reasons: Sequence[str] = ()
    steps: Sequence[str] = ()


def explain(
    store: Store, run: RunRecord, stored: StoredNode, now: float, engine: bool
) -> Explanation:
    """Return why the task is where it is. `engine`: an engine owns the run now."""
    attempts = list(store.attempts(run.id, [stored.position]))
    state = stored.record.state
    if state in FINAL:
        said = _ended(store, run, stored, attempts)
    elif state in OUTSIDE:
        said = _outside(stored, attempts, now)
    elif state is TaskState.READY:
        said = _ready(store, run)
    else:
        said = _waiting(store, run, stored, now)
    sentence, reasons, steps = said
    if state not in FINAL and not engine and run.state not in FINAL_RUN:
        refused = refusal_of(store, run.id)
        reasons = [*reasons, "no engine owns the run now, so nothing of it moves"]
        if refused:
            reasons = [*reasons, refused]
        else:
            steps = [*steps, f"segue resume {run.id}"]
    if state not in FINAL and run.cancelling:
        reasons = [*reasons, "the run is being cancelled"]
    return Explanation(stored.node.name, state.value, sentence, reasons, steps)


Said = tuple[str, list[str], list[str]]


def _waiting(store: Store, run: RunRecord, stored: StoredNode, now: float) -> Said:
    record = stored.record
    if record.held:
        steps = [f"segue release {run.id} {shorten(stored.node.name)}"]
        return "it is held: a person keeps it from starting", [], steps
    if record.not_before:
        left = duration(max(0.0, record.not_before - now))
        why = f"attempt {record.attempt} ended: {_cause(record.cause)}"
        return f"it waits {left} for its next attempt", [why], []
    needs = _needs(store, run, stored)
    open_needs = [need for need in needs if need.record.state not in FINAL]
    reasons = [_need_line(need) for need in open_needs[:_SHOWN]]
    if len(open_needs) > _SHOWN:
        reasons.append(f"and {len(open_needs) - _SHOWN} more")
    rule = _rule(stored)
    steps = [f"segue why {run.id} {shorten(open_needs[0].node.name)}"] if open_needs else []
    number = f"{len(open_needs)} of its {len(needs)} needs"
    return f"it waits for {number} ({_RULES[rule]})", reasons, steps


def _ready(store: Store, run: RunRecord) -> Said:
    if run.state is RunState.PAUSED:
        return "it may start, but the run is paused", [], [f"segue resume {run.id}"]
    living = sum(run.counts.get(state.value, 0) for state in OUTSIDE)
    reasons = [f"{living} tasks of the run are out now"]
    if run.limit and living >= run.limit:
        reasons.append(f"the run lets at most {run.limit} be out at once")
    ahead = run.counts.get(TaskState.READY.value, 0)
    return f"it may start as soon as there is room; {ahead} tasks are ready", reasons, []


def _outside(stored: StoredNode, attempts: list[AttemptRecord], now: float) -> Said:
    attempt = attempts[-1]
    reasons = [f"attempt {attempt.number} in {attempt.place}"]
    if attempt.job_id:
        reasons.append(f"job id {attempt.job_id}" + (f" on {attempt.node}" if attempt.node else ""))
    if stored.record.cancelling:
        reasons.append("its end has been asked for")
    if stored.record.state is TaskState.RUNNING and attempt.started_at is not None:
        if attempt.ended_at is not None:
            return "it has ended, and what it printed is being read", reasons, []
        return f"it has been running for {duration(now - attempt.started_at)}", reasons, []
    if stored.record.state is TaskState.SUBMITTED:
        since = duration(max(0.0, now - attempt.submitted_at)) if attempt.submitted_at else ""
        had = f"has had it for {since}" if since else "has it"
        if attempt.message:
            reasons.append(attempt.message)
        return f"the executor {had}, and has not begun it", reasons, []
    return "it is being handed to the executor", reasons, []


def _ended(store: Store, run: RunRecord, stored: StoredNode, attempts: list[AttemptRecord]) -> Said:
    name, state, cause = stored.node.name, stored.record.state, stored.record.cause
    if state is TaskState.SUCCEEDED:
        reasons = [_attempt_line(each) for each in attempts[-1:]]
        if not stored.record.reused_from:
            return "it has succeeded", reasons, []
        said = f"taken over from run {stored.record.reused_from}, since nothing of it has changed"
        return "it has succeeded, and was not run again", [said, *reasons], []
    if state is TaskState.CANCELLED:
        return "it was cancelled by a person", [], [f"segue retry {run.id} {shorten(name)}"]
    if state is TaskState.FAILED:
        reasons = [_attempt_line(each) for each in attempts[-_SHOWN:]]
        steps = [f"segue logs {run.id} {shorten(name)}", f"segue retry {run.id} {shorten(name)}"]
        return f"it has failed: {_how(cause, attempts)}", reasons, steps
    needs = _needs(store, run, stored)
    to_blame = [need for need in needs if need.record.state in FINAL]
    to_blame = [need for need in to_blame if need.record.state is not TaskState.SUCCEEDED] or needs
    reasons = [_need_line(need) for need in to_blame[:_SHOWN]]
    rule = _RULES[_rule(stored)]
    if cause is Cause.RULE_NOT_MET:
        return f"it was skipped: its rule ({rule}) is not met", reasons, []
    roots = _roots(store, run, to_blame)
    reasons += [f"at the root of it: {_need_line(root)}" for root in roots if root not in to_blame]
    steps = [f"segue why {run.id} {shorten(root.node.name)}" for root in roots[:1]]
    return f"it was skipped: a need did not succeed ({rule})", reasons, steps


def _needs(store: Store, run: RunRecord, stored: StoredNode) -> list[StoredNode]:
    """Return the tasks that a task needs; a barrier stands for what is behind it."""
    found: list[StoredNode] = []
    todo = [stored.node.needs]
    while todo:
        for each in store.nodes(run.id, TaskFilter(names=todo.pop())):
            if isinstance(each.node, Task):
                found.append(each)
            else:
                todo.append(each.node.needs)
    return found


def _roots(store: Store, run: RunRecord, blamed: Sequence[StoredNode]) -> list[StoredNode]:
    """Return the failed or cancelled tasks far up that skipped ones go back to.

    All that can lie on the way is read at once: a question to the store for each link of a
    long chain would take minutes.
    """
    wanted = TaskFilter(states=(TaskState.FAILED, TaskState.CANCELLED, TaskState.SKIPPED))
    unhappy = {each.node.name: each for each in store.nodes(run.id, wanted)}
    seen: set[str] = set()
    roots: list[StoredNode] = []
    todo = [each.node.name for each in blamed]
    while todo and len(roots) < _SHOWN:
        name = todo.pop()
        each = unhappy.get(name)
        if each is None or name in seen:
            continue
        seen.add(name)
        if each.record.state is TaskState.SKIPPED:
            todo += each.node.needs
        elif isinstance(each.node, Task):
            roots.append(each)
    return roots


def _rule(stored: StoredNode) -> TriggerRule:
    return stored.node.trigger if isinstance(stored.node, Task) else TriggerRule.ALL_SUCCESS


def _need_line(stored: StoredNode) -> str:
    record = stored.record
    cause = f" ({_cause(record.present_cause)})" if record.present_cause is not None else ""
    return f"{shorten(stored.node.name)}: {record.state}{cause}"


def _attempt_line(attempt: AttemptRecord) -> str:
    parts = [f"attempt {attempt.number}: {attempt.state}"]
    if attempt.exit_code is not None:
        parts.append(f"exit code {attempt.exit_code}")
    if attempt.signal is not None:
        parts.append(f"signal {attempt.signal}")
    if attempt.started_at is not None and attempt.ended_at is not None:
        parts.append(f"after {duration(attempt.ended_at - attempt.started_at)}")
    if attempt.message:
        parts.append(attempt.message)
    return ", ".join(parts)


def _how(cause: Cause | None, attempts: list[AttemptRecord]) -> str:
    """Return the cause with its number: the exit code, or the signal."""
    number = None
    if attempts and cause is Cause.EXIT_CODE:
        number = attempts[-1].exit_code
    elif attempts and cause is Cause.SIGNAL:
        number = attempts[-1].signal
    return _cause(cause) if number is None else f"{_cause(cause)} {number}"


def _cause(cause: Cause | None) -> str:
    return cause.value.replace("_", " ") if cause is not None else "unknown"


_RULES = {
    TriggerRule.ALL_SUCCESS: "all must succeed",
    TriggerRule.ANY_SUCCESS: "one must succeed",
    TriggerRule.ALL_COMPLETED: "all must end",
    TriggerRule.ALL_FAILED: "all must fail",
    TriggerRule.ANY_FAILED: "one must fail",
    TriggerRule.ALWAYS: "one must end",
}
