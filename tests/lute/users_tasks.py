"""Tasks as a user adds them, for the tests of the Executor: a module of one's own."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from segue.lute.environment import EnvironmentChange, How
from segue.lute.parameters import TaskParameters, ThirdPartyParameters, parameter
from segue.lute.registry import ManagedTask
from segue.lute.result import SummaryPlots, TaskResult
from segue.lute.task import Task, ThirdPartyTask
from segue.lute.tasklets import Tasklet, When


class ScriptParameters(TaskParameters):
    code: str = ""
    out_file: str = parameter("fit.dat", is_result=True)


class Script(Task[ScriptParameters]):
    """Runs the text of its parameter as Python; `result` is what it returns."""

    parameters_model = ScriptParameters

    def run(self):
        names = {"self": self, "result": TaskResult(summary="Done."), "TaskResult": TaskResult}
        names |= {"os": os, "sys": sys, "time": time, "signal": signal, "subprocess": subprocess}
        names |= {"SummaryPlots": SummaryPlots}
        exec(self.parameters.code, names)
        return names["result"]


class Ranks(Script):
    """The same as several ranks; `world` is all of them."""

    uses_mpi = True

    def run(self):
        from mpi4py import MPI

        sys.modules["world"] = MPI.COMM_WORLD
        return super().run()


class CopyParameters(ThirdPartyParameters):
    executable: str = "cat"
    in_file: str = parameter("filled.txt", flag_type="", is_result=True)


class Copy(ThirdPartyTask):
    parameters_model = CopyParameters


def note(path, text):
    with open(path, "a") as file:
        file.write(f"{text}\n")
    return {"noted": text}


def fail():
    raise ValueError("not today")


MANAGED_TASKS = (
    ManagedTask("Scripter", Script),
    ManagedTask("Ranker", Ranks),
    ManagedTask("Copier", Copy),
    ManagedTask(
        "Surrounded",
        Script,
        environment=(
            EnvironmentChange("PATH", "/opt/mine", How.PREPEND),
            EnvironmentChange("MODE", "fast"),
        ),
        shell_script=str(Path(__file__).with_name("set_up.sh")),
        tasklets=(
            Tasklet(
                note, ("{{ lute_config.work_dir }}/notes", "before {{ out_file }}"), When.BEFORE
            ),
            Tasklet(fail),
            Tasklet(note, ("{{ lute_config.work_dir }}/notes", "after"), set_summary=True),
        ),
    ),
)
