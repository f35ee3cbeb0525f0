"""Real services for the tests: what their modules share, and the command that runs all.

    python tests/services/service.py up|down|status|install [NAME ...]
    python tests/services/service.py run -- COMMAND ...

`run` starts what is not up, runs the command, stops what it has started, and ends with the
command's exit code. Each service is a module beside this one (`slurm`) that defines
`SERVICE`, and is a command of its own: ``python tests/services/slurm.py up``.

Needs nothing but the standard library: CI calls it before there is an environment.
"""

import fcntl
import importlib
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

#: Modules beside this one.
NAMES = ("slurm", "postgres", "redis_server", "browser", "mpi")
#: Where services keep their files; one folder each.
STATE = Path(os.environ.get("SEGUE_TEST_SERVICES") or f"/tmp/segue-services-{os.getuid()}")
LIMIT_S = 60.0


class ServiceError(Exception):
    """A service cannot be had here; the message says why."""


class Service(Protocol):
    """What a module's `SERVICE` is."""

    name: str
    #: Programs without which it cannot run, and the Debian packages that bring them.
    programs: tuple[str, ...]
    packages: tuple[str, ...]

    def is_up(self) -> bool:
        """Whether it runs and answers."""
        ...

    def up(self) -> dict[str, str]:
        """Start it if it is not up; return the environment that leads to it."""
        ...

    def down(self) -> None:
        """Stop it; harmless when it is not up."""
        ...


def service(name: str) -> Service:
    """Return the service of that name."""
    sys.path.insert(0, str(Path(__file__).parent))
    found: Service = importlib.import_module(name).SERVICE
    return found


# Locks and waiting -------------------------------------------------------------------


@contextmanager
def locked(name: str) -> Iterator[Path]:
    """Hold the lock of a service: one `up` or `down` at a time, also among test workers."""
    folder = STATE / name
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield folder


def wait_until(done: Callable[[], bool], what: str, limit_s: float = LIMIT_S) -> None:
    """Wait until something is so; raise `ServiceError` when it does not come."""
    until = time.monotonic() + limit_s
    while not done():
        if time.monotonic() > until:
            raise ServiceError(f"{what} after {limit_s:.0f} s")
        time.sleep(0.02)


def succeeds(*command: str, environment: dict[str, str] | None = None) -> bool:
    """Whether a command ends with 0."""
    try:
        return subprocess.run(
            command, capture_output=True, timeout=10, check=False, env=environment
        ).returncode == 0  # fmt: skip
    except (OSError, subprocess.TimeoutExpired):
        return False


def check_port(port: int) -> None:
    """Raise `ServiceError` if somebody listens there already."""
    with socket.socket() as probe:
        if probe.connect_ex(("127.0.0.1", port)) == 0:
            raise ServiceError(f"port {port} of 127.0.0.1 is in use by another program")


# Daemons -----------------------------------------------------------------------------


@dataclass(frozen=True)
class Daemon:
    """A process that we start detached, and know again by its pid and its birth."""

    pid_file: Path

    def pid(self) -> int:
        """Return its process id; 0 when it does not run."""
        try:
            pid, birth = self.pid_file.read_text().split()
        except (OSError, ValueError):
            return 0
        return int(pid) if birth_of(int(pid)) == birth else 0

    def start(self, log: Path, *command: str, environment: dict[str, str] | None = None) -> None:
        """Start it unless it runs."""
        if self.pid():
            return
        with log.open("ab") as output:
            process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
                env=environment,
                cwd="/",
            )
        self.pid_file.write_text(f"{process.pid} {birth_of(process.pid)}")
        # It is to outlive us: nobody waits for it here, and that is no fault.
        process.returncode = 0

    def stop(self, number: int = signal.SIGTERM, grace_s: float = 15.0) -> None:
        """Stop it: politely, then by force."""
        pid = self.pid()
        if pid:
            stop_pids([pid], number, grace_s)
        self.pid_file.unlink(missing_ok=True)


