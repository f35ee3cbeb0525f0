"""The statements behind windows, for SQLite and PostgreSQL. Pure.

The two differ in how they write a place for a value, search with a pattern and open JSON;
`Speech` says how. Everything else is the same SQL.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from segue.model.states import FINAL_RUN, OUTSIDE, RunState, TaskState
from segue.protocols.windows import After, RunOrder, RunQuery, TaskOrder, TaskQuery

Query = tuple[str, list[Any]]

RUN_COLUMNS: Final = (
    "number", "id", "workflow", "dialect", "state", "source", "directory", "workspace",
    "created_at", "started_at", "ended_at", "verdict", "task_limit", "pool", "priority",
    "cancelling", "description", "tags", "context", "counts", "restart_limit", "slots",
    "continues", "reading", "updated_at",
)  # fmt: skip
RECORD_COLUMNS: Final = (
    "state", "attempt", "cause", "failures", "losses", "restarts", "not_before", "cancelling",
    "refusals", "reused_from", "held",
)  # fmt: skip
ATTEMPT_COLUMNS: Final = (
    "run", "task", "number", "state", "place", "folder", "job_id", "node", "cause", "exit_code",
    "signal", "submitted_at", "started_at", "ended_at", "cpu_s", "peak_rss_bytes", "message",
    "restarted",
)  # fmt: skip
#: What stands before the record in a row of `tasks`: position, name, template, barrier.
BEFORE_RECORD: Final = 4

#: A context of more signs is left out of what windows show of a run.
CONTEXT_SHOWN: Final = 100_000

_TEMPLATE: Final = "CASE WHEN nodes.template = '' THEN nodes.name ELSE nodes.template END"
_NEWEST: Final = (
    "LEFT JOIN attempts ON attempts.run = nodes.run AND attempts.task = nodes.position"
    " AND attempts.number = nodes.attempt"
)
_RUN_ORDERS: Final[Mapping[RunOrder, str]] = {
    RunOrder.UPDATED_AT: "updated_at",
    RunOrder.CREATED_AT: "created_at",
    RunOrder.STARTED_AT: "coalesce(started_at, 0)",
    RunOrder.ENDED_AT: "coalesce(ended_at, 0)",
    RunOrder.WORKFLOW: "workflow",
    RunOrder.STATE: "state",
}
_TASK_ORDERS: Final[Mapping[TaskOrder, str]] = {
    TaskOrder.POSITION: "nodes.position",
    TaskOrder.NAME: "nodes.name",
    TaskOrder.STATE: "nodes.state",
    TaskOrder.ATTEMPTS: "nodes.attempt",
    TaskOrder.STARTED_AT: "coalesce(attempts.started_at, 0)",
    TaskOrder.ENDED_AT: "coalesce(attempts.ended_at, 0)",
    TaskOrder.EXIT_CODE: "coalesce(attempts.exit_code, -1)",
}
_TEXT_ORDERS: Final = frozenset(
    {RunOrder.WORKFLOW, RunOrder.STATE, TaskOrder.NAME, TaskOrder.STATE}
)
_LIVING: Final = tuple(state.value for state in RunState if state not in FINAL_RUN)


@dataclass(frozen=True, slots=True)
class Speech:
    """How a database says what the two say differently.

    Attributes
    ----------
    place
        What stands for a value.
    matches
        A text and a pattern: ``{text} ~ {place}``.
    tag_matches, has_tag
        Conditions on the tags of a run, with one value and with two.
    count_of, task_count
        The number of a run's tasks in one state, and of all its tasks.
    member
        Whether a value is among those of one parameter; `among` makes that parameter.
    whole
        A number rounded down.
    part
        One member of a definition as JSON text, or NULL.
    yes
        A true value.
    bytewise
        Put behind a text, lets it be sorted by its bytes.
    """

    place: str
    matches: str
    tag_matches: str
    has_tag: str
    count_of: str
    task_count: str
    member: str
    whole: str
    part: str
    yes: str
    no: str
    bytewise: str


SQLITE: Final = Speech(
    place="?",
    matches="{text} REGEXP ?",
    tag_matches="EXISTS (SELECT 1 FROM json_each(tags) WHERE (key || '=' || value) REGEXP ?)",
    has_tag="EXISTS (SELECT 1 FROM json_each(tags) WHERE key = ? AND value = ?)",
    count_of="coalesce(json_extract(counts, '$.{state}'), 0)",
    task_count="(SELECT coalesce(sum(value), 0) FROM json_each(counts))",
    member="{text} IN (SELECT value FROM json_each(?))",
    whole="CAST({number} AS INTEGER)",
    part="json_extract(definition, '$.{name}')",
    yes="1",
    no="0",
    bytewise="",
)
POSTGRES: Final = Speech(
    place="%s",
    matches="{text} ~ %s",
    tag_matches=(
        "EXISTS (SELECT 1 FROM json_each_text(tags::json) AS tag"
        " WHERE (tag.key || '=' || tag.value) ~ %s)"
    ),
    has_tag="tags::json ->> %s = %s",
    count_of="coalesce((counts::json ->> '{state}')::bigint, 0)",
    task_count=(
        "(SELECT coalesce(sum(value::bigint), 0) FROM json_each_text(counts::json))::bigint"
    ),
    member="{text} = ANY(%s)",
    whole="floor({number})::bigint",
    part="(definition::json ->> '{name}')",
    yes="true",
    no="false",
    bytewise=' COLLATE "C"',
)


class Statements:
    """Makes the statements of one database; `among` makes a list of texts into one value."""

    def __init__(self, speech: Speech) -> None:
        self.speech = speech

    def among(self, values: Sequence[str] | Sequence[int]) -> Any:
        """Return the one value that `Speech.member` takes for several."""
        if self.speech is POSTGRES:
            return list(values)
        import json

        return json.dumps(list(values))

    # Runs --------------------------------------------------------------------

    def runs(self, query: RunQuery) -> Query:
        """Return the statement for a page of runs; the sort value stands behind the columns."""
        where, values = self._runs_where(query)
        if query.states:
            where.append(self.speech.member.format(text="state"))
            values.append(self.among([state.value for state in query.states]))
        order = self._run_order(query.order)
        self._behind(where, values, query.after, order, "number", query.descending)
        # Lists do without what the dialect will need again, which can be as large as the run.
        columns = ", ".join("'{}'" if name == "context" else name for name in RUN_COLUMNS)
        return self._page(
            f"SELECT {columns}, {order} FROM runs",
            (where, values),
            (order, "number", query.descending, query.limit),
        )

    def run_counts(self, query: RunQuery) -> Query:
        """Return the statement that counts runs by state."""
        where, values = self._runs_where(query)
        return f"SELECT state, count(*) FROM runs{_all(where)} GROUP BY state", values

    def one_run(self, column: str) -> str:
        """Return the statement for the run whose `column` has a value."""
        small = f"CASE WHEN length(context) > {CONTEXT_SHOWN} THEN '{{}}' ELSE context END"
        columns = ", ".join(small if name == "context" else name for name in RUN_COLUMNS)
        return f"SELECT {columns}, number FROM runs WHERE {column} = {self.speech.place}"

    def _run_order(self, order: RunOrder) -> str:
        if order is RunOrder.TASK_COUNT:
            return self.speech.task_count
        return self._text(_RUN_ORDERS[order], order in _TEXT_ORDERS)

    def _runs_where(self, query: RunQuery) -> tuple[list[str], list[Any]]:
        say, place = self.speech, self.speech.place
        where: list[str] = []
        values: list[Any] = []
        if query.pattern:
            either = [say.matches.format(text=text) for text in ("id", "workflow")]
            where.append(f"({' OR '.join([*either, say.tag_matches])})")
            values += [query.pattern] * 3
        for name, value in query.tags.items():
            where.append(say.has_tag)
            values += [name, value]
        for condition, given in (
            (f"pool = {place}", query.pool or None),
            (f"dialect = {place}", query.dialect or None),
            (f"started_at >= {place}", query.started_after),
            (f"started_at <= {place}", query.started_before),
            (f"updated_at >= {place}", query.updated_after),
        ):
            if given is not None:
                where.append(condition)
                values.append(given)
        if query.task_state is not None:
            where.append(f"{say.count_of.format(state=query.task_state.value)} > 0")
        return where, values

    # Tasks -------------------------------------------------------------------

    def tasks(self, run: int, query: TaskQuery, positions: Sequence[int] | None = None) -> Query:
        """Return the statement for a page of tasks.

        A row has position, name, template, barrier, record, attempt and the sort value.
        `positions`, where given, stand for the pattern, which was searched for already.
        """
        where, values = self._tasks_where(run, query, positions)
        if query.states:
            where.append(self.speech.member.format(text="nodes.state"))
            values.append(self.among([state.value for state in query.states]))
        order = self._task_order(query)
        self._behind(where, values, query.after, order, "nodes.position", query.descending)
        newest = f" {_NEWEST}" if query.begun or "attempts." in order else ""
        # What is sorted is no wider than it must be; the rest is looked up for one page.
        page, values = self._page(
            f"SELECT nodes.run, nodes.position, {order} AS sorted_by FROM nodes{newest}",
            (where, values),
            (order, "nodes.position", query.descending, query.limit),
        )
        columns = [
            "nodes.position", "nodes.name", _TEMPLATE, "nodes.barrier",
            *(f"nodes.{name}" for name in RECORD_COLUMNS),
            *(f"attempts.{name}" for name in ATTEMPT_COLUMNS),
            "sorted_by",
        ]  # fmt: skip
        way = " DESC" if query.descending else ""
        text = (
            f"SELECT {', '.join(columns)} FROM ({page}) AS page"
            " JOIN nodes ON nodes.run = page.run AND nodes.position = page.position"
            f" {_NEWEST} ORDER BY sorted_by{way}, nodes.position{way}"
        )
        return text, values

    def task_counts(
        self, run: int, query: TaskQuery, positions: Sequence[int] | None = None
    ) -> Query:
        """Return the statement that counts tasks by state; see `tasks`."""
        where, values = self._tasks_where(run, query, positions)
        newest = f" {_NEWEST}" if query.begun else ""
        text = f"SELECT nodes.state, count(*) FROM nodes{newest}{_all(where)} GROUP BY nodes.state"
        return text, values

    def _tasks_where(
        self, run: int, query: TaskQuery, positions: Sequence[int] | None
    ) -> tuple[list[str], list[Any]]:
        say, place = self.speech, self.speech.place
        where: list[str] = [f"nodes.run = {place}"]
        values: list[Any] = [run]
        if not query.barriers:
            where.append(f"nodes.barrier = {say.no}")
        if query.template:
            template, name = f"nodes.template = {place}", f"nodes.name = {place}"
            where.append(f"({template} OR (nodes.template = '' AND {name}))")
            values += [query.template, query.template]
        if positions is not None:
            where.append(say.member.format(text="nodes.position"))
            values.append(self.among(positions))
        elif query.pattern:
            where.append(say.matches.format(text="nodes.name"))
            values.append(query.pattern)
        if query.begun:
            where.append("attempts.started_at IS NOT NULL")
        return where, values

    def _task_order(self, query: TaskQuery) -> str:
        if query.order is TaskOrder.DURATION:
            # The time is ours and no text of anybody's: it may stand in the statement.
            until = f"coalesce(attempts.ended_at, {query.now:.3f})"
            return (
                "CASE WHEN attempts.started_at IS NULL THEN -1.0"
                f" ELSE {until} - attempts.started_at END"
            )
        return self._text(_TASK_ORDERS[query.order], query.order in _TEXT_ORDERS)

    # Counts and sums -----------------------------------------------------------

    def template_counts(self, run: int) -> Query:
        """Return the statement that counts the tasks of each template by state."""
        say = self.speech
        text = (
            f"SELECT {_TEMPLATE}, state, count(*), min(position) FROM nodes"
            f" WHERE run = {say.place} AND barrier = {say.no} GROUP BY 1, 2"
        )
        return text, [run]

    def joints(self, run: int) -> Query:
        """Return the statement for what drawing needs of each node."""
        parts = [self.speech.part.format(name=name) for name in ("needs", "trigger", "generator")]
        text = (
            f"SELECT nodes.position, name, {_TEMPLATE}, barrier, {', '.join(parts)}"
            f" FROM nodes JOIN definitions USING (run, position)"
            f" WHERE nodes.run = {self.speech.place} ORDER BY nodes.position"
        )
        return text, [run]

    def step_counts(self, run: int, after: int, last: int, width_s: float) -> Query:
        """Return the statement that counts the steps of tasks by slices of time."""
        say = self.speech
        slice_ = say.whole.format(number=f"at / {say.place}")
        text = (
            f"SELECT {slice_}, old, new, count(*) FROM history"
            f" WHERE run = {say.place} AND number > {say.place} AND number <= {say.place}"
            " AND kind = 'step' AND task NOT IN"
            f" (SELECT position FROM nodes WHERE run = {say.place} AND barrier = {say.yes})"
            " GROUP BY 1, 2, 3"
        )
        return text, [width_s, run, after, last, run]

    def spans(self, run: int, width_s: float) -> Query:
        """Return the statement that counts attempts by template and slices of time."""
        say = self.speech
        slices = [
            say.whole.format(number=f"attempts.{name} / {say.place}")
            for name in ("submitted_at", "started_at", "ended_at")
        ]
        failed = "(attempts.ended_at IS NOT NULL AND attempts.state <> 'succeeded')"
        text = (
            f"SELECT {_TEMPLATE}, {', '.join(slices)}, {failed}, count(*) FROM attempts"
            " JOIN nodes ON nodes.run = attempts.run AND nodes.position = attempts.task"
            f" WHERE attempts.run = {say.place} GROUP BY 1, 2, 3, 4, 5"
        )
        return text, [width_s, width_s, width_s, run]

    def busy(self) -> Query:
        """Return the statement that counts what is out, by executor and state."""
        member = self.speech.member
        text = (
            "SELECT attempts.place, attempts.state, count(*) FROM runs"
            " JOIN attempts ON attempts.run = runs.number"
            f" WHERE {member.format(text='runs.state')} AND attempts.ended_at IS NULL"
            f" AND {member.format(text='attempts.state')} GROUP BY 1, 2"
        )
        out = self.among([state.value for state in OUTSIDE])
        return text, [self.among(_LIVING), out]

    def ready(self) -> Query:
        """Return the statement that counts what waits for room, by the pool asked for."""
        pool = self.speech.part.format(name="pool")
        text = (
            f"SELECT coalesce({pool}, runs.pool), count(*) FROM runs"
            " JOIN nodes ON nodes.run = runs.number"
            " JOIN definitions USING (run, position)"
            f" WHERE {self.speech.member.format(text='runs.state')}"
            f" AND nodes.state = '{TaskState.READY.value}' GROUP BY 1"
        )
        return text, [self.among(_LIVING)]

    # Pages ---------------------------------------------------------------------

    def _text(self, expression: str, is_text: bool) -> str:
        return expression + self.speech.bytewise if is_text else expression

    def _behind(
        self,
        where: list[str],
        values: list[Any],
        after: After | None,
        order: str,
        number: str,
        descending: bool,
    ) -> None:
        """Begin behind the last row of the page before."""
        if after is None:
            return
        place = self.speech.place
        if order == number:
            where.append(f"{number} {'<' if descending else '>'} {place}")
            values.append(after.number)
            return
        where.append(f"({order}, {number}) {'<' if descending else '>'} ({place}, {place})")
        values += [after.value, after.number]

    def _page(
        self,
        select: str,
        condition: tuple[list[str], list[Any]],
        page: tuple[str, str, bool, int],
    ) -> Query:
        where, values = condition
        order, number, descending, limit = page
        way = " DESC" if descending else ""
        orders = [f"{each}{way}" for each in dict.fromkeys((order, number))]
        text = f"{select}{_all(where)} ORDER BY {', '.join(orders)}"
        if limit:
            text += f" LIMIT {limit:d}"
        return text, values


def _all(where: Sequence[str]) -> str:
    return f" WHERE {' AND '.join(where)}" if where else ""
