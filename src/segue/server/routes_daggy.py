"""`/v1`: the routes of Daggy's daemon, so that its own page and its users' scripts work.

A thin layer: what is asked becomes our commands, and our records are told in its words.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any, Final

from fastapi import APIRouter, Query, Request
from fastapi.responses import Response
from pydantic import BaseModel, ConfigDict
from pydantic_core import to_json

from segue.engine.commands import CommandKind
from segue.model.errors import NotFoundError, RefusedError, WorkflowError
from segue.model.run import AttemptRecord
from segue.model.states import FINAL, FINAL_RUN, RETRIABLE, RunState, TaskState
from segue.model.workflow import Barrier, Task
from segue.protocols.store import StoredNode
from segue.protocols.windows import RunOrder, RunQuery, RunRow, TaskQuery
from segue.server import daggy_words as words
from segue.server import submission
from segue.server.answers import Answer, answer
from segue.server.asking import ask
from segue.server.auth import Caller, operator, viewer
from segue.server.desk import Desk
from segue.server.masking import masked
from segue.server.output_files import executor_log, read_piece
from segue.server.paths import Part, TaskName
from segue.server.problems import ApiError
from segue.server.site import Site

#: Of each output so many bytes are told, the last ones.
OUTPUT_BYTES: Final = 1024 * 1024
#: Of all outputs of a run so many bytes are told; the page fetches them every few seconds.
ALL_OUTPUT_BYTES: Final = 32 * 1024 * 1024
#: Runs with more tasks are told without outputs and histories.
TASKS_TOLD_WHOLE: Final = 5000
_REASON: Final = "asked for at /v1"


class Shape(BaseModel):
    """Anything that Daggy's daemon answers; its names are its own."""

    model_config = ConfigDict(extra="forbid")


class DagRunSummary(Shape):
    """A run in a list; times are nanoseconds since the epoch."""

    runID: int  # noqa: N815 - Daggy's names
    tag: str
    state: str
    startTime: int | None  # noqa: N815
    lastUpdate: int | None  # noqa: N815
    taskCounts: dict[str, int]  # noqa: N815


class DagRun(Shape):
    """A run with everything."""

    runID: int  # noqa: N815
    tag: str
    state: str
    tasks: dict[str, Any]
    taskStates: dict[str, str]  # noqa: N815
    taskAttempts: dict[str, list[dict[str, Any]]]  # noqa: N815
    runStateChanges: list[dict[str, Any]]  # noqa: N815
    taskStateChanges: dict[str, list[dict[str, Any]]]  # noqa: N815


class RunId(Shape):
    """The number of a run."""

    runID: int  # noqa: N815


class Valid(Shape):
    """Whether a document can be run."""

    valid: bool
    error: str | None = None


class RunStateShape(Shape):
    """The state of a run."""

    runID: int  # noqa: N815
    state: str


class TaskStateShape(Shape):
    """The state of a task."""

    runID: int  # noqa: N815
    taskName: str  # noqa: N815
    state: str


def routes(site: Site) -> APIRouter:
    """Return the routes of `/v1`."""
    router = APIRouter(prefix="/v1", tags=["daggy"])
    _submitting(router, site)
    _looking(router, site)
    _changing(router, site)
    return router


def _submitting(router: APIRouter, site: Site) -> None:
    @router.post("/dagrun", response_model=RunId, dependencies=[operator])
    async def submit_dag(request: Request) -> Response:
        """Take a Daggy document, and run it."""
        order = await _order(site, request)

        def taken(desk: Desk) -> RunId:
            with site.storing:
                found = submission.take(desk, order, site.parts, site.settings)
            site.host.offer(found.record.id)
            return RunId(runID=desk.run(found.record.id).number - 1)

        return await answer(site, request, taken)

    @router.post("/dagrun/validate", response_model=Valid, dependencies=[viewer])
    async def validate_dag(request: Request) -> Response:
        """Say whether a document can be run."""

        def judged(desk: Desk) -> Valid:
            try:
                workflow, _ = submission.read(order, site.parts, "")
                submission.check_wanted_pools(workflow, order, site.settings)
            except WorkflowError as error:
                return Valid(valid=False, error=str(error))
            except ApiError as error:
                return Valid(valid=False, error=error.detail)
            return Valid(valid=True)

        try:
            order = await _order(site, request)
        except WorkflowError as error:
            said = Valid(valid=False, error=str(error))
            return await answer(site, request, lambda desk: said)
        return await answer(site, request, judged)


