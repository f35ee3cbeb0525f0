"""The front desk: submit, ask for changes, find runs and tasks by what people call them."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

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
from segue.model.workflow import EMPTY, Task, Workflow
from segue.protocols.clock import Clock
from segue.protocols.store import Request, Store, StoredNode, TaskFilter

if TYPE_CHECKING:
    from segue.engine.output import Grow
    from segue.engine.reuse import Plan

#: Letters and digits that are not mistaken for each other when read aloud.
_ALPHABET: Final = "23456789abcdefghjkmnpqrstuvwxyz"
#: How long a door waits for an engine to take a command, in seconds.
COMMAND_PATIENCE_S: Final = 10.0


def new_run_id(workflow: str, word: str = "") -> str:
    """Return an id that says what runs, and that nobody has had before.

    `word`, where given, is its end, and makes sure of that.

    Examples
    --------
    >>> import re
    >>> bool(re.fullmatch("build-archive-[2-9a-z]{6}", new_run_id("Build archive")))
    True
    """
    slug = re.sub(r"[^a-z0-9]+", "-", workflow.lower()[:200]).strip("-")[:24].strip("-")
    if not word:
        number = int.from_bytes(os.urandom(8))
        signs = (number // len(_ALPHABET) ** at for at in range(6))
        word = "".join(_ALPHABET[sign % len(_ALPHABET)] for sign in signs)
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
        slots: int = 0,
        reading: Mapping[str, Any] = EMPTY,
    ) -> RunRecord:
        """Store a run of the workflow, and return it. It begins when an engine takes it.

        `pools` are the pools that will be there; None leaves that open. `pool` and
        `limit`, where given, win over the workflow's own. `slots` is ``-j``, and `reading`
        what the file was read with (see `segue.engine.reading`).

        Raises
        ------
        WorkflowError
            If the graph has faults that the dialect could not see.
        RefusedError
            If a task names a pool that is not there.
        """
        record = self.new_record(
            workflow,
            run=run,
            source=source,
            directory=directory,
            workspace=workspace,
            pool=pool,
            limit=limit,
            slots=slots,
            reading=reading,
        )
        if pools is not None:
            check_pools(workflow.tasks, record.pool, pools)
        nodes: list[Node] = [*workflow.tasks, *workflow.barriers]
        self.store.create_run(record, nodes, _created(record))
        return record

    def new_record(
        self,
        workflow: Workflow,
        *,
        run: str,
        source: str,
        directory: str,
        workspace: str,
        pool: str = "",
        limit: int | None = None,
        slots: int = 0,
        reading: Mapping[str, Any] = EMPTY,
    ) -> RunRecord:
        """Return the record of a run of the workflow, which is not stored yet; see `submit`."""
        problems = check_graph(workflow)
        if problems:
            raise WorkflowError(problems)
        now = self.clock.now()
        return RunRecord(
            id=run,
            workflow=workflow.name,
            dialect=workflow.dialect,
            state=RunState.RUNNING,
            source=source,
            directory=directory,
            workspace=workspace,
            created_at=now,
            started_at=now,
            updated_at=now,
            verdict=workflow.verdict,
            limit=workflow.limit if limit is None else limit,
            pool=pool or workflow.pool,
            description=workflow.description,
            tags=workflow.tags,
            context=workflow.context,
            counts={"waiting": len(workflow.tasks)} if workflow.tasks else {},
            slots=slots,
            reading=reading,
        )

    # Edit and resume ---------------------------------------------------------

    def plan_reuse(
        self,
        record: RunRecord,
        workflow: Workflow,
        earlier: RunRecord,
        grow: Grow,
        *,
        hopeful: bool = False,
    ) -> Plan:
        """Return what a run of the workflow would take over from an earlier one.

        `record` is the new run, not stored yet. `hopeful` judges as if all that the
        earlier run has outside now had succeeded.
        """
        # Loaded here: windows, which are opened often, need none of it.
        from segue.engine.output import read_growth
        from segue.engine.reuse import earlier_run, make_plan

        return make_plan(
            record,
            [*workflow.tasks, *workflow.barriers],
            earlier_run(self.store, earlier),
            read_growth=lambda run, at, folder: read_growth(run, at, folder, grow),
            is_there=os.path.isdir,
            hopeful=hopeful,
        )

    def continue_run(self, record: RunRecord, plan: Plan) -> RunRecord:
        """Store a run that takes over what the plan says, and return it.

        In one transaction with it go the wish to take over, which its first engine carries
        out before anything starts, and the end of the earlier run if that has not ended:
        nothing of it may be outside any more.
        """
        now = self.clock.now()
        earlier = self.find_run(plan.earlier)
        number = len(plan.tasks)
        record = replace(
            record,
            continues=earlier.id,
            restart_limit=earlier.restart_limit,
            counts={"waiting": number} if number else {},
        )
        wish = {"run": earlier.id, "tasks": plan.reused}
        requests = [Request(record.id, CommandKind.REUSE.value, wish, now)]
        if earlier.state not in FINAL_RUN:
            reason = {"reason": f"continued as {record.id}"}
            requests.append(Request(earlier.id, CommandKind.CANCEL.value, reason, now))
        self.store.create_run(record, plan.nodes, _created(record), requests)
        return record

    def check_reusable(self, run: RunRecord) -> None:
        """Raise `RefusedError` if another run has written into the run's workspace since."""
        newest = self.store.runs(workspace=run.workspace, limit=1)[0]
        if newest.id != run.id:
            raise RefusedError(
                f"run {newest.id} has written into the workspace of run {run.id} since",
                f"what {run.id} has left there may be gone; take over from {newest.id}",
            )

    def check_not_continued(self, run: RunRecord) -> None:
        """Raise `RefusedError` if another run goes on with this one's work, in its workspace."""
        for each in self.store.runs(workspace=run.workspace):
            if each.continues == run.id:
                raise RefusedError(
                    f"run {run.id} was continued as run {each.id}",
                    f"go on with that one: segue retry {each.id}",
                )

    # Finding -----------------------------------------------------------------

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
        check_command(run, kind, force=bool(argument.get("force")))
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


