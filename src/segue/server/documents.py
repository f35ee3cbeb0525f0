"""The shapes of `/api/v2`'s answers, in camelCase: what OpenAPI tells of them.

Times are RFC 3339 in UTC with milliseconds, durations seconds. What the shapes are made
of stands in `shapes`; `bodies` has what is asked, `picture_documents` what is drawn.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, WithJsonSchema
from pydantic.alias_generators import to_camel

from segue.model.errors import Problem
from segue.model.states import Cause, RunState, TaskState


def moment(at: float | None) -> str | None:
    """Return seconds since the epoch as RFC 3339 with milliseconds; None stays None.

    Examples
    --------
    >>> moment(1795268179.1239)
    '2026-11-21T13:36:19.123Z'
    """
    if at is None:
        return None
    text = datetime.fromtimestamp(int(at * 1000 + 1e-4) / 1000, UTC).isoformat("T", "milliseconds")
    return text.replace("+00:00", "Z")


Time = Annotated[str, WithJsonSchema({"type": "string", "format": "date-time"})]
Count = Annotated[int, Field(ge=0)]


class Document(BaseModel):
    """Anything that is answered."""

    model_config = ConfigDict(
        alias_generator=to_camel, populate_by_name=True, serialize_by_alias=True
    )


# Problems ----------------------------------------------------------------------


class DocumentProblem(Document):
    """One thing that is wrong with a document, with its place."""

    code: str
    message: str
    path: str | None = None
    line: int | None = None
    column: int | None = None
    pointer: str | None = None
    hint: str = ""
    severity: Literal["error", "warning"] = "error"


class ProblemDocument(Document):
    """An error (RFC 9457)."""

    type: str = "about:blank"
    title: str
    status: int
    code: str
    detail: str
    hint: str = ""
    problems: list[DocumentProblem] = []


def problem_document(problem: Problem) -> DocumentProblem:
    """Return a problem of a user's file as it is answered."""
    place = problem.place
    return DocumentProblem(
        code=problem.code,
        message=problem.message,
        path=place.path if place else None,
        line=place.line if place else None,
        column=place.column if place else None,
        pointer=problem.pointer or None,
        hint=problem.hint,
        severity=problem.severity.value,
    )


# Runs --------------------------------------------------------------------------


class EngineDocument(Document):
    """The engine that has a run, or had it last."""

    host: str
    process_id: int
    alive: bool


class RunSummary(Document):
    """A run in a list; `problem` says why no engine could take it up, and what helps."""

    id: str
    number: int
    workflow: str
    dialect: str
    state: RunState
    cancelling: bool
    tags: dict[str, str]
    description: str
    pool: str
    source: str
    continues: str | None
    created_at: Time
    started_at: Time | None
    ended_at: Time | None
    updated_at: Time
    counts: dict[TaskState, Count]
    task_count: Count
    limit: Count
    priority: int
    engine: EngineDocument | None
    problem: str | None
    submitted_by: str | None


class Run(RunSummary):
    """A run with all but its tasks."""

    workspace: str
    directory: str
    restart_limit: int | None
    slots: int
    verdict: str
    parameters: dict[str, Any]
    warnings: list[DocumentProblem]
    continued_by: str | None


class RunPage(Document):
    """A page of runs; `stateCounts` counts all that fit the filter without its states."""

    runs: list[RunSummary]
    next_cursor: str | None
    state_counts: dict[RunState, Count]


class Submitted(Document):
    """A run that has been taken in."""

    id: str
    state: RunState
    task_count: Count
    warnings: list[DocumentProblem]


class ManyAsked(Document):
    """What was asked of many tasks: of so many, and which were left out as they are."""

    run: RunSummary
    asked: Count
    left_out: list[str]


# Tasks -------------------------------------------------------------------------


class TaskRow(Document):
    """A task in a table; times and ends are those of its newest attempt."""

    name: str
    template: str
    position: Count
    state: TaskState
    cause: Cause | None
    attempts: Count
    held: bool
    started_at: Time | None
    ended_at: Time | None
    submitted_at: Time | None
    duration_seconds: float | None
    wait_seconds: float | None
    exit_code: int | None
    signal: int | None
    cpu_seconds: float | None
    peak_rss_bytes: int | None
    place: str | None
    node: str | None
    not_before: Time | None


class TaskPage(Document):
    """A page of tasks; `stateCounts` counts all that fit the filter without its states."""

    tasks: list[TaskRow]
    next_cursor: str | None
    state_counts: dict[TaskState, Count]


class Attempt(Document):
    """One try of a task."""

    number: int
    state: TaskState
    cause: Cause | None
    exit_code: int | None
    signal: int | None
    submitted_at: Time | None
    started_at: Time | None
    ended_at: Time | None
    duration_seconds: float | None
    wait_seconds: float | None
    place: str
    node: str | None
    job_id: str | None
    cpu_seconds: float | None
    peak_rss_bytes: int | None
    message: str
    restarted: bool
    stdout_bytes: int | None
    stderr_bytes: int | None
    output_gone: bool


class Neighbour(Document):
    """A need or a dependent; `tasks` is how many tasks a barrier stands for."""

    name: str
    state: TaskState
    kind: Literal["task", "barrier"]
    tasks: Count


class Action(Document):
    """What a task does: a script's text, or the arguments of a program."""

    kind: str
    text: str | None = None
    arguments: list[str] | None = None


class Why(Document):
    """Why a task is where it is, and what to try; `hints` are reasons and steps together."""

    sentence: str
    hints: list[str]
    reasons: list[str]
    steps: list[str]


class Task(TaskRow):
    """All that is known of a task."""

    definition: dict[str, Any]
    action: Action
    parameters: dict[str, Any]
    needs: list[Neighbour]
    need_count: Count
    dependents: list[Neighbour]
    dependent_count: Count
    trigger: str
    retry: dict[str, Any]
    resources: dict[str, Any]
    why: Why
    attempt_list: list[Attempt]
    generated_by: str | None


# The service -------------------------------------------------------------------


class Pool(Document):
    """A pool: where tasks run, and how full it is."""

    name: str
    executor: str
    default: bool
    limit: int | None
    running: Count
    submitted: Count
    ready: Count
    problem: str | None


class Pools(Document):
    """All pools of this server."""

    pools: list[Pool]


class Runner(Document):
    """A runner as it was last heard; `said` is what went wrong with it last."""

    url: str
    hostname: str
    reachable: bool
    said: str
    total: dict[str, Count]
    free: dict[str, int]
    running: Count
    enforced: bool
    version: str


class PoolRunners(Document):
    """The runners of a pool, and how many jobs wait for room on one of them."""

    pool: str
    waiting: Count
    runners: list[Runner]


class ServerEngine(Document):
    """The engine of this server."""

    alive: bool
    runs: Count


class ServerDocument(Document):
    """What this server is, and what you are to it."""

    version: str
    host: str
    process_id: int
    started_at: Time
    store: str
    role: str
    user: str | None
    auth_required: bool
    dialects: list[str]
    body_limit_bytes: int
    engine: ServerEngine


class Ready(Document):
    """The server answers."""

    msg: str = "Ya like DAGs?"


class Health(Document):
    """Whether all parts work; the words say what does not."""

    status: Literal["ok", "failing"]
    store: str
    engine: str
