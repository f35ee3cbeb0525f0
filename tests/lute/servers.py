"""A small HTTP server for tests: it remembers what it was told, and answers as told to."""

import http.server
import json
import threading
from contextlib import contextmanager


class Server(http.server.ThreadingHTTPServer):
    """`heard` holds (method, path, body, headers); `answers` replies by method and path."""

    def __init__(self):
        self.heard = []
        self.answers = {}
        super().__init__(("127.0.0.1", 0), Handler)

    @property
    def address(self):
        return f"127.0.0.1:{self.server_port}"

    def told(self, path):
        return [body for method, where, body, _ in self.heard if where == path]


class Handler(http.server.BaseHTTPRequestHandler):
    def answer(self):
        length = int(self.headers.get("Content-Length", 0))
        body = json.loads(self.rfile.read(length) or b"null")
        self.server.heard.append((self.command, self.path, body, dict(self.headers)))
        status, text = self.server.answers.get((self.command, self.path), (200, "{}"))
        data = text.encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    do_GET = do_POST = answer  # noqa: N815

    def log_message(self, *arguments):
        pass


@contextmanager
def serving():
    with Server() as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()
