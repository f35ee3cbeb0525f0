"""What a request asks of windows: filters, sorting and pages, from the query of its URL."""

from __future__ import annotations

import base64
import json
import math
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final

import re2

from segue.model.states import RunState, TaskState
from segue.protocols.windows import After, RunOrder, RunQuery, RunRow, TaskOrder, TaskQuery, TaskRow
from segue.server.problems import ApiError

RUNS_AT_MOST: Final = 500
TASKS_AT_MOST: Final = 1000
#: So many tags can be asked for at once.
TAGS_AT_MOST: Final = 20
#: A pattern may be so long; what it means to people ends long before.
PATTERN_LENGTH: Final = 1000

RUN_ORDERS: Final[Mapping[str, RunOrder]] = {
    "updatedAt": RunOrder.UPDATED_AT,
    "createdAt": RunOrder.CREATED_AT,
    "startedAt": RunOrder.STARTED_AT,
    "endedAt": RunOrder.ENDED_AT,
    "workflow": RunOrder.WORKFLOW,
    "state": RunOrder.STATE,
    "taskCount": RunOrder.TASK_COUNT,
}
TASK_ORDERS: Final[Mapping[str, TaskOrder]] = {
    "position": TaskOrder.POSITION,
    "name": TaskOrder.NAME,
    "state": TaskOrder.STATE,
    "attempts": TaskOrder.ATTEMPTS,
    "startedAt": TaskOrder.STARTED_AT,
    "endedAt": TaskOrder.ENDED_AT,
    "duration": TaskOrder.DURATION,
    "exitCode": TaskOrder.EXIT_CODE,
}


def checked_pattern(pattern: str) -> str:
    """Return the pattern, which RE2 can read.

    Raises
    ------
    ApiError
        If it cannot.
    """
    if len(pattern) > PATTERN_LENGTH:
        raise _bad("bad_pattern", f"a pattern has at most {PATTERN_LENGTH} signs")
    quiet = re2.Options()
    quiet.log_errors = False
    try:
        re2.compile(pattern, quiet)
    except re2.error as error:
        said = error.args[0] if error.args else ""
        message = said.decode("utf-8", "replace") if isinstance(said, bytes) else str(said)
        raise _bad(
            "bad_pattern",
            f"the pattern {pattern!r} cannot be read: {message}",
            "it is of RE2's syntax; put a backslash before signs that are meant as they are",
        ) from error
    return pattern


def _bad(code: str, message: str, hint: str = "") -> ApiError:
    return ApiError(400, message, code=code, hint=hint)


def sort_of(text: str, known: Mapping[str, Any]) -> tuple[Any, bool]:
    """Return the order that a text names, and whether it is turned round by a ``-``.

    Raises
    ------
    ApiError
        If there is no such order.
    """
    name = text.removeprefix("-")
    if name not in known:
        raise _bad("bad_sort", f"there is no order {text!r}", f"there are: {', '.join(known)}")
    return known[name], text.startswith("-")


def time_of(text: str | None, name: str) -> float | None:
    """Return an RFC 3339 time as seconds since the epoch; without a zone it is UTC.

    Raises
    ------
    ApiError
        If it is no time.

    Examples
    --------
    >>> time_of("1970-01-01T00:00:01.5Z", "startedAfter")
    1.5
    """
    if not text:
        return None
    try:
        # A plus sign that was not encoded comes as a blank.
        found = datetime.fromisoformat(text.strip().replace(" ", "+"))
        return (found if found.tzinfo else found.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError) as error:
        raise _bad(
            "bad_time", f"{name}: {text!r} is no time", "write 2026-11-21T13:36:19Z"
        ) from error


# Cursors -----------------------------------------------------------------------


