"""Names in paths: a path is split before its parts are decoded.

A task's name may hold a slash, which comes as ``%2F``. So routes are matched against the
path as it was sent, and each name is decoded by itself. What decodes to no text, or holds
a NUL, is refused at the door.
"""

from __future__ import annotations

from typing import Annotated
from urllib.parse import unquote, unquote_to_bytes

from fastapi import Path
from pydantic import AfterValidator
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from segue.server.problems import ApiError, problem_response


class RawPaths:
    """Lets the application see paths as they were sent."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        raw: bytes = scope.get("raw_path") or scope["path"].encode()
        fault = fault_of(raw)
        if fault:
            error = ApiError(400, fault, code="bad_path")
            await self.answer(error, scope["method"] == "HEAD")(scope, receive, send)
            return
        scope["path"] = raw.partition(b"?")[0].decode("ascii")
        await self._app(scope, receive, send)

    def answer(self, error: ApiError, head: bool) -> Response:
        """Return how a refusal is told."""
        return problem_response(error, head=head)


def fault_of(raw: bytes) -> str:
    """Return what is wrong with a path as it was sent, or an empty text.

    Examples
    --------
    >>> fault_of(b"/runs/a%2Fb"), fault_of(b"/runs/%00")
    ('', 'a path cannot hold a NUL')
    """
    if not raw.isascii():
        return "signs beyond ASCII must be percent-encoded in a path"
    data = unquote_to_bytes(raw)
    if b"\0" in data:
        return "a path cannot hold a NUL"
    try:
        data.decode("utf-8")
    except UnicodeDecodeError:
        return "the path is not UTF-8 text"
    return ""


#: The name of a run or task, as one part of a path.
RunName = Annotated[str, Path(description="Id of a run."), AfterValidator(unquote)]
TaskName = Annotated[
    str, Path(description="Name of a task; a slash in it as %2F."), AfterValidator(unquote)
]
Part = Annotated[str, Path(), AfterValidator(unquote)]
