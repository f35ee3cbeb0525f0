"""The slow decision: walks everything, remembers nothing, is easy to believe.

The engine's own decision keeps counts so that settling a task costs no more than its
edges. This one looks at all needs of all tasks each time. Both must say the same; the
property tests hold one against the other.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence

from segue.engine.draft import is_waiting_for_needs
from segue.engine.live_run import LiveRun
from segue.model.run import Node, TaskRecord
from segue.model.states import FINAL, OUTSIDE, Cause, RunState, TaskState
from segue.model.workflow import Barrier, Task, TriggerRule, Verdict


def may_start(rule: TriggerRule, ends: Sequence[bool | None]) -> bool | None:
    """Return whether a task may start (True), never will (False), or must wait (None).

    `ends` holds, for each need, whether it succeeded; None: it has not ended.
    """
    if not ends:
        return True
    ended = [end for end in ends if end is not None]
    waiting = len(ended) < len(ends)
    if rule is TriggerRule.ALL_SUCCESS:
        return False if False in ended else (None if waiting else True)
    if rule is TriggerRule.ANY_SUCCESS:
        return True if True in ended else (None if waiting else False)
    if rule is TriggerRule.ALL_COMPLETED:
        return None if waiting else True
    if rule is TriggerRule.ALL_FAILED:
        return False if True in ended else (None if waiting else True)
    if rule is TriggerRule.ANY_FAILED:
        return True if False in ended else (None if waiting else False)
    return True if ended else None


def rule_of(node: Node) -> TriggerRule:
    """Return the rule of a task or barrier."""
    if isinstance(node, Task):
        return node.trigger
    return TriggerRule.ALL_COMPLETED if node.any_end else TriggerRule.ALL_SUCCESS


def ends_of(run: LiveRun, position: int) -> list[bool | None]:
    """Return how each need of a node has ended, from the records alone."""
    ends: list[bool | None] = []
    for need in run.nodes[position].needs:
        state = run.records[run.index[need]].state
        ends.append(state is TaskState.SUCCEEDED if state in FINAL else None)
    return ends


def reusable(run: LiveRun, wanted: Collection[int]) -> set[int]:
    """Return which of the wanted tasks a run that has not begun can take over.

    Those whose needs all succeed by being taken over too, if their rule then lets them start.
    """
    good: set[int] = set()
    while True:
        more = {
            position
            for position, node in enumerate(run.nodes)
            if position not in good
            and (isinstance(node, Barrier) or position in wanted)
            and all(run.index[need] in good for need in node.needs)
            and may_start(rule_of(node), [True] * len(node.needs))
        }
        if not more:
            return {position for position in good if isinstance(run.nodes[position], Task)}
        good |= more


def violations(run: LiveRun) -> Iterator[str]:
    """Yield each way in which a run between two events is not as it must be."""
    for position, (node, record) in enumerate(zip(run.nodes, run.records, strict=True)):
        said = may_start(rule_of(node), ends_of(run, position))
        if is_waiting_for_needs(record) and said is not None and not (record.held and said):
            yield f"{node.name} waits, but its rule says {said}"
        if record.state is TaskState.SKIPPED and said is not False:
            yield f"{node.name} is skipped, but its rule says {said}"
        if record.held and (record.state is not TaskState.WAITING or isinstance(node, Barrier)):
            yield f"{node.name} is held, and yet is {record.state}"
        if record.state in OUTSIDE and isinstance(node, Barrier):
            yield f"{node.name} runs nothing, and yet is {record.state}"
        if record.state in OUTSIDE and position not in run.attempts:
            yield f"{node.name} is {record.state} without an attempt"
        if record.state not in OUTSIDE and position in run.attempts:
            yield f"{node.name} is {record.state} with an open attempt"
        if record.reused_from and record.state is not TaskState.SUCCEEDED:
            yield f"{node.name} was taken over, and yet is {record.state}"
        if record.reused_from and not all(ends_of(run, position)):
            yield f"{node.name} was taken over, though not all of its needs have succeeded"
    yield from _wrong_counts(run)
    yield from _wrong_end(run)


def _wrong_counts(run: LiveRun) -> Iterator[str]:
    for position, record in enumerate(run.records):
        tally = run.tally_of(run.nodes[position].needs)
        if is_waiting_for_needs(record) and tally != run.tallies[position]:
            yield f"{run.nodes[position].name}: needs {tally}, counted {run.tallies[position]}"
    open_nodes = sum(record.state not in FINAL for record in run.records)
    if open_nodes != run.open_nodes:
        yield f"{open_nodes} nodes are open, counted {run.open_nodes}"
    in_flight = {at for at, record in enumerate(run.records) if record.state in OUTSIDE}
    if in_flight != run.in_flight:
        yield f"in flight are {in_flight}, counted {run.in_flight}"
    for state in TaskState:
        number = sum(
            record.state is state and isinstance(node, Task)
            for node, record in zip(run.nodes, run.records, strict=True)
        )
        if number != run.counts[state]:
            yield f"{number} tasks are {state}, counted {run.counts[state]}"


def _wrong_end(run: LiveRun) -> Iterator[str]:
    over = all(record.state in FINAL for record in run.records)
    living = run.record.state in (RunState.RUNNING, RunState.PAUSED)
    if over == living:
        yield f"the run is {run.record.state}, all tasks ended: {over}"
    stuck = run.record.cancelling and not over and not run.in_flight
    if stuck:
        yield "the run is being cancelled, nothing is outside, and it does not end"
    if over and run.record.state is not RunState.CANCELLED:
        expected = expected_verdict(run)
        if run.record.state is not expected:
            yield f"the run is {run.record.state}, it should be {expected}"


def expected_verdict(run: LiveRun) -> RunState:
    """Return how a run whose tasks have all ended must be judged, a cancel apart."""
    for node, record in zip(run.nodes, run.records, strict=True):
        if isinstance(node, Barrier) or record.state is TaskState.SUCCEEDED:
            continue
        if run.record.verdict is Verdict.STRICT:
            return RunState.FAILED
        if record.state is TaskState.SKIPPED:
            continue
        answers = [
            run.records[at].state is TaskState.SUCCEEDED
            for at, other in enumerate(run.nodes)
            if isinstance(other, Task)
            and node.name in other.needs
            and other.trigger in (TriggerRule.ALL_FAILED, TriggerRule.ANY_FAILED)
        ]
        if not any(answers):
            return RunState.FAILED
    return RunState.SUCCEEDED


def blamed_on_failure(run: LiveRun, position: int) -> bool:
    """Tell whether a skipped node must name a failure as its cause, by walking up."""
    node = run.nodes[position]
    if rule_of(node) in (TriggerRule.ALL_FAILED, TriggerRule.ANY_FAILED):
        return False
    return any(_is_fault(run.records[run.index[need]]) for need in node.needs)


def _is_fault(record: TaskRecord) -> bool:
    if record.state is TaskState.SKIPPED:
        return record.cause is not Cause.RULE_NOT_MET
    return record.state in (TaskState.FAILED, TaskState.CANCELLED)
