"""The Executor: the first process of a job, which runs one Task and answers for it.

Its life: make the environment, start the Task, tell the Server, call the tasklets that come
before, let the Task begin, listen, keep the time limit, call the tasklets that come after,
write the result down, tell the Server the end. It is a plain loop over descriptors; the
decisions are in the modules that it calls.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import replace
from types import FrameType
from typing import Any, Final

from segue.lute.channel import Channel, Switchboard
from segue.lute.config import Config
from segue.lute.elog import Elog
from segue.lute.environment import changed, staged
from segue.lute.manager import ManagerClient
from segue.lute.messages import Kind, Message
from segue.lute.parameters import AnalysisHeader
from segue.lute.registry import ManagedTask
from segue.lute.result import TaskResult, TaskStatus
from segue.lute.results import Execution, Step, write_execution
from segue.lute.tasklets import When, call_tasklets
from segue.model.errors import OutsideError, UserError

SUCCEEDED: Final = 0
FAILED: Final = 255
#: Between TERM and KILL for a Task that must end, in seconds.
GRACE_S: Final = 5.0
#: How long the last words of a Task that has ended are waited for, in seconds.
DRAIN_S: Final = 2.0
_CHUNK_BYTES: Final = 2**16


class Executor:
    """Runs one managed Task in this process's job."""

    def __init__(
        self,
        managed: ManagedTask,
        config: Config,
        header: AnalysisHeader,
        *,
        suffix: str = "",
        values: Mapping[str, Any] | None = None,
        environment: Mapping[str, str] = os.environ,
    ) -> None:
        self._managed = managed
        self._config = config
        self._header = header
        self._suffix = suffix
        #: What wins over the section: the values of an instance of a sweep.
        self._values = dict(values or {})
        self._environment = dict(environment)
        self._manager = ManagerClient(managed.name + suffix, environment)
        self._board = Switchboard()
        self._lines = {"stdout": b"", "stderr": b""}
        #: What the Task has said it was given; None until it has started.
        self._started: dict[str, Any] | None = None
        self._result: TaskResult | None = None
        self._failure = ""
        self._stopped_by = 0

    def run(self) -> int:
        """Run the Task to its end; return the job's exit code."""
        with self._signals():
            try:
                status = self._run_task()
            except (UserError, OutsideError) as error:
                self._say(str(error))
                status = TaskStatus.FAILED
            finally:
                self._board.close()
        result = self._finish(status)
        self._manager.status(result.task_status.value)
        self._manager.close()
        if result.task_status is TaskStatus.COMPLETED:
            return SUCCEEDED
        self._say("Exiting after Task failure. Result recorded.")
        return FAILED

    # The Task ------------------------------------------------------------------

    def _run_task(self) -> TaskStatus:
        mpi = self._managed.task.uses_mpi
        if mpi:
            self._board.listen()
            inherited: list[int] = []
        else:
            inherited = [self._board.open_pair()]
        environment = self._task_environment()
        child = self._start(self._command(mpi), environment, inherited)
        self._board.release_pair()
        self._manager.status(
            "STARTED", task=self._managed.task.name(), executor_hostname=os.uname().nodename
        )
        try:
            return self._listen(child)
        finally:
            _stop(child)
            for stream in (child.stdout, child.stderr):
                if stream:
                    stream.close()

    def _task_environment(self) -> dict[str, str]:
        environment = changed(self._environment, self._managed.environment)
        if self._managed.shell_script:
            environment |= staged(self._managed.shell_script, environment)
        environment |= self._board.environment
        environment["LUTE_CONFIGPATH"] = self._config.path
        return environment

    def _command(self, mpi: bool) -> list[str]:
        words = ["-m", "segue.lute.subprocess_task"]
        words += ["-t", self._managed.task.name(), "-c", self._config.path]
        if self._suffix:
            words += ["--suffix", self._suffix]
        if self._values:
            words += ["--values", json.dumps(self._values)]
        if not mpi:
            return [sys.executable, "-u", *words]
        mpirun = shutil.which("mpirun", path=self._environment.get("PATH"))
        if mpirun is None:
            hint = "load a module that has MPI, or source a script that does"
            raise UserError(f"{self._managed.name} needs MPI, and there is no mpirun", hint)
        # One core is the Executor's own.
        ranks = max(int(self._environment.get("SLURM_NPROCS", "2")) - 1, 1)
        # A rank that fails ends the others, which would wait for it.
        return [mpirun, "-np", str(ranks), sys.executable, "-u", "-m", "mpi4py.run", *words]

    def _start(
        self, command: list[str], environment: dict[str, str], inherited: list[int]
    ) -> subprocess.Popen[bytes]:
        child = subprocess.Popen(
            command,
            env=environment,
            pass_fds=inherited,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
        )
        assert child.stdout is not None
        assert child.stderr is not None
        self._board.watch(child.stdout.fileno(), "stdout")
        self._board.watch(child.stderr.fileno(), "stderr")
        return child

    def _listen(self, child: subprocess.Popen[bytes]) -> TaskStatus:
        """Take in what the Task says until it has ended; return how it has."""
        deadline = time.monotonic() + self._header.task_timeout
        drained_at: float | None = None
        ended = os.pidfd_open(child.pid)
        self._board.watch(ended, "ended")
        try:
            while True:
                now = time.monotonic()
                if drained_at is None and now >= deadline:
                    self._say(f"Timed out after {self._header.task_timeout} s.")
                    return TaskStatus.TIMEDOUT
                came = [
                    self._take(each, child) for each in self._board.wait(max(0.0, deadline - now))
                ]
                if self._stopped_by:
                    self._say(f"Stopped by {signal.Signals(self._stopped_by).name}.")
                    return TaskStatus.CANCELLED
                if "ended" in came and drained_at is None:
                    # Its last words are read; those of a process that it has left behind
                    # are not waited for without end.
                    drained_at = now + DRAIN_S
                if drained_at is not None and (came == ["ended"] or now >= drained_at):
                    return self._status_of(child.wait())
        finally:
            self._board.unwatch(ended)
            os.close(ended)
            self._flush_lines()

    def _take(self, came: tuple[Channel, Message] | str, child: subprocess.Popen[bytes]) -> str:
        if not isinstance(came, str):
            self._take_message(*came)
            return "message"
        if came in ("ended", "signal"):
            return came
        stream = child.stdout if came == "stdout" else child.stderr
        assert stream
        data = os.read(stream.fileno(), _CHUNK_BYTES)
        if not data:
            self._board.unwatch(stream.fileno())
        *lines, self._lines[came] = (self._lines[came] + data).split(b"\n")
        for line in lines:
            self._say(line.decode(errors="replace"))
        return came

    def _flush_lines(self) -> None:
        for name, rest in self._lines.items():
            if rest:
                self._say(rest.decode(errors="replace"))
            self._lines[name] = b""

    def _take_message(self, channel: Channel, message: Message) -> None:
        match message.kind:
            case Kind.STARTED:
                self._begin(channel, message.content)
            case Kind.LOG:
                self._say(str(message.content))
            case Kind.ARRAY:
                self._say(f"Received an array: {message.content}")
            case Kind.METADATA if isinstance(message.content, dict):
                words = {str(key): value for key, value in message.content.items()}
                self._manager.status("RUNNING", **words)
            case Kind.REQUEST:
                known = message.content == "running_tasks"
                answer = self._manager.running_tasks() if known else []
                channel.send(Message(Kind.RESPONSE, answer))
            case Kind.RESULT if isinstance(message.content, dict):
                self._result = TaskResult.from_json(message.content)
            case Kind.FAILED:
                self._failure = str(message.content)

    def _begin(self, channel: Channel, content: Any) -> None:
        """The Task has its parameters: do what comes before it, then let it begin."""
        self._started = content if isinstance(content, dict) else {}
        parameters = self._started.get("parameters", {})
        call_tasklets(self._managed.tasklets, When.BEFORE, parameters, TaskResult(), self._say)
        channel.send(Message(Kind.CONTINUE))
        self._manager.status("RUNNING")

    def _status_of(self, exit_code: int) -> TaskStatus:
        if exit_code:
            how = f"signal {-exit_code}" if exit_code < 0 else f"return code {exit_code}"
            self._say(f"Task failed with {how}. {self._failure}".rstrip())
            return TaskStatus.FAILED
        return self._result.task_status if self._result else TaskStatus.COMPLETED

    # The end -------------------------------------------------------------------

    def _finish(self, status: TaskStatus) -> TaskResult:
        """Make the result whole, and write it down; an error there is told and no more."""
        started = self._started or {}
        result = self._result or TaskResult()
        result = replace(
            result,
            task_status=status,
            payload=result.payload or started.get("result") or "",
            summary=result.summary or started.get("summary") or self._failure,
            impl_schemas=result.impl_schemas or started.get("impl_schemas"),
        )
        parameters = started.get("parameters", {})
        if status is TaskStatus.COMPLETED:
            result = call_tasklets(
                self._managed.tasklets, When.AFTER, parameters, result, self._say
            )
            elog = Elog(self._header.experiment, self._header.run, self._environment)
            for trouble in elog.post_summary(result.summary):
                self._say(trouble)
        if self._started is not None:
            self._write(result, parameters)
        return result

    def _write(self, result: TaskResult, parameters: Mapping[str, Any]) -> None:
        own = {name: value for name, value in parameters.items() if name != "lute_config"}
        values = result.as_json()
        if not isinstance(result.summary, str | dict):
            values["summary"] = "see the electronic logbook"
        execution = Execution(
            task=self._managed.task.name(),
            header=self._header.model_dump(),
            parameters=own,
            result=values,
            valid=result.task_status is TaskStatus.COMPLETED,
            environment=self._environment,
            communicators="messages over a socket; stdout and stderr over pipes",
            step=Step.of(self._environment),
        )
        try:
            write_execution(self._header.work_dir, execution)
        except OutsideError as error:
            self._say(str(error))

    def _say(self, line: str) -> None:
        """Put a line into the job's log, and pass it on."""
        sys.stdout.write(f"{line}\n")
        sys.stdout.flush()
        self._manager.log(line)

    # Signals -------------------------------------------------------------------

    @contextlib.contextmanager
    def _signals(self) -> Iterator[None]:
        """Let whoever stops the job stop the Task, in order."""
        numbers = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
        read_end, write_end = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        self._board.watch(read_end, "signal")
        # The descriptor wakes the loop; the handler only notes which signal it was.
        waker = signal.set_wakeup_fd(write_end)
        before = {number: signal.signal(number, self._stop) for number in numbers}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)
            signal.set_wakeup_fd(waker)
            os.close(read_end)
            os.close(write_end)

    def _stop(self, number: int, frame: FrameType | None) -> None:
        self._stopped_by = number


def _stop(child: subprocess.Popen[bytes]) -> None:
    """End whatever is left of the Task: politely, then by force."""
    for number, patience_s in ((signal.SIGTERM, GRACE_S), (signal.SIGKILL, None)):
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(child.pid, number)
        with contextlib.suppress(subprocess.TimeoutExpired):
            child.wait(patience_s)
            if number == signal.SIGTERM and not _group_lives(child.pid):
                return


def _group_lives(group: int) -> bool:
    try:
        os.killpg(group, 0)
    except (ProcessLookupError, PermissionError):
        return False
    return True
