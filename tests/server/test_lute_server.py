"""The Server of a LUTE workflow: as LUTE's Executors speak to it, and as others attack it."""

import contextlib
import http.client
import json
import socket
import subprocess
import sys
import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from segue.server import lute_server
from segue.server.lute_board import BadRequestError, Board
from segue.server.lute_server import LuteServer


class Answer:
    def __init__(self, response):
        self.status = response.status
        self.text = response.read().decode()


class Site:
    """A Server with what it has heard, and a client of it."""

    def __init__(self, **options):
        self.heard = []
        self.board = Board(on_said=self.heard.append)
        self.server = LuteServer(self.board, **options)

    def ask(self, method, path, body=None, headers=None):
        connection = http.client.HTTPConnection("127.0.0.1", self.server.port, timeout=10)
        try:
            text = json.dumps(body) if isinstance(body, dict) else body
            connection.request(method, path, text, headers or {})
            return Answer(connection.getresponse())
        finally:
            connection.close()

    def raw(self, data):
        """Send bytes; return all that comes back."""
        found = b""
        with socket.create_connection(("127.0.0.1", self.server.port), timeout=10) as caller:
            # Who is refused early may find the connection closed before all is sent.
            with contextlib.suppress(OSError):
                caller.sendall(data)
                caller.shutdown(socket.SHUT_WR)
            with contextlib.suppress(ConnectionError):
                while part := caller.recv(65536):
                    found += part
        return found


@pytest.fixture
def opened():
    """Return a function that opens Servers; all are closed in the end."""
    sites = []

    def opened(**options):
        sites.append(Site(**options))
        return sites[-1]

    yield opened
    for site in sites:
        site.server.close()


@pytest.fixture
def site(opened):
    return opened()


# -- the four paths -----------------------------------------------------------------------------


def test_a_status_is_received_and_shown_until_it_is_the_last(site):
    body = {"managed_task": "Tester", "status": "RUNNING", "port": 5, "deep": {"a": [1]}}

    first = site.ask("POST", "/status", body)
    shown = json.loads(site.ask("GET", "/tasks").text)
    site.ask("POST", "/status", {"managed_task": "Tester", "status": "COMPLETED"})
    left = site.ask("GET", "/tasks")

    assert (first.status, first.text) == (200, "Status received.")
    assert shown == {
        "managed_tasks": [
            {"name": "Tester", "status": "RUNNING", "port": "5", "deep": '{"a": [1]}'}
        ]
    }
    assert (left.status, left.text) == (200, '{ "managed_tasks": [] }')


def test_what_a_job_adds_does_not_hide_its_name(site):
    site.ask("POST", "/status", {"managed_task": "Tester", "status": "RUNNING", "name": "Merger"})

    shown = json.loads(site.ask("GET", "/tasks").text)

    assert shown == {"managed_tasks": [{"name": "Tester", "status": "RUNNING"}]}


@pytest.mark.parametrize("key", ["message", "log"])
def test_a_line_of_a_log_is_received(site, key):
    answer = site.ask("POST", "/log", {"managed_task": "Tester", key: "hello"})

    assert (answer.status, answer.text) == (200, "Log received.")
    assert site.heard[0].text == "hello"


def test_messages_are_fetched_in_the_order_they_came(site):
    for text in ('with "quotes"', "second"):
        queued = site.ask("POST", "/rpc", {"target": "Reader", "message": text})
    first = site.ask("GET", "/rpc?task=Reader")
    second = site.ask("GET", "/rpc", {"task": "Reader"})
    none = site.ask("GET", "/rpc?task=Reader")

    assert (queued.status, queued.text) == (200, "Message queued.")
    assert json.loads(first.text) == {"message": 'with "quotes"'}
    assert json.loads(second.text) == {"message": "second"}
    assert none.text == '{"message": null}'


def test_two_jobs_of_one_name_do_not_mix(site):
    for job_id in ("1", "2"):
        site.ask(
            "POST", "/status", {"managed_task": "T", "status": "RUNNING", "orig_job_id": job_id}
        )
    site.ask("POST", "/status", {"managed_task": "T", "status": "COMPLETED", "orig_job_id": "1"})

    shown = json.loads(site.ask("GET", "/tasks").text)["managed_tasks"]

    assert shown == [{"name": "T", "status": "RUNNING"}]


def test_the_engine_says_what_runs_before_a_job_has_spoken(site):
    site.board.running("r.1.1", "77", "Tester")
    shown = json.loads(site.ask("GET", "/tasks").text)["managed_tasks"]
    site.board.ended("r.1.1")

    assert shown == [{"name": "Tester", "status": "RUNNING"}]
    assert site.ask("GET", "/tasks").text == '{ "managed_tasks": [] }'


def status(site, name, status, **ids):
    site.ask("POST", "/status", {"managed_task": name, "status": status, **ids})


def names(site):
    shown = json.loads(site.ask("GET", "/tasks").text)["managed_tasks"]
    return [(each["name"], each["status"]) for each in shown]


