"""`runs`, `status`, `logs`, `why`, `history`, `graph` at a server: windows on what it knows."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

import click

from segue.cli.common import json_option, print_json, run_argument, source_options
from segue.cli.look import RUNS_SHOWN, TASKS_SHOWN, WATCH_S
from segue.cli.options import (
    graph_options,
    history_option,
    logs_options,
    runs_options,
    status_options,
)
from segue.cli.remote_client import Client, run_path, task_path
from segue.model.errors import NotFoundError, shorten
from segue.model.states import FINAL_RUN, RunState
from segue.model.times import clock_time, duration, size

#: History is asked for so many lines at a time.
LINES: Final = 1000


def moment(text: str | None) -> float | None:
    """Return a time of an answer as seconds since the epoch.

    Examples
    --------
    >>> moment("1970-01-01T00:00:01.500Z"), moment(None)
    (1.5, None)
    """
    return None if text is None else datetime.fromisoformat(text).timestamp()


def is_over(run: Mapping[str, Any]) -> bool:
    """Tell whether a run has ended."""
    return RunState(run["state"]) in FINAL_RUN


def state_of(run: Mapping[str, Any]) -> str:
    """Return the state of a run, and whether anybody drives it."""
    alive = run["engine"] is not None and run["engine"]["alive"]
    return run["state"] if is_over(run) or alive else f"{run['state']} (no engine)"


@click.command()
@runs_options
@json_option
@click.pass_obj
def runs(client: Client, number: int | None, states: tuple[str, ...], as_json: bool) -> None:
    """List runs, newest first."""
    if number is None:
        number = 0 if as_json else RUNS_SHOWN
    found = client.pages("/runs", "runs", number, state=states, sort="-createdAt")
    if as_json:
        print_json({"runs": [_run_line(run) for run in found]})
        return
    if not found:
        click.echo("there are no runs yet; start one: segue run FILE")
        return
    from segue.cli.show import counts_text, table

    table(
        ["run", "workflow", "dialect", "state", "started", "tasks"],
        (
            [
                run["id"],
                shorten(run["workflow"], 30),
                run["dialect"],
                state_of(run),
                (run["startedAt"] or "-")[:19].replace("T", " "),
                counts_text(run["counts"]),
            ]
            for run in found
        ),
    )


def _run_line(run: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "run": run["id"],
        "workflow": run["workflow"],
        "dialect": run["dialect"],
        "state": run["state"],
        "counts": run["counts"],
        "started_at": run["startedAt"],
        "ended_at": run["endedAt"],
    }


@click.command()
@run_argument
@status_options
@json_option
@click.pass_obj
def status(
    client: Client, run: str, watch: bool, states: tuple[str, ...], every: bool, as_json: bool
) -> None:
    """Show how far RUN has come (default: the newest run)."""
    record = client.find_run(run)
    if as_json:
        while watch and not is_over(record):
            time.sleep(WATCH_S)
            record = client.get(run_path(record["id"]))
        print_json(client.get(f"{run_path(record['id'])}/report", state=states))
        return
    while True:
        if watch:
            from segue.cli.show import clear_screen

            clear_screen()
        show_status(client, record, states, every or bool(states))
        if not watch or is_over(record):
            return
        time.sleep(WATCH_S)
        record = client.get(run_path(record["id"]))


def show_status(
    client: Client, run: Mapping[str, Any], states: tuple[str, ...], every: bool
) -> None:
    """Print how far a run has come."""
    from segue.cli import show

    colour = show.STATE_STYLES.get(run["state"])
    state = click.style(state_of(run), fg=colour, bold=True)
    click.echo(f"{run['id']}: {run['workflow']} ({run['dialect']}), {state}")
    click.echo(f"{show.counts_text(run['counts'])}; workspace {run['workspace']} at {client.url}")
    if run["continues"]:
        click.echo(f"it continues run {run['continues']}")
    if run["continuedBy"]:
        click.echo(f"continued as run {run['continuedBy']}")
    started, ended = moment(run["startedAt"]), moment(run["endedAt"])
    if started is not None:
        took = duration((ended or time.time()) - started)
        click.echo(f"started {clock_time(started)}, {took}")
    if run["taskCount"] <= TASKS_SHOWN or every:
        _show_tasks(client, run, states)
    else:
        _show_templates(client, run)
    if not is_over(run) and not (run["engine"] and run["engine"]["alive"]):
        refused = run.get("problem") or "the server takes it up as soon as it can"
        click.echo(f"no engine owns it now; {refused}")


def _show_tasks(client: Client, run: Mapping[str, Any], states: tuple[str, ...]) -> None:
    from segue.cli.show import table

    rows = [
        [
            shorten(task["name"], 60),
            task["state"],
            (task["cause"] or "").replace("_", " "),
            str(task["attempts"] or "-"),
            "-" if task["durationSeconds"] is None else duration(task["durationSeconds"]),
            size(task["peakRssBytes"]),
        ]
        for task in client.pages(f"{run_path(run['id'])}/tasks", "tasks", state=states)
    ]
    table(["task", "state", "cause", "attempt", "time", "memory"], rows, right=[3, 4, 5])


def _show_templates(client: Client, run: Mapping[str, Any]) -> None:
    from segue.cli.show import counts_text, table

    graph = client.get(f"{run_path(run['id'])}/graph", level="template")
    if len(graph["nodes"]) <= TASKS_SHOWN:
        rows = [
            [shorten(node["label"], 60), str(node["tasks"]), counts_text(node["states"])]
            for node in graph["nodes"]
        ]
        table(["template", "tasks", "states"], rows, right=[1])
    click.echo(f"every task: segue status {run['id']} --all; some: --state failed")


# One task ----------------------------------------------------------------------------


@click.command()
@click.argument("run")
@click.argument("task")
@logs_options
@click.pass_obj
def logs(
    client: Client, run: str, task: str, attempt: int | None, follow: bool, stream: str | None
) -> None:
    """Print what TASK of RUN wrote: its standard output, then its standard error.

    With --follow, standard error comes when standard output has ended.
    """
    record = client.find_run(run)
    base = f"{task_path(record['id'], task)}/attempts/{attempt or 'latest'}"
    chosen = client.get(base)
    if chosen["message"]:
        click.echo(f"segue: {chosen['message']}", err=True)
    if chosen["outputGone"]:
        raise NotFoundError(
            f"what attempt {chosen['number']} printed is gone from the server",
            "the folder has been removed or moved; its results are still known: segue status",
        )
    number = f"{task_path(record['id'], task)}/attempts/{chosen['number']}"
    for name in [stream] if stream else ["stdout", "stderr"]:
        target = (sys.stderr if name == "stderr" else sys.stdout).buffer
        query = {"follow": 1} if follow else {}
        with client.stream(f"{number}/{name}", **query) as chunks:
            for chunk in chunks:
                target.write(chunk)
                target.flush()


@click.command()
@click.argument("run")
@click.argument("task")
@json_option
@click.pass_obj
def why(client: Client, run: str, task: str, as_json: bool) -> None:
    """Say why TASK of RUN waits, failed or was skipped, and what to try."""
    from segue.cli.show import show_explanation
    from segue.engine.explain import Explanation

    record = client.find_run(run)
    found = client.get(task_path(record["id"], task))
    said = found["why"]
    if as_json:
        print_json(
            {
                "run": record["id"],
                "task": found["name"],
                "state": found["state"],
                "sentence": said["sentence"],
                "reasons": said["reasons"],
                "try": said["steps"],
            }
        )
        return
    show_explanation(
        Explanation(found["name"], found["state"], said["sentence"], said["reasons"], said["steps"])
    )


@click.command()
@run_argument
@history_option
@json_option
@click.pass_obj
def history(client: Client, run: str, task: str, as_json: bool) -> None:
    """Show what happened in RUN (default: the newest run), in order."""
    record = client.find_run(run)
    if task:
        client.get(task_path(record["id"], task))
    lines: list[dict[str, Any]] = []
    after: int | None = 0
    while after is not None:
        page = client.get(f"{run_path(record['id'])}/history", after=after, limit=LINES)
        lines += [line for line in page["history"] if not task or line["task"] == task]
        after = page["next"]
    if as_json:
        print_json({"run": record["id"], "history": lines})
        return
    for line in lines:
        _show_line(line)


def _show_line(line: Mapping[str, Any]) -> None:
    about = shorten(line["task"], 60) if line["task"] is not None else line["kind"]
    if line["attempt"]:
        about += f" #{line['attempt']}"
    change = f"{line['old']} -> {line['new']}" if line["old"] else line["new"] or ""
    detail = f"  {line['detail']}" if line["detail"] else ""
    at = clock_time(moment(line["at"]) or 0.0)
    click.echo(f"{line['number']:6d}  {at}  {about}  {change}{detail}".rstrip())


@click.command()
@click.argument("target", metavar="FILE|RUN")
@graph_options
@source_options
@click.pass_context
def graph(
    context: click.Context, /, target: str, form: str, level: str, output_path: str, **options: Any
) -> None:
    """Show the graph of a workflow FILE, or of a RUN with the states of its tasks."""
    if target == "-" or os.path.exists(target):
        # Reading a file needs no server.
        from segue.cli.read import graph as local

        words = {"target": target, "form": form, "level": level, "output_path": output_path}
        context.invoke(local, **words, **options)
        return
    client: Client = context.obj
    path = f"{run_path(client.find_run(target)['id'])}/graph"
    if form == "json":
        print_json(client.get(path, level=level))
    elif form == "text":
        _show_graph(client.get(path, level=level))
    else:
        click.echo(client.text(path, level=level, format=form).rstrip("\n"))


def _show_graph(picture: Mapping[str, Any]) -> None:
    from segue.cli.show import counts_text

    needs: dict[str, list[str]] = {node["id"]: [] for node in picture["nodes"]}
    for edge in picture["edges"]:
        needs[edge["to"]].append(edge["from"])
    for node in picture["nodes"]:
        times = f" x {node['tasks']}" if node["tasks"] > 1 else ""
        states = f"  ({counts_text(node['states'])})" if node["states"] else ""
        after = f"  <- {', '.join(needs[node['id']])}" if needs[node["id"]] else ""
        click.echo(f"{node['label']}{times}{after}{states}")
