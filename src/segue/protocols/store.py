"""What a store is: where runs, tasks, attempts and history are kept.

The contract
------------
*All or nothing.* `create_run`, with the requests that come with it, and `commit` either
happen whole or not at all. What `commit` returned from survives a kill -9 of every process.

*One writer.* An engine holds a lease on a run. `commit` with a lease that is no longer
the run's newest raises `LeaseLostError` and writes nothing.

*No wrong state.* A change of a task's state that is neither in `STEPS` nor in
`COMMAND_STEPS`, or that does not start from the stored state, raises and writes nothing.

*History.* Each commit numbers its history records from the run's last number on, without
gaps, in the order given. Records are never changed.

*Commands.* Doors write commands; the engine takes them in order and marks them taken in
the same commit that carries out what they ask.

*Reading* needs no lease and never waits for a writer.

*Lost answers.* Where a store is a server, the answer to a commit can be lost with the
connection. The store then raises `StoreError`, and the engine commits the same changes again,
perhaps with more behind them: what was stored the first time is not stored twice.

*Time.* Leases are compared by one clock: where several machines meet in a store it is the
server's, and the store translates. All other times are kept as they are given.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple, Protocol, runtime_checkable

from segue.model.access import Token
from segue.model.run import (
    AttemptRecord,
    HistoryRecord,
    Lease,
    Node,
    RunRecord,
    TaskRecord,
)
from segue.model.states import RunState, TaskState
from segue.model.workflow import Task


class Request(NamedTuple):
    """A command that is to be stored: for the run of that id."""

    run: str
    kind: str
    argument: Mapping[str, Any]
    at: float


class StoredCommand(NamedTuple):
    """A request that a door has written for the engine: `kind` and its JSON `argument`."""

    id: int
    run: str
    kind: str
    argument: Mapping[str, Any]
    at: float


@dataclass(slots=True)
class Commit:
    """All that one turn of the loop changed in one run; written in one transaction.

    `steps` holds, for each changed task, the state that the change was made from, and
    the new record; a task that changed several times appears once, from its first state
    to its last, and `history` tells what lay between. `attempts` are written over by
    (task, number); one in state ``ready`` was given back before it began, and is removed.
    `nodes` are tasks and barriers that generators added, from position `first_new` on.
    """

    run: str
    steps: dict[int, tuple[TaskState, TaskRecord]] = field(default_factory=dict)
    attempts: dict[tuple[int, int], AttemptRecord] = field(default_factory=dict)
    history: list[HistoryRecord] = field(default_factory=list)
    run_record: RunRecord | None = None
    nodes: list[Node] = field(default_factory=list)
    first_new: int = 0
    late_needs: list[tuple[int, str]] = field(default_factory=list)
    commands_taken: list[int] = field(default_factory=list)
    #: Tasks that have a new definition.
    patched: dict[int, Task] = field(default_factory=dict)


class StoredNode(NamedTuple):
    """A task or barrier of a run with the record of how far it has come."""

    position: int
    node: Node
    record: TaskRecord


class TaskFilter(NamedTuple):
    """Which tasks a reader wants; empty fields mean all."""

    states: tuple[TaskState, ...] = ()
    template: str = ""
    names: tuple[str, ...] = ()
    #: Start after this position, for paging.
    after: int = -1
    limit: int = 0


ALL_TASKS: Final = TaskFilter()


class Store(Protocol):
    """Keeps runs. The module's docstring is the contract."""

    def create_run(
        self,
        run: RunRecord,
        nodes: Sequence[Node],
        history: HistoryRecord,
        requests: Sequence[Request] = (),
    ) -> None:
        """Store a new run with its tasks and barriers, all waiting, and requests with it.

        A request may be for the new run or for any other; it is a command from then on.
        """
        ...

    def commit(self, commit: Commit, lease: Lease) -> None:
        """Write what one turn of the loop changed in one run."""
        ...

    def commit_many(self, commits: Sequence[tuple[Commit, Lease]]) -> None:
        """Write the changes of several runs in one transaction."""
        ...

    def delete_run(self, run: str) -> None:
        """Remove a run that has ended, and all that is known of it.

        One that has not ended, or that an engine owns, raises `RefusedError`. Its number
        is never given out again.
        """
        ...

    # Tokens ------------------------------------------------------------------

    def put_token(self, token: Token) -> None:
        """Keep a token; one with the same id is replaced."""
        ...

    def tokens(self) -> Sequence[Token]:
        """Return all tokens, oldest first."""
        ...

    def remove_token(self, token: str) -> bool:
        """Remove the token of that id; return whether there was one."""
        ...

    # Leases ------------------------------------------------------------------

    def acquire(self, lease: Lease, now: float, dead: Lease | None = None) -> Lease | None:
        """Return the lease with its new epoch, or None while another owner's is in force.

        `dead` is the lease of an owner that certainly lives no more; that one is not
        waited for. `lease.epoch` is ignored.
        """
        ...

    def renew(self, leases: Sequence[Lease], until: float) -> None:
        """Extend the leases; one that was lost raises `LeaseLostError`."""
        ...

    def release(self, lease: Lease) -> None:
        """Give the lease up, if it is still ours."""
        ...

    def lease(self, run: str) -> Lease | None:
        """Return the newest lease of the run, in force or not; after a release `until` is 0."""
        ...

    # Commands ----------------------------------------------------------------

    def put_command(self, run: str, kind: str, argument: Mapping[str, Any], at: float) -> int:
        """Store a request for the engine that owns, or will own, the run; return its id."""
        ...

    def commands(self, runs: Sequence[str]) -> Sequence[StoredCommand]:
        """Return the requests that have not been taken, oldest first."""
        ...

    # Reading -----------------------------------------------------------------

    def run(self, run: str) -> RunRecord | None:
        """Return the run, or None."""
        ...

    def find_runs(self, prefix: str) -> Sequence[str]:
        """Return the ids that begin with `prefix`, newest first."""
        ...

    def runs(
        self, *, states: Sequence[RunState] = (), workspace: str = "", limit: int = 0
    ) -> Sequence[RunRecord]:
        """Return runs, newest first: all, or those in a state, or that write into a folder."""
        ...

    def nodes(self, run: str, wanted: TaskFilter = ALL_TASKS) -> Iterator[StoredNode]:
        """Yield tasks and barriers in the order of their positions."""
        ...

    def records(self, run: str) -> Iterator[tuple[int, TaskRecord]]:
        """Yield how far each node has come, by position: what `nodes` says, without the nodes."""
        ...

    def attempts(self, run: str, tasks: Sequence[int] = ()) -> Iterator[AttemptRecord]:
        """Yield attempts by task position and number."""
        ...

    def history(self, run: str, after: int = 0, limit: int = 0) -> Iterator[HistoryRecord]:
        """Yield history records with numbers above `after`."""
        ...

    def newest_history(self, run: str) -> HistoryRecord | None:
        """Return the newest history record of the run."""
        ...

    def close(self) -> None:
        """Let go of files and connections."""
        ...


class StoreBell(Protocol):
    """What becomes readable when somebody writes a command, on whichever machine.

    A hint that saves waiting, as every bell: one that is missed, for the server was away,
    costs a few seconds and no command.
    """

    def fileno(self) -> int:
        """Return the descriptor to wait on; it stays the same."""
        ...

    def clear(self) -> None:
        """Forget all rings so far; called now and then, also when nothing rang."""
        ...

    def close(self) -> None:
        """Listen no more."""
        ...


@runtime_checkable
class RingingStore(Protocol):
    """A store that tells engines of new commands by itself; stores need not."""

    def bell(self) -> StoreBell:
        """Return a bell, which is the caller's to close."""
        ...
