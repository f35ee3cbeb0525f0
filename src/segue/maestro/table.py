"""The table of one study as it stands now, from the records of its run.

A conductor keeps one and tells it of each change, which costs no more than the changed
rows; a window makes one from the store. Pure: the time is passed in.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from segue.maestro.outline import Outline
from segue.maestro.rows import (
    NO_COURSE,
    WORDS,
    Course,
    Row,
    follow,
    make_row,
    word_of,
)
from segue.maestro.status_csv import csv_line, csv_text
from segue.model.run import AttemptRecord, TaskRecord
from segue.model.states import FINAL, Cause, TaskState

_NEW = TaskRecord()
_CANCELLED = WORDS[TaskState.CANCELLED]


class StudyTable:
    """Rows of a study. `records` are indexed by position."""

    def __init__(
        self,
        outline: Outline,
        records: Iterable[TaskRecord] = (),
        attempts: Iterable[AttemptRecord] = (),
    ) -> None:
        self.outline = outline
        self._records = list(records) or [_NEW] * len(outline.names)
        self._courses: dict[int, Course] = {}
        self._can_restart = frozenset(outline.restarts)
        self._behind: dict[int, tuple[str, float | None]] = {}
        self._lines: dict[int, str] = {}
        self._stale = set(outline.order)
        for attempt in attempts:
            self.note_attempt(attempt)

    # What happens ------------------------------------------------------------

    def note_record(self, position: int, record: TaskRecord) -> None:
        """A task has another record now."""
        self._records[position] = record
        self._stale.add(position)
        # What was skipped behind it may be run again; it is cheap to find out anew.
        if self._behind and record.state is not TaskState.SKIPPED:
            self._behind.clear()

    def note_attempt(self, attempt: AttemptRecord) -> None:
        """An attempt is new, or has come further; called in the order of their numbers."""
        position = attempt.task
        self._courses[position] = follow(self._courses.get(position, NO_COURSE), attempt)
        self._stale.add(position)

    # What is seen ------------------------------------------------------------

    @property
    def changed(self) -> bool:
        """Whether any row is another one than in the last `csv`, whatever the time."""
        return bool(self._stale)

    def rows(self, now: float, words: Iterable[str] = ()) -> list[Row]:
        """Return all rows, or those whose state is one of `words`."""
        wanted = frozenset(words)
        found = [self.row(position, now) for position in self.outline.order]
        return [row for row in found if row.state in wanted] if wanted else found

    def row(self, position: int, now: float) -> Row:
        """Return the row of one task."""
        record = self._records[position]
        course = self._courses.get(position, NO_COURSE)
        outline = self.outline
        if record.state is TaskState.SKIPPED:
            word, at = self._skipped_behind(position)
            course = course._replace(ended_at=at)
        else:
            word = word_of(record, position in self._can_restart)
        if record.restarts:
            course = course._replace(restarts=record.restarts)
        return make_row(
            outline.names[position],
            outline.workspaces[position],
            outline.parameters[position],
            word,
            course,
            now,
            final=record.state in FINAL,
        )

    def counts(self) -> Mapping[str, int]:
        """Return how many tasks there are in each state, in Maestro's words."""
        found: dict[str, int] = {}
        for position in self.outline.order:
            record = self._records[position]
            if record.state is TaskState.SKIPPED:
                word = self._skipped_behind(position)[0]
            else:
                word = word_of(record, position in self._can_restart)
            found[word] = found.get(word, 0) + 1
        return found

    def csv(self, now: float) -> str:
        """Return the text of ``status.csv``; only rows that can have changed are made anew."""
        for position in self._stale:
            self._lines[position] = csv_line(self.row(position, now))
        lines = self._lines
        self._stale.clear()
        return csv_text(lines[position] for position in self.outline.order)

    def grow_older(self) -> None:
        """Let the next `csv` show how long what has begun has taken by then."""
        for position, course in self._courses.items():
            if course.ended_at is None and self._records[position].state not in FINAL:
                self._stale.add(position)

    def _skipped_behind(self, position: int) -> tuple[str, float | None]:
        """Return the word for a skipped task, and when the end of others has decided on it."""
        if not self._behind:
            self._find_skipped()
        return self._behind.get(position, (WORDS[TaskState.SKIPPED], None))

    def _find_skipped(self) -> None:
        """Answer for all skipped tasks at once: needs have lower positions than dependents."""
        outline, records = self.outline, self._records
        barriers: dict[int, tuple[str, float | None] | None] = {}
        for position in range(outline.tasks):
            if records[position].state is TaskState.SKIPPED:
                found = self._worst(outline.needs[position], barriers)
                self._behind[position] = found or (WORDS[TaskState.SKIPPED], None)

    def _worst(
        self, needs: Iterable[int], barriers: dict[int, tuple[str, float | None] | None]
    ) -> tuple[str, float | None] | None:
        """Return what the needs that did not succeed mean; None if all did, or none has ended."""
        faults: list[tuple[str, float | None]] = []
        for need in needs:
            if need >= self.outline.tasks:
                if need not in barriers:
                    barriers[need] = self._worst(self.outline.needs[need], barriers)
                fault = barriers[need]
            else:
                fault = self._fault(need)
            if fault is not None:
                faults.append(fault)
        if not faults:
            return None
        cancelled = all(word == _CANCELLED for word, _ in faults)
        times = [at for _, at in faults if at is not None]
        word = _CANCELLED if cancelled else WORDS[TaskState.SKIPPED]
        return word, min(times) if times else None

    def _fault(self, position: int) -> tuple[str, float | None] | None:
        record = self._records[position]
        state = record.state
        if state is TaskState.SKIPPED:
            return self._behind.get(position)
        if state is TaskState.FAILED and record.cause is Cause.CANCELLED:
            state = TaskState.CANCELLED
        if state in (TaskState.FAILED, TaskState.CANCELLED):
            return WORDS[state], self._courses.get(position, NO_COURSE).ended_at
        return None
