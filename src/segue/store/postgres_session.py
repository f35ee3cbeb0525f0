"""A connection to PostgreSQL that comes back: opening, settings, schema, errors.

Knows nothing of runs. What is lost with a connection is told as `ConnectionLostError`, so
that the store can ask afterwards what became of what it had sent.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path
from typing import Any, Final

import psycopg
from psycopg.conninfo import conninfo_to_dict

from segue.model.errors import LeaseLostError, StoreError, UserError
from segue.model.states import TaskState
from segue.store import rows
from segue.store.doubt import ConnectionLostError
from segue.store.server_url import shown, without_secrets

#: What the URL may say otherwise. A network that swallows everything is given up, so
#: that an engine hears its user again before its leases end; times in seconds, the last
#: in milliseconds.
DEFAULTS: Final[Mapping[str, str]] = {
    "application_name": "segue",
    "connect_timeout": "5",
    "keepalives_idle": "5",
    "keepalives_interval": "2",
    "keepalives_count": "3",
    "tcp_user_timeout": "10000",
}
#: Of each session. Locks are waited for shorter than a lease lasts, and those of a machine
#: that has vanished are given up by the server. Plans are kept, and one that was made
#: while a table was small must not read it whole when it is large: hence the `enable_`.
SETTINGS: Final = """
SET lock_timeout = '8s';
SET idle_in_transaction_session_timeout = '10s';
SET tcp_keepalives_idle = 5;
SET tcp_keepalives_interval = 2;
SET tcp_keepalives_count = 3;
SET default_transaction_isolation = 'read committed';
SET jit = off;
SET enable_seqscan = off;
SET enable_hashjoin = off;
SET enable_mergejoin = off;
"""
MIGRATIONS: Final = ("0001_first.sql", "0002_service.sql")
#: The lock under which the schema is changed: "segue" in ASCII.
SCHEMA_LOCK: Final = 0x7365677565
#: What our own SQL raises.
LEASE_LOST: Final = "SG001"
OTHER_STATE: Final = "SG002"

Connection = psycopg.Connection[tuple[Any, ...]]


class Session:
    """One connection, made when it is needed, and again after it was lost."""

    def __init__(self, url: str, settings: str = "") -> None:
        """Connect; `settings` are said to each connection after ours."""
        self.url = url
        self._settings = settings
        self._parameters = _parameters(url)
        self._connection: Connection | None = None
        try:
            with self.using() as connection:
                self._migrate(connection)
        except BaseException:
            self.close()
            raise

    @contextmanager
    def using(self) -> Iterator[Connection]:
        """Yield the connection; what goes wrong is told in our errors.

        Raises
        ------
        ConnectionLostError
            If the server cannot be reached, or was lost meanwhile.
        LeaseLostError
            If a statement of ours says so.
        StoreError
            For everything else, but what would be a bug of ours.
        """
        with reported(self.url):
            connection = self._connection
            if connection is None:
                connection = self._connection = connect(self._parameters, self._settings)
            try:
                yield connection
            finally:
                if connection.closed:
                    self.close()

    def another(self) -> Connection:
        """Return one more connection, which is the caller's to close."""
        with reported(self.url):
            return connect(self._parameters)

    def close(self) -> None:
        """Let the connection go."""
        if self._connection is not None:
            with suppress(psycopg.Error):
                self._connection.close()
            self._connection = None

    # The schema --------------------------------------------------------------

    def _migrate(self, connection: Connection) -> None:
        if _version(connection) == len(MIGRATIONS):
            return
        if connection.info.parameter_status("server_encoding") != "UTF8":
            raise StoreError(
                f"the database of {shown(self.url)} does not keep its text as UTF-8",
                "make one that does: createdb --encoding UTF8 --template template0 NAME",
            )
        # Taken before the transaction begins: within it, a table that somebody has made
        # while we waited would still be unknown.
        connection.execute("SELECT pg_advisory_lock(%s)", (SCHEMA_LOCK,))
        try:
            with connection.transaction():
                self._bring_up_to_date(connection)
        finally:
            if not connection.closed:
                connection.execute("SELECT pg_advisory_unlock(%s)", (SCHEMA_LOCK,))

    def _bring_up_to_date(self, connection: Connection) -> None:
        version = _version(connection)
        if version > len(MIGRATIONS):
            raise StoreError(
                f"{shown(self.url)} was written by a newer Segue",
                "update Segue, or give another store with SEGUE_STORE",
            )
        for number in range(version, len(MIGRATIONS)):
            connection.execute(_sql(MIGRATIONS[number]).encode())
            connection.execute(queries()["insert_migration"], (number + 1,))
        _fill_state_tables(connection)


