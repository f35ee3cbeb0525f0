"""Help for tests of faults: a place for runs, real `segue` processes, ways to harm them."""

import contextlib
import fcntl
import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path

import pytest

#: Nothing here takes nearly so long, unless it hangs.
LIMIT_S = 60.0
SEGUE = [sys.executable, "-m", "segue.cli"]


def wait_until(condition, what, limit_s=LIMIT_S):
    """Return the first true value of `condition`; the only place here that sleeps."""
    until = time.monotonic() + limit_s
    while True:
        if found := condition():
            return found
        assert time.monotonic() < until, f"waited {limit_s:.0f} s in vain: {what}"
        time.sleep(0.01)


#: Runs a command and writes down its peak memory in KiB. By a small process of its own: to
#: the kernel the memory of whoever starts a program counts as the program's own.
MEASURE = """
import os, sys
pid = os.posix_spawn(sys.argv[2], sys.argv[2:], os.environ)
status, usage = os.wait4(pid, 0)[1:]
open(sys.argv[1], "w").write(str(usage.ru_maxrss))
sys.exit(os.waitstatus_to_exitcode(status) % 256)
"""


@dataclass(frozen=True)
class Answer:
    """What a command has left behind; stdout is bytes, since it may hold anything."""

    code: int
    stdout: bytes
    stderr: str
    took_s: float = 0.0
    peak_mb: float = 0.0

    @property
    def json(self):
        assert self.stdout, f"no document; stderr: {self.stderr}"
        return json.loads(self.stdout)

    @property
    def text(self):
        return self.stdout.decode()

    def refused(self, code=2):
        """Assert that this is a clear error, and return its text."""
        assert "Traceback" not in self.stderr, self.stderr
        assert self.code == code, f"exit code {self.code}: {self.stderr}{self.text[-2000:]}"
        assert self.stderr.strip()
        return self.stderr


@dataclass
class Engine:
    """A `segue` process in the background; what it prints goes to files."""

    process: subprocess.Popen
    folder: Path
    number: int

    @property
    def pid(self):
        return self.process.pid

    def send(self, number):
        self.process.send_signal(number)

    def kill(self):
        self.process.kill()
        self.process.wait()

    def lives_for(self, seconds):
        """Wait so long for its end; return whether it lives on."""
        try:
            self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            return True
        return False

    def end(self, limit_s=LIMIT_S):
        code = self.process.wait(limit_s)
        return Answer(code, self.stdout, self.stderr)

    @property
    def stdout(self):
        return (self.folder / f"{self.number}.stdout").read_bytes()

    @property
    def stderr(self):
        return (self.folder / f"{self.number}.stderr").read_text(errors="replace")

    @property
    def said(self):
        """All that it has printed so far."""
        return self.stdout.decode(errors="replace") + self.stderr


