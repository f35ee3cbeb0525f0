import sqlite3
import subprocess
import sys
import textwrap

import pytest

from segue.model.errors import StoreError, UserError
from segue.model.run import HistoryRecord
from segue.model.states import COMMAND_STEPS, STEPS, TaskState
from segue.store.sqlite import MIGRATIONS, SqliteStore, open_sqlite
from segue.store.sqlite_rows import way_rows
from segue.testing.store_suite import NODES, StoreSuite, example_run


@pytest.fixture
def path(tmp_path):
    return tmp_path / "deep" / "segue.db"


class TestSqliteStore(StoreSuite):
    @pytest.fixture
    def store(self, path):
        store = SqliteStore(path)
        yield store
        store.close()

    @pytest.fixture
    def reopen(self, store):
        opened = []

        def again():
            opened.append(SqliteStore(store.path))
            return opened[-1]

        yield again
        for each in opened:
            each.close()


class TestSqliteStoreOnANetworkFileSystem(TestSqliteStore):
    @pytest.fixture
    def store(self, path):
        store = SqliteStore(path, network=True)
        yield store
        store.close()

    def test_the_journal_is_the_safe_one(self, store):
        assert store.journal_mode == "delete"


def test_the_fast_journal_is_used_on_a_local_disk(path):
    store = SqliteStore(path, network=False)

    assert store.journal_mode == "wal"
    store.close()


def test_a_database_moved_to_a_network_file_system_leaves_the_fast_journal(path):
    SqliteStore(path, network=False).close()

    store = SqliteStore(path, network=True)

    assert store.journal_mode == "delete"
    store.close()


def test_the_database_knows_every_step_of_the_model(path):
    store = SqliteStore(path)
    with sqlite3.connect(path) as base:
        stored = set(base.execute("SELECT old, new FROM steps"))
    base.close()
    store.close()

    assert stored == {(old.value, new.value) for old, new in STEPS | COMMAND_STEPS}


def test_no_way_leads_on_from_success():
    assert not [way for way in way_rows() if way[0] == TaskState.SUCCEEDED]


def test_the_database_refuses_a_task_that_does_not_begin_waiting(path):
    store = SqliteStore(path)
    store.create_run(example_run(), NODES, HistoryRecord(1, 0.0, "run"))
    with sqlite3.connect(path) as base, pytest.raises(sqlite3.IntegrityError, match="begins"):
        base.execute(
            "INSERT INTO nodes (run, position, name, template, barrier, definition, state) "
            "VALUES (1, 9, 'x', '', 0, '{}', 'running')"
        )
    base.close()
    store.close()


def test_history_cannot_be_changed(path):
    store = SqliteStore(path)
    store.create_run(example_run(), NODES, HistoryRecord(1, 0.0, "run"))
    with sqlite3.connect(path) as base, pytest.raises(sqlite3.IntegrityError, match="not changed"):
        base.execute("UPDATE history SET detail = 'x'")
    base.close()
    store.close()


def test_a_store_of_a_newer_segue_is_not_touched(path):
    SqliteStore(path).close()
    with sqlite3.connect(path) as base:
        base.execute(f"PRAGMA user_version = {len(MIGRATIONS) + 1}")
    base.close()

    with pytest.raises(StoreError, match="newer Segue"):
        SqliteStore(path)


def test_a_file_that_is_no_database_is_said(tmp_path):
    path = tmp_path / "notes.txt"
    path.write_text(
        "these are my notes, and they are longer than a header of SQLite would be\n" * 9
    )

    with pytest.raises(StoreError, match="not a database"):
        SqliteStore(path)


def test_a_place_that_cannot_be_made_is_said(tmp_path):
    (tmp_path / "file").touch()

    with pytest.raises(StoreError, match="SEGUE_STORE"):
        SqliteStore(tmp_path / "file" / "segue.db")


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("sqlite://relative.db", "absolute path"),
        ("sqlite:///a.db?synchronous=off", "synchronous=full"),
        ("sqlite:///a.db?colour=red", "option"),
    ],
)
def test_a_wrong_url_is_explained(url, said):
    with pytest.raises(UserError, match=said):
        open_sqlite(url)


def test_two_processes_may_open_a_new_store_at_once(path):
    program = textwrap.dedent("""
        import sys
        from pathlib import Path
        from segue.store.sqlite import SqliteStore
        sys.stdin.readline()
        SqliteStore(Path(sys.argv[1])).close()
        """)
    command = [sys.executable, "-c", program, str(path)]
    openers = [subprocess.Popen(command, stdin=subprocess.PIPE) for _ in range(6)]

    for opener in openers:
        opener.stdin.write(b"go\n")
        opener.stdin.close()

    assert [opener.wait() for opener in openers] == [0] * 6
