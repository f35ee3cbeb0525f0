"""Managed Tasks to try things out with: the ones that LUTE's sample workflows name."""

from __future__ import annotations

import json
import os
import random
import socket
import time
from array import array
from pathlib import Path
from typing import Final

from pydantic import BaseModel, Field, PositiveInt, model_validator

from segue.lute.parameters import TaskParameters, Text, ThirdPartyParameters, parameter
from segue.lute.registry import ManagedTask
from segue.lute.result import TaskResult
from segue.lute.results import Step, latest_entry
from segue.lute.task import Task, ThirdPartyTask


class CompoundParameter(BaseModel):
    """A value that is made of others."""

    int_var: int
    dict_var: dict[str, Text]


class TestParameters(TaskParameters):
    """Of `Test`: `throw_error` lets it fail in the end."""

    float_var: float = 0.01
    str_var: Text = "test"
    compound_var: CompoundParameter
    throw_error: bool = False
    #: Not in LUTE: how many messages, and how long between them.
    num_messages: PositiveInt = 10
    pause_s: float = Field(1.0, ge=0)


class Test(Task[TestParameters]):
    """Says something ten times, a second apart."""

    parameters_model = TestParameters

    def run(self) -> TaskResult:
        """Say so, or fail."""
        for number in range(self.parameters.num_messages):
            time.sleep(self.parameters.pause_s)
            self.report(f"Test message {number}")
        if self.parameters.throw_error:
            raise RuntimeError("Testing Error!")
        return TaskResult(summary="Test Finished.")


class TestSocketParameters(TaskParameters):
    """Of `TestSocket`: how many arrays, and how long each is."""

    array_size: PositiveInt = 10_000
    num_arrays: PositiveInt = 10


class TestSocket(Task[TestSocketParameters]):
    """Sends arrays of random numbers."""

    parameters_model = TestSocketParameters

    def run(self) -> TaskResult:
        """Send them, and one more as the result."""
        for number in range(self.parameters.num_arrays):
            self.report(f"Sending array {number}")
            self.send_array(self._random())
        return TaskResult(
            summary=f"Sent {self.parameters.num_arrays} arrays", payload=self._random().tolist()
        )

    def _random(self) -> array[float]:
        return array("d", (random.random() for _ in range(self.parameters.array_size)))


class TestWriteOutputParameters(TaskParameters):
    """Of `TestWriteOutput`."""

    outfile_name: Text = "test_output.txt"
    num_vals: PositiveInt = 100
    pause_s: float = Field(0.05, ge=0)


class TestWriteOutput(Task[TestWriteOutputParameters]):
    """Writes a file into the work directory, which other Tasks read."""

    parameters_model = TestWriteOutputParameters

    def run(self) -> TaskResult:
        """Write one number a line."""
        for number in range(self.parameters.num_vals):
            time.sleep(self.parameters.pause_s)
            if number % 10 == 0:
                self.report(f"Processed {number + 1} values!")
        path = Path(self.parameters.lute_config.work_dir, self.parameters.outfile_name)
        path.write_text("".join(f"{random.random():.18e}\n" for _ in range(number + 1)))
        return TaskResult(summary="Completed task successfully.", payload=str(path))


class TestReadOutputParameters(TaskParameters):
    """Of `TestReadOutput`: without `in_file`, the newest that `TestWriteOutput` has written."""

    in_file: Text = ""
    pause_s: float = Field(1.0, ge=0)

    @model_validator(mode="after")
    def _find_file(self) -> TestReadOutputParameters:
        if self.in_file:
            return self
        header = self.lute_config
        run = header.run if header.run != "" else None
        name = latest_entry(
            header.work_dir,
            "TestWriteOutput",
            "outfile_name",
            run=run,
            workflow_run=Step.of(os.environ).run,
        )
        if not name:
            raise ValueError(
                f"there is no in_file, and TestWriteOutput has written none in {header.work_dir} "
                f"for run {header.run!r}"
            )
        self.in_file = str(Path(header.work_dir, name))
        return self


class TestReadOutput(Task[TestReadOutputParameters]):
    """Reads what `TestWriteOutput` has written."""

    parameters_model = TestReadOutputParameters

    def run(self) -> TaskResult:
        """Read one number a line."""
        lines = Path(self.parameters.in_file).read_text().splitlines()
        values = [float(line) for line in lines]
        self.report("Successfully loaded data!")
        for _ in range(5):
            time.sleep(self.parameters.pause_s)
        return TaskResult(
            summary=f"Was able to load {len(values)} values.",
            payload="This Task produces no output.",
        )


class TestBinaryParameters(ThirdPartyParameters):
    """Of `TestBinary`: a program with one positional argument."""

    executable: str = "/bin/echo"
    p_arg1: int = parameter(1, flag_type="", description="Number of cores.")


class TestBinary(ThirdPartyTask):
    """Runs a program that ends well."""

    parameters_model = TestBinaryParameters


class TestBinaryErrParameters(TestBinaryParameters):
    """Of `TestBinaryErr`: a program that fails."""

    executable: str = "/bin/false"


class TestBinaryErr(ThirdPartyTask):
    """Runs a program that fails."""

    parameters_model = TestBinaryErrParameters


class TestRequestParameters(TaskParameters):
    """Of `TestRequest`."""


class TestRequest(Task[TestRequestParameters]):
    """Asks the workflow's Server which Tasks run."""

    parameters_model = TestRequestParameters

    def run(self) -> TaskResult:
        """Ask, and say what was answered."""
        tasks = self.running_tasks()
        self.report(f"Running tasks: {json.dumps(tasks)}")
        return TaskResult(summary=f"Found {len(tasks)} running tasks.", payload=tasks)


class TestMultiNodeCommunicationParameters(TaskParameters):
    """Of `TestMultiNodeCommunication`."""

    send_obj: Text = "plain"


class TestMultiNodeCommunication(Task[TestMultiNodeCommunicationParameters]):
    """Lets each rank say where it runs; needs MPI."""

    parameters_model = TestMultiNodeCommunicationParameters
    uses_mpi = True

    def run(self) -> TaskResult:
        """Say it, and gather it."""
        from mpi4py import MPI  # type: ignore[import-not-found,unused-ignore]

        world = MPI.COMM_WORLD
        here = f"rank {world.Get_rank()} of {world.Get_size()} on {socket.gethostname()}"
        self.report(here)
        everywhere = world.gather(here, root=0)
        return TaskResult(summary=f"Heard of {world.Get_size()} ranks.", payload=everywhere)


MANAGED_TASKS: Final = (
    ManagedTask("Tester", Test),
    ManagedTask("SocketTester", TestSocket),
    ManagedTask("WriteTester", TestWriteOutput),
    ManagedTask("ReadTester", TestReadOutput),
    ManagedTask("BinaryTester", TestBinary),
    ManagedTask("BinaryErrTester", TestBinaryErr),
    ManagedTask("RequestTester", TestRequest),
    ManagedTask("MultiNodeCommunicationTester", TestMultiNodeCommunication),
)