@dataclass
class Place:
    """A folder with a store and a workspace, either of which may lie elsewhere."""

    folder: Path
    store: Path = None
    workspace: Path = None
    engines: list[Engine] = field(default_factory=list)

    def __post_init__(self):
        self.folder.mkdir(parents=True, exist_ok=True)
        self.store = self.store or self.folder / "segue.db"
        self.workspace = self.workspace or self.folder / "workspace"

    @property
    def environment(self):
        return os.environ | {"SEGUE_STORE": f"sqlite://{self.store}"}

    def file(self, content, name="flow.json"):
        """Write a workflow file: a Daggy document, text or bytes."""
        path = self.folder / name
        if isinstance(content, bytes):
            path.write_bytes(content)
        else:
            path.write_text(content if isinstance(content, str) else json.dumps(content))
        return str(path)

    def segue(self, *arguments, limit_s=LIMIT_S):
        """Run a command to its end."""
        begun = time.monotonic()
        process = subprocess.Popen(
            [*SEGUE, *map(str, arguments)],
            cwd=self.folder,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        try:
            stdout, stderr = process.communicate(timeout=limit_s)
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()
            raise
        took_s = time.monotonic() - begun
        return Answer(process.returncode, stdout, stderr.decode(errors="replace"), took_s)

    def measured(self, *arguments, limit_s=LIMIT_S):
        """Run a command to its end, and learn the most memory that it used."""
        record = self.folder / "peak"
        begun = time.monotonic()
        done = subprocess.run(
            [sys.executable, "-I", "-S", "-c", MEASURE, record, *SEGUE, *map(str, arguments)],
            cwd=self.folder,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=limit_s,
            check=False,
        )
        return Answer(
            done.returncode,
            done.stdout,
            done.stderr.decode(errors="replace"),
            time.monotonic() - begun,
            int(record.read_text()) / 1024,
        )

    def start(self, *arguments):
        """Start a command in the background."""
        number = len(self.engines)
        output = self.folder / f"{number}.stdout"
        with output.open("wb") as stdout, output.with_suffix(".stderr").open("wb") as stderr:
            process = subprocess.Popen(
                [*SEGUE, *map(str, arguments)],
                cwd=self.folder,
                env=self.environment,
                stdin=subprocess.DEVNULL,
                stdout=stdout,
                stderr=stderr,
            )
        self.engines.append(Engine(process, self.folder, number))
        return self.engines[-1]

    def run(self, content, *arguments, limit_s=LIMIT_S):
        """Run a workflow to its end in this place; return the answer."""
        file = content if isinstance(content, str) else self.file(content)
        workspace = ("--workspace", self.workspace)
        return self.segue("run", file, *workspace, "--json", *arguments, limit_s=limit_s)

    def runs(self):
        return self.segue("runs", "--json").json["runs"]

    def status(self, run=""):
        return self.segue("status", run, "--json").json

    def wait_for_task(self, run, name, state):
        """Wait until the store says that the task is in this state."""
        wait_until(lambda: tasks_of(self.status(run))[name]["state"] == state, f"{name} is {state}")

    def wait_for_run(self):
        """Wait until a run is stored; return its name."""
        return wait_until(self.newest_run, "a stored run")

    def newest_run(self):
        """Return the name of the run that was stored last; None if there is none."""
        with contextlib.suppress(sqlite3.Error), contextlib.closing(self._base()) as base:
            found = base.execute("SELECT id FROM runs ORDER BY number DESC LIMIT 1").fetchone()
            return found and found[0]

    def _base(self):
        return sqlite3.connect(f"file:{self.store}?mode=ro", uri=True, timeout=5.0)

    def let_leases_run_out(self):
        """Pretend that more time has passed than a lease lasts."""
        with contextlib.closing(sqlite3.connect(self.store, timeout=5.0)) as base, base:
            base.execute("UPDATE leases SET until = 0")

    def can_be_written(self):
        """Whether no process holds the store in the middle of a transaction."""
        with contextlib.closing(sqlite3.connect(self.store, timeout=0.1)) as base:
            try:
                base.execute("BEGIN IMMEDIATE")
            except sqlite3.OperationalError:
                return False
            base.execute("ROLLBACK")
        return True

    # Keepers and tasks -------------------------------------------------------

    def keepers(self):
        """Return the pids of the living keepers that belong to this place."""
        spools = os.fsencode(f"{self.store}.d/")
        found = [
            pid
            for pid in all_pids()
            if any(word.startswith(spools) for word in proc(pid, "cmdline").split(b"\0"))
        ]
        # A task that is just being born looks like its keeper until its program is there.
        return [pid for pid in found if parent_of(pid) not in found]

    def held_locks(self):
        """Return the spool folders whose keepers live, by their locks."""
        return [lock.parent for lock in Path(f"{self.store}.d").rglob("lock") if is_held(lock)]

    def task_processes(self, run):
        """Return the pids of all living processes that a run's tasks have left or run."""
        marked = os.fsencode(f"SEGUE_RUN={run}")
        return [pid for pid in all_pids() if marked in proc(pid, "environ").split(b"\0")]

    def close(self):
        """End every process that this place has started, whatever state it is in."""
        for engine in self.engines:
            if engine.process.poll() is None:
                engine.send(signal.SIGCONT)
                engine.kill()
        for pid in self.keepers():
            kill(pid)
        # All that was started here has the place's store in its environment.
        mark = os.fsencode(f"SEGUE_STORE=sqlite://{self.store}")
        for pid in all_pids():
            if mark in proc(pid, "environ").split(b"\0"):
                kill(pid)


def is_held(lock):
    with contextlib.suppress(FileNotFoundError), lock.open("rb") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except OSError:
            return True
    return False


def all_pids():
    return [int(name) for name in os.listdir("/proc") if name.isdigit()]


def proc(pid, name):
    """Return what a file of a process says; nothing when the process is gone."""
    try:
        return Path(f"/proc/{pid}/{name}").read_bytes()
    except OSError:
        return b""


def parent_of(pid):
    fields = proc(pid, "stat").rpartition(b")")[2].split()
    return int(fields[1]) if fields else 0


def kill(pid):
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)


def tasks_of(document):
    return {task["name"]: task for task in document["tasks"]}


def daggy(**commands):
    """Return a Daggy document of independent tasks; a text is a shell command."""
    return {"tasks": {name: shell(each) for name, each in commands.items()}}


def shell(command, **fields):
    """Return a Daggy task that runs a shell command; unknown fields go to the task."""
    if not isinstance(command, str):
        return command
    job = {"command": ["/bin/sh", "-c", command]} | fields.pop("job", {})
    return {"job": job, **fields}


@contextlib.contextmanager
def mounted(folder, size):
    """Mount a small file system in memory on a folder; needs root."""
    folder.mkdir(parents=True)
    done = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={size},nr_inodes=300", "none", folder],
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        reason = f"no tmpfs can be mounted here: {done.stderr.strip()}"
        if os.environ.get("CI"):
            pytest.fail(reason)
        pytest.skip(reason)
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", folder], check=True)


def fill(folder):
    """Fill a small file system, its inodes first; return the files that do."""
    fillers = []
    with contextlib.suppress(OSError):
        while True:
            filler = folder / f"filler{len(fillers)}"
            filler.touch()
            fillers.append(filler)
    with fillers[0].open("ab", buffering=0) as file:
        for size in (1 << 16, 1 << 12, 1):
            with contextlib.suppress(OSError):
                while file.write(b"x" * size):
                    pass
    return fillers
