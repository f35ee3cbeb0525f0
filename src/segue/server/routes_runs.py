"""`/api/v2/runs`: submit, list, look, change, remove."""

from pathlib import Path
from typing import Annotated, Any

from fastapi import APIRouter, Header, Query, Request
from fastapi.responses import Response

from segue.engine.commands import CommandKind
from segue.model.access import Role
from segue.model.errors import RefusedError, WorkflowError
from segue.model.states import FINAL_RUN, RunState, TaskState
from segue.server import bodies, shapes, submission
from segue.server import documents as d
from segue.server import picture_documents as pictured
from segue.server.answers import Answer, answer
from segue.server.asking import ask
from segue.server.auth import Caller, GuardedRoute, admin, operator, viewer
from segue.server.desk import Desk
from segue.server.graph_picture import workflow_graph
from segue.server.masking import masked_document
from segue.server.paths import RunName
from segue.server.problems import ApiError
from segue.server.queries import RUNS_AT_MOST, next_of_runs, run_query
from segue.server.removal import remove_run
from segue.server.requeue import wishes_of
from segue.server.site import Site

DOCUMENT_TYPES = (
    "application/json",
    "application/yaml",
    "application/x-yaml",
    "text/yaml",
    "text/x-yaml",
    "text/plain",
    "",
)
_BODY = {
    "requestBody": {
        "required": True,
        "content": {
            "application/json": {
                "schema": {
                    "anyOf": [
                        {"$ref": "#/components/schemas/Envelope"},
                        {"type": "object", "title": "A Daggy document"},
                    ]
                }
            },
            "application/yaml": {"schema": {"type": "string"}},
            "text/plain": {"schema": {"type": "string"}},
        },
    }
}
#: Whoever submits so many tasks looks at their graph next, and shall not wait for it.
READ_AHEAD_FROM = 5000
Text = Annotated[str, Query(max_length=1000)]
Number = Annotated[int | None, Query(ge=0, le=2**31 - 1)]


def routes(site: Site) -> APIRouter:
    """Return the routes of runs."""
    router = APIRouter(prefix="/api/v2", tags=["runs"], route_class=GuardedRoute)
    _submitting(router, site)
    _looking(router, site)
    _changing(router, site)
    _asking(router, site)
    return router


def _looking(router: APIRouter, site: Site) -> None:
    @router.get("/runs", response_model=d.RunPage, dependencies=[viewer])
    async def list_runs(
        request: Request,
        state: Annotated[list[RunState], Query()] = [],  # noqa: B006 - FastAPI copies it
        name: Annotated[str, Query(description="Searched in id, workflow and tags; RE2.")] = "",
        pool: Text = "",
        dialect: Text = "",
        started_after: Annotated[str | None, Query(alias="startedAfter")] = None,
        started_before: Annotated[str | None, Query(alias="startedBefore")] = None,
        updated_after: Annotated[str | None, Query(alias="updatedAfter")] = None,
        has_task_state: Annotated[TaskState | None, Query(alias="hasTaskState")] = None,
        sort: Text = "-updatedAt",
        limit: Annotated[int, Query(ge=1, le=RUNS_AT_MOST)] = 50,
        cursor: Text = "",
    ) -> Response:
        """Return a page of runs. A tag is asked for as `tag.KEY=VALUE`."""
        tags = {
            key.removeprefix("tag."): value
            for key, value in request.query_params.items()
            if key.startswith("tag.")
        }
        query = run_query(
            states=state,
            name=name,
            tags=tags,
            pool=pool,
            dialect=dialect,
            started_after=started_after,
            started_before=started_before,
            updated_after=updated_after,
            has_task_state=has_task_state,
            sort=sort,
            limit=limit,
            cursor=cursor,
        )

        def page(desk: Desk) -> d.RunPage:
            rows = desk.windows.runs(query)
            return d.RunPage(
                runs=[shapes.summary(desk, row) for row in rows[:limit]],
                next_cursor=next_of_runs(rows, limit, sort),
                state_counts=dict(desk.windows.run_counts(query)),
            )

        return await answer(site, request, page)

    @router.get("/runs/{run}", response_model=d.Run, dependencies=[viewer])
    async def get_run(request: Request, run: RunName) -> Response:
        """Return a run without its tasks."""
        return await answer(site, request, lambda desk: Answer(_run(desk, run, site), tagged=True))

    @router.get(
        "/runs/{run}/spec",
        dependencies=[viewer],
        response_class=Response,
        responses={200: {"content": {"application/json": {}, "application/yaml": {}}}},
    )
    async def get_spec(request: Request, run: RunName) -> Response:
        """Return the document as it was submitted; viewers see it without secrets."""
        caller: Caller = request.state.caller
        return await answer(site, request, lambda desk: _spec(desk, run, caller))


