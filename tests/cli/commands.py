"""Help for tests of the command line: the real program, with a store of its own."""

import fcntl
import json
import os
import select
import signal
import struct
import subprocess
import sys
import termios
import time
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

#: Whatever a test waits for must have happened by then, in seconds.
LIMIT_S = 30.0
PROGRAM = [sys.executable, "-m", "segue.cli"]


def wait_until(happened, what):
    """Wait until `happened()` is true, and return what it returned: the only pause of these tests.

    For what nobody tells us about, such as a row in a store that another process writes.
    """
    deadline = time.monotonic() + LIMIT_S
    while not (found := happened()):
        assert time.monotonic() < deadline, f"{what}: it did not happen in {LIMIT_S:.0f} s"
        time.sleep(0.01)
    return found


# Workflows -----------------------------------------------------------------------


def task(script, *needs, **members):
    """A task of a Daggy document that runs a shell script."""
    return {"job": {"command": ["/bin/sh", "-c", script]}, "parents": list(needs), **members}


class Gate:
    """Where a task stops until the test lets it go on."""

    def __init__(self, folder, name):
        self._began_path, self._go_path = folder / f"{name}.began", folder / f"{name}.go"
        for path in (self._began_path, self._go_path):
            os.mkfifo(path)
        # Open at both ends, so that nobody ever waits for the other to open it.
        self._began = os.open(self._began_path, os.O_RDWR | os.O_NONBLOCK)
        self._go = os.open(self._go_path, os.O_RDWR)
        self._unread = b""

    def script(self, then=""):
        """A script that tells its process id, stops here, and then does the rest."""
        return f"echo $$ > {self._began_path}; read line < {self._go_path}; {then or 'exit 0'}"

    def wait(self):
        """Wait until a task stands here; return its process id."""
        while b"\n" not in self._unread:
            assert select.select([self._began], [], [], LIMIT_S)[0], "no task comes to the gate"
            self._unread += os.read(self._began, 4096)
        line, _, self._unread = self._unread.partition(b"\n")
        return int(line)

    @property
    def reached(self):
        """Whether a task has come here that nobody has waited for."""
        return bool(self._unread or select.select([self._began], [], [], 0)[0])

    def open(self, times=1):
        """Let so many tasks go on."""
        os.write(self._go, b"go\n" * times)

    def close(self):
        os.close(self._began)
        os.close(self._go)


# The program ---------------------------------------------------------------------


class Done(NamedTuple):
    code: int
    out: str
    err: str


class Segue:
    """The program in a folder, with a store there, and everything that it leaves behind."""

    def __init__(self, folder):
        self.folder = folder
        self.store = f"sqlite://{folder}/segue.db"
        self.environment = os.environ | {"SEGUE_STORE": self.store, "COLUMNS": "100"}
        self.environment.pop("PYTEST_CURRENT_TEST", None)
        self._started = []
        self._gates = []

    def __call__(self, *words, code=0, stdin="", **variables):
        """Run a command to its end; `code` is the exit code that it must have, None: any."""
        done = subprocess.run(
            [*PROGRAM, *map(str, words)],
            cwd=self.folder,
            env=self.environment | variables,
            input=stdin if isinstance(stdin, bytes) else stdin.encode(),
            capture_output=True,
            timeout=2 * LIMIT_S,
            check=False,
        )
        result = Done(done.returncode, done.stdout.decode(), done.stderr.decode())
        assert "Traceback" not in result.err, result.err
        assert code is None or result.code == code, result
        return result

    def json(self, *words, code=0, stdin="", **variables) -> Any:
        """Run a command with `--json`; return the one document on its standard output."""
        return json.loads(self(*words, "--json", code=code, stdin=stdin, **variables).out)

    def start(self, *words):
        """Start a command, and leave it running."""
        return self.keep(Started(self, words))

    def keep(self, started):
        """End it with the test, if it has not ended by then."""
        self._started.append(started)
        return started

    def terminal(self, *words):
        """Start a command on a terminal of its own."""
        started = Terminal(self, words)
        self._started.append(started)
        return started

    # Workflows

    def write(self, tasks, name="flow.json", **members):
        """Write a Daggy document; return its path."""
        path = self.folder / name
        path.write_text(json.dumps({"tasks": tasks, **members}))
        return str(path)

    def gate(self, name="gate"):
        gate = Gate(self.folder, name)
        self._gates.append(gate)
        return gate

    # What has become of things

    def newest(self):
        """The name of the newest run; waits until there is one."""
        found = wait_until(lambda: self.json("runs")["runs"], "a run is stored")
        return found[0]["run"]

    def states(self, run=""):
        """State of each task by name."""
        return {each["name"]: each["state"] for each in self.json("status", run)["tasks"]}

    def wait_for_state(self, state, run=""):
        """Wait until the run has this state."""
        wait_until(lambda: self.json("status", run)["state"] == state, f"the run is {state}")

    def processes(self):
        """Every living process that works for our store: engines, keepers, tasks."""
        mark = f"SEGUE_STORE={self.store}\0".encode()
        found = set()
        for entry in Path("/proc").iterdir():
            with suppress(OSError, ValueError):
                number = int(entry.name)
                if mark in (entry / "environ").read_bytes() and alive(number):
                    found.add(number)
        return found

    def close(self):
        for started in self._started:
            started.close()
        for number in self.processes():
            with suppress(ProcessLookupError):
                os.kill(number, signal.SIGKILL)
        for gate in self._gates:
            gate.close()


