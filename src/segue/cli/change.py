"""`cancel`, `retry`, `pause`, `resume`: ask the engine of a run, or be it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NoReturn

import click

from segue.cli.common import json_option, open_service, print_json, run_argument
from segue.engine.commands import CommandKind
from segue.model.errors import RefusedError
from segue.model.run import RunRecord
from segue.model.states import FINAL_RUN, RunState
from segue.protocols.clock import SystemClock

jobs_option = click.option(
    "-j", "--jobs", type=click.IntRange(min=1), help="Run so many tasks at once."
)
force_option = click.option(
    "--force", is_flag=True, help="Take it over though its last machine cannot be seen from here."
)


@click.command()
@run_argument
@click.argument("tasks", nargs=-1)
@json_option
def cancel(run: str, tasks: tuple[str, ...], as_json: bool) -> None:
    """Stop RUN, or only TASKS of it, and all processes that these have started."""
    service = open_service()
    record = service.find_run(run)
    _check_tasks(service, record, tasks)
    argument: dict[str, Any] = {"tasks": list(tasks)} if tasks else {}
    if not service.ask(record, CommandKind.CANCEL, argument):
        # Nobody owns the run: be its engine for as long as the cancel takes.
        _drive(service, record, None, wait_for=tasks or None)
    _report(service, record, as_json, "is being cancelled" if not tasks else "gives up the tasks")


@click.command()
@run_argument
@click.argument("tasks", nargs=-1)
@jobs_option
@force_option
@click.option("--detach", is_flag=True, help="Run in the background.")
@json_option
def retry(
    run: str, tasks: tuple[str, ...], jobs: int | None, force: bool, detach: bool, as_json: bool
) -> None:
    """Run again the TASKS of RUN that did not succeed (default: all of them).

    What succeeded stays. Where no engine owns the run, it is run here to its end.
    """
    from segue.engine.service import check_command

    service = open_service()
    record = service.find_run(run)
    _check_tasks(service, record, tasks)
    argument: dict[str, Any] = {"tasks": list(tasks)} if tasks else {}
    if detach and not service.has_engine(record.id):
        # The command is given by the one that will carry it out.
        check_command(record, CommandKind.RETRY)
        _detach(["retry", record.id, *tasks], record, jobs, force=force, as_json=as_json)
    if service.ask(record, CommandKind.RETRY, argument):
        _report(service, record, as_json, "tries again")
        return
    _go_on(service, record, jobs, force=force, as_json=as_json)


@click.command()
@run_argument
@json_option
def pause(run: str, as_json: bool) -> None:
    """Start nothing more of RUN; what runs goes on. 'segue resume' lets it go on."""
    service = open_service()
    record = service.find_run(run)
    if not service.ask(record, CommandKind.PAUSE, {}):
        _drive(service, record, None, wait_for=())
    _report(service, record, as_json, "is paused")


@click.command()
@run_argument
@jobs_option
@force_option
@click.option("--detach", is_flag=True, help="Run in the background.")
@json_option
def resume(run: str, jobs: int | None, force: bool, detach: bool, as_json: bool) -> None:
    """Let a paused RUN go on; where no engine owns it, run it here to its end."""
    service = open_service()
    record = service.find_run(run)
    if record.state in FINAL_RUN:
        _say_ended(service, record, as_json)
    if service.has_engine(record.id):
        if record.state is not RunState.PAUSED:
            raise RefusedError(
                f"run {record.id} is running already",
                f"watch it: segue status {record.id} --watch",
            )
        if service.ask(record, CommandKind.RESUME, {}):
            _report(service, record, as_json, "goes on")
            return
    elif record.state is RunState.PAUSED:
        service.store.put_command(record.id, CommandKind.RESUME.value, {}, service.clock.now())
    if detach:
        _detach(["resume", record.id], record, jobs, force=force, as_json=as_json)
    _go_on(service, record, jobs, force=force, as_json=as_json)


def _say_ended(service: Any, record: RunRecord, as_json: bool) -> None:
    """Leave with the verdict of a run that has nothing left to do."""
    from segue.cli.common import exit_with

    if as_json:
        from segue.engine.documents import run_document

        print_json(run_document(service.store, record))
    else:
        from segue.cli.show import show_end

        show_end(service.store, record)
    exit_with(record)


def _detach(
    words: list[str], record: RunRecord, jobs: int | None, *, force: bool, as_json: bool
) -> NoReturn:
    from segue.cli.run import detach

    force_word = ["--force"] if force else []
    raise SystemExit(detach([*words, *force_word], record, jobs, as_json))


def _go_on(
    service: Any, record: RunRecord, jobs: int | None, *, force: bool, as_json: bool
) -> None:
    from segue import wiring
    from segue.cli.engine import Session

    clock = SystemClock()
    state = wiring.state_directory()
    executors = wiring.open_executors(state, clock, slots=jobs)
    session = Session(service.store, executors, state, clock, as_json=as_json)
    raise SystemExit(session.run(record.id, force=force))


def _drive(
    service: Any, record: RunRecord, jobs: int | None, *, wait_for: Sequence[str] | None
) -> None:
    """Own a run for a moment, so that a stored command is carried out.

    It takes until the tasks of `wait_for` are outside no more; None: all tasks.
    """
    from segue import wiring
    from segue.engine.engine import Engine

    clock = SystemClock()
    state = wiring.state_directory()
    executors = wiring.open_executors(state, clock, slots=jobs)
    engine = Engine(service.store, executors, wiring.grow, clock, state)
    try:
        engine.scheduler.draining = True
        try:
            engine.take(record.id)
        except RefusedError:
            # Another engine has come in that moment, and will take the command.
            service.wait_taken(record.id)
            return
        engine.run_to_end(
            record.id,
            lambda: not service.store.commands([record.id]) and engine.idle(record.id, wait_for),
        )
    finally:
        engine.close()


def _check_tasks(service: Any, record: RunRecord, tasks: Sequence[str]) -> None:
    for task in tasks:
        service.find_task(record.id, task)


def _report(service: Any, record: RunRecord, as_json: bool, done: str) -> None:
    record = service.find_run(record.id)
    if as_json:
        print_json({"run": record.id, "state": record.state.value, "counts": dict(record.counts)})
        return
    if record.state in FINAL_RUN and record.state is not RunState.RUNNING:
        done = f"has ended: {record.state}"
    click.echo(f"run {record.id} {done}")
