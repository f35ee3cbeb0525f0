"""What is done to many tasks at once: one request, one command, one line of history."""

import pytest
from served import Server, daggy, shell, wait_until

NAMES = [f"task_{number}" for number in range(40)]


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    with Server(tmp_path_factory.mktemp("many")) as server:
        yield server


@pytest.fixture
def gated(server, tmp_path):
    """A run of 40 tasks behind one that waits for a file; the run's id and that file."""
    gate = tmp_path / "gate"
    first = shell(f"until [ -e {gate} ]; do sleep 0.02; done")
    run = server.submit(daggy(first=first, **{name: shell("exit 3", "first") for name in NAMES}))
    server.wait_for_task(run, "first", "running")
    yield run, gate
    gate.touch()
    server.client.post(f"/api/v2/runs/{run}:kill")


def commands(server, run):
    lines = server.get(f"/runs/{run}/history", limit=1000)["history"]
    return [line["detail"] for line in lines if line["kind"] == "command"]


def test_many_are_held_and_released_by_one_command_each(server, gated):
    run, gate = gated
    held = server.post(f"/runs/{run}/tasks:hold", {"names": NAMES, "reason": "no beam"})
    gate.touch()
    server.wait_for_task(run, "first", "succeeded")
    rows = server.tasks(run)

    assert (held["asked"], held["leftOut"], held["run"]["id"]) == (40, [], run)
    assert {rows[name]["held"] for name in NAMES} == {True}
    assert {rows[name]["state"] for name in NAMES} <= {"waiting", "ready"}
    server.post(f"/runs/{run}/tasks:release", {"names": NAMES})
    assert server.wait_for(run)["counts"] == {"succeeded": 1, "failed": 40}
    said = "task_0 task_1 task_2 task_3 task_4 and 35 more"
    assert commands(server, run) == [f"hold {said} (no beam)", f"release {said}"]


def test_what_would_not_change_is_left_out_and_named(server, gated):
    run, _ = gated
    said = server.post(f"/runs/{run}/tasks:hold", {"names": ["task_1", "first", "task_0"]})

    assert (said["asked"], said["leftOut"]) == (2, ["first"])
    assert commands(server, run) == ["hold task_0 task_1"]


def test_all_or_none_refuses_all_for_one_and_asks_nothing(server, gated):
    run, _ = gated
    body = {"names": ["task_1", "first"], "allOrNone": True}
    answer = server.client.post(f"/api/v2/runs/{run}/tasks:hold", json=body)

    assert answer.status_code == 409
    assert "'first' cannot be held: it is running" in answer.json()["detail"]
    assert commands(server, run) == []
    assert not server.tasks(run)["task_1"]["held"]


def test_many_are_killed_and_then_counted_as_done(server, gated):
    run, gate = gated
    server.post(f"/runs/{run}/tasks:kill", {"names": ["first", *NAMES[:3]], "reason": "wrong"})
    server.wait_for(run)
    assert server.tasks(run)["task_2"]["state"] == "cancelled"
    body = {"names": ["first", *NAMES], "reason": "done by hand"}
    said = server.post(f"/runs/{run}/tasks:markCompleted", body)

    assert said["asked"] == 41
    assert wait_until(lambda: server.run(run)["state"] == "succeeded", "it has succeeded")
    assert server.run(run)["counts"] == {"succeeded": 41}
    assert not gate.exists()


@pytest.mark.parametrize(
    ("verb", "body", "status", "said"),
    [
        ("hold", {"names": ["task_1", "task_x"]}, 404, "no task 'task_x'"),
        ("hold", {"names": []}, 422, "names"),
        ("hold", {"names": ["a"] * 1001}, 422, "1000"),
        ("hold", {}, 422, "names"),
        ("markCompleted", {"names": ["task_1"]}, 422, "reason"),
        ("release", {"names": NAMES}, 409, "'task_0' is not held"),
    ],
)
def test_what_cannot_be_is_refused_as_a_whole(server, gated, verb, body, status, said):
    run, _ = gated
    answer = server.client.post(f"/api/v2/runs/{run}/tasks:{verb}", json=body)

    assert answer.status_code == status
    assert said in answer.json()["detail"]
    assert commands(server, run) == []
