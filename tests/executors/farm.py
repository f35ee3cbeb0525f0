"""Help for tests of runners: real daemons of `segue runner`, and the executor on them."""

import os
import signal
import subprocess
import sys
import time
from contextlib import contextmanager, suppress

from segue.executors.keeper.processes import all_processes, mark_of
from segue.executors.runner import RunnerExecutor
from segue.model.pools import RunnerSettings
from segue.testing.executor_suite import Watcher

LIMIT_S = 30.0
#: More than any test takes.
LONG_S = 300.0


class Daemon:
    """A runner of its own, which can be killed and started again at the same address."""

    def __init__(self, folder, *words, cores=2, memory_mb=4000, environment=None):
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self.spool = folder / "spool"
        self.port = 0
        self.words = ["--cores", cores, "--memory-mb", memory_mb, "--spool", self.spool, *words]
        self.environment = os.environ | (environment or {})
        self.process = None

    def start(self):
        words = [sys.executable, "-m", "segue.cli", "runner", "--port", self.port, *self.words]
        with (self.folder / "errors").open("ab") as errors:
            self.process = subprocess.Popen(
                [str(word) for word in words],
                env=self.environment,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=errors,
                text=True,
            )
        line = self.process.stdout.readline()
        self.process.stdout.close()
        assert "http" in line, f"it did not start: {(self.folder / 'errors').read_text()}"
        self.url = line.split(" at ")[1].split(" ")[0].rstrip("/")
        self.port = int(self.url.rpartition(":")[2])
        return self

    def end(self, number=signal.SIGKILL):
        """End the daemon; its jobs go on."""
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(number)
            self.process.wait(LIMIT_S)

    def pause(self):
        """Let it do nothing, and its connections stay open, until `go_on`."""
        self.process.send_signal(signal.SIGSTOP)

    def go_on(self):
        self.process.send_signal(signal.SIGCONT)

    def lose_power(self):
        """End the daemon, its keepers and its jobs, all at once."""
        with suppress(ProcessLookupError):
            self.process.send_signal(signal.SIGKILL)
        self.process.wait(LIMIT_S)
        for _ in range(3):  # a keeper may just have begun another
            for pid in processes_of(str(self.spool)):
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)


def processes_of(folder):
    """Keepers by their command line, then jobs by their mark."""
    processes = all_processes()
    for process in processes:
        with suppress(OSError), open(f"/proc/{process.pid}/cmdline", "rb") as file:
            words = b" ".join(file.read().split(b"\0"))
            if b"keeper.main" in words and folder.encode() in words:
                yield process.pid
    for process in processes:
        if mark_of(process.pid)[1].startswith(folder + "/"):
            yield process.pid


@contextmanager
def daemons(folder, count=1, **settings):
    """So many runners; nothing of them is left afterwards."""
    made = [Daemon(folder / f"runner{number}", **settings) for number in range(count)]
    try:
        for each in made:
            each.start()
        yield made
    finally:
        for each in made:
            if each.process is not None:
                each.go_on() if each.process.poll() is None else None
                each.lose_power()


def executor_on(folder, runners, lease_s=LONG_S, **settings):
    urls = tuple(each if isinstance(each, str) else each.url for each in runners)
    return RunnerExecutor(folder, RunnerSettings(urls, lease_s=lease_s), **settings)


@contextmanager
def watched(folder, runners, **settings):
    """A watcher of an executor on these runners."""
    executor = executor_on(folder, runners, **settings)
    try:
        yield Watcher(executor, LIMIT_S)
    finally:
        executor.close()


def until(happened, what, limit_s=LIMIT_S):
    """Wait until something is so, whatever else goes on."""
    deadline = time.monotonic() + limit_s
    while not (found := happened()):
        assert time.monotonic() < deadline, f"waited in vain: {what}"
        time.sleep(0.01)
    return found
