"""Whatever is sent to a runner, it answers, and nothing breaks."""

import json
import os
import signal
import socket
import subprocess
import threading
from contextlib import closing
from urllib.parse import quote

import httpx
import pytest
from daemons import RUNNER, Gate, argv
from served import LIMIT_S, wait_until

from segue.model.states import Cause
from segue.runner.book import RefusedOrder
from segue.runner.service import Runner

NESTED = "[" * 100_000
HUGE = "9" * 5000


@pytest.fixture(scope="module")
def open_runner(tmp_path_factory):
    """One runner for all questions, which must be as well at the end as at the beginning."""
    from daemons import Daemon

    daemon = Daemon(tmp_path_factory.mktemp("strangers"), "--cores", 4).start()
    yield daemon
    assert daemon.free()["cores"] == 4
    assert daemon.client.get("/ready").status_code == 200
    assert "Traceback" not in daemon.said()
    daemon.close()


def refused(answer, *statuses):
    """Check that it is a refusal of the one shape."""
    assert answer.status_code in statuses, (answer.status_code, answer.text)
    told = answer.json()
    assert told.keys() == {"code", "message", "hint"}
    assert all(isinstance(text, str) for text in told.values())
    return told


@pytest.mark.parametrize(
    "body",
    [b"", b"{", b"\xff\xfe", b"null", b"[]", b"3", b'"x"', NESTED.encode(), HUGE.encode(), b"{}"],
)
@pytest.mark.parametrize(
    ("method", "path"),
    [("PUT", "/api/v1/tasks/r.0.1"), ("POST", "/api/v1/find"), ("POST", "/api/v1/acks")],
)
def test_bodies_that_are_nothing(open_runner, method, path, body):
    refused(open_runner.client.request(method, path, content=body), 400, 422)


WRONG = [
    {"owner": 3},
    {"owner": None},
    {"owner": "a\0b"},
    {"lease_s": None},
    {"lease_s": -1},
    {"lease_s": 0},
    {"lease_s": "60"},
    {"lease_s": True},
    {"lease_s": 10**400},
    {"needs": []},
    {"needs": None},
    {"needs": {"cores": -1}},
    {"needs": {"cores": 1.5}},
    {"needs": {"cores": "1"}},
    {"needs": {"cores": True}},
    {"needs": {"cores": 10**400}},
    {"needs": {"": 1}},
    {"action": None},
    {"action": {}},
    {"action": {"kind": "argv"}},
    {"action": {"kind": ["argv"]}},
    {"action": {"kind": "argv", "arguments": "true"}},
    {"action": {"kind": "argv", "arguments": [1]}},
    {"action": {"kind": "argv", "arguments": ["a\0b"]}},
    {"action": {"kind": "argv", "arguments": ["true"], "more": 1}},
    {"action": {"kind": "script", "text": 3}},
    {"action": {"kind": "no-such"}},
    {"workdir": "relative"},
    {"workdir": ""},
    {"workdir": "/tmp/\0"},
    {"workdir": 3},
    {"environment": []},
    {"environment": {"A=B": "1"}},
    {"environment": {"": "1"}},
    {"environment": {"A": "\0"}},
    {"environment": {"A": 1}},
    {"timeout_s": -5},
    {"timeout_s": 10**400},
    {"output": "out"},
    {"output": ["out"]},
    {"output": [1, 2]},
    {"title": 7},
]


@pytest.mark.parametrize("fields", WRONG, ids=lambda fields: json.dumps(fields)[:40])
def test_orders_that_are_none(open_runner, fields):
    order = open_runner.order("true", **fields)

    answer = open_runner.client.put("/api/v1/tasks/r.0.1", content=json.dumps(order))

    assert refused(answer, 422)["code"] in ("bad_job", "too_large")
    assert open_runner.told("r.0.1") is None


@pytest.mark.parametrize(
    "name",
    [
        "..", "a", "a.b.c", ".0.1", "r.-1.1", "r.0", "r.01.1", "r. 0.1", "r.+0.1", "r.1_0.1",
        "r.0.1 ", "r.٣.1", "r." + "9" * 5000 + ".1", "r" * 600 + ".0.1",
    ],
    ids=lambda name: quote(name[:20]),
)  # fmt: skip
def test_names_that_are_none(open_runner, name):
    path = f"/api/v1/tasks/{quote(name, safe='')}"

    answer = open_runner.client.put(path, json=open_runner.order("true"))

    # A name of dots is tidied away by what lies between.
    refused(answer, 422, 405, 404)


