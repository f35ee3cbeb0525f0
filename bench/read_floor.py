"""read_floor.py FILE [store]: parse JSON and, with `store`, keep a row for each task.

What a Python program on SQLite cannot be faster than: it checks nothing.
"""

from __future__ import annotations

import json
import sqlite3
import sys
from pathlib import Path


def main(file: str, store: bool) -> None:
    """Parse the file; store the tasks in one transaction."""
    tasks = json.loads(Path(file).read_text())["tasks"]
    if not store:
        return
    base = sqlite3.connect("floor.db")
    base.execute("PRAGMA journal_mode = wal")
    base.execute("PRAGMA synchronous = normal")
    base.execute("CREATE TABLE task (number INTEGER PRIMARY KEY, name TEXT, body TEXT)")
    rows = ((number, name, json.dumps(tasks[name])) for number, name in enumerate(tasks))
    with base:
        base.executemany("INSERT INTO task VALUES (?, ?, ?)", rows)
    base.close()


if __name__ == "__main__":
    main(sys.argv[1], len(sys.argv) > 2)
