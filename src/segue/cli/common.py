"""What several commands share: options, opening the store, printing JSON."""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable, Iterable
from typing import Any, Final

import click

from segue.cli.main import INTERRUPTED
from segue.model.errors import UserError
from segue.model.run import RunRecord
from segue.model.states import RunState
from segue.protocols.clock import SystemClock
from segue.protocols.dialect import Source

EXIT_CODES: Final = {
    RunState.SUCCEEDED: 0,
    RunState.FAILED: 1,
    RunState.CANCELLED: INTERRUPTED,
    RunState.RUNNING: 0,
    RunState.PAUSED: 0,
}

json_option = click.option(
    "--json", "as_json", is_flag=True, help="Print one JSON document and nothing else on stdout."
)


def print_json(document: Any) -> None:
    """Print one JSON document."""
    ascii_only = sys.stdout.encoding.lower().replace("-", "") != "utf8"
    json.dump(document, sys.stdout, ensure_ascii=ascii_only, indent=2)
    sys.stdout.write("\n")


def open_service() -> Any:
    """Return the front desk on the user's store."""
    from segue import wiring
    from segue.engine.service import Service

    return Service(wiring.open_store(), SystemClock())


def pairs(values: Iterable[str], option: str) -> dict[str, str]:
    """Return ``NAME=VALUE`` words as a mapping.

    Raises
    ------
    UserError
        If a word has no ``=``, or a name comes twice.
    """
    found: dict[str, str] = {}
    for word in values:
        name, sign, value = word.partition("=")
        if not sign or not name:
            raise UserError(f"{option} {word!r} is not of the form NAME=VALUE")
        if name in found:
            raise UserError(f"{option} gives {name!r} twice")
        found[name] = value
    return found


def source_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options that say how a workflow file is read."""
    for option in (
        click.option(
            "--dialect", default="", metavar="NAME", help="Read FILE as this dialect."
        ),
        click.option(
            "-p", "--parameter", "parameters", multiple=True, metavar="NAME=VALUE",
            help="Replace a parameter of the workflow; may be repeated.",
        ),
        click.option(
            "--set", "facts", multiple=True, metavar="FACT=VALUE",
            help="Say a fact of the run that the workflow asks for (LUTE: daq2, run_type).",
        ),
        click.option(
            "--lute-command", default="", metavar="TEMPLATE",
            help="LUTE: what runs a step, such as 'prog -t {task_name} -c {config}' "
            "(default: our own Executor).",
        ),
        click.option(
            "--lute-config", default="", metavar="FILE", help="LUTE: the config YAML of the tasks."
        ),
        click.option(
            "--slurm-args", default="", metavar="ARGS",
            help="LUTE: Slurm arguments for steps that have none of their own.",
        ),
        click.option(
            "--keep-unknown", is_flag=True,
            help="Daggy: leave {{NAME}} of a parameter that is not defined as it is.",
        ),
        click.option(
            "--instance-naming", default="", metavar="WAY",
            help="Daggy: names of instances: readme (a_1 ...), zero (a_0 ...) or values.",
        ),
        click.option("--hashws", is_flag=True, help="Maestro: short names for workspaces."),
        click.option(
            "--spec-root", default="", metavar="DIR", help="Maestro: the value of SPECROOT."
        ),
        click.option(
            "--pgen", default="", metavar="FILE",
            help="Maestro: a Python file that makes the parameters.",
        ),
        click.option(
            "--pargs", multiple=True, metavar="NAME:VALUE",
            help="Maestro: an argument for the function of --pgen; may be repeated.",
        ),
        click.option(
            "--strict-maestro", is_flag=True,
            help="Maestro: do as 1.2.1 does, faults that somebody may need included.",
        ),
    ):  # fmt: skip
        command = option(command)
    return command


def current_folder() -> str:
    """Return the folder that the command was given in.

    Raises
    ------
    UserError
        If it has been removed.
    """
    try:
        return os.getcwd()
    except OSError as error:
        raise UserError("the current folder is gone", "change into one that exists") from error


SOURCE_OPTIONS: Final = (
    "lute_command",
    "hashws",
    "spec_root",
    "instance_naming",
    "strict_maestro",
)


def source_of(path: str, text: str, workspace: str, options: dict[str, Any]) -> Source:
    """Return the source for a dialect from a command's options."""
    import shlex

    directory = current_folder()
    chosen = {name: options[name] for name in SOURCE_OPTIONS if options.get(name)}
    if options.get("keep_unknown"):
        chosen["strict_parameters"] = False
    if options.get("slurm_args"):
        try:
            chosen["slurm_args"] = tuple(shlex.split(options["slurm_args"]))
        except ValueError as error:
            given = options["slurm_args"]
            raise UserError(
                f"--slurm-args {given!r} cannot be split into words: {str(error).lower()}",
                "write it as for a shell, such as --slurm-args '--partition=milano --ntasks=4'",
            ) from error
    if options.get("pargs") and not options.get("pgen"):
        raise UserError("--pargs is for a generator", "name its file with --pgen")
    if options.get("pgen"):
        chosen["pgen"] = os.path.abspath(options["pgen"])
        chosen["pargs"] = list(options["pargs"])
    if options.get("lute_config"):
        chosen["config"] = os.path.abspath(options["lute_config"])
        # Without another command our own Executor runs the managed Tasks.
        chosen.setdefault("lute_command", own_lute_command())
    return Source(
        path=path,
        text=text,
        directory=directory,
        facts=pairs(options.get("facts", ()), "--set"),
        parameters=pairs(options.get("parameters", ()), "-p"),
        workspace=os.path.abspath(workspace) if workspace else "",
        now=time.time(),
        options=chosen,
    )


def own_lute_command() -> str:
    """Return the template of the command that runs one of our own managed Tasks."""
    import shlex

    python = shlex.quote(sys.executable).replace("{", "{{").replace("}", "}}")
    words = "-t {task_name} -c {config} --values {values}"
    return f"{python} -m segue.lute.run_task {words}"


def exit_with(run: RunRecord) -> None:
    """Leave with the exit code that the run's state stands for."""
    raise SystemExit(EXIT_CODES[run.state])


def complete_run(context: click.Context, parameter: click.Parameter, begun: str) -> list[str]:
    """Return the runs that shell completion offers."""
    from segue import wiring

    try:
        return list(wiring.open_store().find_runs(begun))[:50]
    except Exception:
        return []  # completion never speaks of errors


run_argument = click.argument("run", default="", shell_complete=complete_run)