def connect(parameters: Mapping[str, str], settings: str = "") -> Connection:
    """Return a new connection with our settings, and more of them."""
    connection = psycopg.connect(**parameters, autocommit=True)  # type: ignore[arg-type]
    try:
        connection.execute((SETTINGS + settings).encode())
    except BaseException:
        connection.close()
        raise
    return connection


def _parameters(url: str) -> dict[str, str]:
    try:
        given = conninfo_to_dict(url)
    except psycopg.Error as error:
        raise UserError(
            f"store {shown(url)!r} is not a URL of PostgreSQL: {_said(error, url)}",
            "its form is postgresql://user@host:5432/database",
        ) from error
    named = {name: str(value) for name, value in given.items() if value is not None}
    return {**DEFAULTS, **named, "client_encoding": "UTF8"}


def _version(connection: Connection) -> int:
    (found,) = _one(connection, "SELECT to_regclass('segue_migrations') IS NOT NULL")
    if not found:
        return 0
    (version,) = _one(connection, "SELECT coalesce(max(number), 0) FROM segue_migrations")
    return int(version)


def _one(connection: Connection, query: str) -> tuple[Any, ...]:
    row = connection.execute(query.encode()).fetchone()
    assert row is not None
    return row


def _fill_state_tables(connection: Connection) -> None:
    with connection.cursor() as cursor:
        for table, found in (
            ("states", [(state.value,) for state in TaskState]),
            ("steps", rows.step_rows()),
            ("ways", rows.way_rows()),
        ):
            places = ", ".join(["%s"] * len(found[0]))
            query = f"INSERT INTO {table} VALUES ({places}) ON CONFLICT DO NOTHING"
            cursor.executemany(query.encode(), found)


# Errors ------------------------------------------------------------------------------


@contextmanager
def reported(url: str) -> Iterator[None]:
    """Turn what PostgreSQL says into an error that a person can act on."""
    try:
        yield
    except (psycopg.IntegrityError, psycopg.DataError):
        raise  # the schema refused what we wrote: a bug of ours, with traceback
    except psycopg.Error as error:
        raise _told(error, url) from error


def _told(error: psycopg.Error, url: str) -> StoreError:
    said = _said(error, url)
    if error.sqlstate == LEASE_LOST:
        return LeaseLostError(said, "'segue status' shows what it does")
    if error.sqlstate == OTHER_STATE:
        return StoreError(said)
    message = f"the store {shown(url)} failed: {said}"
    if is_lost(error):
        return ConnectionLostError(message, _advice(said))
    if isinstance(error, psycopg.errors.InsufficientPrivilege):
        return StoreError(message, "let the owner of the database grant you what is missing")
    return StoreError(message, "'segue doctor' looks closer")


def is_lost(error: psycopg.Error) -> bool:
    """Tell whether there is no connection any more, or never was."""
    if error.sqlstate is None:
        # The client's own words: there was no answer.
        return isinstance(error, psycopg.OperationalError | psycopg.InterfaceError)
    # Classes of SQLSTATE: 08 no connection, 28 not let in, 3D no such database,
    # 57P the server stops, 53300 too many connections.
    return error.sqlstate.startswith(("08", "28", "3D", "57P", "53300"))


def _advice(said: str) -> str:
    if "password" in said or "authentication" in said:
        return "give the password in ~/.pgpass or PGPASSWORD"
    if "does not exist" in said:
        return "make it first: createdb NAME"
    return "is the server up, and does SEGUE_STORE name it?"


def _said(error: psycopg.Error, url: str) -> str:
    words = error.diag.message_primary or str(error).strip() or type(error).__name__
    return without_secrets(" ".join(words.split()), url)


@cache
def _sql(name: str) -> str:
    return (Path(__file__).parent / "sql" / "postgres" / name).read_text(encoding="utf-8")


@cache
def queries() -> dict[str, bytes]:
    """Return every statement of the store by its name."""
    parts = _sql("queries.sql").split("--: ")[1:]
    named = (part.partition("\n") for part in parts)
    return {name: text.strip().encode() for name, _, text in named}
