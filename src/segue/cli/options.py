"""Options that a verb has both where runs are kept and at a server: said once."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import click

from segue.model.states import RunState, TaskState

Command = TypeVar("Command", bound=Callable[..., Any])


def _all(options: Sequence[Callable[[Any], Any]]) -> Callable[[Command], Command]:
    """Return one decorator for several, which then stand in this order in the help."""

    def decorate(command: Command) -> Command:
        decorated: Any = command
        for option in reversed(options):
            decorated = option(decorated)
        return decorated  # type: ignore[no-any-return]

    return decorate


def _states(help_text: str, words: Sequence[str]) -> Callable[[Any], Any]:
    chosen = click.Choice(words)
    return click.option("--state", "states", multiple=True, type=chosen, help=help_text)


runs_options = _all(
    [
        click.option(
            "-n",
            "--number",
            type=click.IntRange(min=0),
            help="So many; 0: all (default: 20).",
        ),
        _states("Only runs in this state; may be repeated.", [state.value for state in RunState]),
    ]
)
status_options = _all(
    [
        click.option("--watch", is_flag=True, help="Look again until the run has ended."),
        _states("Only tasks in this state; may be repeated.", [state.value for state in TaskState]),
        click.option("--all", "every", is_flag=True, help="Show every task, however many."),
    ]
)
logs_options = _all(
    [
        click.option(
            "--attempt",
            type=click.IntRange(min=1),
            help="Which attempt (default: the newest).",
        ),
        click.option(
            "--follow", is_flag=True, help="Print what is added, until the attempt has ended."
        ),
        click.option("--stderr", "stream", flag_value="stderr", help="Only standard error."),
        click.option("--stdout", "stream", flag_value="stdout", help="Only standard output."),
    ]
)
history_option = click.option("--task", default="", help="Only what happened to this task.")
graph_options = _all(
    [
        click.option(
            "--format",
            "form",
            type=click.Choice(["text", "json", "mermaid", "dot"]),
            default="text",
        ),
        click.option(
            "--level",
            type=click.Choice(["template", "task"]),
            default="template",
            show_default=True,
            help="A box a template, or a box a task.",
        ),
        click.option(
            "--output-path",
            default="",
            metavar="DIR",
            help="Draw as for a run that writes here.",
        ),
    ]
)
limit_options = _all(
    [
        click.option(
            "--limit",
            type=click.IntRange(min=0),
            help="At most so many tasks at once; 0: no limit.",
        ),
        click.option(
            "--restart-limit",
            type=click.IntRange(min=0),
            help="Restart a task that timed out so often, whatever it says itself; 0: without end.",
        ),
    ]
)
again_option = click.option(
    "--again",
    is_flag=True,
    help="Run TASKS again though they succeeded, and everything that stands behind them.",
)
run_options = _all(
    [
        click.option(
            "--limit",
            type=click.IntRange(min=0),
            help="At most so many tasks of this run at once; 0: all.",
        ),
        click.option(
            "--pool", default="", metavar="NAME", help="Run in this pool, whatever the file says."
        ),
    ]
)
reason_option = click.option("--reason", required=True, help="Why; it stands in the run's history.")
yes_option = click.option("-y", "--yes", is_flag=True, help="Do not ask.")
