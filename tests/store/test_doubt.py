from dataclasses import replace

import pytest

from segue.model.run import HistoryRecord, Lease, TaskRecord
from segue.model.states import TaskState
from segue.model.workflow import Argv, Task
from segue.protocols.store import Commit
from segue.store.doubt import Doubts, rest, sent

WAITING, READY, RUNNING = TaskState.WAITING, TaskState.READY, TaskState.RUNNING
LEASE = Lease("r", "me", 1, 0.0)


def commit(**changes):
    steps = {0: (WAITING, TaskRecord(READY))}
    return replace(Commit("r", steps=steps, history=[HistoryRecord(2, 0.0, "remark")]), **changes)


def test_what_was_stored_is_taken_off_and_the_steps_go_on_from_there():
    before = commit(nodes=[Task("n", Argv(("true",)))], first_new=5, late_needs=[(1, "n")])
    stored = sent(before)
    more = replace(
        before,
        steps={0: (WAITING, TaskRecord(RUNNING)), 1: (WAITING, TaskRecord(READY))},
        history=[*before.history, HistoryRecord(3, 0.0, "remark")],
        nodes=[*before.nodes, Task("m", Argv(("true",)))],
        late_needs=[*before.late_needs, (2, "m")],
    )

    left = rest(more, stored)

    assert left.steps == {0: (READY, TaskRecord(RUNNING)), 1: (WAITING, TaskRecord(READY))}
    assert [line.number for line in left.history] == [3]
    assert ([node.name for node in left.nodes], left.first_new) == (["m"], 6)
    assert left.late_needs == [(2, "m")]


@pytest.mark.parametrize(
    "other",
    [
        commit(history=[HistoryRecord(7, 0.0, "remark")]),
        commit(history=[]),
        commit(steps={}),
        commit(steps={0: (READY, TaskRecord(RUNNING))}),
    ],
    ids=["another line", "no line", "no step", "from another state"],
)
def test_a_commit_that_does_not_go_on_from_what_was_stored_is_left_as_it_is(other):
    assert rest(other, sent(commit())) is other


def test_a_turn_that_the_server_does_not_have_is_sent_whole():
    doubts = Doubts()
    doubts.begin("turn-1", [(commit(), LEASE)])

    doubts.settle(lambda run: "an earlier one")

    assert doubts.to_store([(commit(), LEASE)]) == [(commit(), LEASE)]


def test_what_is_stored_of_a_turn_is_no_matter_to_the_next_owner_of_the_run():
    doubts = Doubts()
    doubts.begin("turn-1", [(commit(), LEASE)])
    doubts.settle(lambda run: "turn-1")

    later = replace(LEASE, epoch=2)

    assert doubts.to_store([(commit(), LEASE)])[0][0].history == []
    assert doubts.to_store([(commit(), later)]) == [(commit(), later)]


def test_a_second_doubt_does_not_forget_the_first():
    doubts = Doubts()
    doubts.begin("turn-1", [(commit(), LEASE)])
    doubts.settle(lambda run: "turn-1")
    more = commit(history=[HistoryRecord(2, 0.0, "remark"), HistoryRecord(3, 0.0, "remark")])
    doubts.begin("turn-2", [(more, LEASE)])

    doubts.settle(lambda run: "turn-1")

    ((left, _),) = doubts.to_store([(more, LEASE)])
    assert [line.number for line in left.history] == [3]
