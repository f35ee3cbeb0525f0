"""The files of an attempt that a batch system will run: made before, read after.

In the attempt's folder lie ``job`` (the wrapper), ``script`` (unless the task names a file
in its workdir), ``stdout`` and ``stderr``, and the records of `batch_records`. What cannot
be made is said as `PrepareError`, with a cause that tells whether it ever may.
"""

from __future__ import annotations

import contextlib
import os
import secrets
from collections.abc import Mapping
from typing import Final

from segue.executors.batch_records import (
    REVOKED,
    Begun,
    Exit,
    begun_name,
    exit_name,
    read_begun,
    read_exit,
)
from segue.executors.keeper.children import PASSING
from segue.model.states import Cause
from segue.model.workflow import Action, Argv, ManagedTask, Script
from segue.protocols.executor import Job

#: What stands for the job's id in names of output.
JOB_ID: Final = "{job_id}"


class PrepareError(Exception):
    """The attempt's files could not be made; `cause` is ``refused`` or ``unreachable``."""

    def __init__(self, cause: Cause, message: str) -> None:
        super().__init__(message)
        self.cause = cause


def new_ticket() -> str:
    """Return a word that no attempt of anybody has had before."""
    return secrets.token_hex(6)


def job_environment(job: Job) -> Mapping[str, str | None]:
    """Return what the job's environment changes, with what every task of ours finds there."""
    ours = {
        "SEGUE_RUN": job.key.run,
        "SEGUE_JOB": job.key.name,
        "SEGUE_ATTEMPT": str(job.key.attempt),
    }
    return {**job.environment, **ours}


def command_of(job: Job) -> tuple[str, ...]:
    """Return what is executed for the job: its arguments, or its script's interpreter.

    The first line of a script is split as the kernel does, into a program and at most one
    argument; run so, a folder on a file system without execution will do.
    """
    match job.action:
        case Argv(arguments=words) | ManagedTask(command=words):
            return words
        case Script(text=text, shell=shell):
            first = text[2:].split("\n", 1)[0].strip(" \t\r") if text.startswith("#!") else ""
            words = tuple(first.split(None, 1)) or tuple(shell.split())
            return (*words, script_path(job))
    raise AssertionError(f"nothing to execute: {job.action}")


def program_of(action: Action) -> str:
    """Return the name of the program that an action runs, for people."""
    match action:
        case Argv(arguments=words) | ManagedTask(command=words):
            return words[0] if words else ""
        case Script(text=text, shell=shell):
            first = text[2:].split("\n", 1)[0].split() if text.startswith("#!") else []
            return (first or shell.split() or [""])[0]
    return ""


def script_path(job: Job) -> str:
    """Return where the text of a script is written."""
    name = job.action.file if isinstance(job.action, Script) else ""
    return f"{job.workdir}/{name}" if name else f"{job.folder}/script"


def prepare(job: Job, wrapper: str) -> None:
    """Make folder, workdir, script, wrapper and empty output files of the job.

    Raises
    ------
    PrepareError
        If one of them cannot be made.
    """
    prepare_folders(job)
    if isinstance(job.action, Script):
        _write(script_path(job), job.action.text, 0o755)
    _write(f"{job.folder}/job", wrapper, 0o755)
    for name in ("stdout", "stderr"):
        _write(f"{job.folder}/{name}", "", 0o666)


def prepare_folders(job: Job) -> None:
    """Make folder and workdir of the job.

    Raises
    ------
    PrepareError
        If one of them cannot be made.
    """
    _make_folder(job.folder, "the attempt's folder")
    _make_folder(job.workdir, "the working directory")


def adopt_output(folder: str, path: str) -> None:
    """Let a file that a job writes elsewhere be found as stdout in the attempt's folder."""
    if path:
        with contextlib.suppress(OSError, ValueError):
            os.symlink(path, f"{folder}/stdout")


def _make_folder(path: str, what: str) -> None:
    try:
        os.makedirs(path, exist_ok=True)
    except (OSError, ValueError) as error:
        raise _prepare_error(error, f"cannot make {what} {path}") from error


def _write(path: str, text: str, mode: int) -> None:
    """Write a new file; what has the name now may be a link to something that is not ours."""
    try:
        if os.path.lexists(path):
            os.unlink(path)
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
        with open(os.open(path, flags, mode), "wb") as file:
            file.write(os.fsencode(text))
    except (OSError, ValueError) as error:
        raise _prepare_error(error, f"cannot write {path}") from error


def _prepare_error(error: Exception, what: str) -> PrepareError:
    number = error.errno if isinstance(error, OSError) else None
    reason = os.strerror(number) if number else str(error)
    cause = Cause.UNREACHABLE if number in PASSING else Cause.REFUSED
    return PrepareError(cause, f"{what}: {reason}")


def name_output(folder: str, workdir: str, names: Mapping[str, str], job_id: str) -> None:
    """Give output files of the folder their second names in the workdir, if they lack them.

    `names` maps ``stdout`` and ``stderr`` to what they are called there. Before the job id
    is known (``""``) only those are made that do not hold it. Without them all is still in
    the attempt's folder, so no error is told.
    """
    for kind, pattern in names.items():
        if not pattern or (JOB_ID in pattern and not job_id):
            continue
        path = os.path.join(workdir, pattern.replace(JOB_ID, job_id))
        with contextlib.suppress(OSError, ValueError):
            _link(f"{folder}/{kind}", path)


def _link(path: str, name: str) -> None:
    with contextlib.suppress(OSError):
        if os.path.samefile(path, name):
            return
    with contextlib.suppress(FileNotFoundError):
        os.unlink(name)  # of an earlier attempt
    try:
        os.link(path, name)
    except OSError:
        os.symlink(path, name)  # another file system, or one without hard links


def begun_of(folder: str, ticket: str) -> Begun | None:
    """Return the record of the beginning; None if there is none."""
    text = _read(f"{folder}/{begun_name(ticket)}")
    return None if text is None else read_begun(text)


def exit_of(folder: str, ticket: str) -> Exit | None:
    """Return the record of the end; None if there is none."""
    text = _read(f"{folder}/{exit_name(ticket)}")
    return None if text is None else read_exit(text)


def revoke(folder: str, ticket: str) -> bool:
    """Keep a submission from ever beginning; return False when it has begun already.

    Raises
    ------
    OSError
        If the folder cannot be written: then nobody can know.
    """
    path = f"{folder}/{begun_name(ticket)}"
    # Under another name first: whoever finds the record must find its content.
    own = f"{path}.{os.getpid()}"
    os.makedirs(folder, exist_ok=True)
    with open(own, "w") as file:
        file.write(REVOKED + "\n")
    try:
        os.link(own, path)
    except FileExistsError:
        return begun_of(folder, ticket) is None
    finally:
        os.unlink(own)
    return True


def tail(path: str, size: int = 4096) -> str:
    """Return the end of a file; empty if it cannot be read."""
    try:
        with open(path, "rb") as file:
            file.seek(0, os.SEEK_END)
            file.seek(max(0, file.tell() - size))
            return file.read().decode("utf-8", "replace")
    except OSError:
        return ""


def _read(path: str) -> str | None:
    try:
        with open(path, "rb") as file:
            return file.read(65536).decode("utf-8", "replace")
    except OSError:
        return None