def birth_of(pid: int) -> str:
    """Return when the process was born, in clock ticks; empty when it does not live."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    except OSError:
        return ""
    return "" if fields[0] in "ZX" else fields[19]


def stop_pids(pids: Sequence[int], number: int = signal.SIGTERM, grace_s: float = 5.0) -> None:
    """Send a signal, wait, and kill what is left; returns when none of them lives."""
    births = {pid: birth for pid in pids if (birth := birth_of(pid))}
    for each, patience_s in ((number, grace_s), (signal.SIGKILL, 10.0)):
        for pid in births:
            with suppress(ProcessLookupError):
                os.kill(pid, each)
        with suppress(ServiceError):
            wait_until(lambda: not _reaped(births), "processes live", patience_s)
            return
    raise ServiceError(f"processes cannot be stopped: {births}")


def _reaped(births: dict[int, str]) -> bool:
    for pid in births:
        with suppress(ChildProcessError):
            os.waitpid(pid, os.WNOHANG)
    return any(birth_of(pid) == birth for pid, birth in births.items())


def descendants(roots: Sequence[int]) -> list[int]:
    """Return the processes and all that descend from them, parents first."""
    children: dict[int, list[int]] = {}
    for path in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError, IndexError):
            parent = int(path.read_text().rsplit(")", 1)[1].split()[1])
            children.setdefault(parent, []).append(int(path.parent.name))
    found = list(roots)
    for pid in found:
        found += children.get(pid, [])
    return found


# Packages ----------------------------------------------------------------------------


def ensure_programs(programs: Sequence[str], packages: Sequence[str]) -> None:
    """Install the packages if a program is missing; raise `ServiceError` if that cannot be."""
    missing = [name for name in programs if shutil.which(name, path=_path()) is None]
    if missing:
        install(packages, f"{', '.join(missing)} missing")


def _path() -> str:
    return os.environ.get("PATH", "") + ":/usr/sbin:/sbin"


def install(packages: Sequence[str], why: str) -> None:
    """Install Debian packages without letting them start services of their own."""
    if os.getuid() != 0 or shutil.which("apt-get") is None:
        raise ServiceError(f"{why}; as root on Debian: apt-get install {' '.join(packages)}")
    guard = Path("/usr/sbin/policy-rc.d")
    made = not guard.exists()
    if made:
        guard.write_text("#!/bin/sh\nexit 101\n")
        guard.chmod(0o755)
    command = ["apt-get", "install", "-y", "-qq", "--no-install-recommends"]
    command += ["-o", "DPkg::Lock::Timeout=600", *packages]
    try:
        environment = os.environ | {"DEBIAN_FRONTEND": "noninteractive"}
        for update in (False, True):
            if update:
                subprocess.run(["apt-get", "update", "-qq"], env=environment, check=False)
            done = subprocess.run(command, env=environment, capture_output=True, check=False)
            if done.returncode == 0:
                return
        last = done.stderr.decode(errors="replace").strip().splitlines()[-1:]
        raise ServiceError(f"apt-get install failed: {' '.join(last)}")
    finally:
        if made:
            guard.unlink(missing_ok=True)


# The command -------------------------------------------------------------------------


def say(text: str) -> None:
    """Tell the person at the terminal."""
    sys.stderr.write(f"{text}\n")


def main_of(one: Service, arguments: Sequence[str]) -> int:
    """Be the command of one service: up, down, status or install."""
    verb = arguments[0] if len(arguments) == 1 else ""
    try:
        if verb == "up":
            one.up()
            sys.stdout.write(f"{STATE / one.name / 'env'}\n")
        elif verb == "down":
            one.down()
        elif verb == "status":
            up = one.is_up()
            sys.stdout.write(f"{one.name}: {'up' if up else 'down'}\n")
            return 0 if up else 3
        elif verb == "install":
            ensure_programs(one.programs, one.packages)
        else:
            say(f"usage: {one.name}.py up|down|status|install")
            return 2
    except ServiceError as error:
        say(f"{one.name}: {error}")
        return 1
    return 0


def write_environment(name: str, variables: dict[str, str]) -> None:
    """Write the file that a shell can source to reach the service."""
    lines = [f"export {key}='{value}'\n" for key, value in variables.items()]
    (STATE / name / "env").write_text("".join(lines))


def run_with_services(command: Sequence[str]) -> int:
    """Start what is not up, run the command, stop what was started; return its exit code."""
    started: list[Service] = []
    environment = dict(os.environ)
    try:
        for name in NAMES:
            one = service(name)
            was_up = one.is_up()
            try:
                environment |= one.up()
            except ServiceError as error:
                say(f"{name}: {error}")
                continue
            if not was_up:
                started.append(one)
        return subprocess.run(command, env=environment, check=False).returncode
    except KeyboardInterrupt:
        return 130
    finally:
        for one in started:
            one.down()


def main(arguments: Sequence[str]) -> int:
    """Be the command of all services."""
    if arguments[:2] and arguments[0] == "run" and arguments[1] == "--":
        return run_with_services(arguments[2:])
    names = list(arguments[1:]) or list(NAMES)
    return max(main_of(service(name), arguments[:1]) for name in names)


if __name__ == "__main__":
    # As the modules of services know it, so that their errors are ours.
    sys.path.insert(0, str(Path(__file__).parent))
    sys.exit(importlib.import_module("service").main(sys.argv[1:]))