def alive(number):
    with suppress(OSError):
        state = Path(f"/proc/{number}/stat").read_text().rsplit(")", 1)[1].split()[0]
        return state not in "ZX"
    return False


def wait_for_death(number):
    """Wait until a process has ended; it need not be a child of ours."""
    with suppress(ProcessLookupError):
        descriptor = os.pidfd_open(number)
        ended = select.select([descriptor], [], [], LIMIT_S)[0]
        os.close(descriptor)
        assert ended, f"process {number} does not end"


class Started:
    """A command that runs while the test goes on; what it prints goes to files."""

    def __init__(self, segue, words, program=PROGRAM):
        number = len(list(segue.folder.glob("started.*.out")))
        self.out_path = segue.folder / f"started.{number}.out"
        self.err_path = segue.folder / f"started.{number}.err"
        with self.out_path.open("wb") as out, self.err_path.open("wb") as err:
            self.process = subprocess.Popen(
                [*program, *map(str, words)],
                cwd=segue.folder,
                env=segue.environment,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=err,
                start_new_session=True,
            )

    @property
    def out(self):
        return self.out_path.read_text()

    @property
    def err(self):
        return self.err_path.read_text()

    def wait_for(self, text):
        """Wait until it has printed the text."""
        wait_until(lambda: text in self.out + self.err, f"it says {text!r}")

    def signal(self, number):
        self.process.send_signal(number)

    def end(self):
        """Wait for its end; return its exit code."""
        code = self.process.wait(LIMIT_S)
        assert "Traceback" not in self.err, self.err
        return code

    def close(self):
        self.process.kill()
        self.process.wait()


class Terminal:
    """A command on a terminal: what it shows, and keys to press."""

    def __init__(self, segue, words, columns=100, program=PROGRAM):
        self._master, slave = os.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 40, columns, 0, 0))
        environment = segue.environment | {"TERM": "xterm-256color"}
        environment.pop("NO_COLOR", None)
        self.process = subprocess.Popen(
            [*program, *map(str, words)],
            cwd=segue.folder,
            env=environment,
            stdin=slave,
            stdout=slave,
            stderr=slave,
            start_new_session=True,
            # So that Ctrl-C reaches it as from a keyboard.
            preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),
        )
        os.close(slave)
        self.shown = ""

    def wait_for(self, text):
        """Wait until the text is shown."""
        deadline = time.monotonic() + LIMIT_S
        while text not in self.shown:
            assert self._read(deadline), f"{text!r} is not shown:\n{self.shown}"

    def press(self, keys):
        os.write(self._master, keys.encode())

    def end(self):
        """Wait for its end; return its exit code."""
        deadline = time.monotonic() + LIMIT_S
        while self._read(deadline):
            pass
        return self.process.wait(LIMIT_S)

    def _read(self, deadline):
        """Take what is shown now; tell whether more can come."""
        left = max(0.0, deadline - time.monotonic())
        if not select.select([self._master], [], [], left)[0]:
            return False
        try:
            data = os.read(self._master, 65536)
        except OSError:  # nobody has the other end open any more
            return False
        self.shown += data.decode("utf-8", "replace")
        return bool(data)

    def hang_up(self):
        """Close the window."""
        os.close(self._master)
        self._master = -1

    def close(self):
        self.process.kill()
        self.process.wait()
        if self._master >= 0:
            os.close(self._master)
