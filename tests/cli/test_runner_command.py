"""`segue runner` and `daggyr`: their options, and the config file of Daggy's runner."""

import contextlib
import os
import signal
import stat
import subprocess
import sys
from pathlib import Path

import httpx
import pytest
from daemons import RUNNER, Daemon
from served import LIMIT_S, wait_until

DAGGYR = [sys.executable, "-c", "from segue.cli.daggyr import main; main()"]
THREADS = len(os.sched_getaffinity(0))


@pytest.fixture
def runners(tmp_path):
    """Starts programs that are runners, in this folder."""
    made = []

    def start(program, *words):
        made.append(Daemon(tmp_path, *words, program=program))
        return made[-1].start()

    yield start
    for each in made:
        each.close()


def refused(folder, program, *words):
    done = subprocess.run(
        [*program, *words],
        cwd=folder,
        env=os.environ | {"XDG_STATE_HOME": str(folder / "state")},
        capture_output=True,
        text=True,
        timeout=LIMIT_S,
        check=False,
    )
    assert done.returncode == 2, done
    assert "Traceback" not in done.stderr
    return done.stderr


def test_a_runner_leaves_the_machine_room_to_breathe(runners):
    total = runners(RUNNER).capacity()["total"]

    assert total["cores"] == max(1, THREADS - 2)
    memory_mb = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**20
    assert total["memory_mb"] == pytest.approx(max(100, 0.75 * memory_mb), rel=0.05)


def test_a_runner_offers_what_it_is_told(runners):
    words = ("--cores", 0, "--memory-mb", 700, "--resource", "gpus=2", "--resource", "disk=9")

    total = runners(RUNNER, *words).capacity()["total"]

    assert total == {"cores": THREADS, "memory_mb": 700, "gpus": 2, "disk": 9}


def test_a_spool_lies_in_the_users_state_where_nothing_is_said(runners, tmp_path):
    runner = runners(RUNNER)

    spool = tmp_path / "state" / "segue" / "runner" / os.uname().nodename
    assert (spool / "lock").exists()
    assert stat.S_IMODE((spool / "jobs").stat().st_mode) == 0o700
    assert "cores" in runner.line


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--resource", "gpus"], "NAME=VALUE"),
        (["--resource", "gpus=many"], "'many' is no whole number"),
        (["--resource", "gpus=-1"], "'-1' is no whole number"),
        (["--resource", "cores=2"], "write --cores 2"),
        (["--cores", "-1"], "--cores"),
        (["--port", "70000"], "--port"),
        (["--host", "0.0.0.0"], "--token-file"),
    ],
)
def test_options_with_faults_are_refused(tmp_path, words, said):
    assert said in refused(tmp_path, RUNNER, *words)


def test_a_port_that_is_taken_and_a_spool_that_cannot_be_are_told(runners, tmp_path):
    port = runners(RUNNER, "--spool", tmp_path / "one").url.rpartition(":")[2]
    (tmp_path / "file").write_text("")

    def code(*words):
        done = subprocess.run(
            [*RUNNER, *words], cwd=tmp_path, capture_output=True, text=True, check=False
        )
        assert "Traceback" not in done.stderr
        assert "hint:" in done.stderr
        return done.returncode

    assert code("--spool", tmp_path / "two", "--port", port) == 3
    assert code("--spool", tmp_path / "file" / "three") == 3


def test_daggyr_reads_the_config_of_daggys_runner(runners, tmp_path):
    (tmp_path / "config.json").write_text(
        '{"web-threads": 50, "port": 2504, "ip": "localhost", '
        '"capacity_overrides": {"cores": 10, "memory_mb": 100}}'
    )

    runner = runners([*DAGGYR, "--port", "0", "--config", "config.json"])

    assert runner.client.get("/v1/capacity").json() == {"cores": 10, "memory_mb": 100}
    runner.put("run-1.0.1", "exit 3")
    assert runner.end_of("run-1.0.1").exit_code == 3


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('{"port": }', "config.json:1:10: this is no JSON"),
        ('{\n  "prot": 1\n}', "config.json:2:3: 'prot' is no setting\n  hint: did you mean 'port'"),
        ('{"port": "2504"}', "port: '2504' is not a whole number"),
        ('{"port": 99999}', "port: 99999 is out of range"),
        ('{"capacity_overrides": []}', "capacity_overrides: [] is not an object"),
        ('{"capacity_overrides": {"core": 1}}', "did you mean 'cores'"),
        ('{"capacity_overrides": {"cores": -1}}', "cores: -1 is out of range"),
        ('{"capacity_overrides": {"memory_mb": 1.5}}', "memory_mb: 1.5 is not a whole number"),
        ("[]", "is an object"),
    ],
)
def test_a_config_with_faults_is_refused_with_their_places(tmp_path, text, said):
    (tmp_path / "config.json").write_text(text)

    assert said in refused(tmp_path, DAGGYR, "--config", "config.json")


def test_daggyr_runs_in_the_background(tmp_path):
    words = ["-d", "--port", "0", "--spool", "spool"]
    done = subprocess.run(
        [*DAGGYR, *words], cwd=tmp_path, capture_output=True, text=True, timeout=LIMIT_S, check=True
    )
    url = "http://" + done.stdout.split("http://")[1].split("/")[0]
    pid = pid_of(tmp_path)
    try:
        assert os.getsid(pid) != os.getsid(0)
        answer = httpx.get(f"{url}/ready", trust_env=False)
        assert answer.json() == {"ready": True}
    finally:
        os.kill(pid, signal.SIGTERM)
        wait_until(lambda: not is_there(pid), "it ends")


def pid_of(folder):
    """The process that holds the lock of the spool, which nobody else knows."""
    inode = (folder / "spool" / "lock").stat().st_ino
    for line in Path("/proc/locks").read_text().splitlines():
        fields = line.split()
        if fields[1] == "FLOCK" and fields[5].endswith(f":{inode}"):
            return int(fields[4])
    raise AssertionError("nobody holds the lock")


def is_there(pid):
    with contextlib.suppress(OSError):
        os.kill(pid, 0)
        return True
    return False


def test_a_background_runner_that_does_not_start_says_so(tmp_path):
    done = subprocess.run(
        [*DAGGYR, "-d", "--ip", "0.0.0.0"],
        cwd=tmp_path,
        env=os.environ | {"XDG_STATE_HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=LIMIT_S,
        check=False,
    )

    assert done.returncode == 3
    assert "without -d it says why" in done.stderr
