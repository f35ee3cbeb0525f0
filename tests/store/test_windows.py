"""Windows on every store, through one suite."""

import pytest

from segue.model.run import HistoryRecord
from segue.model.states import RunState
from segue.protocols.windows import RunQuery, TaskQuery
from segue.store.plain_windows import PlainWindows
from segue.store.postgres import PostgresStore
from segue.store.postgres_windows import PostgresWindows
from segue.store.redis import open_redis
from segue.store.redis_windows import RedisWindows
from segue.store.sqlite import SqliteStore
from segue.store.sqlite_windows import SqliteWindows, open_windows
from segue.testing.store_suite import example_run
from segue.testing.windows_suite import WindowsSuite, fill


@pytest.fixture
def sqlite(tmp_path):
    store = SqliteStore(tmp_path / "segue.db")
    yield store
    store.close()


class TestSqliteWindows(WindowsSuite):
    @pytest.fixture
    def store(self, sqlite):
        return sqlite

    @pytest.fixture
    def windows(self, sqlite):
        windows = SqliteWindows(sqlite.path)
        yield windows
        windows.close()


class TestPlainWindows(WindowsSuite):
    @pytest.fixture
    def store(self, sqlite):
        return sqlite

    @pytest.fixture
    def windows(self, sqlite):
        return PlainWindows(sqlite)


class TestPostgresWindows(WindowsSuite):
    @pytest.fixture
    def store(self, postgres_url):
        store = PostgresStore(postgres_url)
        yield store
        store.close()

    @pytest.fixture
    def windows(self, store, postgres_url):
        windows = PostgresWindows(postgres_url)
        yield windows
        windows.close()


class TestRedisWindows(WindowsSuite):
    @pytest.fixture
    def store(self, redis_url):
        store = open_redis(redis_url)
        yield store
        store.close()

    @pytest.fixture
    def windows(self, redis_url):
        windows = RedisWindows(open_redis(redis_url))
        yield windows
        windows.close()


def test_windows_open_on_a_store_that_is_not_there_yet(tmp_path):
    windows = open_windows(f"sqlite://{tmp_path}/new/segue.db")

    assert windows.runs(RunQuery()) == []
    windows.close()


def test_a_window_sees_what_was_stored_after_it_was_opened(sqlite):
    windows = SqliteWindows(sqlite.path)
    assert windows.run("work-2") is None

    fill(sqlite)

    assert len(windows.tasks("work-2", TaskQuery())) == 4
    windows.close()


@pytest.mark.parametrize("kind", ["sqlite", "redis"])
def test_numbers_are_not_given_out_again(kind, request, tmp_path):
    if kind == "sqlite":
        store = request.getfixturevalue("sqlite")
        windows = SqliteWindows(store.path)
    else:
        url = request.getfixturevalue("redis_url")
        store, windows = open_redis(url), RedisWindows(open_redis(url))
    fill(store)
    last = example_run("last-4", state=RunState.FAILED)
    store.create_run(last, [], HistoryRecord(1, 0.0, "run"))
    store.delete_run("last-4")
    store.create_run(last, [], HistoryRecord(1, 0.0, "run"))

    assert windows.run("last-4").number == 5
    windows.close()
