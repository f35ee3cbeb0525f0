"""False LSF and Flux: programs for the PATH that run jobs as real processes of this machine.

::

    cluster = FalseBatch(tmp_path / "lsf", LSF)
    monkeypatch.setenv("PATH", cluster.path)
    cluster.switch_on("bjobs.fails", "LSF is down. Please wait ...")

The faults, each a file under ``faults/`` that a test may write and remove at any time:
``PROGRAM.fails`` (for Flux ``flux.jobs.fails``) lets the program say this and end with 255,
``pending`` starts no job, ``state`` and ``state.ID`` are what is said of a job's state,
``garbled`` cuts the line about that id, ``hidden`` lists ids that are not listed.
"""

from __future__ import annotations

import json
import os
import shlex
import signal
import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

from segue.testing import false_batch_program
from segue.testing.false_batch_program import Place

LSF: Final = ("bsub", "bjobs", "bkill")
FLUX: Final = ("flux",)


class FalseBatch:
    """One cluster in a folder of its own."""

    def __init__(self, folder: Path, programs: Sequence[str]) -> None:
        self.folder = folder
        self._place = Place(folder)
        for name in ("bin", "faults", "jobs"):
            (folder / name).mkdir(parents=True, exist_ok=True)
        for name in programs:
            words = [sys.executable, "-I", "-S", false_batch_program.__file__, str(folder), name]
            program = folder / "bin" / name
            program.write_text(f'#!/bin/sh\nexec {shlex.join(words)} "$@"\n')
            program.chmod(0o755)

    @property
    def path(self) -> str:
        """A PATH on which the programs come first."""
        return f"{self.folder / 'bin'}:{os.environ['PATH']}"

    def switch_on(self, fault: str, text: str = "") -> None:
        """Let a fault happen from now on."""
        new = self.folder / "fault.new"
        new.write_text(text)
        new.replace(self.folder / "faults" / fault)

    def switch_off(self, fault: str) -> None:
        """End a fault."""
        (self.folder / "faults" / fault).unlink(missing_ok=True)

    def jobs(self) -> list[dict[str, Any]]:
        """Return all jobs that were taken, the oldest first."""
        return self._place.all()

    def calls(self, program: str) -> list[list[str]]:
        """Return the arguments of all calls of a program."""
        with suppress(FileNotFoundError):
            lines = (self.folder / "calls").read_text().splitlines()
            return [words for name, *words in map(json.loads, lines) if name == program]
        return []

    def start_pending(self) -> None:
        """Start the jobs that wait, and let others start as they come."""
        self.switch_off("pending")
        for job in self.jobs():
            if job["state"] == "pending":
                false_batch_program.start(self._place, job)

    def close(self) -> None:
        """Kill whatever still runs."""
        for job in self.jobs():
            if job["state"] == "running":
                for pid in false_batch_program.session_of(job["pid"]):
                    with suppress(ProcessLookupError):
                        os.kill(pid, signal.SIGKILL)
