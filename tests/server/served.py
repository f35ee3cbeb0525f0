"""Help for tests of the server: the real program at a free port, with a store of its own."""

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path
from urllib.parse import quote

import httpx

#: Whatever a test waits for must have happened by then, in seconds.
LIMIT_S = 40.0
SEGUE = [sys.executable, "-m", "segue.cli"]
ENDED = ("succeeded", "failed", "cancelled")


def wait_until(happened, what, limit_s=LIMIT_S):
    """Return the first true value of `happened`: the only pause of these tests."""
    until = time.monotonic() + limit_s
    while not (found := happened()):
        assert time.monotonic() < until, f"waited {limit_s:.0f} s in vain: {what}"
        time.sleep(0.02)
    return found


def shell(script, *parents, **members):
    """A task of a Daggy document that runs a shell script."""
    job = {"command": ["/bin/sh", "-c", script]} | members.pop("job", {})
    return {"job": job, "parents": list(parents), **members}


def daggy(**tasks):
    """A Daggy document of tasks; a text is a shell script."""
    made = {name: shell(each) if isinstance(each, str) else each for name, each in tasks.items()}
    return {"tasks": made}


def start_serving(words, folder, environment, errors):
    """Start a program that says where it serves; return its process and what it said first."""
    process = subprocess.Popen(
        words,
        cwd=folder,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=errors,
        text=True,
    )
    line = process.stdout.readline()
    assert "http://" in line, f"it did not start: {line}{Path(errors.name).read_text('utf-8')}"
    return process, line


def client_of(url, token=""):
    """A client of what serves there."""
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    return httpx.Client(base_url=url, timeout=LIMIT_S, headers=headers, trust_env=False)


class Server:
    """`segue serve`, or another program that serves, and a client of it."""

    def __init__(self, folder, *words, store="", program=None, token="", environment=None):
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        self.store = store or f"sqlite://{folder}/segue.db"
        self.words = words
        self.program = program or [*SEGUE, "serve", "--port", "0"]
        self.token = token
        self.environment = os.environ | {"SEGUE_STORE": self.store} | (environment or {})
        self.process = None
        self.client = None

    def __enter__(self):
        return self.start()

    def __exit__(self, *_):
        self.stop()

    def start(self):
        self.errors = (self.folder / "server.err").open("ab")
        words = [*self.program, *map(str, self.words)]
        self.process, line = start_serving(words, self.folder, self.environment, self.errors)
        self.url = line.split("http://")[1].split("/")[0]
        self.client = client_of(f"http://{self.url}", self.token)
        return self

    def said(self):
        """What it has told on standard error."""
        return (self.folder / "server.err").read_text(errors="replace")

    def kill(self):
        """End it as a loss of power would end it."""
        self._end(signal.SIGKILL)

    def stop(self):
        """End it politely; return its exit code."""
        if self.process is None or self.process.poll() is not None:
            self._close()
            return None
        return self._end(signal.SIGTERM)

    def _end(self, number):
        self.process.send_signal(number)
        try:
            code = self.process.wait(LIMIT_S)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            self._close()
            raise
        self._close()
        return code

    def _close(self):
        if self.client is not None:
            self.client.close()
            self.client = None
            self.process.stdout.close()
            self.errors.close()

    # What is asked -----------------------------------------------------------------

    def get(self, path, **query):
        """Return a JSON answer of the API; anything but success fails the test."""
        answer = self.client.get(f"/api/v2{path}", params=query)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def post(self, path, body=None, status=202):
        answer = self.client.post(f"/api/v2{path}", json=body)
        assert answer.status_code == status, answer.text
        return answer.json()

    def submit(self, document, status=201, headers=None, **query):
        """Submit a document: a Daggy one, an envelope, or a text; return its id or the answer."""
        text = document if isinstance(document, str) else json.dumps(document)
        kind = "text/plain" if isinstance(document, str) else "application/json"
        answer = self.client.post(
            "/api/v2/runs",
            content=text.encode(),
            params=query,
            headers={"Content-Type": kind} | (headers or {}),
        )
        assert answer.status_code == status, answer.text
        return answer.json()["id"] if status in (200, 201) else answer.json()

    def run(self, run):
        return self.get(f"/runs/{quote(run, safe='')}")

    def tasks(self, run, **query):
        """Return the rows of a run's tasks by name."""
        rows = self.get(f"/runs/{run}/tasks", limit=1000, **query)["tasks"]
        return {row["name"]: row for row in rows}

    def task(self, run, task):
        return self.get(f"/runs/{run}/tasks/{quote(task, safe='')}")

    def output(self, run, task, stream="stdout", number="latest", **query):
        path = f"/api/v2/runs/{run}/tasks/{quote(task, safe='')}/attempts/{number}/{stream}"
        answer = self.client.get(path, params=query)
        assert answer.status_code == 200, answer.text
        return answer.content

    def wait_for(self, run, *states):
        """Wait until the run is in one of the states, or has ended; return it."""
        wanted = states or ENDED
        found = {}

        def there():
            found.update(self.run(run))
            return found["state"] in wanted

        wait_until(there, f"run {run} is {wanted}")
        return found

    def wait_for_task(self, run, task, *states):
        return wait_until(
            lambda: (row := self.tasks(run).get(task)) and row["state"] in states and row,
            f"{task} is {states}",
        )

    def segue(self, *words):
        """Run a command on the same store."""
        return subprocess.run(
            [*SEGUE, *map(str, words)],
            cwd=self.folder,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=LIMIT_S,
            check=False,
        )

    def token_for(self, role, *words):
        """Make a token; return its text."""
        made = self.segue("token", "create", "--role", role, "--name", f"a {role}", *words)
        assert made.returncode == 0, made.stderr
        return made.stdout.split()[-1]


class Stream:
    """Reads a stream of events in a thread."""

    def __init__(self, server, path, **query):
        self.events = []
        self.ended = threading.Event()
        self._headers = dict(server.client.headers)
        self._url = f"http://{server.url}{path}"
        self._query = query
        self.status = None
        self._begun = threading.Event()
        self._thread = threading.Thread(target=self._read, daemon=True)

    def __enter__(self):
        self._thread.start()
        assert self._begun.wait(LIMIT_S)
        return self

    def __exit__(self, *_):
        if not self.ended.is_set():
            # What is being waited for in the thread ends with the connection.
            with contextlib.suppress(OSError):
                self._socket.shutdown(socket.SHUT_RDWR)
        self._thread.join(LIMIT_S)

    def _read(self):
        with (
            contextlib.suppress(httpx.TransportError),
            httpx.Client(timeout=LIMIT_S, trust_env=False, headers=self._headers) as client,
            client.stream("GET", self._url, params=self._query) as answer,
        ):
            self.status = answer.status_code
            self._socket = answer.extensions["network_stream"].get_extra_info("socket")
            self._begun.set()
            text = ""
            for piece in answer.iter_text():
                *whole, text = (text + piece).split("\n\n")
                self.events += [event_of(each) for each in whole if not each.startswith(":")]
        self._begun.set()
        self.ended.set()

    def wait(self, fits, what):
        """Wait for an event that fits; return it."""
        return wait_until(lambda: next((e for e in list(self.events) if fits(e)), None), what)


def event_of(text):
    """Return an event as a mapping, its data read."""
    lines = dict(line.split(": ", 1) for line in text.splitlines())
    return {**lines, "data": json.loads(lines["data"])}
