"""An engine's connection to one keeper, and how a keeper is started."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import select
import socket
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from segue.executors.keeper.link import Inbox
from segue.executors.keeper.main import LISTENER, LOCK
from segue.executors.local_spool import make_spool, remove
from segue.protocols.executor import JobKey

#: The longest path that a Unix socket can have (man 7 unix), with room for its zero.
_SOCKET_PATH_BYTES: Final = 107
#: Finds our package next to the standard library, and nothing else.
_START: Final = (
    "import sys; sys.path.append(sys.argv[1]); from segue.executors.keeper.main import main; main()"
)
_encode: Final = json.JSONEncoder(separators=(",", ":")).encode
#: Keepers that we started and that may be zombies by now.
_started: list[int] = []


class KeeperLink(Inbox):
    """A connection to a keeper, with the jobs that we expect its word on."""

    def __init__(self, spool: Path, connection: socket.socket) -> None:
        super().__init__(connection)
        self.spool = spool
        self.keeper = spool.name
        #: Jobs whose end we have not heard.
        self.jobs: dict[str, JobKey] = {}
        #: Jobs whose end we have heard and which the keeper has not been told to forget.
        self.kept: set[str] = set()
        #: Jobs that it may forget, to be told with the next ones.
        self.forgotten: list[str] = []
        #: What the epoll waits for on this connection.
        self.watched: int = select.EPOLLIN
        self._unsent = bytearray()

    def post(self, messages: Sequence[Sequence[Any]]) -> None:
        """Send the messages, or as many bytes as fit; see `waits_to_send`."""
        self._unsent += _encode(messages).encode() + b"\n"
        self.send()

    @property
    def waits_to_send(self) -> bool:
        """Whether bytes are left that did not fit into the socket."""
        return bool(self._unsent)

    def send(self) -> None:
        """Send what is left, as far as the socket takes it."""
        while self._unsent:
            try:
                sent = self.connection.send(self._unsent, socket.MSG_NOSIGNAL)
            except BlockingIOError:
                return
            except OSError:
                # The keeper is dead; the end of its messages will say so.
                self._unsent.clear()
                return
            del self._unsent[:sent]

    def close(self, limit_s: float = 2.0) -> None:
        """Send what is left, if the keeper takes it in time, and hang up."""
        if self._unsent:
            room = select.poll()
            room.register(self.connection, select.POLLOUT)
            while self._unsent and room.poll(limit_s * 1000):
                self.send()
        self.connection.close()


def start_keeper(host_folder: Path, slots: int, grace_s: float) -> KeeperLink:
    """Start a keeper and return the connection to it; does not wait for its start.

    Raises
    ------
    OSError
        If its folder or its process cannot be made now.
    """
    reap_keepers()
    spool, lock = make_spool(host_folder)
    listener = socket.socket(socket.AF_UNIX)
    connection = socket.socket(socket.AF_UNIX)
    try:
        with _socket_path(spool) as path:
            listener.bind(path)
            listener.listen()
            # Before the keeper exists: it will find us waiting, or our end.
            connection.connect(path)
        _spawn(spool, listener.fileno(), lock, slots, grace_s)
    except BaseException:
        connection.close()
        remove(spool)
        raise
    finally:
        listener.close()
        os.close(lock)
    return KeeperLink(spool, connection)


def connect(spool: Path) -> KeeperLink | None:
    """Return a connection to the living keeper of this folder; None if it does not answer."""
    connection = socket.socket(socket.AF_UNIX)
    try:
        with _socket_path(spool) as path:
            connection.connect(path)
    except OSError:
        connection.close()
        return None
    return KeeperLink(spool, connection)


def reap_keepers() -> None:
    """Let go of keepers of ours that have ended."""
    for pid in list(_started):
        with contextlib.suppress(ChildProcessError):
            if not os.waitpid(pid, os.WNOHANG)[0]:
                continue
        _started.remove(pid)


def _spawn(spool: Path, listener: int, lock: int, slots: int, grace_s: float) -> None:
    root = Path(__file__).resolve().parents[2]
    command = [sys.executable, "-I", "-S", "-X", "utf8", "-c", _START]
    command += [str(root), str(spool), str(slots), str(grace_s)]
    # High numbers, so that neither dup2 hits the other's source.
    sources = [fcntl.fcntl(each, fcntl.F_DUPFD_CLOEXEC, 10) for each in (listener, lock)]
    log_flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND
    actions = [
        (os.POSIX_SPAWN_OPEN, 0, "/dev/null", os.O_RDONLY, 0),
        (os.POSIX_SPAWN_OPEN, 1, str(spool / "log"), log_flags, 0o600),
        (os.POSIX_SPAWN_DUP2, 1, 2),
        (os.POSIX_SPAWN_DUP2, sources[0], LISTENER),
        (os.POSIX_SPAWN_DUP2, sources[1], LOCK),
    ]
    try:
        pid = os.posix_spawn(sys.executable, command, os.environ, file_actions=actions, setsid=True)
    finally:
        for source in sources:
            os.close(source)
    _started.append(pid)


@contextlib.contextmanager
def _socket_path(spool: Path) -> Any:
    """Yield a path to the folder's socket that is short enough for one."""
    path = str(spool / "socket")
    if len(os.fsencode(path)) <= _SOCKET_PATH_BYTES:
        yield path
        return
    folder = os.open(spool, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        yield f"/proc/self/fd/{folder}/socket"
    finally:
        os.close(folder)
