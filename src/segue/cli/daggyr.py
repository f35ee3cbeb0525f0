"""`daggyr`: Segue's runner with the command line of Daggy's."""

from __future__ import annotations

import os
from dataclasses import replace

import click

from segue import __version__


@click.command(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.option("-d", "daemonise", is_flag=True, help="Run in the background.")
@click.option("--config", "file", default="", metavar="FILE", help="A JSON file with settings.")
@click.option("-v", "verbose", is_flag=True, help="Tell what happens, on standard error.")
@click.option("--ip", default="", help="Listen at this address, whatever the config says.")
@click.option("--port", type=click.IntRange(0, 65535), help="Listen at this port; 0: a free one.")
@click.option(
    "--spool", default="", metavar="DIR", help="Keep jobs there (default: in the user's state)."
)
@click.option(
    "--token-file", default="", metavar="FILE", help="Ask engines for the token in this file."
)
@click.version_option(__version__, message="daggyr of segue %(version)s")
def daggyr(
    daemonise: bool,
    file: str,
    verbose: bool,
    ip: str,
    port: int | None,
    spool: str,
    token_file: str,
) -> None:
    """Run jobs for engines on other machines.

    It is killed without a loss: its jobs go on, and the next one takes them over.
    """
    from segue.cli.background import leave_terminal
    from segue.cli.daggyr_config import read_daggyr_config
    from segue.cli.runner import RunnerConfig, serve_runner
    from segue.cli.serve import check_library

    check_library()
    said = read_daggyr_config(file) if file else RunnerConfig()
    config = replace(
        said,
        host=ip or said.host,
        port=said.port if port is None else port,
        # In the background we leave this folder.
        spool=os.path.abspath(spool) if spool else "",
        token_file=os.path.abspath(token_file) if token_file else "",
        verbose=verbose,
    )
    serve_runner(config, leave_terminal("daggyr") if daemonise else None)


def main(arguments: list[str] | None = None) -> None:
    """Run the command line and leave with its exit code."""
    from segue.cli.main import run_command

    run_command(daggyr, "daggyr", arguments)
