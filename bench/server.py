"""Measures `segue serve` while it runs many tasks that do nothing: engine, API and page.

    python bench/server.py --tasks 100000
    python bench/server.py --tasks 100000 --store postgresql://...

Prints how many tasks a second the engine finished, how long each kind of request took
meanwhile, and how much memory the server used at most.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import httpx

#: What a page and its reader ask for; RUN stands for the run's id.
REQUESTS = (
    "/",
    "/api/v2/runs",
    "/api/v2/runs?name=cap&sort=-taskCount",
    "/api/v2/runs/RUN",
    "/api/v2/runs/RUN/tasks",
    "/api/v2/runs/RUN/tasks?sort=-duration",
    "/api/v2/runs/RUN/tasks?name=_99%5B0-9%5D$",
    "/api/v2/runs/RUN/tasks?state=ready",
    "/api/v2/runs/RUN/tasks/b_77",
    "/api/v2/runs/RUN/graph",
    "/api/v2/runs/RUN/graph?template=a",
    "/api/v2/runs/RUN/timeline?level=template",
    "/api/v2/runs/RUN/timeline?level=task",
    "/api/v2/runs/RUN/progress",
    "/api/v2/runs/RUN/history?after=0",
    "/api/v2/pools",
    "/metrics",
    "/v1/dagruns?all=1",
)
#: Between two rounds of requests, in seconds: one reader who looks often.
PAUSE_S = 0.2


def main() -> int:
    """Measure, and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tasks", type=int, default=100_000)
    parser.add_argument("--store", default="")
    parser.add_argument("--quiet", action="store_true", help="ask for nothing meanwhile")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="segue-bench-") as place:
        store = options.store or f"sqlite://{place}/segue.db"
        with Server(store, Path(place)) as server:
            measure(server, options.tasks, quiet=options.quiet)
    return 0


class Server:
    """`segue serve` on a free port."""

    def __init__(self, store: str, place: Path) -> None:
        environment = os.environ | {"SEGUE_STORE": store, "XDG_STATE_HOME": str(place)}
        command = [sys.executable, "-m", "segue.cli", "serve", "--port", "0"]
        self.process = subprocess.Popen(
            command, env=environment, stdout=subprocess.PIPE, text=True, cwd=place
        )

    def __enter__(self) -> Server:
        assert self.process.stdout is not None
        found = re.search(r"http://\S+?:\d+", self.process.stdout.readline())
        assert found, "the server did not come up"
        self.client = httpx.Client(base_url=found.group(), timeout=300.0)
        return self

    def __exit__(self, *_: object) -> None:
        self.client.close()
        self.process.terminate()
        self.process.wait(60)

    def peak_mb(self) -> int:
        """Return the most memory that the server has used, in MB."""
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        found = re.search(r"VmHWM:\s+(\d+)", status)
        assert found
        return int(found.group(1)) // 1024


def document(tasks: int) -> dict[str, object]:
    """Return a Daggy document of four templates with so many tasks together."""
    job = {"command": ["true", "{{X}}"]}
    return {
        "tag": "capacity",
        "parameters": {"X": [str(number) for number in range(tasks // 4)]},
        "tasks": {
            "a": {"job": job},
            "b": {"job": job, "parents": ["a"]},
            "c": {"job": job, "parents": ["a"]},
            "d": {"job": job, "parents": ["b", "c"]},
        },
    }


def measure(server: Server, tasks: int, *, quiet: bool) -> None:
    """Submit, ask while it runs, and print what was measured."""
    client, begun = server.client, time.monotonic()
    answer = client.post("/api/v2/runs?pool=noop", json=document(tasks))
    answer.raise_for_status()
    run, submitted = answer.json(), time.monotonic()
    print(f"submitted {run['taskCount']} tasks in {submitted - begun:.2f} s")
    took: dict[str, list[float]] = {}
    while True:
        for path in () if quiet else REQUESTS:
            asked = time.monotonic()
            client.get(path.replace("RUN", run["id"])).raise_for_status()
            took.setdefault(path, []).append(time.monotonic() - asked)
        state = client.get(f"/api/v2/runs/{run['id']}").json()
        if state["state"] != "running":
            break
        time.sleep(PAUSE_S)
    history = client.get(f"/api/v2/runs/{run['id']}/progress").json()
    lasted = time.monotonic() - submitted
    rate = run["taskCount"] / lasted
    print(f"{json.dumps(state['counts'])} in {lasted:.1f} s: {rate:.0f} tasks/s")
    print(f"memory of the server at most {server.peak_mb()} MB; {len(history['ended'])} bins")
    every = sorted(each for values in took.values() for each in values)
    if every:
        print(f"{len(every)} requests: {shown(every)}")
    for path, values in took.items():
        print(f"  {path:50s} {shown(sorted(values))}")


def shown(values: list[float]) -> str:
    """Return median, 95th percentile and largest of sorted times, in milliseconds."""
    last = len(values) - 1
    picked = values[last // 2], values[int(last * 0.95)], values[last]
    return "median {:4.0f}, p95 {:4.0f}, max {:4.0f} ms".format(*(1000 * each for each in picked))


if __name__ == "__main__":
    sys.exit(main())