async def _order(site: Site, request: Request) -> submission.Order:
    caller: Caller = request.state.caller
    body = await request.body()
    said = {"dialect": "daggy", "path": "dag.json"}
    return await site.office.ask(
        lambda desk: submission.order_of(body, "text/plain", said, user=caller.name, key="")
    )


def _looking(router: APIRouter, site: Site) -> None:
    @router.get("/dagruns", response_model=list[DagRunSummary], dependencies=[viewer])
    async def list_dags(
        request: Request,
        every: Annotated[str, Query(alias="all", description="Those that have ended too.")] = "",
    ) -> Response:
        """Return all runs that have not ended, or with `all=1` all."""
        living = tuple(state for state in RunState if state not in FINAL_RUN)
        states = () if every.lower() in ("1", "true", "yes") else living
        query = RunQuery(states=states, order=RunOrder.CREATED_AT, descending=False, limit=0)

        def listed(desk: Desk) -> Answer:
            rows = [
                words.summary(row, _killed(desk, site, row)) for row in desk.windows.runs(query)
            ]
            # A list at the top, as Daggy has it.
            return Answer(to_json(rows))

        return await answer(site, request, listed)

    @router.get("/dagrun/{number}", response_model=DagRun, dependencies=[viewer])
    async def get_dag(request: Request, number: Part) -> Response:
        """Return a run with its tasks, and with all that their attempts have printed."""
        return await answer(site, request, lambda desk: _whole(desk, _row(desk, number)))

    @router.get("/dagrun/{number}/state", response_model=RunStateShape, dependencies=[viewer])
    async def get_dag_state(request: Request, number: Part) -> Response:
        """Return the state of a run."""
        return await answer(site, request, lambda desk: _run_state(desk, number))

    @router.get(
        "/dagrun/{number}/task/{task}", dependencies=[viewer], response_model=dict[str, Any]
    )
    async def get_dag_task(request: Request, number: Part, task: TaskName) -> Response:
        """Return the definition of a task."""

        def found(desk: Desk) -> Answer:
            row = _row(desk, number)
            desk.task(row.record.id, task)
            told = _Telling(desk, row)
            return Answer(to_json(told.definitions([task])[task]))

        return await answer(site, request, found)

    @router.get(
        "/dagrun/{number}/task/{task}/state", response_model=TaskStateShape, dependencies=[viewer]
    )
    async def get_dag_task_state(request: Request, number: Part, task: TaskName) -> Response:
        """Return the state of a task."""
        return await answer(site, request, lambda desk: _task_state(desk, number, task))


