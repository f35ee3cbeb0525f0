"""The server is killed, or its store is: what finished stays, and nothing runs twice."""

import itertools
import os
import random
from collections import Counter

import pytest
from chaos import Place
from served import Server, shell, wait_until

pytestmark = pytest.mark.slow

RUNS = 20


def document(log, number):
    """Five tasks, one of which fails once; each writes down when it begins and ends."""

    def step(name, *parents, script="true", **members):
        said = f"echo {number}.{name}.$SEGUE_ATTEMPT"
        return shell(
            f"{said}.start >> {log}; sleep 0.1; {said}.end >> {log}; {script}", *parents, **members
        )

    return {
        "tag": f"run {number}",
        "tasks": {
            "a": step("a"),
            "b": step("b", "a"),
            "c": step("c", "a", script="test $SEGUE_ATTEMPT -gt 1", maxRetries=2),
            "d": step("d", "b", "c"),
            "e": step("e", "d", script="false"),
        },
    }


def check(server, runs, log):
    """Each attempt of each task began once and ended once, and the store tells it truly."""
    ends = [server.wait_for(run) for run in runs]
    written = Counter(log.read_text().split())
    assert set(written.values()) == {1}, written.most_common(3)
    for number, run in enumerate(runs):
        assert ends[number]["state"] == "failed"
        assert ends[number]["counts"] == {"succeeded": 4, "failed": 1}
        rows = server.tasks(run)
        assert {name: row["attempts"] for name, row in rows.items()} == {
            "a": 1, "b": 1, "c": 2, "d": 1, "e": 1,
        }  # fmt: skip
        for name, row in rows.items():
            for attempt in range(1, row["attempts"] + 1):
                for what in ("start", "end"):
                    assert f"{number}.{name}.{attempt}.{what}" in written
        lines = server.get(f"/runs/{run}/history", limit=5000)["history"]
        assert [line["number"] for line in lines] == list(range(1, len(lines) + 1))
    assert sum(written.values()) == RUNS * 6 * 2


def test_a_server_is_killed_again_and_again_during_twenty_runs(tmp_path):
    seed = random.SystemRandom().randrange(1 << 31)
    print(f"seed {seed}")  # noqa: T201 - shown when the test fails
    dice = random.Random(seed)
    log = tmp_path / "log"
    log.touch()
    server = Server(tmp_path / "server", "-j", "3").start()
    runs = [server.submit(document(log, number)) for number in range(RUNS)]
    try:
        for _ in range(4):
            more = len(log.read_text().split()) + dice.randrange(5, 30)
            wait_until(lambda more=more: len(log.read_text().split()) >= more, "some lines")
            server.kill()
            server.start()
        check(server, runs, log)
    finally:
        server.stop()
        Place(tmp_path / "server").close()


def test_of_two_servers_on_one_postgresql_one_takes_over_what_the_other_left(
    tmp_path, postgres_url
):
    log = tmp_path / "log"
    log.touch()
    home = {"XDG_STATE_HOME": str(tmp_path / "state")}
    servers = [
        Server(tmp_path / name, "-j", "3", store=postgres_url, environment=home).start()
        for name in ("first", "second")
    ]
    try:
        first, second = servers
        doors = itertools.cycle(servers)
        runs = [next(doors).submit(document(log, number)) for number in range(RUNS)]
        wait_until(lambda: len(log.read_text().split()) >= 20, "some lines")
        driven = [engine for engine in engines(second, runs) if engine and engine["alive"]]
        shared = {engine["processId"] for engine in driven}

        first.kill()
        dead = first.process.pid
        wait_until(
            lambda: all(
                not engine or engine["processId"] != dead for engine in engines(second, runs)
            ),
            "the other server has them all",
            limit_s=15,
        )

        assert len(shared) == 2
        check(second, runs, log)
    finally:
        for each in servers:
            each.stop()
        Place(tmp_path / "place", store=tmp_path / "state" / "segue" / "servers").close()


def engines(server, runs):
    return [server.run(run)["engine"] for run in runs]


def test_a_server_that_stops_leaves_what_runs_to_the_next_one(tmp_path):
    gate = tmp_path / "gate"
    script = f"echo $$ >> {tmp_path}/log; until test -e {gate}; do sleep 0.05; done"
    server = Server(tmp_path / "server").start()
    run = server.submit({"tasks": {"long": shell(script), "next": shell("true", "long")}})
    server.wait_for_task(run, "long", "running")

    code = server.stop()
    gate.touch()
    server.start()
    ended = server.wait_for(run)
    server.stop()

    assert code == 0
    assert ended["state"] == "succeeded"
    assert len((tmp_path / "log").read_text().split()) == 1


def test_without_its_store_a_server_says_so_and_comes_back(tmp_path, postgres_service):
    """The connection is cut, again and again; what was taken in before still ends."""
    import psycopg

    name = f"away_{os.urandom(4).hex()}"
    with psycopg.connect(postgres_service, autocommit=True) as base:
        base.execute(f"CREATE DATABASE {name}")
        url = f"{postgres_service.rpartition('/')[0]}/{name}"
        home = {"XDG_STATE_HOME": str(tmp_path / "state")}
        with Server(tmp_path / "server", store=url, environment=home) as server:
            gate = tmp_path / "gate"
            run = server.submit(
                {"tasks": {"t": shell(f"until test -e {gate}; do sleep 0.05; done")}}
            )
            server.wait_for_task(run, "t", "running")

            base.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS false")
            cut(base, name)
            away = wait_until(
                lambda: (a := server.client.get("/api/v2/runs")).status_code == 503 and a, "away"
            )
            health = wait_until(
                lambda: (h := server.client.get("/health")).status_code == 503 and h, "failing"
            )
            gate.touch()
            base.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS true")

            wait_until(lambda: server.client.get("/api/v2/runs").status_code == 200, "back")
            assert server.wait_for(run)["state"] == "succeeded"
            assert away.headers["retry-after"]
            assert away.json()["code"] == "unavailable"
            assert health.json()["status"] == "failing"
        cut(base, name)
        base.execute(f"DROP DATABASE {name}")


def cut(base, name):
    base.execute(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", [name]
    )