def test_an_executor_that_knows_only_its_job_id_is_the_job_that_runs(site):
    site.board.running("r.1.1", "77", "Tester")
    site.board.running("r.2.1", "78", "Tester")
    status(site, "Tester", "COMPLETED", orig_job_id="78")

    assert names(site) == [("Tester", "RUNNING")]
    assert site.board.status_of("r.2.1") == "COMPLETED"
    assert site.board.keys_of(site.heard[-1]) == ("r.2.1",)


def test_an_executor_that_speaks_before_the_batch_system_is_not_shown_twice(site):
    status(site, "Tester", "STARTED", orig_job_id="77")
    site.board.running("r.1.1", "77", "Tester")

    assert names(site) == [("Tester", "STARTED")]


def test_an_element_of_an_array_is_known_by_its_name_alone(site):
    site.board.running("r.1.1", "77_0", "Tester_0")
    site.board.running("r.2.1", "77_1", "Tester_1")
    status(site, "Tester_1", "FAILED", orig_job_id="79")

    assert site.board.status_of("r.2.1") == "FAILED"
    assert site.board.status_of("r.1.1") == "RUNNING"


def test_elements_of_one_name_are_known_once_they_have_said_which_they_are(site):
    for number in (0, 1):
        site.board.running(f"run.{number}.1", f"7_{number}", "Tester")
        both = {"orig_job_id": str(70 + number), "segue_job": f"run.{number}.1"}
        site.ask("POST", "/status", {"managed_task": "Tester", "status": "RUNNING", **both})

    later = {"managed_task": "Tester", "status": "TIMEDOUT", "orig_job_id": "71"}
    site.ask("POST", "/status", later)

    assert [site.board.status_of(f"run.{number}.1") for number in (0, 1)] == ["RUNNING", "TIMEDOUT"]


def test_a_name_alone_tells_only_one_that_runs_alone(site):
    site.board.running("r.1.1", "", "Tester")
    status(site, "Tester", "RUNNING")
    alone = site.board.status_of("r.1.1"), site.board.keys_of(site.heard[-1])
    site.board.running("r.2.1", "", "Tester")
    status(site, "Tester", "COMPLETED")

    assert alone == ("RUNNING", ("r.1.1",))
    assert site.board.status_of("r.1.1") == site.board.status_of("r.2.1") == "RUNNING"
    assert site.board.keys_of(site.heard[-1]) == ("r.1.1", "r.2.1")


def test_the_job_id_of_the_launch_itself_tells_nothing(site):
    site.board.own_job_id = "5"
    site.board.running("r.1.1", "local:1", "Tester")
    site.board.running("r.2.1", "local:2", "Reader")
    status(site, "Reader", "COMPLETED", orig_job_id="5")

    assert names(site) == [("Tester", "RUNNING")]


def test_what_an_ended_job_says_later_is_of_no_other(site):
    site.board.running("r.1.1", "77", "Tester")
    site.board.ended("r.1.1")
    site.board.running("r.2.1", "78", "Tester")
    status(site, "Tester", "COMPLETED", orig_job_id="77")

    assert site.board.status_of("r.2.1") == "RUNNING"


def test_a_long_line_is_cut_and_says_so(site):
    site.ask("POST", "/log", {"managed_task": "T", "message": "x" * (2**20 + 5)})

    assert site.heard[0].text.endswith("[TRUNCATED: 5 more characters]")


def test_a_connection_serves_many_requests(site):
    connection = http.client.HTTPConnection("127.0.0.1", site.server.port, timeout=10)
    answers = []
    for _ in range(3):
        connection.request("GET", "/tasks")
        answers.append(connection.getresponse().read())
        kept = connection.sock is not None
    connection.close()

    assert len(set(answers)) == 1
    assert kept


def test_an_executor_in_a_process_of_its_own_reports(site):
    program = """
import http.client, json, sys
def post(path, **body):
    connection = http.client.HTTPConnection(sys.argv[1])
    body = {"managed_task": "Tester", "orig_job_id": "4711", **body}
    connection.request("POST", path, json.dumps(body), {"Content-Type": "application/json"})
    assert connection.getresponse().status == 200
post("/status", status="STARTED", task="Test", executor_hostname="sdf")
for number in range(10):
    post("/log", message=f"Test message {number}")
post("/status", status="COMPLETED")
"""

    subprocess.run([sys.executable, "-c", program, site.server.address], check=True, timeout=60)

    assert [said.status or said.text for said in site.heard] == [
        "STARTED",
        *(f"Test message {number}" for number in range(10)),
        "COMPLETED",
    ]
    assert {said.job_id for said in site.heard} == {"4711"}


# -- what is not right ----------------------------------------------------------------------------

