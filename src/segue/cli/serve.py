"""`segue serve`: the engine and the HTTP API in one process, with the page."""

from __future__ import annotations

import logging
import os
import sys
from typing import TYPE_CHECKING, Any, Final

import click

from segue.model.errors import UserError, did_you_mean

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from segue.cli.serve_config import Config
    from segue.engine.scheduler import Turn
    from segue.protocols.executor import Executor
    from segue.server.settings import Parts, ServerSettings

#: A thread that has work is given its turn after so long, in seconds.
SWITCH_S: Final = 0.001


@click.command()
@click.option("--host", help="Listen at this address (default: 127.0.0.1).")
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    help="Listen at this port; 0: a free one (default: 8450).",
)
@click.option("--store", default="", metavar="URL", help="Use this store (default: SEGUE_STORE).")
@click.option(
    "--config", "file", default="", metavar="FILE", help="A TOML file with pools and settings."
)
@click.option("-j", "--jobs", type=click.IntRange(min=1), help="Run so many local tasks at once.")
@click.option(
    "--workspace",
    default="",
    metavar="DIR",
    help="Give runs their folders here (default: by the store).",
)
@click.option(
    "--cors-origin", "cors_origins", multiple=True, metavar="ORIGIN",
    help="Let pages of this origin use the API; '*': of any. May be repeated.",
)  # fmt: skip
def serve(file: str, **options: Any) -> None:
    """Serve the page and the API, and run what is submitted there.

    Unfinished runs whose engine is gone are taken over. Ctrl-C or SIGTERM stops it: what
    runs goes on, and the next server, or 'segue resume', takes it over.
    """
    check_library()
    from segue.cli.serve_config import config_of

    serve_with(config_of(file, options))


def check_library() -> None:
    """Raise `UserError` if what a server needs is not installed."""
    try:
        import fastapi
        import prometheus_client
        import re2
        import uvicorn
    except ImportError as error:
        raise UserError(
            f"a server needs a library that is not there: {error.name}",
            "install it: pip install 'segue[server]'",
        ) from error
    del fastapi, prometheus_client, re2, uvicorn


def serve_with(config: Config, tell: Callable[[str], None] | None = None) -> None:
    """Serve until told to stop; `tell` is given the line that says where, once it listens."""
    from segue.server.app import make_app
    from segue.server.serving import Serving, listen, url_of

    show_log(config.verbose)
    settings, parts = assemble(config)
    check_access(config, parts)
    check_workspace(settings.workspace)
    listening = listen(config.host, config.port)
    app = make_app(settings, parts)
    server = Serving(app, settings, [listening])

    def ready() -> None:
        line = f"Segue is at {url_of(config.host, listening)} (store {settings.store})"
        if tell is not None:
            tell(line)
        else:
            # Where events go to standard output, a reader finds nothing else there.
            click.echo(line, err=config.events == "-")
            sys.stdout.flush()

    server.on_ready = ready
    # The engine is seldom idle, and must not keep each request waiting at every turn.
    sys.setswitchinterval(SWITCH_S)
    server.serve_to_end()


