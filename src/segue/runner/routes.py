"""The routes of `segue.protocols.runner`."""

from __future__ import annotations

import time
from typing import Annotated, Any, Final

from fastapi import APIRouter, Query, Request, Response
from starlette.concurrency import run_in_threadpool

from segue.protocols.runner import Changes
from segue.runner.bell import Bell, heard
from segue.runner.door import READY, body_of, json_response
from segue.runner.service import Runner
from segue.server.output_files import read_piece
from segue.server.paths import Part
from segue.server.problems import ApiError

#: A question waits so long at the most, in seconds, and at the most a part of the lease:
#: who waits does not ask, and only asking keeps jobs alive.
LONGEST_WAIT_S: Final = 60.0
WAITS_PER_LEASE: Final = 3
#: So many bytes of output are sent at once.
OUTPUT_BYTES: Final = 8 * 2**20
_STREAMS: Final = ("stdout", "stderr")

Number = Annotated[int, Query(ge=0, le=2**62)]
Seconds = Annotated[float, Query(ge=0, allow_inf_nan=False)]


def routes(runner: Runner, bell: Bell) -> APIRouter:
    """Return the routes of a runner."""
    router = APIRouter()
    _add_capacity(router, runner)
    _add_jobs(router, runner)
    _add_output(router, runner)
    _add_owners(router, runner, bell)
    return router


def _add_capacity(router: APIRouter, runner: Runner) -> None:
    @router.get(READY)
    async def ready() -> Response:
        return json_response({"ready": True})

    @router.get("/api/v1/capacity")
    async def capacity() -> Response:
        return json_response(runner.capacity().to_json())

    @router.get("/v1/capacity")
    async def old_capacity() -> Response:
        total = runner.capacity().total
        return json_response({name: total[name] for name in ("cores", "memory_mb")})


def _add_jobs(router: APIRouter, runner: Runner) -> None:
    @router.put("/api/v1/tasks/{name}")
    async def put(name: Part, request: Request) -> Response:
        body = await body_of(request)
        if await request.is_disconnected():
            # Its engine has given it up, and may run it elsewhere.
            raise ApiError(400, "the client has left")
        new = await run_in_threadpool(runner.take, name, body)
        return json_response({"name": name}, 202 if new else 200)

    @router.get("/api/v1/tasks/{name}")
    async def task(name: Part) -> Response:
        told = await run_in_threadpool(runner.told, name)
        if told is None:
            raise _unknown(name)
        return json_response(told.to_json())

    @router.delete("/api/v1/tasks/{name}")
    async def stop(name: Part) -> Response:
        if not await run_in_threadpool(runner.stop, name):
            raise _unknown(name)
        return json_response({"name": name}, 202)


def _add_output(router: APIRouter, runner: Runner) -> None:
    @router.get("/api/v1/tasks/{name}/{stream}")
    async def output(
        name: Part, stream: Part, offset: Number = 0, limit: Number = OUTPUT_BYTES
    ) -> Response:
        path = runner.output(name, stream) if stream in _STREAMS else None
        if path is None:
            raise _unknown(name)
        data = await run_in_threadpool(_read, path, offset, min(limit, OUTPUT_BYTES))
        return Response(data, media_type="application/octet-stream")


def _add_owners(router: APIRouter, runner: Runner, bell: Bell) -> None:
    @router.get("/api/v1/tasks")
    async def changes(owner: str, after: Number = 0, wait: Seconds = 0) -> Response:
        runner.hear(owner)
        found = await _wait_for_news(runner, bell, owner, after, wait)
        return json_response(found.to_json())

    @router.post("/api/v1/find")
    async def find(request: Request) -> Response:
        said = await body_of(request)
        owner = said.get("owner") if isinstance(said, dict) else None
        if not isinstance(owner, str):
            raise ApiError(422, "owner is missing", hint='send {"owner": ..., "names": [...]}')
        found = await run_in_threadpool(runner.find, owner, _names(said))
        return json_response(found.to_json())

    @router.post("/api/v1/acks")
    async def acks(request: Request) -> Response:
        names = _names(await body_of(request))
        return json_response({"forgotten": await run_in_threadpool(runner.forget, names)})


async def _wait_for_news(
    runner: Runner, bell: Bell, owner: str, after: int, wait_s: float
) -> Changes:
    """Return what has changed, when something has, or there is more room, or time is up."""
    lease_s = runner.book.shortest_lease_s(owner)
    if lease_s is not None:
        wait_s = min(wait_s, lease_s / WAITS_PER_LEASE)
    until = time.monotonic() + min(wait_s, LONGEST_WAIT_S)
    while True:
        event = bell.next
        found = await run_in_threadpool(runner.changes, owner, after)
        left_s = until - time.monotonic()
        if found.tasks or runner.book.freed > after or runner.closing or left_s <= 0:
            return found
        await heard(event, left_s)


def _names(said: Any) -> list[str]:
    names = said.get("names") if isinstance(said, dict) else None
    if not isinstance(names, list) or not all(isinstance(each, str) for each in names):
        raise ApiError(422, "names is no list of texts", hint='send {"names": ["run-1.0.1"]}')
    return names


def _read(path: str, offset: int, limit: int) -> bytes:
    pieces = []
    end = offset + limit
    while offset < end and (piece := read_piece(path, offset, end)):
        pieces.append(piece)
        offset += len(piece)
    return b"".join(pieces)


def _unknown(name: str) -> ApiError:
    shown = name if len(name) <= 80 else name[:80] + "..."
    return ApiError(404, f"there is no job {shown!r} here")
