"""What was sent to a server and not answered, on real servers behind a wire that is cut."""

from urllib.parse import urlsplit

import pytest
from wire import Wire

from segue.model.errors import StoreError
from segue.model.run import AttemptRecord, HistoryRecord, TaskRecord
from segue.model.states import TaskState
from segue.model.workflow import Argv, Task
from segue.protocols.store import Commit
from segue.store.postgres import open_postgres
from segue.store.redis import open_redis
from segue.testing.store_suite import NODES, example_lease, example_run

WAITING, READY, SUBMITTING = TaskState.WAITING, TaskState.READY, TaskState.SUBMITTING


class Line:
    """A store, the wire that leads to it, and the same store without that wire."""

    def __init__(self, store, wire, direct):
        self.store, self.wire, self.direct = store, wire, direct

    def history(self):
        return [(line.number, line.kind) for line in self.direct.history("study-1")]

    def state(self, position=0):
        return dict(self.direct.records("study-1"))[position].state


@pytest.fixture(params=["postgres_url", "redis_url", "redis_json_url"])
def line(request):
    url = request.getfixturevalue(request.param)
    opener = open_postgres if request.param == "postgres_url" else open_redis
    port = urlsplit(url).port
    wire = Wire(port)
    store, direct = opener(url.replace(f":{port}/", f":{wire.port}/")), opener(url)
    store.create_run(example_run(), NODES, HistoryRecord(1, 12.5, "run", new="running"))
    yield Line(store, wire, direct)
    store.close()
    direct.close()
    wire.close()


@pytest.fixture
def lease(line):
    return line.store.acquire(example_lease(until=9e9), now=0.0)


def ready() -> Commit:
    line = HistoryRecord(2, 1.0, "step", 0, None, "waiting", "ready")
    return Commit("study-1", steps={0: (WAITING, TaskRecord(READY))}, history=[line])


@pytest.mark.parametrize("lost", ["request", "answer"])
def test_a_commit_that_was_lost_on_the_way_is_stored_once(line, lease, lost):
    line.wire.lose_next(lost)

    line.store.commit(ready(), lease)

    assert line.history() == [(1, "run"), (2, "step")]
    assert line.state() is READY


@pytest.mark.parametrize("lost", ["request", "answer"])
def test_while_the_server_is_away_a_commit_grows_and_is_then_stored_once(line, lease, lost):
    commit = ready()
    line.wire.lose_next(lost, stay_broken=True)
    with pytest.raises(StoreError):
        line.store.commit(commit, lease)
    with pytest.raises(StoreError):
        line.store.commit(commit, lease)
    line.wire.mend()

    # As the engine does: what comes afterwards is added to what could not be stored.
    commit.steps[0] = (WAITING, TaskRecord(SUBMITTING, 1))
    commit.attempts[0, 1] = AttemptRecord(0, 1, SUBMITTING, "local", "/work/a.1")
    commit.history.append(HistoryRecord(3, 2.0, "step", 0, 1, "ready", "submitting"))
    line.store.commit(commit, lease)

    assert line.history() == [(1, "run"), (2, "step"), (3, "step")]
    assert line.state() is SUBMITTING
    assert [each.number for each in line.direct.attempts("study-1")] == [1]


@pytest.mark.parametrize("lost", ["request", "answer"])
def test_what_a_generator_added_is_added_once(line, lease, lost):
    new = [Task(f"new_{number}", Argv(("true",))) for number in range(2)]
    commit = Commit("study-1", nodes=new[:1], first_new=3, late_needs=[(1, "new_0")])
    line.wire.lose_next(lost, stay_broken=True)
    with pytest.raises(StoreError):
        line.store.commit(commit, lease)
    line.wire.mend()

    commit.nodes.append(new[1])
    commit.late_needs += [(1, "new_1"), (3, "new_1")]
    commit.steps[4] = (WAITING, TaskRecord(READY))
    line.store.commit(commit, lease)

    stored = [each.node for each in line.direct.nodes("study-1")]
    assert [node.name for node in stored[3:]] == ["new_0", "new_1"]
    assert stored[1].needs == ("barrier:a", "new_0", "new_1")
    assert stored[3].needs == ("new_1",)
    assert line.state(4) is READY


def test_after_a_doubt_the_next_commits_are_as_ever(line, lease):
    commit = ready()
    line.wire.lose_next("answer", stay_broken=True)
    with pytest.raises(StoreError):
        line.store.commit(commit, lease)
    line.wire.mend()
    line.store.commit(commit, lease)

    line.store.commit(Commit("study-1", steps={0: (READY, TaskRecord(SUBMITTING, 1))}), lease)

    assert line.state() is SUBMITTING


def test_reading_outlives_a_connection_that_was_lost(line):
    line.wire.lose_next("answer")

    assert line.store.run("study-1") == example_run()


def test_all_runs_of_a_turn_go_to_the_server_and_back_once(line, lease):
    store = line.store
    store.create_run(example_run("b-2"), NODES, HistoryRecord(1, 0.0, "run"))
    other = store.acquire(example_lease("b-2", until=9e9), now=0.0)
    change = {0: (WAITING, TaskRecord(READY))}
    store.commit_many([(ready(), lease), (Commit("b-2", steps=change), other)])
    before = line.wire.requests

    again = {0: (READY, TaskRecord(SUBMITTING, 1))}
    attempt = {(0, 1): AttemptRecord(0, 1, SUBMITTING, "local", "/work/a.1")}
    store.commit_many(
        [
            (Commit(run, steps=dict(again), attempts=dict(attempt)), held)
            for run, held in (("study-1", lease), ("b-2", other))
        ]
    )

    assert line.wire.requests == before + 1
