"""`segue run`: read, store, run to the end, say how it went."""

from __future__ import annotations

import itertools
import os
import sys
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import click

from segue.cli.common import (
    complete_run,
    json_option,
    open_service,
    print_json,
    source_of,
    source_options,
)
from segue.cli.options import run_options
from segue.model.errors import UserError
from segue.model.run import RunRecord
from segue.model.states import FINAL_RUN, RunState
from segue.protocols.clock import SystemClock

#: How long `--detach` waits for the engine to have the run, in seconds.
DETACH_PATIENCE_S: Final = 10.0


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
@run_options
@click.option(
    "--reuse",
    default="",
    metavar="RUN",
    help="Continue RUN in its workspace: take over what still holds, run the rest.",
    shell_complete=complete_run,
)
@click.option("--detach", is_flag=True, help="Run in the background; print the run's name.")
@click.option("--plan", is_flag=True, help="Show what would run; run and store nothing.")
@json_option
def run(file: str, **options: Any) -> None:
    """Run the workflow FILE ('-': standard input) to its end.

    Ctrl-C once starts nothing more; then a second Ctrl-C cancels what runs.
    """
    if options["reuse"]:
        from segue.cli.reuse import run_reusing

        raise SystemExit(run_reusing(file, options))
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
    from segue.engine.reading import reading_of
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
        if source.options.get("pgen") and not source.workspace:
            # The user's generator is told where, and runs once.
            from segue.maestro.inputs import workspace_of

            source = replace(source, workspace=own_workspace(workspace_of(source)))
        workflow = wiring.read_workflow(source, options["dialect"])
        if workflow.workspace and not source.workspace:
            # The dialect's name may be taken: two runs of one second would share it.
            source = replace(source, workspace=own_workspace(workflow.workspace))
            workflow = wiring.read_workflow(source, options["dialect"])
        check_runnable(workflow, options)
        default = options["pool"] or workflow.pool
        wanted = {task.pool or default for task in workflow.tasks} - {""}
        for pool in sorted(wanted - executors.keys()):
            wiring.check_pool(pool)
        for pool in executors.keys() - wanted - {"local"}:
            executors.pop(pool).close()
        run_id = new_run_id(workflow.name)
        workspace = (
            workflow.workspace or source.workspace or os.path.abspath(f"segue-runs/{run_id}")
        )
        check_names(os.path.abspath(file), source.directory, workspace)
        make_workspace(workspace)
        acquire_dependencies(workflow)
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
            slots=options["jobs"] or 0,
            reading=reading_of(source, pool=options["pool"]),
        )
    except BaseException:
        executors["local"].close()
        raise
    show_warnings(workflow)
    del workflow, source
    if options["detach"]:
        executors["local"].close()
        store.close()
        return detach(["resume", record.id], record, options["jobs"], options["as_json"])
    session = Session(store, executors, state, clock, as_json=options["as_json"])
    return session.run(record.id)


def acquire_dependencies(workflow: Any, *, keep: bool = False) -> None:
    """Look for the paths that a study needs, and clone its repositories.

    With `keep`, clones that are there are used: the workflow goes on in its workspace.
    """
    if workflow.context.get("git") or workflow.context.get("paths"):
        from segue.maestro.dependencies import acquire

        acquire(workflow.context, keep=keep, say=lambda message: click.echo(message, err=True))


def check_runnable(workflow: Any, options: dict[str, Any]) -> None:
    """Raise `UserError` for what can be read but not run as asked."""
    from segue.model.workflow import ManagedTask

    managed = [task for task in workflow.tasks if isinstance(task.action, ManagedTask)]
    if managed and not managed[0].action.command:
        raise UserError(
            f"step {managed[0].name!r} is a managed Task, and nothing says how to run one",
            "--lute-config FILE runs our own managed Tasks with that config, and "
            "--lute-command 'prog -t {task_name} -c {config}' those of others",
        )


def own_workspace(path: str, option: str = "--workspace") -> str:
    """Make a folder of that name, or with a number behind it, that was not there before.

    Raises
    ------
    UserError
        If it cannot be made; `option` is the one that names another place.
    """
    parent, name = os.path.split(path)
    make_workspace(parent, option)
    for number in itertools.count(1):
        candidate = os.path.join(parent, name if number == 1 else f"{name}_{number}")
        try:
            os.mkdir(candidate)
        except FileExistsError:
            continue
        except OSError as error:
            raise _not_made(candidate, error, option) from error
        return candidate
    raise AssertionError("numbers do not end")


def _not_made(path: str, error: OSError, option: str) -> UserError:
    return UserError(
        f"the workspace {path} cannot be made: {error.strerror}",
        f"give a folder that you can write to with {option} DIR",
    )


def check_names(*paths: str) -> None:
    """Raise `UserError` for a path that is no text, as no store can hold it."""
    for path in paths:
        try:
            path.encode()
        except UnicodeEncodeError as error:
            raise UserError(
                f"the name {path!r} is not UTF-8 text", "rename the file or the folder"
            ) from error


def make_workspace(path: str, option: str = "--workspace") -> None:
    """Make the folder that a run writes into.

    Raises
    ------
    UserError
        If it cannot be made or written to; `option` is the one that names another place.
    """
    try:
        Path(path).mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise _not_made(path, error, option) from error
    if not os.access(path, os.W_OK | os.X_OK):
        raise UserError(
            f"the workspace {path} cannot be written to",
            f"give a folder that you can write to with {option} DIR",
        )


def detach(words: Sequence[str], run: RunRecord, jobs: int | None, as_json: bool) -> int:
    """Let a command that runs `run` outlive this terminal; say where its log lies."""
    log, _ = start_detached(words, run, jobs)
    if as_json:
        print_json({"run": run.id, "state": RunState.RUNNING.value, "log": str(log)})
    else:
        click.echo(run.id)
        click.echo(f"it runs in the background: segue status {run.id} --watch", err=True)
    return 0


def start_detached(words: Sequence[str], run: RunRecord, jobs: int | None) -> tuple[Path, bool]:
    """Start a command that runs `run` in a session of its own.

    Returns where its log lies, and whether an engine has the run now (or has had it: a
    short run may be over by then).
    """
    import subprocess  # slow to import, and only needed here

    from segue import wiring

    make_workspace(run.workspace)
    log = Path(run.workspace, f"{run.id}.log")
    command = [sys.executable, "-m", "segue.cli", *words]
    if jobs:
        command += ["-j", str(jobs)]
    with log.open("ab") as output:
        child = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
            cwd="/",
            # It may have been given as a path, and the folder is another one there.
            env=os.environ | {"SEGUE_STORE": wiring.default_store_url()},
        )
    # Whoever speaks to the run next shall find its engine there.
    service, patience = open_service(), time.monotonic() + DETACH_PATIENCE_S
    while child.poll() is None and time.monotonic() < patience:
        if service.has_engine(run.id):
            break
        time.sleep(0.01)
    taken = service.has_engine(run.id) or service.find_run(run.id).state in FINAL_RUN
    service.store.close()
    return log, taken
