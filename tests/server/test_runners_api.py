"""Pools of runners: how a server is told of them, and what it shows."""

import json

import httpx
import pytest
from farm import Daemon, daemons
from served import Server, daggy, shell, wait_until
from test_daggyd import DAGGYD, daggyd, start_dag, wait_end

NOWHERE = "http://127.0.0.1:9"


def server_of(folder, *runners, more="", **settings):
    """A server whose default pool are these runners."""
    folder.mkdir(parents=True, exist_ok=True)
    urls = ", ".join(f'"{each}"' for each in runners)
    config = f'default_pool = "farm"\n[pools.farm]\nexecutor = "runner"\nrunners = [{urls}]\n'
    (folder / "segue.toml").write_text(config + more)
    return Server(folder, "--config", folder / "segue.toml", **settings)


def reached(server, count=1, pool="farm"):
    """The runners of the pool, as soon as so many are reachable."""

    def there():
        found = server.get(f"/pools/{pool}/runners")["runners"]
        return sum(each["reachable"] for each in found) >= count and found

    return wait_until(there, "runners are reached")


def test_runners_are_shown_as_they_were_last_heard(tmp_path):
    with (
        daemons(tmp_path / "farm", cores=3, memory_mb=500) as (runner,),
        server_of(tmp_path / "server", runner.url, NOWHERE) as server,
    ):
        there, away = reached(server)
        found = server.get("/pools/farm/runners")
        others = server.get("/pools/local/runners")
        unknown = server.client.get("/api/v2/pools/frm/runners")

    assert found["pool"] == "farm"
    assert found["waiting"] == 0
    assert there.pop("hostname")
    assert there.pop("version")
    assert there == {
        "url": runner.url,
        "reachable": True,
        "said": "",
        "total": {"cores": 3, "memory_mb": 500},
        "free": {"cores": 3, "memory_mb": 500},
        "running": 0,
        "enforced": True,
    }
    assert (away["url"], away["reachable"], away["total"]) == (NOWHERE, False, {})
    assert away["said"] == "Connection refused"
    assert others == {"pool": "local", "waiting": 0, "runners": []}
    assert unknown.status_code == 404
    assert "did you mean 'farm'" in unknown.json()["hint"]


def test_what_waits_is_counted_and_what_a_task_prints_is_shown(tmp_path):
    gate = tmp_path / "gate"
    script = f"echo begun; until test -e {gate}; do sleep 0.05; done"
    with (
        daemons(tmp_path / "farm", cores=1) as (runner,),
        server_of(tmp_path / "server", runner.url) as server,
    ):
        run = server.submit({"tasks": {name: shell(script) for name in "abc"}})
        wait_until(lambda: server.get("/pools/farm/runners")["waiting"] == 2, "two wait")
        wait_until(
            lambda: [row for row in server.tasks(run).values() if row["state"] == "running"], "one"
        )
        (shown,) = wait_until(
            lambda: [each for each in reached(server) if each["running"] == 1], "it runs"
        )
        gate.touch()

        assert server.wait_for(run)["state"] == "succeeded"
        assert server.output(run, "c") == b"begun\n"
        (attempt,) = server.task(run, "a")["attemptList"]

    assert shown["free"]["cores"] == 0
    assert attempt["place"] == "farm"
    assert attempt["node"]


def test_a_token_opens_the_runners(tmp_path):
    token = tmp_path / "token"
    token.write_text("the deep one\n")
    token.chmod(0o600)
    daemon = Daemon(tmp_path / "farm", "--token-file", token).start()
    try:
        with server_of(tmp_path / "without", daemon.url) as server:
            (shown,) = wait_until(
                lambda: [
                    each
                    for each in server.get("/pools/farm/runners")["runners"]
                    if "token" in each["said"]
                ],
                "it says why",
            )
            assert not shown["reachable"]
        more = 'token_file = "../token"\nlease_s = 60\nlimit = 5\n'
        with server_of(tmp_path / "with", daemon.url, more=more) as server:
            run = server.submit(daggy(a="true"))
            assert server.wait_for(run)["state"] == "succeeded"
            (pool,) = [each for each in server.get("/pools")["pools"] if each["default"]]
            assert (pool["executor"], pool["limit"]) == ("runner", 5)
    finally:
        daemon.lose_power()


