"""The SQLite store: the default, one file, nothing to install or start.

Durable against the death of any process: a commit is in the operating system's
hands when it returns. Against loss of power, the last moments may be missing and
nothing is ever half-written; ``?synchronous=full`` buys those moments too, for one
flush of the disk a commit. On a network file system the write-ahead log, which
needs shared memory, is not used.
"""

from __future__ import annotations

import json
import sqlite3
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from functools import cache
from pathlib import Path
from typing import Any, Final

from segue.model.access import Token
from segue.model.errors import LeaseLostError, NotFoundError, StoreError, UserError
from segue.model.run import (
    AttemptRecord,
    HistoryRecord,
    Lease,
    Node,
    RunRecord,
    TaskRecord,
)
from segue.model.states import RunState, TaskState
from segue.protocols.store import (
    ALL_TASKS,
    Commit,
    Request,
    StoredCommand,
    StoredNode,
    TaskFilter,
)
from segue.store import rows
from segue.store.deletion import check_deletable
from segue.store.file_system import on_network
from segue.store.sqlite_errors import reported

#: A writer waits so long for another one before it gives up; shorter than a lease lasts,
#: so that an engine behind a long lock still hears its user.
BUSY_TIMEOUT_S: Final = 8.0
MIGRATIONS: Final = ("0001_first.sql", "0002_reuse.sql", "0003_service.sql")
#: Runs refer to nothing, everything else to runs.
_PARTS: Final = ("commands", "leases", "history", "attempts", "definitions", "nodes", "run")
_NO_LIMIT: Final = -1
#: So many rows of nodes are made before they are written: a large run never is there twice.
NODES_AT_ONCE: Final = 10_000


def open_sqlite(url: str) -> SqliteStore:
    """Return the store that a URL names: ``sqlite:///absolute/path.db?synchronous=full``."""
    from urllib.parse import parse_qsl  # slow to import

    path, _, query = url.removeprefix("sqlite://").partition("?")
    options = dict(parse_qsl(query, keep_blank_values=True))
    synchronous = options.pop("synchronous", "normal").lower()
    if options or synchronous not in ("normal", "full"):
        raise UserError(
            f"store {url!r} has an option that SQLite stores do not know",
            "only ?synchronous=normal or ?synchronous=full",
        )
    if not path.startswith("/"):
        raise UserError(
            f"store {url!r} does not name an absolute path",
            "three slashes begin one: sqlite:///home/me/segue.db",
        )
    return SqliteStore(path_of(url), synchronous=synchronous)


def path_of(url: str) -> Path:
    """Return the file that a URL of an SQLite store names."""
    from urllib.parse import unquote  # slow to import

    return Path(unquote(url.removeprefix("sqlite://").partition("?")[0]))


