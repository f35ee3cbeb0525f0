"""What the command line says to a server: requests, and answers as values or errors of ours."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Final
from urllib.parse import quote

from segue.model.errors import (
    NotFoundError,
    OutsideError,
    Problem,
    RefusedError,
    Severity,
    UserError,
    WorkflowError,
    shorten,
)
from segue.model.location import Place

#: A server that has not answered by then is not there, in seconds. Submitting takes longest.
CONNECT_LIMIT_S: Final = 10.0
ANSWER_LIMIT_S: Final = 120.0
#: Tasks and runs are asked for so many at a time.
PAGE: Final = 500


class Client:
    """Speaks to one server. `token` is sent with each request, if there is one."""

    def __init__(self, url: str, token: str = "") -> None:
        try:
            import httpx
        except ImportError as error:
            raise UserError(
                "speaking to a server needs a library that is not there",
                "install it: pip install 'segue[client]'",
            ) from error
        if not re.match(r"https?://[^/]", url):
            raise UserError(
                f"--server {url!r} is no address of a server",
                "it begins with http:// or https://, such as http://localhost:8450",
            )
        self.url = url.rstrip("/")
        headers = {"User-Agent": "segue"} | ({"Authorization": f"Bearer {token}"} if token else {})
        timeout = httpx.Timeout(ANSWER_LIMIT_S, connect=CONNECT_LIMIT_S)
        # What the environment says of proxies would also catch a server of one's own.
        self._http = httpx.Client(base_url=self.url, headers=headers, timeout=timeout)
        self._httpx = httpx

    # Asking --------------------------------------------------------------------

    def get(self, path: str, **query: Any) -> dict[str, Any]:
        """Return the answer to a question; members of the query that are empty are left out."""
        return self._answer("GET", path, params=_given(query))

    def text(self, path: str, **query: Any) -> str:
        """Return the answer to a question whose answer is no JSON."""
        with self._reported():
            answer = self._http.get(f"/api/v2{path}", params=_given(query))
        self._check(answer)
        return answer.text

    def post(
        self, path: str, body: Mapping[str, Any] | None = None, **headers: str
    ) -> dict[str, Any]:
        """Return the answer to a request that changes something."""
        return self._answer("POST", path, json=body or {}, headers=headers)

    def patch(self, path: str, body: Mapping[str, Any]) -> dict[str, Any]:
        """Return the answer to a request for other limits."""
        return self._answer("PATCH", path, json=body)

    def delete(self, path: str) -> None:
        """Ask for the end of something."""
        self._answer("DELETE", path)

    def _answer(self, method: str, path: str, **words: Any) -> dict[str, Any]:
        with self._reported():
            answer = self._http.request(method, f"/api/v2{path}", **words)
        self._check(answer)
        found: dict[str, Any] = answer.json() if answer.content else {}
        return found

    @contextmanager
    def stream(self, path: str, **query: Any) -> Iterator[Iterator[bytes]]:
        """Yield what comes, as it comes; a stream may be silent for as long as it likes."""
        timeout = self._httpx.Timeout(ANSWER_LIMIT_S, connect=CONNECT_LIMIT_S, read=None)
        asked = self._http.stream("GET", f"/api/v2{path}", params=_given(query), timeout=timeout)
        with self._reported(), asked as answer:
            if answer.is_error:
                answer.read()
                self._check(answer)
            yield answer.iter_bytes()

    @contextmanager
    def _reported(self) -> Iterator[None]:
        try:
            yield
        except self._httpx.TransportError as error:
            said = str(error) or type(error).__name__
            raise OutsideError(
                f"the server {self.url} could not be reached: {said}",
                "is it up, and is that its address? 'segue serve' starts one",
            ) from error

    def _check(self, answer: Any) -> None:
        if answer.is_error:
            raise _error_of(answer.status_code, _problem(answer), self.url)
        if answer.is_redirect:
            raise UserError(f"{self.url} leads elsewhere: {answer.headers.get('location')}")

    # Finding -------------------------------------------------------------------

    def find_run(self, name: str) -> dict[str, Any]:
        """Return the run of that id or unique beginning of one; empty: the newest run.

        Raises
        ------
        NotFoundError
            If there is none, or more than one.
        """
        if not name:
            newest = self.get("/runs", sort="-createdAt", limit=1)["runs"]
            if newest:
                found: dict[str, Any] = newest[0]
                return self.get(run_path(found["id"]))
            raise NotFoundError("there are no runs yet", "start one: segue run FILE")
        try:
            return self.get(run_path(name))
        except NotFoundError as error:
            begun = self._begun(name)
            if len(begun) > 1:
                shown = ", ".join(begun[:5])
                raise NotFoundError(f"{name!r} is the beginning of several runs: {shown}") from None
            if not begun:
                raise NotFoundError(
                    f"there is no run {shorten(name)!r} at {self.url}",
                    error.hint or "'segue runs' lists them",
                ) from None
            return self.get(run_path(begun[0]))

    def _begun(self, name: str) -> list[str]:
        if not re.fullmatch(r"[\w.-]+", name):
            return []
        found = self.get("/runs", name=f"^{re.escape(name)}", limit=PAGE)["runs"]
        return [run["id"] for run in found if run["id"].startswith(name)]

    def pages(self, path: str, member: str, most: int = 0, **query: Any) -> list[dict[str, Any]]:
        """Return what several pages hold, `most` or, with 0, all."""
        found: list[dict[str, Any]] = []
        cursor = ""
        while True:
            limit = min(PAGE, most - len(found)) if most else PAGE
            answer = self.get(path, limit=limit, cursor=cursor, **query)
            found += answer[member]
            cursor = answer["nextCursor"] or ""
            if not cursor or (most and len(found) >= most):
                return found

    def close(self) -> None:
        """Let the connections go."""
        self._http.close()


def run_path(run: str) -> str:
    """Return the path of a run."""
    return f"/runs/{quote(run, safe='')}"


def task_path(run: str, task: str) -> str:
    """Return the path of a task, whose name may hold anything.

    Examples
    --------
    >>> task_path("r-1", "fit T=1/2")
    '/runs/r-1/tasks/fit%20T%3D1%2F2'
    """
    return f"{run_path(run)}/tasks/{quote(task, safe='')}"


def _given(query: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in query.items() if value not in ("", None, (), [])}


def client_of(server: str) -> Client:
    """Return a client for the server, with the token that the environment gives."""
    return Client(server, os.environ.get("SEGUE_TOKEN", ""))


# Errors --------------------------------------------------------------------------


def _problem(answer: Any) -> dict[str, Any]:
    try:
        found = answer.json()
    except json.JSONDecodeError:
        found = None
    if isinstance(found, dict) and "detail" in found:
        return found
    return {"detail": f"it answered {answer.status_code}, and nothing that Segue's would say"}


def _error_of(status: int, problem: Mapping[str, Any], url: str) -> UserError | OutsideError:
    message, hint = str(problem["detail"]), str(problem.get("hint") or "")
    if problem.get("problems"):
        return WorkflowError([problem_of(each) for each in problem["problems"]])
    if status == 401:
        return UserError(f"{url}: {message}", "give a token with SEGUE_TOKEN")
    if status == 404:
        return NotFoundError(message, hint)
    if status == 409:
        return RefusedError(message, hint)
    if status >= 500:
        return OutsideError(f"{url}: {message}", hint or "its log says more")
    return UserError(message, hint)


def problem_of(document: Mapping[str, Any]) -> Problem:
    """Return a problem that a server has found in a document."""
    line = document.get("line")
    place = Place(document.get("path") or "", line, document.get("column") or 1) if line else None
    return Problem(
        document["code"],
        document["message"],
        place,
        document.get("hint") or "",
        Severity(document.get("severity") or "error"),
        pointer=document.get("pointer") or "",
    )


def problems_of(documents: Sequence[Mapping[str, Any]]) -> list[Problem]:
    """Return the problems that a server has found in a document."""
    return [problem_of(each) for each in documents]
