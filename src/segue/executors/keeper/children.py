"""Jobs, and how one becomes a process; every way in which that can fail gets its sentence.

The hot path: two system calls for folder and directory, two for the files, one spawn.
`posix_spawn` needs no copy of the keeper's memory; its price is that the kernel counts
the keeper's size (some 12 MB) as the least peak memory of a child.
"""

import errno
import os
import time

from segue.executors.keeper.link import Environment, Link
from segue.executors.keeper.processes import JOB_MARK, SPOOL_MARK, ticks_now

REFUSED = "refused"
UNREACHABLE = "unreachable"

#: Errors of the place, which may pass. All others are said of the job, for ever.
PASSING = frozenset(
    {
        errno.EAGAIN,
        errno.EBUSY,
        errno.EDQUOT,
        errno.EIO,
        errno.EMFILE,
        errno.ENFILE,
        errno.ENOMEM,
        errno.ENOSPC,
        errno.ESTALE,
        errno.ETIMEDOUT,
        errno.ETXTBSY,
    }
)
#: Where programs are looked for when the job's environment has no PATH.
DEFAULT_PATH = b"/usr/local/bin:/usr/bin:/bin"


class StartError(Exception):
    """The job has not become a process; `cause` says whether it ever may."""

    def __init__(self, cause: str, message: str) -> None:
        super().__init__(message)
        self.cause = cause
        self.message = message


class Job:
    """A job as it was submitted, and what has become of it so far."""

    #: The fields of a `submit` message, in their order.
    FIELDS = (
        "name",
        "folder",
        "workdir",
        "arguments",
        "script",
        "shell",
        "file",
        "output",
        "environment",
        "clear_environment",
        "timeout_s",
    )
    __slots__ = (
        *FIELDS,
        "deadline",
        "inherited",
        "kill_at",
        "leavers",
        "owner",
        "pid",
        "result",
        "started_at",
        "stop_cause",
        "stop_message",
        "told",
        "window",
    )

    def __init__(self, fields: list[object], owner: Link | None, inherited: Environment) -> None:
        for name, value in zip(self.FIELDS, fields, strict=True):
            setattr(self, name, value)
        #: The connection that wants the reports; None when its engine has gone.
        self.owner = owner
        self.inherited = inherited
        self.pid = 0
        #: Clock ticks around its spawn (see `processes.family`).
        self.window = (0, 0)
        self.started_at: float | None = None
        #: Monotonic time of its timeout.
        self.deadline: float | None = None
        #: Why we stop it, and when we lose patience (monotonic).
        self.stop_cause: str | None = None
        self.stop_message = ""
        self.kill_at: float | None = None
        #: Its processes that live on after the first one: pidfds.
        self.leavers: set[int] = set()
        #: Wait status and usage of the first process, once it has ended.
        self.result: tuple[int, float, int] | None = None
        #: The last that the owner has been told: "", "submitted", "started".
        self.told = ""

    name: str
    folder: str
    workdir: str
    arguments: list[str] | None
    script: str | None
    shell: str
    file: str
    output: list[str] | None
    environment: dict[str, str | None] | None
    clear_environment: bool
    timeout_s: float | None


def encode_environment(variables: dict[str, str]) -> Environment:
    """Return the variables as bytes: what `posix_spawn` takes without further work."""
    return {os.fsencode(name): os.fsencode(value) for name, value in variables.items()}


def environment_of(job: Job, spool: bytes) -> Environment:
    """Return the whole environment of a job of the keeper with this spool folder."""
    result = {} if job.clear_environment else dict(job.inherited)
    for name, value in (job.environment or {}).items():
        if value is None:
            result.pop(os.fsencode(name), None)
        else:
            result[os.fsencode(name)] = os.fsencode(value)
    name_bytes = os.fsencode(job.name)
    run, _, attempt = name_bytes.rsplit(b".", 2)
    result[JOB_MARK] = name_bytes
    result[SPOOL_MARK] = spool
    result[b"SEGUE_RUN"] = run
    result[b"SEGUE_ATTEMPT"] = attempt
    return result


def start(job: Job, spool: bytes) -> tuple[int, int]:
    """Make the job a process in a session of its own; return ticks before and after.

    Sets `pid` and `started_at`. Raises `StartError` when there is no process now.
    """
    try:
        return _start(job, spool)
    except ValueError as error:
        # Half a character pair in a variable, a name with "=": no program can be given that.
        raise StartError(REFUSED, f"cannot start the job: {error}") from error


def _start(job: Job, spool: bytes) -> tuple[int, int]:
    _make_folder(job.folder, "the attempt's folder")
    _enter(job.workdir)
    environment = environment_of(job, spool)
    arguments = _arguments(job)
    program = _find_program(arguments[0], environment)
    opened = []
    try:
        try:
            for name in ("stdout", "stderr"):
                path = f"{job.folder}/{name}"
                flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC
                opened.append(os.open(path, flags, 0o666))
        except OSError as error:
            raise _start_error(error, f"cannot write {job.folder}/{name}") from error
        errors = opened[0] if _is_joined(job) else opened[1]
        actions = [(os.POSIX_SPAWN_DUP2, opened[0], 1), (os.POSIX_SPAWN_DUP2, errors, 2)]
        before = ticks_now()
        job.started_at = time.time()
        try:
            job.pid = os.posix_spawn(
                program, arguments, environment, file_actions=actions, setsid=True
            )
        except (OSError, ValueError) as error:
            job.started_at = None
            raise _spawn_error(error, program, arguments) from error
        after = ticks_now()
        if job.output:
            _name_output(job, job.output)
        return before, after
    finally:
        for descriptor in opened:
            os.close(descriptor)


