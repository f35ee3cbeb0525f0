"""The application: its routes in their order, and what lies around them."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Final

from fastapi import FastAPI
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from segue import __version__
from segue.server import (
    api_pages,
    crossing,
    problems,
    routes_daggy,
    routes_health,
    routes_live,
    routes_logs,
    routes_pictures,
    routes_report,
    routes_runs,
    routes_service,
    routes_tasks,
    routes_together,
    static,
)
from segue.server.bodies import Envelope
from segue.server.documents import ProblemDocument
from segue.server.limits import BodyLimit
from segue.server.paths import RawPaths
from segue.server.problems import MEDIA_TYPE
from segue.server.settings import Parts, ServerSettings
from segue.server.site import Site, open_site

_DESCRIPTION = """
Runs of workflows of every dialect: submit, watch, change.

Names in paths are percent-encoded, a slash in one as `%2F`. Times are RFC 3339 in UTC,
durations seconds. Every error is `application/problem+json`.
"""


def make_app(settings: ServerSettings, parts: Parts) -> FastAPI:
    """Return the application; its engine starts with it, and stops with it."""
    site = open_site(settings, parts)
    app = FastAPI(
        title="Segue",
        version=__version__,
        description=_DESCRIPTION,
        lifespan=_lifespan,
        docs_url=None,
        redoc_url=None,
        responses={
            status: {"model": ProblemDocument, "content": {MEDIA_TYPE: {}}}
            for status in (400, 401, 403, 404, 409, 413, 422, 503)
        },
    )
    app.state.site = site
    problems.add_handlers(app)
    for each in (
        routes_runs,
        routes_tasks,
        routes_together,
        routes_logs,
        routes_pictures,
        routes_report,
        routes_live,
        routes_service,
        routes_health,
        routes_daggy,
    ):
        app.include_router(each.routes(site))
    app.include_router(api_pages.routes())
    app.include_router(static.routes(settings.assets or static.BUILT_PAGE))
    _describe(app)
    app.add_middleware(BodyLimit, limit_bytes=settings.body_limit_bytes)
    if settings.cors_origins:
        app.add_middleware(crossing.Crossing, origins=settings.cors_origins)
    app.add_middleware(RawPaths)
    app.add_middleware(Measured, site=site)
    return app


@asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncIterator[None]:
    site: Site = app.state.site
    site.hub.start()
    site.host.start()
    try:
        yield
    finally:
        await site.hub.stop()
        site.host.stop()
        site.office.close()


def _describe(app: FastAPI) -> None:
    """Let OpenAPI know the envelope, which no route names as its body's only shape."""
    made = app.openapi

    def described() -> dict[str, Any]:
        document = made()
        schemas = document["components"]["schemas"]
        if "Envelope" not in schemas:
            own = Envelope.model_json_schema(ref_template="#/components/schemas/{model}")
            schemas.update(own.pop("$defs", {}))
            schemas["Envelope"] = own
        return document

    app.openapi = described  # type: ignore[method-assign]


#: Others are counted as one: who invents methods shall not fill the memory.
METHODS: Final = frozenset({"GET", "HEAD", "POST", "PATCH", "DELETE", "PUT", "OPTIONS"})


class Measured:
    """Counts requests, and measures how long their answers took to begin."""

    def __init__(self, app: ASGIApp, site: Site) -> None:
        self._app = app
        self._metrics = site.metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        begun = time.monotonic()

        async def counted(message: Message) -> None:
            if message["type"] == "http.response.start":
                route = getattr(scope.get("route"), "path", "other")
                self._metrics.seconds.labels(route).observe(time.monotonic() - begun)
                status = str(message["status"])
                method = scope["method"] if scope["method"] in METHODS else "other"
                self._metrics.requests.labels(method, route, status).inc()
            await send(message)

        await self._app(scope, receive, counted)
