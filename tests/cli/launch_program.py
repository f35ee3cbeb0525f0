"""Help for tests of `launch_slurm`: the real program, with a config, a store and Tasks."""

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

from commands import LIMIT_S, Done, Segue, Started

LAUNCH = [sys.executable, "-m", "segue.cli.launch_slurm"]
#: The Tasks of tests/lute: `Scripter` runs Python that stands in its section.
TASKS = Path(__file__).parents[1] / "lute"
TEST = {"compound_var": {"int_var": 1, "dict_var": {}}, "pause_s": 0}
QUICK = {
    "Test": TEST,
    "TestSocket": {"num_arrays": 2, "array_size": 10},
    "TestWriteOutput": {"pause_s": 0, "num_vals": 5},
    "TestReadOutput": {"pause_s": 0},
}
#: The sample of LUTE's documentation.
SAMPLE = """\
!LUTE_DAG
- task_name: "Tester"
  slurm_params: ""
  next:
  - !ALL_FAILED
    task_name: "SocketTester"
    slurm_params: ""
    next: []
- task_name: "Tester"
  slurm_params: ""
  next:
  - !branch_daq2
    daq2:
      task_name: "SocketTester"
      slurm_params: ""
      next: []
    daq1:
      task_name: "WriteTester"
      slurm_params: ""
      next:
      - task_name: "ReadTester"
        slurm_params: ""
        next: []
"""
#: daq2, whether the Testers throw -> steps that run, steps that are skipped, maestro's count.
#: Source: specs of LUTE, section 2.2.
CASES = [
    ("true", False, ["SocketTester-2", "Tester", "Tester-2"], ["SocketTester"], "3/4"),
    ("true", True, ["SocketTester", "Tester", "Tester-2"], ["SocketTester-2"], "1/4"),
    (
        "false",
        False,
        ["ReadTester", "Tester", "Tester-2", "WriteTester"],
        ["SocketTester"],
        "4/5",
    ),
    ("false", True, ["SocketTester", "Tester", "Tester-2"], ["ReadTester", "WriteTester"], "1/5"),
]
_BLOCK = re.compile(r"^Providing logs for (\S+) \[Exited as: (\w+)\]\n-+\n", re.MULTILINE)
#: What a launch may find in the environment, and a test must not.
_OF_LAUNCHES = ("Authorization", "EXPERIMENT", "RUN_NUM", "RUN", "ARP_JOB_ID", "KRB5CCNAME")


class Block(NamedTuple):
    """What the log of a launch says of one step."""

    name: str
    status: str
    text: str


def blocks(log):
    """The parts of a launch's log, one a step, in the order in which they ended."""
    _, *parts = _BLOCK.split(log)
    return [Block(*parts[at : at + 3]) for at in range(0, len(parts), 3)]


class Launcher:
    """The program in a folder, with a store there, and everything that it leaves behind."""

    def __init__(self, folder):
        self.folder = folder
        self.segue = Segue(folder)
        self.gate = self.segue.gate
        self.processes = self.segue.processes
        environment = self.segue.environment
        for name in [*environment]:
            if name in _OF_LAUNCHES or name.startswith(("LUTE_", "SEGUE_LOGBOOK")):
                del environment[name]
        environment |= {"SEGUE_LUTE_MODULES": "users_tasks", "PYTHONPATH": str(TASKS)}
        self.config(QUICK)

    def config(self, sections, name="config.yaml", **header):
        """Write a config; return its path."""
        header = {"experiment": "TST1", "work_dir": str(self.folder), **header}
        path = self.folder / name
        path.write_text(f"{json.dumps(header)}\n---\n{json.dumps(sections)}\n")
        return path

    def dag(self, text, name="flow.dag"):
        """Write a workflow; return its path."""
        path = self.folder / name
        path.write_text(text)
        return path

    def scripted(self, code):
        """Write a config whose `Scripter` runs this Python."""
        return self.config(QUICK | {"Script": {"code": code}})

    def __call__(self, *words, local=True, code=0, run=("-e", "TST1", "-r", "12"), **variables):
        """Run it to its end; `code` is the exit code that it must have, None: any."""
        done = subprocess.run(
            self.words(*words, local=local, run=run),
            cwd=self.folder,
            env=self.segue.environment | variables,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=4 * LIMIT_S,
            check=False,
        )
        result = Done(done.returncode, done.stdout.decode(), done.stderr.decode())
        assert "Traceback" not in result.err, result.err
        assert code is None or result.code == code, result
        return result

    def words(self, *words, local=True, run=("-e", "TST1", "-r", "12")):
        given = ["-c", "config.yaml", *(["--local"] if local else []), *run]
        return [*LAUNCH, *given, *map(str, words)]

    def start(self, *words, local=True, run=("-e", "TST1", "-r", "12")):
        """Start it, and leave it running."""
        program = self.words(*words, local=local, run=run)
        return self.segue.keep(Started(self.segue, (), program))

    def resume(self, name, *words):
        """Start a launch that goes on with a run."""
        return self.segue.keep(Started(self.segue, ("--resume", name, *words), LAUNCH))

    def logs(self):
        """The log files in the folder of the launch, by name."""
        return {path.name: path.read_text() for path in self.folder.glob("*_r*.out")}

    def attempts(self, run=""):
        """The newest attempt of each task that has one, by name."""
        tasks = self.segue.json("status", run)["tasks"]
        return {each["name"]: each["attempts"][-1] for each in tasks if each["attempts"]}

    def own_folder(self):
        """The run's own folder."""
        (folder,) = self.folder.glob("segue-runs/*/.segue/*")
        return folder

    def close(self):
        self.segue.close()
