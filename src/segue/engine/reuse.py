"""What an edited workflow takes over from an earlier run of it, and what runs again. Pure.

A task is taken over when the earlier run has one of that name that succeeded, that does
the same (`segue.model.sameness`), in the same folder, behind the same needs, all of which
are taken over too, and whose own workdir is still there. All others run, each for a reason
that can be told. A generator is taken over with what it printed: its output is read again
for the new run, and the tasks that grow from it are judged like any other.

The door that stores the new run stores the wish with it (`CommandKind.REUSE`), and the
first engine of the new run carries it out before anything can start.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from segue.engine.jobs import task_directory
from segue.engine.live_run import Decision, LiveRun
from segue.model.events import Reused, ReusedTask
from segue.model.run import AttemptRecord, Node, RunRecord
from segue.model.sameness import differences
from segue.model.states import OUTSIDE, TaskState
from segue.model.workflow import Barrier, Growth, Task
from segue.protocols.store import Store, StoredCommand, StoredNode, TaskFilter

#: Reads what a generator has printed: (run, its position, its attempt's folder) -> growth,
#: or why there is none.
ReadGrowth = Callable[[LiveRun, int, str], Growth | str]


@dataclass(frozen=True, slots=True)
class Earlier:
    """A run as it was left.

    Attributes
    ----------
    stored
        Its tasks and barriers by name.
    marks
        What stands for the needs of each node, see `needs_marks`.
    restarted
        Positions of tasks whose restart has run.
    folders
        Folder of the newest attempt of each task, by position.
    """

    record: RunRecord
    stored: Mapping[str, StoredNode]
    marks: Mapping[str, int]
    restarted: frozenset[int]
    folders: Mapping[int, str]


@dataclass(frozen=True, slots=True)
class Plan:
    """What a new run takes over.

    `nodes` are those of the new run, with what taken-over generators have added; `reasons`
    holds, for each of them, why it runs, and is empty where it is taken over.
    """

    earlier: str
    nodes: tuple[Node, ...]
    reasons: tuple[str, ...]

    @property
    def tasks(self) -> list[tuple[Task, str]]:
        """Each task with the reason why it runs; empty: it is taken over."""
        pairs = zip(self.nodes, self.reasons, strict=True)
        return [(node, reason) for node, reason in pairs if isinstance(node, Task)]

    @property
    def reused(self) -> list[str]:
        """Names of the tasks that are taken over."""
        return [task.name for task, reason in self.tasks if not reason]


def earlier_run(store: Store, record: RunRecord) -> Earlier:
    """Return a run as the store holds it now."""
    stored = {each.node.name: each for each in store.nodes(record.id)}
    nodes = [each.node for each in stored.values()]
    restarted: set[int] = set()
    folders: dict[int, str] = {}
    for attempt in store.attempts(record.id):
        folders[attempt.task] = attempt.folder
        if attempt.restarted:
            restarted.add(attempt.task)
    marks = dict(zip(stored, needs_marks(nodes), strict=True))
    return Earlier(record, stored, marks, frozenset(restarted), folders)


def needs_marks(nodes: Sequence[Node]) -> list[int]:
    """Return a number for each node that is equal for equal needs.

    Neither the order of needs counts, nor whether a barrier stands between: adding one
    more dependent may bring a barrier where there was none. Good within one process.

    Examples
    --------
    >>> from segue.model.workflow import Nothing
    >>> plain = [Task("c", Nothing(), needs=("a", "b"))]
    >>> joined = [Barrier("all", ("b", "a")), Task("c", Nothing(), needs=("all",))]
    >>> needs_marks(plain)[0] == needs_marks(joined)[1]
    True
    """
    barriers = {node.name: node for node in nodes if isinstance(node, Barrier)}
    known: dict[str, int] = {}
    for name in barriers:
        todo = [name]
        while todo:
            barrier = barriers[todo[-1]]
            unknown = [need for need in barrier.needs if need in barriers and need not in known]
            if unknown:
                todo += unknown
                continue
            mark = _mark(barrier, known)
            known[todo.pop()] = hash(("any end", mark)) if barrier.any_end else mark
    return [_mark(node, known) for node in nodes]


def _mark(node: Node, barriers: Mapping[str, int]) -> int:
    return sum(barriers[need] if need in barriers else hash(need) for need in node.needs)


def make_plan(
    record: RunRecord,
    nodes: Sequence[Node],
    earlier: Earlier,
    *,
    read_growth: ReadGrowth,
    is_there: Callable[[str], bool],
    hopeful: bool = False,
) -> Plan:
    """Return what a new run of these nodes takes over from an earlier one.

    `record` is the new run: its folders, and what its dialect needs to read what generators
    printed. `is_there` tells whether a folder exists. `hopeful`: judge as if all that is
    outside now had succeeded.
    """
    refused: dict[str, str] = {}
    while True:
        planner = _Planner(LiveRun(record, nodes), earlier, is_there, hopeful, refused)
        grown = planner.grow(read_growth)
        reasons = planner.reasons
        lapsed = [at for at in grown if reasons[at]]
        if not lapsed:
            return Plan(earlier.record.id, tuple(planner.live.nodes), tuple(reasons))
        # What one generator grew changed the needs of another. That one runs again, and
        # must not have grown anything by then.
        refused |= {planner.live.nodes[at].name: reasons[at] for at in lapsed}


@dataclass(slots=True)
class _Planner:
    """Judges the nodes of a run that is not stored yet, whole and again after each growth."""

    live: LiveRun
    earlier: Earlier
    is_there: Callable[[str], bool]
    hopeful: bool
    #: Generators that run again, and why.
    refused: dict[str, str]
    reasons: list[str] = field(default_factory=list)
    #: For each node that does not hold: the task that is to blame.
    _blame: list[str] = field(default_factory=list)
    _marks: list[int] = field(default_factory=list)

    def grow(self, read_growth: ReadGrowth) -> set[int]:
        """Judge, and add what taken-over generators have grown; return where these are."""
        grown: set[int] = set()
        while True:
            self._judge()
            fresh = [
                at
                for at, node in enumerate(self.live.nodes)
                if at not in grown and not self.reasons[at] and self._has_grown(node)
            ]
            if not fresh:
                return grown
            for at in fresh:
                stored = self.earlier.stored[self.live.nodes[at].name]
                growth = read_growth(self.live, at, self.earlier.folders.get(stored.position, ""))
                if isinstance(growth, str):
                    lines = growth.partition("\n")
                    self.refused[self.live.nodes[at].name] = f"it cannot be grown again: {lines[0]}"
                    continue
                grown.add(at)
                late = [(self.live.index[name], need) for name, need in growth.late_needs]
                added: list[Node] = [*growth.tasks, *growth.barriers]
                self.live.apply(Decision(nodes=added, late_needs=late))

    def _has_grown(self, node: Node) -> bool:
        if isinstance(node, Barrier) or node.generator is None:
            return False
        return self.earlier.stored[node.name].record.state is TaskState.SUCCEEDED

    def _judge(self) -> None:
        """Judge each node after all that it needs."""
        nodes, dependents = self.live.nodes, self.live.dependents
        self._marks = needs_marks(nodes)
        self.reasons, self._blame = [""] * len(nodes), [""] * len(nodes)
        waits_for = [len(node.needs) for node in nodes]
        free = deque(at for at, number in enumerate(waits_for) if not number)
        while free:
            at = free.popleft()
            self._judge_one(at)
            for dependent in dependents[at]:
                waits_for[dependent] -= 1
                if not waits_for[dependent]:
                    free.append(dependent)

    def _judge_one(self, at: int) -> None:
        node, index = self.live.nodes[at], self.live.index
        blamed = next(
            (self._blame[index[need]] for need in node.needs if self._blame[index[need]]), ""
        )
        behind = f"needs {blamed!r}, which runs" if blamed else ""
        if isinstance(node, Barrier):
            self.reasons[at], self._blame[at] = behind, blamed
            return
        self.reasons[at] = self._reason(at, node, behind)
        if self.reasons[at]:
            self._blame[at] = node.name

    def _reason(self, at: int, node: Task, behind: str) -> str:
        before = self.earlier.stored.get(node.name)
        if before is None or isinstance(before.node, Barrier):
            return "new"
        changed = self._changed(at, node, before)
        if changed:
            return f"changed: {', '.join(changed)}"
        state = before.record.state
        hoped = self.hopeful and state in OUTSIDE
        if state is not TaskState.SUCCEEDED and not hoped:
            return behind or _UNDONE.get(state, "had not ended")
        if behind:
            return behind
        folder = task_directory(self.live.record, node)
        if node.workdir is not None and not hoped and not self.is_there(folder):
            return f"its folder is gone: {folder}"
        return self.refused.get(node.name, "")

    def _changed(self, at: int, node: Task, before: StoredNode) -> list[str]:
        assert isinstance(before.node, Task)
        restarted = before.position in self.earlier.restarted
        changed = differences(before.node, node, restarted=restarted)
        then = task_directory(self.earlier.record, before.node)
        if then != task_directory(self.live.record, node):
            changed.append("workdir")
        if self._marks[at] != self.earlier.marks[node.name]:
            changed.append("needs")
        return changed


_UNDONE = {
    TaskState.FAILED: "failed before",
    TaskState.CANCELLED: "was cancelled before",
    TaskState.SKIPPED: "was skipped before",
}


def reused(store: Store, run: LiveRun, command: StoredCommand, now: float) -> Reused:
    """Return what a stored wish asks for: tasks of an earlier run, with their attempts.

    What the earlier run has not done after all is passed over, and runs.
    """
    earlier = str(command.argument.get("run", ""))
    wanted = TaskFilter(names=tuple(command.argument.get("tasks", ())))
    if not wanted.names or store.run(earlier) is None:
        return Reused((), now)
    done = {
        each.position: each
        for each in store.nodes(earlier, wanted)
        if isinstance(each.node, Task)
        and each.record.state is TaskState.SUCCEEDED
        and each.node.name in run.index
    }
    attempts: dict[int, list[AttemptRecord]] = {}
    for attempt in store.attempts(earlier):
        if attempt.task in done:
            attempts.setdefault(attempt.task, []).append(attempt)
    tasks = tuple(
        ReusedTask(
            run.index[each.node.name],
            each.record.reused_from or earlier,
            tuple(attempts.get(position, ())),
        )
        for position, each in done.items()
    )
    return Reused(tasks, now)
