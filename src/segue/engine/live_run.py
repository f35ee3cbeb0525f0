"""A run in the memory of the engine that owns it.

Owns the records of all tasks, and what makes settling one task cost no more than
its own edges: open-needs counts, the heap of ready tasks, the heap of times. It
changes only through `apply`, with what `decide` answered.
"""

from __future__ import annotations

import heapq
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple

from segue.model.run import AttemptRecord, Node, RunRecord, TaskRecord
from segue.model.states import FINAL, OUTSIDE, Cause, TaskState
from segue.model.workflow import Task

NEW = TaskRecord()


class Tally(NamedTuple):
    """How the needs of one node have ended so far.

    `faulty` counts needs that failed, were cancelled, or were skipped because of
    such a one; `neutral` counts needs that their trigger rule skipped.
    """

    open: int = 0
    succeeded: int = 0
    faulty: int = 0
    neutral: int = 0

    def settled(self, record: TaskRecord) -> Tally:
        """Return the tally after one more need has ended as `record` says."""
        return count_end(self._replace(open=self.open - 1), record)


def count_end(tally: Tally, record: TaskRecord) -> Tally:
    """Return the tally with the end of one need counted."""
    if record.state is TaskState.SUCCEEDED:
        return tally._replace(succeeded=tally.succeeded + 1)
    if record.state is TaskState.SKIPPED and record.cause is Cause.RULE_NOT_MET:
        return tally._replace(neutral=tally.neutral + 1)
    return tally._replace(faulty=tally.faulty + 1)


def count_need(tally: Tally, record: TaskRecord) -> Tally:
    """Return the tally with one more need counted, ended or open."""
    if record.state in FINAL:
        return count_end(tally, record)
    return tally._replace(open=tally.open + 1)


class Step(NamedTuple):
    """One task's change of state."""

    task: int
    attempt: int
    old: TaskState
    new: TaskState
    at: float
    cause: Cause | None = None
    detail: str = ""


class Submit(NamedTuple):
    """Hand the newest attempt of the task to its executor."""

    task: int
    attempt: int


class CancelJob(NamedTuple):
    """Ask the executor for the end of the attempt."""

    task: int
    attempt: int


class ReadOutput(NamedTuple):
    """Read what a generator printed."""

    task: int
    attempt: int


class Recall(NamedTuple):
    """Take back what executors hold and have not begun."""


Deed = Submit | CancelJob | ReadOutput | Recall


class Decision(NamedTuple):
    """What follows from an event: steps and deeds, and the records after them.

    `steps` is the story in order; `records`, `tallies` and `attempts` are its outcome,
    ready to be applied and stored. `nodes` are new ones, `late_needs` new needs of old ones,
    `reused` the attempts of an earlier run that belong to this one now, `patched` tasks with
    new definitions.
    """

    steps: Sequence[Step] = ()
    deeds: Sequence[Deed] = ()
    records: Mapping[int, TaskRecord] = {}
    tallies: Mapping[int, Tally] = {}
    attempts: Mapping[int, AttemptRecord] = {}
    run: RunRecord | None = None
    nodes: Sequence[Node] = ()
    late_needs: Sequence[tuple[int, str]] = ()
    remarks: Sequence[str] = ()
    reused: Sequence[AttemptRecord] = ()
    patched: Mapping[int, Task] = {}

    def __bool__(self) -> bool:
        return bool(self.steps or self.deeds or self.records or self.attempts or self.run)


NO_DECISION = Decision()


