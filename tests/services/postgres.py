"""A private PostgreSQL server on this machine's loopback.

    python tests/services/postgres.py up|down|status|install

The server refuses root, so as root it runs as the system user ``postgres``. It does not
flush to the disk: what it has committed survives a kill of all its processes, which is
what tests do to it, and not a loss of power, which they cannot do.
"""

import os
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

from service import (
    STATE,
    Daemon,
    ServiceError,
    check_port,
    descendants,
    ensure_programs,
    install,
    locked,
    main_of,
    stop_pids,
    succeeds,
    wait_until,
    write_environment,
)

PORT = 26740
ROLE = "segue"
PASSWORD = "not-a-secret"
PROGRAMS = Path("/usr/lib/postgresql")
#: A cluster of the package's own is not wanted.
NO_CLUSTER = Path("/etc/postgresql-common/createcluster.d/segue.conf")


class Server:
    """One server with its data in a folder; `database` is there when it is up."""

    def __init__(self, folder: Path, port: int, database: str = ROLE) -> None:
        self.folder = folder
        self.port = port
        self.database = database
        self.daemon = Daemon(folder / "run" / "postgres.pid")

    @property
    def url(self) -> str:
        """Where it is, as Segue is told."""
        return f"postgresql://{ROLE}:{PASSWORD}@127.0.0.1:{self.port}/{self.database}"

    def is_up(self) -> bool:
        """Whether it runs and answers."""
        return bool(self.daemon.pid()) and self.ask("select 1") == "1"

    def start(self) -> None:
        """Start it, with a new cluster if there is none; returns when it answers."""
        for name in ("run", "log"):
            (self.folder / name).mkdir(parents=True, exist_ok=True)
        data = self.folder / "data"
        if os.getuid() == 0:
            shutil.chown(self.folder, "postgres")
        if not (data / "PG_VERSION").exists():
            shutil.rmtree(data, ignore_errors=True)
            self._make_cluster(data)
        if not self.daemon.pid():
            check_port(self.port)
            # The lock of a server that was killed may name a process id that lives again.
            (data / "postmaster.pid").unlink(missing_ok=True)
            self.daemon.start(
                self.folder / "log" / "postgres.log", *_as_owner(), str(_program("postgres")),
                "-D", str(data), "-p", str(self.port), "-h", "127.0.0.1", "-k", "",
                "-c", "fsync=off", "-c", "full_page_writes=off", "-c", "max_connections=100",
                "-c", "shared_buffers=64MB", "-c", "log_min_messages=error",
            )  # fmt: skip
        wait_until(lambda: self.ask("select 1") == "1", f"no answer (see {self.folder}/log)")
        if self.ask(f"select 1 from pg_database where datname = '{self.database}'") != "1":
            self.ask(f"create database {self.database}")

    def _make_cluster(self, data: Path) -> None:
        word = self.folder / "run" / "password"
        word.write_text(PASSWORD)
        word.chmod(0o644)
        done = subprocess.run(
            [
                *_as_owner(), str(_program("initdb")), "-D", str(data), "-U", ROLE,
                "-E", "UTF8", "--locale=C.UTF-8", "--auth=scram-sha-256",
                f"--pwfile={word}", "--no-sync", "--no-instructions",
            ],
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        if done.returncode != 0:
            raise ServiceError(f"initdb: {done.stderr.strip().splitlines()[-1:]}")

    def ask(self, text: str) -> str:
        """Return what a statement answers; empty when there is no answer."""
        address = f"postgresql://{ROLE}:{PASSWORD}@127.0.0.1:{self.port}/postgres"
        command = ["psql", "-X", "-q", "-A", "-t", "-d", address, "-c", text]
        done = subprocess.run(command, capture_output=True, text=True, timeout=20, check=False)
        return done.stdout.strip()

    def stop(self) -> None:
        """Stop it; sessions are ended."""
        self.daemon.stop(signal.SIGINT)

    def crash(self) -> None:
        """Kill it with all its workers, as a failing machine does. `start` brings it back."""
        pid = self.daemon.pid()
        if pid:
            stop_pids(descendants([pid]), signal.SIGKILL)

    def remove(self) -> None:
        """Stop it and delete all its data."""
        self.stop()
        shutil.rmtree(self.folder, ignore_errors=True)


class Postgres:
    """The server that all tests share; each makes schemas of its own in it."""

    name = "postgres"
    programs = ("psql",)
    packages = ("postgresql",)
    server = Server(STATE / "postgres", PORT)

    def is_up(self) -> bool:
        """Whether it runs and answers."""
        return self.server.is_up()

    def up(self) -> dict[str, str]:
        """Start it if it is not up; return the variable that leads to it."""
        ensure_server()
        with locked(self.name):
            if not self.is_up():
                self.server.start()
            variables = {"SEGUE_TEST_POSTGRES": self.server.url}
            write_environment(self.name, variables)
        return variables

    def down(self) -> None:
        """Stop it; its data are kept."""
        if self.server.folder.exists():
            with locked(self.name):
                self.server.stop()


SERVICE = Postgres()


def ensure_server() -> None:
    """Install the server if it is missing, without a cluster of the package's own."""
    if _found("initdb") is not None and succeeds("psql", "--version"):
        return
    if os.getuid() == 0 and not NO_CLUSTER.exists():
        NO_CLUSTER.parent.mkdir(parents=True, exist_ok=True)
        NO_CLUSTER.write_text("create_main_cluster = false\n")
    ensure_programs(SERVICE.programs, SERVICE.packages)
    if _found("initdb") is None:
        install(SERVICE.packages, "initdb missing")


@contextmanager
def server_of_ones_own(word: str) -> Iterator[Server]:
    """Yield a new server that may be killed; it is removed afterwards."""
    ensure_server()
    server = Server(STATE / f"postgres-{word}-{os.getpid()}", free_port())
    try:
        server.start()
        yield server
    finally:
        server.remove()


def free_port() -> int:
    """Return a port that nobody listens at now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _as_owner() -> list[str]:
    if os.getuid() != 0:
        return []
    return ["setpriv", "--reuid=postgres", "--regid=postgres", "--init-groups"]


def _found(name: str) -> Path | None:
    """Return a server program: Debian keeps each version's in a folder of its own."""
    found = sorted(PROGRAMS.glob(f"*/bin/{name}"), key=lambda path: float(path.parts[-3]))
    if found:
        return found[-1]
    path = shutil.which(name)
    return Path(path) if path else None


def _program(name: str) -> Path:
    found = _found(name)
    if found is None:
        raise ServiceError(f"{name} missing")
    return found


if __name__ == "__main__":
    sys.exit(main_of(SERVICE, sys.argv[1:]))
