"""`/docs`: the API for people, made of its own description, without anything from elsewhere."""

from __future__ import annotations

from html import escape
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse

from segue.server.static import HEADERS

_STYLE = (
    "body{font:16px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem;"
    "color-scheme:light dark}code{font:14px ui-monospace,monospace;overflow-wrap:anywhere}"
    "h2{margin-top:2.5rem}dt{margin-top:1rem}dd{margin-left:1.5rem}.method{font-weight:700}"
)


def routes() -> APIRouter:
    """Return the route of the description for people."""
    router = APIRouter()

    @router.get("/docs", include_in_schema=False)
    async def docs(request: Request) -> HTMLResponse:
        return HTMLResponse(page(request.app.openapi()), headers=dict(HEADERS))

    return router


def page(description: dict[str, Any]) -> str:
    """Return an OpenAPI description as one HTML document."""
    by_tag: dict[str, list[str]] = {}
    for path, methods in description["paths"].items():
        for method, operation in methods.items():
            tag = (operation.get("tags") or ["other"])[0]
            by_tag.setdefault(tag, []).append(_entry(path, method, operation))
    info = description["info"]
    parts = [
        "<!doctype html><html lang=en><meta charset=utf-8>",
        '<meta name=viewport content="width=device-width">',
        f"<title>{escape(info['title'])}: API</title><style>{_STYLE}</style>",
        f"<h1>{escape(info['title'])} {escape(info['version'])}: API</h1>",
        "<p>".join(escape(part) for part in info["description"].split("\n\n")),
        '<p>For programs: <a href="openapi.json">openapi.json</a>',
    ]
    for tag, entries in by_tag.items():
        parts.append(f"<h2>{escape(tag)}</h2><dl>{''.join(entries)}</dl>")
    return "\n".join(parts)


def _entry(path: str, method: str, operation: dict[str, Any]) -> str:
    said = operation.get("description") or operation.get("summary", "")
    asked = [
        f"<code>{escape(each['name'])}</code>"
        for each in operation.get("parameters", [])
        if each["in"] == "query"
    ]
    query = f"<br>query: {', '.join(asked)}" if asked else ""
    return (
        f'<dt><code><span class="method">{method.upper()}</span> {escape(path)}</code></dt>'
        f"<dd>{escape(said)}{query}</dd>"
    )
