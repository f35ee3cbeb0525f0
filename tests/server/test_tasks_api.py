"""Tasks, what they print and what is done to them, against the running server."""

import os
from urllib.parse import quote

import httpx
import pytest
from served import LIMIT_S, Server, daggy, shell, wait_until


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    with Server(tmp_path_factory.mktemp("tasks")) as server:
        yield server


def test_a_task_tells_all_about_itself(server):
    document = daggy(
        make=shell("echo {{X}}", job={"environment": {"API_TOKEN": "hush", "COLOUR": "red"}}),
        use=shell("false", "make", maxRetries=1),
        end=shell("true", "use"),
    ) | {"parameters": {"X": ["1", "2"]}}
    run = server.submit(document)
    server.wait_for(run)

    made, used, end = (server.task(run, name) for name in ("make_2", "use", "end"))

    assert made["template"] == "make"
    assert made["parameters"] == {"X": "2"}
    assert made["action"] == {
        "kind": "arguments", "text": None, "arguments": ["/bin/sh", "-c", "echo 2"],
    }  # fmt: skip
    assert made["definition"]["environment"] == {"API_TOKEN": "********", "COLOUR": "red"}
    assert [each["name"] for each in made["dependents"]] == ["use"]
    assert (made["attemptList"][0]["stdoutBytes"], made["exitCode"]) == (2, 0)
    assert (used["state"], used["cause"], used["attempts"]) == ("failed", "exit_code", 2)
    assert [each["number"] for each in used["attemptList"]] == [1, 2]
    assert {each["name"]: each["state"] for each in used["needs"]} == {
        "make_1": "succeeded",
        "make_2": "succeeded",
    }
    assert end["state"] == "skipped"
    assert "need did not succeed" in end["why"]["sentence"]
    assert any("use" in hint for hint in end["why"]["hints"])


def test_a_name_may_hold_what_a_path_holds(server):
    names = ["a/b", "x@y:kill", "with.dots", "UPPER-1"]
    run = server.submit({"tasks": {name: shell("echo here") for name in names}})
    server.wait_for(run)

    for name in names:
        assert server.task(run, name)["name"] == name
        assert server.output(run, name) == b"here\n"
        unencoded = quote(name, safe="@:")
        assert server.client.get(f"/api/v2/runs/{run}/tasks/{unencoded}").status_code == 200


def test_tasks_are_filtered_sorted_and_counted(server):
    document = daggy(**{f"t{at:02}": f"exit {at % 3}" for at in range(12)})
    run = server.submit(document)
    server.wait_for(run)

    page = server.get(f"/runs/{run}/tasks", name="^t0", sort="-exitCode", limit=4)
    rest = server.get(
        f"/runs/{run}/tasks", name="^t0", sort="-exitCode", limit=100, cursor=page["nextCursor"]
    )
    failed = server.get(f"/runs/{run}/tasks", state="failed", limit=1)

    codes = [row["exitCode"] for row in page["tasks"] + rest["tasks"]]
    assert codes == sorted(codes, reverse=True)
    assert len(codes) == 10
    assert page["stateCounts"] == {"succeeded": 4, "failed": 6}
    assert failed["stateCounts"] == {"succeeded": 4, "failed": 8}
    for order in ("name", "-duration", "state", "startedAt", "endedAt", "attempts", "position"):
        assert len(server.get(f"/runs/{run}/tasks", sort=order)["tasks"]) == 12


def test_unknown_names_are_answered_with_the_nearest(server):
    run = server.submit(daggy(split="true"))

    task = server.client.get(f"/api/v2/runs/{run}/tasks/spilt")
    attempt = server.client.get(f"/api/v2/runs/{run}/tasks/split/attempts/99")
    wrong = server.client.get(f"/api/v2/runs/{run[:-1]}{'y' if run[-1] == 'z' else 'z'}")

    assert (task.status_code, task.json()["hint"]) == (404, "did you mean 'split'?")
    assert attempt.status_code == 404
    assert wrong.status_code == 404
    assert run in wrong.json()["hint"]


