"""What windows on every store must show: one suite for all of them.

Join it with a class of your own that gives two fixtures, `store`, new and empty, and
`windows` on the same data.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import product

import pytest

from segue.model.errors import NotFoundError, UserError
from segue.model.run import AttemptRecord, HistoryRecord, Node, RunRecord, TaskRecord
from segue.model.states import Cause, RunState, TaskState
from segue.model.workflow import Argv, Barrier, Generator, Task, TriggerRule
from segue.protocols.store import Commit, Store
from segue.protocols.windows import (
    After,
    Joint,
    RunOrder,
    RunQuery,
    RunRow,
    Span,
    StepCount,
    TaskOrder,
    TaskQuery,
    TaskRow,
    TemplateCount,
    Windows,
)
from segue.store.plain_windows import PlainWindows
from segue.testing.store_suite import example_lease, example_run

TRUE = Argv(("true",))
NODES: list[Node] = [
    Task("a_1", TRUE, template="a", pool="fast"),
    Task("a_2", TRUE, template="a", pool="fast"),
    Barrier("x", ("a_1", "a_2")),
    Task("b", TRUE, needs=("x",), trigger=TriggerRule.ALL_COMPLETED, generator=Generator("daggy")),
    Task("été/1", TRUE),
]


def _attempt(task: int, state: TaskState, *times: float | None, number: int = 1) -> AttemptRecord:
    submitted, started, ended = (*times, None, None, None)[:3]
    code = None if ended is None else int(state is TaskState.FAILED)
    return AttemptRecord(
        task, number, state, "local", f"/w/{task}", "7", exit_code=code,
        submitted_at=submitted, started_at=started, ended_at=ended,
    )  # fmt: skip


def _run(name: str, **changes: object) -> RunRecord:
    return example_run(name, tags={}, continues="", pool="main", **changes)


def fill(store: Store) -> None:
    """Store three runs: one that ended, one that is under way, one that is paused."""
    done = _run("done-1", workflow="Beam", created_at=10.0, started_at=10.0)
    work = _run("work-2", workflow="beam time", created_at=20.0, started_at=20.0)
    rest = _run("rest-3", workflow="alpha", created_at=30.0, started_at=None)
    done = replace(done, tags={"user": "ada"})
    work = replace(work, tags={"user": "bob", "shift": "night"})
    rest = replace(rest, dialect="lute")
    lines = HistoryRecord(1, 1.0, "run")
    store.create_run(done, NODES[:1], lines)
    store.create_run(work, NODES, lines)
    store.create_run(rest, NODES[:2], lines)
    _commit(store, replace(done, state=RunState.SUCCEEDED, counts={"succeeded": 1}, updated_at=15.0,
                           ended_at=15.0), {0: TaskRecord(TaskState.CANCELLED)}, [])  # fmt: skip
    _commit(
        store,
        replace(
            work, counts={"failed": 1, "running": 1, "waiting": 1, "ready": 1}, updated_at=40.0
        ),
        {
            0: TaskRecord(TaskState.SUBMITTING, 2),
            1: TaskRecord(TaskState.SUBMITTING, 1),
            4: TaskRecord(TaskState.READY),
        },
        [],
    )
    _commit(
        store,
        replace(
            work, counts={"failed": 1, "running": 1, "waiting": 1, "ready": 1}, updated_at=40.0
        ),
        {
            0: TaskRecord(TaskState.FAILED, 2, Cause.EXIT_CODE),
            1: TaskRecord(TaskState.RUNNING, 1, held=False),
        },
        [
            _attempt(0, TaskState.FAILED, 21.0, 22.0, 23.0),
            _attempt(0, TaskState.FAILED, 24.0, 25.0, 29.0, number=2),
            _attempt(1, TaskState.RUNNING, 21.0, 26.0),
        ],
        submitting=True,
    )
    _commit(store, replace(rest, state=RunState.PAUSED, counts={"waiting": 2}, updated_at=30.0),
            {}, [])  # fmt: skip


def _commit(
    store: Store,
    run: RunRecord,
    steps: dict[int, TaskRecord],
    attempts: Sequence[AttemptRecord],
    *,
    submitting: bool = False,
) -> None:
    lease = store.acquire(example_lease(run.id, until=1.0), now=0.0)
    assert lease is not None
    newest = store.newest_history(run.id)
    number = newest.number if newest else 0
    lines = []
    for task, record in steps.items():
        number += 1
        old = TaskState.SUBMITTING if submitting else TaskState.WAITING
        if (old, record.state) == (TaskState.WAITING, TaskState.SUBMITTING):
            old = TaskState.READY
        lines.append(
            HistoryRecord(number, 20.0 + number, "step", task, 1, old.value, record.state.value)
        )
    old = TaskState.SUBMITTING if submitting else TaskState.WAITING
    store.commit(
        Commit(
            run.id,
            steps={task: (old, record) for task, record in steps.items()},
            attempts={(each.task, each.number): each for each in attempts},
            history=lines,
            run_record=run,
        ),
        lease,
    )
    store.release(lease)


def _ids(rows: Sequence[RunRow]) -> list[str]:
    return [row.record.id for row in rows]


def _names(rows: Sequence[TaskRow]) -> list[str]:
    return [row.name for row in rows]


class WindowsSuite:
    """The contract of `segue.protocols.windows`, as tests."""

    @pytest.fixture
    def filled(self, store: Store, windows: Windows) -> Windows:
        """Return windows on a store with runs in it."""
        fill(store)
        return windows

    @pytest.fixture
    def plain(self, store: Store) -> Windows:
        """Return what reads everything, and is easy to believe."""
        return PlainWindows(store)

    # Runs ----------------------------------------------------------------

    @pytest.mark.parametrize(
        ("query", "expected"),
        [
            (RunQuery(), ["work-2", "rest-3", "done-1"]),
            (RunQuery(descending=False), ["done-1", "rest-3", "work-2"]),
            (RunQuery(order=RunOrder.CREATED_AT, limit=2), ["rest-3", "work-2"]),
            (RunQuery(order=RunOrder.WORKFLOW, descending=False), ["done-1", "rest-3", "work-2"]),
            (RunQuery(order=RunOrder.TASK_COUNT), ["work-2", "rest-3", "done-1"]),
            (RunQuery(order=RunOrder.STARTED_AT, descending=False), ["rest-3", "done-1", "work-2"]),
            (RunQuery(states=(RunState.PAUSED, RunState.SUCCEEDED)), ["rest-3", "done-1"]),
            (RunQuery(pattern="(?i)beam"), ["work-2", "done-1"]),
            (RunQuery(pattern="^rest"), ["rest-3"]),
            (RunQuery(pattern="shift=n.*t$"), ["work-2"]),
            (RunQuery(tags={"user": "ada"}), ["done-1"]),
            (RunQuery(tags={"user": "ada", "shift": "night"}), []),
            (RunQuery(dialect="lute"), ["rest-3"]),
            (RunQuery(pool="main", limit=1), ["work-2"]),
            (RunQuery(pool="other"), []),
            (RunQuery(started_after=10.0, started_before=19.0), ["done-1"]),
            (RunQuery(updated_after=30.0), ["work-2", "rest-3"]),
            (RunQuery(task_state=TaskState.FAILED), ["work-2"]),
        ],
    )
    def test_runs_are_filtered_and_sorted(
        self, filled: Windows, query: RunQuery, expected: list[str]
    ) -> None:
        """By everything that a query can say."""
        assert _ids(filled.runs(query)) == expected

    def test_a_run_is_whole_and_numbered(self, filled: Windows, store: Store) -> None:
        """From 1, in the order of creation."""
        row = filled.run("work-2")

        assert row is not None
        assert (row.number, row.record) == (2, store.run("work-2"))
        assert filled.run_of_number(3) == filled.run("rest-3") or filled.run_of_number(3)
        assert filled.run_of_number(9) is None
        assert filled.run("nobody") is None

    def test_pages_of_runs_follow_each_other(self, filled: Windows, plain: Windows) -> None:
        """Whatever they are sorted by, up or down, each run is seen once."""
        for order, descending in product(RunOrder, (True, False)):
            query = RunQuery(order=order, descending=descending, limit=1)
            seen: list[str] = []
            while page := filled.runs(query):
                seen += _ids(page)
                query = replace(query, after=After(page[-1].value, page[-1].number))
            assert seen == _ids(plain.runs(replace(query, after=None, limit=0)))
            assert sorted(seen) == ["done-1", "rest-3", "work-2"]

    def test_runs_are_counted_by_state(self, filled: Windows) -> None:
        """Of those that fit, whatever states were asked for."""
        counts = filled.run_counts(RunQuery(pattern="beam", states=(RunState.FAILED,)))

        assert dict(counts) == {RunState.RUNNING: 1}

    def test_what_is_no_pattern_is_said(self, filled: Windows) -> None:
        """In our own words."""
        with pytest.raises(UserError, match="is no pattern"):
            filled.runs(RunQuery(pattern="(beam"))
        with pytest.raises(UserError, match="is no pattern"):
            filled.tasks("work-2", TaskQuery(pattern="["))

    # Tasks ---------------------------------------------------------------

    @pytest.mark.parametrize(
        ("query", "expected"),
        [
            (TaskQuery(), ["a_1", "a_2", "b", "été/1"]),
            (TaskQuery(barriers=True), ["a_1", "a_2", "x", "b", "été/1"]),
            (TaskQuery(descending=True, limit=2), ["été/1", "b"]),
            (TaskQuery(states=(TaskState.FAILED, TaskState.READY)), ["a_1", "été/1"]),
            (TaskQuery(pattern="^a_[0-9]$"), ["a_1", "a_2"]),
            (TaskQuery(pattern="té/"), ["été/1"]),
            (TaskQuery(template="a"), ["a_1", "a_2"]),
            (TaskQuery(template="b"), ["b"]),
            (TaskQuery(begun=True), ["a_1", "a_2"]),
            (TaskQuery(order=TaskOrder.ATTEMPTS, descending=True, limit=2), ["a_1", "a_2"]),
            (
                TaskQuery(order=TaskOrder.DURATION, descending=True, now=126.0, limit=2),
                ["a_2", "a_1"],
            ),
            (TaskQuery(order=TaskOrder.STARTED_AT, descending=True, limit=1), ["a_2"]),
            (TaskQuery(order=TaskOrder.EXIT_CODE, descending=True, limit=1), ["a_1"]),
            (TaskQuery(order=TaskOrder.NAME, descending=True), ["été/1", "b", "a_2", "a_1"]),
        ],
    )
    def test_tasks_are_filtered_and_sorted(
        self, filled: Windows, query: TaskQuery, expected: list[str]
    ) -> None:
        """By everything that a query can say."""
        assert _names(filled.tasks("work-2", query)) == expected

    def test_pages_of_tasks_follow_each_other(self, filled: Windows) -> None:
        """Whatever they are sorted by, up or down, each task is seen once."""
        for order, descending in product(TaskOrder, (True, False)):
            query = TaskQuery(order=order, descending=descending, limit=1, now=50.0)
            seen: list[str] = []
            while page := filled.tasks("work-2", query):
                seen += _names(page)
                query = replace(query, after=After(page[-1].value, page[-1].position))
            assert sorted(seen) == ["a_1", "a_2", "b", "été/1"]
            assert seen == _names(filled.tasks("work-2", replace(query, after=None, limit=0)))

    def test_a_task_comes_with_its_record_and_its_newest_attempt(self, filled: Windows) -> None:
        """And without one where there is none."""
        first, *_, last = filled.tasks("work-2", TaskQuery())

        assert (first.position, first.template, first.barrier) == (0, "a", False)
        assert first.record == TaskRecord(TaskState.FAILED, 2, Cause.EXIT_CODE)
        assert first.attempt == _attempt(0, TaskState.FAILED, 24.0, 25.0, 29.0, number=2)
        assert (last.template, last.attempt) == ("été/1", None)

    def test_tasks_are_counted_by_state(self, filled: Windows) -> None:
        """Of those that fit, whatever states were asked for."""
        query = TaskQuery(template="a", states=(TaskState.READY,))

        assert dict(filled.task_counts("work-2", query)) == {
            TaskState.FAILED: 1,
            TaskState.RUNNING: 1,
        }
        assert dict(filled.task_counts("work-2", TaskQuery(begun=True, pattern="2"))) == {
            TaskState.RUNNING: 1
        }

    def test_a_run_that_is_not_there_is_said(self, filled: Windows) -> None:
        """Whatever is asked of it."""
        with pytest.raises(NotFoundError):
            filled.tasks("nobody", TaskQuery())
        with pytest.raises(NotFoundError):
            filled.template_counts("nobody")

    # The graph -------------------------------------------------------------

    def test_templates_are_counted_in_the_order_of_the_graph(self, filled: Windows) -> None:
        """Barriers are none."""
        assert list(filled.template_counts("work-2")) == [
            TemplateCount("a", TaskState.FAILED, 1, 0),
            TemplateCount("a", TaskState.RUNNING, 1, 1),
            TemplateCount("b", TaskState.WAITING, 1, 3),
            TemplateCount("été/1", TaskState.READY, 1, 4),
        ]

    def test_joints_tell_what_drawing_needs(self, filled: Windows) -> None:
        """Of tasks and barriers."""
        joints = list(filled.joints("work-2"))

        assert filled.node_number("work-2") == len(joints) == 5
        assert joints[2] == Joint(2, "x", "x", True, ("a_1", "a_2"), "all_success", False)
        assert joints[3] == Joint(3, "b", "b", False, ("x",), "all_completed", True)

    # Pictures --------------------------------------------------------------

    def test_steps_are_counted_by_slices_of_time(self, filled: Windows) -> None:
        """Behind a number, up to the newest."""
        counts, last = filled.step_counts("work-2", 0, 2.0)
        assert last == 6
        assert counts == [
            StepCount(11, TaskState.READY, TaskState.SUBMITTING, 2),
            StepCount(12, TaskState.SUBMITTING, TaskState.FAILED, 1),
            StepCount(12, TaskState.WAITING, TaskState.READY, 1),
            StepCount(13, TaskState.SUBMITTING, TaskState.RUNNING, 1),
        ]
        assert filled.step_counts("work-2", last, 2.0) == ([], last)
        assert sum(each.number for each in filled.step_counts("work-2", 4, 2.0)[0]) == 2

    def test_attempts_are_counted_by_template_and_slices_of_time(self, filled: Windows) -> None:
        """Those that go on have no end."""
        assert set(filled.spans("work-2", 10.0)) == {
            Span("a", 2, 2, 2, True, 2),
            Span("a", 2, 2, None, False, 1),
        }

    def test_what_is_out_and_what_waits_for_room_is_counted_over_all_living_runs(
        self, filled: Windows
    ) -> None:
        """By executor, and by the pool asked for."""
        assert dict(filled.busy()) == {("local", TaskState.RUNNING): 1}
        assert dict(filled.ready()) == {"main": 1}
