"""Two engines on one PostgreSQL, each a process of its own; one of them is killed."""

import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import pytest
from chaos import wait_until

from segue.engine.scheduler import LEASE_S
from segue.engine.service import Service
from segue.model.states import RunState, TaskState
from segue.model.workflow import Argv, Task, Workflow
from segue.protocols.clock import SystemClock
from segue.store.postgres import open_postgres

PROGRAM = str(Path(__file__).parent / "adopting_engine.py")
RUNS = [f"run-{number:02}" for number in range(20)]
TASKS = ("a", "b", "c", "d")


@pytest.fixture
def store(postgres_url):
    store = open_postgres(postgres_url)
    yield store
    store.close()


@pytest.fixture
def start(postgres_url, tmp_path):
    """Start an engine that owns at most so many runs."""
    started = []

    def start(at_most):
        command = [sys.executable, PROGRAM, postgres_url, str(tmp_path), str(at_most)]
        started.append(subprocess.Popen(command))
        return started[-1]

    yield start
    (tmp_path / "go").touch()
    for each in started:
        each.kill()
        each.wait()


def submit(store, folder):
    """Store runs whose tasks write down that they begin, and that they have ended.

    The last one of each run waits for the file `go`.
    """
    service = Service(store, SystemClock())
    script = f"echo $SEGUE_JOB >> {folder}/begun; %s; echo $SEGUE_JOB >> {folder}/ended"
    wait = f"while [ ! -e {folder}/go ]; do sleep 0.1; done"
    tasks = tuple(
        Task(
            name,
            Argv(("/bin/sh", "-c", script % (wait if name == TASKS[-1] else "sleep 0.1"))),
            needs=tuple(TASKS[:at][-1:]),
        )
        for at, name in enumerate(TASKS)
    )
    for run in RUNS:
        service.submit(
            Workflow("w", "daggy", tasks), run=run, source="f", directory=str(folder),
            workspace=str(folder / run),
        )  # fmt: skip


def owned_by(store, pid):
    leases = {run: store.lease(run) for run in RUNS}
    return {
        run for run, lease in leases.items() if lease and lease.until and lease.process_id == pid
    }


def lines(path):
    return Counter(path.read_text().split()) if path.exists() else Counter()


@pytest.mark.slow
def test_the_runs_of_an_engine_that_was_killed_are_taken_over_in_time(store, tmp_path, start):
    submit(store, tmp_path)
    dead = start(10)
    wait_until(lambda: len(owned_by(store, dead.pid)) == 10, "the first engine owns runs")
    living = start(20)
    wait_until(lambda: len(owned_by(store, living.pid)) == 10, "the second engine owns runs")
    wait_until(lambda: sum(lines(tmp_path / "ended").values()) >= 10, "tasks have ended")

    dead.kill()
    killed_at = time.monotonic()
    (tmp_path / "go").touch()
    wait_until(lambda: not owned_by(store, dead.pid), "its runs are taken over")
    took_s = time.monotonic() - killed_at
    wait_until(lambda: not store.runs(states=[RunState.RUNNING]), "all runs have ended")

    assert took_s < LEASE_S + 2.0
    every = Counter({f"{run}.{at}.1": 1 for run in RUNS for at in range(len(TASKS))})
    assert lines(tmp_path / "begun") == every
    assert lines(tmp_path / "ended") == every
    for run in RUNS:
        assert store.run(run).state is RunState.SUCCEEDED
        assert {record.state for _, record in store.records(run)} == {TaskState.SUCCEEDED}
        numbers = [line.number for line in store.history(run)]
        assert numbers == list(range(1, len(numbers) + 1))
    assert living.wait(20) == 0
