"""What one worker thread works with: a store, windows on it, and the front desk."""

from __future__ import annotations

from segue.engine.owner import certainly_dead
from segue.engine.refusal import refusal_of
from segue.engine.service import Service
from segue.model.errors import NotFoundError, did_you_mean, shorten
from segue.model.run import AttemptRecord, Lease
from segue.model.states import FINAL_RUN
from segue.model.workflow import Task
from segue.protocols.clock import Clock
from segue.protocols.store import Store, StoredNode, TaskFilter
from segue.protocols.windows import RunQuery, RunRow, Windows

#: A wrong name is compared with so many of the newest runs, or of a run's first tasks.
NAMES_COMPARED = 1000


class Desk:
    """Finds things by the names that requests hold. Used by one thread."""

    def __init__(self, store: Store, windows: Windows, clock: Clock) -> None:
        self.store = store
        self.windows = windows
        self.clock = clock
        self.service = Service(store, clock)

    def run(self, name: str) -> RunRow:
        """Return the run of that id.

        Raises
        ------
        NotFoundError
            If there is none.
        """
        row = self.windows.run(name) if name else None
        if row is None:
            known = [each.record.id for each in self.windows.runs(RunQuery(limit=NAMES_COMPARED))]
            raise NotFoundError(f"there is no run {shorten(name)!r}", did_you_mean(name, known))
        return row

    def task(self, run: str, name: str) -> StoredNode:
        """Return the task of that name.

        Raises
        ------
        NotFoundError
            If the run has none.
        """
        for stored in self.store.nodes(run, TaskFilter(names=(name,))):
            if isinstance(stored.node, Task):
                return stored
        raise self._no_task(run, name)

    def _no_task(self, run: str, name: str) -> NotFoundError:
        instances = self.store.nodes(run, TaskFilter(template=name, limit=1))
        for each in instances:
            return NotFoundError(
                f"{shorten(name)!r} is a template of run {run}",
                f"name one of its tasks, such as {shorten(each.node.name)!r}",
            )
        wanted = TaskFilter(limit=NAMES_COMPARED)
        known = [each.node.name for each in self.store.nodes(run, wanted)]
        return NotFoundError(f"run {run} has no task {shorten(name)!r}", did_you_mean(name, known))

    def attempts(self, run: str, stored: StoredNode) -> list[AttemptRecord]:
        """Return the attempts of a task, oldest first."""
        return list(self.store.attempts(run, [stored.position]))

    def attempt(self, run: str, task: str, number: str) -> AttemptRecord:
        """Return an attempt by its number, or the newest one by the word ``latest``.

        Raises
        ------
        NotFoundError
            If there is none.
        """
        attempts = self.attempts(run, self.task(run, task))
        for each in reversed(attempts):
            if number in ("latest", str(each.number)):
                return each
        if not attempts:
            raise NotFoundError(f"task {shorten(task)!r} has not started yet")
        known = ", ".join(str(each.number) for each in attempts[:20])
        raise NotFoundError(
            f"task {shorten(task)!r} has no attempt {shorten(number)!r}",
            f"there are: {known}, latest",
        )

    def engine_of(self, row: RunRow) -> Lease | None:
        """Return the lease of the engine that has the run, or had it last; None: nobody has.

        Runs that have ended have no engine, and are not asked for.
        """
        if row.record.state in FINAL_RUN:
            return None
        lease = self.store.lease(row.record.id)
        return lease if lease is not None and lease.until else None

    def is_alive(self, lease: Lease) -> bool:
        """Tell whether the engine that holds the lease lives, as far as can be known."""
        return lease.until > self.clock.now() and not certainly_dead(lease)

    def problem_of(self, row: RunRow, lease: Lease | None) -> str | None:
        """Return why no engine has taken the run up, of which `lease` is the newest engine.

        None: it has its engine or needs none, or nobody has refused it.
        """
        if row.record.state in FINAL_RUN or (lease is not None and self.is_alive(lease)):
            return None
        return refusal_of(self.store, row.record.id) or None

    def close(self) -> None:
        """Let go of the store."""
        self.windows.close()
        self.store.close()
