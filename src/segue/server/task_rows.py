"""Pages of tasks: read at once where that is cheap, else kept for a while."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from segue.protocols.windows import TaskOrder, TaskQuery, TaskRow
from segue.server.desk import Desk
from segue.server.site import Site

#: The database has the rows in these orders.
_CHEAP: Final = frozenset({TaskOrder.POSITION, TaskOrder.NAME})


def task_rows(desk: Desk, site: Site, run: str, query: TaskQuery) -> Sequence[TaskRow]:
    """Return a page of tasks; one for which all of them were sorted may be some seconds old."""
    if query.order in _CHEAP and not query.begun:
        return desk.windows.tasks(run, query)
    key = (run, "tasks", replace(query, now=0.0))
    return site.cache.get(key, int(query.now * 2), lambda: desk.windows.tasks(run, query))
