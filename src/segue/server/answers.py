"""Answers, made whole in a worker thread: JSON, compressed where it is worth it, with a tag."""

from __future__ import annotations

import gzip
import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from fastapi import Request
from fastapi.responses import Response
from pydantic import BaseModel

if TYPE_CHECKING:
    from segue.server.desk import Desk
    from segue.server.site import Site

JSON: Final = "application/json"
#: Smaller bodies are not compressed.
COMPRESS_FROM_BYTES: Final = 1024
_FAST: Final = 1


@dataclass(frozen=True, slots=True)
class Answer:
    """What is to be answered: a document, or bytes of another kind."""

    body: BaseModel | bytes
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    media_type: str = JSON
    #: A client that has this very answer is told so, and spared it.
    tagged: bool = False


async def answer(
    site: Site, request: Request, work: Callable[[Desk], BaseModel | Answer]
) -> Response:
    """Return what `work`, done at a desk of the office, has to answer."""
    accepts_gzip = "gzip" in request.headers.get("accept-encoding", "")
    known = request.headers.get("if-none-match", "")

    def whole(desk: Desk) -> Response:
        done = work(desk)
        return response(
            done if isinstance(done, Answer) else Answer(done),
            accepts_gzip=accepts_gzip,
            known=known,
        )

    return await site.office.ask(whole)


def response(wanted: Answer, *, accepts_gzip: bool, known: str = "") -> Response:
    """Return the answer as it goes out."""
    body = wanted.body
    data = body if isinstance(body, bytes) else body.model_dump_json(by_alias=True).encode()
    headers = dict(wanted.headers)
    headers.setdefault("Cache-Control", "no-cache" if wanted.tagged else "no-store")
    if wanted.tagged:
        headers["ETag"] = f'W/"{hashlib.sha256(data).hexdigest()[:32]}"'
        if headers["ETag"] in known or known.strip() == "*":
            return Response(status_code=304, headers=headers)
    if len(data) >= COMPRESS_FROM_BYTES:
        headers["Vary"] = "Accept-Encoding"
        if accepts_gzip:
            data = gzip.compress(data, _FAST, mtime=0)
            headers["Content-Encoding"] = "gzip"
    return Response(data, wanted.status, headers, wanted.media_type)