def _submitting(router: APIRouter, site: Site) -> None:
    @router.post(
        "/runs",
        response_model=d.Submitted,
        status_code=201,
        dependencies=[operator],
        openapi_extra=_BODY,
        responses={200: {"model": d.Submitted, "description": "The same was submitted before."}},
    )
    async def submit_run(
        request: Request,
        dialect: Text = "",
        pool: Text = "",
        name: Text = "",
        limit: Number = None,
        priority: Annotated[int | None, Query(ge=-(2**31), le=2**31 - 1)] = None,
        path: Text = "",
        idempotency_key: Annotated[str, Header(max_length=200)] = "",
    ) -> Response:
        """Take a document of any dialect, and run it.

        The same `Idempotency-Key` with the same body is one run, however often it comes.
        """
        said = {
            "dialect": dialect,
            "pool": pool,
            "name": name,
            "limit": limit,
            "priority": priority,
            "path": path,
        }
        order = await _order(site, request, said, idempotency_key)

        def taken(desk: Desk) -> Answer:
            found = submission.stored_before(desk, order)
            if found is None:
                with site.storing:
                    found = submission.take(desk, order, site.parts, site.settings)
                site.host.offer(found.record.id)
                if found.task_count > READ_AHEAD_FROM:
                    run = found.record.id
                    site.office.put(lambda own: site.skeletons.of(run, own.windows))
            record = found.record
            document = d.Submitted(
                id=record.id,
                state=record.state,
                task_count=found.task_count,
                warnings=[
                    d.DocumentProblem.model_validate(each)
                    for each in record.reading.get("warnings", ())
                ],
            )
            headers = {"Location": f"/api/v2/runs/{record.id}"}
            return Answer(document, 200 if found.again else 201, headers)

        return await answer(site, request, taken)

    @router.post(
        "/runs:validate",
        response_model=pictured.Validated,
        dependencies=[viewer],
        openapi_extra=_BODY,
    )
    async def validate_document(
        request: Request,
        dialect: Text = "",
        pool: Text = "",
        name: Text = "",
        path: Text = "",
        expand: bool = False,
    ) -> Response:
        """Say what is wrong with a document; `expand=1` adds its graph by template."""
        said = {"dialect": dialect, "pool": pool, "name": name, "path": path}
        try:
            order = await _order(site, request, said, "")
        except WorkflowError as error:
            faults = _invalid(error)
            return await answer(site, request, lambda desk: faults)

        def validated(desk: Desk) -> pictured.Validated:
            try:
                workflow, _ = submission.read(order, site.parts, "")
                desk.service.new_record(workflow, run="-", source="", directory="/", workspace="/")
            except WorkflowError as error:
                return _invalid(error)
            document = pictured.Validated(
                valid=True,
                dialect=workflow.dialect,
                workflow=workflow.name,
                task_count=len(workflow.tasks),
                problems=[d.problem_document(each) for each in workflow.warnings],
                graph=workflow_graph(workflow) if expand else None,
            )
            try:
                submission.check_wanted_pools(workflow, order, site.settings)
            except ApiError as error:
                document.valid = False
                fault = d.DocumentProblem(code=error.code, message=error.detail, hint=error.hint)
                document.problems.append(fault)
            return document

        return await answer(site, request, validated)


def _changing(router: APIRouter, site: Site) -> None:
    @router.patch("/runs/{run}", response_model=d.Run, dependencies=[operator])
    async def update_run(request: Request, run: RunName, body: bodies.Limits) -> Response:
        """Change limits of a run while it runs."""
        wanted: dict[str, Any] = body.model_dump(exclude_none=True)
        if not wanted:
            raise ApiError(422, "nothing is to be changed", hint="say limit, restartLimit, or both")
        await ask(site, run, [(CommandKind.UPDATE, wanted)])
        return await answer(site, request, lambda desk: _run(desk, run, site))

    @router.delete("/runs/{run}", status_code=204, dependencies=[admin], response_class=Response)
    async def delete_run(request: Request, run: RunName) -> Response:
        """Remove a run that has ended, and the folder that the server made for it."""
        await site.office.ask(lambda desk: _delete(desk, run, site))
        site.hub.removed(run)
        return Response(status_code=204)


