"""`segue serve`: what it is told, when it stops, and what it needs."""

import json
import os
import signal
import socket
import subprocess
import sys

import pytest
from served import LIMIT_S, SEGUE, Server, Stream, daggy, shell, wait_until


def refused(tmp_path, *words, **environment):
    return subprocess.run(
        [*SEGUE, "serve", *map(str, words)],
        cwd=tmp_path,
        env=os.environ | {"SEGUE_STORE": f"sqlite://{tmp_path}/segue.db"} | environment,
        capture_output=True,
        text=True,
        timeout=LIMIT_S,
        check=False,
    )


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("port = ", "segue.toml:1:1: Invalid value"),
        ("host = 5", "segue.toml:1:1: host: 5 is not a text"),
        ('\nprot = "x"', "segue.toml:2:1: 'prot' is no setting\n  hint: did you mean 'port'?"),
        ("port = 70000", "port: 70000 is out of range"),
        ("cors_origins = [1]", "not all of it is text"),
        ("[pools.big]\nlimit = 2", "segue.toml:1:1: the pool 'big' does not say its executor"),
        ('[pools.big]\nexecutor = "local"\nlimit = "2"', "segue.toml:3:1: limit: '2' is not"),
        ('[pools.big]\nexecutor = "local"\nlimit = 0', "at least one job"),
        ('[pools."../x"]\nexecutor = "local"', "cannot be called '../x'"),
        ("body_limit_mib = 0", "segue.toml:1:1: body_limit_mib: 0 is out of range"),
        (
            'default_pool = "locl"',
            "default_pool: there is no pool 'locl'\n  hint: did you mean 'local'?",
        ),
        ('default_pool = "bgi"\n[pools.big]\nexecutor = "local"', "did you mean 'big'?"),
    ],
)
def test_a_config_with_faults_is_refused_with_their_places(tmp_path, text, said):
    (tmp_path / "segue.toml").write_text(text)

    done = refused(tmp_path, "--config", "segue.toml")

    assert done.returncode == 2
    assert said in done.stderr


def test_all_faults_of_a_config_are_told_at_once(tmp_path):
    (tmp_path / "segue.toml").write_text("host = 1\nport = 'x'\nother = 2\n")

    done = refused(tmp_path, "--config", "segue.toml")

    assert done.stderr.count("segue.toml:") == 3


