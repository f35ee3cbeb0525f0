"""A false Slurm: programs for the PATH that run jobs as real processes of this machine.

It passes the suite that the real one passes (`segue.testing.executor_suite`), starts in no
time, and does on request what a real one does once a year::

    cluster = FalseSlurm(tmp_path / "slurm")
    monkeypatch.setenv("PATH", cluster.path)
    cluster.switch_on("squeue.fails", "slurm_load_jobs error: Unable to contact")

The faults, each a file under ``faults/`` that a test may write and remove at any time:

=====================  ==================================================================
``PROGRAM.fails``      the program says this on stderr and ends with 1
``pending``            jobs that come in are not started
``limit``              so many jobs are taken at once, then QOSMaxSubmitJobPerUserLimit
``sbatch.silent``      sbatch takes the job and never answers
``squeue.garbled``     squeue's line about this job id is cut down to the id
``squeue.hidden``      squeue does not know these job ids
``sacct.hidden``       nor does sacct these
``sacct.disabled``     the cluster keeps no accounts
``state.ID``           the state that squeue says of the job
``accounted.ID``       the state that sacct says of the job
=====================  ==================================================================
"""

from __future__ import annotations

import json
import os
import shlex
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

from segue.testing import false_slurm_program
from segue.testing.false_slurm_program import Cluster

PROGRAMS = ("sbatch", "squeue", "sacct", "scancel", "scontrol")


class FalseSlurm:
    """One cluster in a folder of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._cluster = Cluster(folder)
        for name in ("bin", "faults", "jobs", "spool"):
            (folder / name).mkdir(parents=True, exist_ok=True)
        for name in PROGRAMS:
            self.add_program(name)

    @property
    def path(self) -> str:
        """A PATH on which the programs come first."""
        return f"{self.folder / 'bin'}:{os.environ['PATH']}"

    def add_program(self, name: str) -> None:
        """Put a program on the PATH."""
        program = self.folder / "bin" / name
        program.write_text(f'#!/bin/sh\nexec {shlex.join(self._words(name))} "$@"\n')
        program.chmod(0o755)

    def remove_program(self, name: str) -> None:
        """Take a program off the PATH."""
        (self.folder / "bin" / name).unlink()

    def switch_on(self, fault: str, text: str = "") -> None:
        """Let a fault happen from now on."""
        new = self.folder / "fault.new"
        new.write_text(text)
        new.replace(self.folder / "faults" / fault)

    def switch_off(self, fault: str) -> None:
        """End a fault."""
        (self.folder / "faults" / fault).unlink(missing_ok=True)

    def jobs(self) -> list[dict[str, Any]]:
        """Return all jobs that sbatch has taken, the oldest first."""
        return self._cluster.all()

    def calls(self, program: str) -> list[list[str]]:
        """Return the arguments of all calls of a program."""
        with suppress(FileNotFoundError):
            lines = (self.folder / "calls").read_text().splitlines()
            calls = [json.loads(line) for line in lines]
            return [words for name, *words in calls if name == program]
        return []

    def start_pending(self) -> None:
        """Start the jobs that wait, and let others start as they come."""
        self.switch_off("pending")
        subprocess.run(self._words("start"), check=True)

    def close(self) -> None:
        """Kill whatever still runs."""
        for job in self.jobs():
            if job["pid"] and job["state"] == "RUNNING":
                for pid in [*false_slurm_program.session_of(job["pid"]), job["pid"]]:
                    with suppress(ProcessLookupError):
                        os.kill(pid, signal.SIGKILL)

    def _words(self, program: str) -> list[str]:
        source = false_slurm_program.__file__
        return [sys.executable, "-I", "-S", source, str(self.folder), program]