def _asking(router: APIRouter, site: Site) -> None:
    async def _asked(request: Request, run: str, kind: CommandKind, reason: str) -> Response:
        await ask(site, run, [(kind, {"reason": reason} if reason else {})])
        return await _after(request, run)

    async def _after(request: Request, run: str) -> Response:
        return await answer(
            site, request, lambda desk: Answer(shapes.summary(desk, desk.run(run)), 202)
        )

    accepted: dict[str, Any] = {
        "response_model": d.RunSummary,
        "status_code": 202,
        "dependencies": [operator],
    }

    @router.post("/runs/{run}:pause", **accepted)
    async def pause_run(
        request: Request, run: RunName, body: bodies.Reason | None = None
    ) -> Response:
        """Start nothing more of a run; what runs goes on."""
        return await _asked(request, run, CommandKind.PAUSE, _reason(body))

    @router.post("/runs/{run}:resume", **accepted)
    async def resume_run(
        request: Request, run: RunName, body: bodies.Reason | None = None
    ) -> Response:
        """Let a paused run go on."""
        await site.office.ask(lambda desk: _check_resumable(desk, run))
        return await _asked(request, run, CommandKind.RESUME, _reason(body))

    @router.post("/runs/{run}:kill", **accepted)
    async def kill_run(
        request: Request, run: RunName, body: bodies.Reason | None = None
    ) -> Response:
        """Stop a run, and everything that its tasks have started."""
        return await _asked(request, run, CommandKind.CANCEL, _reason(body))

    @router.post("/runs/{run}:requeue", **accepted)
    async def requeue_run(
        request: Request, run: RunName, body: bodies.RunRequeue | None = None
    ) -> Response:
        """Run tasks again that did not succeed, or with `force` any of them and all behind."""
        wish = body or bodies.RunRequeue()
        wanted = await site.office.ask(
            lambda desk: wishes_of(desk, site.skeletons, run, wish.tasks, wish)
        )
        await ask(site, run, wanted)
        return await _after(request, run)


def _reason(body: bodies.Reason | None) -> str:
    return body.reason if body else ""


async def _order(site: Site, request: Request, said: dict[str, Any], key: str) -> submission.Order:
    media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if media_type not in DOCUMENT_TYPES:
        raise ApiError(
            415,
            f"a document cannot come as {media_type!r}",
            hint="send it as application/json, application/yaml or text/plain",
        )
    caller: Caller = request.state.caller
    body = await request.body()
    # Not here in the event loop: a large body is read for a second.
    return await site.office.ask(
        lambda desk: submission.order_of(body, media_type, said, user=caller.name, key=key)
    )


def _invalid(error: WorkflowError) -> pictured.Validated:
    return pictured.Validated(
        valid=False,
        dialect=None,
        workflow=None,
        task_count=0,
        problems=[d.problem_document(each) for each in error.problems[:1000]],
    )


def _run(desk: Desk, name: str, site: Site) -> d.Run:
    row = desk.run(name)
    continued = site.cache.get(
        (name, "continued"), int(desk.clock.now() / 2), lambda: shapes.continued_by(desk, row)
    )
    return shapes.run(desk, row, continued)


def _spec(desk: Desk, run: str, caller: Caller) -> Answer:
    record = desk.run(run).record
    spec = record.reading.get("spec")
    if not spec:
        raise ApiError(404, f"run {run} was not submitted with a document")
    path = Path(record.workspace) / spec["file"]
    if path.is_symlink() or not path.is_file():
        raise ApiError(404, f"run {run} has no document here")
    text = path.read_text(encoding="utf-8", errors="replace")
    if caller.role < Role.OPERATOR:
        text = masked_document(text)
    name = str(spec["file"]).replace('"', "")
    headers = {"Content-Disposition": f'inline; filename="{name}"'}
    return Answer(text.encode(), headers=headers, media_type=f"{spec['media_type']}; charset=utf-8")


def _check_resumable(desk: Desk, run: str) -> None:
    record = desk.run(run).record
    if record.state in FINAL_RUN:
        raise RefusedError(f"run {run} has ended already: {record.state}", "re-queue it instead")


def _delete(desk: Desk, run: str, site: Site) -> None:
    remove_run(desk, run)
    site.skeletons.forget(run)
    site.cache.forget(run)