def test_a_port_that_is_taken_is_told(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        done = refused(tmp_path, "--port", taken.getsockname()[1])

    assert done.returncode == 3
    assert "Address already in use" in done.stderr
    assert "--port" in done.stderr


def test_a_workspace_that_cannot_be_made_is_told_before_a_run_needs_it(tmp_path):
    (tmp_path / "file").touch()

    result = refused(tmp_path, "--workspace", tmp_path / "file" / "runs")

    assert result.returncode == 2
    assert "file/runs cannot be made: Not a directory" in result.stderr


def test_an_executor_that_is_not_there_is_told(tmp_path):
    (tmp_path / "segue.toml").write_text('[pools.x]\nexecutor = "lsf"\n')

    done = refused(tmp_path, "--config", "segue.toml", "--port", "0")

    assert done.returncode == 2
    assert "there is no bsub on the PATH" in done.stderr


def test_a_config_says_where_and_how(tmp_path):
    (tmp_path / "segue.toml").write_text(
        f'host = "localhost"\nstore = "sqlite://{tmp_path}/other.db"\nworkspace = "work"\n'
        'default_pool = "fast"\n[pools.fast]\nexecutor = "local"\nlimit = 1\n'
        '[pools.nothing]\nexecutor = "noop"\n'
    )
    with Server(tmp_path / "server", "--config", tmp_path / "segue.toml") as server:
        pools = {pool["name"]: pool for pool in server.get("/pools")["pools"]}
        here = server.submit(daggy(a="true"))
        there = server.submit(daggy(a="false"), pool="nothing")
        said = server.submit(daggy(a="true"), status=422, pool="fats")

        assert server.wait_for(here)["workspace"] == f"{tmp_path}/work/{here}"
        assert server.wait_for(there)["state"] == "succeeded"
        assert server.get("/server")["store"] == f"sqlite://{tmp_path}/other.db"
        row = server.tasks(here)["a"]

    assert set(pools) == {"fast", "nothing", "local"}
    assert (pools["fast"]["default"], pools["fast"]["limit"]) == (True, 1)
    assert row["place"] == "fast"
    assert (said["code"], "did you mean 'fast'?" in said["hint"]) == ("unknown_pool", True)
    assert (tmp_path / "other.db").exists()


def test_at_a_pool_with_a_limit_so_many_run_at_once(tmp_path):
    (tmp_path / "segue.toml").write_text(
        'default_pool = "two"\n[pools.two]\nexecutor = "local"\nlimit = 2\n'
    )
    gate = tmp_path / "gate"
    wait = f"until test -e {gate}; do sleep 0.05; done"
    with Server(tmp_path / "server", "--config", tmp_path / "segue.toml") as server:
        run = server.submit(daggy(a=wait, b=wait, c=wait, d=wait))
        pool = wait_until(
            lambda: (p := server.get("/pools/two")) and p["running"] == 2 and p, "two run"
        )
        states = sorted(row["state"] for row in server.tasks(run).values())
        gate.touch()
        ended = server.wait_for(run)

    assert states.count("running") == 2
    assert pool["running"] + pool["submitted"] + pool["ready"] == 4
    assert ended["state"] == "succeeded"


def test_a_second_ctrl_c_waits_for_nothing(tmp_path):
    with Server(tmp_path) as server, Stream(server, "/api/v2/events"):
        run = server.submit(daggy(a="sleep 300"))
        server.wait_for_task(run, "a", "running")

        server.process.send_signal(signal.SIGINT)
        server.process.send_signal(signal.SIGINT)

        code = server.process.wait(15)
        server.stop()
        assert "Traceback" not in server.said()
        assert code in (0, 130)
        server.start()
        server.post(f"/runs/{run}:kill")
        assert server.wait_for(run)["state"] == "cancelled"


def test_runs_that_other_doors_have_left_are_taken_over(tmp_path):
    gate = tmp_path / "gate"
    place = Server(tmp_path)
    wait = f"until test -e {gate}; do sleep 0.05; done"
    (tmp_path / "own.json").write_text(
        json.dumps({"tasks": {"a": shell(wait), "b": shell("true", "a")}})
    )
    with (tmp_path / "out").open("wb") as out:
        own = subprocess.Popen(
            [*SEGUE, "run", "own.json"], cwd=tmp_path, env=place.environment, stdout=out, stderr=out
        )
    runs = wait_until(lambda: json.loads(place.segue("runs", "--json").stdout)["runs"], "a run")
    run = runs[0]["run"]
    with place as server:
        server.wait_for_task(run, "a", "running")
        assert server.run(run)["engine"]["processId"] == own.pid

        own.kill()
        own.wait()
        gate.touch()

        assert server.wait_for(run)["state"] == "succeeded"
        assert [row["attempts"] for row in server.tasks(run).values()] == [1, 1]


def test_runs_need_nothing_of_a_server(tmp_path):
    (tmp_path / "dag.json").write_text(json.dumps(daggy(a="true")))
    script = (
        "import sys\nfrom segue.cli.main import main\n"
        "try: main(['run', 'dag.json'])\n"
        "except SystemExit as left: assert not left.code, left.code\n"
        "found = {'fastapi', 'uvicorn', 'starlette', 'pydantic', 'prometheus_client', 're2'}\n"
        "assert not found & set(sys.modules), found & set(sys.modules)\n"
    )

    done = subprocess.run(
        [sys.executable, "-c", script],
        cwd=tmp_path,
        env=os.environ | {"SEGUE_STORE": f"sqlite://{tmp_path}/segue.db"},
        capture_output=True,
        text=True,
        timeout=LIMIT_S,
        check=False,
    )

    assert done.returncode == 0, done.stderr


def test_tokens_are_told_once_and_well(tmp_path):
    server = Server(tmp_path)

    nothing = server.segue("token", "list")
    made = server.segue("token", "create", "--role", "viewer", "--name", "page", "--expires", "30d")
    wrong = server.segue("token", "create", "--role", "viewer", "--name", "x", "--expires", "soon")
    listed = json.loads(server.segue("token", "list", "--json").stdout)

    assert "no tokens" in nothing.stdout
    assert made.stdout.startswith("segue_")
    assert wrong.returncode == 2
    assert [(each["name"], each["role"]) for each in listed["tokens"]] == [("page", "viewer")]
