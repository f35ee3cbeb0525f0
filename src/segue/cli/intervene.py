"""`hold`, `release`, `mark-done`, `delete`: what a person does to tasks and runs by hand."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from typing import Any

import click

from segue.cli.change import check_tasks, drive, report
from segue.cli.common import complete_run, json_option, open_service, print_json
from segue.cli.options import reason_option, yes_option
from segue.engine.commands import CommandKind
from segue.engine.folders import run_folder
from segue.model.errors import RefusedError, UserError, shorten
from segue.model.run import RunRecord
from segue.model.states import FINAL, OUTSIDE, TaskState

run_name = click.argument("run", shell_complete=complete_run)
task_names = click.argument("tasks", nargs=-1, required=True)


@click.command()
@run_name
@task_names
@json_option
def hold(run: str, tasks: tuple[str, ...], as_json: bool) -> None:
    """Keep TASKS of RUN from starting, until they are released."""
    service = open_service()
    record = service.find_run(run)
    for stored in check_tasks(service, record, tasks):
        state = stored.record.state
        if state in FINAL or state in OUTSIDE:
            hint = "what runs can be stopped: segue cancel" if state in OUTSIDE else ""
            raise RefusedError(f"{shorten(stored.node.name)} cannot be held: it is {state}", hint)
    ask(service, record, CommandKind.HOLD, {"tasks": list(tasks)})
    report(service, record, as_json, f"holds {len(tasks)} tasks: segue release lets them go")


@click.command()
@run_name
@task_names
@json_option
def release(run: str, tasks: tuple[str, ...], as_json: bool) -> None:
    """Let TASKS of RUN start again that were held."""
    service = open_service()
    record = service.find_run(run)
    for stored in check_tasks(service, record, tasks):
        if not stored.record.held:
            raise RefusedError(f"{shorten(stored.node.name)} is not held: nothing to release")
    ask(service, record, CommandKind.RELEASE, {"tasks": list(tasks)})
    report(service, record, as_json, f"lets {len(tasks)} tasks go")


@click.command(name="mark-done")
@run_name
@task_names
@reason_option
@json_option
def mark_done(run: str, tasks: tuple[str, ...], reason: str, as_json: bool) -> None:
    """Let TASKS of RUN count as done that have not succeeded; who waits for them goes on."""
    service = open_service()
    record = service.find_run(run)
    if not reason.strip():
        raise UserError("--reason is empty", "say why, for whoever reads the history")
    for stored in check_tasks(service, record, tasks):
        state = stored.record.state
        if state is TaskState.SUCCEEDED or state in OUTSIDE:
            hint = "stop it first: segue cancel" if state in OUTSIDE else ""
            name = shorten(stored.node.name)
            raise RefusedError(f"{name} cannot be marked done: it is {state}", hint)
    ask(service, record, CommandKind.MARK_DONE, {"tasks": list(tasks), "reason": reason})
    report(service, record, as_json, f"counts {len(tasks)} tasks as done")
    record = service.find_run(record.id)
    if not as_json and not service.has_engine(record.id):
        click.echo(f"no engine owns it now; let it go on: segue resume {record.id}", err=True)


def ask(service: Any, record: RunRecord, kind: CommandKind, argument: Mapping[str, Any]) -> None:
    """Ask the engine of a run, or be it for as long as the command takes."""
    if not service.ask(record, kind, argument):
        drive(service, record, wait_for=())


@click.command()
@click.argument("runs", nargs=-1, required=True, shell_complete=complete_run)
@click.option("--files", is_flag=True, help="Remove what the tasks printed as well.")
@yes_option
@json_option
def delete(runs: tuple[str, ...], files: bool, yes: bool, as_json: bool) -> None:
    """Forget RUNS that have ended: their tasks, attempts and history are removed for good.

    Files stay as they are; --files removes the folders of the attempts, with scripts and
    output, and never what tasks have written elsewhere.
    """
    service = open_service()
    records = [service.find_run(run) for run in runs]
    if not yes:
        shown = ", ".join(record.id for record in records)
        click.confirm(f"Delete {shown} for good?", abort=True, err=True)
    for record in records:
        service.store.delete_run(record.id)
        if files:
            shutil.rmtree(run_folder(record), ignore_errors=True)
    if as_json:
        print_json({"deleted": [record.id for record in records]})
        return
    for record in records:
        click.echo(f"run {record.id} is deleted")
