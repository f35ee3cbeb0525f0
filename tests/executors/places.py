"""Help for tests of the local executor: jobs, engines that can be killed, processes."""

import json
import os
import select
import signal
import subprocess
import sys
import time
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import ClassVar

from segue.executors import local_spool
from segue.executors.local import LocalExecutor
from segue.model.workflow import Argv
from segue.protocols.executor import Job, JobKey
from segue.testing.executor_suite import Watcher

LIMIT_S = 30.0


def key(number, run="r"):
    return JobKey(run, number, 1)


def job(tmp_path, number, action, run="r", **fields):
    """A job of its own folder; `action` may be the text of a shell command."""
    if isinstance(action, str):
        action = Argv(("/bin/sh", "-c", action))
    fields.setdefault("workdir", str(tmp_path))
    folder = str(tmp_path / f"{run}.{number}.1")
    return Job(key(number, run), f"task {number}", action, folder, **fields)


def gated(tmp_path, number, exit_code=0, run="r", before="", **fields):
    """A job that writes its pid to a file, and ends when its gate is opened."""
    os.mkfifo(tmp_path / f"gate.{number}")
    command = f"{before} echo $$ >> pid.{number}; read x < gate.{number}; exit {exit_code}"
    return job(tmp_path, number, command, run, **fields)


def open_gate(tmp_path, number):
    with open(tmp_path / f"gate.{number}", "w") as gate:
        gate.write("go\n")


def stdout_of(job):
    return Path(job.folder, "stdout").read_text()


def pids_of(tmp_path, number):
    """The pids that a job has written; waits until there is one.

    A start is reported when the process exists, which is before it has run a line.
    """
    path = tmp_path / f"pid.{number}"
    deadline = time.monotonic() + LIMIT_S
    while not path.exists() or not path.read_text().endswith("\n"):
        assert time.monotonic() < deadline, f"job {number} writes no pid"
        os.sched_yield()
    return [int(line) for line in path.read_text().split()]


def alive(pid):
    with suppress(FileNotFoundError):
        state = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]
        return state not in "ZX"
    return False


def wait_for_death(pid):
    """Wait until the process has ended; it need not be a child of ours."""
    with suppress(ProcessLookupError):
        descriptor = os.pidfd_open(pid)
        end = select.poll()
        end.register(descriptor, select.POLLIN)
        assert end.poll(LIMIT_S * 1000), f"process {pid} does not end"
        os.close(descriptor)


def wait_for_state(pid, state):
    """Wait until the kernel says so of a process: T is stopped, S sleeps."""
    deadline = time.monotonic() + LIMIT_S
    while Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != state:
        assert time.monotonic() < deadline, f"process {pid} does not come to be {state}"
        os.sched_yield()


def spools(state):
    return local_spool.spools_in(state.resolve() / os.uname().nodename)


def keeper_pid(spool):
    """The pid in the first line of the keeper's journal; waits until it is written."""
    deadline = time.monotonic() + LIMIT_S
    while True:
        with suppress(FileNotFoundError, ValueError):
            return json.loads((spool / "journal").read_text().split("\n", 1)[0])[3]
        assert time.monotonic() < deadline, "the keeper does not begin its journal"
        os.sched_yield()


def kill_keeper(spool, number=signal.SIGKILL):
    pid = keeper_pid(spool)
    os.kill(pid, number)
    if number == signal.SIGKILL:
        wait_for_death(pid)


@contextmanager
def opened(state, slots=2, grace_s=5.0):
    executor = LocalExecutor(state, slots, grace_s)
    try:
        yield Watcher(executor, LIMIT_S)
    finally:
        executor.close()


class EngineProcess:
    """An engine in a process of its own, which can be killed: it submits jobs and listens.

    `jobs` are pairs of number and shell command.
    """

    #: Engines that no test has killed yet.
    living: ClassVar[list] = []

    def __init__(self, tmp_path, state, jobs, slots=2, run="r", environment=None):
        command = [sys.executable, __file__, str(tmp_path), str(state), str(slots), run]
        self.heard = []
        EngineProcess.living.append(self)
        self.process = subprocess.Popen(
            [*command, json.dumps(jobs)],
            stdout=subprocess.PIPE,
            text=True,
            env=os.environ | (environment or {}),
        )

    def wait_for(self, kind, count):
        """Wait until the engine has heard so many reports of this kind in all."""
        while sum(line.startswith(kind + " ") for line in self.heard) < count:
            line = self.process.stdout.readline()
            assert line, f"the engine has ended; heard {self.heard}"
            self.heard.append(line)

    def kill(self):
        EngineProcess.living.remove(self)
        self.process.kill()
        self.process.wait()
        self.process.stdout.close()


def main():
    tmp_path, state, slots, run, jobs = sys.argv[1:]
    executor = LocalExecutor(Path(state), int(slots), 5.0)
    executor.submit([job(Path(tmp_path), number, text, run) for number, text in json.loads(jobs)])
    news = select.poll()
    news.register(executor.fileno(), select.POLLIN)
    while True:
        news.poll()
        for report in executor.collect():
            sys.stdout.write(f"{type(report.report).__name__} {report.report.task}\n")
            sys.stdout.flush()


if __name__ == "__main__":
    main()
