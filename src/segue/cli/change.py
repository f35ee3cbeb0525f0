"""`cancel`, `retry`, `pause`, `update`, `resume`: ask the engine of a run, or be it."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from typing import Any, NoReturn

import click

from segue.cli.common import json_option, open_service, print_json, run_argument
from segue.cli.options import again_option, limit_options
from segue.engine.commands import CommandKind
from segue.model.errors import OutsideError, RefusedError, UserError
from segue.model.run import RunRecord
from segue.model.states import FINAL_RUN, RunState, TaskState
from segue.protocols.clock import SystemClock
from segue.protocols.store import StoredNode

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
    check_tasks(service, record, tasks)
    argument: dict[str, Any] = {"tasks": list(tasks)} if tasks else {}
    if not service.ask(record, CommandKind.CANCEL, argument):
        # Nobody owns the run: be its engine for as long as the cancel takes.
        drive(service, record, wait_for=tasks or None)
    report(service, record, as_json, "is being cancelled" if not tasks else "gives up the tasks")


@click.command()
@run_argument
@click.argument("tasks", nargs=-1)
@jobs_option
@force_option
@click.option("--detach", is_flag=True, help="Run in the background.")
@again_option
@click.option(
    "--edited",
    is_flag=True,
    help="Read the file again (or another, named in place of TASKS); run what changed.",
)
@click.option("--plan", is_flag=True, help="With --edited: show what would run; change nothing.")
@json_option
def retry(
    run: str,
    tasks: tuple[str, ...],
    jobs: int | None,
    force: bool,
    detach: bool,
    again: bool,
    edited: bool,
    plan: bool,
    as_json: bool,
) -> None:
    """Run again the TASKS of RUN that did not succeed (default: all of them).

    What succeeded stays. Where no engine owns the run, it is run here to its end.

    With --edited [FILE] a new run continues RUN in its workspace, read as RUN was: it takes
    over every task that succeeded and has not changed, and runs the rest. Where RUN has not
    ended, it comes to rest first: what changed is stopped, what runs unchanged is waited for.
    """
    from segue.engine.service import check_command

    service = open_service()
    record = service.find_run(run)
    if edited:
        _retry_edited(service, record, tasks, jobs, plan=plan, detach=detach, as_json=as_json)
    if plan:
        raise UserError("--plan is for an edited file", f"segue retry {record.id} --edited --plan")
    service.check_not_continued(record)
    named = check_tasks(service, record, tasks)
    argument: dict[str, Any] = {"tasks": list(tasks)} if tasks else {}
    if again:
        if not tasks:
            raise UserError("--again needs the names of tasks", f"segue status {record.id}")
        argument["force"] = True
    else:
        _check_for_success(record, named)
    if detach and not service.has_engine(record.id):
        # The command is given by the one that will carry it out.
        check_command(record, CommandKind.RETRY, force=again)
        words = ["--again"] if again else []
        _detach(["retry", record.id, *tasks, *words], record, jobs, force=force, as_json=as_json)
    if service.ask(record, CommandKind.RETRY, argument):
        report(service, record, as_json, "tries again")
        return
    raise SystemExit(go_on(service, record, jobs, force=force, as_json=as_json))


def _check_for_success(record: RunRecord, named: Sequence[StoredNode]) -> None:
    """Say which of the tasks named have succeeded, and so stay as they are."""
    done = [each.node.name for each in named if each.record.state is TaskState.SUCCEEDED]
    if not done:
        return
    those = " ".join(done)
    message = f"{', '.join(done)}: succeeded already, and so not run again"
    hint = f"'segue retry {record.id} {those} --again' does, with all that is behind"
    if len(done) == len(named):
        raise UserError(message, hint)
    click.echo(f"segue: {message}\n  hint: {hint}", err=True)


def _retry_edited(
    service: Any,
    record: RunRecord,
    words: Sequence[str],
    jobs: int | None,
    *,
    plan: bool,
    detach: bool,
    as_json: bool,
) -> NoReturn:
    from segue.cli.reuse import Wish, retry_edited

    if len(words) > 1:
        raise UserError(
            f"--edited takes one file, not {len(words)}",
            "what runs again follows from what has changed; --plan shows it",
        )
    wish = Wish(jobs, plan, detach, as_json)
    raise SystemExit(retry_edited(service, record, "".join(words), wish))


@click.command()
@run_argument
@json_option
def pause(run: str, as_json: bool) -> None:
    """Start nothing more of RUN; what runs goes on. 'segue resume' lets it go on."""
    service = open_service()
    record = service.find_run(run)
    if not service.ask(record, CommandKind.PAUSE, {}):
        drive(service, record, wait_for=())
    report(service, record, as_json, "is paused")


@click.command()
@run_argument
@limit_options
@json_option
def update(run: str, limit: int | None, restart_limit: int | None, as_json: bool) -> None:
    """Change limits of RUN while it runs; nothing that runs is stopped."""
    service = open_service()
    record = service.find_run(run)
    given = {"limit": limit, "restart_limit": restart_limit}
    argument = {name: number for name, number in given.items() if number is not None}
    if not argument:
        raise UserError("nothing is to be changed", "say --limit N, --restart-limit N, or both")
    if not service.ask(record, CommandKind.UPDATE, argument):
        drive(service, record, wait_for=())
    said = ", ".join(f"{name.replace('_', ' ')} {number}" for name, number in argument.items())
    report(service, record, as_json, f"has new limits: {said}")


@click.command()
@run_argument
@jobs_option
@force_option
@click.option("--detach", is_flag=True, help="Run in the background.")
@click.option(
    "--all", "every", is_flag=True,
    help="Every run that has not ended, is not paused and has no engine, in the background.",
)  # fmt: skip
@json_option
def resume(
    run: str, jobs: int | None, force: bool, detach: bool, every: bool, as_json: bool
) -> None:
    """Let a paused RUN go on; where no engine owns it, run it here to its end.

    In a crontab, '@reboot segue resume --all' lets runs survive a reboot of the machine.
    """
    service = open_service()
    if every:
        if run:
            raise UserError("--all names every run", f"leave out --all to resume {run} alone")
        raise SystemExit(_resume_all(service, jobs, force=force, as_json=as_json))
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
            report(service, record, as_json, "goes on")
            return
    elif record.state is RunState.PAUSED:
        service.store.put_command(record.id, CommandKind.RESUME.value, {}, service.clock.now())
    if detach:
        _detach(["resume", record.id], record, jobs, force=force, as_json=as_json)
    raise SystemExit(go_on(service, record, jobs, force=force, as_json=as_json))


def _resume_all(service: Any, jobs: int | None, *, force: bool, as_json: bool) -> int:
    """Take up every run that nobody drives, oldest first; return the exit code."""
    from segue.cli.run import start_detached

    force_word = ["--force"] if force else []
    found = []
    for record in reversed(service.store.runs(states=[RunState.RUNNING])):
        if service.has_engine(record.id):
            continue
        try:
            log, taken = start_detached(["resume", record.id, *force_word], record, jobs)
        except (UserError, OSError) as error:  # its workspace is gone, say: the others go on
            message = str(error).partition("\n")[0]
            found.append({"run": record.id, "taken_up": False, "log": None, "message": message})
            continue
        message = "" if taken else "no engine has it; its log says why"
        found.append({"run": record.id, "taken_up": taken, "log": str(log), "message": message})
    if as_json:
        print_json({"runs": found})
    else:
        for each in found:
            where = f"its log is {each['log']}" if each["log"] else each["message"]
            verb = "goes on in the background" if each["taken_up"] else "could not be taken up"
            click.echo(f"run {each['run']} {verb}: {where}")
        if not found:
            click.echo("no run waits for an engine")
    return 0 if all(each["taken_up"] for each in found) else OutsideError.exit_code


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


def go_on(
    service: Any, record: RunRecord, jobs: int | None, *, force: bool = False, as_json: bool
) -> int:
    """Drive a run here to its end; return the exit code.

    As many tasks run at once as `jobs` says, or else as was said for this run before.
    """
    from segue import wiring
    from segue.cli.engine import Session

    if "launch" in record.reading:
        from segue.cli.launch_slurm_session import conduct

        return conduct(service, record, jobs, force=force, as_json=as_json)
    clock = SystemClock()
    state = wiring.state_directory()
    executors = wiring.open_executors(state, clock, slots=jobs or record.slots or None)
    session = Session(service.store, executors, state, clock, as_json=as_json)
    if is_study(record):
        from segue.cli.maestro_again import keep_study

        keep_study(session, record)
    return session.run(record.id, force=force, slots=jobs)


def is_study(record: RunRecord) -> bool:
    """Tell whether the run's workspace is the folder of a study that `maestro run` has made."""
    return os.path.exists(os.path.join(record.workspace, ".segue", "study.json"))