class LiveRun:
    """One run: its nodes, how far each has come, and which may go on."""

    def __init__(
        self,
        record: RunRecord,
        nodes: Iterable[Node],
        records: Sequence[TaskRecord] = (),
        attempts: Iterable[AttemptRecord] = (),
        history_number: int = 0,
    ) -> None:
        self.record = record
        self.nodes: list[Node] = []
        self.records: list[TaskRecord] = []
        self.tallies: list[Tally] = []
        self.dependents: list[list[int]] = []
        self.index: dict[str, int] = {}
        #: The newest attempt of each task that is outside.
        self.attempts: dict[int, AttemptRecord] = {each.task: each for each in attempts}
        self.counts: Counter[TaskState] = Counter()
        self.open_nodes = 0
        self.in_flight: set[int] = set()
        self.history_number = history_number
        self._priorities: set[int] = set()
        self._timers: list[tuple[float, int]] = []
        self._ready: dict[str, list[tuple[int, int]]] = {}
        self._add(list(nodes), records)

    def _add(self, nodes: Sequence[Node], records: Sequence[TaskRecord] = ()) -> None:
        first = len(self.nodes)
        for offset, node in enumerate(nodes):
            self.index[node.name] = first + offset
            if isinstance(node, Task):
                self._priorities.add(node.priority)
        self.nodes.extend(nodes)
        self.records.extend(records or [NEW] * len(nodes))
        self.dependents.extend([] for _ in nodes)
        self.tallies.extend([Tally()] * len(nodes))
        index, dependents = self.index, self.dependents
        for position in range(first, len(self.nodes)):
            node = self.nodes[position]
            for need in node.needs:
                dependents[index[need]].append(position)
            self.tallies[position] = self.tally_of(node.needs)
            self._count_in(position, self.records[position])

    def tally_of(self, needs: Iterable[str]) -> Tally:
        """Return how the needs stand, counted from their records."""
        tally = Tally()
        for need in needs:
            tally = count_need(tally, self.records[self.index[need]])
        return tally

    def task(self, position: int) -> Task:
        """Return the task at the position; a barrier there is a bug of ours."""
        node = self.nodes[position]
        assert isinstance(node, Task)
        return node

    # What goes on ------------------------------------------------------------

    def due(self, now: float) -> list[int]:
        """Return the waiting tasks whose time has come, in order of time."""
        if not self._timers or self._timers[0][0] > now:
            return []
        come = [(when, position) for when, position in self._timers if when <= now]
        return [
            position for when, position in sorted(set(come)) if self._timer_counts(when, position)
        ]

    def next_time(self) -> float | None:
        """Return when the next waiting task is due, or None."""
        while self._timers and not self._timer_counts(*self._timers[0]):
            heapq.heappop(self._timers)
        return self._timers[0][0] if self._timers else None

    def timed(self) -> list[int]:
        """Return the tasks that wait for a time, in the order of the graph."""
        return sorted({at for when, at in self._timers if self._timer_counts(when, at)})

    def _timer_counts(self, when: float, position: int) -> bool:
        record = self.records[position]
        return record.state is TaskState.WAITING and record.not_before == when and not record.held

    def ready(self, pool: str, at_most: int) -> list[int]:
        """Return up to `at_most` ready tasks of the pool, the first to start first."""
        heap = self._ready.get(pool, [])
        taken: list[tuple[int, int]] = []
        while heap and len(taken) < at_most:
            entry = heapq.heappop(heap)
            # The same one can be there twice, and then comes twice in a row.
            if self._ready_counts(pool, entry) and taken[-1:] != [entry]:
                taken.append(entry)
        for entry in taken:
            heapq.heappush(heap, entry)
        return [position for _, position in taken]

    def _ready_counts(self, pool: str, entry: tuple[int, int]) -> bool:
        """Tell whether an entry of the heap still holds: a patch may have moved the task."""
        if self.records[entry[1]].state is not TaskState.READY:
            return False
        task = self.task(entry[1])
        return task.priority == -entry[0] and (task.pool or self.record.pool) == pool

    def overtakes(self, pool: str) -> bool:
        """Tell whether a ready task of the pool should go before one that waits outside.

        Executors hold some jobs ahead; a task of higher priority must not wait behind them.
        """
        if len(self._priorities) < 2:
            return False
        best = self.ready(pool, 1)
        if not best:
            return False
        priority = self.task(best[0]).priority
        return any(
            self.task(position).priority < priority
            for position in self.in_flight
            if self.records[position].state is not TaskState.RUNNING
        )

    def pools(self) -> list[str]:
        """Return the pools that ready tasks have asked for."""
        return [pool for pool, heap in self._ready.items() if heap]

    def has_ready(self) -> bool:
        """Tell whether any task is ready to start."""
        return self.counts[TaskState.READY] > 0

    # Change ------------------------------------------------------------------

    def apply(self, decision: Decision) -> None:
        """Make the decision true in memory."""
        if decision.nodes:
            self._add(decision.nodes)
        for position, need in decision.late_needs:
            self.dependents[self.index[need]].append(position)
            node = self.nodes[position]
            self.nodes[position] = _with_need(node, need)
        for position, task in decision.patched.items():
            self.nodes[position] = task
            self._priorities.add(task.priority)
        for position, record in decision.records.items():
            self._count_out(position, self.records[position])
            self.records[position] = record
            self._count_in(position, record)
        for position, tally in decision.tallies.items():
            self.tallies[position] = tally
        for position, attempt in decision.attempts.items():
            if self.records[position].state in OUTSIDE:
                self.attempts[position] = attempt
            else:
                self.attempts.pop(position, None)
        if decision.run is not None:
            self.record = decision.run

    def _count_out(self, position: int, record: TaskRecord) -> None:
        if isinstance(self.nodes[position], Task):
            self.counts[record.state] -= 1
        if record.state not in FINAL:
            self.open_nodes -= 1
        if record.state in OUTSIDE:
            self.in_flight.discard(position)

    def _count_in(self, position: int, record: TaskRecord) -> None:
        node = self.nodes[position]
        if isinstance(node, Task):
            self.counts[record.state] += 1
        if record.state in FINAL:
            return
        self.open_nodes += 1
        if record.state in OUTSIDE:
            self.in_flight.add(position)
        elif record.state is TaskState.READY and isinstance(node, Task):
            pool = node.pool or self.record.pool
            heapq.heappush(self._ready.setdefault(pool, []), (-node.priority, position))
        elif record.not_before:
            heapq.heappush(self._timers, (record.not_before, position))


def _with_need(node: Node, need: str) -> Node:
    return replace(node, needs=(*node.needs, need))