class SqliteStore:
    """Fulfils `segue.protocols.store.Store` on one file. Not shared between threads."""

    def __init__(
        self, path: Path, *, synchronous: str = "normal", network: bool | None = None
    ) -> None:
        self.path = path
        self._numbers: dict[str, int] = {}
        network = on_network(path) if network is None else network
        with reported(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            self._base = sqlite3.connect(path, timeout=BUSY_TIMEOUT_S, isolation_level=None)
            if network:
                self._base.execute("PRAGMA journal_mode = DELETE")
                self._base.execute("PRAGMA synchronous = FULL")
            else:
                self._base.execute("PRAGMA journal_mode = WAL")
                self._base.execute(f"PRAGMA synchronous = {synchronous}")
            self._base.execute("PRAGMA foreign_keys = ON")
            self._migrate()

    @property
    def journal_mode(self) -> str:
        """How SQLite keeps a transaction until it is whole: ``wal`` or ``delete``."""
        mode: str = self._base.execute("PRAGMA journal_mode").fetchone()[0]
        return mode

    def _migrate(self) -> None:
        if self._version() == len(MIGRATIONS):
            return
        if self._version() > len(MIGRATIONS):
            raise StoreError(
                f"{self.path} was written by a newer Segue",
                "update Segue, or give another store with SEGUE_STORE",
            )
        with self._transaction():
            # Looked at again under the lock: another process may have been here.
            for number in range(self._version(), len(MIGRATIONS)):
                for statement in _statements(_sql(MIGRATIONS[number])):
                    self._base.execute(statement)
                self._base.execute(f"PRAGMA user_version = {number + 1}")
            self._fill_state_tables()

    def _version(self) -> int:
        version: int = self._base.execute("PRAGMA user_version").fetchone()[0]
        return version

    def _fill_state_tables(self) -> None:
        insert = self._base.executemany
        insert("INSERT OR IGNORE INTO states VALUES (?)", [(s.value,) for s in TaskState])
        insert("INSERT OR IGNORE INTO steps VALUES (?, ?)", rows.step_rows())
        insert("INSERT OR IGNORE INTO ways VALUES (?, ?)", rows.way_rows())

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        with reported(self.path):
            self._base.execute("BEGIN IMMEDIATE")
            try:
                yield
                self._base.execute("COMMIT")
            except BaseException:
                # A full disk may have rolled back already.
                if self._base.in_transaction:
                    self._base.execute("ROLLBACK")
                raise

    def _number(self, run: str) -> int:
        number = self._numbers.get(run)
        if number is None:
            with reported(self.path):
                row = self._base.execute(_query("select_run_number"), (run,)).fetchone()
            if row is None:
                raise NotFoundError(f"there is no run {run!r}")
            number = self._numbers[run] = int(row[0])
        return number

    # Writing -----------------------------------------------------------------

    def create_run(
        self,
        run: RunRecord,
        nodes: Sequence[Node],
        history: HistoryRecord,
        requests: Sequence[Request] = (),
    ) -> None:
        """Store a new run with its tasks and barriers, all waiting, and requests with it."""
        with self._transaction():
            cursor = self._base.execute(_query("insert_run"), rows.run_row(run))
            number = int(cursor.lastrowid or 0)
            self._insert_nodes(number, nodes, 0)
            self._base.execute(_query("insert_history"), rows.history_row(number, history))
            for each in requests:
                about = number if each.run == run.id else self._number(each.run)
                self._put(about, each)
        self._numbers[run.id] = number

    def _insert_nodes(self, run: int, nodes: Sequence[Node], first: int) -> None:
        for begin in range(0, len(nodes), NODES_AT_ONCE):
            some = enumerate(nodes[begin : begin + NODES_AT_ONCE], first + begin)
            made = [rows.node_row(run, at, node) for at, node in some]
            self._base.executemany(_query("insert_node"), [row[:-1] for row in made])
            self._base.executemany(
                _query("insert_definition"), [(*row[:2], row[-1]) for row in made]
            )

    def commit(self, commit: Commit, lease: Lease) -> None:
        """Write what one turn of the loop changed in one run."""
        self.commit_many([(commit, lease)])

    def commit_many(self, commits: Sequence[tuple[Commit, Lease]]) -> None:
        """Write the changes of several runs in one transaction."""
        with self._transaction():
            for commit, lease in commits:
                self._check_lease(lease)
                self._write(commit, self._number(commit.run))

    def _write(self, commit: Commit, run: int) -> None:
        base = self._base
        if commit.nodes:
            self._insert_nodes(run, commit.nodes, commit.first_new)
        if commit.patched:
            base.executemany(
                _query("update_definition"),
                [
                    (rows.node_row(run, at, node)[-1], run, at)
                    for at, node in commit.patched.items()
                ],
            )
        for position, need in commit.late_needs:
            (definition,) = base.execute(_query("select_definition"), (run, position)).fetchone()
            changed = rows.with_need(definition, need)
            base.execute(_query("update_definition"), (changed, run, position))
        if commit.steps:
            changes = [
                (*rows.task_row(record), run, position, old.value)
                for position, (old, record) in commit.steps.items()
            ]
            cursor = base.executemany(_query("update_node"), changes)
            if cursor.rowcount != len(changes):
                raise StoreError(f"a task of run {commit.run} is not in the state it was read in")
        self._write_attempts(commit, run)
        if commit.history:
            records = [rows.history_row(run, record) for record in commit.history]
            base.executemany(_query("insert_history"), records)
        if commit.run_record is not None:
            base.execute(_query("update_run"), rows.run_change(commit.run_record, run))
        if commit.commands_taken:
            base.executemany(_query("take_command"), [(each,) for each in commit.commands_taken])

    def _write_attempts(self, commit: Commit, run: int) -> None:
        kept, gone = [], []
        for attempt in commit.attempts.values():
            if attempt.state is TaskState.READY:
                gone.append((run, attempt.task, attempt.number))
            else:
                kept.append(rows.attempt_row(run, attempt))
        if kept:
            self._base.executemany(_query("upsert_attempt"), kept)
        if gone:
            self._base.executemany(_query("delete_attempt"), gone)

    def delete_run(self, run: str) -> None:
        """Remove a run that has ended, and all that is known of it."""
        with self._transaction():
            record, number = self.run(run), self._number(run)
            assert record is not None
            owned = self.lease(run)
            check_deletable(record, owned, time.time())
            for part in _PARTS:
                self._base.execute(_query(f"delete_{part}"), (number,))
            self._base.execute(_query("keep_number"), (number,))
        self._numbers.pop(run, None)

    # Tokens ------------------------------------------------------------------

    def put_token(self, token: Token) -> None:
        """Keep a token; one with the same id is replaced."""
        with self._transaction():
            self._base.execute(_query("put_token"), rows.token_row(token))

    def tokens(self) -> Sequence[Token]:
        """Return all tokens, oldest first."""
        with reported(self.path):
            return [rows.token_of(row) for row in self._base.execute(_query("select_tokens"))]

    def remove_token(self, token: str) -> bool:
        """Remove the token of that id; return whether there was one."""
        with self._transaction():
            return self._base.execute(_query("delete_token"), (token,)).rowcount > 0

    # Leases ------------------------------------------------------------------

    def _check_lease(self, lease: Lease) -> None:
        row = self._base.execute(_query("select_lease"), (self._number(lease.run),)).fetchone()
        if row is None or row[1] != lease.epoch or row[0] != lease.owner:
            raise LeaseLostError(
                f"another engine has taken run {lease.run} over",
                f"'segue status {lease.run}' shows what it does",
            )

    def acquire(self, lease: Lease, now: float, dead: Lease | None = None) -> Lease | None:
        """Return the lease with its new epoch, or None while another owner's is in force."""
        number = self._number(lease.run)
        with self._transaction():
            row = self._base.execute(_query("select_lease"), (number,)).fetchone()
            epoch = 1
            if row is not None:
                owner, old_epoch, until = row[:3]
                over = dead is not None and (dead.owner, dead.epoch) == (owner, old_epoch)
                if until > now and owner != lease.owner and not over:
                    return None
                epoch = old_epoch + 1
            taken = Lease(
                lease.run,
                lease.owner,
                epoch,
                lease.until,
                lease.host,
                lease.process_id,
                lease.doorbell,
            )
            self._base.execute(
                _query("upsert_lease"),
                (
                    number,
                    taken.owner,
                    epoch,
                    taken.until,
                    taken.host,
                    taken.process_id,
                    taken.doorbell,
                ),
            )
        return taken

    def renew(self, leases: Sequence[Lease], until: float) -> None:
        """Extend the leases; one that was lost raises `LeaseLostError`."""
        with self._transaction():
            for lease in leases:
                self._check_lease(lease)
                key = (self._number(lease.run), lease.epoch, lease.owner)
                self._base.execute(_query("renew_lease"), (until, *key))

    def release(self, lease: Lease) -> None:
        """Give the lease up, if it is still ours."""
        with self._transaction():
            key = (self._number(lease.run), lease.epoch, lease.owner)
            self._base.execute(_query("renew_lease"), (0.0, *key))

    def lease(self, run: str) -> Lease | None:
        """Return the newest lease of the run; after a release `until` is 0."""
        number = self._number(run)
        with reported(self.path):
            row = self._base.execute(_query("select_lease"), (number,)).fetchone()
        return None if row is None else Lease(run, *row)

    # Commands ----------------------------------------------------------------

    def put_command(self, run: str, kind: str, argument: Mapping[str, Any], at: float) -> int:
        """Store a request for the engine that owns, or will own, the run; return its id."""
        with self._transaction():
            return self._put(self._number(run), Request(run, kind, argument, at))

    def _put(self, number: int, request: Request) -> int:
        row = (number, request.kind, rows.json_text(request.argument), request.at)
        return int(self._base.execute(_query("insert_command"), row).lastrowid or 0)

    def commands(self, runs: Sequence[str]) -> Sequence[StoredCommand]:
        """Return the requests that have not been taken, oldest first."""
        found = []
        with reported(self.path):
            for run in runs:
                for number, kind, argument, at in self._base.execute(
                    _query("select_commands"), (self._number(run),)
                ):
                    found.append(StoredCommand(number, run, kind, json.loads(argument), at))
        return sorted(found)

    # Reading -----------------------------------------------------------------

    def run(self, run: str) -> RunRecord | None:
        """Return the run, or None."""
        found = self._records(_query("select_run"), (run,))
        if not found:
            self._numbers.pop(run, None)
            return None
        return found[0]

    def find_runs(self, prefix: str) -> Sequence[str]:
        """Return the ids that begin with `prefix`, newest first."""
        with reported(self.path):
            found = self._base.execute(_query("select_run_ids"), (len(prefix), prefix))
            return [row[0] for row in found]

    def runs(
        self, *, states: Sequence[RunState] = (), workspace: str = "", limit: int = 0
    ) -> Sequence[RunRecord]:
        """Return runs, newest first."""
        if workspace:
            query = _query("select_runs_of_workspace")
            found = self._records(query, (workspace, _NO_LIMIT if states else limit or _NO_LIMIT))
            return [run for run in found if not states or run.state in states][: limit or None]
        if states:
            wanted = json.dumps([state.value for state in states])
            return self._records(_query("select_runs_by_state"), (wanted, limit or _NO_LIMIT))
        return self._records(_query("select_runs"), (limit or _NO_LIMIT,))

    def _records(self, query: str, values: tuple[Any, ...]) -> list[RunRecord]:
        with reported(self.path), closing(self._base.cursor()) as cursor:
            cursor.row_factory = sqlite3.Row
            found = cursor.execute(query, values).fetchall()
        # A run that another process has deleted can have a namesake.
        self._numbers.update((row["id"], row["number"]) for row in found)
        return [rows.run_record(row) for row in found]

    def nodes(self, run: str, wanted: TaskFilter = ALL_TASKS) -> Iterator[StoredNode]:
        """Yield tasks and barriers in the order of their positions."""
        query, values = _node_query(self._number(run), wanted)
        with reported(self.path):
            for row in self._base.execute(query, values):
                node = rows.node_of(row[1], row[2])
                yield StoredNode(row[0], node, rows.task_record(row[3:]))

    def records(self, run: str) -> Iterator[tuple[int, TaskRecord]]:
        """Yield how far each node has come, by position."""
        number = self._number(run)
        with reported(self.path):
            for row in self._base.execute(_query("select_records"), (number,)):
                yield row[0], rows.task_record(row[1:])

    def attempts(self, run: str, tasks: Sequence[int] = ()) -> Iterator[AttemptRecord]:
        """Yield attempts by task position and number."""
        number = self._number(run)
        with reported(self.path):
            if not tasks:
                for row in self._base.execute(_query("select_attempts"), (number,)):
                    yield rows.attempt_record(row)
            for task in tasks:
                for row in self._base.execute(_query("select_attempts_of_task"), (number, task)):
                    yield rows.attempt_record(row)

    def history(self, run: str, after: int = 0, limit: int = 0) -> Iterator[HistoryRecord]:
        """Yield history records with numbers above `after`."""
        values = (self._number(run), after, limit or _NO_LIMIT)
        with reported(self.path):
            for row in self._base.execute(_query("select_history"), values):
                yield HistoryRecord(*row)

    def newest_history(self, run: str) -> HistoryRecord | None:
        """Return the newest history record of the run."""
        with reported(self.path):
            found = self._base.execute(_query("select_newest_history"), (self._number(run),))
            row = found.fetchone()
        return None if row is None else HistoryRecord(*row)

    def close(self) -> None:
        """Let go of the file."""
        self._base.close()


def _node_query(run: int, wanted: TaskFilter) -> tuple[str, list[Any]]:
    """Return the statement, and its values, that reads the wanted nodes."""
    where = ["nodes.run = ?", "nodes.position > ?"]
    values: list[Any] = [run, wanted.after]
    if wanted.states:
        where.append("state IN (SELECT value FROM json_each(?))")
        values.append(json.dumps([state.value for state in wanted.states]))
    if wanted.names:
        where.append("name IN (SELECT value FROM json_each(?))")
        values.append(json.dumps(wanted.names))
    if wanted.template:
        where.append("(template = ? OR (template = '' AND name = ?))")
        values += [wanted.template, wanted.template]
    columns = (
        "nodes.position, barrier, definition, "
        "state, attempt, cause, failures, losses, restarts, not_before, cancelling, refusals, "
        "reused_from, held"
    )
    values.append(wanted.limit or _NO_LIMIT)
    return (
        f"SELECT {columns} FROM nodes JOIN definitions USING (run, position)"
        f" WHERE {' AND '.join(where)} ORDER BY nodes.position LIMIT ?",
        values,
    )


@cache
def _sql(name: str) -> str:
    return (Path(__file__).parent / "sql" / name).read_text(encoding="utf-8")


@cache
def _queries() -> dict[str, str]:
    parts = _sql("queries.sql").split("--: ")[1:]
    return {name: text.strip() for name, _, text in (part.partition("\n") for part in parts)}


def _query(name: str) -> str:
    return _queries()[name]


def _statements(text: str) -> Iterator[str]:
    """Yield the statements of a migration; a trigger holds semicolons of its own."""
    statement = ""
    for line in text.splitlines(keepends=True):
        statement += line
        if sqlite3.complete_statement(statement):
            yield statement
            statement = ""
