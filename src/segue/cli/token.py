"""`segue token`: who may use a server of this store, and how far."""

from __future__ import annotations

import os
import re
import time
from typing import Any, Final

import click

from segue.cli.common import json_option, print_json
from segue.cli.serve import check_library
from segue.model.access import Role
from segue.model.errors import NotFoundError, UserError
from segue.model.times import rfc3339

_UNITS: Final = {"m": 60, "h": 3600, "d": 86400, "w": 7 * 86400}
store_option = click.option(
    "--store", default="", metavar="URL", help="Of this store (default: SEGUE_STORE)."
)


@click.group()
def token() -> None:
    """Let others use a server: make, list and revoke tokens.

    As soon as there is one, the servers of the store ask everybody for a token.
    """


@token.command()
@click.option(
    "--role", required=True, type=click.Choice([role.word for role in Role]),
    help="viewer: look; operator: submit and change too; admin: delete too.",
)  # fmt: skip
@click.option("--name", required=True, help="Who or what it is for.")
@click.option("--expires", default="", metavar="TIME", help="It ends after that: 12h, 30d, 8w.")
@store_option
@json_option
def create(role: str, name: str, expires: str, store: str, as_json: bool) -> None:
    """Make a token, and print it: it cannot be shown again."""
    check_library()
    from segue.server.auth import new_token

    now = time.time()
    until = now + seconds_of(expires) if expires else None
    kept, text = new_token(name, Role[role.upper()], now, until)
    opened = _open(store)
    opened.put_token(kept)
    opened.close()
    if as_json:
        print_json({"id": kept.id, "name": name, "role": role, "token": text})
        return
    click.echo(text)
    click.echo("it is shown this once; send it as 'Authorization: Bearer TOKEN'", err=True)


@token.command(name="list")
@store_option
@json_option
def list_tokens(store: str, as_json: bool) -> None:
    """List the tokens; their secrets are not kept."""
    opened = _open(store)
    found = opened.tokens()
    opened.close()
    if as_json:
        rows = [
            {
                "id": each.id,
                "name": each.name,
                "role": each.role.word,
                "created_at": rfc3339(each.created_at),
                "expires_at": rfc3339(each.expires_at),
            }
            for each in found
        ]
        print_json({"tokens": rows})
        return
    if not found:
        click.echo("there are no tokens: only this machine reaches a server, and may do everything")
        return
    from segue.cli.show import table

    now = time.time()
    table(
        ["id", "name", "role", "created", "expires"],
        (
            [each.id, each.name, each.role.word, _day(each.created_at), _end(each.expires_at, now)]
            for each in found
        ),
    )


@token.command()
@click.argument("token_id")
@store_option
def revoke(token_id: str, store: str) -> None:
    """Let a token be of no use any more, a few seconds from now."""
    opened = _open(store)
    # Whoever pastes the whole token means the same.
    number = token_id.split("_")[1] if token_id.startswith("segue_") else token_id
    gone = opened.remove_token(number)
    left = opened.tokens()
    opened.close()
    if not gone:
        raise NotFoundError(f"there is no token {number!r}", "'segue token list' shows them")
    click.echo(f"token {number} is revoked")
    if not left:
        click.echo(
            "it was the last one: a server that listens to this machine alone asks for none now",
            err=True,
        )


def seconds_of(text: str) -> float:
    """Return a time such as ``30d`` in seconds.

    Examples
    --------
    >>> seconds_of("12h")
    43200.0
    """
    found = re.fullmatch(r"(\d{1,6})([mhdw])", text)
    if not found or not int(found[1]):
        raise UserError(f"--expires {text!r} is no time", "write 90m, 12h, 30d or 8w")
    return float(int(found[1]) * _UNITS[found[2]])


def _open(url: str) -> Any:
    from segue import wiring

    if url:
        os.environ["SEGUE_STORE"] = url  # a path stands for an SQLite file there
    return wiring.open_store()


def _day(at: float | None) -> str:
    return (rfc3339(at) or "never")[:16].replace("T", " ")


def _end(at: float | None, now: float) -> str:
    return "expired" if at is not None and at <= now else _day(at)
