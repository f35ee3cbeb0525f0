"""Help for tests of managed Tasks: jobs, run as batch systems run them."""

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from segue.lute.results import latest_entry

HERE = Path(__file__).parent


@dataclass
class Job:
    """A config, and the processes that run its Tasks."""

    folder: Path
    environment: dict
    timeout_s: int = 60

    def config(self, sections):
        header = {"experiment": "TST1", "run": 3, "work_dir": str(self.folder)}
        header["task_timeout"] = self.timeout_s
        text = f"{json.dumps(header)}\n---\n{json.dumps(sections)}\n"
        (self.folder / "config.yaml").write_text(text)

    def start(self, task, sections, **environment):
        self.config(sections)
        return subprocess.Popen(
            [sys.executable, "-m", "segue.lute.run_task", "-t", task, "-c", "config.yaml"],
            cwd=self.folder,
            env=self.environment | environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def run(self, task, sections=None, **environment):
        """Return exit code and output of a job."""
        process = self.start(task, sections or {}, **environment)
        output, _ = process.communicate(timeout=60)
        return process.returncode, output

    def script(self, code, task="Scripter", **environment):
        return self.run(task, {"Script": {"code": code}}, **environment)

    def stored(self, task, column="result.task_status"):
        return latest_entry(self.folder, task, column, valid_only=False)


def job_in(folder):
    """Return a job in that folder, which knows the Tasks of `users_tasks`."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("LUTE_")}
    return Job(folder, kept | {"SEGUE_LUTE_MODULES": "users_tasks", "PYTHONPATH": str(HERE)})


def lives(pid):
    """Whether a process runs; one that nobody has reaped yet does not."""
    try:
        state = Path("/proc", pid, "stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    return state not in "ZX"
