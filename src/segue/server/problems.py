"""What went wrong, as ``application/problem+json``: one shape for every error."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from http import HTTPStatus
from typing import Any, Final

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import Response
from pydantic_core import to_json
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect

from segue.model.errors import (
    NotFoundError,
    OutsideError,
    Problem,
    RefusedError,
    SegueError,
    StoreError,
    UserError,
    WorkflowError,
)
from segue.server.documents import ProblemDocument, problem_document

log = logging.getLogger("segue.server")

MEDIA_TYPE: Final = "application/problem+json"
#: So many problems of a document are told; a broken generator of documents makes more.
PROBLEMS_TOLD: Final = 1000
#: Where the store is away, clients may come back after so many seconds.
RETRY_AFTER_S: Final = 2
#: What strangers, and viewers, are told then: its address is none of their business.
STORE_AWAY: Final = "the store cannot be reached now"

_CODES: Final[Mapping[int, str]] = {
    400: "bad_request",
    401: "unauthorized",
    403: "forbidden",
    404: "not_found",
    405: "method_not_allowed",
    406: "not_acceptable",
    408: "too_slow",
    409: "conflict",
    413: "too_large",
    415: "unsupported_media_type",
    416: "range_not_satisfiable",
    422: "invalid",
    500: "internal_error",
    503: "unavailable",
}


class ApiError(Exception):
    """A request that is answered with an error; `code` is a stable word for programs."""

    def __init__(
        self,
        status: int,
        detail: str,
        *,
        code: str = "",
        hint: str = "",
        headers: Mapping[str, str] | None = None,
        problems: Iterable[Problem] = (),
    ) -> None:
        super().__init__(detail)
        self.status = status
        self.detail = detail
        self.code = code or _CODES.get(status, "error")
        self.hint = hint
        self.headers = dict(headers or {})
        self.problems = tuple(problems)


def problem_response(error: ApiError, *, head: bool = False) -> Response:
    """Return the answer for an error."""
    document = ProblemDocument(
        title=HTTPStatus(error.status).phrase,
        status=error.status,
        code=error.code,
        detail=error.detail,
        hint=error.hint,
        problems=[problem_document(each) for each in error.problems[:PROBLEMS_TOLD]],
    )
    body = to_json(document, by_alias=True, inf_nan_mode="null")
    return Response(b"" if head else body, error.status, error.headers, MEDIA_TYPE)


def api_error(error: SegueError) -> ApiError:
    """Return how an error of ours is told over HTTP."""
    # The hint stands on a line of its own in the text for people.
    message = Exception.__str__(error)
    if isinstance(error, WorkflowError):
        number = len(error.problems)
        said = "1 problem" if number == 1 else f"{number:,} problems"
        return ApiError(
            422, f"the document has {said}", code="invalid_document", problems=error.problems
        )
    if isinstance(error, NotFoundError):
        return ApiError(404, message, hint=error.hint)
    if isinstance(error, RefusedError):
        return ApiError(409, message, code="refused", hint=error.hint)
    if isinstance(error, UserError):
        return ApiError(422, message, hint=error.hint)
    if isinstance(error, OutsideError):
        return ApiError(503, message, hint=error.hint, headers={"Retry-After": str(RETRY_AFTER_S)})
    raise error


def add_handlers(app: FastAPI) -> None:
    """Let the application tell every error in this shape."""
    app.add_exception_handler(ApiError, _tell)
    app.add_exception_handler(SegueError, _tell)
    app.add_exception_handler(RequestValidationError, _tell_invalid)
    app.add_exception_handler(HTTPException, _tell_http)
    app.add_exception_handler(ClientDisconnect, _tell_nobody)
    app.add_exception_handler(Exception, _tell_bug)


async def _tell(request: Request, error: Exception) -> Response:
    if isinstance(error, OutsideError):
        # Without the address: the store is away for all of them, and that is told once.
        log.warning("answered 503: %s", error)
    if isinstance(error, StoreError) and not request.app.state.site.gate.trusts(request):
        error = StoreError(STORE_AWAY)
    told = api_error(error) if isinstance(error, SegueError) else error
    assert isinstance(told, ApiError)
    return problem_response(told, head=request.method == "HEAD")


async def _tell_invalid(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    faults: list[dict[str, Any]] = list(error.errors())
    first = faults[0]
    in_body = first["loc"][0] == "body"
    problems = [
        Problem(
            str(each["type"]),
            f"{'.'.join(str(part) for part in each['loc'][1:]) or each['loc'][0]}: {each['msg']}",
            pointer="".join(f"/{part}" for part in each["loc"][1:]) if in_body else "",
        )
        for each in faults
    ]
    told = ApiError(422 if in_body else 400, problems[0].message, problems=problems)
    return problem_response(told, head=request.method == "HEAD")


async def _tell_http(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    told = ApiError(error.status_code, str(error.detail), headers=error.headers)
    if error.status_code == 404:
        told = ApiError(404, f"there is nothing at {request.scope['path']}", hint="/docs lists all")
    if error.status_code == 405:
        told.detail = f"{request.method} cannot be used at {request.scope['path']}"
    return problem_response(told, head=request.method == "HEAD")


async def _tell_nobody(request: Request, error: Exception) -> Response:
    # The client left before its body was whole: nobody is there to be told.
    log.info("%s %s: the client has left", request.method, request.scope["path"])
    return problem_response(ApiError(400, "the body ended before it was whole"))


async def _tell_bug(request: Request, error: Exception) -> Response:
    log.exception("%s %s failed", request.method, request.scope["path"], exc_info=error)
    told = ApiError(500, "this is a fault of Segue; the server's log tells more")
    return problem_response(told, head=request.method == "HEAD")
