import sqlite3
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from segue.model.errors import StoreError, UserError
from segue.model.run import HistoryRecord, TaskRecord
from segue.model.states import COMMAND_STEPS, STEPS, TaskState
from segue.store import sqlite
from segue.store.rows import way_rows
from segue.store.sqlite import MIGRATIONS, SqliteStore, open_sqlite
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


# Migrations ----------------------------------------------------------------------

FIRST_RUN = """
INSERT INTO states VALUES ('waiting'), ('ready'), ('submitting'), ('submitted'), ('running'),
    ('succeeded'), ('failed'), ('skipped'), ('cancelled');
INSERT INTO steps VALUES ('waiting', 'ready'), ('ready', 'submitting'), ('submitting', 'running'),
    ('running', 'succeeded'), ('waiting', 'succeeded');
INSERT INTO ways SELECT * FROM steps UNION VALUES ('waiting', 'submitting');
INSERT INTO runs VALUES (1, 'study-1', 'study', 'daggy', 'running', '/f.json', '/here', '/work',
    12.5, 13.0, NULL, 'strict', 4, '', 0, 0, '', '{"name":"x"}', '{}', '{"succeeded":1}');
INSERT INTO nodes (run, position, name, template, barrier, definition) VALUES
    (1, 0, 'a', '', 0, '{"name":"a","action":{"kind":"argv","arguments":["true"]}}'),
    (1, 1, 'b', '', 0, '{"name":"b","action":{"kind":"argv","arguments":["true"]}}');
UPDATE nodes SET state = 'succeeded', attempt = 1, refusals = 2 WHERE position = 0;
INSERT INTO attempts VALUES (1, 0, 1, 'succeeded', 'local', '/work/a.1', '77', '', NULL, 0, NULL,
    1.0, 2.0, 3.0, 0.5, 4096, '', 0);
INSERT INTO history VALUES (1, 1, 12.5, 'run', NULL, NULL, '', 'running', '');
INSERT INTO leases VALUES (1, 'owner', 3, 100.0, 'host', 1, '/bell');
INSERT INTO commands (run, kind, argument, at) VALUES (1, 'pause', '{}', 14.0);
PRAGMA user_version = 1;
"""


@pytest.fixture
def first(tmp_path):
    """A store as the first release has left it, with a run that is on its way."""
    path = tmp_path / "first.db"
    base = sqlite3.connect(path)
    base.execute("PRAGMA journal_mode = WAL")
    sql = Path(sqlite.__file__).parent / "sql" / "0001_first.sql"
    base.executescript(sql.read_text() + FIRST_RUN)
    base.close()
    return path


def test_a_store_of_the_first_release_keeps_all_that_it_holds(first):
    store = SqliteStore(first)

    run = store.run("study-1")
    assert (run.limit, run.tags, run.counts) == (4, {"name": "x"}, {"succeeded": 1})
    assert (run.restart_limit, run.slots, run.continues, run.reading) == (None, 0, "", {})
    records = [each.record for each in store.nodes("study-1")]
    assert records == [TaskRecord(TaskState.SUCCEEDED, 1, refusals=2), TaskRecord()]
    assert [each.folder for each in store.attempts("study-1")] == ["/work/a.1"]
    assert store.lease("study-1").epoch == 3
    assert [each.kind for each in store.commands(["study-1"])] == ["pause"]
    store.close()


def test_a_store_of_the_first_release_is_then_as_good_as_a_new_one(first, path):
    SqliteStore(first).close()
    SqliteStore(path).close()

    def layout(file):
        base = sqlite3.connect(file)
        tables = [row[0] for row in base.execute("SELECT name FROM sqlite_schema ORDER BY name")]
        columns = {name: list(base.execute(f"PRAGMA table_info({name})")) for name in tables}
        version = base.execute("PRAGMA user_version").fetchone()
        base.close()
        return columns, version

    assert layout(first) == layout(path)


def test_an_engine_of_the_first_release_goes_on_while_its_store_is_brought_up_to_date(first):
    old = sqlite3.connect(first, isolation_level=None)
    old.execute("SELECT * FROM attempts").fetchall()

    store = SqliteStore(first)

    # As its statements are: only where all columns are named may there be more of them.
    old.execute(
        "INSERT INTO attempts VALUES (1, 1, 1, 'running', 'local', '/w', '', '', NULL, NULL, NULL,"
        " 1.0, NULL, NULL, NULL, NULL, '', 0)"
    )
    old.execute("INSERT INTO history VALUES (1, 2, 1.0, 'step', 1, 1, 'waiting', 'ready', '')")
    old.execute("UPDATE nodes SET state = 'submitting', attempt = 1 WHERE position = 1")
    old.close()
    assert [each.record.state for each in store.nodes("study-1")] == ["succeeded", "submitting"]
    store.close()


def test_from_success_a_way_leads_only_to_what_a_person_can_ask_for():
    """Run again, by force: and then no further than to the intent, within one turn."""
    ways = {new for old, new in way_rows() if old == TaskState.SUCCEEDED}

    assert ways == {"waiting", "ready", "submitting", "skipped", "cancelled", "succeeded"}


def test_no_turn_leads_beyond_an_intent_to_submit():
    """Store first, act second: what an attempt has come to is another turn's."""
    beyond = {"submitted", "running", "failed"}

    assert {old for old, new in way_rows() if new in beyond} == {
        "submitting", "submitted", "running",
    }  # fmt: skip


def test_the_database_refuses_a_task_that_does_not_begin_waiting(path):
    store = SqliteStore(path)
    store.create_run(example_run(), NODES, HistoryRecord(1, 0.0, "run"))
    with sqlite3.connect(path) as base, pytest.raises(sqlite3.IntegrityError, match="begins"):
        base.execute(
            "INSERT INTO nodes (run, position, name, template, barrier, state) "
            "VALUES (1, 9, 'x', '', 0, 'running')"
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
