"""The front desk: submit, ask for changes, find runs and tasks by what people call them."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Collection, Mapping, Sequence
from typing import Any, Final

from segue.engine import doorbell
from segue.engine.commands import CommandKind
from segue.engine.owner import certainly_dead
from segue.model.errors import (
    NotFoundError,
    OutsideError,
    RefusedError,
    WorkflowError,
    did_you_mean,
    shorten,
)
from segue.model.graph import check_graph
from segue.model.run import HistoryRecord, Node, RunRecord
from segue.model.states import FINAL_RUN, RunState
from segue.model.workflow import Task, Workflow
from segue.protocols.clock import Clock
from segue.protocols.store import Store, StoredNode, TaskFilter

#: Letters and digits that are not mistaken for each other when read aloud.
_ALPHABET: Final = "23456789abcdefghjkmnpqrstuvwxyz"
#: How long a door waits for an engine to take a command, in seconds.
COMMAND_PATIENCE_S: Final = 10.0


def new_run_id(workflow: str) -> str:
    """Return an id that says what runs, and that nobody has had before.

    Examples
    --------
    >>> import re
    >>> bool(re.fullmatch("build-archive-[2-9a-z]{6}", new_run_id("Build archive")))
    True
    """
    slug = re.sub(r"[^a-z0-9]+", "-", workflow.lower()[:200]).strip("-")[:24].strip("-")
    number = int.from_bytes(os.urandom(8))
    word = "".join(_ALPHABET[number // len(_ALPHABET) ** at % len(_ALPHABET)] for at in range(6))
    return f"{slug or 'run'}-{word}"


class Service:
    """What a person can ask for, whichever door it comes through."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self.store = store
        self.clock = clock

    # Runs --------------------------------------------------------------------

    def submit(
        self,
        workflow: Workflow,
        *,
        run: str,
        source: str,
        directory: str,
        workspace: str,
        pools: Collection[str] | None = None,
        pool: str = "",
        limit: int | None = None,
    ) -> RunRecord:
        """Store a run of the workflow, and return it. It begins when an engine takes it.

        `pools` are the pools that will be there; None leaves that open. `pool` and
        `limit`, where given, win over the workflow's own.

        Raises
        ------
        WorkflowError
            If the graph has faults that the dialect could not see.
        RefusedError
            If a task names a pool that is not there.
        """
        problems = check_graph(workflow)
        if problems:
            raise WorkflowError(problems)
        now = self.clock.now()
        record = RunRecord(
            id=run,
            workflow=workflow.name,
            dialect=workflow.dialect,
            state=RunState.RUNNING,
            source=source,
            directory=directory,
            workspace=workspace,
            created_at=now,
            started_at=now,
            verdict=workflow.verdict,
            limit=workflow.limit if limit is None else limit,
            pool=pool or workflow.pool,
            description=workflow.description,
            tags=workflow.tags,
            context=workflow.context,
            counts={"waiting": len(workflow.tasks)} if workflow.tasks else {},
        )
        if pools is not None:
            check_pools(workflow, record.pool, pools)
        nodes: list[Node] = [*workflow.tasks, *workflow.barriers]
        created = HistoryRecord(1, now, "run", new=RunState.RUNNING.value, detail=source)
        self.store.create_run(record, nodes, created)
        return record

    def find_run(self, name: str = "") -> RunRecord:
        """Return the run of that id or unique beginning of one; empty: the newest run.

        Raises
        ------
        NotFoundError
            If there is none, or more than one.
        """
        if not name:
            newest = self.store.runs(limit=1)
            if newest:
                return newest[0]
            raise NotFoundError("there are no runs yet", "start one: segue run FILE")
        record = self.store.run(name)
        if record is not None:
            return record
        found = self.store.find_runs(name)
        if len(found) > 1:
            shown = ", ".join(found[:5])
            raise NotFoundError(f"{name!r} is the beginning of {len(found)} runs: {shown}")
        record = self.store.run(found[0]) if found else None
        if record is None:
            known = [run.id for run in self.store.runs(limit=1000)]
            hint = did_you_mean(name, known) or "'segue runs' lists them"
            raise NotFoundError(f"there is no run {shorten(name)!r}", hint)
        return record

    def find_task(self, run: str, name: str) -> StoredNode:
        """Return the task of that name.

        Raises
        ------
        NotFoundError
            If the run has no such task; several instances of a template are named.
        """
        for stored in self.store.nodes(run, TaskFilter(names=(name,))):
            if isinstance(stored.node, Task):
                return stored
        instances = [
            each.node.name for each in self.store.nodes(run, TaskFilter(template=name, limit=6))
        ]
        if instances:
            shown = ", ".join(shorten(each, 40) for each in instances[:5])
            raise NotFoundError(
                f"{shorten(name)!r} is a template of run {run}", f"name one of its tasks: {shown}"
            )
        known = [each.node.name for each in self.store.nodes(run, TaskFilter(limit=5000))]
        hint = did_you_mean(name, known) or f"'segue status {run}' lists the tasks"
        raise NotFoundError(f"run {run} has no task {shorten(name)!r}", hint)

    # Commands ----------------------------------------------------------------

    def has_engine(self, run: str) -> bool:
        """Tell whether an engine owns the run now, as far as can be known."""
        lease = self.store.lease(run)
        return lease is not None and lease.until > self.clock.now() and not certainly_dead(lease)

    def ask(self, run: RunRecord, kind: CommandKind, argument: Mapping[str, Any]) -> bool:
        """Write a command and wake the engine; return whether one has taken it.

        Waits until the engine has done so. False: no engine owns the run (any more),
        and the command waits for the next one.

        Raises
        ------
        RefusedError
            If the command does not fit the state of the run.
        """
        check_command(run, kind)
        self.store.put_command(run.id, kind.value, argument, self.clock.now())
        return self.wait_taken(run.id)

    def wait_taken(self, run: str) -> bool:
        """Wait while an engine owns the run; return whether all its commands are taken.

        Raises
        ------
        OutsideError
            If the engine does not answer.
        """
        patience = time.monotonic() + COMMAND_PATIENCE_S
        while self.has_engine(run):
            lease = self.store.lease(run)
            doorbell.ring(lease.doorbell if lease else "")
            if not self.store.commands([run]):
                return True
            if time.monotonic() > patience:
                raise OutsideError(
                    f"the engine of run {run} has not answered for {COMMAND_PATIENCE_S:.0f} s",
                    "the command is stored and will be taken; 'segue doctor' looks closer",
                )
            time.sleep(0.02)
        return not self.store.commands([run])


def check_command(run: RunRecord, kind: CommandKind) -> None:
    """Raise `RefusedError` unless the command fits the state of the run."""
    if run.state in FINAL_RUN and kind in (CommandKind.CANCEL, CommandKind.PAUSE):
        raise RefusedError(f"run {run.id} has ended already: {run.state}")
    if kind is CommandKind.RETRY and run.state is RunState.SUCCEEDED:
        skipped = run.counts.get("skipped", 0) + run.counts.get("failed", 0)
        if not skipped:
            raise RefusedError(
                f"run {run.id} has succeeded: there is nothing to retry",
                "start a new run to do everything again: segue run FILE",
            )


def check_pools(workflow: Workflow, default: str, pools: Collection[str]) -> None:
    """Raise `RefusedError` if a task, or the run, names a pool that is not there."""
    wanted = {task.pool or default for task in workflow.tasks} - {""}
    unknown = sorted(wanted - set(pools))
    if unknown:
        known: Sequence[str] = sorted(pools)
        raise RefusedError(
            f"the workflow asks for the pool {unknown[0]!r}, which is not set up here",
            did_you_mean(unknown[0], known)
            or f"run it in another one with --pool; there is: {', '.join(known)}",
        )
