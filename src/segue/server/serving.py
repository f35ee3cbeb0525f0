"""A server that listens: signals, the line that says where, and its end."""

from __future__ import annotations

import asyncio
import logging
import resource
import signal
import socket
from collections.abc import Callable
from functools import cache
from types import FrameType
from typing import Final

import uvicorn
from fastapi import FastAPI
from uvicorn.protocols.http.h11_impl import H11Protocol

from segue.model.errors import OutsideError
from segue.server.settings import ServerSettings
from segue.server.site import Site

#: What is being answered at the end may take so long, in seconds.
LAST_ANSWERS_S: Final = 5
#: A connection on which nothing is asked is closed after so many seconds.
IDLE_S: Final = 30
#: The head of a request may be so large.
HEADERS_BYTES: Final = 64 * 1024
#: So many connections are held at once, and at most half of the files that the process may
#: open: the engine needs the rest for tasks and the store.
CONNECTIONS: Final = 2000
#: So many are taken in at one go, before those that ask nothing can give way; fewer where the
#: process may open few files.
AT_ONE_GO: Final = 100


@cache
def room_for_connections() -> int:
    """Return how many connections can be held at once."""
    files, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return CONNECTIONS if files == resource.RLIM_INFINITY else min(CONNECTIONS, files // 2)


class TimelyProtocol(H11Protocol):
    """Closes connections on which no request becomes whole: who sends a sign now and then too."""

    #: What was answered last when we looked; a new connection has been seen by nobody.
    _seen: object = False
    _check: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin to watch a new connection; without room, one that asks nothing gives way."""
        super().connection_made(transport)
        if len(self.connections) > room_for_connections():
            self._make_room()
        self._watch()

    @property
    def _idle(self) -> bool:
        return self.cycle is None or self.cycle.response_complete

    @property
    def _sends_still(self) -> bool:
        return self.cycle is not None and self.cycle.more_body

    def _make_room(self) -> None:
        others = [
            each
            for each in self.connections
            if isinstance(each, TimelyProtocol) and each is not self
        ]
        idle = (each for each in others if each._idle)
        sending = (each for each in others if each._sends_still)
        chosen = next(idle, None) or next(sending, self)
        chosen.transport.abort()
        # It leaves when the event loop comes round, and is not to be chosen again.
        self.connections.discard(chosen)

    def connection_lost(self, exc: Exception | None) -> None:
        """Watch no more."""
        if self._check is not None:
            self._check.cancel()
        super().connection_lost(exc)

    def _watch(self) -> None:
        self._check = self.loop.call_later(IDLE_S, self._look)

    def _look(self) -> None:
        idle = self._idle
        if idle and self._seen is self.cycle and not self.transport.is_closing():
            self.transport.close()
            return
        self._seen = self.cycle if idle else object()
        self._watch()


def server_config(app: FastAPI, host: str, port: int) -> uvicorn.Config:
    """Return how every server of ours meets the world."""
    return uvicorn.Config(
        app,
        host=host,
        port=port,
        log_config=None,
        access_log=False,
        server_header=False,
        date_header=True,
        lifespan="on",
        ws="none",
        http=TimelyProtocol,
        h11_max_incomplete_event_size=HEADERS_BYTES,
        timeout_keep_alive=IDLE_S,
        timeout_graceful_shutdown=LAST_ANSWERS_S,
        backlog=min(AT_ONE_GO, room_for_connections() // 8),
    )


class Serving(uvicorn.Server):
    """Serves until told to stop; streams end first, so that nobody waits for them."""

    def __init__(
        self, app: FastAPI, settings: ServerSettings, sockets: list[socket.socket]
    ) -> None:
        super().__init__(server_config(app, settings.host, settings.port))
        self._site: Site = app.state.site
        self._listening = sockets
        self.on_ready: Callable[[], None] = lambda: None

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Stop; a second Ctrl-C waits for nothing."""
        again = self.should_exit and sig == signal.SIGINT
        self.should_exit = True
        self.force_exit = self.force_exit or again
        if again:
            # What is cut off now complains, and it shall be cut off.
            logging.getLogger("uvicorn.error").setLevel(logging.CRITICAL)
        self._site.hub.close()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Begin to listen, and say so."""
        await super().startup(sockets)
        if self.started:
            self.on_ready()

    def serve_to_end(self) -> None:
        """Serve until a signal comes, or `should_exit` is set."""
        self.run(sockets=self._listening)


def listen(host: str, port: int) -> socket.socket:
    """Return a socket that listens there; port 0 is any that is free.

    Raises
    ------
    OutsideError
        If that cannot be.
    """
    try:
        family, _, _, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        listening = socket.socket(family, socket.SOCK_STREAM)
    except OSError as error:
        raise OutsideError(
            f"cannot listen at {host}:{port}: {error.strerror or error}",
            "give an address of this machine with --host",
        ) from error
    try:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind(address)
    except OSError as error:
        listening.close()
        raise OutsideError(
            f"cannot listen at {host}:{port}: {error.strerror}",
            "another program may have that port; give another one with --port",
        ) from error
    listening.set_inheritable(False)
    return listening


def url_of(host: str, listening: socket.socket) -> str:
    """Return the address of the page."""
    port = listening.getsockname()[1]
    shown = f"[{host}]" if ":" in host else host
    return f"http://{shown}:{port}/"
