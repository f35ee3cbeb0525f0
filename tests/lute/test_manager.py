"""What a managed Task tells the workflow's Server, against a real one that may misbehave."""

import socket

import pytest

from segue.lute.manager import ManagerClient


@pytest.fixture
def client(server):
    environment = {
        "LUTE_MANAGER_URL": f"127.0.0.1:{server.server_port}",
        "SLURM_JOB_ID": "77",
        "SEGUE_JOB": "r.1.1",
        "SEGUE_MANAGER_TOKEN": "secret",
    }
    client = ManagerClient("Tester", environment)
    yield client
    client.close()


def test_statuses_and_lines_arrive_in_order_with_who_speaks(client, server):
    client.status("STARTED", task="Test")
    client.log("one")
    client.log("two")
    client.status("COMPLETED")
    client.close()

    who = {"managed_task": "Tester", "orig_job_id": "77", "segue_job": "r.1.1"}
    assert server.told("/status") == [
        who | {"status": "STARTED", "task": "Test"},
        who | {"status": "COMPLETED"},
    ]
    assert "\n".join(body["message"] for body in server.told("/log")) == "one\ntwo"
    assert all(headers["Authorization"] == "Bearer secret" for *_, headers in server.heard)


def test_the_server_says_who_runs(client, server):
    server.answers["GET", "/tasks"] = (200, '{"managed_tasks": [{"name": "A", "status": "S"}]}')

    assert client.running_tasks() == [{"name": "A", "status": "S"}]


def test_messages_between_tasks_go_through_the_server(client, server):
    server.answers["GET", "/rpc"] = (200, '{"message": "hello"}')

    assert client.send_message("Other", "hi")
    assert client.next_message() == "hello"
    assert server.told("/rpc")[0]["target"] == "Other"


@pytest.mark.parametrize("answer", [(500, "{}"), (200, "nonsense"), (200, "[]"), (200, "null")])
def test_an_answer_that_makes_no_sense_is_no_answer(client, server, answer):
    server.answers["GET", "/tasks"] = answer
    server.answers["GET", "/rpc"] = answer

    assert client.running_tasks() == []
    assert client.next_message() is None


def test_without_a_server_nothing_happens():
    client = ManagerClient("Tester", {})

    client.status("STARTED")
    client.log("line")

    assert client.running_tasks() == []
    client.close()


def test_a_server_that_is_gone_stops_nobody():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    client = ManagerClient("Tester", {"LUTE_MANAGER_URL": f"127.0.0.1:{port}"})

    client.status("STARTED")
    for number in range(20_000):
        client.log(f"line {number}")
    client.close()

    assert not client._thread.is_alive()


@pytest.mark.parametrize("address", ["nonsense:port", "//", "host:99999999"])
def test_an_address_that_is_none_stops_nobody(address):
    client = ManagerClient("Tester", {"LUTE_MANAGER_URL": address})

    assert client.running_tasks() == []
    client.close()
