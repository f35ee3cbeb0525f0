"""The page: its files, read once, and its one document for every address that is its own.

Only files that were there at the start are served, by their exact names: a path of a
request is never joined to a folder.
"""

from __future__ import annotations

import gzip
import mimetypes
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from fastapi import APIRouter, Request
from fastapi.responses import Response

from segue.server.problems import ApiError

#: Where the page is found when nobody says: built into the package.
BUILT_PAGE: Final = Path(__file__).parent / "page"
#: Nothing from elsewhere, and no script that stands in the document itself.
SECURITY_POLICY: Final = (
    "default-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data: blob:; "
    "worker-src 'self' blob:; connect-src 'self'; object-src 'none'; base-uri 'none'; "
    "form-action 'none'; frame-ancestors 'none'"
)
HEADERS: Final[Mapping[str, str]] = {
    "Content-Security-Policy": SECURITY_POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
}
#: Names of built files change with their content.
_LONG: Final = "public, max-age=31536000, immutable"
_COMPRESSED: Final = frozenset({".js", ".css", ".html", ".svg", ".json", ".map", ".txt"})
_NOTE: Final = (
    "Segue is here, but its page was not built.\n\n"
    "The API is at /api/v2, described at /openapi.json; 'segue runs' shows the runs.\n"
    "To build the page from a checkout: make page\n"
)
_SUFFIXES: Final = {".js": "text/javascript", ".woff2": "font/woff2", ".svg": "image/svg+xml"}


@dataclass(frozen=True, slots=True)
class File:
    """A file of the page, as it goes out; `packed` is empty where that is not worth it."""

    data: bytes
    packed: bytes
    media_type: str


def read_page(folder: Path) -> dict[str, File]:
    """Return all files of a folder by their paths below it; nothing where it is not there."""
    found: dict[str, File] = {}
    if not folder.is_dir():
        return found
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            data = path.read_bytes()
            packed = gzip.compress(data, 9, mtime=0) if path.suffix in _COMPRESSED else b""
            kind = _SUFFIXES.get(path.suffix) or mimetypes.guess_type(path.name)[0]
            name = path.relative_to(folder).as_posix()
            found[name] = File(data, packed, kind or "application/octet-stream")
    return found


def routes(folder: Path) -> APIRouter:
    """Return what answers every address that no other route knows; to be added last."""
    router = APIRouter()
    files = read_page(folder)
    document = files.get("index.html")

    @router.api_route("/{path:path}", methods=["GET", "HEAD"], include_in_schema=False)
    async def page(request: Request, path: str) -> Response:
        own = path.startswith(("api/", "v1/"))
        if path in files and path != "index.html":
            cache = _LONG if path.startswith("assets/") else "no-cache"
            return _file(request, files[path], cache)
        wants_page = "text/html" in request.headers.get("accept", "") or path in ("", "index.html")
        if own or not wants_page or path.startswith("assets/"):
            raise ApiError(
                404, f"there is nothing at {request.scope['path']}", hint="/docs lists all"
            )
        if document is None:
            return Response(_NOTE, 200, HEADERS, "text/plain; charset=utf-8")
        return _file(request, document, "no-cache")

    return router


def _file(request: Request, file: File, cache: str) -> Response:
    headers = {**HEADERS, "Cache-Control": cache}
    data = file.data
    if file.packed:
        headers["Vary"] = "Accept-Encoding"
        if "gzip" in request.headers.get("accept-encoding", ""):
            data = file.packed
            headers["Content-Encoding"] = "gzip"
    kind = file.media_type
    if kind.startswith("text/") or kind.endswith(("json", "javascript")):
        kind += "; charset=utf-8"
    return Response(b"" if request.method == "HEAD" else data, 200, headers, kind)
