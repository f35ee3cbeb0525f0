"""Streams of events: all runs, or one run with its history."""

import asyncio
import time
from collections.abc import AsyncIterator
from typing import Annotated, Any

from fastapi import APIRouter, Header, Query, Request
from fastapi.responses import StreamingResponse
from pydantic_core import to_json

from segue.model.errors import SegueError
from segue.server import shapes
from segue.server.auth import viewer
from segue.server.desk import Desk
from segue.server.hub import HEARTBEAT_S, Change, change_of
from segue.server.paths import RunName
from segue.server.problems import ApiError
from segue.server.routes_pictures import names_in
from segue.server.site import Site

EVENTS = "text/event-stream"
#: A run is told of at most four times a second.
PAUSE_S = 0.25
#: So many lines of history are told a second; of more than these it is said where they are.
LINES_PER_S = 200
_HEADERS = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
_RESPONSES: dict[int | str, dict[str, Any]] = {
    200: {"content": {EVENTS: {"schema": {"type": "string"}}}}
}
Id = Annotated[str, Query(max_length=30, description="Go on behind this event.")]
LastId = Annotated[str, Header(alias="Last-Event-ID", max_length=30)]


def routes(site: Site) -> APIRouter:
    """Return the routes of streams."""
    router = APIRouter(prefix="/api/v2", tags=["live"])

    @router.get(
        "/events", dependencies=[viewer], response_class=StreamingResponse, responses=_RESPONSES
    )
    async def follow_runs(
        request: Request, since: Id = "", last_event_id: LastId = ""
    ) -> StreamingResponse:
        """Tell of every run that changes; what changed in between comes as one event."""
        begin = _id(since or last_event_id)
        return StreamingResponse(_runs(site, begin), headers=_HEADERS, media_type=EVENTS)

    @router.get(
        "/runs/{run}/events",
        dependencies=[viewer],
        response_class=StreamingResponse,
        responses=_RESPONSES,
    )
    async def follow_run(
        request: Request, run: RunName, since: Id = "", last_event_id: LastId = ""
    ) -> StreamingResponse:
        """Tell a run's history as it comes, and the run whenever it changes."""
        begin = _id(since or last_event_id)
        first = await site.office.ask(lambda desk: _first(desk, run))
        if begin is None:
            begin = first[1]
        stream = _history(site, run, begin, first[0])
        return StreamingResponse(stream, headers=_HEADERS, media_type=EVENTS)

    return router


def _id(text: str) -> int | None:
    if not text:
        return None
    if not text.isascii() or not text.isdigit() or int(text) >= 2**62:
        raise ApiError(400, f"since: {text[:40]!r} is no id of an event", code="bad_event_id")
    return int(text)


def _event(kind: str, data: bytes, number: int | None = None) -> bytes:
    head = f"id: {number}\n".encode() if number is not None else b""
    return head + f"event: {kind}\ndata: ".encode() + data + b"\n\n"


def _told(change: Change, *, with_id: bool = True) -> bytes:
    number = change.id if with_id else None
    if change.body is None:
        return _event("removed", _json({"id": change.run}), number)
    return _event("run", change.body, number)


def _json(value: object) -> bytes:
    return to_json(value)


async def _runs(site: Site, since: int | None) -> AsyncIterator[bytes]:
    async with site.hub.listening() as listener:
        yield b": hello\n\n"
        if since is not None:
            try:
                missed = await site.hub.since(since + 1)
            except SegueError:
                return  # who listens comes back, and asks again from there
            if missed:
                yield b"".join(map(_told, missed))
        while True:
            changes = await listener.wait(HEARTBEAT_S)
            if listener.closed:
                return
            yield b"".join(map(_told, changes)) or b": still here\n\n"
            await asyncio.sleep(PAUSE_S)


# One run ---------------------------------------------------------------------------


def _first(desk: Desk, run: str) -> tuple[Change, int]:
    """Return the run as it is, and the number of its newest line."""
    change = change_of(desk, desk.run(run))
    newest = desk.store.newest_history(run)
    return change, newest.number if newest else 0


async def _history(site: Site, run: str, after: int, first: Change) -> AsyncIterator[bytes]:
    async with site.hub.listening(run) as listener:
        yield _told(first, with_id=False)
        changes: list[Change] = []
        while not listener.closed:
            begun = time.monotonic()
            try:
                lines, after = await site.office.ask(
                    lambda desk, after=after: _lines(desk, site, run, after)  # type: ignore[misc]
                )
            except SegueError:
                lines = b": the store cannot be read now\n\n"
            told = lines + b"".join(_told(each, with_id=False) for each in changes)
            yield told or b": still here\n\n"
            if any(each.body is None for each in changes):
                return
            # So that not more than so many lines come in a second.
            pause_s = PAUSE_S if lines.count(b"\n\n") < LINES_PER_S // 4 else 1.0
            await asyncio.sleep(max(0.0, pause_s - (time.monotonic() - begun)))
            changes = await listener.wait(HEARTBEAT_S)


def _lines(desk: Desk, site: Site, run: str, after: int) -> tuple[bytes, int]:
    """Return the lines behind `after` as events, and where that has led."""
    newest = desk.store.newest_history(run)
    last = newest.number if newest else 0
    if last <= after:
        return b"", after
    skipped = b""
    if last - after > LINES_PER_S:
        skipped = _event("skipped", _json({"from": after + 1, "to": last - LINES_PER_S}))
        after = last - LINES_PER_S
    lines = list(desk.store.history(run, after, LINES_PER_S))
    names = names_in(desk, site, run, lines)
    told = [
        _event(
            "history",
            shapes.history_line(each, names).model_dump_json(by_alias=True).encode(),
            each.number,
        )
        for each in lines
    ]
    return skipped + b"".join(told), lines[-1].number if lines else after
