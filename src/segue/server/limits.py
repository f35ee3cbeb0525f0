"""How large a request may be, and how long it may take to come in."""

from __future__ import annotations

import asyncio
import time
from typing import Final

from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from segue.server.problems import ApiError, problem_response

#: Where no document is sent, bodies are small: names of tasks, reasons.
SMALL_BYTES: Final = 8 * 2**20
DOCUMENTS: Final = frozenset(
    {"/api/v2/runs", "/api/v2/runs:validate", "/v1/dagrun", "/v1/dagrun/validate"}
)
#: A body may take so long between two pieces of it, in seconds.
PIECE_LIMIT_S: Final = 30.0
#: What is too large is read so long and thrown away, in seconds and in times the limit: a
#: client that still sends would not read the answer.
DISCARD_S: Final = 10.0
DISCARD_TIMES: Final = 2


class BodyLimit:
    """Refuses bodies over a limit, which the answer names; checked while reading."""

    def __init__(self, app: ASGIApp, limit_bytes: int) -> None:
        self._app = app
        self._limit_bytes = limit_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        limit_bytes = self._limit_bytes
        if not self.takes_documents(scope["path"]):
            limit_bytes = min(limit_bytes, SMALL_BYTES)
        said = _said_length(scope)
        if said is not None and said > limit_bytes:
            await self._discard(receive)
            response = self.answer(_refusal(limit_bytes))
            await response(scope, receive, send)
            return
        taken, whole = 0, False

        async def limited() -> Message:
            nonlocal taken, whole
            if whole:
                return await receive()  # streams wait here for the client to leave
            try:
                message = await asyncio.wait_for(receive(), PIECE_LIMIT_S)
            except TimeoutError as error:
                detail = f"nothing of the body has come for {PIECE_LIMIT_S:.0f} s"
                raise HTTPException(408, detail) from error
            whole = not message.get("more_body", False)
            taken += len(message.get("body", b""))
            if taken > limit_bytes:
                await self._discard(receive)
                raise HTTPException(413, _refusal(limit_bytes).detail)
            return message

        await self._app(scope, limited, send)

    def takes_documents(self, path: str) -> bool:
        """Tell whether bodies up to the limit may be sent to a path, or small ones alone."""
        return path in DOCUMENTS

    def answer(self, error: ApiError) -> Response:
        """Return how a refusal is told."""
        return problem_response(error)

    async def _discard(self, receive: Receive) -> None:
        until, left = time.monotonic() + DISCARD_S, self._limit_bytes * DISCARD_TIMES
        more = True
        while more and left > 0 and (patience := until - time.monotonic()) > 0:
            try:
                message = await asyncio.wait_for(receive(), patience)
            except TimeoutError:
                return
            left -= len(message.get("body", b""))
            more = message["type"] == "http.request" and message.get("more_body", False)


def _refusal(limit_bytes: int) -> ApiError:
    return ApiError(
        413,
        f"the body is larger than {limit_bytes / 2**20:g} MiB ({limit_bytes} bytes)",
        hint="let parameters multiply the tasks; body_limit_mib sets the limit of documents",
    )


def _said_length(scope: Scope) -> int | None:
    for name, value in scope["headers"]:
        if name == b"content-length":
            return int(value) if value.isdigit() else None
    return None
