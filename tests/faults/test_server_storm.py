"""Many at once, and those who mean no good: clear answers, and nothing is lost."""

import contextlib
import http.client
import json
import socket
import threading
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest
from served import LIMIT_S, Server, daggy, wait_until

CLIENTS, SUBMISSIONS = 50, 500


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    folder = tmp_path_factory.mktemp("storm")
    config = folder / "segue.toml"
    config.write_text(
        'default_pool = "nothing"\nbody_limit_mib = 8\n[pools.nothing]\nexecutor = "noop"\n'
    )
    with Server(folder, "--config", config) as server:
        yield server


@pytest.mark.slow
def test_five_hundred_submissions_of_fifty_clients_are_all_kept(server):
    def submit_ten(client_number):
        found = []
        with httpx.Client(base_url=f"http://{server.url}", timeout=120, trust_env=False) as client:
            for at in range(SUBMISSIONS // CLIENTS):
                document = daggy(a="true", b="true") | {"tag": f"storm {client_number}.{at}"}
                answer = client.post("/api/v2/runs", json=document)
                assert answer.status_code == 201, answer.text
                found.append(answer.json()["id"])
        return found

    with ThreadPoolExecutor(CLIENTS) as clients:
        runs = [run for ten in clients.map(submit_ten, range(CLIENTS)) for run in ten]

    assert len(set(runs)) == SUBMISSIONS
    counts = wait_until(
        lambda: (c := server.get("/runs", name="^name=storm")["stateCounts"])
        == {"succeeded": SUBMISSIONS} and c, "all have ended", 120,
    )  # fmt: skip
    assert counts == {"succeeded": SUBMISSIONS}


def test_one_key_from_many_clients_at_once_is_one_run(server):
    barrier = threading.Barrier(10)

    def submit(_):
        barrier.wait(LIMIT_S)
        return httpx.post(
            f"http://{server.url}/api/v2/runs",
            json=daggy(a="true"),
            headers={"Idempotency-Key": "together"},
            timeout=LIMIT_S,
            trust_env=False,
        )

    with ThreadPoolExecutor(10) as clients:
        answers = list(clients.map(submit, range(10)))

    assert {answer.json()["id"] for answer in answers} == {answers[0].json()["id"]}
    assert sorted(answer.status_code for answer in answers) == [200] * 9 + [201]


TRICKS = [
    "/api/v2/runs/..",
    "/api/v2/runs/%2e%2e",
    "/api/v2/runs/..%2f..%2fetc%2fpasswd",
    "/api/v2/runs/%2e%2e%2fx/spec",
    "/api/v2/runs/x/tasks/..%2f..%2f..%2fetc%2fpasswd/attempts/1/stdout",
    "/api/v2/runs/{run}/tasks/a/attempts/..%2f..%2fx/stdout",
    "/api/v2/runs/{run}/tasks/a/attempts/1/..%2fstdout",
    "/api/v2/runs/{run}/../../../../etc/passwd",
    "/v1/dagrun/..%2f..%2f",
    "/assets/../../../../etc/passwd",
    "/assets/..%2f..%2f..%2fetc%2fpasswd",
    "/%2e%2e/%2e%2e/etc/passwd",
    "//etc/passwd",
    "/\\..\\..\\etc\\passwd",
]


@pytest.mark.parametrize("path", TRICKS)
def test_no_path_leads_out(server, path):
    run = server.submit(daggy(a="true"))

    status, body = raw(server, path.format(run=run))

    assert status in (400, 404), body[:200]
    assert b"root:" not in body


@pytest.mark.parametrize("path", ["/api/v2/runs/%00", "/%00", "/api/v2/runs/a%00b/tasks", "/%ff"])
def test_what_is_no_text_is_refused(server, path):
    status, body = raw(server, path)

    assert (status, json.loads(body)["code"]) == (400, "bad_path")


def raw(server, path):
    """Ask for exactly this path: clients tidy it up before they send it."""
    host, port = server.url.split(":")
    connection = http.client.HTTPConnection(host, int(port), timeout=LIMIT_S)
    try:
        connection.putrequest("GET", path, skip_host=True)
        connection.putheader("Host", server.url)
        connection.endheaders()
        answer = connection.getresponse()
        return answer.status, answer.read()
    finally:
        connection.close()


@pytest.mark.parametrize("method", ["PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "NONSENSE"])
def test_methods_that_are_none_are_told_so(server, method):
    answer = server.client.request(method, "/api/v2/runs")

    assert answer.status_code in (400, 405)


def test_a_body_over_the_limit_is_refused_and_the_limit_is_named(server):
    size = 8 * 2**20
    fits = json.dumps(daggy(a="true")).encode().ljust(size)

    just_fits = server.client.post("/api/v2/runs", content=fits)
    too_large = server.client.post("/api/v2/runs", content=fits + b" ")

    assert just_fits.status_code == 201
    assert too_large.status_code == 413
    assert "8 MiB" in too_large.json()["detail"]


@pytest.mark.slow
def test_a_body_of_sixty_four_mib_and_one_byte(tmp_path):
    with Server(tmp_path) as server:
        body = json.dumps(daggy(a="true")).encode().ljust(64 * 2**20)

        assert server.client.post("/api/v2/runs", content=body).status_code == 201
        refused = server.client.post("/api/v2/runs", content=body + b" ")

    assert refused.status_code == 413
    assert "64 MiB" in refused.json()["detail"]


def test_what_is_no_http_harms_nobody(server):
    host, port = server.url.split(":")
    for sent in (b"\x16\x03\x01\x02\x00", b"GET / HTTP/9.9\r\n\r\n", b"x" * 200_000, b"\r\n\r\n"):
        visitor = socket.create_connection((host, int(port)), timeout=LIMIT_S)
        with contextlib.suppress(ConnectionError), visitor:
            visitor.sendall(sent)

    assert server.client.get("/ready").status_code == 200


def test_headers_without_end_are_refused(server):
    # It may hang up while we still send.
    with contextlib.suppress(httpx.TransportError):
        answer = server.client.get("/api/v2/runs", headers={"X-Long": "x" * 500_000})
        assert answer.status_code in (400, 431)

    assert server.client.get("/ready").status_code == 200


def test_bodies_that_never_come_hold_no_thread(server):
    host, port = server.url.split(":")
    waiting = []
    for _ in range(40):
        each = socket.create_connection((host, int(port)), timeout=LIMIT_S)
        each.sendall(
            b"POST /api/v2/runs HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000\r\n\r\n{"
        )
        waiting.append(each)

    assert server.submit(daggy(a="true"))

    for each in waiting:
        each.close()


@pytest.mark.parametrize(
    "body",
    [
        "[" * 100_000,
        '{"tasks": {"a": ' + '{"job": ' * 5000,
        '{"document": "' + "\\ud800" + '"}',
        "a: &a [*a]",
        "x: " + "&a [" * 1000,
    ],
)
def test_documents_that_are_bombs_are_refused(server, body):
    answer = server.client.post(
        "/api/v2/runs:validate", content=body, headers={"Content-Type": "application/json"}
    )

    assert answer.status_code in (200, 422), answer.text[:300]
    if answer.status_code == 200:
        assert not answer.json()["valid"]


def test_where_no_document_is_sent_bodies_are_small(server):
    run = server.submit(daggy(a="true"))
    body = b'{"reason": "' + b"x" * 9 * 2**20 + b'"}'

    answer = server.client.post(
        f"/api/v2/runs/{run}:kill", content=body, headers={"Content-Type": "application/json"}
    )

    assert answer.status_code == 413


def test_invented_methods_fill_no_memory(server):
    for number in range(20):
        server.client.request(f"METHOD{number}", "/api/v2/runs")

    assert "METHOD" not in server.client.get("/metrics").text
