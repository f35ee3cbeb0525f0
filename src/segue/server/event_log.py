"""Every event as a line of JSON, for whoever reads along: Daggy's `OStreamLogger`.

The lines are the history that the store holds, told once more as it is written. Nothing
depends on them: a reader who has left, or a full disk, costs lines and no run.
"""

from __future__ import annotations

import json
import logging
from collections import OrderedDict
from collections.abc import Callable
from typing import Final, TextIO

from segue.engine.scheduler import Turn
from segue.model.errors import StoreError
from segue.model.run import HistoryRecord
from segue.model.times import rfc3339
from segue.protocols.store import Store, TaskFilter

log = logging.getLogger("segue.server")

#: So many names of tasks are remembered.
NAMES_KEPT: Final = 100_000


class EventLog:
    """Writes what each turn has stored; used by the engine's thread."""

    def __init__(self, stream: TextIO, open_store: Callable[[], Store]) -> None:
        self._stream = stream
        self._open_store = open_store
        self._store: Store | None = None
        self._last: dict[str, int] = {}
        self._names: OrderedDict[tuple[str, int], str] = OrderedDict()

    def turned(self, turn: Turn) -> None:
        """Write what a turn has stored."""
        try:
            for run, commit in turn.changed.items():
                if commit.history:
                    self._tell(run, commit.history[0].number)
            self._stream.flush()
        except (OSError, ValueError, StoreError) as error:
            log.warning("events are not told: %s", error)
        for record in turn.ended:
            self._last.pop(record.id, None)

    def _tell(self, run: str, first: int) -> None:
        store = self._store = self._store or self._open_store()
        # The line that says that the run was taken in was written by the door.
        known = self._last.get(run, 0 if first <= 2 else first - 1)
        for line in store.history(run, known):
            self._stream.write(json.dumps(self._document(store, run, line)) + "\n")
            self._last[run] = line.number

    def _document(self, store: Store, run: str, line: HistoryRecord) -> dict[str, object]:
        told: dict[str, object] = {
            "run": run,
            "number": line.number,
            "time": rfc3339(line.at),
            "event": line.kind,
        }
        if line.task is not None:
            told["task"] = self._name(store, run, line.task)
        for name in ("attempt", "old", "new", "detail"):
            if value := getattr(line, name):
                told[name] = value
        return told

    def _name(self, store: Store, run: str, position: int) -> str:
        key = (run, position)
        if key not in self._names:
            for each in store.nodes(run, TaskFilter(after=position - 1, limit=1)):
                self._names[key] = each.node.name
            while len(self._names) > NAMES_KEPT:
                self._names.popitem(last=False)
        return self._names.get(key, "")