def _changing(router: APIRouter, site: Site) -> None:
    async def _run_asked(
        request: Request, number: str, wanted: tuple[CommandKind, dict[str, Any]] | None
    ) -> Response:
        if wanted is not None:
            run = await site.office.ask(lambda desk: _row(desk, number).record.id)
            await ask(site, run, [wanted])
        return await answer(site, request, lambda desk: _run_state(desk, number))

    async def _task_asked(
        request: Request, number: str, task: str, wanted: tuple[CommandKind, dict[str, Any]] | None
    ) -> Response:
        if wanted is not None:
            run = await site.office.ask(lambda desk: _row(desk, number).record.id)
            await ask(site, run, [(wanted[0], {"tasks": [task], **wanted[1]})])
        return await answer(site, request, lambda desk: _task_state(desk, number, task))

    @router.delete("/dagrun/{number}", response_model=RunStateShape, dependencies=[operator])
    async def kill_dag(request: Request, number: Part) -> Response:
        """Kill a run; one that has ended stays as it is."""
        wanted = await site.office.ask(
            lambda desk: _of_run(_row(desk, number), "KILLED", lenient=True)
        )
        return await _run_asked(request, number, wanted)

    @router.patch(
        "/dagrun/{number}/state/{state}", response_model=RunStateShape, dependencies=[operator]
    )
    async def set_dag_state(request: Request, number: Part, state: Part) -> Response:
        """Change the state of a run; QUEUED lets it run again what did not succeed."""
        wanted = await site.office.ask(lambda desk: _of_run(_row(desk, number), state))
        return await _run_asked(request, number, wanted)

    @router.delete(
        "/dagrun/{number}/task/{task}", response_model=TaskStateShape, dependencies=[operator]
    )
    async def kill_dag_task(request: Request, number: Part, task: TaskName) -> Response:
        """Kill a task; one that has ended stays as it is."""
        wanted = await site.office.ask(
            lambda desk: _of_task(_stored(desk, number, task), "KILLED", lenient=True)
        )
        return await _task_asked(request, number, task, wanted)

    @router.patch(
        "/dagrun/{number}/task/{task}/state/{state}",
        response_model=TaskStateShape,
        dependencies=[operator],
    )
    async def set_dag_task_state(
        request: Request, number: Part, task: TaskName, state: Part
    ) -> Response:
        """Change the state of a task; QUEUED lets it run again."""
        wanted = await site.office.ask(lambda desk: _of_task(_stored(desk, number, task), state))
        return await _task_asked(request, number, task, wanted)


# Finding -----------------------------------------------------------------------------


def _row(desk: Desk, number: str) -> RunRow:
    fits = number.isascii() and number.isdigit() and len(number) < 18
    row = desk.windows.run_of_number(int(number) + 1) if fits else None
    if row is None:
        raise NotFoundError(f"there is no run {number[:80]!r}", "/v1/dagruns?all=1 lists them")
    return row


def _stored(desk: Desk, number: str, task: str) -> StoredNode:
    return desk.task(_row(desk, number).record.id, task)


def _run_state(desk: Desk, number: str) -> RunStateShape:
    row = _row(desk, number)
    return RunStateShape(runID=row.number - 1, state=words.run_state(row.record))


def _task_state(desk: Desk, number: str, task: str) -> TaskStateShape:
    row = _row(desk, number)
    record = desk.task(row.record.id, task).record
    return TaskStateShape(runID=row.number - 1, taskName=task, state=words.task_state(record))


def _killed(desk: Desk, site: Site, row: RunRow) -> int:
    """Return how many tasks of a run were killed while an attempt of them was out."""
    run = row.record
    if not run.counts.get("cancelled"):
        return 0
    query = TaskQuery(begun=True, limit=1)
    return site.cache.get(
        (run.id, "killed"),
        run.updated_at,
        lambda: desk.windows.task_counts(run.id, query).get(TaskState.CANCELLED, 0),
    )


# Asking ------------------------------------------------------------------------------


def _of_run(
    row: RunRow, state: str, *, lenient: bool = False
) -> tuple[CommandKind, dict[str, Any]] | None:
    """Return the command that brings a run into a state; None: it is there."""
    record, reason = row.record, {"reason": _REASON}
    over = record.state in FINAL_RUN
    match state:
        case "QUEUED" if over:
            return CommandKind.RETRY, {}
        case "QUEUED" | "RUNNING" if record.state is RunState.PAUSED:
            return CommandKind.RESUME, {}
        case "PAUSED" if not over:
            return CommandKind.PAUSE, {}
        case "KILLED" if not over:
            return CommandKind.CANCEL, reason
        case "KILLED" if lenient:
            return None
    raise _refused("run", f"{row.number - 1}", words.run_state(record), state)


def _of_task(
    stored: StoredNode, state: str, *, lenient: bool = False
) -> tuple[CommandKind, dict[str, Any]] | None:
    """Return the command that brings a task into a state; None: it is there."""
    has, reason = stored.record.state, {"reason": _REASON}
    match state:
        case "QUEUED" if has in RETRIABLE:
            return CommandKind.RETRY, {}
        case "KILLED" if has not in FINAL:
            return CommandKind.CANCEL, reason
        case "COMPLETED" if has in RETRIABLE:
            return CommandKind.MARK_DONE, reason
        case "KILLED" if lenient:
            return None
    raise _refused("task", stored.node.name, words.task_state(stored.record), state)


