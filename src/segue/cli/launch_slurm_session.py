"""A launch at work: the engine, the Server that its jobs call, the signals that end it.

Whoever stops a launch stops its jobs: nothing is left running. After a crash `resume` goes
on, with the Server where the living jobs look for it.
"""

from __future__ import annotations

import contextlib
import ipaddress
import json
import os
import secrets
import signal
import socket
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Any, Final

from segue import wiring
from segue.cli.engine import READER_IS_GONE, Session
from segue.cli.launch_slurm_log import LaunchLog
from segue.cli.main import INTERRUPTED
from segue.cli.streams import be_silent
from segue.engine.commands import CommandKind
from segue.engine.folders import OWN_FOLDER
from segue.lute.launch_words import last_words
from segue.lute.manager import ADDRESS_VARIABLE, TOKEN_VARIABLE
from segue.model.errors import OutsideError, RefusedError, UserError
from segue.model.run import RunRecord
from segue.model.states import FINAL_RUN, Cause, RunState, TaskState
from segue.model.workflow import Task
from segue.protocols.clock import SystemClock
from segue.protocols.executor import TakesHints
from segue.protocols.store import TaskFilter
from segue.server.lute_board import Board
from segue.server.lute_server import LuteServer

#: Where and how the Server of a run listens; jobs that live on know no other.
_SERVER_FILE: Final = "server.json"
_LOOPBACK: Final = "127.0.0.1"
_EXIT_CODES: Final = {RunState.SUCCEEDED: 0, RunState.FAILED: 1}


class LaunchSession(Session):
    """An engine for a launch: every signal cancels the run."""

    heard_signal = 0

    def _interrupted(self, number: int, frame: FrameType | None) -> None:
        self.heard_signal = self.heard_signal or number
        self.cancel_reason = signal.Signals(number).name
        # As if Ctrl-C had been pressed twice: nobody will go on with what runs.
        self.interrupts = 2
        self._drain_said = True
        self.engine.scheduler.ring()

    _told_to_leave = _interrupted


def resume(name: str, jobs: int | None, *, unbuffered: bool, force: bool = False) -> int:
    """Go on with a run whose launch has died; return the exit code.

    `force`: though its last machine cannot be seen from here.

    Raises
    ------
    UserError
        If there is no such run, it was not launched, or its launch lives.
    """
    from segue.cli.common import open_service

    service = open_service()
    record = service.find_run(name)
    if not is_launch(record):
        raise UserError(f"run {record.id} was not launched by launch_slurm",
                        f"go on with it: segue resume {record.id}")  # fmt: skip
    if record.state in FINAL_RUN:
        return say_end(service, record)
    if service.has_engine(record.id):
        raise RefusedError(
            f"run {record.id} is running already",
            f"watch it: segue status {record.id} --watch",
        )
    return conduct(service, record, jobs, unbuffered=unbuffered, force=force)


def is_launch(record: RunRecord) -> bool:
    """Tell whether the run was made by `launch_slurm`."""
    return "launch" in record.reading


def conduct(
    service: Any,
    record: RunRecord,
    jobs: int | None,
    *,
    unbuffered: bool = False,
    force: bool = False,
    as_json: bool = False,
) -> int:
    """Drive the run to its end, with a Server for its jobs; return the exit code."""
    settings = record.reading["launch"]
    stream = sys.stderr if as_json else sys.stdout
    board = Board(own_job_id=os.environ.get("SLURM_JOB_ID", ""))
    unbuffered = unbuffered or bool(settings["unbuffered"])
    log = LaunchLog(stream, sys.stderr, board, unbuffered=unbuffered)
    board.on_said = log.heard
    clock, state = SystemClock(), wiring.state_directory()
    with _serving(record, board, settings):
        slots = jobs or record.slots or None
        executors = wiring.open_executors(state, clock, slots=slots, pools={record.pool})
        executor: object = executors[record.pool]
        if isinstance(executor, TakesHints):
            log.hint = executor.hint
        session = LaunchSession(service.store, executors, state, clock, progress=log)
        if record.state is RunState.PAUSED:
            service.store.put_command(record.id, CommandKind.RESUME.value, {}, clock.now())
        record = session.drive(record.id, force=force, slots=jobs)
    _tidy(record)
    code = say_end(service, record, as_json=as_json)
    stopped = session.heard_signal not in (0, signal.SIGINT)
    return 1 if record.state is RunState.CANCELLED and stopped else code


