"""What Tasks have found, kept in ``lute.db`` in the work directory.

Two ways lead to a result. LUTE's own: one table a Task, with a column for each parameter
and one row for each time it ran, looked up as "the latest valid one for this run of the
experiment"; the tables are those of LUTE's database of version 0.1, so that its Tasks find
ours. And by the run and the step of the workflow, in which two branches that run the same
Task do not mix: the table `segue_results`.

The work directory often lies on a network file system, and several jobs write at once: the
journal is SQLite's safest, a writer waits for the other, and each result is one transaction.
"""

from __future__ import annotations

import contextlib
import json
import sqlite3
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from segue.model.errors import OutsideError

FILE_NAME: Final = "lute.db"
#: How long a writer waits for another, in seconds.
BUSY_LIMIT_S: Final = 60.0
#: Longer lists and deeper maps than this stay one column of JSON.
_LIST_LIMIT: Final = 64
_DEPTH_LIMIT: Final = 8
#: SQLite's own limit is 2,000.
_COLUMN_LIMIT: Final = 1500

_TABLES: Final = """
CREATE TABLE IF NOT EXISTS gen_cfg (id INTEGER PRIMARY KEY, title TEXT, experiment TEXT,
    run TEXT, date TEXT, lute_version TEXT, task_timeout INTEGER);
CREATE TABLE IF NOT EXISTS exec_cfg (id INTEGER PRIMARY KEY, env TEXT, poll_interval REAL,
    communicator_desc TEXT);
CREATE TABLE IF NOT EXISTS segue_results (id INTEGER PRIMARY KEY, workflow_run TEXT,
    step TEXT, attempt INTEGER, task TEXT, task_row INTEGER, valid_flag INTEGER, at REAL);
CREATE INDEX IF NOT EXISTS segue_results_run ON segue_results (workflow_run, task);
"""


@dataclass(frozen=True, slots=True)
class Step:
    """Which attempt of which step of which run of a workflow a job is; all empty outside one."""

    run: str = ""
    name: str = ""
    attempt: int = 0

    @classmethod
    def of(cls, environment: Mapping[str, str]) -> Step:
        """Return the step that the environment of a job names.

        Examples
        --------
        >>> Step.of({"SEGUE_JOB": "sfx-x7k2.3.1"})
        Step(run='sfx-x7k2', name='3', attempt=1)
        """
        run, task, attempt = ([""] * 3 + environment.get("SEGUE_JOB", "").rsplit(".", 2))[-3:]
        if not (run and attempt.isdecimal()):
            return cls()
        return cls(run, task, int(attempt))


@dataclass(frozen=True, slots=True)
class Execution:
    """One time that a Task ran: all that is kept of it.

    `header` holds the values of the config's header, `parameters` the Task's, `result` has
    `task_status`, `summary`, `payload` and `impl_schemas`.
    """

    task: str
    header: Mapping[str, Any]
    parameters: Mapping[str, Any]
    result: Mapping[str, Any]
    valid: bool
    environment: Mapping[str, str]
    communicators: str
    step: Step = Step()


def write_execution(work_dir: str | Path, execution: Execution) -> int:
    """Store one execution; return the number of its row in the Task's table.

    Raises
    ------
    OutsideError
        If the database cannot be written.
    """
    columns = flattened(execution.parameters)
    for name, value in execution.result.items():
        columns[f"result.{name}"] = _plain(value)
    columns["valid_flag"] = int(execution.valid)
    with _database(work_dir) as database:
        row: dict[str, Any] = {
            "timestamp": time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime()),
            "gen_cfg_id": _find_or_add(database, "gen_cfg", _general(execution.header)),
            "exec_cfg_id": _find_or_add(database, "exec_cfg", _executor(execution)),
        }
        row |= columns
        _make_table(database, execution.task, row)
        number = _insert(database, execution.task, row)
        step = execution.step
        _insert(
            database,
            "segue_results",
            {
                "workflow_run": step.run,
                "step": step.name,
                "attempt": step.attempt,
                "task": execution.task,
                "task_row": number,
                "valid_flag": int(execution.valid),
                "at": time.time(),
            },
        )
    return number


def latest_entry(
    work_dir: str | Path,
    task: str,
    column: str,
    *,
    run: int | str | None = None,
    workflow_run: str = "",
    valid_only: bool = True,
) -> Any:
    """Return what a Task was given, or has found, when it last ran.

    Parameters
    ----------
    work_dir
        Where ``lute.db`` lies.
    task
        The name of the Task, not of the managed Task.
    column
        A parameter (``a.b``, ``a[0]``), or ``result.payload``.
    run
        Of this run of the experiment only.
    workflow_run
        Where this run of a workflow has executed the Task, only its executions count.
    valid_only
        Executions that did not end well do not count.

    Returns
    -------
    Any
        The value; None where there is none.
    """
    if not Path(work_dir, FILE_NAME).exists():
        return None
    with _database(work_dir) as database:
        if column not in _columns_of(database, task):
            return None
        where: list[str] = ["1"]
        values: list[Any] = []
        if valid_only:
            where.append("t.valid_flag = 1")
        if run is not None:
            where.append("g.run = ?")
            values.append(str(run))
        own = _own_rows(database, task, workflow_run, valid_only) if workflow_run else []
        if own:
            where.append(f"t.id IN ({','.join('?' * len(own))})")
            values += own
        found = database.execute(
            f"SELECT t.{_quoted(column)} FROM {_quoted(task)} t "
            f"LEFT JOIN gen_cfg g ON g.id = t.gen_cfg_id "
            f"WHERE {' AND '.join(where)} ORDER BY t.id DESC LIMIT 1",
            values,
        ).fetchone()
    return found[0] if found else None


