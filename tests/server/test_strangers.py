"""What strangers send: connections that ask nothing, bodies that end early, odd texts."""

import contextlib
import json
import socket

import httpx
import pytest
from served import SEGUE, Server, daggy

#: So many files may the server of these tests open, and half as many connections hold.
FILES = 256


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    program = [
        "/bin/sh",
        "-c",
        f'ulimit -n {FILES}; exec "$@"',
        "sh",
        *SEGUE,
        "serve",
        "--port",
        "0",
    ]
    with Server(tmp_path_factory.mktemp("strangers"), program=program) as server:
        yield server
        assert "Traceback" not in server.said(), server.said()[-4000:]


def connected(server, data=b""):
    host, port = server.url.split(":")
    opened = socket.create_connection((host, int(port)), timeout=10)
    # A server that has no room may have closed it already.
    with contextlib.suppress(OSError):
        opened.sendall(data)
    return opened


HALF = b"POST /api/v2/runs HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\n{"


@pytest.mark.parametrize("data", [b"", b"GET /ready HTT", HALF])
def test_connections_that_ask_nothing_give_way_to_those_that_do(server, data):
    held = [connected(server, data) for _ in range(2 * FILES)]

    with httpx.Client(base_url=f"http://{server.url}", trust_env=False, timeout=30) as client:
        statuses = [client.get("/ready").status_code]
        answer = client.post("/api/v2/runs", json=daggy(a="true"))
    for each in held:
        each.close()

    assert [*statuses, answer.status_code] == [200, 201]
    assert server.wait_for(answer.json()["id"])["state"] == "succeeded"


def test_a_body_that_ends_early_is_no_fault_of_ours(server):
    with connected(server, HALF) as opened:
        opened.shutdown(socket.SHUT_WR)
        while opened.recv(4096):
            pass

    assert server.get("/runs")
    assert "failed" not in server.said()


@pytest.mark.parametrize(
    "more",
    [
        {"tags": {"a": "\0"}},
        {"tags": {"\ud800": "a"}},
        {"name": "\ud800"},
        {"pool": "\0"},
        {"files": {"a": "\ud800"}},
    ],
)
def test_what_no_store_can_keep_is_refused(server, more):
    body = {"document": json.dumps(daggy(a="true"))} | more

    answer = server.client.post("/api/v2/runs", content=json.dumps(body))

    assert answer.status_code == 422
    assert answer.json()["problems"][0]["code"] == "not_text"


def test_a_config_that_is_no_name_is_refused(server):
    body = {"document": json.dumps(daggy(a="true")), "options": {"config": ["x"]}}

    assert server.submit(body, status=422)["code"] == "refused_option"


def test_more_tags_than_anybody_has_are_not_looked_for(server):
    wanted = {f"tag.a{number}": "b" for number in range(1000)}

    answer = server.client.get("/api/v2/runs", params=wanted)

    assert answer.status_code == 400
    assert answer.json()["code"] == "too_many_tags"
