"""The Server of a LUTE workflow: what LUTE's Executors in the jobs call.

Four paths, as LUTE's own Server has them: ``POST /status``, ``POST /log``, ``GET /tasks``,
``GET`` and ``POST /rpc``. Jobs reach it by `LUTE_MANAGER_URL`. It trusts nobody: bodies
have a limit, a request has a deadline, and a token that is wrong is refused. LUTE's own
Executors know no token; whether one is needed is the caller's choice.
"""

from __future__ import annotations

import contextlib
import hmac
import io
import json
import logging
import socket
import socketserver
import threading
import time
from collections.abc import Callable
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler
from typing import Any, Final
from urllib.parse import parse_qs, urlsplit

from segue.server.lute_board import BadRequestError, Board

log = logging.getLogger("segue.server.lute")

BODY_LIMIT_BYTES: Final = 8 * 2**20
#: A request is read within so many seconds, or its connection is closed.
REQUEST_LIMIT_S: Final = 15.0
#: An open connection may stay silent so long between two requests.
IDLE_LIMIT_S: Final = 120.0
#: More connections than this at once are turned away.
CONNECTION_LIMIT: Final = 512


class LuteServer:
    """Listens in threads of its own until it is closed."""

    def __init__(
        self,
        board: Board,
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        token: str = "",
        token_needed: bool = False,
    ) -> None:
        """Bind and begin to listen.

        Parameters
        ----------
        board
            Where what is said is kept.
        host
            The address to listen at; jobs on other nodes need one that they can reach.
        port
            Zero: any that is free.
        token
            What an ``Authorization`` header must show, where there is one.
        token_needed
            Refuse requests without one as well.
        """
        self.host = host
        self._server = _Server((host, port), board, token, token_needed)
        self._thread = threading.Thread(
            target=self._server.serve_forever, args=(0.1,), name="lute server", daemon=True
        )
        self._thread.start()

    @property
    def port(self) -> int:
        """The port that it listens at."""
        return int(self._server.server_address[1])

    @property
    def address(self) -> str:
        """What `LUTE_MANAGER_URL` must be in a job: host and port, without a scheme."""
        name = socket.gethostname() if self.host in ("0.0.0.0", "::", "") else self.host
        return f"[{name}]:{self.port}" if ":" in name else f"{name}:{self.port}"

    def close(self) -> None:
        """Stop listening; requests that are being answered are not waited for."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


class _Server(socketserver.ThreadingMixIn, socketserver.TCPServer):
    daemon_threads = True
    block_on_close = False
    allow_reuse_address = True
    request_queue_size = 128

    def __init__(
        self, address: tuple[str, int], board: Board, token: str, token_needed: bool
    ) -> None:
        self.board = board
        self.token = token
        self.token_needed = token_needed
        self._places = threading.BoundedSemaphore(CONNECTION_LIMIT)
        if ":" in address[0]:
            self.address_family = socket.AF_INET6
        super().__init__(address, _Handler)

    def process_request(self, request: Any, client_address: Any) -> None:
        if not self._places.acquire(blocking=False):
            self.shutdown_request(request)
            return
        super().process_request(request, client_address)

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        try:
            super().process_request_thread(request, client_address)
        finally:
            self._places.release()

    def handle_error(self, request: Any, client_address: Any) -> None:
        log.debug("a connection from %s has broken", client_address, exc_info=True)


class _DeadlineStream(io.RawIOBase):
    """Reads a socket until a moment in time, however slowly the bytes come."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        self.deadline = time.monotonic() + REQUEST_LIMIT_S

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        left_s = self.deadline - time.monotonic()
        if left_s <= 0:
            raise TimeoutError("the request has taken too long")
        self._connection.settimeout(left_s)
        return self._connection.recv_into(buffer)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Server

    def setup(self) -> None:
        super().setup()
        self._stream = _DeadlineStream(self.connection)
        self.rfile.close()
        self._reader = io.BufferedReader(self._stream)
        self.rfile = self._reader

    def handle_one_request(self) -> None:
        # Between two requests a connection may be silent for longer than within one.
        self._stream.deadline = time.monotonic() + IDLE_LIMIT_S
        try:
            if self._reader.peek(1):
                self._stream.deadline = time.monotonic() + REQUEST_LIMIT_S
                super().handle_one_request()
                return
        except (TimeoutError, ConnectionError):
            pass
        self.close_connection = True

    # Called by the base class, for each method.

    def do_GET(self) -> None:
        self._answer({"/tasks": self._tasks, "/rpc": self._next_message})

    def do_POST(self) -> None:
        board = self.server.board
        self._answer(
            {
                "/status": lambda body: self._take(board.status, body, "Status received."),
                "/log": lambda body: self._take(board.log, body, "Log received."),
                "/rpc": lambda body: self._take(board.put_message, body, "Message queued."),
            }
        )

    def _other(self) -> None:
        self._answer({})

    do_PUT = do_DELETE = do_PATCH = do_HEAD = do_OPTIONS = _other  # noqa: N815

    def _answer(self, actions: dict[str, Callable[[Any], str]]) -> None:
        path = urlsplit(self.path).path
        try:
            # The token first: nothing more is read of a stranger.
            body = self._body() if self._is_allowed() else None
            if body is None:
                return
            if path in actions:
                self._say(HTTPStatus.OK, actions[path](_parsed(body)))
            elif path in ("/status", "/log", "/tasks", "/rpc"):
                self._say(HTTPStatus.METHOD_NOT_ALLOWED, "This path takes another method.")
            else:
                self._say(HTTPStatus.NOT_FOUND, "There is nothing here.")
        except BadRequestError as error:
            self._say(HTTPStatus.BAD_REQUEST, f"Bad request: {error}.")

    def _body(self) -> bytes | None:
        """Return the request's body; None: it was refused."""
        given = self.headers.get("Content-Length", "0")
        chunked = "chunked" in self.headers.get("Transfer-Encoding", "").lower()
        if chunked or not (given.isascii() and given.isdecimal()):
            self._refuse(HTTPStatus.LENGTH_REQUIRED, "Say the length of the body.")
            return None
        length = int(given[:20])
        if length > BODY_LIMIT_BYTES:
            self._refuse(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "The body is too large.")
            return None
        body = self.rfile.read(length)
        if len(body) < length:
            self.close_connection = True
            return None
        return body

    def _is_allowed(self) -> bool:
        server = self.server
        shown = self.headers.get("Authorization", "")
        if not shown and not server.token_needed:
            return True
        expected = f"Bearer {server.token}"
        if server.token and hmac.compare_digest(shown.encode(), expected.encode()):
            return True
        self._refuse(HTTPStatus.UNAUTHORIZED, "The token is missing or wrong.")
        return False

    def _take(self, action: Callable[[Any], None], body: Any, said: str) -> str:
        action(body)
        return said

    def _tasks(self, body: Any) -> str:
        return self.server.board.tasks()

    def _next_message(self, body: Any) -> str:
        asked = parse_qs(urlsplit(self.path).query).get("task", [""])[0]
        if not asked and isinstance(body, dict):
            asked = str(body.get("task", ""))
        if not asked:
            raise BadRequestError("the key 'task' is missing")
        return self.server.board.next_message(asked)

    def _refuse(self, status: HTTPStatus, text: str) -> None:
        """Answer without having read the body: the connection is of no use after that."""
        self.close_connection = True
        self._say(status, text)

    def _say(self, status: HTTPStatus, text: str) -> None:
        data = text.encode()
        with contextlib.suppress(OSError):
            self.send_response(status)
            kind = "application/json" if text.startswith("{") else "text/plain; charset=utf-8"
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(data)))
            if self.close_connection:
                self.send_header("Connection", "close")
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(data)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
        log.debug(format, *args)


def _parsed(body: bytes) -> Any:
    if not body:
        return None
    try:
        return json.loads(body)
    except (ValueError, RecursionError) as error:
        raise BadRequestError("the body is no JSON") from error
