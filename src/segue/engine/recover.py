"""The night watch: take a run over, whatever has become of its last engine."""

from __future__ import annotations

import os
import socket
from dataclasses import replace
from typing import Final, NamedTuple

from segue.engine.commands import CommandKind
from segue.engine.live_run import LiveRun
from segue.engine.owner import certainly_dead
from segue.engine.refusal import note_refusal
from segue.engine.scheduler import LEASE_S, Scheduler
from segue.model.errors import NotFoundError, RefusedError
from segue.model.run import AttemptRecord, Lease
from segue.model.states import FINAL, OUTSIDE
from segue.model.workflow import Task
from segue.protocols.store import Store

#: So many tasks a second are loaded even on a busy machine: until then a run is left to us.
LOADED_PER_S: Final = 2000


def load(store: Store, run: str) -> LiveRun:
    """Return a run as the store holds it."""
    record = store.run(run)
    if record is None:
        raise NotFoundError(f"there is no run {run!r}")
    stored = list(store.nodes(run))
    outside = [each.position for each in stored if each.record.state in OUTSIDE]
    newest: dict[int, AttemptRecord] = {}
    for attempt in store.attempts(run, outside) if outside else ():
        newest[attempt.task] = attempt
    newest_line = store.newest_history(run)
    return LiveRun(
        record,
        [each.node for each in stored],
        [each.record for each in stored],
        newest.values(),
        newest_line.number if newest_line else 0,
    )


class Taken(NamedTuple):
    """A run that is ours, loaded, and not yet driven; `before` is the lease that ours replaced."""

    live: LiveRun
    lease: Lease
    before: Lease | None


def take_over(
    store: Store,
    scheduler: Scheduler,
    run: str,
    owner: str,
    *,
    force: bool = False,
    slots: int | None = None,
) -> LiveRun:
    """Make this engine the owner of a run, and ask what became of its jobs.

    `slots`, where given, is remembered as the run's number of local tasks at once.

    Raises
    ------
    RefusedError
        If another engine owns the run, or if its processes may be on another machine.
    """
    return begin(scheduler, prepare(store, scheduler, run, owner, force=force, slots=slots), owner)


def prepare(
    store: Store,
    scheduler: Scheduler,
    run: str,
    owner: str,
    *,
    force: bool = False,
    slots: int | None = None,
) -> Taken:
    """Own a run and load it, which takes a while where it is large: see `take_over`.

    May be done in another thread than the scheduler's, with a store of its own. Why a run
    is refused that nobody else owns is written into its history.
    """
    now = scheduler.clock.now()
    record = store.run(run)
    if record is None:
        raise NotFoundError(f"there is no run {run!r}")
    before = store.lease(run)
    dead = before if before is not None and certainly_dead(before) else None
    loading_s = sum(record.counts.values()) / LOADED_PER_S
    until = now + LEASE_S + loading_s
    here = socket.gethostname()
    wanted = Lease(run, owner, 0, until, here, os.getpid(), scheduler.doorbell.address)
    lease = store.acquire(wanted, now, dead)
    if lease is None and before is not None:
        raise RefusedError(
            f"run {run} is owned by process {before.process_id} on {before.host}",
            f"it goes on there; 'segue status {run} --watch' shows how",
        )
    assert lease is not None
    try:
        live = load(store, run)
        try:
            _check_takeable(store, live, before, scheduler, force=force)
        except RefusedError as error:
            note_refusal(store, live.record, lease, error, now)
            raise
    except BaseException:
        _give_back(store, lease, before, now)
        raise
    if slots is not None:
        live.record = replace(live.record, slots=slots)
    return Taken(live, lease, before)


def _give_back(store: Store, lease: Lease, before: Lease | None, now: float) -> None:
    """Own the run no longer; its lease says again where its last engine was.

    If it named us, we would find at the next look that nothing has been left elsewhere.
    """
    if before is not None:
        as_before = replace(
            lease, host=before.host, process_id=before.process_id, doorbell=before.doorbell
        )
        lease = store.acquire(as_before, now) or lease
    store.release(lease)


def begin(scheduler: Scheduler, taken: Taken, owner: str) -> LiveRun:
    """Let the scheduler drive a run that is ours from now on."""
    scheduler.add(taken.live, taken.lease)
    if taken.before is not None:
        scheduler.note(taken.live, "engine", f"taken over by {owner}")
    return taken.live


def _check_takeable(
    store: Store, live: LiveRun, before: Lease | None, scheduler: Scheduler, *, force: bool
) -> None:
    """Raise `RefusedError` if the run cannot go on here."""
    run, here = live.record.id, socket.gethostname()
    known = scheduler.dispatch.pools()
    missing = _pools_of(store, live, scheduler) - set(known)
    if missing:
        raise RefusedError(
            f"run {run} needs the pool {min(missing)!r}, which is not to be had on {here}",
            f"there is: {', '.join(known)}; let a server have a pool of that name, "
            "or cancel the run",
        )
    if not force and before is not None and _left_elsewhere(live, before, scheduler):
        raise RefusedError(
            f"run {run} has left processes on {before.host}, which cannot be seen from {here}",
            f"resume it on {before.host}, or, if that machine is gone, add --force: "
            "what ran there is then counted as lost and started again",
        )


def _pools_of(store: Store, live: LiveRun, scheduler: Scheduler) -> set[str]:
    """Return the pools that the run has jobs in, and those that it will start tasks in."""
    pools = {attempt.place for attempt in live.attempts.values()}
    if not scheduler.draining and not _is_to_end(store, live):
        pools |= {
            node.pool or live.record.pool
            for node, record in zip(live.nodes, live.records, strict=True)
            if isinstance(node, Task) and record.state not in FINAL
        }
    return pools - {""}


def _is_to_end(store: Store, live: LiveRun) -> bool:
    """Tell whether the run is cancelled, or will be before anything of it can start."""
    return live.record.cancelling or any(
        command.kind == CommandKind.CANCEL and not command.argument.get("tasks")
        for command in store.commands([live.record.id])
    )


def _left_elsewhere(live: LiveRun, before: Lease, scheduler: Scheduler) -> bool:
    """Tell whether jobs that only their own machine can find are on another one."""
    if before.host == socket.gethostname():
        return False
    bound = scheduler.dispatch.bound_to_host()
    return any(attempt.place in bound for attempt in live.attempts.values())
