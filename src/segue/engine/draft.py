"""A decision in the making: reads a run, keeps what it changes to itself."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from segue.engine.live_run import (
    NEW,
    Decision,
    Deed,
    LiveRun,
    Step,
    Tally,
    count_need,
)
from segue.model.run import AttemptRecord, Node, RunRecord, TaskRecord
from segue.model.states import FINAL, Cause, TaskState, check_step
from segue.model.workflow import Task


class Draft:
    """What `decide` works on; the run below it stays as it is."""

    def __init__(self, run: LiveRun, now: float) -> None:
        self.base = run
        self.now = now
        self.steps: list[Step] = []
        self.deeds: list[Deed] = []
        self.remarks: list[str] = []
        #: Attempts of an earlier run that are this run's now.
        self.reused: list[AttemptRecord] = []
        #: Tasks that have a new definition.
        self.patched: dict[int, Task] = {}
        self._records: dict[int, TaskRecord] = {}
        self._tallies: dict[int, Tally] = {}
        self._attempts: dict[int, AttemptRecord] = {}
        self._run: RunRecord | None = None
        self._nodes: list[Node] = []
        self._index: dict[str, int] = {}
        self._late: list[tuple[int, str]] = []
        self._dependents: dict[int, list[int]] = {}
        self._opened = 0

    # Reading -----------------------------------------------------------------

    @property
    def run(self) -> RunRecord:
        """The run's record as it is now."""
        return self._run or self.base.record

    @property
    def size(self) -> int:
        """The number of nodes, new ones included."""
        return len(self.base.nodes) + len(self._nodes)

    @property
    def open_nodes(self) -> int:
        """The number of nodes that have not ended."""
        return self.base.open_nodes + self._opened

    def node(self, position: int) -> Node:
        """Return the node at the position."""
        known = len(self.base.nodes)
        if position >= known:
            return self._nodes[position - known]
        return self.patched.get(position) or self.base.nodes[position]

    def position(self, name: str) -> int:
        """Return where the node of that name is."""
        found = self.base.index.get(name)
        return self._index[name] if found is None else found

    def knows(self, name: str) -> bool:
        """Tell whether there is a node of that name."""
        return name in self.base.index or name in self._index

    def record(self, position: int) -> TaskRecord:
        """Return how far the node has come."""
        changed = self._records.get(position)
        if changed is not None:
            return changed
        return self.base.records[position] if position < len(self.base.records) else NEW

    def tally(self, position: int) -> Tally:
        """Return how the needs of the node stand."""
        changed = self._tallies.get(position)
        return self.base.tallies[position] if changed is None else changed

    def dependents(self, position: int) -> Sequence[int]:
        """Return the nodes that need this one."""
        added = self._dependents.get(position)
        old = self.base.dependents[position] if position < len(self.base.dependents) else ()
        return old if added is None else [*old, *added]

    def attempt(self, position: int) -> AttemptRecord | None:
        """Return the newest attempt of a task that is outside."""
        return self._attempts.get(position) or self.base.attempts.get(position)

    # Writing -----------------------------------------------------------------

    def step(
        self, position: int, record: TaskRecord, cause: Cause | None = None, detail: str = ""
    ) -> None:
        """Move the node to the record's state, which must be a step of the table."""
        old = self.record(position)
        check_step(old.state, record.state)
        if record.held and record.state is not TaskState.WAITING:
            record = record._replace(held=False)
        self.steps.append(
            Step(position, record.attempt, old.state, record.state, self.now, cause, detail)
        )
        self._opened += (old.state in FINAL) - (record.state in FINAL)
        self._records[position] = record

    def keep(self, position: int, record: TaskRecord) -> None:
        """Change what is noted of the node without a change of state."""
        assert record.state is self.record(position).state
        self._records[position] = record

    def set_tally(self, position: int, tally: Tally) -> None:
        """Note how the needs of the node stand."""
        self._tallies[position] = tally

    def set_attempt(self, attempt: AttemptRecord) -> None:
        """Note how the newest attempt of its task stands."""
        self._attempts[attempt.task] = attempt

    def set_run(self, record: RunRecord) -> None:
        """Note how the run stands."""
        self._run = record

    def add(self, nodes: Iterable[Node]) -> range:
        """Add nodes, waiting; return their positions. Their needs must exist by then."""
        first = self.size
        for node in nodes:
            self._index[node.name] = self.size
            self._nodes.append(node)
            self._opened += 1
        added = range(first, self.size)
        for position in added:
            for need in self.node(position).needs:
                self._dependents.setdefault(self.position(need), []).append(position)
        for position in added:
            self.recount(position)
        return added

    def add_need(self, position: int, need: str) -> None:
        """Let an old node need one more; only its tally changes, its other needs are not walked."""
        self._late.append((position, need))
        self._dependents.setdefault(self.position(need), []).append(position)
        needed = self.record(self.position(need))
        self._tallies[position] = count_need(self.tally(position), needed)

    def recount(self, position: int) -> None:
        """Count anew how the needs of the node stand."""
        tally = Tally()
        for need in self.node(position).needs:
            tally = count_need(tally, self.record(self.position(need)))
        self._tallies[position] = tally

    def decision(self) -> Decision:
        """Return the finished decision."""
        return Decision(
            self.steps,
            self.deeds,
            self._records,
            self._tallies,
            self._attempts,
            self._run,
            self._nodes,
            self._late,
            self.remarks,
            self.reused,
            self.patched,
        )


def is_waiting_for_needs(record: TaskRecord) -> bool:
    """Tell whether the trigger rule of the node is still to be answered.

    A task that waits for the time of its next attempt has been answered before.
    """
    return record.state is TaskState.WAITING and not record.not_before
