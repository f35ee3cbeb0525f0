"""What the tests of executors share: a state folder that leaves no process behind."""

import os
import signal
from contextlib import suppress

import pytest
from places import EngineProcess

from segue.executors.keeper.processes import all_processes, mark_of


@pytest.fixture
def state(tmp_path):
    """A state folder. Also after a failure, no keeper and no job of it is left."""
    state = tmp_path / "state"
    yield state
    for each in list(EngineProcess.living):
        each.kill()
    for pid in _processes_of(str(state)):
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def _processes_of(state):
    """Keepers by their command line, then jobs by their mark: no keeper starts another job."""
    processes = all_processes()
    for process in processes:
        with suppress(OSError), open(f"/proc/{process.pid}/cmdline", "rb") as file:
            words = file.read().split(b"\0")
            if b"keeper.main" in b" ".join(words) and state.encode() in b" ".join(words):
                yield process.pid
    for process in processes:
        if mark_of(process.pid)[1].startswith(state + "/"):
            yield process.pid
