"""Windows on any store, by reading runs whole: right everywhere, quick for small runs only."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Final, TypeVar

from segue.model.errors import NotFoundError
from segue.model.run import AttemptRecord, RunRecord
from segue.model.states import FINAL_RUN, OUTSIDE, RunState, TaskState
from segue.model.workflow import Barrier, Task
from segue.protocols.store import Store
from segue.protocols.windows import (
    After,
    Joint,
    RunOrder,
    RunQuery,
    RunRow,
    Span,
    StepCount,
    TaskOrder,
    TaskQuery,
    TaskRow,
    TemplateCount,
)
from segue.store.patterns import searcher

Row = TypeVar("Row", RunRow, TaskRow)

_RUN_VALUES: Final[Mapping[RunOrder, Callable[[RunRecord], float | str]]] = {
    RunOrder.UPDATED_AT: lambda run: run.updated_at,
    RunOrder.CREATED_AT: lambda run: run.created_at,
    RunOrder.STARTED_AT: lambda run: run.started_at or 0,
    RunOrder.ENDED_AT: lambda run: run.ended_at or 0,
    RunOrder.WORKFLOW: lambda run: run.workflow,
    RunOrder.STATE: lambda run: run.state.value,
    RunOrder.TASK_COUNT: lambda run: sum(run.counts.values()),
}


class PlainWindows:
    """Fulfils `segue.protocols.windows.Windows` through the store's own reading.

    Numbers of runs are counted here, in the order of creation, and move when a run is deleted;
    a class for a store that keeps numbers overrides `_numbered`.
    """

    def __init__(self, store: Store) -> None:
        self._store = store

    # Runs --------------------------------------------------------------------

    def _numbered(self) -> list[tuple[int, RunRecord]]:
        return list(enumerate(reversed(self._store.runs()), 1))

    def runs(self, query: RunQuery) -> Sequence[RunRow]:
        """Return a page of runs."""
        value = _RUN_VALUES[query.order]
        rows = [
            RunRow(number, run, value(run))
            for number, run in self._numbered()
            if _run_fits(run, query) and (not query.states or run.state in query.states)
        ]
        return _page(rows, query.after, query.descending, query.limit, lambda row: row.number)

    def run_counts(self, query: RunQuery) -> Mapping[RunState, int]:
        """Return how many runs that fit are in each state, whatever states were asked for."""
        return Counter(run.state for _, run in self._numbered() if _run_fits(run, query))

    def run(self, run: str) -> RunRow | None:
        """Return the run, or None."""
        return self._first(lambda number, record: record.id == run)

    def run_of_number(self, number: int) -> RunRow | None:
        """Return the run of that number, or None."""
        return self._first(lambda at, record: at == number)

    def _first(self, wanted: Callable[[int, RunRecord], bool]) -> RunRow | None:
        found = (RunRow(at, run, at) for at, run in self._numbered() if wanted(at, run))
        return next(found, None)

    def _known(self, run: str) -> str:
        if self._store.run(run) is None:
            raise NotFoundError(f"there is no run {run!r}")
        return run

    # Tasks -------------------------------------------------------------------

    def tasks(self, run: str, query: TaskQuery) -> Sequence[TaskRow]:
        """Return a page of tasks."""
        rows = [
            row._replace(value=_task_value(row, query))
            for row in self._fitting(run, query)
            if not query.states or row.record.state in query.states
        ]
        return _page(rows, query.after, query.descending, query.limit, lambda row: row.position)

    def task_counts(self, run: str, query: TaskQuery) -> Mapping[TaskState, int]:
        """Return how many tasks that fit are in each state, whatever states were asked for."""
        return Counter(row.record.state for row in self._fitting(run, query))

    def _fitting(self, run: str, query: TaskQuery) -> Iterator[TaskRow]:
        found = searcher(query.pattern) if query.pattern else None
        for row in self._rows(run):
            begun = row.attempt is not None and row.attempt.started_at is not None
            if (
                (query.barriers or not row.barrier)
                and (not query.template or row.template == query.template)
                and (found is None or found(row.name))
                and (not query.begun or begun)
            ):
                yield row

    def _rows(self, run: str) -> Iterator[TaskRow]:
        newest = {(each.task, each.number): each for each in self._store.attempts(self._known(run))}
        for position, node, record in self._store.nodes(run):
            yield TaskRow(
                position,
                node.name,
                _template(node),
                isinstance(node, Barrier),
                record,
                newest.get((position, record.attempt)),
            )

    # The graph and its pictures --------------------------------------------------

    def template_counts(self, run: str) -> Sequence[TemplateCount]:
        """Return how many tasks of each template are in which state."""
        first: dict[tuple[str, TaskState], int] = {}
        counts: Counter[tuple[str, TaskState]] = Counter()
        for row in self._rows(run):
            if not row.barrier:
                key = (row.template, row.record.state)
                first.setdefault(key, row.position)
                counts[key] += 1
        return [TemplateCount(*key, counts[key], at) for key, at in first.items()]

    def node_number(self, run: str) -> int:
        """Return how many tasks and barriers the run has."""
        return sum(1 for _ in self._store.records(self._known(run)))

    def joints(self, run: str) -> Iterator[Joint]:
        """Yield every node of the graph, by position."""
        for position, node, _ in self._store.nodes(self._known(run)):
            task = isinstance(node, Task)
            yield Joint(
                position,
                node.name,
                _template(node),
                not task,
                node.needs,
                node.trigger.value if isinstance(node, Task) else "all_success",
                isinstance(node, Task) and node.generator is not None,
            )

    def step_counts(self, run: str, after: int, width_s: float) -> tuple[Sequence[StepCount], int]:
        """Return the steps of the history behind number `after`, counted by slices of time."""
        barriers = {joint.position for joint in self.joints(run) if joint.barrier}
        counts: Counter[tuple[int, str, str]] = Counter()
        last = after
        for line in self._store.history(run, after):
            last = line.number
            if line.kind == "step" and line.task not in barriers:
                counts[int(line.at // width_s), line.old, line.new] += 1
        found = [
            StepCount(at, TaskState(old), TaskState(new), number)
            for (at, old, new), number in counts.items()
        ]
        return sorted(found), last

    def spans(self, run: str, width_s: float) -> Sequence[Span]:
        """Return all attempts of the run, counted by template and slices of time."""
        templates = {joint.position: joint.template for joint in self.joints(run)}
        counts: Counter[Span] = Counter()
        for each in self._store.attempts(run):
            out, began, ended = (
                None if at is None else int(at // width_s)
                for at in (each.submitted_at, each.started_at, each.ended_at)
            )
            failed = ended is not None and each.state is not TaskState.SUCCEEDED
            counts[Span(templates[each.task], out, began, ended, failed, 0)] += 1
        return [span._replace(number=number) for span, number in counts.items()]

    def busy(self) -> Mapping[tuple[str, TaskState], int]:
        """Return how many attempts of unfinished runs are out, by executor and state."""
        counts: Counter[tuple[str, TaskState]] = Counter()
        for run in self._living():
            for each in self._store.attempts(run.id):
                if each.state in OUTSIDE and each.ended_at is None:
                    counts[each.place, each.state] += 1
        return counts

    def ready(self) -> Mapping[str, int]:
        """Return how many tasks of unfinished runs wait for room, by the pool that they ask for."""
        counts: Counter[str] = Counter()
        for run in self._living():
            for _, node, record in self._store.nodes(run.id):
                if record.state is TaskState.READY and isinstance(node, Task):
                    counts[node.pool or run.pool] += 1
        return counts

    def _living(self) -> Sequence[RunRecord]:
        return self._store.runs(states=[state for state in RunState if state not in FINAL_RUN])

    def close(self) -> None:
        """Let go of the store, which is ours."""
        self._store.close()


def _template(node: Task | Barrier) -> str:
    return (node.template if isinstance(node, Task) else "") or node.name


def _run_fits(run: RunRecord, query: RunQuery) -> bool:
    if query.pattern:
        found = searcher(query.pattern)
        texts = [run.id, run.workflow, *(f"{name}={value}" for name, value in run.tags.items())]
        if not any(found(text) for text in texts):
            return False
    return (
        all(run.tags.get(name) == value for name, value in query.tags.items())
        and query.pool in ("", run.pool)
        and query.dialect in ("", run.dialect)
        and _since(run.started_at, query.started_after)
        and _until(run.started_at, query.started_before)
        and _since(run.updated_at, query.updated_after)
        and (query.task_state is None or run.counts.get(query.task_state.value, 0) > 0)
    )


def _since(at: float | None, moment: float | None) -> bool:
    return moment is None or (at is not None and at >= moment)


def _until(at: float | None, moment: float | None) -> bool:
    return moment is None or (at is not None and at <= moment)


def _task_value(row: TaskRow, query: TaskQuery) -> float | str:
    attempt = row.attempt
    plain: dict[TaskOrder, float | str] = {
        TaskOrder.POSITION: row.position,
        TaskOrder.NAME: row.name,
        TaskOrder.STATE: row.record.state.value,
        TaskOrder.ATTEMPTS: row.record.attempt,
    }
    if query.order in plain:
        return plain[query.order]
    return _attempt_value(attempt, query)


def _attempt_value(attempt: AttemptRecord | None, query: TaskQuery) -> float:
    if query.order is TaskOrder.EXIT_CODE:
        known = attempt is not None and attempt.exit_code is not None
        return attempt.exit_code if known else -1  # type: ignore[union-attr, return-value]
    began = attempt.started_at if attempt else None
    ended = attempt.ended_at if attempt else None
    if query.order is TaskOrder.STARTED_AT:
        return began or 0
    if query.order is TaskOrder.ENDED_AT:
        return ended or 0
    return -1.0 if began is None else (query.now if ended is None else ended) - began


def _page(
    rows: list[Row],
    after: After | None,
    descending: bool,
    limit: int,
    number: Callable[[Row], int],
) -> list[Row]:
    """Sort, begin behind the page before, cut."""
    ordered = sorted(rows, key=lambda row: (row.value, number(row)), reverse=descending)
    if after is not None:
        ordered = [
            row
            for row in ordered
            if (
                (row.value, number(row)) < after if descending else (row.value, number(row)) > after
            )
        ]
    return ordered[:limit] if limit else ordered