# What was printed --------------------------------------------------------------------


@pytest.fixture(scope="module")
def printed(server):
    run = server.submit(daggy(talk="printf 0123456789; printf oops >&2", quiet="true"))
    server.wait_for(run)
    return run


def output(server, run, task="talk", stream="stdout", number="1", method="GET", **options):
    path = f"/api/v2/runs/{run}/tasks/{task}/attempts/{number}/{stream}"
    return server.client.request(method, path, **options)


def test_output_comes_as_it_was_printed(server, printed):
    whole = output(server, printed)
    errors = output(server, printed, stream="stderr", number="latest")
    log = output(server, printed, stream="executor-log")

    assert whole.content == b"0123456789"
    assert whole.headers["content-type"] == "text/plain; charset=utf-8"
    assert whole.headers["x-segue-total-bytes"] == "10"
    assert errors.content == b"oops"
    assert "exit code 0" in log.text


@pytest.mark.parametrize(
    ("wanted", "status", "content"),
    [
        ("bytes=2-4", 206, b"234"),
        ("bytes=7-", 206, b"789"),
        ("bytes=-3", 206, b"789"),
        ("bytes=0-1000", 206, b"0123456789"),
        ("bytes=-1000", 206, b"0123456789"),
        ("bytes=10-", 416, None),
        ("bytes=-0", 416, None),
        ("bytes=5-2", 416, None),
        ("lines=1-2", 200, b"0123456789"),
        ("bytes=0-1,4-5", 200, b"0123456789"),
    ],
)
def test_a_range_of_output(server, printed, wanted, status, content):
    answer = output(server, printed, headers={"Range": wanted})

    assert answer.status_code == status
    if content is not None:
        assert answer.content == content
    if status == 206:
        assert answer.headers["content-range"].endswith("/10")


def test_the_end_of_output_and_its_size(server, printed):
    tail = output(server, printed, params={"tail": 3})
    head = output(server, printed, method="HEAD")

    assert tail.content == b"789"
    assert (head.status_code, head.headers["content-length"], head.content) == (200, "10", b"")
    assert output(server, printed, task="quiet").content == b""


def test_output_is_followed_until_its_end(server, tmp_path):
    gate = tmp_path / "gate"
    os.mkfifo(gate)
    run = server.submit(daggy(talk=f"echo one; read line < {gate}; echo two"))
    server.wait_for_task(run, "talk", "running")
    path = f"/api/v2/runs/{run}/tasks/talk/attempts/1/stdout"

    with server.client.stream("GET", path, params={"follow": 1}) as answer:
        pieces = answer.iter_bytes()
        first = next(pieces)
        with gate.open("w") as going:
            going.write("go\n")
        rest = b"".join(pieces)

    assert first == b"one\n"
    assert rest == b"two\n"


def test_output_that_was_taken_away_is_gone(server):
    run = server.submit(daggy(a="echo x"))
    server.wait_for(run)
    folder = server.run(run)["workspace"]
    os.rename(folder, folder + ".moved")

    answer = output(server, run, task="a")

    assert answer.status_code == 404
    assert "gone" in answer.json()["detail"]
    assert server.task(run, "a")["attemptList"][0]["outputGone"]


def test_output_is_read_from_plain_files_alone(server, tmp_path):
    secret = tmp_path / "secret"
    secret.write_text("of somebody else")
    run = server.submit(daggy(link=f"ln -sf {secret} $(readlink /proc/self/fd/1)"))
    server.wait_for(run)

    answer = output(server, run, task="link")

    assert b"somebody" not in answer.content


def test_ten_mib_of_anything_come_back_as_they_were(server):
    script = (
        "head -c 10485760 /dev/urandom | tee copy; head -c 1048576 /dev/urandom | tee copy2 >&2"
    )
    run = server.submit(daggy(noise=script))
    server.wait_for(run)
    folder = server.run(run)["workspace"]

    out, err = output(server, run, "noise"), output(server, run, "noise", "stderr")

    with open(f"{folder}/copy", "rb") as copy, open(f"{folder}/copy2", "rb") as copy2:
        assert out.content == copy.read()
        assert err.content == copy2.read()


