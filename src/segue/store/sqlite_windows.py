"""Windows on an SQLite store: a connection of its own that only reads."""

from __future__ import annotations

import json
import sqlite3
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final

from segue.protocols.windows import Joint
from segue.store.patterns import Names, searcher
from segue.store.sql_windows import Row, SqlWindows
from segue.store.sqlite import BUSY_TIMEOUT_S, open_sqlite, path_of
from segue.store.sqlite_errors import reported
from segue.store.window_queries import SQLITE

#: What SQLite may keep in memory for one window, in KiB: a page of a large run is read often.
CACHE_KIB: Final = 16 * 1024
#: The names of so many runs are remembered, to be searched.
RUNS_REMEMBERED: Final = 8
#: So many nodes of a graph come as one row.
JOINTS_A_ROW: Final = 4096
_JOINTS: Final = """
SELECT json_array(
    json_group_array(position),
    json_group_array(name),
    json_group_array(template),
    json_group_array(barrier),
    json_group_array(json_extract(definition, '$.needs')),
    json_group_array(json_extract(definition, '$.trigger')),
    json_group_array(json_type(definition, '$.generator'))
) FROM (
    SELECT position, name, template, barrier, definition
    FROM nodes JOIN definitions USING (run, position)
    WHERE run = ? AND position >= ? AND position < ? ORDER BY position
)
"""
_remembered: Final[dict[tuple[str, int], Names]] = {}
_lock: Final = threading.Lock()


def open_windows(url: str) -> SqliteWindows:
    """Return windows on the store that a URL names, which is made if it is not there."""
    open_sqlite(url).close()  # makes what is not there, and brings the schema up to date
    return SqliteWindows(path_of(url))


class SqliteWindows(SqlWindows):
    """Fulfils `segue.protocols.windows.Windows` on one file."""

    def __init__(self, path: Path) -> None:
        super().__init__(SQLITE)
        self.path = path
        with reported(path):
            self._base = sqlite3.connect(
                path, timeout=BUSY_TIMEOUT_S, isolation_level=None, check_same_thread=False
            )
            self._base.execute("PRAGMA query_only = ON")
            self._base.execute(f"PRAGMA cache_size = -{CACHE_KIB}")
        self._base.create_function("regexp", 2, _is_in, deterministic=True)

    def _found(self, run: int, pattern: str) -> Sequence[int] | None:
        """Search here: SQLite would ask us for each name, one by one."""
        return self._names_of(run).matching(pattern) if pattern else None

    def _names_of(self, run: int) -> Names:
        """Return the names of a run's nodes; a few runs' are remembered, for all windows."""
        key = (str(self.path), run)
        with _lock:
            known = _remembered.get(key)
        if known is None or len(known) != self._size(run):
            query = "SELECT name FROM nodes WHERE run = ? ORDER BY position"
            known = Names(name for (name,) in self._ask(query, [run]))
        with _lock:
            _remembered.pop(key, None)
            _remembered[key] = known  # the newest stands last
            while len(_remembered) > RUNS_REMEMBERED:
                _remembered.pop(next(iter(_remembered)))
        return known

    def joints(self, run: str) -> Iterator[Joint]:
        """Yield every node of the graph, by position.

        Each block of nodes comes as one row of columns, which SQLite writes and `json` reads in
        one go: after each row a thread waits for its turn, and behind a busy engine that takes
        longer than all the reading.
        """
        number = self._number(run)
        for first in range(0, self._size(number), JOINTS_A_ROW):
            block = self._ask(_JOINTS, [number, first, first + JOINTS_A_ROW])[0][0]
            positions, names, templates, barriers, needs, triggers, generators = json.loads(block)
            columns = (
                positions,
                names,
                [template or name for template, name in zip(templates, names, strict=True)],
                map(bool, barriers),
                [tuple(each) if each else () for each in needs],
                [trigger or "all_success" for trigger in triggers],
                [generator not in (None, "null") for generator in generators],
            )
            yield from map(Joint._make, zip(*columns, strict=True))

    def _ask(self, text: str, values: Sequence[Any]) -> list[Row]:
        with reported(self.path):
            return self._base.execute(text, values).fetchall()

    def close(self) -> None:
        """Let go of the file."""
        self._base.close()


def _is_in(pattern: str, text: str | None) -> bool:
    return text is not None and searcher(pattern)(text)
