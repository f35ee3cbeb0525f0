"""`/api/v2/runs/{run}/report`: a run as one document, as ``segue status --json`` prints it."""

import json
from typing import Annotated

from fastapi import APIRouter, Query
from fastapi.responses import Response

from segue.engine.documents import run_document
from segue.model.states import TaskState
from segue.protocols.store import TaskFilter
from segue.server.auth import viewer
from segue.server.desk import Desk
from segue.server.paths import RunName
from segue.server.site import Site


def routes(site: Site) -> APIRouter:
    """Return the route of the report."""
    router = APIRouter(prefix="/api/v2", tags=["runs"])

    @router.get("/runs/{run}/report", response_model=None, dependencies=[viewer])
    async def report(
        run: RunName,
        state: Annotated[list[TaskState], Query()] = [],  # noqa: B006 - FastAPI copies it
    ) -> Response:
        """Return the run with all its tasks and attempts: for programs, and for archives."""

        def read(desk: Desk) -> bytes:
            record = desk.run(run).record
            document = run_document(desk.store, record, TaskFilter(states=tuple(state)))
            return json.dumps(document).encode()

        return Response(await site.office.ask(read), media_type="application/json")

    return router