def _is_joined(job: Job) -> bool:
    """Whether stderr goes into stdout: equal names mean one file."""
    return job.output is not None and job.output[0] == job.output[1]


def _name_output(job: Job, names: list[str]) -> None:
    """Give stdout and stderr their second names, in the directory that we are in.

    Without them all is still in the attempt's folder, so the job goes on in any case.
    """
    kinds = ("stdout",) if _is_joined(job) else ("stdout", "stderr")
    for kind, pattern in zip(kinds, names, strict=False):
        name = pattern.replace("{job_id}", str(job.pid))
        try:
            _link(f"{job.folder}/{kind}", name)
        except OSError:
            continue


def _link(path: str, name: str) -> None:
    try:
        os.link(path, name)
    except FileExistsError:
        os.unlink(name)  # of an earlier attempt, or of a process that had this pid
        os.link(path, name)
    except OSError:
        os.symlink(path, name)  # another file system, or one without hard links


def _make_folder(path: str, what: str) -> None:
    try:
        try:
            os.mkdir(path)
        except FileNotFoundError:
            os.makedirs(path, exist_ok=True)
        except FileExistsError:
            if not os.path.isdir(path):
                raise
    except (OSError, ValueError) as error:
        raise _start_error(error, f"cannot make {what} {path}") from error


def _enter(path: str) -> None:
    """Make `path` our working directory, which the child inherits.

    Also when we are there already: the path may name another directory by now.
    """
    try:
        try:
            os.chdir(path)
        except FileNotFoundError:
            os.makedirs(path, exist_ok=True)
            os.chdir(path)
    except (OSError, ValueError) as error:
        raise _start_error(error, f"cannot enter the working directory {path}") from error


def _arguments(job: Job) -> list[str]:
    """Return what to run; a script is written to its file first."""
    if job.script is None:
        if not job.arguments:
            raise StartError(REFUSED, "there is nothing to run: the command is empty")
        return job.arguments
    path = f"{job.workdir}/{job.file}" if job.file else f"{job.folder}/script"
    try:
        if job.file and os.path.lexists(path):
            os.unlink(path)  # not written over: it may be a link to what is not ours
        flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC
        with open(os.open(path, flags, 0o755), "wb") as file:
            file.write(os.fsencode(job.script))
    except OSError as error:
        raise _start_error(error, f"cannot write {path}") from error
    # The first line's interpreter, as the kernel splits it: a program and at most one
    # argument. Run by us, so that a folder on a file system without execution will do.
    if job.script.startswith("#!"):
        return [*job.script[2:].split("\n", 1)[0].strip(" \t\r").split(None, 1), path]
    return [*job.shell.split(), path]


def _find_program(program: str, environment: Environment) -> str:
    """Return the path of the program, searched on the job's own PATH.

    `os.posix_spawnp` would search ours.
    """
    if "/" in program:
        return program
    for folder in environment.get(b"PATH", DEFAULT_PATH).split(b":"):
        path = os.path.join(os.fsdecode(folder), program) if folder else f"./{program}"
        if os.access(path, os.X_OK) and not os.path.isdir(path):
            return path
    raise StartError(REFUSED, f"there is no program {_quoted(program)} on the PATH")


def _start_error(error: Exception, what: str) -> StartError:
    number = error.errno if isinstance(error, OSError) else None
    reason = os.strerror(number) if number else str(error)
    return StartError(UNREACHABLE if number in PASSING else REFUSED, f"{what}: {reason}")


def _spawn_error(error: Exception, program: str, arguments: list[str]) -> StartError:
    """Return what `error` of a spawn means; the kernel's own words often mislead."""
    what = f"cannot start {_quoted(program)}"
    number = error.errno if isinstance(error, OSError) else None
    if number is None and "null" in str(error):
        return StartError(REFUSED, f"{what}: an argument or a variable holds a NUL character")
    if number == errno.ENOENT and os.path.exists(program):
        # "No such file" is said of the interpreter or loader, not of the file.
        return StartError(REFUSED, f"{what}: its interpreter does not exist{_first_line(program)}")
    if number == errno.ENOEXEC:
        return StartError(REFUSED, f"{what}: it is neither a binary nor does it begin with '#!'")
    if number == errno.E2BIG:
        size = sum(len(argument) + 1 for argument in arguments)
        return StartError(
            REFUSED, f"{what}: arguments ({size} characters) and environment are too long"
        )
    if number == errno.EACCES and os.path.isdir(program):
        return StartError(REFUSED, f"{what}: it is a directory")
    return _start_error(error, what)


def _first_line(program: str) -> str:
    try:
        with open(program, "rb") as file:
            line = file.readline(200)
    except OSError:
        return ""
    return f" ({line.decode(errors='replace').strip()})" if line.startswith(b"#!") else ""


def _quoted(text: str) -> str:
    return repr(text if len(text) <= 80 else text[:79] + "…")
