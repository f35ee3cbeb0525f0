"""`/api/v2/runs/{run}/tasks:VERB`: one thing done to many tasks, by one command."""

from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import Response

from segue.engine.commands import CommandKind
from segue.server import bodies, shapes
from segue.server import documents as d
from segue.server.answers import Answer, answer
from segue.server.asking import ask
from segue.server.auth import GuardedRoute, operator
from segue.server.desk import Desk
from segue.server.fitting import fitting_tasks
from segue.server.paths import RunName
from segue.server.site import Site


def routes(site: Site) -> APIRouter:
    """Return the routes of what is done to many tasks."""
    router = APIRouter(prefix="/api/v2/runs/{run}", tags=["tasks"], route_class=GuardedRoute)

    async def _ask(
        request: Request, run: str, body: bodies.ManyTasks, kind: CommandKind
    ) -> Response:
        chosen = await site.office.ask(
            lambda desk: fitting_tasks(desk, run, body.names, kind, all_or_none=body.all_or_none)
        )
        argument = {"tasks": chosen} | ({"reason": body.reason} if body.reason else {})
        await ask(site, run, [(kind, argument)])

        def after(desk: Desk) -> Answer:
            left_out = set(body.names) - set(chosen)
            document = d.ManyAsked(
                run=shapes.summary(desk, desk.run(run)),
                asked=len(chosen),
                left_out=[name for name in dict.fromkeys(body.names) if name in left_out],
            )
            return Answer(document, 202)

        return await answer(site, request, after)

    accepted: dict[str, Any] = {
        "response_model": d.ManyAsked,
        "status_code": 202,
        "dependencies": [operator],
    }

    @router.post("/tasks:kill", **accepted)
    async def kill_tasks(request: Request, run: RunName, body: bodies.ManyTasks) -> Response:
        """Stop tasks, and everything that they have started; nothing is tried again."""
        return await _ask(request, run, body, CommandKind.CANCEL)

    @router.post("/tasks:hold", **accepted)
    async def hold_tasks(request: Request, run: RunName, body: bodies.ManyTasks) -> Response:
        """Keep tasks from starting until they are released."""
        return await _ask(request, run, body, CommandKind.HOLD)

    @router.post("/tasks:release", **accepted)
    async def release_tasks(request: Request, run: RunName, body: bodies.ManyTasks) -> Response:
        """Let tasks start that were held."""
        return await _ask(request, run, body, CommandKind.RELEASE)

    @router.post("/tasks:markCompleted", **accepted)
    async def mark_tasks_completed(
        request: Request, run: RunName, body: bodies.ManyTasksWithReason
    ) -> Response:
        """Let tasks count as done, though they did not succeed; who waits for them goes on."""
        return await _ask(request, run, body, CommandKind.MARK_DONE)

    return router
