"""`segue run`: read, store, run to the end, say how it went."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import click

from segue.cli.common import json_option, print_json, source_of, source_options
from segue.model.errors import UserError
from segue.model.states import RunState
from segue.protocols.clock import SystemClock


@click.command()
@click.argument("file", type=click.Path())
@source_options
@click.option("-j", "--jobs", type=click.IntRange(min=1), help="Run so many tasks at once.")
@click.option(
    "--workspace",
    default="",
    metavar="DIR",
    help="Let the run write here (default: segue-runs/RUN).",
)
@click.option(
    "--limit", type=click.IntRange(min=0), help="At most so many tasks of this run at once; 0: all."
)
@click.option(
    "--pool", default="", metavar="NAME", help="Run in this pool, whatever the file says."
)
@click.option("--detach", is_flag=True, help="Run in the background; print the run's name.")
@click.option("--plan", is_flag=True, help="Show what would run; run and store nothing.")
@json_option
def run(file: str, **options: Any) -> None:
    """Run the workflow FILE ('-': standard input) to its end.

    Ctrl-C once starts nothing more; then a second Ctrl-C cancels what runs.
    """
    if options["plan"]:
        _plan(file, options)
        return
    raise SystemExit(_run(file, options))


def _plan(file: str, options: dict[str, Any]) -> None:
    from segue import wiring
    from segue.cli.show import show_plan, show_warnings
    from segue.model.drawing import Drawing, task_document

    source = source_of(file, wiring.read_text(file), options["workspace"], options)
    workflow = wiring.read_workflow(source, options["dialect"])
    show_warnings(workflow)
    if options["as_json"]:
        drawing = Drawing(workflow.name, workflow.dialect, workflow.tasks, workflow.barriers)
        print_json(task_document(drawing) | {"workspace": workflow.workspace})
    else:
        show_plan(workflow)


def _run(file: str, options: dict[str, Any]) -> int:
    from segue import wiring
    from segue.cli.engine import Session
    from segue.cli.show import show_warnings
    from segue.engine.service import Service, new_run_id

    state = wiring.state_directory()
    clock = SystemClock()
    executors = wiring.open_executors(state, clock, slots=options["jobs"])
    if not options["detach"]:
        prestart = getattr(executors["local"], "prestart", None)
        if prestart is not None:
            prestart()  # the keeper starts up while we read
    try:
        source = source_of(file, wiring.read_text(file), options["workspace"], options)
        workflow = wiring.read_workflow(source, options["dialect"])
        check_runnable(workflow, options)
        run_id = new_run_id(workflow.name)
        workspace = (
            workflow.workspace or source.workspace or os.path.abspath(f"segue-runs/{run_id}")
        )
        make_workspace(workspace)
        store = wiring.open_store()
        record = Service(store, clock).submit(
            workflow,
            run=run_id,
            source=file if file == "-" else os.path.abspath(file),
            directory=source.directory,
            workspace=workspace,
            pools=executors,
            pool=options["pool"],
            limit=options["limit"],
        )
    except BaseException:
        executors["local"].close()
        raise
    show_warnings(workflow)
    del workflow, source
    if options["detach"]:
        executors["local"].close()
        store.close()
        return detach(record.id, workspace, options)
    session = Session(store, executors, state, clock, as_json=options["as_json"])
    return session.run(record.id)


def check_runnable(workflow: Any, options: dict[str, Any]) -> None:
    """Raise `UserError` for what can be read but not run as asked."""
    from segue.model.workflow import ManagedTask

    managed = [task for task in workflow.tasks if isinstance(task.action, ManagedTask)]
    if managed and not managed[0].action.command:
        raise UserError(
            f"step {managed[0].name!r} is a managed Task, and nothing says how to run one",
            "--lute-command 'prog -t {task_name} -c {config}' does",
        )


def make_workspace(path: str) -> None:
    """Make the folder that a run writes into.

    Raises
    ------
    UserError
        If it cannot be made or written to.
    """
    try:
        Path(path).mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(
            f"the workspace {path} cannot be made: {error.strerror}",
            "give a folder that you can write to with --workspace DIR",
        ) from error
    if not os.access(path, os.W_OK | os.X_OK):
        raise UserError(
            f"the workspace {path} cannot be written to",
            "give a folder that you can write to with --workspace DIR",
        )


def detach(run_id: str, workspace: str, options: dict[str, Any]) -> int:
    """Start an engine for the run that outlives this terminal."""
    log = Path(workspace, f"{run_id}.log")
    command = [sys.executable, "-m", "segue.cli", "resume", run_id]
    if options["jobs"]:
        command += ["-j", str(options["jobs"])]
    with log.open("ab") as output:
        subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
            cwd="/",
        )
    if options["as_json"]:
        print_json({"run": run_id, "state": RunState.RUNNING.value, "log": str(log)})
    else:
        click.echo(run_id)
        click.echo(f"it runs in the background: segue status {run_id} --watch", err=True)
    return 0
