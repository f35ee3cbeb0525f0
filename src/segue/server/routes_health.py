"""Whether the server works: asked by machines that hold no token."""

from fastapi import APIRouter, Request
from fastapi.responses import Response

from segue.model.access import Token
from segue.model.errors import SegueError
from segue.server import documents as d
from segue.server.desk import Desk
from segue.server.problems import STORE_AWAY
from segue.server.site import Site


def routes(site: Site) -> APIRouter:
    """Return the routes that tell whether the server works."""
    router = APIRouter(tags=["service"])

    @router.get("/ready", response_model=d.Ready)
    async def ready() -> d.Ready:
        """Say that the server answers."""
        return d.Ready()

    @router.get("/health", response_model=d.Health, responses={503: {"model": d.Health}})
    async def health(request: Request) -> Response:
        """Say whether store and engine work; what is wrong in detail is told to operators."""
        store = "ok"
        try:
            site.gate.learn(await site.office.ask(_looked_into))
        except SegueError as error:
            store = Exception.__str__(error)
        engine = site.host.trouble or ("ok" if site.host.alive else "it does not answer")
        good = store == engine == "ok"
        if not site.gate.trusts(request):
            # What fails is named with its address, which is for those who mend it.
            store = store if store == "ok" else STORE_AWAY
            engine = engine if engine == "ok" else "it is in trouble"
        document = d.Health(status="ok" if good else "failing", store=store, engine=engine)
        return Response(
            document.model_dump_json(by_alias=True),
            200 if good else 503,
            {"Cache-Control": "no-store"},
            "application/json",
        )

    return router


def _looked_into(desk: Desk) -> list[Token]:
    """Return the tokens of a store that can be read."""
    desk.store.runs(limit=1)
    return list(desk.store.tokens())
