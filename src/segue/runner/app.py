"""The application of a runner, and how it listens."""

from __future__ import annotations

import logging
import signal
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Final

import uvicorn
from anyio.to_thread import current_default_thread_limiter
from fastapi import FastAPI

from segue import __version__
from segue.protocols.runner import Amounts
from segue.runner.bell import Bell
from segue.runner.door import BODY_LIMIT_BYTES, Door, OrderLimit, Paths, add_handlers
from segue.runner.labour import GRACE_S
from segue.runner.routes import routes
from segue.runner.service import Runner
from segue.server.serving import server_config

#: So many requests read and write the spool at once.
THREADS: Final = 16


@dataclass(frozen=True, slots=True)
class DaemonSettings:
    """What holds for the whole life of a runner.

    `token` is what clients must show; None: those of this machine may all do everything.
    `threads` is how many requests read and write the spool at once.
    """

    host: str
    port: int
    total: Amounts
    spool: Path
    token: str | None = None
    enforce: bool = True
    threads: int = THREADS
    grace_s: float = GRACE_S


class RunnerServer(uvicorn.Server):
    """Serves until told to stop; jobs go on."""

    def __init__(self, settings: DaemonSettings) -> None:
        """Take the spool.

        Raises
        ------
        UserError
            If another runner has it.
        OutsideError
            If it cannot be made.
        """
        self._bell = Bell()
        self._runner = Runner(
            settings.spool,
            settings.total,
            self._bell.ring,
            enforce=settings.enforce,
            grace_s=settings.grace_s,
        )
        app = make_app(self._runner, self._bell, settings)
        super().__init__(server_config(app, settings.host, settings.port))
        self.on_ready: Callable[[], None] = lambda: None

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Take nothing more, let nobody wait, and end."""
        self._runner.closing = True
        self._bell.ring()
        again = self.should_exit and sig == signal.SIGINT
        self.should_exit = True
        self.force_exit = self.force_exit or again
        if again:
            # What is cut off now complains, and it shall be cut off.
            logging.getLogger("uvicorn.error").setLevel(logging.CRITICAL)

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Begin to listen, and say so."""
        await super().startup(sockets)
        if self.started:
            self.on_ready()

    def serve_to_end(self, listening: socket.socket) -> None:
        """Serve until a signal comes, or `should_exit` is set."""
        self.run(sockets=[listening])


def make_app(runner: Runner, bell: Bell, settings: DaemonSettings) -> FastAPI:
    """Return the application; the runner starts with it, and ends with it."""

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        current_default_thread_limiter().total_tokens = settings.threads
        bell.hang()
        runner.start()
        try:
            yield
        finally:
            runner.close()

    app = FastAPI(
        title="Segue runner",
        version=__version__,
        lifespan=lifespan,
        openapi_url=None,
        docs_url=None,
        redoc_url=None,
    )
    add_handlers(app)
    app.include_router(routes(runner, bell))
    app.add_middleware(OrderLimit, limit_bytes=BODY_LIMIT_BYTES)
    app.add_middleware(Paths)
    # The first that a request meets: nothing of a stranger's is read.
    app.add_middleware(Door, host=settings.host, token=settings.token)
    return app
