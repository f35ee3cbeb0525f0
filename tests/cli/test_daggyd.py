"""`daggyd`: the flags and the config file of Daggy's daemon."""

import contextlib
import json
import os
import signal
import subprocess
import sys

import httpx
import pytest
from served import LIMIT_S, Server, daggy, wait_until

DAGGYD = [sys.executable, "-c", "from segue.cli.daggyd import main; main()"]


def daggyd(folder, config=None, *words):
    """A daemon at a free port that tells its address on standard output."""
    folder.mkdir(parents=True, exist_ok=True)
    said = {"logger": {"name": "OStreamLogger", "config": {"file": str(folder / "events")}}}
    (folder / "config.json").write_text(json.dumps(said | (config or {})))
    program = [*DAGGYD, "--port", "0", "--config", str(folder / "config.json")]
    return Server(folder, *words, program=program)


def start_dag(server, document):
    answer = server.client.post("/v1/dagrun", content=json.dumps(document))
    assert answer.status_code == 200, answer.text
    return answer.json()["runID"]


def wait_end(server, number):
    def state():
        return server.client.get(f"/v1/dagrun/{number}/state").json()["state"]

    return wait_until(lambda: state() in ("COMPLETED", "ERRORED", "KILLED") and state(), "the end")


def test_events_are_told_line_by_line_and_runs_are_kept(tmp_path):
    with daggyd(tmp_path) as server:
        number = start_dag(server, daggy(a="true"))
        assert wait_end(server, number) == "COMPLETED"
        events = [json.loads(line) for line in (tmp_path / "events").read_text().splitlines()]

    assert [event["number"] for event in events] == list(range(1, len(events) + 1))
    assert [e["new"] for e in events if e.get("task") == "a"][-1] == "succeeded"
    with daggyd(tmp_path) as server:
        assert wait_end(server, number) == "COMPLETED"


def test_without_a_file_events_go_to_standard_output(tmp_path):
    server = daggyd(tmp_path, {"logger": {"name": "OStreamLogger", "config": {"file": "-"}}})
    server.program = ["/bin/sh", "-c", 'exec "$0" "$@" 3>&1 1>events.out 2>&3', *server.program]
    with server:
        number = start_dag(server, daggy(a="true"))
        wait_end(server, number)
    lines = (tmp_path / "events.out").read_text().splitlines()

    assert lines
    assert all(json.loads(line)["run"] for line in lines)


@pytest.mark.parametrize(
    ("name", "settings", "pool"),
    [
        ("ForkingTaskExecutor", {"threads": 2}, ("local", 2)),
        ("NoopTaskExecutor", {}, ("noop", None)),
    ],
)
def test_an_executor_is_a_pool(tmp_path, name, settings, pool):
    with daggyd(tmp_path, {"executor": {"name": name, "config": settings}}) as server:
        (found,) = [each for each in server.get("/pools")["pools"] if each["default"]]
        number = start_dag(server, daggy(a="true"))

        assert wait_end(server, number) == "COMPLETED"

    assert (found["executor"], found["limit"]) == pool


def test_redis_keeps_runs_under_the_prefix(tmp_path, redis_url):
    from urllib.parse import parse_qs, urlsplit

    parts = urlsplit(redis_url)
    prefix = parse_qs(parts.query)["prefix"][0]
    settings = {"prefix": prefix, "host": parts.hostname, "port": parts.port}
    with daggyd(tmp_path, {"logger": {"name": "RedisLogger", "config": settings}}) as server:
        number = start_dag(server, daggy(a="true"))

        assert wait_end(server, number) == "COMPLETED"
        assert server.get("/server")["store"].startswith("redis://")


def test_files_of_a_folder_are_served_and_nothing_beside_it(tmp_path):
    (tmp_path / "page" / "js").mkdir(parents=True)
    (tmp_path / "page" / "index.html").write_text("<p>the old page</p>")
    (tmp_path / "page" / "js" / "app.js").write_text("run()")
    (tmp_path / "secret").write_text("a deep one")
    with daggyd(tmp_path / "d", None, "--assets-dir", tmp_path / "page") as server:
        html = {"Accept": "text/html"}

        assert server.client.get("/", headers=html).text == "<p>the old page</p>"
        assert server.client.get("/js/app.js").text == "run()"
        for path in ("/../secret", "/%2e%2e/secret", "/js/..%2f..%2fsecret", "//etc/passwd"):
            assert "a deep one" not in server.client.get(path).text


def test_in_the_background_it_says_where_it_is(tmp_path):
    server = daggyd(tmp_path, None, "-d", "-v")
    done = server.segue("doctor")  # the store is there
    assert done.returncode in (0, 3)
    server.start()
    assert server.process.wait(LIMIT_S) == 0
    pid = httpx.get(f"http://{server.url}/api/v2/server", trust_env=False).json()["processId"]
    try:
        assert pid != server.process.pid
        assert os.getsid(pid) != os.getsid(0)
    finally:
        os.kill(pid, signal.SIGTERM)
        wait_until(lambda: not alive(pid), "it ends")
        server.stop()


def alive(pid):
    with contextlib.suppress(OSError):
        os.kill(pid, 0)
        return True
    return False


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('{"port": }', "config.json:1:10: this is no JSON"),
        (
            '{\n  "prot": 2503\n}',
            "config.json:2:3: 'prot' is no setting\n  hint: did you mean 'port'",
        ),
        ('{"port": "2503"}', "port: '2503' is not a whole number"),
        ('{"port": 99999}', "out of range"),
        ('{"logger": {"name": "FileSystemLogger"}}', "'FileSystemLogger' is not known"),
        ('{"executor": {"name": "DaggyRunnerTaskExecutor"}}', "it names no runners"),
        (
            '{"executor": {"name": "DaggyRunnerTaskExecutor", "config": {"runners": ["a:2504"]}}}',
            "'a:2504' is no address of a runner",
        ),
        (
            '{"executor": {"name": "DaggyRunnerTaskExecutor", "config": {"runners": [2504]}}}',
            "not all of it is text",
        ),
        ('{"executor": {"name": "NoopTaskExecutor", "config": {"x": 1}}}', "'x' is no setting"),
        ("[]", "is an object"),
    ],
)
def test_a_config_with_faults_is_refused_with_their_places(tmp_path, text, said):
    server = daggyd(tmp_path)
    (tmp_path / "config.json").write_text(text)

    refused = refused_of(server, "--config", "config.json")

    assert refused.returncode == 2
    assert said in refused.stderr


def test_what_cannot_be_served_is_refused(tmp_path):
    server = daggyd(tmp_path)

    assert refused_of(server, "--assets-dir", "nowhere").returncode == 2
    assert refused_of(server, "--config", "nowhere").returncode == 2
    assert refused_of(server, "--ip", "0.0.0.0").returncode == 2
    assert refused_of(server, "--ip", "203.0.113.7").returncode == 2


def refused_of(server, *words):
    return subprocess.run(
        [*DAGGYD, *words],
        cwd=server.folder,
        env=server.environment,
        capture_output=True,
        text=True,
        timeout=LIMIT_S,
        check=False,
    )
