"""`segue doctor`: is everything as it should be, and if not, what to do."""

from __future__ import annotations

import os
import platform
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import click

from segue import __version__
from segue.cli.common import json_option, print_json
from segue.model.errors import SegueError


class Finding(NamedTuple):
    """One thing that was looked at."""

    subject: str
    ok: bool
    detail: str
    advice: str = ""


@click.command()
@click.option(
    "--completion", type=click.Choice(["bash", "zsh", "fish"]),
    help="Print what switches shell completion on, and do nothing else.",
)  # fmt: skip
@json_option
def doctor(completion: str | None, as_json: bool) -> None:
    """Check this machine, the store and the engines; say what to do about what is wrong.

    Exit code 0: all is well; 3: something is not.
    """
    if completion:
        click.echo(_COMPLETION[completion])
        return
    findings = list(look_round())
    if as_json:
        print_json({"ok": all(each.ok for each in findings), "findings": [
            each._asdict() for each in findings]})  # fmt: skip
    else:
        for each in findings:
            mark = click.style("ok  ", fg="green") if each.ok else click.style("BAD ", fg="red")
            click.echo(f"{mark}{each.subject}: {each.detail}")
            if each.advice:
                click.echo(f"      {each.advice}")
    raise SystemExit(0 if all(each.ok for each in findings) else 3)


_COMPLETION = {
    "bash": 'eval "$(_SEGUE_COMPLETE=bash_source segue)"   # put this line into ~/.bashrc',
    "zsh": 'eval "$(_SEGUE_COMPLETE=zsh_source segue)"   # put this line into ~/.zshrc',
    "fish": "_SEGUE_COMPLETE=fish_source segue | source   # into ~/.config/fish/config.fish",
}


def look_round() -> Iterator[Finding]:
    """Yield everything that was looked at."""
    yield Finding(
        "segue", True, f"{__version__}, Python {platform.python_version()}, {sys.platform}"
    )
    yield Finding("processors", True, f"{len(os.sched_getaffinity(0))} may be used")
    yield _yaml()
    yield from _store()


def _yaml() -> Finding:
    import yaml

    if yaml.__with_libyaml__:
        return Finding("YAML", True, "the fast reader (libyaml) is there")
    advice = "large YAML files are read ten times slower; reinstall PyYAML with libyaml"
    return Finding("YAML", True, "without libyaml", advice)


def _store() -> Iterator[Finding]:
    from segue import wiring

    url = wiring.default_store_url()
    try:
        store: Any = wiring.open_store(url)
    except SegueError as error:
        yield Finding("store", False, str(error))
        return
    journal = getattr(store, "journal_mode", "")
    network = " (on a network file system: the safe journal)" if journal == "delete" else ""
    kept = f", journal {journal}{network}" if journal else ""
    yield Finding("store", True, wiring.shown_url(url) + kept)
    yield _room(wiring.state_directory(url))
    yield from _engines(store)


def _room(state: Path) -> Finding:
    place = state
    while not place.exists():
        place = place.parent
    free = shutil.disk_usage(place).free
    if free < 100 * 2**20:
        advice = "make room, or give another place with SEGUE_STORE"
        return Finding("disk", False, f"{free // 2**20} MiB are free in {place}", advice)
    return Finding("disk", True, f"{free // 2**30} GiB are free in {place}")


def _engines(store: Any) -> Iterator[Finding]:
    from segue.engine.owner import certainly_dead
    from segue.engine.service import Service
    from segue.model.states import RunState
    from segue.protocols.clock import SystemClock

    service = Service(store, SystemClock())
    for run in store.runs(states=[RunState.RUNNING, RunState.PAUSED]):
        lease = store.lease(run.id)
        if service.has_engine(run.id):
            where = f"process {lease.process_id} on {lease.host}"
            yield Finding(f"run {run.id}", True, f"{run.state}, its engine is {where}")
        else:
            gone = " (its engine died)" if lease and lease.until and certainly_dead(lease) else ""
            yield Finding(
                f"run {run.id}", True, f"{run.state}, no engine owns it{gone}",
                f"take it up: segue resume {run.id}",
            )  # fmt: skip