def _refused(what: str, name: str, has: str, wanted: str) -> Exception:
    if wanted not in words.STATES:
        return ApiError(400, f"there is no state {wanted[:40]!r}", code="bad_state")
    return RefusedError(f"{what} {name[:80]!r} is {has}; it cannot be made {wanted}")


# Telling -----------------------------------------------------------------------------


def _whole(desk: Desk, row: RunRow) -> DagRun:
    told = _Telling(desk, row)
    return DagRun(
        runID=row.number - 1,
        tag=row.record.tags.get("name", ""),
        state=words.run_state(row.record),
        tasks=told.definitions(list(told.tasks)),
        taskStates={name: words.task_state(each.record) for name, each in told.tasks.items()},
        taskAttempts=told.attempts(),
        **told.changes(),
    )


@dataclass
class _Telling:
    """A run that is being told: its nodes by name."""

    desk: Desk
    row: RunRow
    tasks: dict[str, StoredNode] = field(default_factory=dict)
    _barriers: dict[str, Barrier] = field(default_factory=dict)
    _children: dict[str, list[str]] = field(default_factory=dict)
    _left_bytes: int = ALL_OUTPUT_BYTES

    def __post_init__(self) -> None:
        for each in self.desk.store.nodes(self.row.record.id):
            if isinstance(each.node, Task):
                self.tasks[each.node.name] = each
            else:
                self._barriers[each.node.name] = each.node
            for need in each.node.needs:
                self._children.setdefault(need, []).append(each.node.name)

    def definitions(self, names: list[str]) -> dict[str, Any]:
        """Return the definitions of tasks."""
        templates = {name: _template(each.node) for name, each in self.tasks.items()}
        found = {}
        for name in names:
            task = self.tasks[name].node
            assert isinstance(task, Task)
            parents: list[str] = []
            for need in task.needs:
                barrier = self._barriers.get(need)
                parents += words.template_names(barrier, templates) if barrier else [need]
            children: list[str] = []
            for each in self._children.get(name, ()):
                behind = self._children.get(each, ()) if each in self._barriers else (each,)
                own = each in self._barriers
                children += [templates.get(one, one) if own else one for one in behind]
            environment: Mapping[str, Any] = masked(task.environment)
            found[name] = words.definition(task, parents, children, environment)
        return found

    def attempts(self) -> dict[str, list[dict[str, Any]]]:
        """Return all attempts, with what they printed where that is not too much."""
        names = {each.position: name for name, each in self.tasks.items()}
        found: dict[str, list[dict[str, Any]]] = {}
        for each in self.desk.store.attempts(self.row.record.id):
            if each.task in names:
                output, error = self._output(each, "stdout"), self._output(each, "stderr")
                told = words.attempt(each, output, error, executor_log(each))
                found.setdefault(names[each.task], []).append(told)
        return found

    def _output(self, attempt: AttemptRecord, stream: str) -> str:
        if len(self.tasks) > TASKS_TOLD_WHOLE or self._left_bytes <= 0:
            return ""
        path = os.path.join(attempt.folder, stream)
        try:
            size = os.stat(path, follow_symlinks=False).st_size
        except OSError:
            return ""
        begin = max(0, size - OUTPUT_BYTES)
        data = b""
        while piece := read_piece(path, begin + len(data), size):
            data += piece
        self._left_bytes -= len(data)
        left_out = f"({begin} bytes before this are left out)\n" if begin else ""
        return left_out + data.decode("utf-8", "replace")

    def changes(self) -> dict[str, Any]:
        """Return how the run and its tasks have changed their states."""
        whole = len(self.tasks) <= TASKS_TOLD_WHOLE
        names = {each.position: name for name, each in self.tasks.items()} if whole else {}
        lines = self.desk.store.history(self.row.record.id) if whole else iter(())
        of_run, of_tasks = words.state_changes(self.row.record, lines, names)
        return {"runStateChanges": of_run, "taskStateChanges": of_tasks}


def _template(node: Task | Barrier) -> str:
    return (node.template if isinstance(node, Task) else "") or node.name
