"""Who may come in, and how refusals are told: ``{"code": ..., "message": ..., "hint": ...}``."""

from __future__ import annotations

import hashlib
import hmac
import json
import logging
from collections.abc import Mapping
from typing import Any, Final

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Receive, Scope, Send

from segue.runner.book import RefusedOrder
from segue.server.auth import Gate
from segue.server.limits import BodyLimit
from segue.server.paths import RawPaths
from segue.server.problems import ApiError

log = logging.getLogger("segue.runner")

#: An order may be so large, in bytes: its script is the most of it.
BODY_LIMIT_BYTES: Final = 64 * 2**20
#: What everybody may ask.
READY: Final = "/ready"
_STATUSES: Final[Mapping[str, int]] = {
    "insufficient_capacity": 409,
    "too_large": 422,
    "bad_job": 422,
    "stopping": 503,
    "cannot_store": 503,
}


def json_response(
    value: Any, status: int = 200, headers: Mapping[str, str] | None = None
) -> Response:
    """Return an answer; in ASCII, since what strangers send need not be text that can be sent."""
    body = json.dumps(value, separators=(",", ":"))
    return Response(body, status, headers, "application/json")


def refusal(error: ApiError, *, head: bool = False) -> Response:
    """Return how an error is told."""
    value = {"code": error.code, "message": error.detail, "hint": error.hint}
    answer = json_response(value, error.status, error.headers)
    return Response(b"", error.status, dict(answer.headers)) if head else answer


class Door:
    """Lets in who shows the token; without one, who comes from this machine and no web page."""

    def __init__(self, app: ASGIApp, host: str, token: str | None) -> None:
        self._app = app
        self._gate = Gate(host, ())
        self._digest = _digest(token) if token is not None else None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request."""
        if scope["type"] == "http" and scope["path"] != READY:
            try:
                self._check(Request(scope))
            except ApiError as error:
                await refusal(error)(scope, receive, send)
                return
        await self._app(scope, receive, send)

    def _check(self, request: Request) -> None:
        if self._digest is None:
            self._gate.check_origin(request)
            return
        kind, _, shown = request.headers.get("authorization", "").partition(" ")
        # Digests are of one length, so comparing them tells nothing of the token's.
        if kind.lower() != "bearer" or not hmac.compare_digest(_digest(shown), self._digest):
            raise ApiError(
                401,
                "the token is not known" if shown else "a token is needed",
                hint="send the one of the runner's --token-file: 'Authorization: Bearer TOKEN'",
                headers={"WWW-Authenticate": "Bearer"},
            )


def _digest(text: str) -> bytes:
    return hashlib.sha256(text.strip().encode("utf-8", "surrogateescape")).digest()


class OrderLimit(BodyLimit):
    """Lets orders be large."""

    def takes_documents(self, path: str) -> bool:
        """Tell whether it is an order, or a list of names, that is sent there."""
        return True

    def answer(self, error: ApiError) -> Response:
        """Return how a refusal is told here."""
        error.hint = "let the job read what is large from a file"
        return refusal(error)


class Paths(RawPaths):
    """Lets the application see paths as they were sent."""

    def answer(self, error: ApiError, head: bool) -> Response:
        """Return how a refusal is told here."""
        return refusal(error, head=head)


async def body_of(request: Request) -> Any:
    """Return the JSON value of a body.

    Raises
    ------
    ApiError
        If it is none.
    """
    data = await request.body()
    try:
        return await run_in_threadpool(json.loads, data)
    except (ValueError, RecursionError) as error:
        raise ApiError(400, f"the body is no JSON: {error}", code="bad_json") from error


def add_handlers(app: FastAPI) -> None:
    """Let the application tell every error in this shape."""
    app.add_exception_handler(ApiError, _tell)
    app.add_exception_handler(RefusedOrder, _tell_refused)
    app.add_exception_handler(RequestValidationError, _tell_invalid)
    app.add_exception_handler(HTTPException, _tell_http)
    app.add_exception_handler(ClientDisconnect, _tell_nobody)
    app.add_exception_handler(Exception, _tell_bug)


async def _tell(request: Request, error: Exception) -> Response:
    assert isinstance(error, ApiError)
    return refusal(error, head=request.method == "HEAD")


async def _tell_refused(request: Request, error: Exception) -> Response:
    assert isinstance(error, RefusedOrder)
    status = _STATUSES[error.code]
    return refusal(ApiError(status, error.message, code=error.code, hint=error.hint))


async def _tell_invalid(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    first = error.errors()[0]
    told = ApiError(422, f"{first['loc'][-1]}: {first['msg']}", code="bad_request")
    return refusal(told, head=request.method == "HEAD")


async def _tell_http(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    path = request.scope["path"]
    said = {404: f"there is nothing at {path}", 405: f"{request.method} cannot be used at {path}"}
    detail = said.get(error.status_code, str(error.detail))
    told = ApiError(error.status_code, detail, headers=error.headers)
    return refusal(told, head=request.method == "HEAD")


async def _tell_nobody(request: Request, error: Exception) -> Response:
    return refusal(ApiError(400, "the body ended before it was whole"))


async def _tell_bug(request: Request, error: Exception) -> Response:
    log.exception("%s %s failed", request.method, request.scope["path"], exc_info=error)
    return refusal(ApiError(500, "this is a fault of Segue; the runner's log tells more"))
