"""`segue convert`: write a LUTE workflow file in the form of another launcher."""

from __future__ import annotations

from pathlib import Path

import click

from segue.model.errors import UserError


@click.command()
@click.argument("file", type=click.Path())
@click.option(
    "--to", "form", type=click.Choice(["lute", "airflow", "prefect"]), required=True,
    help="lute: for launch_slurm, with the tag !LUTE_DAG; airflow, prefect: for these two, "
    "without tags.",
)  # fmt: skip
@click.option(
    "-o", "--output", default="", metavar="PATH", help="Write here, not to standard output."
)
def convert(file: str, form: str, output: str) -> None:
    """Convert a LUTE workflow FILE ('-': standard input) between its two forms.

    Comments and quotes stay. What the other form cannot say is refused, with its place.
    """
    from segue import wiring
    from segue.dialects.lute_convert import Form, converted

    text = converted(wiring.read_text(file), file, Form(form))
    if not output:
        click.echo(text, nl=False)
        return
    try:
        # Not over a file that is there: it may be the only copy of somebody's workflow.
        with Path(output).open("x", encoding="utf-8") as target:
            target.write(text)
    except FileExistsError as error:
        raise UserError(f"{output} exists", "name a new file with -o") from error
    except OSError as error:
        raise UserError(f"{output} cannot be written: {error.strerror}", "see -o") from error
