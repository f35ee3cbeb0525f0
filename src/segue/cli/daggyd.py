"""`daggyd`: Segue's server with the command line of Daggy's daemon."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import click

from segue import __version__
from segue.model.errors import UserError


@click.command(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.option("-d", "daemonise", is_flag=True, help="Run in the background.")
@click.option("--config", "file", default="", metavar="FILE", help="A JSON file with settings.")
@click.option("-v", "verbose", is_flag=True, help="Tell what happens, on standard error.")
@click.option(
    "--assets-dir", default="", metavar="DIR", help="Serve the files there in place of our page."
)
@click.option("--ip", default="", help="Listen at this address, whatever the config says.")
@click.option("--port", type=click.IntRange(0, 65535), help="Listen at this port; 0: a free one.")
@click.option("--store", default="", metavar="URL", help="Keep runs there (default: SEGUE_STORE).")
@click.option(
    "--cors-origin", "cors_origins", multiple=True, metavar="ORIGIN",
    help="Let pages of this origin use the API; '*' opens /v1 to all. May be repeated.",
)  # fmt: skip
@click.version_option(__version__, message="daggyd of segue %(version)s")
def daggyd(
    daemonise: bool,
    file: str,
    verbose: bool,
    assets_dir: str,
    ip: str,
    port: int | None,
    store: str,
    cors_origins: tuple[str, ...],
) -> None:
    """Serve Daggy's REST routes, and run the DAGs that come there.

    Runs are kept: what a daemon that was killed has left, the next one takes over.
    """
    from segue.cli.background import leave_terminal
    from segue.cli.daggyd_config import DaggydConfig, read_daggyd_config
    from segue.cli.serve import check_library, serve_with
    from segue.cli.serve_config import Config

    check_library()
    said = read_daggyd_config(file) if file else DaggydConfig()
    said = replace(said, host=ip or said.host, port=said.port if port is None else port)
    if assets_dir and not os.path.isdir(assets_dir):
        raise UserError(f"--assets-dir {assets_dir}: there is no such folder")
    config = Config(
        host=said.host,
        port=said.port,
        store=store or said.store,
        cors_origins=cors_origins,
        assets=Path(assets_dir).absolute() if assets_dir else None,
        pools=(said.pool,),
        default_pool=said.pool.name,
        workers=said.web_threads,
        events=os.path.abspath(said.events) if said.events not in ("", "-") else said.events,
        verbose=verbose,
    )
    if daemonise:
        serve_with(config, leave_terminal("daggyd"))
    else:
        serve_with(config)


def main(arguments: list[str] | None = None) -> None:
    """Run the command line and leave with its exit code."""
    from segue.cli.main import run_command

    run_command(daggyd, "daggyd", arguments)
