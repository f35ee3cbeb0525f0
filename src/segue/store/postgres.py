"""The PostgreSQL store: one database for many people and machines.

Each commit of a turn is one transaction and, whatever the number of runs and tasks in it,
a handful of statements that go to the server together. Leases are kept by the server's
clock. Engines hear of commands through the database, wherever they were written.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

from segue.model.access import Token
from segue.model.errors import NotFoundError
from segue.model.run import AttemptRecord, HistoryRecord, Lease, Node, RunRecord, TaskRecord
from segue.model.states import RunState
from segue.protocols.store import (
    ALL_TASKS,
    Commit,
    Request,
    StoredCommand,
    StoredNode,
    TaskFilter,
)
from segue.store import postgres_rows as many
from segue.store import rows
from segue.store.deletion import check_deletable
from segue.store.doubt import ConnectionLostError, Doubts, new_turn
from segue.store.postgres_bell import PostgresBell
from segue.store.postgres_session import Connection, Session, queries
from segue.store.server_clock import ServerClock

Row = tuple[Any, ...]
#: A statement with its values.
Statement = tuple[str, Sequence[Any] | Mapping[str, Any]]

#: By name, all of them: a newer Segue may add others while this one runs.
_RUN_COLUMNS: Final = (
    "id, workflow, dialect, state, source, directory, workspace, created_at, started_at, "
    "ended_at, verdict, task_limit, pool, priority, cancelling, description, tags, context, "
    "counts, restart_limit, slots, continues, reading, updated_at"
)
_NODE_COLUMNS: Final = (
    "nodes.position, barrier, definition, "
    "state, attempt, cause, failures, losses, restarts, not_before, cancelling, refusals, "
    "reused_from, held"
)
#: Runs refer to nothing, everything else to runs.
_PARTS: Final = ("commands", "leases", "history", "attempts_of_run", "definitions", "nodes", "run")


def open_postgres(url: str) -> PostgresStore:
    """Return the store that a URL names: ``postgresql://user@host:5432/database``."""
    return PostgresStore(url)