#: Commands that a run which has ended has no use for, each with what to try.
_OF_LIVING: Final[Mapping[CommandKind, str]] = {
    CommandKind.CANCEL: "",
    CommandKind.PAUSE: "",
    CommandKind.HOLD: "",
    CommandKind.RELEASE: "",
    CommandKind.UPDATE: "'segue retry' lets it go on; then its limits can be changed",
}


def _created(record: RunRecord) -> HistoryRecord:
    detail = record.source
    if record.continues:
        detail += f", continues {record.continues}"
    return HistoryRecord(1, record.created_at, "run", new=record.state.value, detail=detail)


def check_command(run: RunRecord, kind: CommandKind, *, force: bool = False) -> None:
    """Raise `RefusedError` unless the command fits the state of the run.

    `force`: what has succeeded is to run again, too.
    """
    if run.state in FINAL_RUN and kind in _OF_LIVING:
        raise RefusedError(f"run {run.id} has ended already: {run.state}", _OF_LIVING[kind])
    if kind is CommandKind.RETRY and run.state is RunState.SUCCEEDED and not force:
        skipped = run.counts.get("skipped", 0) + run.counts.get("failed", 0)
        if not skipped:
            raise RefusedError(
                f"run {run.id} has succeeded: there is nothing to retry",
                "start a new run to do everything again: segue run FILE",
            )


def check_pools(tasks: Iterable[Task], default: str, pools: Collection[str]) -> None:
    """Raise `RefusedError` if a task, or the run, names a pool that is not there."""
    wanted = {task.pool or default for task in tasks} - {""}
    unknown = sorted(wanted - set(pools))
    if unknown:
        known: Sequence[str] = sorted(pools)
        raise RefusedError(
            f"the workflow asks for the pool {unknown[0]!r}, which is not set up here",
            did_you_mean(unknown[0], known)
            or f"run it in another one with --pool; there is: {', '.join(known)}",
        )
