"""Pages of other origins: which of them may use the API.

``*`` opens Daggy's `/v1` alone, as its daemon was open: whoever wants the rest of the API
to be used from elsewhere names the origins.
"""

from __future__ import annotations

from typing import Final

from starlette.middleware.cors import CORSMiddleware
from starlette.types import ASGIApp, Receive, Scope, Send

ANY: Final = "*"
_HEADERS: Final = ("Authorization", "Content-Type", "Idempotency-Key", "Last-Event-ID")
_SHOWN: Final = ("ETag", "Location", "X-Segue-Total-Bytes", "Content-Range")


def may_cross(origin: str, path: str, origins: tuple[str, ...]) -> bool:
    """Tell whether a page of that origin may use what lies at the path.

    Examples
    --------
    >>> may_cross("http://a", "/v1/dagruns", ("*",)), may_cross("http://a", "/api/v2/runs", ("*",))
    (True, False)
    """
    return origin in origins or (ANY in origins and path.startswith("/v1/"))


class Crossing:
    """Answers what browsers ask before a page of another origin may read an answer."""

    def __init__(self, app: ASGIApp, origins: tuple[str, ...]) -> None:
        named = [each for each in origins if each != ANY]
        self._named = _cors(app, named)
        self._any = _cors(app, [ANY]) if ANY in origins else self._named

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request."""
        open_to_all = scope["type"] == "http" and scope["path"].startswith("/v1/")
        await (self._any if open_to_all else self._named)(scope, receive, send)


def _cors(app: ASGIApp, origins: list[str]) -> CORSMiddleware:
    return CORSMiddleware(
        app,
        allow_origins=origins,
        allow_methods=["*"],
        allow_headers=_HEADERS,
        expose_headers=_SHOWN,
    )
