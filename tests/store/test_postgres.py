import os
import subprocess
import sys
import threading
import time

import psycopg
import pytest

from segue.model.errors import LeaseLostError, StoreError, UserError
from segue.model.run import AttemptRecord, HistoryRecord, TaskRecord
from segue.model.states import COMMAND_STEPS, STEPS, TaskState
from segue.protocols.store import Commit
from segue.store.postgres import PostgresStore, open_postgres
from segue.store.postgres_session import MIGRATIONS
from segue.testing.store_suite import NODES, StoreSuite, example_lease, example_run


@pytest.fixture
def opened(postgres_url):
    stores = []

    def again(**options):
        stores.append(PostgresStore(postgres_url, **options))
        return stores[-1]

    yield again
    for each in stores:
        each.close()


@pytest.fixture
def store(opened):
    return opened()


@pytest.fixture
def base(postgres_url, store):
    """The database, without a store in between."""
    with psycopg.connect(postgres_url, autocommit=True) as connection:
        yield connection


@pytest.fixture
def created(store):
    store.create_run(example_run(), NODES, HistoryRecord(1, 0.0, "run"))
    return store


class TestPostgresStore(StoreSuite):
    @pytest.fixture
    def store(self, opened):
        return opened()

    @pytest.fixture
    def reopen(self, store, opened):
        return opened


# What the database itself refuses ------------------------------------------------------


def test_the_database_knows_every_step_of_the_model(base):
    stored = set(base.execute("SELECT old, new FROM steps"))

    assert stored == {(old.value, new.value) for old, new in STEPS | COMMAND_STEPS}


@pytest.mark.parametrize(
    ("statement", "said"),
    [
        ("UPDATE nodes SET state = 'submitted' WHERE position = 0", "not a way"),
        ("UPDATE history SET detail = 'x'", "not changed"),
        (
            "INSERT INTO nodes (run, position, name, template, barrier, state)"
            " VALUES (1, 9, 'x', '', false, 'running')",
            "begins waiting",
        ),
        (
            "INSERT INTO history VALUES (1, 3, 0, 'remark', NULL, NULL, '', '', '')",
            "left out",
        ),
        ("UPDATE nodes SET state = 'odd'", "not a way"),
    ],
)
def test_the_database_refuses_what_the_model_does_not_know(created, base, statement, said):
    base.execute("UPDATE nodes SET state = 'succeeded' WHERE position = 0")

    with pytest.raises(psycopg.IntegrityError, match=said):
        base.execute(statement)


def test_history_that_leaves_a_number_out_is_refused(created):
    lease = created.acquire(example_lease(), now=0.0)

    with pytest.raises(psycopg.IntegrityError, match="left out"):
        created.commit(Commit("study-1", history=[HistoryRecord(3, 0.0, "remark")]), lease)


def test_a_sign_that_postgresql_does_not_keep_is_replaced(created, opened):
    lease = created.acquire(example_lease(), now=0.0)
    attempt = AttemptRecord(0, 1, TaskState.RUNNING, "local", "/w", message="a\0b")
    line = HistoryRecord(2, 0.0, "remark", detail="c\0d\\u0000")

    created.commit(Commit("study-1", attempts={(0, 1): attempt}, history=[line]), lease)

    seen = opened()
    assert [each.message for each in seen.attempts("study-1")] == ["a\ufffdb"]
    assert seen.newest_history("study-1").detail == "c\ufffdd\\u0000"


def test_a_run_that_comes_twice_in_a_turn_is_changed_twice(created):
    lease = created.acquire(example_lease(), now=0.0)
    ready, out = TaskRecord(TaskState.READY), TaskRecord(TaskState.SUBMITTING, 1)

    created.commit_many(
        [
            (Commit("study-1", steps={0: (TaskState.WAITING, ready)}), lease),
            (Commit("study-1", steps={0: (TaskState.READY, out)}), lease),
        ]
    )

    assert next(created.records("study-1")) == (0, out)


# Leases ----------------------------------------------------------------------------------


def test_of_many_engines_one_gets_the_run(created, opened):
    stores = [opened() for _ in range(8)]
    start, got = threading.Barrier(len(stores)), []

    def ask(store, number):
        start.wait()
        got.append(store.acquire(example_lease(owner=f"engine-{number}"), now=0.0))

    asking = [threading.Thread(target=ask, args=(one, at)) for at, one in enumerate(stores)]
    for each in asking:
        each.start()
    for each in asking:
        each.join()

    assert [lease.epoch for lease in got if lease is not None] == [1]


