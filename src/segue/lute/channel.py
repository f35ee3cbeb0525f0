"""The connection between a Task and its Executor: a socket that messages go through.

A Task of one process inherits its end as a descriptor; nobody else can reach it. The ranks
of an MPI Task may run on other nodes: they connect over TCP and show the job's token
before anything else is listened to. The variable `SEGUE_TASK_CHANNEL` tells the Task
which: ``fd:7`` or ``tcp:host:port``.
"""

from __future__ import annotations

import contextlib
import hmac
import os
import secrets
import selectors
import socket
import threading
from collections.abc import Iterator, Mapping
from typing import Final

from segue.lute.messages import DATA_LIMIT_BYTES, Decoder, Kind, Message, MessageError, encode

CHANNEL_VARIABLE: Final = "SEGUE_TASK_CHANNEL"
TOKEN_VARIABLE: Final = "SEGUE_TASK_TOKEN"
#: Before a peer has shown the token, no message of it may be longer.
HELLO_LIMIT_BYTES: Final = 1024
_CHUNK_BYTES: Final = 2**18


class Channel:
    """One end of a connection; writing is safe from several threads."""

    def __init__(self, connection: socket.socket, *, proved: bool = True) -> None:
        self._socket = connection
        #: Whether the peer is known to be ours; one that is not may say little.
        self.proved = proved
        self._decoder = Decoder() if proved else Decoder(HELLO_LIMIT_BYTES)
        self._waiting: list[Message] = []
        self._writing = threading.Lock()
        #: False once the other end has gone.
        self.open = True

    def fileno(self) -> int:
        """Return the descriptor, readable when `receive` has something."""
        return self._socket.fileno()

    def send(self, message: Message) -> None:
        """Send a message; a peer that has gone is not waited for."""
        frame = encode(message)
        with self._writing, contextlib.suppress(BrokenPipeError, ConnectionResetError):
            self._socket.sendall(frame)

    def receive(self) -> list[Message]:
        """Return the messages of one read; none and `open` False: the peer has gone.

        Raises
        ------
        MessageError
            If the peer speaks something else.
        """
        try:
            data = self._socket.recv(_CHUNK_BYTES)
        except ConnectionResetError:
            data = b""
        if not data:
            self.open = False
            return []
        return list(self._decoder.feed(data))

    def prove(self) -> None:
        """The peer has shown that it is ours: listen to all it says."""
        self.proved = True
        self._decoder.limit_bytes = DATA_LIMIT_BYTES

    def wait_for(self, kind: Kind) -> Message | None:
        """Wait for a message of this kind and return it; None when the peer has gone.

        Others that come before are passed over.
        """
        while True:
            while self._waiting:
                message = self._waiting.pop(0)
                if message.kind is kind:
                    return message
            if not self.open:
                return None
            self._waiting += self.receive()

    def close(self) -> None:
        """Hang up."""
        self.open = False
        self._socket.close()


def connect(environment: Mapping[str, str] = os.environ) -> Channel | None:
    """Return the Task's end of the channel that its environment names; None: it has none.

    A Task without an Executor, tried out by hand, has none.
    """
    kind, _, address = environment.get(CHANNEL_VARIABLE, "").partition(":")
    if kind == "fd":
        return Channel(socket.socket(fileno=os.dup(int(address))))
    if kind == "tcp":
        host, _, port = address.rpartition(":")
        channel = Channel(socket.create_connection((host, int(port))))
        channel.send(Message(Kind.HELLO, environment.get(TOKEN_VARIABLE, "")))
        return channel
    return None


class Switchboard:
    """The Executor's side: its channels, and what comes in through them.

    `environment` is what a Task needs to reach it.
    """

    def __init__(self) -> None:
        self._selector = selectors.DefaultSelector()
        self._listener: socket.socket | None = None
        self._token = ""
        self._theirs: socket.socket | None = None
        #: What a Task's environment needs.
        self.environment: dict[str, str] = {}

    def open_pair(self) -> int:
        """Make a channel for one process; return the descriptor that it must inherit."""
        ours, self._theirs = socket.socketpair()
        self._selector.register(ours, selectors.EVENT_READ, Channel(ours))
        descriptor = self._theirs.fileno()
        self.environment = {CHANNEL_VARIABLE: f"fd:{descriptor}"}
        return descriptor

    def release_pair(self) -> None:
        """Let go of the Task's end, once the Task has it."""
        if self._theirs:
            self._theirs.close()
            self._theirs = None

    def listen(self, host: str = "") -> None:
        """Accept connections over the network, from whoever knows the token.

        `host` is the address that the Task's processes can reach; empty: this machine's name.
        """
        host = host or socket.gethostname()
        family = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)[0][0]
        self._listener = socket.create_server((host, 0), family=family)
        self._listener.setblocking(False)
        self._selector.register(self._listener, selectors.EVENT_READ, None)
        self._token = secrets.token_urlsafe(24)
        port = self._listener.getsockname()[1]
        self.environment = {CHANNEL_VARIABLE: f"tcp:{host}:{port}", TOKEN_VARIABLE: self._token}

    def watch(self, descriptor: int, what: str) -> None:
        """Have `wait` name another descriptor, when it is readable."""
        self._selector.register(descriptor, selectors.EVENT_READ, what)

    def unwatch(self, descriptor: int) -> None:
        """Name it no more."""
        self._selector.unregister(descriptor)

    def wait(self, limit_s: float | None) -> Iterator[tuple[Channel, Message] | str]:
        """Yield what comes in within `limit_s`: messages with their channel, and other names."""
        for key, _ in self._selector.select(limit_s):
            if isinstance(key.data, str):
                yield key.data
            elif key.data is None:
                self._accept()
            else:
                yield from ((key.data, message) for message in self._take(key.data))

    def _accept(self) -> None:
        assert self._listener is not None
        with contextlib.suppress(OSError):
            connection, _ = self._listener.accept()
            channel = Channel(connection, proved=False)
            self._selector.register(connection, selectors.EVENT_READ, channel)

    def _take(self, channel: Channel) -> list[Message]:
        try:
            messages = channel.receive()
            if messages and not channel.proved:
                first = messages.pop(0)
                if first.kind is not Kind.HELLO or not self._is_token(first.content):
                    raise MessageError("a stranger has called")
                channel.prove()
        except MessageError as error:
            channel.open = False
            messages = [Message(Kind.LOG, f"a message is not taken: {error}")]
        if not channel.open:
            self._selector.unregister(channel)
            channel.close()
        return messages

    def _is_token(self, said: object) -> bool:
        return isinstance(said, str) and hmac.compare_digest(said.encode(), self._token.encode())

    def close(self) -> None:
        """Hang up on all."""
        self.release_pair()
        for key in list(self._selector.get_map().values()):
            if isinstance(key.data, Channel):
                key.data.close()
        if self._listener:
            self._listener.close()
        self._selector.close()
