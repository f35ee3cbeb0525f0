"""The server itself: pools, who I am, its numbers."""

from fastapi import APIRouter, Request
from fastapi.responses import Response

from segue import __version__
from segue.model.errors import NotFoundError, did_you_mean
from segue.model.states import TaskState
from segue.protocols.windows import RunQuery
from segue.server import documents as d
from segue.server.answers import Answer, answer
from segue.server.auth import Caller, viewer
from segue.server.desk import Desk
from segue.server.metrics import MEDIA_TYPE
from segue.server.paths import Part
from segue.server.site import Site


def routes(site: Site) -> APIRouter:
    """Return the routes of the service."""
    router = APIRouter(tags=["service"])

    @router.get("/api/v2/pools", response_model=d.Pools, dependencies=[viewer])
    async def list_pools(request: Request) -> Response:
        """Return all pools, and how full they are."""
        return await answer(site, request, lambda desk: d.Pools(pools=pools(desk, site)))

    @router.get("/api/v2/pools/{name}", response_model=d.Pool, dependencies=[viewer])
    async def get_pool(request: Request, name: Part) -> Response:
        """Return one pool."""

        def found(desk: Desk) -> d.Pool:
            check_known(name, site)
            return {each.name: each for each in pools(desk, site)}[name]

        return await answer(site, request, found)

    @router.get("/api/v2/pools/{name}/runners", response_model=d.PoolRunners, dependencies=[viewer])
    async def list_runners(request: Request, name: Part) -> Response:
        """Return the runners of a pool as they were last heard; none where it has no such."""

        def found(desk: Desk) -> d.PoolRunners:
            check_known(name, site)
            shown = site.host.runners(name)
            runners = [d.Runner(**each._asdict()) for each in shown.runners]
            return d.PoolRunners(pool=name, waiting=shown.waiting, runners=runners)

        return await answer(site, request, found)

    @router.get("/api/v2/server", response_model=d.ServerDocument, dependencies=[viewer])
    async def get_server(request: Request) -> Response:
        """Return what this server is, and what you may do."""
        caller: Caller = request.state.caller
        document = d.ServerDocument(
            version=__version__,
            host=site.name,
            process_id=site.process_id,
            started_at=d.moment(site.started_at) or "",
            store=site.settings.store,
            role=caller.role.word,
            user=caller.name,
            auth_required=not site.gate.open,
            dialects=list(site.parts.dialects),
            body_limit_bytes=site.settings.body_limit_bytes,
            engine=d.ServerEngine(alive=site.host.alive, runs=site.host.number_of_runs),
        )
        return await answer(site, request, lambda desk: document)

    @router.get(
        "/metrics",
        dependencies=[viewer],
        response_class=Response,
        responses={200: {"content": {"text/plain": {}}}},
    )
    async def metrics(request: Request) -> Response:
        """Return the numbers of this server for Prometheus."""
        numbers = site.metrics
        numbers.engine_runs.set(site.host.number_of_runs)
        numbers.engine_alive.set(int(site.host.alive))
        numbers.waiting.set(site.office.waiting)
        numbers.listeners.set(site.hub.number)

        def page(desk: Desk) -> Answer:
            runs = desk.windows.run_counts(RunQuery())
            return Answer(numbers.page(runs), media_type=MEDIA_TYPE)

        return await answer(site, request, page)

    return router


def check_known(name: str, site: Site) -> None:
    """Raise `NotFoundError` if there is no pool of that name."""
    known = [each.name for each in site.settings.pools]
    if name not in known:
        hint = did_you_mean(name, known) or f"there are: {', '.join(known)}"
        raise NotFoundError(f"there is no pool {name!r}", hint)


def pools(desk: Desk, site: Site) -> list[d.Pool]:
    """Return all pools, and how full they are."""
    busy, ready = site.cache.get(
        ("", "pools"), int(desk.clock.now()),
        lambda: (dict(desk.windows.busy()), dict(desk.windows.ready())),
    )  # fmt: skip
    found = []
    for at, pool in enumerate(site.settings.pools):
        waiting = ready.get(pool.name, 0) + (ready.get("", 0) if at == 0 else 0)
        going = busy.get((pool.name, TaskState.SUBMITTING), 0)
        found.append(
            d.Pool(
                name=pool.name,
                executor=pool.executor,
                default=at == 0,
                limit=pool.limit,
                running=busy.get((pool.name, TaskState.RUNNING), 0),
                submitted=busy.get((pool.name, TaskState.SUBMITTED), 0) + going,
                ready=waiting,
                problem=pool.problem or None,
            )
        )
    return found
