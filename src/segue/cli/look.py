"""`runs`, `status`, `logs`, `why`, `history`: windows on the store."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import Any, Final

import click

from segue.cli.common import complete_run, json_option, open_service, print_json, run_argument
from segue.cli.options import history_option, logs_options, runs_options, status_options
from segue.model.errors import NotFoundError, shorten
from segue.model.run import AttemptRecord, RunRecord
from segue.model.states import FINAL, FINAL_RUN, RunState, TaskState
from segue.model.times import clock_time, duration, rfc3339
from segue.protocols.store import TaskFilter

#: A watching window looks so often, in seconds.
WATCH_S: Final = 0.5
#: So many runs are listed where nobody says how many.
RUNS_SHOWN: Final = 20
#: More tasks than this are shown as counts by template.
TASKS_SHOWN: Final = 60


@click.command()
@runs_options
@json_option
def runs(number: int | None, states: tuple[str, ...], as_json: bool) -> None:
    """List runs, newest first."""
    from segue.engine.documents import runs_document

    service = open_service()
    wanted = [RunState(state) for state in states]
    if number is None:
        number = 0 if as_json else RUNS_SHOWN
    found = service.store.runs(states=wanted, limit=number)
    if as_json:
        print_json(runs_document(found))
        return
    if not found:
        click.echo("there are no runs yet; start one: segue run FILE")
        return
    from segue.cli.show import counts_text, table

    table(
        ["run", "workflow", "dialect", "state", "started", "tasks"],
        (
            [
                run.id,
                shorten(run.workflow, 30),
                run.dialect,
                _state(service, run),
                (rfc3339(run.started_at) or "-")[:19].replace("T", " "),
                counts_text(run.counts),
            ]
            for run in found
        ),
    )


def _state(service: Any, run: RunRecord) -> str:
    if run.state in FINAL_RUN or service.has_engine(run.id):
        return run.state.value
    return f"{run.state.value} (no engine)"


@click.command()
@run_argument
@status_options
@json_option
def status(run: str, watch: bool, states: tuple[str, ...], every: bool, as_json: bool) -> None:
    """Show how far RUN has come (default: the newest run)."""
    from segue.engine.documents import run_document

    service = open_service()
    record = service.find_run(run)
    wanted = TaskFilter(states=tuple(TaskState(state) for state in states))
    if as_json:
        while watch and record.state not in FINAL_RUN:
            time.sleep(WATCH_S)
            record = service.find_run(record.id)
        print_json(run_document(service.store, record, wanted))
        return
    while True:
        if watch:
            from segue.cli.show import clear_screen

            clear_screen()
        _show_status(service, record, wanted, every or bool(states))
        if not watch or record.state in FINAL_RUN:
            return
        time.sleep(WATCH_S)
        record = service.find_run(record.id)


def _show_status(service: Any, run: RunRecord, wanted: TaskFilter, every: bool) -> None:
    from segue.cli import show

    store = service.store
    colour = show.STATE_STYLES.get(run.state.value)
    state = click.style(_state(service, run), fg=colour, bold=True)
    click.echo(f"{run.id}: {run.workflow} ({run.dialect}), {state}")
    click.echo(f"{show.counts_text(run.counts)}; workspace {run.workspace}")
    if run.continues:
        click.echo(f"it continues run {run.continues}")
    for each in store.runs(workspace=run.workspace):
        if each.continues == run.id:
            click.echo(f"continued as run {each.id}")
    if run.started_at is not None:
        end = run.ended_at or time.time()
        click.echo(f"started {clock_time(run.started_at)}, {duration(end - run.started_at)}")
    number = sum(run.counts.values())
    if number <= TASKS_SHOWN or every:
        newest: dict[int, AttemptRecord] = {a.task: a for a in store.attempts(run.id)}
        show.show_tasks(store, run, wanted, newest.get)
    else:
        _show_templates(store, run)
    if run.state not in FINAL_RUN and not service.has_engine(run.id):
        from segue.engine.refusal import refusal_of

        refused = refusal_of(store, run.id)
        click.echo(f"no engine owns it now; {refused or f'take it up: segue resume {run.id}'}")


def _show_templates(store: Any, run: RunRecord) -> None:
    from segue.cli.show import counts_text, table
    from segue.engine.documents import drawing_of
    from segue.model.drawing import by_template

    dots, _ = by_template(drawing_of(store, run))
    if len(dots) <= TASKS_SHOWN:
        rows = [[shorten(dot.name, 60), str(dot.number), counts_text(dot.states)] for dot in dots]
        table(["template", "tasks", "states"], rows, right=[1])
    click.echo(f"every task: segue status {run.id} --all; some: --state failed")


@click.command()
@click.argument("run", shell_complete=complete_run)
@click.argument("task")
@logs_options
def logs(run: str, task: str, attempt: int | None, follow: bool, stream: str | None) -> None:
    """Print what TASK of RUN wrote: its standard output, then its standard error."""
    service = open_service()
    record = service.find_run(run)
    stored = service.find_task(record.id, task)
    chosen = _attempt(service, record, stored.position, task, attempt)
    streams = [stream] if stream else ["stdout", "stderr"]
    if stored.record.reused_from:
        click.echo(f"segue: taken over from run {stored.record.reused_from}", err=True)
    if chosen.message:
        click.echo(f"segue: {chosen.message}", err=True)
    if follow:
        _follow(service, record, stored.position, chosen, streams)
        return
    _check_there(chosen)
    for name in streams:
        _copy(Path(chosen.folder, name), name, 0)


def _check_there(attempt: AttemptRecord) -> None:
    """Raise `NotFoundError` if what an attempt has printed was taken away."""
    if attempt.started_at is not None and not Path(attempt.folder).exists():
        raise NotFoundError(
            f"what attempt {attempt.number} printed is gone: {attempt.folder}",
            "the folder has been removed or moved; its results are still known: segue status",
        )


def _attempt(
    service: Any, run: RunRecord, position: int, task: str, number: int | None
) -> AttemptRecord:
    attempts: list[AttemptRecord] = list(service.store.attempts(run.id, [position]))
    if not attempts:
        raise NotFoundError(
            f"task {shorten(task)!r} has not started yet", f"segue why {run.id} {shorten(task)}"
        )
    if number is None:
        return attempts[-1]
    for each in attempts:
        if each.number == number:
            return each
    known = ", ".join(str(each.number) for each in attempts)
    raise NotFoundError(f"task {shorten(task)!r} has no attempt {number}", f"there are: {known}")


def _copy(path: Path, name: str, start: int) -> int:
    """Copy a file, from `start` on, to our own stream of that name; return where it ended."""
    target = (sys.stderr if name == "stderr" else sys.stdout).buffer
    try:
        with path.open("rb") as source:
            source.seek(start)
            while chunk := source.read(1 << 20):
                target.write(chunk)
                start += len(chunk)
    except FileNotFoundError:
        return start
    target.flush()
    return start


def _follow(
    service: Any, run: RunRecord, position: int, attempt: AttemptRecord, streams: list[str]
) -> None:
    """Copy what comes until the attempt has ended, then what came last."""
    ends = dict.fromkeys(streams, 0)
    while True:
        newest = [
            each
            for each in service.store.attempts(run.id, [position])
            if each.number == attempt.number
        ]
        over = not newest or newest[0].ended_at is not None or newest[0].state in FINAL
        for name in streams:
            ends[name] = _copy(Path(attempt.folder, name), name, ends[name])
        if over:
            return
        time.sleep(WATCH_S / 5)


@click.command()
@click.argument("run", shell_complete=complete_run)
@click.argument("task")
@json_option
def why(run: str, task: str, as_json: bool) -> None:
    """Say why TASK of RUN waits, failed or was skipped, and what to try."""
    from segue.engine.explain import explain

    service = open_service()
    record = service.find_run(run)
    stored = service.find_task(record.id, task)
    engine = service.has_engine(record.id)
    said = explain(service.store, record, stored, service.clock.now(), engine)
    if as_json:
        print_json(
            {
                "run": record.id,
                "task": said.task,
                "state": said.state,
                "sentence": said.sentence,
                "reasons": list(said.reasons),
                "try": list(said.steps),
            }
        )
        return
    from segue.cli.show import show_explanation

    show_explanation(said)


@click.command()
@run_argument
@history_option
@json_option
def history(run: str, task: str, as_json: bool) -> None:
    """Show what happened in RUN (default: the newest run), in order."""
    from segue.engine.documents import history_document

    service = open_service()
    record = service.find_run(run)
    if task:
        service.find_task(record.id, task)
    # History first: a task that it names is stored by then, also while the run grows.
    lines = list(service.store.history(record.id))
    names = {each.position: each.node.name for each in service.store.nodes(record.id)}
    found = [
        each for each in lines if not task or (each.task is not None and names[each.task] == task)
    ]
    if as_json:
        print_json({"run": record.id, "history": [history_document(each, names) for each in found]})
        return
    for each in found:
        about = shorten(names[each.task], 60) if each.task is not None else each.kind
        if each.attempt:
            about += f" #{each.attempt}"
        change = f"{each.old} -> {each.new}" if each.old else each.new
        detail = f"  {each.detail}" if each.detail else ""
        click.echo(f"{each.number:6d}  {clock_time(each.at)}  {about}  {change}{detail}".rstrip())
