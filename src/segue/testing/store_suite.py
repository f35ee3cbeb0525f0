"""What every store must do: one suite for all of them.

Join it with a class of your own that gives two fixtures::

    class TestMyStore(StoreSuite):
        @pytest.fixture
        def store(self, tmp_path): ...          # a new, empty store

        @pytest.fixture
        def reopen(self, store): ...            # () -> another connection to the same data
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace

import pytest

from segue.model.access import Role, Token
from segue.model.errors import LeaseLostError, NotFoundError, RefusedError
from segue.model.events import Usage
from segue.model.run import AttemptRecord, HistoryRecord, Lease, RunRecord, TaskRecord
from segue.model.states import Cause, RunState, TaskState
from segue.model.workflow import (
    Argv,
    Barrier,
    Generator,
    Resources,
    Retry,
    Script,
    Task,
    TriggerRule,
    Verdict,
)
from segue.protocols.store import Commit, Request, Store, StoredNode, TaskFilter

Reopen = Callable[[], Store]

NODES: list[Task | Barrier] = [
    Task("a_1", Argv(("/bin/echo", "ä", "")), template="a", parameters={"X": 1}),
    Task(
        "fit",
        Script("#!/bin/sh\ntrue\n", "/bin/sh"),
        needs=("barrier:a",),
        trigger=TriggerRule.ANY_FAILED,
        retry=Retry(2, 1.5, 4, None),
        restart=Argv(("again",)),
        timeout_s=3.5,
        resources=Resources(nodes=2, other={"licence": 1}),
        options={"slurm_params": "--x"},
        environment={"A": "b", "C": None},
        clear_environment=True,
        workdir="fit/1",
        priority=-3,
        pool="local",
        generator=Generator("daggy", True),
        description="fits",
    ),
    Barrier("barrier:a", ("a_1",), any_end=True),
]


def example_run(run: str = "study-1", **changes: object) -> RunRecord:
    """Return a run to store."""
    record = RunRecord(
        run,
        "study",
        "daggy",
        RunState.RUNNING,
        "/f.json",
        "/here",
        "/work",
        12.5,
        13.0,
        verdict=Verdict.STRICT,
        limit=4,
        tags={"name": "x"},
        context={"parameters": {"X": [1, 2]}},
        counts={"waiting": 2},
        restart_limit=0,
        slots=3,
        continues="study-0",
        reading={"path": "f.json", "options": {"hashws": True}, "facts": {"odd": "\udcff"}},
        updated_at=13.0,
    )
    return replace(record, **changes)  # type: ignore[arg-type]


def example_lease(run: str = "study-1", owner: str = "host:1:1:a", until: float = 100.0) -> Lease:
    """Return a lease to ask for."""
    return Lease(run, owner, 0, until, "host", 1, "/bell")


def step(new: TaskState, old: TaskState = TaskState.WAITING, **changes: object) -> Commit:
    """Return a commit that moves task 0 of the example run."""
    record = TaskRecord(new, **changes)  # type: ignore[arg-type]
    return Commit("study-1", steps={0: (old, record)})


class StoreSuite:
    """The contract of `segue.protocols.store`, as tests."""

    @pytest.fixture
    def created(self, store: Store) -> Store:
        """Return the store with the example run in it."""
        store.create_run(example_run(), NODES, HistoryRecord(1, 12.5, "run", new="running"))
        return store

    @pytest.fixture
    def lease(self, created: Store) -> Lease:
        """Return a lease on the example run that is in force."""
        lease = created.acquire(example_lease(), now=0.0)
        assert lease is not None
        return lease

    # Runs ----------------------------------------------------------------

    def test_a_run_comes_back_as_it_was_stored(self, created: Store, reopen: Reopen) -> None:
        """Everything of it."""
        assert reopen().run("study-1") == example_run()

    def test_nodes_come_back_in_order_as_they_were_stored(
        self, created: Store, reopen: Reopen
    ) -> None:
        """Everything of them, and all waiting."""
        stored = list(reopen().nodes("study-1"))

        assert [each.node for each in stored] == NODES
        assert [each.position for each in stored] == [0, 1, 2]
        assert {each.record for each in stored} == {TaskRecord()}

    def test_the_same_run_cannot_be_stored_twice(self, created: Store) -> None:
        """The first one stays."""
        with pytest.raises(Exception, match=r"(?i)unique|exists"):
            created.create_run(example_run(), [], HistoryRecord(1, 0.0, "run"))

        assert len(list(created.nodes("study-1"))) == len(NODES)

    def test_runs_come_newest_first_and_by_state(self, store: Store) -> None:
        """With a limit, too."""
        for name, state in (("a-1", RunState.FAILED), ("b-2", RunState.RUNNING)):
            store.create_run(example_run(name, state=state), [], HistoryRecord(1, 0.0, "run"))

        assert [run.id for run in store.runs()] == ["b-2", "a-1"]
        assert [run.id for run in store.runs(limit=1)] == ["b-2"]
        assert [run.id for run in store.runs(states=[RunState.FAILED])] == ["a-1"]

    def test_runs_are_found_by_their_workspace(self, store: Store) -> None:
        """Newest first, by state and with a limit, too."""
        for name, workspace in (("a-1", "/one"), ("b-2", "/two"), ("c-3", "/one")):
            run = example_run(name, workspace=workspace)
            store.create_run(run, [], HistoryRecord(1, 0.0, "run"))

        assert [run.id for run in store.runs(workspace="/one")] == ["c-3", "a-1"]
        assert [run.id for run in store.runs(workspace="/one", limit=1)] == ["c-3"]
        assert list(store.runs(workspace="/one", states=[RunState.PAUSED])) == []
        assert list(store.runs(workspace="/on")) == []

    def test_requests_are_stored_with_the_run_that_they_come_with(
        self, created: Store, reopen: Reopen
    ) -> None:
        """For the new run and for an old one, in order."""
        requests = [
            Request("b-2", "reuse", {"run": "study-1", "tasks": ["a_1"]}, 3.0),
            Request("study-1", "cancel", {"reason": "continued"}, 3.0),
        ]

        created.create_run(example_run("b-2"), NODES, HistoryRecord(1, 0.0, "run"), requests)

        found = reopen().commands(["study-1", "b-2"])
        assert [Request(*each[1:3], dict(each.argument), each.at) for each in found] == requests

    def test_a_run_is_not_stored_without_its_requests(self, created: Store) -> None:
        """One that cannot be stored, for there is no such run, lets nothing be stored."""
        requests = [Request("b-2", "reuse", {}, 3.0), Request("nope", "cancel", {}, 3.0)]

        with pytest.raises(NotFoundError):
            created.create_run(example_run("b-2"), NODES, HistoryRecord(1, 0.0, "run"), requests)

        assert created.run("b-2") is None
        assert list(created.commands(["study-1"])) == []
        created.create_run(example_run("b-2"), NODES, HistoryRecord(1, 0.0, "run"), requests[:1])
        assert [each.kind for each in created.commands(["b-2"])] == ["reuse"]

    def test_runs_are_found_by_the_the_beginning_of_their_id(self, created: Store) -> None:
        """A sign that SQL has a use for is only a sign."""
        assert list(created.find_runs("stu")) == ["study-1"]
        assert list(created.find_runs("%")) == []

    def test_an_unknown_run_is_said(self, store: Store) -> None:
        """None where that is an answer, an error elsewhere."""
        assert store.run("nope") is None
        with pytest.raises(NotFoundError):
            list(store.nodes("nope"))

    # Commits -------------------------------------------------------------

    def test_a_commit_is_seen_by_others_whole(
        self, created: Store, lease: Lease, reopen: Reopen
    ) -> None:
        """Steps, attempts, history, run."""
        attempt = AttemptRecord(
            0, 1, TaskState.FAILED, "local", "/work/a.1", "77", "host", Cause.SIGNAL, None, 9,
            1.0, 2.0, 3.0, Usage(0.5, 4096), "killed", True,
        )  # fmt: skip
        record = TaskRecord(
            TaskState.SKIPPED, 1, Cause.SIGNAL, 1, 2, 3, 4.5, True, 6, "old-1", held=True
        )
        ended = example_run(state=RunState.FAILED, ended_at=9.0, counts={"failed": 1})
        ended = replace(ended, limit=9, restart_limit=None, slots=1, updated_at=9.5)
        lines = [
            HistoryRecord(2, 1.0, "step", 0, 1, "waiting", "ready"),
            HistoryRecord(3, 1.0, "remark", detail="x"),
        ]

        created.commit(
            Commit(
                "study-1",
                steps={0: (TaskState.WAITING, record)},
                attempts={(0, 1): attempt},
                history=lines,
                run_record=ended,
            ),
            lease,
        )

        seen = reopen()
        assert next(iter(seen.nodes("study-1"))).record == record
        assert list(seen.records("study-1")) == [(0, record), (1, TaskRecord()), (2, TaskRecord())]
        assert list(seen.attempts("study-1")) == [attempt]
        assert list(seen.history("study-1", after=1)) == lines
        assert seen.run("study-1") == ended
        assert seen.newest_history("study-1") == lines[-1]

    def test_an_attempt_is_written_over_and_one_given_back_is_removed(
        self, created: Store, lease: Lease
    ) -> None:
        """By task and number."""
        attempt = AttemptRecord(0, 1, TaskState.SUBMITTING, "local", "/work/a.1")
        for state in (TaskState.SUBMITTING, TaskState.RUNNING):
            newer = attempt._replace(state=state)
            created.commit(Commit("study-1", attempts={(0, 1): newer}), lease)
        assert [each.state for each in created.attempts("study-1", [0])] == [TaskState.RUNNING]

        back = attempt._replace(state=TaskState.READY)
        created.commit(Commit("study-1", attempts={(0, 1): back}), lease)

        assert list(created.attempts("study-1")) == []

    def test_a_step_that_is_not_in_the_table_is_refused(self, created: Store, lease: Lease) -> None:
        """Even where the engine says so."""
        created.commit(step(TaskState.SUCCEEDED), lease)

        with pytest.raises(Exception, match="not a way"):
            created.commit(step(TaskState.RUNNING, TaskState.SUCCEEDED), lease)

    def test_a_step_in_the_history_that_is_not_in_the_table_is_refused(
        self, created: Store, lease: Lease
    ) -> None:
        """A single step, however the task got where it is."""
        line = HistoryRecord(2, 0.0, "step", 0, 1, "waiting", "running")

        with pytest.raises(Exception, match="not a step"):
            created.commit(Commit("study-1", history=[line]), lease)

    def test_a_step_from_a_state_that_is_not_the_stored_one_is_refused(
        self, created: Store, lease: Lease
    ) -> None:
        """And nothing of the commit is kept."""
        commit = step(TaskState.RUNNING, TaskState.SUBMITTED)
        commit.history.append(HistoryRecord(2, 0.0, "remark"))

        with pytest.raises(Exception, match="not in the state"):
            created.commit(commit, lease)

        assert created.newest_history("study-1") == HistoryRecord(1, 12.5, "run", new="running")

    def test_history_without_order_is_refused(self, created: Store, lease: Lease) -> None:
        """A number is given once."""
        line = HistoryRecord(1, 0.0, "remark")

        with pytest.raises(Exception, match=r"(?i)unique|exists"):
            created.commit(Commit("study-1", history=[line]), lease)

    def test_new_nodes_and_late_needs_are_kept(
        self, created: Store, lease: Lease, reopen: Reopen
    ) -> None:
        """As generators add them."""
        new = Task("new", Argv(("true",)), needs=("a_1",))

        created.commit(Commit("study-1", nodes=[new], first_new=3, late_needs=[(1, "new")]), lease)

        stored = list(reopen().nodes("study-1"))
        assert stored[3].node == new
        assert stored[1].node.needs == ("barrier:a", "new")

    def test_tasks_are_filtered(self, created: Store, lease: Lease) -> None:
        """By state, template, name, and by page."""
        created.commit(step(TaskState.READY), lease)

        def names(wanted: TaskFilter) -> list[str]:
            found: list[StoredNode] = list(created.nodes("study-1", wanted))
            return [each.node.name for each in found]

        assert names(TaskFilter(states=(TaskState.READY,))) == ["a_1"]
        assert names(TaskFilter(template="a")) == ["a_1"]
        assert names(TaskFilter(template="fit")) == ["fit"]
        assert names(TaskFilter(names=("fit", "nope"))) == ["fit"]
        assert names(TaskFilter(after=0, limit=1)) == ["fit"]

    # Leases --------------------------------------------------------------

    def test_a_run_has_one_owner_until_the_lease_ends(self, created: Store) -> None:
        """Then the next may have it, and the first may write no more."""
        first = created.acquire(example_lease(until=10.0), now=0.0)
        assert first is not None
        assert created.acquire(example_lease(owner="other"), now=5.0) is None

        second = created.acquire(example_lease(owner="other"), now=11.0)

        assert second is not None
        assert second.epoch > first.epoch
        with pytest.raises(LeaseLostError):
            created.commit(step(TaskState.READY), first)
        created.commit(step(TaskState.READY), second)

    def test_a_renewed_lease_lasts(self, created: Store, lease: Lease) -> None:
        """As long as was asked."""
        created.renew([lease], until=500.0)

        assert created.acquire(example_lease(owner="other"), now=400.0) is None

    def test_a_lost_lease_cannot_be_renewed(self, created: Store, lease: Lease) -> None:
        """It is said."""
        created.acquire(example_lease(owner="other", until=900.0), now=200.0)

        with pytest.raises(LeaseLostError):
            created.renew([lease], until=500.0)

    def test_a_released_lease_is_free_at_once(self, created: Store, lease: Lease) -> None:
        """And it is still known who had it."""
        created.release(lease)

        left = created.lease("study-1")
        assert left is not None
        assert (left.until, left.host) == (0.0, "host")
        assert created.acquire(example_lease(owner="other"), now=1.0) is not None

    def test_a_dead_owner_is_not_waited_for(self, created: Store, lease: Lease) -> None:
        """But only the one that is known to be dead."""
        other = example_lease(owner="other")
        wrong = replace(lease, epoch=lease.epoch + 7)
        assert created.acquire(other, now=1.0, dead=wrong) is None

        assert created.acquire(other, now=1.0, dead=lease) is not None

    def test_a_late_release_does_not_free_the_next_owner(
        self, created: Store, lease: Lease
    ) -> None:
        """Epochs tell them apart."""
        second = created.acquire(example_lease(owner="other", until=900.0), now=200.0)

        created.release(lease)

        assert created.lease("study-1") == second

    # Commands ------------------------------------------------------------

    def test_commands_wait_in_order_until_they_are_taken(
        self, created: Store, lease: Lease, reopen: Reopen
    ) -> None:
        """Taken in the commit that carries them out."""
        door = reopen()
        first = door.put_command("study-1", "pause", {}, 1.0)
        second = door.put_command("study-1", "cancel", {"tasks": ["fit"]}, 2.0)
        found = created.commands(["study-1"])
        assert [(each.id, each.kind, dict(each.argument)) for each in found] == [
            (first, "pause", {}),
            (second, "cancel", {"tasks": ["fit"]}),
        ]

        created.commit(Commit("study-1", commands_taken=[first]), lease)

        assert [each.id for each in created.commands(["study-1"])] == [second]

    def test_several_runs_are_committed_together_or_not_at_all(self, created: Store) -> None:
        """One lost lease stops all of the transaction."""
        created.create_run(example_run("b-2"), NODES, HistoryRecord(1, 0.0, "run"))
        good = created.acquire(example_lease("b-2"), now=0.0)
        assert good is not None
        bad = replace(example_lease(), epoch=99)
        change = Commit("b-2", steps={0: (TaskState.WAITING, TaskRecord(TaskState.READY))})

        with pytest.raises(LeaseLostError):
            created.commit_many([(change, good), (Commit("study-1"), bad)])

        assert next(iter(created.nodes("b-2"))).record == TaskRecord()

    def test_a_new_definition_replaces_the_old_one(
        self, created: Store, lease: Lease, reopen: Reopen
    ) -> None:
        """And a need that comes in the same turn is there once."""
        first = NODES[0]
        assert isinstance(first, Task)
        patched = replace(first, action=Argv(("other",)), needs=("fit",))
        commit = Commit("study-1", patched={0: patched}, late_needs=[(0, "fit")])

        created.commit(commit, lease)

        assert next(iter(reopen().nodes("study-1"))).node == patched

    # Deleting ----------------------------------------------------------------

    def test_a_deleted_run_is_gone_and_the_others_stay(
        self, created: Store, reopen: Reopen
    ) -> None:
        """With all that was known of it."""
        created.create_run(example_run("b-2"), NODES, HistoryRecord(1, 0.0, "run"))
        lease = created.acquire(example_lease("b-2", until=1.0), now=0.0)
        assert lease is not None
        attempt = AttemptRecord(0, 1, TaskState.SUBMITTING, "local", "/work/a.1")
        over = example_run("b-2", state=RunState.CANCELLED)
        created.commit(
            Commit("b-2", attempts={(0, 1): attempt}, run_record=over,
                   history=[HistoryRecord(2, 0.0, "remark")]),
            lease,
        )  # fmt: skip
        created.put_command("b-2", "retry", {}, 0.0)

        created.delete_run("b-2")

        other = reopen()
        assert other.run("b-2") is None
        assert [run.id for run in other.runs()] == ["study-1"]
        with pytest.raises(NotFoundError):
            list(other.nodes("b-2"))
        assert len(list(other.nodes("study-1"))) == len(NODES)

    def test_a_run_of_the_same_name_as_a_deleted_one_knows_nothing_of_it(
        self, created: Store
    ) -> None:
        """Also where the number of the old one is remembered."""
        over = example_run("b-2", state=RunState.FAILED)
        created.create_run(over, NODES, HistoryRecord(1, 0.0, "run"))
        created.delete_run("b-2")

        created.create_run(over, NODES[:1], HistoryRecord(1, 0.0, "run"))

        assert len(list(created.nodes("b-2"))) == 1

    def test_a_namesake_of_a_deleted_run_is_known_where_the_old_one_was(
        self, created: Store, reopen: Reopen
    ) -> None:
        """Another process has looked at the old one, and remembers it."""
        over = example_run("b-2", state=RunState.FAILED)
        created.create_run(over, NODES, HistoryRecord(1, 0.0, "run"))
        other = reopen()
        assert len(list(other.nodes("b-2"))) == len(NODES)
        created.delete_run("b-2")
        created.create_run(over, NODES[:1], HistoryRecord(1, 0.0, "run"))

        assert other.run("b-2") == over
        assert len(list(other.nodes("b-2"))) == 1
        assert other.acquire(example_lease("b-2"), now=0.0) is not None

    def test_a_run_that_has_not_ended_is_not_deleted(self, created: Store) -> None:
        """It must be stopped first."""
        with pytest.raises(RefusedError, match="have ended"):
            created.delete_run("study-1")

        assert created.run("study-1") is not None

    def test_a_run_in_the_hands_of_an_engine_is_not_deleted(self, created: Store) -> None:
        """Though it has ended: the engine is about to let it go."""
        over = example_run("b-2", state=RunState.FAILED)
        created.create_run(over, NODES, HistoryRecord(1, 0.0, "run"))
        now = time.time()
        assert created.acquire(example_lease("b-2", until=now + 60.0), now=now)

        with pytest.raises(RefusedError, match="in the hands"):
            created.delete_run("b-2")

    def test_a_run_that_is_not_there_cannot_be_deleted(self, store: Store) -> None:
        """And that is said."""
        with pytest.raises(NotFoundError):
            store.delete_run("nobody")

    # Tokens ------------------------------------------------------------------

    def test_tokens_come_back_as_they_were_put(self, store: Store, reopen: Reopen) -> None:
        """Oldest first; one of the same id takes the place of the other."""
        old = Token("a1", "the page", Role.VIEWER, "ab" * 32, 1.0)
        new = Token("b2", "cron", Role.OPERATOR, "cd" * 32, 2.0, expires_at=9.5)
        store.put_token(new)
        store.put_token(replace(old, role=Role.ADMIN))
        store.put_token(old)

        assert list(reopen().tokens()) == [old, new]

    def test_a_removed_token_is_gone(self, store: Store) -> None:
        """Whether there was one is told."""
        store.put_token(Token("a1", "x", Role.VIEWER, "ab" * 32, 1.0))

        assert store.remove_token("a1")
        assert not store.remove_token("a1")
        assert list(store.tokens()) == []
