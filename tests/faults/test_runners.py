"""Runners and engines are killed: nothing is lost, nothing runs twice, no runner gets too much."""

import json
import random
import subprocess
import sys
from collections import Counter

import pytest
from chaos import Place
from farm import daemons, processes_of
from served import Server, shell, wait_until
from test_runners_api import reached, server_of

pytestmark = pytest.mark.slow


@pytest.fixture
def log(tmp_path):
    path = tmp_path / "log"
    path.touch()
    return path


def lines(log):
    return log.read_text().split()


def step(log, name, *parents, pause_s=0.2, **members):
    """A task that writes down when it begins and ends, and by which attempt."""
    said = f"echo {name}.$SEGUE_ATTEMPT"
    script = f"{said}.start >> {log}; sleep {pause_s}; {said}.end >> {log}"
    return shell(script, *parents, **members)


def layers(log, wide, deep, **members):
    """Layers of tasks, each of which needs two of the layer before."""
    return {
        f"t{row}-{at}": step(
            log, f"t{row}-{at}",
            *({f"t{row - 1}-{at}", f"t{row - 1}-{(at + 1) % wide}"} if row else ()), **members,
        )
        for row in range(deep)
        for at in range(wide)
    }  # fmt: skip


def check_once(log, tasks):
    """Each task has ended once; what began and did not end was broken off with its machine."""
    counted = Counter(lines(log))
    assert set(counted.values()) == {1}, counted.most_common(3)
    ends = Counter(line.partition(".")[0] for line in counted if line.endswith(".end"))
    assert ends == Counter(dict.fromkeys(tasks, 1))


def test_what_a_dead_machine_had_runs_elsewhere_and_nothing_runs_twice(tmp_path, log):
    tasks = layers(log, wide=6, deep=4, pause_s=0.4)
    with (
        daemons(tmp_path / "farm", 3, cores=2) as runners,
        server_of(
            tmp_path / "server", *(each.url for each in runners), more="lease_s = 2\n"
        ) as server,
    ):
        reached(server, 3)
        run = server.submit({"tasks": tasks})
        wait_until(lambda: list(processes_of(str(runners[1].spool))), "the second has work")
        wait_until(lambda: len(lines(log)) >= 4, "some lines")
        runners[1].lose_power()

        ended = server.wait_for(run)
        attempts = {name: server.task(run, name)["attemptList"] for name in tasks}

    assert ended["state"] == "succeeded"
    check_once(log, tasks)
    broken = [each for several in attempts.values() for each in several if each["cause"]]
    assert broken
    assert {each["cause"] for each in broken} == {"node_failure"}
    assert all("has not answered" in each["message"] for each in broken)


def test_runners_that_are_killed_within_the_lease_go_on(tmp_path, log):
    dice = random.Random(random.SystemRandom().randrange(1 << 31))
    tasks = layers(log, wide=4, deep=6)
    with (
        daemons(tmp_path / "farm", 2, cores=2) as runners,
        server_of(tmp_path / "server", *(each.url for each in runners)) as server,
    ):
        reached(server, 2)
        run = server.submit({"tasks": tasks})
        for _ in range(6):
            more = len(lines(log)) + dice.randrange(2, 6)
            wait_until(lambda more=more: len(lines(log)) >= min(more, 48), "some lines")
            killed = dice.choice(runners)
            killed.end()
            killed.start()

        assert server.wait_for(run)["state"] == "succeeded"
        rows = server.tasks(run)

    assert {row["attempts"] for row in rows.values()} == {1}
    assert sorted(Counter(lines(log)).values()) == [1] * 48


def test_an_engine_that_is_killed_again_and_again_loses_nothing(tmp_path, log):
    dice = random.Random(random.SystemRandom().randrange(1 << 31))
    tasks = layers(log, wide=5, deep=5)
    with daemons(tmp_path / "farm", 2, cores=2) as runners:
        server = server_of(tmp_path / "server", *(each.url for each in runners)).start()
        try:
            run = server.submit({"tasks": tasks})
            for _ in range(5):
                more = len(lines(log)) + dice.randrange(2, 9)
                wait_until(lambda more=more: len(lines(log)) >= min(more, 50), "some lines")
                server.kill()
                server.start()
            ended = server.wait_for(run)
            rows = server.tasks(run)
        finally:
            server.stop()
            Place(tmp_path / "server").close()

    assert ended["state"] == "succeeded"
    assert {row["attempts"] for row in rows.values()} == {1}
    assert sorted(Counter(lines(log)).values()) == [1] * 50


def test_a_runner_never_has_more_than_its_cores(tmp_path, log):
    script = f"mkdir {tmp_path}/on.$$; ls -d {tmp_path}/on.* | wc -l >> {log}; "
    script += f"sleep 0.1; rmdir {tmp_path}/on.$$"
    tasks = {f"t{number}": shell(script) for number in range(24)}
    with daemons(tmp_path / "farm", cores=2) as (runner,):
        servers = [server_of(tmp_path / name, runner.url).start() for name in ("one", "two")]
        try:
            runs = [each.submit({"tasks": tasks}) for each in servers]
            states = [each.wait_for(run)["state"] for each, run in zip(servers, runs, strict=True)]
        finally:
            for each in servers:
                each.stop()

    counts = [int(line) for line in lines(log)]
    assert states == ["succeeded"] * 2
    assert len(counts) == 48
    assert set(counts) <= {1, 2}


def test_who_takes_more_memory_than_asked_is_stopped_and_others_go_on(tmp_path, log):
    hog = f"{sys.executable} -c 'import time; held = bytearray(400 << 20); time.sleep(60)'"
    tasks = {
        "hog": shell(hog, job={"memoryMB": 100, "cores": 1}),
        "other": step(log, "other", job={"memoryMB": 100, "cores": 1}),
    }
    with (
        daemons(tmp_path / "farm") as (runner,),
        server_of(tmp_path / "server", runner.url) as server,
    ):
        run = server.submit({"tasks": tasks})
        ended = server.wait_for(run)
        rows = server.tasks(run)
        (attempt,) = server.task(run, "hog")["attemptList"]

    assert ended["state"] == "failed"
    assert rows["hog"]["cause"] == "out_of_memory"
    assert "100 MB" in attempt["message"]
    assert rows["other"]["state"] == "succeeded"


def test_a_run_that_is_killed_is_resumed_on_the_same_runners(tmp_path, log):
    tasks = layers(log, wide=3, deep=3)
    with daemons(tmp_path / "farm") as (runner,):
        here = Server(tmp_path / "here", environment={"SEGUE_RUNNERS": runner.url})
        (here.folder / "dag.json").write_text(json.dumps({"tasks": tasks}))
        words = [sys.executable, "-m", "segue.cli", "run", "dag.json", "--pool", "runner"]
        engine = subprocess.Popen(
            words, cwd=here.folder, env=here.environment, stdout=subprocess.DEVNULL
        )
        wait_until(lambda: len(lines(log)) >= 5, "some lines")
        engine.kill()
        engine.wait()

        (run,) = json.loads(here.segue("runs", "--json").stdout)["runs"]
        done = here.segue("resume", run["run"])

    assert done.returncode == 0, done.stdout + done.stderr
    assert sorted(Counter(lines(log)).values()) == [1] * 18