def test_daggyd_gives_its_tasks_to_runners(tmp_path):
    with daemons(tmp_path / "farm", 2, cores=1) as runners:
        settings = {"runners": [each.url for each in runners]}
        executor = {"name": "DaggyRunnerTaskExecutor", "config": settings}
        with daggyd(tmp_path / "daggyd", {"executor": executor}) as server:
            number = start_dag(server, daggy(a="echo $SEGUE_JOB", b=shell("true", "a")))

            assert wait_end(server, number) == "COMPLETED"
            found = server.get("/pools/runner/runners")["runners"]
            whole = server.client.get(f"/v1/dagrun/{number}").json()

    assert [each["url"] for each in found] == settings["runners"]
    assert whole["taskAttempts"]["a"][0]["outputLog"].endswith(".0.1\n")
    assert DAGGYD


def test_without_a_server_the_environment_names_the_runners(tmp_path):
    with daemons(tmp_path / "farm") as (runner,):
        server = Server(tmp_path, environment={"SEGUE_RUNNERS": f"{runner.url}/"})
        (tmp_path / "dag.json").write_text('{"tasks": {"a": {"job": {"command": ["true"]}}}}')

        done = server.segue("run", "dag.json", "--pool", "runner")

    assert done.returncode == 0, done.stdout + done.stderr
    assert not list(runner.spool.rglob("*.0.1*")), "the runner has forgotten it"


def test_a_server_without_pools_has_those_of_the_environment(tmp_path):
    with (
        daemons(tmp_path / "farm") as (runner,),
        Server(tmp_path, environment={"SEGUE_RUNNERS": runner.url}) as server,
    ):
        reached(server, pool="runner")
        run = server.submit({"pool": "runner", "document": json.dumps(daggy(a="true"))})

        assert server.wait_for(run)["state"] == "succeeded"
        assert server.tasks(run)["a"]["place"] == "runner"


@pytest.mark.parametrize(
    ("environment", "said"),
    [
        ({"SEGUE_RUNNERS": ""}, "SEGUE_RUNNERS names no runners"),
        ({"SEGUE_RUNNERS": "somewhere:2504"}, "'somewhere:2504' is no address of a runner"),
        (
            {"SEGUE_RUNNERS": NOWHERE, "SEGUE_RUNNER_TOKEN_FILE": "/nowhere/token"},
            "cannot be read from /nowhere/token",
        ),
        ({"SEGUE_RUNNERS": NOWHERE, "SEGUE_RUNNER_LEASE_S": "soon"}, "LEASE_S is 'soon'"),
    ],
)
def test_what_the_environment_says_wrongly_is_refused(tmp_path, environment, said):
    server = Server(tmp_path, environment=environment)
    (tmp_path / "dag.json").write_text('{"tasks": {"a": {"job": {"command": ["true"]}}}}')

    done = server.segue("run", "dag.json", "--pool", "runner")

    assert done.returncode == 2, done.stdout + done.stderr
    assert said in done.stderr


@pytest.mark.parametrize(
    ("pool", "said"),
    [
        ('executor = "runner"\nrunners = []', "it names no runners"),
        ('executor = "runner"\nrunners = ["a:1"]', "'a:1' is no address of a runner"),
        ('executor = "runner"\nrunners = ["http://a", "http://a"]', "named twice"),
        ('executor = "runner"\nrunners = ["http://a"]\nlease_s = 0', "lease_s: 0 is out of range"),
        ('executor = "slurm"\nrunners = ["http://a"]', "its executor is 'slurm'"),
        ('executor = "runner"\nrunners = ["http://a"]\ntoken_file = "no"', "cannot be read from"),
        ('executor = "runner"', "SEGUE_RUNNERS names no runners"),
    ],
)
def test_a_pool_of_runners_with_faults_is_refused(tmp_path, pool, said):
    (tmp_path / "segue.toml").write_text(f"[pools.farm]\n{pool}\n")
    server = Server(tmp_path, environment={"SEGUE_RUNNERS": ""})

    done = server.segue("serve", "--port", "0", "--config", "segue.toml")

    assert done.returncode == 2, done.stdout + done.stderr
    assert said in done.stderr


def test_nobody_waits_for_a_runner_that_hangs(tmp_path):
    with (
        daemons(tmp_path / "farm") as (runner,),
        server_of(tmp_path / "server", runner.url) as server,
    ):
        reached(server)
        runner.pause()

        quick = httpx.Timeout(5.0)
        answer = server.client.get("/api/v2/pools/farm/runners", timeout=quick)

        runner.go_on()
    assert answer.json()["runners"][0]["url"] == runner.url
