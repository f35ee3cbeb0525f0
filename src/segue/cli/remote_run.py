"""`run` and `validate` at a server: send a file, and watch what becomes of it."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import click

from segue.cli.common import (
    EXIT_CODES,
    SOURCE_OPTIONS,
    json_option,
    pairs,
    print_json,
    source_options,
)
from segue.cli.main import INTERRUPTED
from segue.cli.options import run_options
from segue.cli.remote_client import Client, problems_of, run_path, task_path
from segue.cli.remote_look import is_over, moment
from segue.model.errors import Severity, UserError, WorkflowError, shorten
from segue.model.states import FINAL, RunState, TaskState
from segue.model.times import duration

#: A run that is waited for is looked at so often, in seconds.
LOOK_S: Final = 0.3


def envelope_of(file: str, options: Mapping[str, Any]) -> dict[str, Any]:
    """Return what is sent to a server: the file, and how it is to be read.

    Raises
    ------
    UserError
        For what only works here.
    """
    from segue import wiring

    if options.get("pgen"):
        raise UserError(
            "--pgen: a server runs no Python of its users while it reads",
            "run it here, without --server",
        )
    if options.get("spec_root"):
        raise UserError("--spec-root names a folder of this machine", "run it here")
    text = wiring.read_text(file)
    chosen = {name: options[name] for name in SOURCE_OPTIONS if options.get(name)}
    if options.get("keep_unknown"):
        chosen["strict_parameters"] = False
    if options.get("slurm_args"):
        chosen["slurm_args"] = options["slurm_args"].split()
    files = {}
    if options.get("lute_config"):
        name = os.path.basename(options["lute_config"])
        files[name] = wiring.read_text(options["lute_config"])
        chosen["config"] = name
    envelope = {
        "document": text,
        "path": "" if file == "-" else Path(file).name,
        "dialect": options.get("dialect") or "",
        "parameters": pairs(options.get("parameters", ()), "-p"),
        "facts": pairs(options.get("facts", ()), "--set"),
        "options": chosen,
        "files": files,
        "pool": options.get("pool") or "",
        "limit": options.get("limit"),
    }
    return {name: value for name, value in envelope.items() if value not in ("", {}, None)}


@click.command()
@click.argument("file", type=click.Path())
@source_options
@run_options
@click.option("--detach", is_flag=True, help="Do not wait for its end; print the run's name.")
@json_option
@click.pass_obj
def run(client: Client, /, file: str, **options: Any) -> None:
    """Run the workflow FILE ('-': standard input) at the server, and wait for its end.

    Ctrl-C ends the waiting; the run goes on.
    """
    from segue.cli.show import show_problems

    made = client.post("/runs", envelope_of(file, options))
    show_problems(problems_of(made["warnings"]))
    if options["detach"]:
        if options["as_json"]:
            print_json({"run": made["id"], "state": made["state"], "log": None})
            return
        click.echo(made["id"])
        click.echo(f"it runs at {client.url}: segue status {made['id']} --watch", err=True)
        return
    raise SystemExit(_wait(client, made["id"], as_json=options["as_json"]))


def _wait(client: Client, run: str, *, as_json: bool) -> int:
    """Say what happens until the run has ended; return the exit code."""
    record = client.get(run_path(run))
    if not as_json:
        click.echo(f"run {run}: {record['taskCount']} tasks, at {client.url}/runs/{run}")
    after = 0
    try:
        while True:
            record = client.get(run_path(run))
            if not as_json:
                after = _show_ends(client, run, after)
            if is_over(record):
                break
            time.sleep(LOOK_S)
    except KeyboardInterrupt:
        click.echo(f"it goes on at the server; look: segue status {run} --watch", err=True)
        return INTERRUPTED
    if as_json:
        print_json(client.get(f"{run_path(run)}/report"))
    else:
        show_end(client, record)
    return EXIT_CODES[RunState(record["state"])]


def _show_ends(client: Client, run: str, after: int) -> int:
    """Print a line for each task that has ended since; return the number of the last line."""
    while True:
        page = client.get(f"{run_path(run)}/history", after=after, limit=1000)
        for line in page["history"]:
            after = line["number"]
            ended = line["kind"] == "step" and line["new"] in {state.value for state in FINAL}
            if ended and line["task"] is not None:
                detail = f", {line['detail']}" if line["detail"] else ""
                click.echo(f"  {shorten(line['task'])}: {line['new']}{detail}")
        if page["next"] is None:
            return after


def show_end(client: Client, run: Mapping[str, Any]) -> None:
    """Print how a run ended: verdict, counts, and each failure with its last words."""
    from segue.cli.show import (
        FAILURES_SHOWN,
        STATE_STYLES,
        TAIL_BYTES,
        counts_text,
        lines_at_end,
    )

    started, ended = moment(run["startedAt"]), moment(run["endedAt"])
    took = f" in {duration(ended - started)}" if started is not None and ended is not None else ""
    words = f"run {run['id']} {run['state']}"
    colour = STATE_STYLES.get(run["state"])
    click.echo(f"{click.style(words, fg=colour, bold=True)}{took}: {counts_text(run['counts'])}")
    if not run["counts"].get(TaskState.FAILED.value):
        return
    tasks = f"{run_path(run['id'])}/tasks"
    for task in client.pages(tasks, "tasks", FAILURES_SHOWN, state="failed"):
        cause = (task["cause"] or "failed").replace("_", " ")
        code = "" if task["exitCode"] is None else f" {task['exitCode']}"
        click.echo(f"  {shorten(task['name'])}: {cause}{code}")
        path = f"{task_path(run['id'], task['name'])}/attempts/latest/stderr"
        for line in lines_at_end(client.text(path, tail=TAIL_BYTES)):
            click.echo(f"    {line}")
    more = run["counts"][TaskState.FAILED.value] - FAILURES_SHOWN
    if more > 0:
        click.echo(f"  and {more} more: segue status {run['id']}")
    hint = f"look closer: segue logs {run['id']} TASK; run them again: segue retry {run['id']}"
    click.echo(f"  {hint}")


@click.command()
@click.argument("file", type=click.Path())
@source_options
@json_option
@click.pass_obj
def validate(client: Client, /, file: str, as_json: bool, **options: Any) -> None:
    """Check FILE ('-': standard input) as the server reads it: every problem with its place.

    Exit code 0: it can be run; 2: it cannot.
    """
    from segue.cli.read import problem_document
    from segue.cli.show import show_problems

    try:
        said = client.post("/runs:validate", envelope_of(file, options))
    except WorkflowError as error:
        said = {"valid": False, "dialect": None, "taskCount": 0}
        problems = list(error.problems)
    else:
        problems = problems_of(said["problems"])
    wrong = not said["valid"]
    if as_json:
        found = [problem_document(problem, file) for problem in problems]
        print_json({"ok": not wrong, "dialect": said["dialect"], "problems": found})
    else:
        show_problems(problems)
        if wrong:
            number = sum(problem.severity is Severity.ERROR for problem in problems)
            click.echo(f"{file}: {number} error{'s' if number != 1 else ''}", err=True)
        else:
            click.echo(f"{file}: a {said['dialect']} workflow, {said['taskCount']} tasks")
    raise SystemExit(2 if wrong else 0)
