"""What attempts have printed: whole, in part, from the end, or as it comes."""

import asyncio
from collections.abc import AsyncIterator
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query, Request
from fastapi.responses import Response, StreamingResponse

from segue.server import documents as d
from segue.server.auth import viewer
from segue.server.desk import Desk
from segue.server.output_files import Follow, Part, Reading, begin, executor_log, read_aside
from segue.server.paths import Part as PathPart
from segue.server.paths import RunName, TaskName
from segue.server.problems import ApiError
from segue.server.site import Site

TEXT = "text/plain; charset=utf-8"
_RESPONSES: dict[int | str, dict[str, Any]] = {
    200: {"content": {"text/plain": {}}, "description": "The bytes as they were printed."},
    206: {"content": {"text/plain": {}}, "description": "The range that was asked for."},
    416: {"model": d.ProblemDocument, "description": "There is no such range."},
}


def routes(site: Site) -> APIRouter:
    """Return the routes of output."""
    router = APIRouter(prefix="/api/v2/runs/{run}/tasks/{task}/attempts/{number}", tags=["logs"])

    told: dict[str, Any] = {
        "dependencies": [viewer],
        "response_class": Response,
        "responses": _RESPONSES,
    }

    @router.head("/{stream}", **told, operation_id="measure_output")
    @router.get("/{stream}", **told, operation_id="get_output")
    async def get_output(
        request: Request,
        run: RunName,
        task: TaskName,
        number: PathPart,
        stream: Literal["stdout", "stderr", "executor-log"],
        follow: Annotated[bool, Query(description="Go on until the attempt has ended.")] = False,
        tail: Annotated[
            int | None, Query(ge=0, le=2**53, description="Only so many bytes.")
        ] = None,
    ) -> Response:
        """Return what an attempt has printed; `Range` asks for a part of it."""
        if stream == "executor-log":
            return await _executor_log(site, request, run, task, number)

        def opened(desk: Desk) -> Reading:
            return begin(desk.attempt(run, task, number), stream)

        reading = await site.office.ask(opened)
        total = {"X-Segue-Total-Bytes": str(reading.size), "Accept-Ranges": "bytes"}
        common = {**total, "Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}
        part = reading.part(request.headers.get("range", ""), tail)
        if part is None:
            raise ApiError(
                416,
                f"the output has {reading.size} bytes",
                headers={**total, "Content-Range": f"bytes */{reading.size}"},
            )
        if follow:
            if request.method == "HEAD":
                return Response(headers=common, media_type=TEXT)
            following = Follow(site, run, task, reading, part.begin)
            return StreamingResponse(
                following.pieces(), headers={**common, "X-Accel-Buffering": "no"}, media_type=TEXT
            )
        headers = {**common, "Content-Length": str(part.length)}
        status = 200
        if part.ranged:
            status = 206
            headers["Content-Range"] = f"bytes {part.begin}-{part.end - 1}/{reading.size}"
        if request.method == "HEAD":
            return Response(status_code=status, headers=headers, media_type=TEXT)
        return StreamingResponse(
            _pieces(reading, part), status_code=status, headers=headers, media_type=TEXT
        )

    return router


async def _pieces(reading: Reading, part: Part) -> AsyncIterator[bytes]:
    """Yield the part piece by piece: a slow reader holds one piece and no thread."""
    at = part.begin
    while at < part.end:
        piece = await read_aside(reading.path, at, part.end)
        if not piece:
            # It was cut meanwhile: the length that was promised is kept.
            piece = b"\0" * min(part.end - at, 65536)
        at += len(piece)
        yield piece
        await asyncio.sleep(0)


async def _executor_log(site: Site, request: Request, run: str, task: str, number: str) -> Response:
    def told(desk: Desk) -> bytes:
        return executor_log(desk.attempt(run, task, number)).encode()

    body = await site.office.ask(told)
    headers = {"X-Segue-Total-Bytes": str(len(body)), "Cache-Control": "no-store"}
    return Response(body, headers=headers, media_type=TEXT)
