"""Help for tests of `maestro` and `conductor`: the real programs, with a store of their own."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

from commands import LIMIT_S, Done, Segue, Started, Terminal, wait_until

from segue.maestro.status_csv import parse_csv

MAESTRO = [sys.executable, "-m", "segue.cli.maestro"]
CONDUCTOR = [sys.executable, "-m", "segue.cli.conductor"]


def step(cmd, *depends, **run):
    """The `run` of a step."""
    return {"cmd": cmd, **({"depends": list(depends)} if depends else {}), **run}


_MEASURE = """
import resource, subprocess, sys
code = subprocess.run(sys.argv[1:]).returncode
print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss, file=sys.stderr)
sys.exit(code)
"""


class Maestro:
    """The program in a folder, with a store there, and everything that it leaves behind."""

    def __init__(self, folder):
        self.folder = folder
        self.segue = Segue(folder)
        self.gate = self.segue.gate
        self.processes = self.segue.processes

    def __call__(self, *words, code=0, stdin="", **variables):
        """Run `maestro` to its end; `code` is the exit code that it must have, None: any."""
        return self._run(MAESTRO, words, code, stdin, variables)

    def measured(self, *words):
        """Run `maestro` to its end; the last line of its errors is its peak memory, in KB.

        Asked for by a small process: what it forks begins as large as itself.
        """
        return self._run([sys.executable, "-c", _MEASURE, *MAESTRO], words, 0, "", {})

    def conductor(self, *words, code=0, **variables):
        """Run `conductor` to its end."""
        return self._run(CONDUCTOR, words, code, "", variables)

    def _run(self, program, words, code, stdin, variables):
        done = subprocess.run(
            [*program, *map(str, words)],
            cwd=self.folder,
            env=self.environment | variables,
            input=stdin.encode(),
            capture_output=True,
            timeout=2 * LIMIT_S,
            check=False,
        )
        result = Done(done.returncode, done.stdout.decode(), done.stderr.decode())
        assert "Traceback" not in result.err, result.err
        assert code is None or result.code == code, result
        return result

    def start(self, *words, program=MAESTRO):
        """Start a command, and leave it running."""
        return self.segue.keep(Started(self.segue, words, program))

    @property
    def environment(self):
        return self.segue.environment

    # Studies

    def write(self, steps, parameters=None, name="study", **sections):
        """Write a specification; return its path."""
        value = {
            "description": {"name": name, "description": f"the study {name}"},
            **sections,
            "study": [
                {"name": each, "description": f"step {each}", "run": run}
                for each, run in steps.items()
            ],
        }
        if parameters:
            value["global.parameters"] = {
                each: {"values": values, "label": f"{each}.%%"}
                for each, values in parameters.items()
            }
        path = self.folder / f"{name}.yaml"
        path.write_text(json.dumps(value, indent=1))
        return path

    def launch(self, *words, out="out"):
        """Launch a study in the background; return its folder."""
        done = self("run", "-y", "-o", out, *words)
        assert done.out == "Study launched successfully.\n"
        return self.folder / out

    def rows(self, out="out", code=0):
        """The rows that `maestro status` shows, by name."""
        shown = json.loads(self("status", "--json", out, code=code).out)
        return {row["step_name"]: row for row in shown["studies"][0].get("steps", [])}

    def states(self, out="out"):
        """State of each step by name."""
        return {name: row["state"] for name, row in self.rows(out).items()}

    def wait_until_ended(self, out="out"):
        """Wait until the study has ended; return its verdict."""

        def ended():
            study = json.loads(self("status", "--json", out).out)["studies"][0]
            return study["state"] if study["state"] != "RUNNING" else ""

        return wait_until(ended, f"the study in {out} ends")

    def wait_until_idle(self):
        """Wait until no process works for us any more."""
        wait_until(lambda: not self.processes(), "all processes end")

    def kept_rows(self, out="out"):
        """The states in status.csv by name."""
        text = (self.folder / out / "status.csv").read_text()
        return {row.step_name: row.state for row in parse_csv(text)}

    def conductors(self):
        """The process ids of our living conductors."""
        return self._processes_with(b"segue.cli.conductor")

    def keepers(self):
        """The process ids of the keepers of our steps."""
        return self._processes_with(b"segue.executors.keeper")

    def _processes_with(self, words):
        return [
            number
            for number in self.processes()
            if words in Path(f"/proc/{number}/cmdline").read_bytes()
        ]

    def wait_for_rows(self, states, out="out"):
        """Wait until status.csv holds these states."""
        wait_until(lambda: self.kept_rows(out) == states, f"status.csv holds {states}")

    def kill(self, number):
        os.kill(number, signal.SIGKILL)

    def loaded_by(self, *words):
        """The modules that a command has loaded when it ends."""
        program = (
            "import sys, json, atexit\n"
            "atexit.register(lambda: json.dump(list(sys.modules), sys.stderr))\n"
            "from segue.cli.maestro import main\n"
            f"main({list(words)!r})\n"
        )
        done = subprocess.run(
            [sys.executable, "-c", program],
            env=self.environment, cwd=self.folder, capture_output=True, text=True, check=True,
        )  # fmt: skip
        return set(json.loads(done.stderr))

    def run_id(self, out="out"):
        return json.loads((self.folder / out / ".segue" / "study.json").read_text())["run"]

    def terminal(self, *words, columns=100):
        """Start a command on a terminal of its own."""
        return self.segue.keep(Terminal(self.segue, words, columns, MAESTRO))

    def close(self):
        self.segue.close()