def cursor_of(order: str, value: float | str, number: int) -> str:
    """Return where a page has ended, as one opaque word.

    Examples
    --------
    >>> after_of(cursor_of("-updatedAt", 1.5, 7), "-updatedAt")
    After(value=1.5, number=7)
    """
    text = json.dumps([order, value, number], separators=(",", ":"))
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def after_of(cursor: str, order: str) -> After | None:
    """Return where the page before has ended; None: there was none.

    Raises
    ------
    ApiError
        If it is no cursor, or one of another order.
    """
    if not cursor:
        return None
    try:
        text = base64.b64decode(cursor + "=" * (-len(cursor) % 4), b"-_", validate=True)
        said, value, number = json.loads(text)
    except (ValueError, TypeError, RecursionError) as error:
        raise _bad("bad_cursor", "the cursor is none of ours") from error
    fits = isinstance(value, int | float | str) and type(number) is int and abs(number) < 2**63
    if not fits or (isinstance(value, float) and not math.isfinite(value)):
        raise _bad("bad_cursor", "the cursor is none of ours")
    if isinstance(value, int):
        if abs(value) >= 2**63:
            raise _bad("bad_cursor", "the cursor is none of ours")
        value = float(value)
    if said != order:
        raise _bad("bad_cursor", "the cursor belongs to another order")
    return After(value, number)


# Queries -----------------------------------------------------------------------


def run_query(
    *,
    states: Sequence[RunState],
    name: str,
    tags: Mapping[str, str],
    pool: str,
    dialect: str,
    started_after: str | None,
    started_before: str | None,
    updated_after: str | None,
    has_task_state: TaskState | None,
    sort: str,
    limit: int,
    cursor: str,
) -> RunQuery:
    """Return which runs are asked for; one more than `limit`, to see whether there are more."""
    if len(tags) > TAGS_AT_MOST:
        raise _bad("too_many_tags", f"at most {TAGS_AT_MOST} tags can be asked for at once")
    order, descending = sort_of(sort, RUN_ORDERS)
    return RunQuery(
        states=tuple(dict.fromkeys(states)),
        pattern=checked_pattern(name),
        tags=tags,
        pool=pool,
        dialect=dialect,
        started_after=time_of(started_after, "startedAfter"),
        started_before=time_of(started_before, "startedBefore"),
        updated_after=time_of(updated_after, "updatedAfter"),
        task_state=has_task_state,
        order=order,
        descending=descending,
        after=_fitting(after_of(cursor, sort), order in _RUN_TEXTS),
        limit=limit + 1,
    )


_RUN_TEXTS: Final = frozenset({RunOrder.WORKFLOW, RunOrder.STATE})
_TASK_TEXTS: Final = frozenset({TaskOrder.NAME, TaskOrder.STATE})


def _fitting(after: After | None, is_text: bool) -> After | None:
    """Return the place if its value is of the order's kind."""
    if after is not None and isinstance(after.value, str) != is_text:
        raise _bad("bad_cursor", "the cursor is none of ours")
    return after


def task_query(
    *,
    states: Sequence[TaskState] = (),
    name: str = "",
    template: str = "",
    structural: bool = False,
    begun: bool = False,
    sort: str = "position",
    limit: int = 100,
    cursor: str = "",
    now: float,
) -> TaskQuery:
    """Return which tasks are asked for; one more than `limit`, to see whether there are more."""
    order, descending = sort_of(sort, TASK_ORDERS)
    return TaskQuery(
        states=tuple(dict.fromkeys(states)),
        pattern=checked_pattern(name),
        template=template,
        barriers=structural,
        begun=begun,
        order=order,
        descending=descending,
        after=_fitting(after_of(cursor, sort), order in _TASK_TEXTS),
        limit=limit + 1,
        now=now,
    )


def next_of_runs(rows: Sequence[RunRow], limit: int, sort: str) -> str | None:
    """Return the cursor of the next page; None: this is the last one."""
    if len(rows) <= limit:
        return None
    last = rows[limit - 1]
    return cursor_of(sort, last.value, last.number)


def next_of_tasks(rows: Sequence[TaskRow], limit: int, sort: str) -> str | None:
    """Return the cursor of the next page; None: this is the last one."""
    if len(rows) <= limit:
        return None
    last = rows[limit - 1]
    return cursor_of(sort, last.value, last.position)
