"""`cancel`, `retry`, `pause` and the other verbs that change a run, at a server."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import click

from segue.cli.common import json_option, print_json, run_argument
from segue.cli.options import again_option, limit_options, reason_option, yes_option
from segue.cli.remote_client import Client, run_path
from segue.cli.remote_look import is_over
from segue.model.errors import UserError

#: A server takes so many names of tasks in one request.
NAMES_A_REQUEST: Final = 1000
#: One task that would not change refuses them all, as where the runs are kept.
ALL_OR_NONE: Final = {"allOrNone": True}

run_name = click.argument("run")
task_names = click.argument("tasks", nargs=-1, required=True)


def report(client: Client, run: Mapping[str, Any], as_json: bool, done: str) -> None:
    """Say what was done to a run, and how it stands."""
    run = client.get(run_path(run["id"]))
    if as_json:
        print_json({"run": run["id"], "state": run["state"], "counts": run["counts"]})
        return
    if is_over(run):
        done = f"has ended: {run['state']}"
    click.echo(f"run {run['id']} {done}")


@click.command()
@run_argument
@click.argument("tasks", nargs=-1)
@json_option
@click.pass_obj
def cancel(client: Client, run: str, tasks: tuple[str, ...], as_json: bool) -> None:
    """Stop RUN, or only TASKS of it, and all processes that these have started."""
    record = client.find_run(run)
    if tasks:
        _each(client, record, tasks, "kill", {})
    else:
        client.post(f"{run_path(record['id'])}:kill")
    report(client, record, as_json, "gives up the tasks" if tasks else "is being cancelled")


def _each(
    client: Client,
    run: Mapping[str, Any],
    tasks: Sequence[str],
    verb: str,
    body: Mapping[str, Any] = ALL_OR_NONE,
) -> None:
    """Ask the same for several tasks, in as few requests as the server allows."""
    for first in range(0, len(tasks), NAMES_A_REQUEST):
        names = list(tasks[first : first + NAMES_A_REQUEST])
        client.post(f"{run_path(run['id'])}/tasks:{verb}", {"names": names, **body})


@click.command()
@run_argument
@click.argument("tasks", nargs=-1)
@again_option
@json_option
@click.pass_obj
def retry(client: Client, run: str, tasks: tuple[str, ...], again: bool, as_json: bool) -> None:
    """Run again the TASKS of RUN that did not succeed (default: all of them)."""
    record = client.find_run(run)
    if again and not tasks:
        raise UserError("--again needs the names of tasks", f"segue status {record['id']}")
    body: dict[str, Any] = {"tasks": list(tasks)} if tasks else {}
    client.post(f"{run_path(record['id'])}:requeue", body | {"force": again})
    report(client, record, as_json, "tries again")


@click.command()
@run_argument
@json_option
@click.pass_obj
def pause(client: Client, run: str, as_json: bool) -> None:
    """Start nothing more of RUN; what runs goes on. 'segue resume' lets it go on."""
    record = client.find_run(run)
    client.post(f"{run_path(record['id'])}:pause")
    report(client, record, as_json, "is paused")


@click.command()
@run_argument
@json_option
@click.pass_obj
def resume(client: Client, run: str, as_json: bool) -> None:
    """Let a paused RUN go on."""
    record = client.find_run(run)
    client.post(f"{run_path(record['id'])}:resume")
    report(client, record, as_json, "goes on")


@click.command()
@run_argument
@limit_options
@json_option
@click.pass_obj
def update(
    client: Client, run: str, limit: int | None, restart_limit: int | None, as_json: bool
) -> None:
    """Change limits of RUN while it runs; nothing that runs is stopped."""
    record = client.find_run(run)
    given = {"limit": limit, "restartLimit": restart_limit}
    argument = {name: number for name, number in given.items() if number is not None}
    if not argument:
        raise UserError("nothing is to be changed", "say --limit N, --restart-limit N, or both")
    client.patch(run_path(record["id"]), argument)
    words = {"limit": "limit", "restartLimit": "restart limit"}
    said = ", ".join(f"{words[name]} {number}" for name, number in argument.items())
    report(client, record, as_json, f"has new limits: {said}")


@click.command()
@run_name
@task_names
@json_option
@click.pass_obj
def hold(client: Client, run: str, tasks: tuple[str, ...], as_json: bool) -> None:
    """Keep TASKS of RUN from starting, until they are released."""
    record = client.find_run(run)
    _each(client, record, tasks, "hold")
    report(client, record, as_json, f"holds {len(tasks)} tasks: segue release lets them go")


@click.command()
@run_name
@task_names
@json_option
@click.pass_obj
def release(client: Client, run: str, tasks: tuple[str, ...], as_json: bool) -> None:
    """Let TASKS of RUN start again that were held."""
    record = client.find_run(run)
    _each(client, record, tasks, "release")
    report(client, record, as_json, f"lets {len(tasks)} tasks go")


@click.command(name="mark-done")
@run_name
@task_names
@reason_option
@json_option
@click.pass_obj
def mark_done(client: Client, run: str, tasks: tuple[str, ...], reason: str, as_json: bool) -> None:
    """Let TASKS of RUN count as done that have not succeeded; who waits for them goes on."""
    record = client.find_run(run)
    if not reason.strip():
        raise UserError("--reason is empty", "say why, for whoever reads the history")
    _each(client, record, tasks, "markCompleted", {**ALL_OR_NONE, "reason": reason})
    report(client, record, as_json, f"counts {len(tasks)} tasks as done")


@click.command()
@click.argument("runs", nargs=-1, required=True)
@yes_option
@json_option
@click.pass_obj
def delete(client: Client, runs: tuple[str, ...], yes: bool, as_json: bool) -> None:
    """Forget RUNS that have ended, and remove the folders that the server made for them."""
    found = [client.find_run(run)["id"] for run in runs]
    if not yes:
        click.confirm(f"Delete {', '.join(found)} for good?", abort=True, err=True)
    for run in found:
        client.delete(run_path(run))
    if as_json:
        print_json({"deleted": found})
        return
    for run in found:
        click.echo(f"run {run} is deleted")