def say_end(service: Any, record: RunRecord, *, as_json: bool = False) -> int:
    """Print the last words of a run; return the exit code."""
    stream = sys.stderr if as_json else sys.stdout
    if record.state not in FINAL_RUN:
        sys.stderr.write(
            f"launch_slurm: run {record.id} has been taken over by another engine; "
            f"watch it: segue status {record.id} --watch\n"
        )
        return OutsideError.exit_code
    wanted = TaskFilter(states=(TaskState.SKIPPED,))
    neutral = sum(
        isinstance(each.node, Task) and each.record.cause is Cause.RULE_NOT_MET
        for each in service.store.nodes(record.id, wanted)
    )
    text = last_words(
        succeeded=record.state is RunState.SUCCEEDED,
        ok=record.counts.get(TaskState.SUCCEEDED.value, 0),
        neutral=neutral,
        total=sum(record.counts.values()),
    )
    try:
        stream.write(text)
        stream.flush()
    except OSError as error:
        if error.errno not in READER_IS_GONE:
            raise
        # The exit code still says how the run has ended.
        be_silent()
    if as_json:
        from segue.cli.common import print_json
        from segue.engine.documents import run_document

        print_json(run_document(service.store, record))
    return _EXIT_CODES.get(record.state, INTERRUPTED)


def _tidy(record: RunRecord) -> None:
    """Remove what only a run that goes on needs."""
    folder = _own_folder(record)
    if record.state in FINAL_RUN:
        Path(folder, _SERVER_FILE).unlink(missing_ok=True)
    done = record.counts.get(TaskState.SUCCEEDED.value, 0) == sum(record.counts.values())
    if record.state in FINAL_RUN and done:
        # What failed or was skipped can be retried, and reads its config again.
        for path in folder.glob("config_expanded*.yaml"):
            path.unlink(missing_ok=True)


def _own_folder(record: RunRecord) -> Path:
    return Path(record.workspace, OWN_FOLDER, record.id)


# The Server ------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Place:
    """Where the Server listens, and what jobs must show it."""

    host: str
    port: int
    token: str


@contextlib.contextmanager
def _serving(record: RunRecord, board: Board, settings: Any) -> Iterator[None]:
    """Let a Server listen, and jobs that are started from here find it."""
    before = _last_place(record)
    host, port = _wanted(str(settings["bind"]), local=record.pool == "local")
    token = before.token if before else secrets.token_hex(16)
    needed = bool(settings["token_needed"])
    server = _server(board, host, port or (before.port if before else 0), token, needed=needed)
    try:
        os.environ[ADDRESS_VARIABLE] = server.address
        if needed:
            os.environ[TOKEN_VARIABLE] = token
        else:
            os.environ.pop(TOKEN_VARIABLE, None)
        _write_place(record, _Place(server.host, server.port, token))
        yield
    finally:
        server.close()


def _server(board: Board, host: str, port: int, token: str, *, needed: bool) -> LuteServer:
    try:
        return LuteServer(board, host=host, port=port, token=token, token_needed=needed)
    except OSError as error:
        if port:
            # Somebody has the port of before: jobs that live on are heard no more, which
            # costs waits and nothing else.
            return _server(board, host, 0, token, needed=needed)
        raise UserError(
            f"the workflow's Server cannot listen at {host}: {error.strerror or error}",
            "name an address of this machine with --bind",
        ) from error


def _wanted(bind: str, *, local: bool) -> tuple[str, int]:
    """Return the address to listen at, and the port; 0 is any.

    Raises
    ------
    UserError
        If `bind` is not an address with an optional port.
    """
    if not bind:
        return (_LOOPBACK if local else node_address()), 0
    host, sign, port = bind.rpartition(":")
    if not sign or (bind.count(":") > 1 and not bind.startswith("[")):
        return bind, 0
    if not port.isdecimal() or not 0 < int(port) < 65536:
        raise UserError(f"--bind {bind!r} is no address with a port", "write 10.0.0.5:41239")
    return host.strip("[]"), int(port)


def node_address() -> str:
    """Return an address of this machine that jobs on other nodes can reach."""
    with contextlib.suppress(OSError):
        found = socket.gethostbyname(socket.gethostname())
        if not ipaddress.ip_address(found).is_loopback:
            return found
    with contextlib.suppress(OSError), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        # Nothing is sent: the kernel only says which of our addresses it would send from.
        probe.connect(("192.0.2.1", 9))
        return str(probe.getsockname()[0])
    return _LOOPBACK


def _last_place(record: RunRecord) -> _Place | None:
    try:
        return _Place(**json.loads(Path(_own_folder(record), _SERVER_FILE).read_text()))
    except (OSError, ValueError, TypeError):
        return None


def _write_place(record: RunRecord, place: _Place) -> None:
    path = Path(_own_folder(record), _SERVER_FILE)
    text = json.dumps({"host": place.host, "port": place.port, "token": place.token})
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.unlink(missing_ok=True)
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
        # It holds the token: for this user alone.
        with open(os.open(path, flags, 0o600), "w") as file:
            file.write(text)
    except OSError as error:
        raise OutsideError(f"{path} cannot be written: {error.strerror}") from error