@pytest.mark.parametrize(
    "path",
    [
        "/api/v1/tasks/%00", "/api/v1/tasks/r.0.1%00", "/api/v1/tasks/%ff.0.1", "/%2e%2e/%2e%2e",
        "/api/v1/tasks/../../etc/passwd", "/api/v1/tasks/r.0.1/..%2forder",
        "/api/v1/tasks/r.0.1/order", "/api/v1/tasks//stdout", "/api/v1/tasks/r.0.1/stdout/x",
        "/api/v1/tasks", "/api/v1/tasks?owner=a&after=-1", "/api/v1/tasks?owner=a&after=x",
        "/api/v1/tasks?owner=a&wait=nan", "/api/v1/tasks?owner=a&wait=-1",
        "/api/v1/tasks?owner=a&after=" + HUGE, "/api/v1/tasks?owner=a&wait=1e999",
        "/api/v1/tasks/r.0.1/stdout?offset=-1", "/docs", "/openapi.json", "/",
    ],
    ids=lambda path: path[:50],
)  # fmt: skip
def test_paths_and_questions_that_are_none(open_runner, path):
    with closing(raw(open_runner, f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")) as answer:
        assert answer.status in (400, 404, 422)
        assert json.loads(answer.read()).keys() == {"code", "message", "hint"}


def raw(daemon, text):
    """Send a request as it is, untidied; return its answer."""
    import http.client

    host, _, port = daemon.url.removeprefix("http://").partition(":")
    connection = socket.create_connection((host, int(port)), LIMIT_S)
    connection.sendall(text.encode())
    answer = http.client.HTTPResponse(connection)
    answer.begin()
    connection.close()
    return answer


def test_names_stay_inside_the_spool(open_runner):
    names = ["../../x.0.1", "a/b.0.1", "...0.1", "%2e%2e.0.1", "ä\n\t'\".0.1", "x" * 480 + ".0.1"]
    for name in names:
        open_runner.put(name, 'printf %s "$SEGUE_JOB"', needs={})

    assert {open_runner.end_of(name).cause for name in names} == {None}
    for name in names:
        assert open_runner.output(name).decode() == name
    folders = os.listdir(open_runner.spool / "jobs")
    assert len(folders) == len(names)
    assert sorted(os.listdir(open_runner.spool)) == ["gone", "jobs", "keepers", "lock"]
    assert open_runner.ack(*names) == len(names)
    assert os.listdir(open_runner.spool / "jobs") == []


def test_text_that_is_none_comes_to_an_end(open_runner):
    half = "\ud83d"
    order = open_runner.order(argv("echo", half), environment={"A": half}, title=half)
    put = open_runner.client.put("/api/v1/tasks/r.1.1", content=json.dumps(order))

    assert put.status_code == 202
    assert open_runner.end_of("r.1.1").cause is Cause.REFUSED
    found = open_runner.client.post(
        "/api/v1/find", content=json.dumps({"owner": half, "names": ["r.1.1", half]})
    )
    assert found.status_code == 200
    assert open_runner.ack("r.1.1") == 1


def test_a_body_that_is_too_large_is_refused_with_the_limit(open_runner):
    size = 65 * 2**20
    answer = open_runner.client.put("/api/v1/tasks/r.0.1", content=b" " * size)

    assert "64 MiB" in refused(answer, 413)["message"]


def test_a_job_with_a_large_script_is_taken(open_runner):
    script = "exit 3 # " + "x" * (20 * 2**20)
    open_runner.put("r.2.1", {"kind": "script", "text": script}, needs={})

    assert open_runner.end_of("r.2.1").exit_code == 3
    assert open_runner.ack("r.2.1") == 1


def test_a_page_in_a_browser_can_order_nothing(open_runner):
    order = open_runner.order("true")
    evil = {"Origin": "http://evil.example"}
    renamed = {"Host": "evil.example"}

    for headers in (evil, renamed):
        answer = open_runner.client.put("/api/v1/tasks/r.0.1", json=order, headers=headers)
        refused(answer, 403)
    assert open_runner.told("r.0.1") is None


def test_an_order_whose_engine_has_hung_up_is_not_taken(open_runner):
    body = json.dumps(open_runner.order("true"))
    host, _, port = open_runner.url.removeprefix("http://").partition(":")
    os.kill(open_runner.process.pid, signal.SIGSTOP)
    with socket.create_connection((host, int(port)), LIMIT_S) as connection:
        head = f"PUT /api/v1/tasks/r.3.1 HTTP/1.1\r\nHost: {host}\r\nContent-Length: {len(body)}"
        connection.sendall(f"{head}\r\n\r\n{body}".encode())
    os.kill(open_runner.process.pid, signal.SIGCONT)

    open_runner.put("r.4.1", "true")
    open_runner.end_of("r.4.1")
    assert open_runner.told("r.3.1") is None
    assert open_runner.ack("r.4.1") == 1


# -- who may come in ----------------------------------------------------------------------


def token_file(folder, text="a-long-random-word"):
    path = folder / "token"
    path.write_text(f"{text}\n")
    path.chmod(0o600)
    return path


def test_with_a_token_all_but_ready_asks_for_it(daemons, tmp_path):
    words = ("--token-file", token_file(tmp_path))
    daemon = daemons("guarded", *words, token="a-long-random-word")
    daemon.put("run-1.0.1")
    daemon.end_of("run-1.0.1")

    for header in ({}, {"Authorization": "Bearer wrong"}, {"Authorization": "Basic eA=="}):
        with httpx.Client(base_url=daemon.url, headers=header, trust_env=False) as stranger:
            assert stranger.get("/ready").status_code == 200
            for method, path in (
                ("GET", "/api/v1/capacity"),
                ("GET", "/v1/capacity"),
                ("GET", "/api/v1/tasks?owner=engine-1"),
                ("GET", "/api/v1/tasks/run-1.0.1/stdout"),
                ("PUT", "/api/v1/tasks/run-1.1.1"),
                ("DELETE", "/api/v1/tasks/run-1.0.1"),
                ("POST", "/api/v1/acks"),
                ("GET", "/nowhere"),
            ):
                answer = stranger.request(method, path)
                assert refused(answer, 401)["code"] == "unauthorized"
                assert answer.headers["WWW-Authenticate"] == "Bearer"
    assert daemon.told("run-1.0.1").state == "ended"


def start_refused(folder, *words):
    done = subprocess.run(
        [*RUNNER, "--spool", str(folder / "spool"), *map(str, words)],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=LIMIT_S,
        check=False,
    )
    assert "Traceback" not in done.stderr
    return done.returncode, done.stderr


def test_beyond_this_machine_it_wants_a_token(tmp_path):
    code, said = start_refused(tmp_path, "--host", "0.0.0.0")

    assert code == 2
    assert "--token-file" in said
    assert not (tmp_path / "spool").exists()


def test_token_files_that_protect_nothing_are_refused(tmp_path):
    empty = token_file(tmp_path, "  ")
    readable = tmp_path / "readable"
    readable.write_text("word")
    readable.chmod(0o644)

    assert "is empty" in start_refused(tmp_path, "--token-file", empty)[1]
    assert "chmod 600" in start_refused(tmp_path, "--token-file", readable)[1]
    assert "cannot be read" in start_refused(tmp_path, "--token-file", tmp_path / "none")[1]


def test_while_it_stops_it_still_says_what_it_has(tmp_path):
    order = {
        "owner": "me", "lease_s": 600.0, "needs": {"cores": 1}, "title": "one",
        "action": argv("true"), "workdir": str(tmp_path),
    }  # fmt: skip
    runner = Runner(tmp_path / "spool", {"cores": 1}, lambda: None)
    runner.start()
    assert runner.take("run-1.0.1", order)

    # "stopping" would let the engine give the job to somebody else.
    runner.closing = True

    assert not runner.take("run-1.0.1", order)
    with pytest.raises(RefusedOrder) as refused:
        runner.take("run-1.1.1", order)
    assert refused.value.code == "stopping"
    runner.close()


def test_while_it_stops_it_takes_nothing(daemon):
    gate = Gate(daemon.folder)
    daemon.put("run-1.0.1", gate.script())
    daemon.wait_for("run-1.0.1", "running")
    number = daemon.changes().number
    body = json.dumps(daemon.order("true")).encode()
    host, _, port = daemon.url.removeprefix("http://").partition(":")
    waiting = threading.Thread(target=daemon.changes, args=(number, LIMIT_S))
    waiting.start()
    connection = socket.create_connection((host, int(port)), LIMIT_S)
    head = f"PUT /api/v1/tasks/run-1.1.1 HTTP/1.1\r\nHost: {host}\r\nContent-Length: {len(body)}"
    connection.sendall(f"{head}\r\n\r\n".encode() + body[:10])

    daemon.process.send_signal(signal.SIGTERM)
    waiting.join(LIMIT_S)
    connection.sendall(body[10:])

    with closing(connection):
        said = connection.makefile("rb").read().decode()
    assert "503" in said.partition("\r\n")[0]
    assert '"stopping"' in said
    assert daemon.wait_for_end() == 0
    daemon.start()
    wait_until(lambda: daemon.told("run-1.0.1").state == "running", "it is adopted")
    assert daemon.told("run-1.1.1") is None
