"""`/api/v2/runs/{run}/tasks`: tables of tasks, one task, and what is done to it."""

from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from fastapi.responses import Response

from segue.engine.commands import CommandKind
from segue.model.states import TaskState
from segue.server import bodies, shapes
from segue.server import documents as d
from segue.server.answers import Answer, answer
from segue.server.asking import ask
from segue.server.auth import GuardedRoute, operator, viewer
from segue.server.desk import Desk
from segue.server.fitting import fitting_tasks
from segue.server.paths import Part, RunName, TaskName
from segue.server.queries import TASKS_AT_MOST, next_of_tasks, task_query
from segue.server.requeue import wishes_of
from segue.server.site import Site
from segue.server.task_details import row_of, task_document
from segue.server.task_rows import task_rows

Text = Annotated[str, Query(max_length=1000)]


def routes(site: Site) -> APIRouter:
    """Return the routes of tasks."""
    router = APIRouter(prefix="/api/v2/runs/{run}", tags=["tasks"], route_class=GuardedRoute)
    _looking(router, site)
    _asking(router, site)
    return router


def _looking(router: APIRouter, site: Site) -> None:
    @router.get("/tasks", response_model=d.TaskPage, dependencies=[viewer])
    async def list_tasks(
        request: Request,
        run: RunName,
        state: Annotated[list[TaskState], Query()] = [],  # noqa: B006 - FastAPI copies it
        name: Annotated[str, Query(description="Searched in the name; RE2.")] = "",
        template: Text = "",
        structural: Annotated[bool, Query(description="Barriers too, which run nothing.")] = False,
        sort: Text = "position",
        limit: Annotated[int, Query(ge=1, le=TASKS_AT_MOST)] = 100,
        cursor: Text = "",
    ) -> Response:
        """Return a page of tasks."""
        query = task_query(
            states=state,
            name=name,
            template=template,
            structural=structural,
            sort=sort,
            limit=limit,
            cursor=cursor,
            now=site.parts.clock.now(),
        )

        def page(desk: Desk) -> d.TaskPage:
            # The run itself is not read: what its file said can be as large as its tasks.
            rows = task_rows(desk, site, run, query)
            counts = site.cache.get(
                (run, "task counts", query.pattern, template, structural),
                int(query.now * 2),
                lambda: dict(desk.windows.task_counts(run, query)),
            )
            return d.TaskPage(
                tasks=[shapes.task_row(row, query.now) for row in rows[:limit]],
                next_cursor=next_of_tasks(rows, limit, sort),
                state_counts=counts,
            )

        return await answer(site, request, page)

    @router.get("/tasks/{task}", response_model=d.Task, dependencies=[viewer])
    async def get_task(request: Request, run: RunName, task: TaskName) -> Response:
        """Return all that is known of a task."""
        return await answer(site, request, lambda desk: task_document(desk, site, run, task))

    @router.get("/tasks/{task}/attempts/{number}", response_model=d.Attempt, dependencies=[viewer])
    async def get_attempt(request: Request, run: RunName, task: TaskName, number: Part) -> Response:
        """Return one try of a task; `latest` is the newest."""

        def found(desk: Desk) -> d.Attempt:
            return shapes.attempt(desk.attempt(run, task, number), desk.clock.now())

        return await answer(site, request, found)


def _asking(router: APIRouter, site: Site) -> None:
    async def _ask(
        request: Request, run: str, task: str, kind: CommandKind, argument: dict[str, Any]
    ) -> Response:
        await ask(site, run, [(kind, {"tasks": [task], **argument})])
        return await _after(request, run, task)

    async def _after(request: Request, run: str, task: str) -> Response:
        return await answer(site, request, lambda desk: Answer(row_of(desk, run, task), 202))

    async def _check(run: str, task: str, wanted: CommandKind) -> None:
        await site.office.ask(lambda desk: _check_fits(desk, run, task, wanted))

    accepted: dict[str, Any] = {
        "response_model": d.TaskRow,
        "status_code": 202,
        "dependencies": [operator],
    }

    @router.post("/tasks/{task}:kill", **accepted)
    async def kill_task(
        request: Request, run: RunName, task: TaskName, body: bodies.Reason | None = None
    ) -> Response:
        """Stop a task, and everything that it has started; nothing is tried again."""
        await _check(run, task, CommandKind.CANCEL)
        reason = {"reason": body.reason} if body and body.reason else {}
        return await _ask(request, run, task, CommandKind.CANCEL, reason)

    @router.post("/tasks/{task}:requeue", **accepted)
    async def requeue_task(
        request: Request, run: RunName, task: TaskName, body: bodies.TaskRequeue | None = None
    ) -> Response:
        """Run a task again that did not succeed, or with `force` any."""
        wish = body or bodies.TaskRequeue()
        wanted = await site.office.ask(
            lambda desk: wishes_of(desk, site.skeletons, run, [task], wish)
        )
        await ask(site, run, wanted)
        return await _after(request, run, task)

    @router.post("/tasks/{task}:hold", **accepted)
    async def hold_task(
        request: Request, run: RunName, task: TaskName, body: bodies.Reason | None = None
    ) -> Response:
        """Keep a task from starting until it is released."""
        await _check(run, task, CommandKind.HOLD)
        return await _ask(request, run, task, CommandKind.HOLD, {})

    @router.post("/tasks/{task}:release", **accepted)
    async def release_task(
        request: Request, run: RunName, task: TaskName, body: bodies.Reason | None = None
    ) -> Response:
        """Let a task start that was held."""
        await _check(run, task, CommandKind.RELEASE)
        return await _ask(request, run, task, CommandKind.RELEASE, {})

    @router.post("/tasks/{task}:markCompleted", **accepted)
    async def mark_task_completed(
        request: Request, run: RunName, task: TaskName, body: bodies.GivenReason
    ) -> Response:
        """Let a task count as done, though it did not succeed; who waits for it goes on."""
        await _check(run, task, CommandKind.MARK_DONE)
        argument = {"reason": body.reason}
        return await _ask(request, run, task, CommandKind.MARK_DONE, argument)


def _check_fits(desk: Desk, run: str, task: str, wanted: CommandKind) -> None:
    """Raise `RefusedError` where what is asked would change nothing, and say why."""
    fitting_tasks(desk, run, [task], wanted, all_or_none=True)
