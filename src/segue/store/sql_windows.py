"""Windows on a database: what its rows say, whichever database it is."""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from segue.model.errors import NotFoundError
from segue.model.states import RunState, TaskState
from segue.protocols.windows import (
    Joint,
    RunQuery,
    RunRow,
    Span,
    StepCount,
    TaskQuery,
    TaskRow,
    TemplateCount,
)
from segue.store import rows
from segue.store.patterns import searcher
from segue.store.window_queries import (
    BEFORE_RECORD,
    RECORD_COLUMNS,
    RUN_COLUMNS,
    Speech,
    Statements,
)

Row = tuple[Any, ...]


class SqlWindows(ABC):
    """Fulfils `segue.protocols.windows.Windows`; a database adds how it is asked."""

    def __init__(self, speech: Speech) -> None:
        self._statements = Statements(speech)

    @abstractmethod
    def _ask(self, text: str, values: Sequence[Any]) -> list[Row]:
        """Return the rows of a statement."""

    @abstractmethod
    def close(self) -> None:
        """Let go of files and connections."""

    def _number(self, run: str) -> int:
        # Asked each time: a run that was deleted can have a namesake.
        place = self._statements.speech.place
        found = self._ask(f"SELECT number FROM runs WHERE id = {place}", [run])
        if not found:
            raise NotFoundError(f"there is no run {run!r}")
        return int(found[0][0])

    # Runs --------------------------------------------------------------------

    def runs(self, query: RunQuery) -> Sequence[RunRow]:
        """Return a page of runs."""
        _check(query.pattern)
        return [_run_row(row) for row in self._ask(*self._statements.runs(query))]

    def run_counts(self, query: RunQuery) -> Mapping[RunState, int]:
        """Return how many runs that fit are in each state, whatever states were asked for."""
        _check(query.pattern)
        found = self._ask(*self._statements.run_counts(query))
        return {RunState(state): number for state, number in found}

    def run(self, run: str) -> RunRow | None:
        """Return the run, or None."""
        return self._one("id", run)

    def run_of_number(self, number: int) -> RunRow | None:
        """Return the run of that number, or None."""
        return self._one("number", number)

    def _one(self, column: str, value: Any) -> RunRow | None:
        found = self._ask(self._statements.one_run(column), [value])
        return _run_row(found[0]) if found else None

    # Tasks -------------------------------------------------------------------

    def tasks(self, run: str, query: TaskQuery) -> Sequence[TaskRow]:
        """Return a page of tasks."""
        number = self._number(run)
        statement = self._statements.tasks(number, query, self._found(number, query.pattern))
        return [_task_row(row) for row in self._ask(*statement)]

    def task_counts(self, run: str, query: TaskQuery) -> Mapping[TaskState, int]:
        """Return how many tasks that fit are in each state, whatever states were asked for."""
        number = self._number(run)
        positions = self._found(number, query.pattern)
        found = self._ask(*self._statements.task_counts(number, query, positions))
        return {TaskState(state): number for state, number in found}

    def _found(self, run: int, pattern: str) -> Sequence[int] | None:
        """Return the positions of the nodes whose names have the pattern in them.

        None: let the database search.
        """
        _check(pattern)
        return None

    # The graph -----------------------------------------------------------------

    def template_counts(self, run: str) -> Sequence[TemplateCount]:
        """Return how many tasks of each template are in which state."""
        found = self._ask(*self._statements.template_counts(self._number(run)))
        counts = [
            TemplateCount(template, TaskState(state), number, first)
            for template, state, number, first in found
        ]
        return sorted(counts, key=lambda each: each.first)

    def node_number(self, run: str) -> int:
        """Return how many tasks and barriers the run has."""
        return self._size(self._number(run))

    def _size(self, run: int) -> int:
        place = self._statements.speech.place
        text = f"SELECT coalesce(max(position) + 1, 0) FROM nodes WHERE run = {place}"
        return int(self._ask(text, [run])[0][0])

    def joints(self, run: str) -> Iterator[Joint]:
        """Yield every node of the graph, by position."""
        for position, name, template, barrier, needs, trigger, generator in self._ask(
            *self._statements.joints(self._number(run))
        ):
            named = tuple(json.loads(needs)) if needs else ()
            yield Joint(
                position,
                name,
                template,
                bool(barrier),
                named,
                trigger or "all_success",
                generator is not None,
            )

    # Pictures ------------------------------------------------------------------

    def step_counts(self, run: str, after: int, width_s: float) -> tuple[Sequence[StepCount], int]:
        """Return the steps of the history behind number `after`, counted by slices of time."""
        number, place = self._number(run), self._statements.speech.place
        text = f"SELECT coalesce(max(number), 0) FROM history WHERE run = {place}"
        last = int(self._ask(text, [number])[0][0])
        if last <= after:
            return [], after
        found = self._ask(*self._statements.step_counts(number, after, last, width_s))
        counts = [
            StepCount(int(at), TaskState(old), TaskState(new), many) for at, old, new, many in found
        ]
        return sorted(counts), last

    def spans(self, run: str, width_s: float) -> Sequence[Span]:
        """Return all attempts of the run, counted by template and slices of time."""
        found = self._ask(*self._statements.spans(self._number(run), width_s))
        return [
            Span(template, _whole(out), _whole(began), _whole(ended), bool(failed), many)
            for template, out, began, ended, failed, many in found
        ]

    def busy(self) -> Mapping[tuple[str, TaskState], int]:
        """Return how many attempts of unfinished runs are out, by executor and state."""
        found = self._ask(*self._statements.busy())
        return {(place, TaskState(state)): number for place, state, number in found}

    def ready(self) -> Mapping[str, int]:
        """Return how many tasks of unfinished runs wait for room, by the pool that they ask for."""
        return dict(self._ask(*self._statements.ready()))


def _check(pattern: str) -> None:
    """Raise `UserError` if it is no pattern, in words of ours and not of the database."""
    if pattern:
        searcher(pattern)


def _whole(number: float | None) -> int | None:
    return None if number is None else int(number)


def _run_row(row: Row) -> RunRow:
    named = dict(zip(RUN_COLUMNS, row, strict=False))
    return RunRow(named["number"], rows.run_record(named), row[-1])


def _task_row(row: Row) -> TaskRow:
    position, name, template, barrier = row[:BEFORE_RECORD]
    behind = BEFORE_RECORD + len(RECORD_COLUMNS)
    attempt = None if row[behind] is None else rows.attempt_record(tuple(row[behind:-1]))
    record = rows.task_record(tuple(row[BEFORE_RECORD:behind]))
    return TaskRow(position, name, template, bool(barrier), record, attempt, row[-1])
