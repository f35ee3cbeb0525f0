"""Connections between an engine and a keeper: bytes in, messages out.

`Inbox` is what both ends have in common; `Link` is one engine, as the keeper sees it.
"""

from __future__ import annotations

import errno
import json
import socket

TYPE_CHECKING = False  # the keeper must not import `typing`: it is slow to load
if TYPE_CHECKING:
    from typing import Any

Environment = dict[bytes, bytes]

_encode = json.JSONEncoder(separators=(",", ":")).encode


class Inbox:
    """A connection with what has been read of it; each line holds a list of messages."""

    def __init__(self, connection: socket.socket) -> None:
        connection.setblocking(False)
        self.connection = connection
        self.open = True
        self._unread = bytearray()

    def fileno(self) -> int:
        """Return the descriptor of the connection."""
        return self.connection.fileno()

    def receive(self) -> list[list[Any]]:
        """Return all messages that have come in; `open` is false after the last one."""
        while self.open:
            try:
                data = self.connection.recv(1 << 18)
            except BlockingIOError:
                break
            except OSError:
                data = b""
            if not data:
                self.open = False
            self._unread += data
        end = self._unread.rfind(b"\n") + 1
        lines = bytes(self._unread[:end])
        del self._unread[:end]
        return [message for line in lines.splitlines() for message in json.loads(line)]


class Link(Inbox):
    """A connection with what has been read of it and what is still to be sent."""

    def __init__(self, connection: socket.socket, environment: Environment) -> None:
        super().__init__(connection)
        self.environment = environment
        self.news: list[list[object]] = []
        self._unsent = bytearray()

    def send(self) -> bool:
        """Send the news, all in one line; return whether something is left for later."""
        if self.news:
            self._unsent += _encode(self.news).encode() + b"\n"
            self.news.clear()
        while self._unsent and self.open:
            try:
                sent = self.connection.send(self._unsent, socket.MSG_NOSIGNAL)
            except OSError as error:
                # A dead engine is seen at the next read; its last words come first.
                return error.errno == errno.EAGAIN
            del self._unsent[:sent]
        return False