def drive(
    service: Any,
    record: RunRecord,
    *,
    wait_for: Sequence[str] | None,
    on_turn: Callable[[], None] = lambda: None,
) -> None:
    """Own a run for a moment, so that a stored command is carried out; nothing starts.

    It takes until the tasks of `wait_for` are outside no more; None: all tasks.

    Raises
    ------
    RefusedError
        If the run cannot be owned, and no engine has it either.
    """
    from segue import wiring
    from segue.engine.engine import Engine

    clock = SystemClock()
    state = wiring.state_directory()
    executors = wiring.open_executors(state, clock, slots=record.slots or None)
    engine = Engine(
        service.store, executors, wiring.grow, clock, state, on_turn=lambda turn: on_turn()
    )
    try:
        engine.scheduler.draining = True
        try:
            engine.take(record.id)
        except RefusedError:
            # Another engine has come in that moment, and will take the command.
            if not service.has_engine(record.id):
                raise
            service.wait_taken(record.id)
            return
        engine.run_to_end(
            record.id,
            lambda: not service.store.commands([record.id]) and engine.idle(record.id, wait_for),
        )
    finally:
        engine.close()


def check_tasks(service: Any, record: RunRecord, tasks: Sequence[str]) -> list[StoredNode]:
    """Return the tasks of these names; one that is not there is said."""
    return [service.find_task(record.id, task) for task in tasks]


def report(service: Any, record: RunRecord, as_json: bool, done: str) -> None:
    """Say what was done to a run, and how it stands."""
    record = service.find_run(record.id)
    if as_json:
        print_json({"run": record.id, "state": record.state.value, "counts": dict(record.counts)})
        return
    if record.state in FINAL_RUN and record.state is not RunState.RUNNING:
        done = f"has ended: {record.state}"
    click.echo(f"run {record.id} {done}")
