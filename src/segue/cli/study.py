"""`segue study table`: the tasks of a run with their parameters, a row each."""

from __future__ import annotations

import csv
import json
import sys
from collections.abc import Iterator, Sequence
from typing import Any, Final, NamedTuple

import click

from segue.cli.common import complete_run, json_option, open_service, print_json
from segue.engine.jobs import task_directory
from segue.model.drawing import template_of
from segue.model.errors import shorten
from segue.model.run import RunRecord
from segue.model.workflow import Task

#: Columns before those of the parameters.
_OWN: Final = ("task", "template", "state", "workspace")


class Row(NamedTuple):
    """One task of a study."""

    task: str
    template: str
    state: str
    workspace: str
    parameters: dict[str, Any]


@click.group()
def study() -> None:
    """Look at a run as a study: which parameters each of its tasks has."""


@study.command()
@click.argument("run", default="", shell_complete=complete_run)
@click.option("--csv", "as_csv", is_flag=True, help="Print comma-separated values.")
@json_option
def table(run: str, as_csv: bool, as_json: bool) -> None:
    """Show every task of RUN that has parameters (default: the newest run), a row each.

    A column a parameter, in the order in which they first appear; a task that does not
    have one of them has an empty cell there.
    """
    service = open_service()
    record = service.find_run(run)
    rows = list(rows_of(service.store, record))
    names = list(dict.fromkeys(name for row in rows for name in row.parameters))
    if as_json:
        print_json(
            {"run": record.id, "parameters": names, "tasks": [row._asdict() for row in rows]}
        )
    elif as_csv:
        writer = csv.writer(sys.stdout, lineterminator="\n")
        writer.writerow([*_OWN, *(_heading(name) for name in names)])
        writer.writerows(_cells(row, names) for row in rows)
    elif rows:
        from segue.cli import show

        cells = ([shorten(cell, 60) for cell in _cells(row, names)] for row in rows)
        show.table([*_OWN, *(shorten(_heading(name), 60) for name in names)], cells)
    else:
        click.echo(f"no task of run {record.id} has parameters")


def rows_of(store: Any, run: RunRecord) -> Iterator[Row]:
    """Yield a row for each task that has parameters, in the order of the graph."""
    for stored in store.nodes(run.id):
        node = stored.node
        if isinstance(node, Task) and node.parameters:
            folder = task_directory(run, node)
            state = stored.record.state.value
            yield Row(node.name, template_of(node), state, folder, dict(node.parameters))


def _heading(name: str) -> str:
    """Return the heading of a parameter's column: one that no column of ours has."""
    return f"parameter:{name}" if name in _OWN else name


def _cells(row: Row, names: Sequence[str]) -> list[str]:
    values = [_text(row.parameters[name]) if name in row.parameters else "" for name in names]
    return [*row[:4], *values]


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