REFUSED = {
    "no JSON": ("POST", "/status", "{", 400),
    "deep JSON": ("POST", "/status", "[" * 100_000, 400),
    "a list": ("POST", "/status", "[]", 400),
    "bytes": ("POST", "/log", b"\xff\xfe", 400),
    "no name": ("POST", "/status", '{"status": "STARTED"}', 400),
    "no status": ("POST", "/status", '{"managed_task": "T"}', 400),
    "no text": ("POST", "/log", '{"managed_task": "T"}', 400),
    "no target": ("POST", "/rpc", '{"message": "x"}', 400),
    "no message": ("POST", "/rpc", '{"target": "x"}', 400),
    "no task": ("GET", "/rpc", None, 400),
    "another method": ("DELETE", "/rpc", None, 405),
    "a get where a post is meant": ("GET", "/status", None, 405),
    "another path": ("GET", "/../etc/passwd", None, 404),
}


@pytest.mark.parametrize("what", REFUSED)
def test_a_bad_request_is_refused_and_the_next_is_served(site, what):
    method, path, body, status = REFUSED[what]

    answer = site.ask(method, path, body)

    assert answer.status == status
    assert site.ask("GET", "/tasks").status == 200
    assert site.heard == []


@given(
    st.dictionaries(
        st.sampled_from(["managed_task", "status", "message", "target", "orig_job_id", "x"]),
        st.recursive(st.none() | st.booleans() | st.floats(allow_nan=False) | st.text(), st.lists),
    )
)
def test_any_object_is_taken_or_refused(body):
    board = Board()

    for take in (board.status, board.log, board.put_message):
        with contextlib.suppress(BadRequestError):
            take(body)

    json.loads(board.tasks())


def test_a_body_that_is_too_large_is_refused_before_it_is_read(site):
    head = b"POST /log HTTP/1.1\r\nHost: x\r\nContent-Length: 104857600\r\n\r\n"

    answer = site.raw(head)

    assert answer.startswith(b"HTTP/1.1 413")


@pytest.mark.parametrize(
    "head",
    [
        b"Transfer-Encoding: chunked\r\n",
        b"Content-Length: -5\r\n",
        b"Content-Length: many\r\n",
    ],
)
def test_a_body_of_unknown_length_is_refused(site, head):
    assert site.raw(b"POST /log HTTP/1.1\r\nHost: x\r\n" + head + b"\r\n").startswith(
        b"HTTP/1.1 411"
    )


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\x00" * 1000,
        b"nonsense\r\n\r\n",
        b"GET / HTTP/9.9\r\n\r\n",
        b"GET /" + b"a" * 100_000,
        b"GET /tasks HTTP/1.1\r\n" + b"X: y\r\n" * 10_000 + b"\r\n",
        b"POST /log HTTP/1.1\r\nContent-Length: 10\r\n\r\nshort",
    ],
)
def test_bytes_of_any_kind_do_no_harm(site, data):
    site.raw(data)

    assert site.ask("GET", "/tasks").status == 200


def test_slow_clients_keep_nobody_waiting_and_are_hung_up_on(site, monkeypatch):
    monkeypatch.setattr(lute_server, "REQUEST_LIMIT_S", 0.3)
    slow = [socket.create_connection(("127.0.0.1", site.server.port)) for _ in range(50)]
    for each in slow:
        each.sendall(b"POST /log HTTP/1.1\r\nContent-Le")

    answer = site.ask("GET", "/tasks")
    ends = [each.recv(10) for each in slow]

    for each in slow:
        each.close()
    assert answer.status == 200
    assert ends == [b""] * 50


def test_more_connections_than_there_are_places_are_turned_away(opened, monkeypatch):
    monkeypatch.setattr(lute_server, "CONNECTION_LIMIT", 2)
    site = opened()
    first = [socket.create_connection(("127.0.0.1", site.server.port)) for _ in range(2)]
    third = socket.create_connection(("127.0.0.1", site.server.port))

    turned_away = third.recv(1)

    for each in (*first, third):
        each.close()
    assert turned_away == b""


# -- tokens ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("needed", "header", "status"),
    [
        (False, None, 200),
        (False, "Bearer secret", 200),
        (False, "Bearer wrong", 401),
        (True, None, 401),
        (True, "Bearer secret", 200),
        (True, "secret", 401),
        (True, "Bearer sécret", 401),
    ],
)
def test_a_token_is_looked_at(opened, needed, header, status):
    site = opened(token="secret", token_needed=needed)

    headers = {"Authorization": header.encode("latin-1")} if header else {}

    assert site.ask("GET", "/tasks", headers=headers).status == status


def test_without_a_token_of_its_own_no_token_is_right(opened):
    site = opened(token_needed=True)

    assert site.ask("GET", "/tasks", headers={"Authorization": "Bearer "}).status == 401


# -- the whole ------------------------------------------------------------------------------------


def test_many_clients_at_once_lose_nothing(site):
    def client(number):
        for each in range(20):
            site.ask("POST", "/log", {"managed_task": f"T{number}", "message": str(each)})

    clients = [threading.Thread(target=client, args=(number,)) for number in range(20)]
    for each in clients:
        each.start()
    for each in clients:
        each.join()

    assert len(site.heard) == 400


def test_it_listens_where_it_is_told(opened):
    assert opened(host="127.0.0.1").server.address.startswith("127.0.0.1:")
    assert opened(host="0.0.0.0").server.address.startswith(f"{socket.gethostname()}:")
