"""Real servers that are killed, and come back."""

from urllib.parse import urlsplit

import pytest

from segue.engine.dispatch import Dispatch
from segue.engine.doorbell import Doorbell
from segue.engine.recover import take_over
from segue.engine.scheduler import STORE_RETRY_S, Scheduler
from segue.engine.service import Service
from segue.model.errors import StoreError
from segue.model.run import HistoryRecord, TaskRecord
from segue.model.states import RunState, TaskState
from segue.model.workflow import Argv, Task, Workflow
from segue.protocols.executor import JobKey
from segue.protocols.store import Commit
from segue.store.postgres import open_postgres
from segue.store.redis import open_redis
from segue.testing.fake_clock import FakeClock
from segue.testing.fake_executor import FakeExecutor
from segue.testing.store_suite import NODES, example_lease, example_run

pytestmark = pytest.mark.slow


@pytest.fixture(params=["postgres", "redis"], scope="module")
def server(request):
    """A server of our own: others are not to see it die."""
    if request.param == "postgres":
        request.getfixturevalue("postgres_service")
        from postgres import server_of_ones_own
    else:
        request.getfixturevalue("redis_service")
        from redis_server import server_of_ones_own
    with server_of_ones_own("mortal") as server:
        yield server


@pytest.fixture
def store(server):
    server.start()
    opener = open_redis if urlsplit(server.url).scheme == "redis" else open_postgres
    store = opener(server.url)
    yield store
    server.start()
    store.close()


def test_what_was_committed_is_there_when_the_server_comes_back(server, store):
    store.create_run(example_run("a-1"), NODES, HistoryRecord(1, 0.0, "run"))
    lease = store.acquire(example_lease("a-1"), now=0.0)
    ready = Commit("a-1", steps={0: (TaskState.WAITING, TaskRecord(TaskState.READY))})
    store.commit(ready, lease)
    server.crash()
    out = Commit("a-1", steps={0: (TaskState.READY, TaskRecord(TaskState.SUBMITTING, 1))})
    with pytest.raises(StoreError, match="is the server up"):
        store.commit(out, lease)
    with pytest.raises(StoreError, match="is the server up"):
        store.run("a-1")

    server.start()
    store.commit(out, lease)

    assert next(store.records("a-1"))[1] == TaskRecord(TaskState.SUBMITTING, 1)
    assert store.lease("a-1") == lease


def test_an_engine_keeps_what_it_has_decided_until_the_server_comes_back(server, store, tmp_path):
    clock, troubles = FakeClock(1000.0), []
    outside = FakeExecutor(clock)
    dispatch = Dispatch({"local": outside}, "local", lambda *_: None, clock)
    scheduler = Scheduler(
        store, dispatch, Doorbell(tmp_path / "bell"), clock, on_trouble=troubles.append
    )
    tasks = (Task("a", Argv(("true",))), Task("b", Argv(("true",)), needs=("a",)))
    Service(store, clock).submit(
        Workflow("w", "daggy", tasks), run="b-2", source="f", directory="/", workspace="/w"
    )
    take_over(store, scheduler, "b-2", "me")
    turns(scheduler)
    outside.start(JobKey("b-2", 0, 1))
    turns(scheduler)
    server.crash()

    outside.finish(JobKey("b-2", 0, 1))
    scheduler.ring()
    turns(scheduler)
    clock.advance(STORE_RETRY_S)
    turns(scheduler)
    # What it has not stored it does not act upon.
    assert outside.place.handed_over == [JobKey("b-2", 0, 1)]
    assert len(troubles) == 1
    assert "nothing new is started meanwhile" in troubles[0]

    server.start()
    clock.advance(STORE_RETRY_S)
    turns(scheduler)
    outside.start(JobKey("b-2", 1, 1))
    outside.finish(JobKey("b-2", 1, 1))
    turns(scheduler)

    assert store.run("b-2").state is RunState.SUCCEEDED
    assert outside.place.handed_over == [JobKey("b-2", 0, 1), JobKey("b-2", 1, 1)]
    assert [line.number for line in store.history("b-2")] == list(range(1, 11))
    assert "can be written again" in troubles[-1]
    scheduler.close()


def turns(scheduler):
    for _ in range(4):
        scheduler.turn(wait=False)