def assemble(config: Config) -> tuple[ServerSettings, Parts]:
    """Return what a server is made of."""
    from segue import wiring
    from segue.cli.change import is_study
    from segue.cli.common import own_lute_command
    from segue.cli.run import acquire_dependencies
    from segue.cli.serve_config import DEFAULT_POOL
    from segue.model.run import RunRecord
    from segue.protocols.clock import SystemClock
    from segue.server.settings import MOST_WORKERS, WORKERS, Parts, PoolShown, ServerSettings

    if config.store:
        os.environ["SEGUE_STORE"] = config.store
    # A path stands for an SQLite file here as well; programs of tasks see the same store.
    url = os.environ["SEGUE_STORE"] = wiring.default_store_url()
    state = wiring.state_directory(url)
    clock = SystemClock()
    pools = config.pools
    for pool in pools:
        wiring.check_settings(pool)
    if pools:
        shown = [PoolShown(each.name, each.executor, each.limit) for each in pools]
        if not any(each.name == DEFAULT_POOL for each in pools):
            shown.append(PoolShown(DEFAULT_POOL, "local", config.jobs))
    else:
        shown = [
            PoolShown(name, name, config.jobs if name == "local" else None, problem=problem)
            for name, problem in wiring.pool_names().items()
        ]
    names = [each.name for each in shown]
    if config.default_pool not in names:
        raise UserError(
            f"default_pool: there is no pool {config.default_pool!r}",
            did_you_mean(config.default_pool, names) or f"there are: {', '.join(names)}",
        )
    # The first one is the default.
    shown.sort(key=lambda each: each.name != config.default_pool)

    def open_executors() -> Mapping[str, Executor]:
        if pools:
            return wiring.open_pools(state, clock, pools, slots=config.jobs)
        # Whoever looks at the runners wants to see them before the first job.
        return wiring.open_executors(state, clock, slots=config.jobs, at_once=("runner",))

    def may_adopt(run: RunRecord) -> bool:
        # Their own commands keep more than a run in step: a study's tables, a job's server.
        return "launch" not in run.reading and not is_study(run)

    settings = ServerSettings(
        host=config.host,
        port=config.port,
        store=wiring.shown_url(url),
        workspace=config.workspace or state / "runs",
        state=state,
        pools=tuple(shown),
        body_limit_bytes=config.body_limit_bytes,
        cors_origins=config.cors_origins,
        assets=config.assets,
        workers=min(config.workers or WORKERS, MOST_WORKERS),
    )
    parts = Parts(
        open_store=lambda: wiring.open_store(url),
        open_windows=lambda: wiring.open_windows(url),
        open_executors=open_executors,
        read=wiring.read_workflow,
        grow=wiring.grow,
        clock=clock,
        dialects=tuple(wiring.dialect_names()),
        prepare=acquire_dependencies,
        may_adopt=may_adopt,
        lute_command=own_lute_command(),
        on_turn=_told_events(config.events, url),
    )
    return settings, parts


def _told_events(file: str, url: str) -> Callable[[Turn], None]:
    """Return what writes events to a file; nothing where none is named.

    Raises
    ------
    UserError
        If the file cannot be written.
    """
    if not file:
        return lambda turn: None
    from segue import wiring
    from segue.server.event_log import EventLog

    if file == "-":
        return EventLog(sys.stdout, lambda: wiring.open_store(url)).turned
    try:
        stream = open(file, "a", encoding="utf-8")  # noqa: SIM115 - open as long as we are
    except OSError as error:
        raise UserError(f"the log {file} cannot be written: {error.strerror}") from error
    return EventLog(stream, lambda: wiring.open_store(url)).turned


def check_access(config: Config, parts: Parts) -> None:
    """Raise `UserError` if everybody who can reach the server could do everything there."""
    from segue.server.auth import is_loopback

    store = parts.open_store()
    try:
        tokens = store.tokens()
    finally:
        store.close()
    if not tokens and not is_loopback(config.host):
        raise UserError(
            f"at {config.host} others can reach the server, and there is no token yet",
            "make one: segue token create --role admin --name NAME; "
            "or leave --host out: then only this machine reaches it",
        )


def check_workspace(folder: Path) -> None:
    """Raise `UserError` if runs cannot be given folders there, before the first one asks."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        writable = os.access(folder, os.W_OK | os.X_OK)
    except OSError as error:
        raise UserError(
            f"the workspace {folder} cannot be made: {error.strerror}",
            "name a folder that can be written with --workspace",
        ) from error
    if not writable:
        raise UserError(
            f"the workspace {folder} cannot be written",
            "name a folder that can be written with --workspace",
        )


def show_log(verbose: bool) -> None:
    """Let warnings, or with `verbose` all that is told, go to standard error."""
    from segue.server.quiet_log import Seldom

    logging.basicConfig(
        stream=sys.stderr,
        level=logging.INFO if verbose else logging.WARNING,
        format="%(asctime)s %(levelname)s %(name)s: %(message)s",
    )
    # Strangers shall not fill the disk with what they send.
    for handler in logging.getLogger().handlers:
        handler.addFilter(Seldom())
