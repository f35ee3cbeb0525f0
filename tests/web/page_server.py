"""A real `segue serve` as a process of its own, and the few calls that tests make to it."""

import json
import os
import subprocess
import sys
import time
import urllib.error
import urllib.request
from urllib.parse import quote

#: Longer than anything here takes on a machine that is busy with other tests.
PATIENCE_S = 60


class PageServer:
    """`segue serve` on a free port, with a store and a workspace below `folder`."""

    def __init__(self, folder, jobs=4):
        self.folder = folder
        self.store = f"sqlite:///{folder}/store.db"
        self.token = ""
        self._process = subprocess.Popen(
            [sys.executable, "-m", "segue.cli", "serve", "--port", "0", "--store", self.store,
             "--jobs", str(jobs), "--workspace", str(folder / "runs")],
            stdout=subprocess.PIPE, text=True, cwd=folder, env=environment(folder),
        )  # fmt: skip
        words = self._process.stdout.readline().split()
        self.url = next(word for word in words if word.startswith("http")).rstrip("/")

    def close(self):
        """Kill what still runs, and end the server."""
        for run in self.runs(state=["running", "paused"]):
            self.post(f"/runs/{run['id']}:kill", {})
        self._process.terminate()
        self._process.wait(PATIENCE_S)
        self._process.stdout.close()

    def submit(self, document, **options):
        """Submit; the id of the run."""
        text = document if isinstance(document, str) else json.dumps(document, indent=2)
        return self.post("/runs", {"document": text, **options})["id"]

    def runs(self, **query):
        """All runs that fit."""
        pairs = [(key, value) for key, values in query.items() for value in values]
        text = "&".join(f"{key}={quote(value)}" for key, value in [*pairs, ("limit", "500")])
        return self.get(f"/runs?{text}")["runs"]

    def state(self, run):
        """The state of a run."""
        return self.get(f"/runs/{run}")["state"]

    def task(self, run, name):
        """One task."""
        return self.get(f"/runs/{run}/tasks/{quote(name, safe='')}")

    def get(self, path):
        """What is at a path of the API."""
        return self._ask(path, None)

    def post(self, path, body):
        """The answer to a body."""
        return self._ask(path, json.dumps(body).encode())

    def _ask(self, path, body):
        headers = {"Content-Type": "application/json"}
        if self.token:
            headers["Authorization"] = f"Bearer {self.token}"
        request = urllib.request.Request(f"{self.url}/api/v2{path}", body, headers)
        try:
            with urllib.request.urlopen(request, timeout=PATIENCE_S) as answer:
                return json.load(answer)
        except urllib.error.HTTPError as error:
            with error:
                raise AssertionError(f"{path}: {error.code} {error.read().decode()}") from None


def environment(folder):
    """Variables for programs whose store is elsewhere than the person's own."""
    kept = {key: value for key, value in os.environ.items() if not key.startswith("SEGUE_")}
    return {**kept, "SEGUE_STORE": f"sqlite:///{folder}/store.db"}


def wait_until(claim, what):
    """Return once `claim()` holds."""
    end = time.monotonic() + PATIENCE_S
    while not claim():
        assert time.monotonic() < end, f"waited in vain: {what}"
        time.sleep(0.05)


def shell(script):
    """A Daggy job that runs a script."""
    return {"command": ["/bin/sh", "-c", script]}
