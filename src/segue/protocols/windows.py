"""What windows read of a store: pages of runs and tasks, counts and sums, never everything.

A page, a list or a plot must stay quick while a run of 100,000 tasks is under way. So what
a window asks for is filtered, sorted, cut and counted where it is kept, and only the answer
travels. Windows read, they never write, and they never wait for a writer.

The contract
------------
*Pages.* A page is given with the sort value and the number of its last row; the next page
begins behind those (`after`). Rows that change meanwhile may be seen twice or not at all,
rows that stay are seen once. Values that are not known sort as the smallest.

*Patterns* are of RE2's syntax and are searched for anywhere, so that no pattern can take
for ever. One that is none raises `UserError`.

*Threads.* An object of this kind is used by one thread at a time; whoever has several
threads opens several.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple, Protocol

from segue.model.run import AttemptRecord, RunRecord, TaskRecord
from segue.model.states import RunState, TaskState
from segue.model.workflow import EMPTY


class RunOrder(StrEnum):
    """What a list of runs can be sorted by."""

    UPDATED_AT = "updated_at"
    CREATED_AT = "created_at"
    STARTED_AT = "started_at"
    ENDED_AT = "ended_at"
    WORKFLOW = "workflow"
    STATE = "state"
    TASK_COUNT = "task_count"


class TaskOrder(StrEnum):
    """What a list of tasks can be sorted by; times are those of the newest attempt."""

    POSITION = "position"
    NAME = "name"
    STATE = "state"
    ATTEMPTS = "attempts"
    STARTED_AT = "started_at"
    ENDED_AT = "ended_at"
    DURATION = "duration"
    EXIT_CODE = "exit_code"


class After(NamedTuple):
    """Where the page before ended: the sort value of its last row, and that row's number."""

    value: float | str
    number: int


@dataclass(frozen=True, slots=True)
class RunQuery:
    """Which runs are wanted, in which order; empty fields mean all.

    Attributes
    ----------
    pattern
        Searched for in the id, in the workflow's name and in each tag, as ``name=value``.
    tags
        Each of these must be a tag of the run.
    started_after, started_before, updated_after
        Seconds since the epoch; at that moment or later (earlier).
    task_state
        At least one task of the run must be in this state.
    limit
        At most so many; 0: no limit.
    """

    states: tuple[RunState, ...] = ()
    pattern: str = ""
    tags: Mapping[str, str] = EMPTY
    pool: str = ""
    dialect: str = ""
    started_after: float | None = None
    started_before: float | None = None
    updated_after: float | None = None
    task_state: TaskState | None = None
    order: RunOrder = RunOrder.UPDATED_AT
    descending: bool = True
    after: After | None = None
    limit: int = 50


@dataclass(frozen=True, slots=True)
class TaskQuery:
    """Which tasks of a run are wanted, in which order; empty fields mean all.

    Attributes
    ----------
    pattern
        Searched for in the task's name.
    barriers
        Whether barriers, which run nothing, are among the answer.
    begun
        Only tasks of which an attempt has begun.
    now
        The time that durations of what still runs are measured to.
    limit
        At most so many; 0: no limit.
    """

    states: tuple[TaskState, ...] = ()
    pattern: str = ""
    template: str = ""
    barriers: bool = False
    begun: bool = False
    order: TaskOrder = TaskOrder.POSITION
    descending: bool = False
    after: After | None = None
    limit: int = 100
    now: float = 0.0


class RunRow(NamedTuple):
    """A run, and its number in the store: counted from 1, in the order of creation.

    Of its context, lists may hold nothing, and a run whose context is large as well.
    """

    number: int
    record: RunRecord
    #: What it was sorted by.
    value: float | str = 0.0


class TaskRow(NamedTuple):
    """A task or barrier, how far it has come, and its newest attempt."""

    position: int
    name: str
    template: str
    barrier: bool
    record: TaskRecord
    attempt: AttemptRecord | None
    #: What it was sorted by.
    value: float | str = 0.0


class TemplateCount(NamedTuple):
    """How many tasks of a template are in one state; `first` is the first position of these."""

    template: str
    state: TaskState
    number: int
    first: int


class Joint(NamedTuple):
    """A node of the graph as far as drawing needs it."""

    position: int
    name: str
    template: str
    barrier: bool
    needs: Sequence[str]
    trigger: str
    generator: bool


class StepCount(NamedTuple):
    """So many tasks went from one state to another within a slice of time.

    `slice` is the time divided by the width of slices, rounded down.
    """

    slice: int
    old: TaskState
    new: TaskState
    number: int


class Span(NamedTuple):
    """So many attempts of a template went out, began and ended in these slices of time.

    None: that has not happened. `failed` tells whether they ended otherwise than well.
    """

    template: str
    submitted: int | None
    started: int | None
    ended: int | None
    failed: bool
    number: int


class Windows(Protocol):
    """Reads a store for windows. The module's docstring is the contract."""

    def runs(self, query: RunQuery) -> Sequence[RunRow]:
        """Return a page of runs."""
        ...

    def run_counts(self, query: RunQuery) -> Mapping[RunState, int]:
        """Return how many runs that fit are in each state, whatever states were asked for."""
        ...

    def run(self, run: str) -> RunRow | None:
        """Return the run, or None."""
        ...

    def run_of_number(self, number: int) -> RunRow | None:
        """Return the run of that number, or None."""
        ...

    def tasks(self, run: str, query: TaskQuery) -> Sequence[TaskRow]:
        """Return a page of tasks."""
        ...

    def task_counts(self, run: str, query: TaskQuery) -> Mapping[TaskState, int]:
        """Return how many tasks that fit are in each state, whatever states were asked for."""
        ...

    def template_counts(self, run: str) -> Sequence[TemplateCount]:
        """Return how many tasks of each template are in which state."""
        ...

    def node_number(self, run: str) -> int:
        """Return how many tasks and barriers the run has; generators add some."""
        ...

    def joints(self, run: str) -> Iterator[Joint]:
        """Yield every node of the graph, by position; costly for large runs."""
        ...

    def step_counts(self, run: str, after: int, width_s: float) -> tuple[Sequence[StepCount], int]:
        """Return the steps of the history behind number `after`, counted by slices of time.

        With them comes the number of the last line that was counted.
        """
        ...

    def spans(self, run: str, width_s: float) -> Sequence[Span]:
        """Return all attempts of the run, counted by template and slices of time."""
        ...

    def busy(self) -> Mapping[tuple[str, TaskState], int]:
        """Return how many attempts of unfinished runs are out, by executor and state."""
        ...

    def ready(self) -> Mapping[str, int]:
        """Return how many tasks of unfinished runs wait for room, by the pool that they ask for.

        A task that asks for none counts for the pool of its run.
        """
        ...

    def close(self) -> None:
        """Let go of files and connections."""
        ...
