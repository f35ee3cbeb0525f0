"""Write docs/reference/cli.md from the commands themselves: python docs/make_cli_page.py."""

import inspect
from pathlib import Path

import click

from segue.cli.main import COMMANDS, segue

PAGE = Path(__file__).parent / "reference" / "cli.md"

HEAD = """# Command line

This page is made from the commands by `docs/make_cli_page.py`.

Where a command takes `RUN`, the beginning of its name will do as long as it is unique; without one, `status`, `history`, `cancel`, `retry`, `pause` and `resume` mean the newest run.

Exit codes: 0 the run succeeded, 1 it failed, 2 the input is wrong, 3 store or batch system could not be reached, 130 cancelled by the user.
"""


def page() -> str:
    """Return the text of the page."""
    parts = [HEAD]
    root = click.Context(segue, info_name="segue")
    for name in COMMANDS:
        command = segue.get_command(root, name)
        context = click.Context(command, info_name=name, parent=root)
        usage = command.get_usage(context).removeprefix("Usage: ").replace("\n", " ")
        parts.append(f"## `segue {name}`\n\n```text\n{' '.join(usage.split())}\n```\n")
        parts.append(inspect.cleandoc(command.help) + "\n")
        rows = [parameter.get_help_record(context) for parameter in command.params]
        lines = [f"| `{option}` | {text} |" for option, text in filter(None, rows)]
        parts.append("\n".join(["| option | meaning |", "|---|---|", *lines]) + "\n")
    return "\n".join(parts)


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