def test_a_slow_reader_of_output_keeps_nobody_waiting(server):
    run = server.submit(daggy(noise="head -c 60000000 /dev/zero"))
    server.wait_for(run)
    path = f"/api/v2/runs/{run}/tasks/noise/attempts/1/stdout"
    clients = [httpx.Client(base_url=f"http://{server.url}", timeout=LIMIT_S) for _ in range(30)]
    readers = [client.stream("GET", path) for client in clients]
    for reader in readers:
        reader.__enter__()  # nobody takes what comes

    assert server.wait_for(server.submit(daggy(a="true")))["state"] == "succeeded"

    for reader in readers:
        reader.__exit__(None, None, None)
    for client in clients:
        client.close()


# What is done to a task ------------------------------------------------------------


def test_a_task_is_killed_with_all_that_it_has_started(server, tmp_path):
    script = f"sleep 300 & echo $! > {tmp_path}/child; echo so far; wait"
    run = server.submit(daggy(parent=script, other="true", behind=shell("true", "parent")))
    server.wait_for_task(run, "parent", "running")
    written = tmp_path / "child"
    child = int(wait_until(lambda: written.exists() and written.read_text(), "its number"))

    row = server.post(f"/runs/{run}/tasks/parent:kill", {"reason": "too long"})

    assert row["name"] == "parent"
    ended = server.wait_for_task(run, "parent", "cancelled")
    assert ended["attempts"] == 1
    assert server.output(run, "parent") == b"so far\n"
    wait_until(lambda: not os.path.exists(f"/proc/{child}") or is_zombie(child), "the child ended")
    server.post(f"/runs/{run}/tasks/parent:requeue")
    server.wait_for_task(run, "parent", "running")
    server.post(f"/runs/{run}:kill")


def is_zombie(pid):
    with open(f"/proc/{pid}/stat") as stream:
        return stream.read().rpartition(")")[2].split()[0] == "Z"


def test_a_held_task_waits_until_it_is_released(server, tmp_path):
    gate = tmp_path / "gate"
    run = server.submit(
        daggy(first=f"until test -e {gate}; do sleep 0.05; done", second=shell("true", "first"))
    )

    held = server.post(f"/runs/{run}/tasks/second:hold")
    gate.touch()
    server.wait_for_task(run, "first", "succeeded")
    waiting = server.tasks(run)["second"]
    server.post(f"/runs/{run}/tasks/second:release")

    assert held["held"]
    assert (waiting["state"], waiting["held"]) == ("waiting", True)
    assert server.wait_for(run)["state"] == "succeeded"
    again = server.client.post(f"/api/v2/runs/{run}/tasks/second:release")
    assert again.status_code == 409


def test_a_failed_task_is_marked_as_done_with_a_reason(server):
    run = server.submit(daggy(bad="false", behind=shell("true", "bad")))
    assert server.wait_for(run)["state"] == "failed"
    path = f"/runs/{run}/tasks/bad:markCompleted"

    server.post(path, {"reason": ""}, status=422)
    server.post(path, {"reason": "done by hand"})
    ended = server.wait_for(run, "succeeded")

    assert ended["counts"] == {"succeeded": 2}
    lines = server.get(f"/runs/{run}/history")["history"]
    assert any("done by hand" in line["detail"] for line in lines)
    server.post(path, {"reason": "again"}, status=409)


def test_a_task_that_has_succeeded_runs_again_by_force_alone(server):
    run = server.submit(daggy(a="true", b=shell("true", "a")))
    server.wait_for(run)

    server.post(f"/runs/{run}/tasks/a:requeue", status=409)
    server.post(f"/runs/{run}/tasks/a:requeue", {"force": True})

    wait_until(lambda: server.tasks(run)["b"]["attempts"] == 2, "b ran again")
    server.wait_for(run, "succeeded")
