"""A job that takes more memory than it asked for is stopped; one that shares is not."""

import sys

from daemons import Gate, argv
from served import wait_until

from segue.model.states import Cause

MB = 2**20
#: Takes 300 MB, and more by the second, in a child; the first process does nothing.
HOG = """
import os, time
if os.fork():
    os.wait()
pages = [b"x" * (300 << 20)]
while True:
    pages.append(b"x" * (10 << 20))
    time.sleep(0.05)
"""
#: Six processes that read the same 100 MB.
SHARED = """
import os, sys
pages = b"x" * (100 << 20)
children = 5
first = all(os.fork() for _ in range(children))
print("here", flush=True)
open(sys.argv[1]).readline()
"""


def test_a_hog_is_stopped_with_its_children_and_its_neighbours_go_on(daemon):
    gate = Gate(daemon.folder)
    daemon.put("run-1.1.1", gate.script(), needs={"cores": 1, "memory_mb": 100})
    daemon.put("run-1.0.1", argv(sys.executable, "-c", HOG), needs={"cores": 1, "memory_mb": 200})

    end = daemon.end_of("run-1.0.1")

    assert end.cause is Cause.OUT_OF_MEMORY
    assert "had asked for 200 MB" in end.message
    assert end.usage.peak_rss_bytes > 200 * MB
    assert daemon.told("run-1.1.1").state in ("taken", "running")
    gate.wait()
    gate.open()
    assert daemon.end_of("run-1.1.1").cause is None
    assert not daemon.processes()


def test_memory_that_is_shared_counts_once(daemon):
    gate = daemon.folder / "gate"
    go = argv("/bin/sh", "-c", f"mkfifo {gate}; {sys.executable} -c '{SHARED}' {gate}")
    daemon.put("run-1.0.1", go, needs={"cores": 1, "memory_mb": 400})
    wait_until(lambda: daemon.output("run-1.0.1") == b"here\n" * 6, "six processes wait")
    # It is looked at every half second: two ends of another hog later it was seen twice.
    for number in (1, 2):
        name = f"run-1.{number}.1"
        daemon.put(name, argv(sys.executable, "-c", HOG), needs={"cores": 1, "memory_mb": 50})
        assert daemon.end_of(name).cause is Cause.OUT_OF_MEMORY

    gate.write_text("go\n" * 6)

    end = daemon.end_of("run-1.0.1")
    assert end.cause is None
    assert end.usage.peak_rss_bytes > 500 * MB


def test_a_job_that_asked_for_no_memory_is_not_watched(daemon):
    daemon.put("run-1.0.1", argv(sys.executable, "-c", "b'x' * (200 << 20)"))

    assert daemon.end_of("run-1.0.1").cause is None


def test_nothing_is_enforced_where_that_was_said(daemons):
    daemon = daemons("lenient", "--memory-mb", 1000, "--no-enforce")
    took = argv(sys.executable, "-c", "import time; b = b'x' * (200 << 20); time.sleep(1.5)")
    daemon.put("run-1.0.1", took, needs={"memory_mb": 50})

    end = daemon.end_of("run-1.0.1")

    assert daemon.capacity()["enforced"] is False
    assert end.cause is None
    assert end.usage.peak_rss_bytes > 200 * MB