class PostgresStore:
    """Fulfils `segue.protocols.store.Store` on a database. Not shared between threads.

    `clock` is this machine's; it is compared with the server's.
    """

    def __init__(self, url: str, clock: Callable[[], float] = time.time) -> None:
        self._session = Session(url)
        self._numbers: dict[str, int] = {}
        self._doubts = Doubts()
        self._clock = ServerClock(self._server_time, clock)

    # Speaking to the server -----------------------------------------------------

    def _read(self, query: bytes, values: Sequence[Any] = ()) -> list[Row]:
        """Return what a statement answers that changes nothing; a lost server is asked again."""
        try:
            return self._ask(query, values)
        except ConnectionLostError:
            return self._ask(query, values)

    def _ask(self, query: bytes, values: Sequence[Any] | Mapping[str, Any]) -> list[Row]:
        with self._session.using() as connection:
            return connection.execute(query, values).fetchall()

    def _server_time(self) -> float:
        ((now,),) = self._read(b"SELECT extract(epoch FROM clock_timestamp())::double precision")
        return float(now)

    def _number(self, run: str) -> int:
        return self._numbers_of([run])[0]

    def _numbers_of(self, runs: Sequence[str]) -> list[int]:
        unknown = [run for run in runs if run not in self._numbers]
        if unknown:
            self._numbers.update(self._read(queries()["select_run_numbers"], (unknown,)))
        for run in unknown:
            if run not in self._numbers:
                raise NotFoundError(f"there is no run {run!r}")
        return [self._numbers[run] for run in runs]

    # Writing -----------------------------------------------------------------

    def create_run(
        self,
        run: RunRecord,
        nodes: Sequence[Node],
        history: HistoryRecord,
        requests: Sequence[Request] = (),
    ) -> None:
        """Store a new run with its tasks and barriers, all waiting, and requests with it."""
        others = [each.run for each in requests if each.run != run.id]
        known = dict(zip(others, self._numbers_of(others), strict=True))
        with self._session.using() as connection, connection.transaction():
            row = connection.execute(queries()["insert_run"], many.clean(rows.run_row(run)))
            ((number,),) = row.fetchall()
            definitions = []
            with connection.cursor() as cursor, cursor.copy(queries()["copy_nodes"]) as copy:
                for at, node in enumerate(nodes):
                    *plain, definition = many.clean(rows.node_row(number, at, node))
                    copy.write_row(plain)
                    definitions.append(definition)
            with connection.cursor() as cursor, cursor.copy(queries()["copy_definitions"]) as copy:
                for at, definition in enumerate(definitions):
                    copy.write_row((number, at, definition))
            line = rows.history_row(number, history)
            connection.execute(queries()["insert_history"], (many.as_json(many.HISTORY, [line]),))
            for each in requests:
                _put(connection, known.get(each.run, number), each)
        self._numbers[run.id] = number

    def commit(self, commit: Commit, lease: Lease) -> None:
        """Write what one turn of the loop changed in one run."""
        self.commit_many([(commit, lease)])

    def commit_many(self, commits: Sequence[tuple[Commit, Lease]]) -> None:
        """Write the changes of several runs in one transaction.

        Raises
        ------
        ConnectionLostError
            If the server was lost. Whether it has stored the changes is found out before
            the next commit, which may then hold the same changes again.
        """
        self._numbers_of([lease.run for _, lease in commits])
        try:
            self._send(commits)
        except ConnectionLostError:
            # A server that was only started anew is there again.
            self._send(commits)

    def _send(self, commits: Sequence[tuple[Commit, Lease]]) -> None:
        self._doubts.settle(self._newest_turn)
        word = new_turn()
        statements = self._statements(self._doubts.to_store(commits), word)
        try:
            # One transaction without a BEGIN: the server ends it where the pipeline ends,
            # so that all goes there and back once (PostgreSQL manual, "Pipelining").
            with self._session.using() as connection, connection.pipeline():
                for name, values in statements:
                    connection.execute(queries()[name], values, prepare=True)
        except ConnectionLostError:
            self._doubts.begin(word, commits)
            raise
        self._doubts.stored(commits)

    def _newest_turn(self, run: str) -> str:
        found = self._read(queries()["select_turn"], (run,))
        return found[0][0] if found else ""

    def _statements(self, commits: Sequence[tuple[Commit, Lease]], word: str) -> list[Statement]:
        """Return all that a turn writes, in order."""
        leases = {lease.run: (self._number(lease.run), lease) for _, lease in commits}
        held = {"rows": many.held(leases.values()), "number": len(leases), "turn": word}
        statements: list[Statement] = [("hold_leases", held)]
        numbered = [(self._number(commit.run), commit) for commit, _ in commits]
        if len({run for run, _ in numbered}) == len(numbered):
            return statements + self._writes(numbered)
        for each in numbered:  # a run that comes twice is changed twice
            statements += self._writes([each])
        return statements

    def _writes(self, commits: many.Numbered) -> list[Statement]:
        changes, new = many.node_changes(commits), many.new_nodes(commits)
        taken = [each for _, commit in commits for each in commit.commands_taken]
        statements: list[Statement] = []
        for name, columns, found in (
            ("insert_nodes", many.NODE, [row[:-1] for row in new]),
            ("insert_definitions", many.DEFINITION, [(*row[:2], row[-1]) for row in new]),
            ("update_definitions", many.DEFINITION, self._new_definitions(commits)),
            ("upsert_attempts", many.ATTEMPT, many.kept_attempts(commits)),
            ("delete_attempts", many.ATTEMPT[:3], many.gone_attempts(commits)),
            ("insert_history", many.HISTORY, many.history(commits)),
            ("update_runs", many.RUN_CHANGE, many.run_changes(commits)),
        ):
            if found:
                statements.append((name, (many.as_json(columns, found),)))
        if changes:
            values = {"rows": many.as_json(many.NODE_CHANGE, changes), "number": len(changes)}
            statements.append(("update_nodes", values))
        if taken:
            statements.append(("take_commands", (taken,)))
        return statements

    def _new_definitions(self, commits: many.Numbered) -> list[Row]:
        """Return the rows of nodes that were patched, or that generators gave new needs."""
        found: list[Row] = []
        for run, commit in commits:
            changed = many.patched_definitions(commit)
            if commit.late_needs:
                positions = [position for position, _ in commit.late_needs]
                stored: dict[int, str] = dict(
                    self._read(queries()["select_definitions"], (run, positions))
                )
                changed |= many.late_definitions(commit, stored | changed)
            found += [(run, position, text) for position, text in changed.items()]
        return found

    def delete_run(self, run: str) -> None:
        """Remove a run that has ended, and all that is known of it."""
        number = self._number(run)
        with self._session.using() as connection, connection.transaction():
            # Nobody takes it over meanwhile: a lease would refer to this row.
            connection.execute(queries()["lock_run"], (number,))
            record = self.run(run)
            if record is None:
                raise NotFoundError(f"there is no run {run!r}")
            check_deletable(record, self.lease(run), self._clock.from_server(self._server_time()))
            for part in _PARTS:
                connection.execute(queries()[f"delete_{part}"], (number,))
        self._numbers.pop(run, None)

    # Tokens ------------------------------------------------------------------

    def put_token(self, token: Token) -> None:
        """Keep a token; one with the same id is replaced."""
        with self._session.using() as connection:
            connection.execute(queries()["put_token"], rows.token_row(token))

    def tokens(self) -> Sequence[Token]:
        """Return all tokens, oldest first."""
        return [rows.token_of(row) for row in self._read(queries()["select_tokens"])]

    def remove_token(self, token: str) -> bool:
        """Remove the token of that id; return whether there was one."""
        with self._session.using() as connection:
            return connection.execute(queries()["delete_token"], (token,)).fetchone() is not None

    # Leases ------------------------------------------------------------------

    def acquire(self, lease: Lease, now: float, dead: Lease | None = None) -> Lease | None:
        """Return the lease with its new epoch, or None while another owner's is in force."""
        values = {
            "run": self._number(lease.run),
            "owner": lease.owner,
            "until": self._clock.to_server(lease.until),
            "host": lease.host,
            "process_id": lease.process_id,
            "doorbell": lease.doorbell,
            "now": self._clock.to_server(now),
            "dead_owner": dead.owner if dead else "",
            "dead_epoch": dead.epoch if dead else 0,
        }
        found = self._ask(queries()["take_lease"], values)
        return replace(lease, epoch=found[0][0]) if found else None

    def renew(self, leases: Sequence[Lease], until: float) -> None:
        """Extend the leases; one that was lost raises `LeaseLostError`."""
        numbers = self._numbers_of([lease.run for lease in leases])
        held = many.held(zip(numbers, leases, strict=True))
        later = self._clock.to_server(until)
        values = {"rows": held, "number": len(leases), "until": later}
        self._ask(queries()["renew_leases"], values)

    def release(self, lease: Lease) -> None:
        """Give the lease up, if it is still ours."""
        values = (self._number(lease.run), lease.epoch, lease.owner)
        with self._session.using() as connection:
            connection.execute(queries()["release_lease"], values)

    def lease(self, run: str) -> Lease | None:
        """Return the newest lease of the run; after a release `until` is 0."""
        for owner, epoch, until, *rest in self._read(
            queries()["select_lease"], (self._number(run),)
        ):
            return Lease(run, owner, epoch, self._clock.from_server(until), *rest)
        return None

    # Commands ----------------------------------------------------------------

    def put_command(self, run: str, kind: str, argument: Mapping[str, Any], at: float) -> int:
        """Store a request for the engine that owns, or will own, the run; return its id."""
        number = self._number(run)
        with self._session.using() as connection:
            return _put(connection, number, Request(run, kind, argument, at))

    def commands(self, runs: Sequence[str]) -> Sequence[StoredCommand]:
        """Return the requests that have not been taken, oldest first."""
        found = self._read(queries()["select_commands"], (self._numbers_of(runs),))
        return [
            StoredCommand(number, run, kind, json.loads(argument), at)
            for number, run, kind, argument, at in found
        ]

    def bell(self) -> PostgresBell:
        """Return what becomes readable when somebody writes a command; the caller closes it."""
        return PostgresBell(self._session)

    # Reading -----------------------------------------------------------------

    def run(self, run: str) -> RunRecord | None:
        """Return the run, or None."""
        found = self._run_records(["id = %s"], [run])
        if not found:
            self._numbers.pop(run, None)
            return None
        return found[0]

    def find_runs(self, prefix: str) -> Sequence[str]:
        """Return the ids that begin with `prefix`, newest first."""
        return [row[0] for row in self._read(queries()["select_run_ids"], (prefix,))]

    def runs(
        self, *, states: Sequence[RunState] = (), workspace: str = "", limit: int = 0
    ) -> Sequence[RunRecord]:
        """Return runs, newest first."""
        where: list[str] = []
        values: list[Any] = []
        if states:
            where.append("state = ANY(%s)")
            values.append([state.value for state in states])
        if workspace:
            where.append("workspace = %s")
            values.append(workspace)
        return self._run_records(where, values, limit)

    def _run_records(
        self, where: Sequence[str], values: Sequence[Any], limit: int = 0
    ) -> list[RunRecord]:
        columns = f"{_RUN_COLUMNS}, number"
        query = f"SELECT {columns} FROM runs {_all(where)} ORDER BY number DESC LIMIT %s"
        names = columns.split(", ")
        found = [
            dict(zip(names, row, strict=True))
            for row in self._read(query.encode(), (*values, limit or None))
        ]
        # A run that another process has deleted can have a namesake.
        self._numbers.update((row["id"], row["number"]) for row in found)
        return [rows.run_record(row) for row in found]

    def nodes(self, run: str, wanted: TaskFilter = ALL_TASKS) -> Iterator[StoredNode]:
        """Yield tasks and barriers in the order of their positions."""
        query, values = _node_query(self._number(run), wanted)
        for position, barrier, definition, *record in self._read(query, values):
            node = rows.node_of(barrier, definition)
            yield StoredNode(position, node, rows.task_record(tuple(record)))

    def records(self, run: str) -> Iterator[tuple[int, TaskRecord]]:
        """Yield how far each node has come, by position."""
        for row in self._read(queries()["select_records"], (self._number(run),)):
            yield row[0], rows.task_record(row[1:])

    def attempts(self, run: str, tasks: Sequence[int] = ()) -> Iterator[AttemptRecord]:
        """Yield attempts by task position and number."""
        name, values = "select_attempts", [self._number(run)]
        if tasks:
            return self._attempts("select_attempts_of_tasks", [*values, list(tasks)])
        return self._attempts(name, values)

    def _attempts(self, name: str, values: Sequence[Any]) -> Iterator[AttemptRecord]:
        for row in self._read(queries()[name], values):
            yield rows.attempt_record(row)

    def history(self, run: str, after: int = 0, limit: int = 0) -> Iterator[HistoryRecord]:
        """Yield history records with numbers above `after`."""
        values = (self._number(run), after, limit or None)
        for row in self._read(queries()["select_history"], values):
            yield HistoryRecord(*row)

    def newest_history(self, run: str) -> HistoryRecord | None:
        """Return the newest history record of the run."""
        found = self._read(queries()["select_newest_history"], (self._number(run),))
        return HistoryRecord(*found[0]) if found else None

    def close(self) -> None:
        """Let go of the connection."""
        self._session.close()


def _put(connection: Connection, number: int, request: Request) -> int:
    row = (number, request.kind, rows.json_text(request.argument), request.at)
    ((made,),) = connection.execute(queries()["insert_command"], row).fetchall()
    return int(made)


def _all(where: Sequence[str]) -> str:
    return f"WHERE {' AND '.join(where)}" if where else ""


def _node_query(run: int, wanted: TaskFilter) -> tuple[bytes, list[Any]]:
    """Return the statement, and its values, that reads the wanted nodes."""
    where = ["nodes.run = %s", "nodes.position > %s"]
    values: list[Any] = [run, wanted.after]
    if wanted.states:
        where.append("state = ANY(%s)")
        values.append([state.value for state in wanted.states])
    if wanted.names:
        where.append("name = ANY(%s)")
        values.append(list(many.clean(wanted.names)))
    if wanted.template:
        where.append("(template = %s OR (template = '' AND name = %s))")
        values += many.clean([wanted.template, wanted.template])
    values.append(wanted.limit or None)
    tables = "nodes JOIN definitions USING (run, position)"
    query = f"SELECT {_NODE_COLUMNS} FROM {tables} {_all(where)} ORDER BY nodes.position LIMIT %s"
    return query.encode(), values
