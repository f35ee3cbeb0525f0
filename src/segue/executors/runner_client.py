"""What is said to one runner: the routes of `segue.protocols.runner` as calls.

Each call answers, or raises one of two errors: the runner said no (`RunnerRefusedError`), or
it did not say anything that counts (`RunnerSilentError`).
"""

from __future__ import annotations

import contextlib
import json
import re
import socket
import ssl
import threading
from collections.abc import Callable, Sequence
from typing import Any, Final, TypeVar
from urllib.parse import quote

import httpx

from segue.protocols.runner import Capacity, Changes, Order, Told

#: Whoever does not answer by then is not there, in seconds.
CONNECT_LIMIT_S: Final = 5.0
ANSWER_LIMIT_S: Final = 10.0
#: A server lets go of idle connections after 5 s; what we use again must be younger.
_KEEP_IDLE_S: Final = 3.0
#: The kernel goes on sending for so long at most, even after we have given up: nothing that
#: we have said can arrive later than that.
_SENT_WITHIN_MS: Final = 10_000

_Value = TypeVar("_Value")
_ERROR_NUMBER: Final = re.compile(r"^\[Errno -?\d+\] ")


class RunnerSilentError(Exception):
    """The runner did not answer, or not as a runner; without `sent` it never heard us."""

    def __init__(self, message: str, *, sent: bool = True) -> None:
        super().__init__(message)
        self.sent = sent


class RunnerRefusedError(Exception):
    """The runner said no: it has not done what it was asked."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.code = code


class RunnerClient:
    """Speaks to the runner at `url`; to be used by several threads."""

    def __init__(self, url: str, token: str = "") -> None:
        self.url = url.rstrip("/")
        headers = {"User-Agent": "segue"} | ({"Authorization": f"Bearer {token}"} if token else {})
        # The authorities that this machine trusts, not a list that a library brings.
        verify = ssl.create_default_context() if url.startswith("https:") else False
        transport = httpx.HTTPTransport(
            verify=verify,
            limits=httpx.Limits(keepalive_expiry=_KEEP_IDLE_S),
            socket_options=[(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, _SENT_WITHIN_MS)],
        )
        # What the environment says of proxies would also catch machines of one's own.
        self._http = httpx.Client(headers=headers, transport=transport, trust_env=False)
        self._sockets: dict[int, socket.socket] = {}
        self._lock = threading.Lock()
        self._closed = False

    def capacity(self) -> Capacity:
        """Return what the runner has. Asking so prolongs no lease."""
        return self._read("GET", "/capacity", Capacity.from_json)

    def put(self, order: Order) -> None:
        """Hand a job over."""
        self._say("PUT", _task(order.job.key.name), order.to_json())

    def changes(self, owner: str, after: int, wait_s: float) -> Changes:
        """Return what is new of this owner's jobs since the number `after`."""
        path = f"/tasks?owner={quote(owner, safe='')}&after={after}&wait={wait_s:g}"
        return self._read("GET", path, Changes.from_json, limit_s=ANSWER_LIMIT_S + wait_s)

    def find(self, owner: str, names: Sequence[str]) -> Changes:
        """Return what the runner knows of these jobs; they are the owner's from now on."""
        return self._read(
            "POST", "/find", Changes.from_json, {"owner": owner, "names": list(names)}
        )

    def told(self, name: str) -> Told | None:
        """Return what the runner knows of a job; None: nothing."""
        try:
            return self._read("GET", _task(name), Told.from_json)
        except RunnerRefusedError as error:
            if error.status == 404:
                return None
            raise

    def output(self, name: str, stream: str, offset: int, limit: int) -> bytes:
        """Return bytes of a job's ``stdout`` or ``stderr`` from `offset` on."""
        path = f"{_task(name)}/{stream}?offset={offset}&limit={limit}"
        return self._say("GET", path).content

    def stop(self, name: str) -> None:
        """Ask for the end of a job; nothing happens if there is none."""
        try:
            self._say("DELETE", _task(name))
        except RunnerRefusedError as error:
            if error.status != 404:
                raise

    def acknowledge(self, names: Sequence[str]) -> None:
        """Let the runner forget these jobs."""
        self._say("POST", "/acks", {"names": list(names)})

    def interrupt(self) -> None:
        """Let every call that waits fail now, and all that come."""
        with self._lock:
            self._closed = True
            open_ones = list(self._sockets.values())
        for each in open_ones:
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """Let the connections go; nobody may be calling."""
        self._http.close()

    # How ------------------------------------------------------------------------------

    def _read(
        self,
        method: str,
        path: str,
        made_of: Callable[[Any], _Value],
        body: Any = None,
        limit_s: float = ANSWER_LIMIT_S,
    ) -> _Value:
        answer = self._say(method, path, body, limit_s)
        try:
            return made_of(answer.json())
        except (ValueError, RecursionError) as error:
            raise RunnerSilentError(f"its answer is not that of a runner: {error}") from error

    def _say(
        self, method: str, path: str, body: Any = None, limit_s: float = ANSWER_LIMIT_S
    ) -> httpx.Response:
        content = None if body is None else json.dumps(body).encode()
        headers = {} if body is None else {"Content-Type": "application/json"}
        if self._closed:
            raise RunnerSilentError("we have hung up", sent=False)
        try:
            answer = self._http.request(
                method,
                f"{self.url}/api/v1{path}",
                content=content,
                headers=headers,
                timeout=httpx.Timeout(limit_s, connect=CONNECT_LIMIT_S),
                extensions={"trace": self._note_socket},
            )
        except (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout) as error:
            raise RunnerSilentError(_reason(error), sent=False) from error
        except httpx.HTTPError as error:
            raise RunnerSilentError(_reason(error)) from error
        if answer.is_success:
            return answer
        raise _refusal(answer)

    def _note_socket(self, event: str, info: dict[str, Any]) -> None:
        """Remember the socket of each connection, so that it can be hung up by `interrupt`."""
        if event not in ("connection.connect_tcp.complete", "connection.start_tls.complete"):
            return
        made = info["return_value"].get_extra_info("socket")
        with self._lock:
            self._sockets = {
                at: each for at, each in self._sockets.items() if each.fileno() >= 0
            } | {id(made): made}
        if self._closed:
            self.interrupt()


def _task(name: str) -> str:
    return f"/tasks/{quote(name, safe='')}"


def _reason(error: Exception) -> str:
    if isinstance(error, httpx.TimeoutException):
        return "it does not answer in time"
    # The number of an error is nothing to people who read what follows it.
    return _ERROR_NUMBER.sub("", str(error)) or type(error).__name__


def _refusal(answer: httpx.Response) -> Exception:
    """Return the error that an answer stands for; only the runner's own words are a no."""
    try:
        said = answer.json()
        code, message = str(said["code"]), str(said["message"])
    except (ValueError, KeyError, TypeError, RecursionError):
        return RunnerSilentError(f"it answers {answer.status_code}, and not as a runner")
    return RunnerRefusedError(answer.status_code, code, message)
