import select
import threading

import pytest

from segue.engine.commands import CommandKind
from segue.engine.dispatch import Dispatch
from segue.engine.doorbell import Doorbell
from segue.engine.recover import take_over
from segue.engine.scheduler import Scheduler
from segue.engine.service import Service
from segue.model.run import HistoryRecord
from segue.model.states import RunState
from segue.model.workflow import Argv, Task, Workflow
from segue.protocols.store import RingingStore
from segue.store.postgres import PostgresStore
from segue.testing.fake_clock import FakeClock
from segue.testing.fake_executor import FakeExecutor
from segue.testing.store_suite import NODES, example_run

#: Nobody waits so long where a bell rings, in seconds.
LONG_S = 20.0


@pytest.fixture
def store(postgres_url):
    store = PostgresStore(postgres_url)
    store.create_run(example_run(), NODES, HistoryRecord(1, 0.0, "run"))
    yield store
    store.close()


@pytest.fixture
def door(postgres_url):
    store = PostgresStore(postgres_url)
    yield store
    store.close()


@pytest.fixture
def bell(store):
    bell = store.bell()
    yield bell
    bell.close()


def rings(bell, patience_s):
    return bool(select.select([bell], [], [], patience_s)[0])


def test_a_command_that_was_written_elsewhere_rings(store, door, bell):
    assert isinstance(store, RingingStore)
    assert not rings(bell, 0)

    door.put_command("study-1", "pause", {}, 1.0)

    assert rings(bell, LONG_S)
    bell.clear()
    assert not rings(bell, 0)


def test_a_bell_whose_connection_was_lost_rings_once_and_listens_again(store, door, bell):
    import psycopg

    with psycopg.connect(store._session.url, autocommit=True) as base:
        base.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE 'LISTEN%%'"
            " AND pid = %s",
            [bell._connection.info.backend_pid],
        )
    assert rings(bell, LONG_S)
    bell.clear()
    assert not rings(bell, 0)

    bell.clear()
    door.put_command("study-1", "pause", {}, 1.0)

    assert rings(bell, LONG_S)


@pytest.fixture
def scheduler(store, tmp_path):
    clock = FakeClock(1000.0)
    dispatch = Dispatch({"local": FakeExecutor(clock)}, "local", lambda *_: None, clock)
    scheduler = Scheduler(store, dispatch, Doorbell(tmp_path / "bell"), clock)
    yield scheduler
    scheduler.close()


def test_an_engine_takes_a_command_that_was_written_on_another_machine(store, door, scheduler):
    workflow = Workflow("w", "daggy", (Task("a", Argv(("true",))),))
    Service(store, scheduler.clock).submit(workflow, run="r", source="f", directory="/",
                                           workspace="/w")  # fmt: skip
    take_over(store, scheduler, "r", "me")
    for _ in range(3):
        scheduler.turn(wait=False)
    # Nobody rings at its door: there, its named pipe is not.
    writer = threading.Timer(0.1, door.put_command, ("r", CommandKind.PAUSE.value, {}, 1001.0))
    writer.start()

    # The one thing that can end this wait before the lease must be renewed.
    scheduler.turn()
    scheduler.turn(wait=False)

    writer.join()
    assert door.run("r").state is RunState.PAUSED