def test_engines_that_fight_over_a_run_leave_a_history_without_gaps(created, opened):
    """Each lease has ended before it begins, so that anybody may take it at any time."""
    lost = []

    def fight(store, name):
        for _ in range(15):
            lease = store.acquire(example_lease(owner=name, until=0.0), now=1.0)
            number = store.newest_history("study-1").number + 1
            line = HistoryRecord(number, 0.0, "remark", detail=name)
            try:
                store.commit(Commit("study-1", history=[line]), lease)
            except (LeaseLostError, psycopg.errors.UniqueViolation) as error:
                lost.append(error)

    fighting = [threading.Thread(target=fight, args=(opened(), f"e{at}")) for at in range(4)]
    for each in fighting:
        each.start()
    for each in fighting:
        each.join()

    numbers = [line.number for line in created.history("study-1")]
    assert numbers == list(range(1, 4 * 15 - len(lost) + 2))


def test_a_machine_whose_clock_is_wrong_takes_nothing_over(created, opened):
    wrong = opened(clock=lambda: time.time() + 3600)
    now = time.time()
    created.acquire(example_lease(until=now + 15), now)

    assert wrong.acquire(example_lease(owner="other"), now + 3600 + 5) is None
    assert wrong.lease("study-1").until == pytest.approx(now + 3600 + 15, abs=1)
    assert wrong.acquire(example_lease(owner="other"), now + 3600 + 17) is not None


# Opening ---------------------------------------------------------------------------------


def test_two_processes_may_open_a_new_store_at_once(postgres_url):
    program = (
        "import sys; from segue.store.postgres import open_postgres; "
        "sys.stdin.readline(); open_postgres(sys.argv[1]).close()"
    )
    command = [sys.executable, "-c", program, postgres_url]
    openers = [subprocess.Popen(command, stdin=subprocess.PIPE) for _ in range(3)]

    for opener in openers:
        opener.stdin.write(b"go\n")
        opener.stdin.close()

    assert [opener.wait() for opener in openers] == [0] * 3


def test_a_store_of_a_newer_segue_is_not_touched(base, opened):
    base.execute("INSERT INTO segue_migrations VALUES (%s)", [len(MIGRATIONS) + 1])

    with pytest.raises(StoreError, match="newer Segue"):
        opened()


def test_a_database_that_cannot_keep_every_sign_is_refused(postgres_service):
    name = f"narrow_{os.urandom(4).hex()}"
    with psycopg.connect(postgres_service, autocommit=True) as server:
        server.execute(f"CREATE DATABASE {name} ENCODING 'LATIN1' LOCALE 'C' TEMPLATE template0")

        with pytest.raises(StoreError, match="UTF-8"):
            open_postgres(postgres_service.rpartition("/")[0] + f"/{name}")

        server.execute(f"DROP DATABASE {name}")


@pytest.mark.parametrize(
    ("change", "error", "said"),
    [
        (lambda url: url.replace("not-a-secret", "wr0ng"), StoreError, "pgpass"),
        (lambda url: url.rpartition("/")[0] + "/nobodys", StoreError, "createdb"),
        (lambda url: "postgresql://ann:wr0ng@127.0.0.1:1/lab", StoreError, "is the server up"),
        (lambda url: url + "?colour=red", UserError, "postgresql://user@host"),
        (lambda url: url.replace("not-a-secret", "wr0ng%zz"), UserError, "postgresql://user@host"),
    ],
)
def test_a_store_that_cannot_be_opened_is_explained_without_its_password(
    postgres_service, change, error, said
):
    with pytest.raises(error, match=said) as caught:
        open_postgres(change(postgres_service))

    assert "wr0ng" not in str(caught.value)
    assert "not-a-secret" not in str(caught.value)


def test_a_database_that_may_only_be_read_is_explained(created, base, postgres_url):
    (schema,) = base.execute("SELECT current_schema()").fetchone()
    role = f"reader_{os.urandom(4).hex()}"
    base.execute(f"CREATE ROLE {role} LOGIN PASSWORD 'reads'")
    base.execute(f"GRANT USAGE ON SCHEMA {schema} TO {role}")
    base.execute(f"GRANT SELECT ON ALL TABLES IN SCHEMA {schema} TO {role}")
    reading = open_postgres(postgres_url.replace("segue:not-a-secret", f"{role}:reads"))

    with pytest.raises(StoreError, match="grant"):
        reading.put_command("study-1", "pause", {}, 0.0)

    assert reading.run("study-1") is not None
    reading.close()
    base.execute(f"DROP OWNED BY {role}")
    base.execute(f"DROP ROLE {role}")
