"""Asking the engine of a run for something, and waiting a while until it has done so."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from typing import Any, Final

from segue.engine import doorbell
from segue.engine.commands import CommandKind
from segue.engine.service import check_command
from segue.server.desk import Desk
from segue.server.site import Site

#: An answer is waited for so long, in seconds; what was asked is stored in any case.
PATIENCE_S: Final = 5.0
_FIRST_PAUSE_S: Final = 0.01
_LONGEST_PAUSE_S: Final = 0.25


async def ask(site: Site, run: str, wanted: list[tuple[CommandKind, Mapping[str, Any]]]) -> None:
    """Store commands for a run, and wait until its engine has taken them.

    A run that nobody drives is offered to our own engine.

    Raises
    ------
    NotFoundError
        If there is no such run.
    RefusedError
        If a command does not fit the state of the run.
    """
    await site.office.ask(lambda desk: _put(desk, run, wanted))
    until, pause_s = time.monotonic() + PATIENCE_S, _FIRST_PAUSE_S
    while time.monotonic() < until:
        if await site.office.ask(lambda desk: _taken(desk, site, run)):
            return
        await asyncio.sleep(pause_s)
        pause_s = min(2 * pause_s, _LONGEST_PAUSE_S)


def _put(desk: Desk, run: str, wanted: list[tuple[CommandKind, Mapping[str, Any]]]) -> None:
    record = desk.run(run).record
    for kind, argument in wanted:
        check_command(record, kind, force=bool(argument.get("force")))
    if any(kind is CommandKind.RETRY for kind, _ in wanted):
        desk.service.check_not_continued(record)
    for kind, argument in wanted:
        desk.store.put_command(run, kind.value, argument, desk.clock.now())


def _taken(desk: Desk, site: Site, run: str) -> bool:
    if not desk.store.commands([run]):
        return True
    lease = desk.store.lease(run)
    if lease is not None and desk.is_alive(lease):
        if not doorbell.ring(lease.doorbell):
            site.host.ring()
    else:
        site.host.offer(run)
    return False
