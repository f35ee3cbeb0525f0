"""How an engine hears of commands that were written on another machine: LISTEN and NOTIFY.

A connection of its own, so that what arrives while the store speaks is not lost among its
answers. As every bell it is a hint: one that was missed costs the wait until the engine
renews its leases.
"""

from __future__ import annotations

import select
from contextlib import suppress
from typing import Final

import psycopg

from segue.model.errors import StoreError
from segue.store.postgres_session import Connection, Session

CHANNEL: Final = b"LISTEN segue_commands"


class PostgresBell:
    """Fulfils `segue.protocols.store.StoreBell`."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._connection: Connection | None = None
        # A descriptor that stays, whichever connection there is behind it.
        self._poll = select.epoll()
        self._listen()

    def fileno(self) -> int:
        """Return the descriptor to wait on."""
        return self._poll.fileno()

    def clear(self) -> None:
        """Forget all rings so far; a connection that was lost is made again."""
        if self._connection is None:
            self._listen()
            return
        try:
            wire = self._connection.pgconn
            while self._poll.poll(0):
                wire.consume_input()
            while wire.notifies() is not None:
                pass
        except psycopg.Error:
            self._hang_up()

    def close(self) -> None:
        """Listen no more."""
        self._hang_up()
        self._poll.close()

    def _listen(self) -> None:
        # A server that is away is spoken of by whoever wants to write to it.
        with suppress(StoreError):
            connection = self._session.another()
            self._connection = connection
            try:
                connection.execute(CHANNEL)
                self._poll.register(connection.fileno(), select.EPOLLIN)
            except psycopg.Error:
                self._hang_up()

    def _hang_up(self) -> None:
        if self._connection is not None:
            with suppress(psycopg.Error, OSError, ValueError):
                self._poll.unregister(self._connection.fileno())
            with suppress(psycopg.Error):
                self._connection.close()
            self._connection = None