def flattened(values: Mapping[str, Any], above: str = "", depth: int = 0) -> dict[str, Any]:
    """Return nested values as columns: ``a.b`` for maps, ``a[0]`` for lists.

    Examples
    --------
    >>> flattened({"a": {"b": [1, "x"]}, "c": None})
    {'a.b[0]': 1, 'a.b[1]': 'x', 'c': None}
    """
    columns: dict[str, Any] = {}
    for key, value in values.items():
        name = f"{above}{key}"
        if isinstance(value, Mapping) and value and depth < _DEPTH_LIMIT:
            columns |= flattened(value, f"{name}.", depth + 1)
        elif _is_short_list(value) and depth < _DEPTH_LIMIT:
            items = {f"[{number}]": each for number, each in enumerate(value)}
            columns |= flattened(items, name, depth + 1)
        else:
            columns[name] = _plain(value)
    return columns


def _is_short_list(value: Any) -> bool:
    if not isinstance(value, Sequence) or isinstance(value, str | bytes):
        return False
    return 0 < len(value) <= _LIST_LIMIT


def _plain(value: Any) -> Any:
    """Return the value as SQLite holds it."""
    if value is None or isinstance(value, bytes | str | float):
        return value
    if isinstance(value, int):
        return int(value) if -(2**63) <= value < 2**63 else str(value)
    return json.dumps(value, default=str)


@contextlib.contextmanager
def _database(work_dir: str | Path) -> Iterator[sqlite3.Connection]:
    """Open the database for one transaction."""
    path = Path(work_dir, FILE_NAME)
    try:
        database = sqlite3.connect(path, timeout=BUSY_LIMIT_S, isolation_level=None)
        try:
            database.execute("BEGIN IMMEDIATE")
            for statement in _TABLES.split(";"):
                database.execute(statement)
            yield database
            database.execute("COMMIT")
        finally:
            database.close()
    except sqlite3.Error as error:
        hint = "is the work directory full, read-only, or on a file system without locks?"
        raise OutsideError(f"the results at {path} cannot be used: {error}", hint) from error


def _general(header: Mapping[str, Any]) -> dict[str, Any]:
    names = ("title", "experiment", "run", "date", "lute_version", "task_timeout")
    values = {name: header.get(name) for name in names}
    return {name: value if name == "task_timeout" else str(value) for name, value in values.items()}


def _executor(execution: Execution) -> dict[str, Any]:
    kept = {
        name: value
        for name, value in sorted(execution.environment.items())
        if name.startswith(("LUTE_", "SLURM_")) and "TOKEN" not in name
    }
    text = ";".join(f"{name}={value}" for name, value in kept.items())
    return {"env": text, "poll_interval": 0.0, "communicator_desc": execution.communicators}


def _find_or_add(database: sqlite3.Connection, table: str, row: Mapping[str, Any]) -> int:
    condition = " AND ".join(f"{_quoted(name)} IS ?" for name in row)
    found = database.execute(
        f"SELECT id FROM {_quoted(table)} WHERE {condition} LIMIT 1",
        tuple(row.values()),
    ).fetchone()
    return int(found[0]) if found else _insert(database, table, row)


def _insert(database: sqlite3.Connection, table: str, row: Mapping[str, Any]) -> int:
    names = ", ".join(map(_quoted, row))
    marks = ", ".join("?" * len(row))
    statement = f"INSERT INTO {_quoted(table)} ({names}) VALUES ({marks})"
    return int(database.execute(statement, tuple(row.values())).lastrowid or 0)


def _make_table(database: sqlite3.Connection, table: str, row: dict[str, Any]) -> None:
    """Give the Task a table with a column for each name in `row`; later ones are added."""
    while len(row) > _COLUMN_LIMIT:
        row.popitem()
    existing = _columns_of(database, table)
    if not existing:
        names = ", ".join(map(_quoted, row))
        database.execute(f"CREATE TABLE {_quoted(table)} (id INTEGER PRIMARY KEY, {names})")
        return
    # SQLite does not tell names apart by their case.
    known = {name.lower() for name in existing}
    for name in [each for each in row if each.lower() not in known]:
        database.execute(f"ALTER TABLE {_quoted(table)} ADD COLUMN {_quoted(name)}")


def _columns_of(database: sqlite3.Connection, table: str) -> list[str]:
    return [row[1] for row in database.execute(f"PRAGMA table_info({_quoted(table)})")]


def _own_rows(
    database: sqlite3.Connection, task: str, workflow_run: str, valid_only: bool
) -> list[int]:
    statement = "SELECT task_row FROM segue_results WHERE workflow_run = ? AND task = ?"
    if valid_only:
        statement += " AND valid_flag = 1"
    return [row[0] for row in database.execute(statement, (workflow_run, task))]


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
