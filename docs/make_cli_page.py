"""Write docs/reference/cli.md from the commands themselves: python docs/make_cli_page.py."""

import inspect
from pathlib import Path

import click

from segue.cli.main import COMMANDS, segue

PAGE = Path(__file__).parent / "reference" / "cli.md"

HEAD = """# Command line

This page is made from the commands by `docs/make_cli_page.py`.

Where a command takes `RUN`, the beginning of its name will do as long as it is unique; without one, `status`, `history`, `cancel`, `retry`, `update`, `pause`, `resume` and `study table` mean the newest run.

Exit codes: 0 the run succeeded, 1 it failed, 2 the input is wrong, 3 store or batch system could not be reached, 130 cancelled by the user.
"""


def page() -> str:
    """Return the text of the page."""
    parts = [HEAD]
    root = click.Context(segue, info_name="segue")
    for name in COMMANDS:
        command = segue.get_command(root, name)
        context = click.Context(command, info_name=name, parent=root)
        if isinstance(command, click.Group):
            for below in command.list_commands(context):
                inner = command.get_command(context, below)
                parts += section(inner, click.Context(inner, info_name=below, parent=context))
        else:
            parts += section(command, context)
    return "\n".join(parts)


def section(command: click.Command, context: click.Context) -> list[str]:
    """Return the parts of the page that are about one command."""
    usage = command.get_usage(context).removeprefix("Usage: ").replace("\n", " ")
    heading = f"## `{context.command_path}`\n\n```text\n{' '.join(usage.split())}\n```\n"
    rows = [parameter.get_help_record(context) for parameter in command.params]
    lines = [f"| `{option}` | {text} |" for option, text in filter(None, rows)]
    table = "\n".join(["| option | meaning |", "|---|---|", *lines]) + "\n"
    return [heading, inspect.cleandoc(command.help) + "\n", table]


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
