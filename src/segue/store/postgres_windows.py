"""Windows on a PostgreSQL store: a connection of its own, with plans for large answers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from segue.model.errors import StoreError
from segue.store.doubt import ConnectionLostError
from segue.store.postgres_rows import clean
from segue.store.postgres_session import Session
from segue.store.sql_windows import Row, SqlWindows
from segue.store.window_queries import POSTGRES

#: Windows read much at once, where an engine reads little and often. A question that takes
#: so long, in milliseconds, is given up: somebody's pattern may be to blame.
SETTINGS: Final = """
SET enable_seqscan = on;
SET enable_hashjoin = on;
SET enable_mergejoin = on;
SET statement_timeout = 20000;
SET default_transaction_read_only = on;
"""


def open_windows(url: str) -> PostgresWindows:
    """Return windows on the store that a URL names, which somebody has opened before."""
    return PostgresWindows(url)


class PostgresWindows(SqlWindows):
    """Fulfils `segue.protocols.windows.Windows` on a database."""

    def __init__(self, url: str) -> None:
        super().__init__(POSTGRES)
        self._session = Session(url, SETTINGS)

    def _ask(self, text: str, values: Sequence[Any]) -> list[Row]:
        try:
            return self._once(text, values)
        except ConnectionLostError:
            return self._once(text, values)

    def _once(self, text: str, values: Sequence[Any]) -> list[Row]:
        try:
            with self._session.using() as connection:
                return connection.execute(text.encode(), clean(values)).fetchall()
        except StoreError as error:
            if "statement timeout" in str(error):
                raise StoreError("the question took too long", "ask for less at once") from error
            raise

    def close(self) -> None:
        """Let go of the connection."""
        self._session.close()
