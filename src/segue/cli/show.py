"""Runs, tasks and problems as a person reads them."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from segue.model.errors import Problem, Severity, shorten
from segue.model.run import AttemptRecord, RunRecord
from segue.model.states import FINAL_RUN, TaskState
from segue.model.times import duration, size
from segue.model.workflow import Action, Argv, Container, ManagedTask, Script, Task, Workflow
from segue.protocols.store import Store, TaskFilter

if TYPE_CHECKING:
    from segue.engine.explain import Explanation

FAILURES_SHOWN: Final = 10
TAIL_BYTES: Final = 2000
_TAIL_LINES: Final = 6
STATE_STYLES: Final = {
    "succeeded": "green", "failed": "red", "running": "cyan", "skipped": "yellow",
    "cancelled": "magenta", "paused": "yellow",
}  # fmt: skip


def table(columns: Sequence[str], rows: Iterable[Sequence[str]], right: Sequence[int] = ()) -> None:
    """Print a table: with colours on a terminal, as plain aligned columns elsewhere."""
    listed = [list(row) for row in rows]
    widths = [
        max([len(column), *(len(row[at]) for row in listed)]) for at, column in enumerate(columns)
    ]

    def line(cells: Sequence[str], styled: bool) -> str:
        shown = []
        for at, cell in enumerate(cells):
            text = cell.rjust(widths[at]) if at in right else cell.ljust(widths[at])
            colour = STATE_STYLES.get(cell) if styled else None
            shown.append(click.style(text, fg=colour) if colour else text)
        return "  ".join(shown).rstrip()

    click.echo(click.style(line(list(columns), False), bold=True))
    for row in listed:
        click.echo(line(row, True))


def counts_text(counts: Any) -> str:
    """Return counts of states as one line, the good ones first."""
    order = [state.value for state in TaskState]
    known = sorted(counts.items(), key=lambda item: order.index(item[0]))
    return ", ".join(f"{number} {state}" for state, number in known if number) or "no tasks"


def show_problems(problems: Iterable[Problem]) -> None:
    """Print problems, each with its place and hint."""
    for problem in problems:
        colour = "red" if problem.severity is Severity.ERROR else "yellow"
        head, _, rest = str(problem).partition("\n")
        click.echo(click.style(head, fg=colour), err=True)
        if rest:
            click.echo(rest, err=True)


def show_warnings(workflow: Workflow) -> None:
    """Print what is odd about a workflow that can be run."""
    show_problems(workflow.warnings)


def show_plan(workflow: Workflow) -> None:
    """Print what would run, a line a template."""
    click.echo(f"{workflow.name} ({workflow.dialect}): {len(workflow.tasks)} tasks")
    from segue.model.drawing import template_of

    templates: dict[str, list[Task]] = {}
    for task in workflow.tasks:
        templates.setdefault(template_of(task), []).append(task)
    table(
        ["template", "tasks", "runs"],
        (
            [shorten(name, 40), str(len(tasks)), shorten(action_line(tasks[0].action), 70)]
            for name, tasks in templates.items()
        ),
        right=[1],
    )
    click.echo("nothing was run or stored; 'segue graph FILE' shows what needs what")


def action_line(action: Action) -> str:
    """Return what an action runs, in one line."""
    if isinstance(action, Argv):
        return " ".join(action.arguments).replace("\n", " ")
    if isinstance(action, Script):
        lines = [line for line in action.text.splitlines() if line and not line.startswith("#")]
        return "; ".join(lines)
    if isinstance(action, ManagedTask):
        return " ".join(action.command) or f"managed Task {action.name}"
    if isinstance(action, Container):
        return " ".join((action.image, *action.arguments))
    return "nothing"


def show_end(store: Store, run: RunRecord) -> None:
    """Print how a run ended: verdict, counts, and each failure with its last words."""
    took = ""
    if run.ended_at is not None and run.started_at is not None:
        took = f" in {duration(run.ended_at - run.started_at)}"
    verb = "is" if run.state not in FINAL_RUN else ""
    words = " ".join(part for part in ("run", run.id, verb, run.state.value) if part)
    colour = STATE_STYLES.get(run.state.value)
    click.echo(f"{click.style(words, fg=colour, bold=True)}{took}: {counts_text(run.counts)}")
    if run.counts.get(TaskState.FAILED.value):
        _show_failures(store, run)


def _show_failures(store: Store, run: RunRecord) -> None:
    wanted = TaskFilter(states=(TaskState.FAILED,), limit=FAILURES_SHOWN)
    for stored in store.nodes(run.id, wanted):
        attempts = list(store.attempts(run.id, [stored.position]))
        if not attempts:
            continue
        from segue.cli.progress import failure

        click.echo(f"  {shorten(stored.node.name)}: {failure(attempts[-1])}")
        for line in last_lines(Path(attempts[-1].folder, "stderr")):
            click.echo(f"    {line}")
    more = run.counts.get(TaskState.FAILED.value, 0) - FAILURES_SHOWN
    if more > 0:
        click.echo(f"  and {more} more: segue status {run.id}")
    click.echo(f"  look closer: segue logs {run.id} TASK; run them again: segue retry {run.id}")


def last_lines(path: Path) -> list[str]:
    """Return the last lines of a file that may be large, binary or missing."""
    try:
        with path.open("rb") as stream:
            stream.seek(0, 2)
            stream.seek(max(0, stream.tell() - TAIL_BYTES))
            text = stream.read().decode("utf-8", "replace")
    except OSError:
        return []
    return lines_at_end(text)


def lines_at_end(text: str) -> list[str]:
    """Return the last lines of a text, as they can be shown."""
    lines = [line for line in text.splitlines() if line.strip()][-_TAIL_LINES:]
    return ["".join(sign if sign.isprintable() else "\ufffd" for sign in line) for line in lines]


def show_tasks(store: Store, run: RunRecord, wanted: TaskFilter, attempts_of: Any) -> None:
    """Print a line a task."""
    rows = []
    for stored in store.nodes(run.id, wanted):
        if not isinstance(stored.node, Task):
            continue
        newest: AttemptRecord | None = attempts_of(stored.position)
        cause = stored.record.present_cause
        said = cause.value.replace("_", " ") if cause else ""
        rows.append(
            [
                shorten(stored.node.name, 60),
                stored.record.state.value,
                "taken over" if stored.record.reused_from else said,
                str(stored.record.attempt or "-"),
                took(newest),
                size(newest.usage.peak_rss_bytes) if newest else "-",
            ]
        )
    table(["task", "state", "cause", "attempt", "time", "memory"], rows, right=[3, 4, 5])


def took(attempt: AttemptRecord | None) -> str:
    """Return how long an attempt took, or has taken so far."""
    if attempt is None or attempt.started_at is None:
        return "-"
    if attempt.ended_at is not None:
        return duration(attempt.ended_at - attempt.started_at)
    import time

    return duration(time.time() - attempt.started_at)


def show_explanation(said: Explanation) -> None:
    """Print why a task is where it is, and what to try."""
    state = click.style(said.state, fg=STATE_STYLES.get(said.state))
    click.echo(f"{shorten(said.task)} ({state}): {said.sentence}")
    for reason in said.reasons:
        click.echo(f"  - {reason}")
    for step in said.steps:
        click.echo(f"  try: {step}")


def clear_screen() -> None:
    """Clear a terminal, and nothing else."""
    if sys.stdout.isatty():
        click.clear()
