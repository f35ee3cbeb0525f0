"""The shapes of history and pictures at `/api/v2`, in camelCase."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from segue.model.states import Cause, TaskState
from segue.server.documents import Count, Document, DocumentProblem, Time


class HistoryLine(Document):
    """One line of a run's history."""

    number: int
    at: Time
    kind: str
    task: str | None
    attempt: int | None
    old: str | None
    new: str | None
    detail: str


class History(Document):
    """Lines of a run's history; `next` is where to go on, None: that was all so far."""

    history: list[HistoryLine]
    next: int | None


class GraphNode(Document):
    """A template, a task, or what is left of a template."""

    id: str
    label: str
    kind: Literal["template", "task", "more"]
    template: str
    tasks: Count
    states: dict[str, Count]
    trigger: str
    generator: bool


class GraphEdge(Document):
    """So many needs lead from one node to the other."""

    source: Annotated[str, Field(alias="from")]
    target: Annotated[str, Field(alias="to")]
    count: Count


class Graph(Document):
    """The graph by template, some of them expanded to tasks."""

    level: Literal["template", "task"]
    nodes: list[GraphNode]
    edges: list[GraphEdge]
    truncated: bool


class Validated(Document):
    """What a document is worth."""

    valid: bool
    dialect: str | None
    workflow: str | None
    task_count: Count
    problems: list[DocumentProblem]
    graph: Graph | None = None


class Bar(Document):
    """An attempt in a timeline."""

    number: int
    submitted_at: Time | None
    started_at: Time | None
    ended_at: Time | None
    state: TaskState
    cause: Cause | None


class TaskBars(Document):
    """A task in a timeline."""

    name: str
    template: str
    state: TaskState
    attempts: list[Bar]


class TemplateBars(Document):
    """A template in a timeline: how many of its attempts did what in each slice of time."""

    template: str
    tasks: Count
    first_started_at: Time | None
    last_ended_at: Time | None
    waiting: list[Count]
    running: list[Count]
    failed: list[Count]
    ended: list[Count]


class TaskTimeline(Document):
    """When which tasks ran."""

    begin: Annotated[Time | None, Field(alias="from")]
    end: Annotated[Time | None, Field(alias="to")]
    rows: list[TaskBars]
    next_cursor: str | None


class TemplateTimeline(Document):
    """When tasks of which templates ran."""

    begin: Annotated[Time | None, Field(alias="from")]
    end: Annotated[Time | None, Field(alias="to")]
    bin_seconds: float
    rows: list[TemplateBars]


class Progress(Document):
    """How a run came along: `states` at the end of each slice, ends within each."""

    begin: Annotated[Time | None, Field(alias="from")]
    end: Annotated[Time | None, Field(alias="to")]
    bin_seconds: float
    states: dict[TaskState, list[Count]]
    ended: list[Count]
    failed: list[Count]
    rate_per_second: float
    estimated_end_at: Time | None
