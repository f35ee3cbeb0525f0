"""`segue runner`: the daemon that runs jobs for engines on other machines."""

from __future__ import annotations

import os
import stat
import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import click

from segue.model.errors import UserError

DEFAULT_HOST: Final = "127.0.0.1"
DEFAULT_PORT: Final = 2504
#: What `--cores` and `--memory-mb` are for.
_OWN_OPTIONS: Final = {"cores": "--cores", "memory_mb": "--memory-mb"}


@dataclass(frozen=True, slots=True)
class RunnerConfig:
    """All that a runner is told; `cores` and `memory_mb` as `capacity_of` has them."""

    host: str = DEFAULT_HOST
    port: int = DEFAULT_PORT
    cores: int | None = None
    memory_mb: int | None = None
    resources: tuple[tuple[str, int], ...] = ()
    spool: str = ""
    token_file: str = ""
    enforce: bool = True
    threads: int | None = None
    verbose: bool = False


@click.command()
@click.option("--host", default=DEFAULT_HOST, show_default=True, help="Listen at this address.")
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    default=DEFAULT_PORT,
    show_default=True,
    help="Listen at this port; 0: a free one.",
)
@click.option(
    "--cores",
    type=click.IntRange(min=0),
    help="Offer so many cores; 0: all (default: all but two).",
)
@click.option(
    "--memory-mb",
    type=click.IntRange(min=0),
    help="Offer so much memory; 0: all (default: three quarters).",
)
@click.option(
    "--resource",
    "resources",
    multiple=True,
    metavar="NAME=N",
    help="Offer so many of something else, such as gpus=2; may be repeated.",
)
@click.option(
    "--spool", default="", metavar="DIR", help="Keep jobs there (default: in the user's state)."
)
@click.option(
    "--token-file", default="", metavar="FILE", help="Ask engines for the token in this file."
)
@click.option(
    "--no-enforce", is_flag=True, help="Do not stop jobs that take more memory than they asked for."
)
@click.option("--verbose", is_flag=True, help="Tell what happens, on standard error.")
def runner(
    host: str,
    port: int,
    cores: int | None,
    memory_mb: int | None,
    resources: tuple[str, ...],
    spool: str,
    token_file: str,
    no_enforce: bool,
    verbose: bool,
) -> None:
    """Run jobs for engines on other machines.

    Whoever can speak to it runs programs as you: beyond this machine it wants a token.
    Ctrl-C or SIGTERM stops it; its jobs go on, and the next runner takes them over.
    """
    from segue.cli.serve import check_library

    check_library()
    serve_runner(
        RunnerConfig(
            host, port, cores, memory_mb, tuple(amounts(resources)), spool, token_file,
            enforce=not no_enforce, verbose=verbose,
        )
    )  # fmt: skip


def amounts(words: Iterable[str]) -> list[tuple[str, int]]:
    """Return what ``NAME=N`` words offer.

    Raises
    ------
    UserError
        If one is something else.
    """
    from segue.cli.common import pairs

    found = []
    for name, value in pairs(words, "--resource").items():
        if name in _OWN_OPTIONS:
            raise UserError(f"--resource {name}={value}: {name} has an option of its own",
                            f"write {_OWN_OPTIONS[name]} {value}")  # fmt: skip
        if not value.isdecimal() or len(value) > 18:
            raise UserError(f"--resource {name}={value}: {value!r} is no whole number")
        found.append((name, int(value)))
    return found


def serve_runner(config: RunnerConfig, tell: Callable[[str], None] | None = None) -> None:
    """Serve until told to stop; `tell` is given the line that says where, once it listens."""
    from segue.cli.serve import SWITCH_S, show_log
    from segue.runner.app import THREADS, DaemonSettings, RunnerServer
    from segue.runner.capacity import capacity_of, memory_here_mb, threads_here
    from segue.server.serving import listen, url_of

    show_log(config.verbose)
    token = read_token(config.token_file) if config.token_file else None
    check_open(config.host, token)
    total = capacity_of(
        threads_here(),
        memory_here_mb(),
        cores=config.cores,
        memory_limit_mb=config.memory_mb,
        other=dict(config.resources),
    )
    settings = DaemonSettings(
        host=config.host,
        port=config.port,
        total=total,
        spool=Path(config.spool).absolute() if config.spool else default_spool(),
        token=token,
        enforce=config.enforce,
        threads=config.threads or THREADS,
    )
    server = RunnerServer(settings)
    listening = listen(config.host, config.port)

    def ready() -> None:
        offered = ", ".join(f"{name} {amount}" for name, amount in total.items())
        line = f"Segue's runner is at {url_of(config.host, listening)} ({offered})"
        if tell is not None:
            tell(line)
        else:
            click.echo(line)
            sys.stdout.flush()

    server.on_ready = ready
    # Starting jobs is work too, and must not keep each request waiting.
    sys.setswitchinterval(SWITCH_S)
    server.serve_to_end(listening)


def check_open(host: str, token: str | None) -> None:
    """Raise `UserError` if everybody who can reach the runner could run programs here."""
    from segue.server.auth import is_loopback

    if token is None and not is_loopback(host):
        raise UserError(
            f"at {host} others can reach the runner, and run programs as you: it needs a token",
            "write a long random word to a file, and give it with --token-file; "
            "or leave --host out: then only this machine reaches it",
        )


def read_token(path: str) -> str:
    """Return the token in a file.

    Raises
    ------
    UserError
        If it cannot be read, is empty, or if everybody can read it.
    """
    try:
        with open(path, encoding="utf-8") as file:
            mode = os.fstat(file.fileno()).st_mode
            token = file.read().strip()
    except OSError as error:
        raise UserError(f"the token file {path} cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise UserError(f"the token file {path} is not UTF-8 text") from error
    if not token:
        raise UserError(f"the token file {path} is empty", "write a long random word to it")
    if mode & (stat.S_IRGRP | stat.S_IROTH) and stat.S_ISREG(mode):
        raise UserError(f"others can read the token file {path}", f"chmod 600 {path}")
    return token


def default_spool() -> Path:
    """Return the spool of this user on this machine: homes are shared, processes are not."""
    state = os.environ.get("XDG_STATE_HOME") or os.path.expanduser("~/.local/state")
    return Path(state, "segue", "runner", os.uname().nodename)
