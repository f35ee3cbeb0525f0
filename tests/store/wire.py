"""A wire to a server that tests can cut, and that counts how often it is spoken over."""

import contextlib
import select
import socket
import threading


class Wire:
    """Carries bytes between clients and a server on this machine; `port` is ours.

    A request is what a client sends before it hears anything: how many messages of the
    protocol it holds does not matter.
    """

    def __init__(self, server_port: int) -> None:
        self.requests = 0
        self._server = ("127.0.0.1", server_port)
        self._door = socket.create_server(("127.0.0.1", 0))
        self.port = self._door.getsockname()[1]
        #: Each end of a connection with its other end; which of them are clients, and which
        #: of those have heard something since they last spoke.
        self._other: dict[socket.socket, socket.socket] = {}
        self._clients: set[socket.socket] = set()
        self._heard: set[socket.socket] = set()
        self._lose = ""
        self._stay_broken = False
        self._broken = False
        self._over = False
        self._wake, self._ring = socket.socketpair()
        self._thread = threading.Thread(target=self._carry)
        self._thread.start()

    def lose_next(self, what: str, *, stay_broken: bool = False) -> None:
        """Lose the next ``request``, or the ``answer`` to it, and the connection with it.

        `stay_broken`: nobody gets through any more until `mend`.
        """
        self._lose, self._stay_broken = what, stay_broken

    def mend(self) -> None:
        """Let clients through again."""
        self._broken = False

    def close(self) -> None:
        """Hang up on everybody."""
        self._over = True
        self._ring.send(b"!")
        self._thread.join()
        for each in (self._door, self._wake, self._ring):
            each.close()

    def _carry(self) -> None:
        while not self._over:
            ready, _, _ = select.select([self._door, self._wake, *self._other], [], [])
            for end in ready:
                if end is self._door:
                    self._let_in()
                elif end in self._other:
                    self._pass_on(end)
        for end in list(self._clients):
            self._hang_up(end)

    def _let_in(self) -> None:
        client, _ = self._door.accept()
        if self._broken:
            client.close()
            return
        server = socket.create_connection(self._server)
        self._other[client], self._other[server] = server, client
        self._clients.add(client)
        self._heard.add(client)

    def _pass_on(self, end: socket.socket) -> None:
        data = b""
        with contextlib.suppress(OSError):
            data = end.recv(2**20)
        way = "request" if end in self._clients else "answer"
        if not data or self._lose == way:
            if data:
                self._lose, self._broken = "", self._stay_broken
            self._hang_up(end)
            return
        if way == "answer":
            self._heard.add(self._other[end])
        elif end in self._heard:
            self.requests += 1
            self._heard.discard(end)
        self._other[end].sendall(data)

    def _hang_up(self, end: socket.socket) -> None:
        for each in (end, self._other[end]):
            del self._other[each]
            self._clients.discard(each)
            self._heard.discard(each)
            each.close()
