"""The scenarios of a Daggy service against the running server, told at its own door `/v1`.

The numbers are those of the list that the service was specified with.
"""

import base64
import itertools
import json
import os
import re
from pathlib import Path

import pytest
from served import LIMIT_S, Server, daggy, shell, wait_until

FINAL = ("COMPLETED", "ERRORED", "KILLED")


class Daggy(Server):
    """The server, spoken to as Daggy's own page speaks to it."""

    def ask(self, method, path, status=200, **options):
        answer = self.client.request(method, f"/v1{path}", **options)
        assert answer.status_code == status, answer.text
        return answer.json()

    def start_dag(self, document):
        text = document if isinstance(document, str) else json.dumps(document)
        return self.ask("POST", "/dagrun", content=text)["runID"]

    def dag(self, number):
        return self.ask("GET", f"/dagrun/{number}")

    def end(self, number, *states):
        wanted = states or FINAL
        wait_until(
            lambda: self.ask("GET", f"/dagrun/{number}/state")["state"] in wanted,
            f"run {number} is {wanted}",
        )
        return self.dag(number)

    def wait_task(self, number, task, state):
        path = f"/dagrun/{number}/task/{task}/state"
        wait_until(lambda: self.ask("GET", path)["state"] == state, f"{task} is {state}")


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    with Daggy(tmp_path_factory.mktemp("daggy")) as server:
        yield server


def words(changes):
    return [change["state"] for change in changes]


def test_01_two_tasks_run_in_order_with_outputs_history_and_counts(server):
    document = {
        "tag": "two",
        "tasks": {
            "first": {"job": {"command": ["/bin/echo", "one"]}, "children": ["second"]},
            "second": {"job": {"commandString": "/bin/echo 'and two'"}},
        },
    }

    number = server.start_dag(document)
    dag = server.end(number)

    assert (dag["runID"], dag["tag"], dag["state"]) == (number, "two", "COMPLETED")
    first, second = (dag["taskAttempts"][name][0] for name in ("first", "second"))
    assert (first["rc"], first["outputLog"], first["errorLog"]) == (0, "one\n", "")
    assert second["outputLog"] == "and two\n"
    assert first["stopTime"] <= second["startTime"]
    assert words(dag["taskStateChanges"]["first"]) == ["QUEUED", "RUNNING", "COMPLETED"]
    assert words(dag["runStateChanges"]) == ["QUEUED", "RUNNING", "COMPLETED"]
    (listed,) = [run for run in server.ask("GET", "/dagruns?all=1") if run["runID"] == number]
    assert listed["taskCounts"] == {"COMPLETED": 2}
    assert listed["lastUpdate"] > listed["startTime"] > 1e18


def test_02_an_edge_that_is_said_on_both_sides_counts_once(server):
    document = {
        "tasks": {"a": shell("true", children=["b"]), "b": shell("true", "a")},
    }

    dag = server.end(server.start_dag(document))

    assert dag["state"] == "COMPLETED"
    assert len(dag["taskAttempts"]["b"]) == 1
    assert dag["tasks"]["b"]["parents"] == ["a"]
    assert dag["tasks"]["a"]["children"] == ["b"]


def test_03_a_product_of_three_is_waited_for_whoever_says_so(server):
    def document(parent_side):
        calc = {"job": {"command": ["/bin/echo", "{{DATE}}"]}}
        report = {"job": {"command": ["/bin/true"]}}
        (calc if parent_side else report).update(
            {"children": ["report"]} if parent_side else {"parents": ["calc"]}
        )
        return {
            "parameters": {"DATE": ["a", "b", "c"]},
            "tasks": {"calc": calc, "report": report},
        }

    left, right = (server.end(server.start_dag(document(side))) for side in (True, False))

    assert set(left["tasks"]) == {"calc_1", "calc_2", "calc_3", "report"}
    assert left["tasks"] == right["tasks"]
    begun = left["taskAttempts"]["report"][0]["startTime"]
    assert all(left["taskAttempts"][f"calc_{n}"][0]["stopTime"] <= begun for n in (1, 2, 3))


def test_04_two_arrays_multiply_in_the_order_of_the_document(server):
    document = {
        "parameters": {"A": ["1", "2"], "B": ["x", "y", "z"], "C": ["no", "use"], "D": "one"},
        "tasks": {
            "t": {"job": {"command": ["/bin/echo", "{{A}}{{B}}"]}},
            "s": {"job": {"command": ["/bin/echo", "{{D}}"]}},
        },
    }

    dag = server.end(server.start_dag(document))

    said = [dag["taskAttempts"][f"t_{n}"][0]["outputLog"].strip() for n in range(1, 7)]
    assert said == ["1x", "1y", "1z", "2x", "2y", "2z"]
    assert len(dag["tasks"]) == 7
    assert dag["taskAttempts"]["s"][0]["outputLog"] == "one\n"


def test_05_defaults_merge_deeply_and_null_takes_them_away(server):
    document = {
        "jobDefaults": {"environment": {"A": "1", "B": "2"}, "timeout": "60"},
        "tasks": {
            "t": shell("echo $A$B$C", job={"environment": {"B": None, "C": "3"}}),
        },
    }

    dag = server.end(server.start_dag(document))

    assert dag["taskAttempts"]["t"][0]["outputLog"] == "13\n"


def test_06_older_spellings_are_read_with_a_warning(server):
    old = {
        "taskParameters": {"X": "1"},
        "tasks": [{"name": "a", "command": ["/bin/echo", "{{X}}"], "retry": 1}],
    }
    twice = {"parameters": {}, "taskParameters": {"X": "1"}, "tasks": {"a": shell("true")}}

    checked = server.post("/runs:validate", old, status=200)
    refused = server.post("/runs:validate", twice, status=200)

    assert checked["valid"]
    assert {each["severity"] for each in checked["problems"]} == {"warning"}
    assert "ambiguous_parameters" in {each["code"] for each in refused["problems"]}


@pytest.mark.parametrize(
    "text",
    [
        json.dumps({"tasks": {"a": shell("x", "b"), "b": shell("x", "a")}}),
        json.dumps({"tasks": {"a": shell("x", "a")}}),
        json.dumps({"tasks": {"a": shell("x", children=["nobody"])}}),
        json.dumps({"tasks": {"a": shell("x", "nobody")}}),
        json.dumps({"tasks": {}}),
        '{"tasks": {"a": {"job": {"command": ["a"]}}, "a": {"job": {"command": ["b"]}}}}',
        json.dumps({"tasks": {"a": shell("{{NOBODY}}")}}),
        "{",
        "[]",
        "",
    ],
)
def test_07_what_cannot_run_is_refused_before_anything_is_stored(server, text):
    before = len(server.ask("GET", "/dagruns?all=1"))

    said = server.ask("POST", "/dagrun/validate", content=text)
    server.ask("POST", "/dagrun", 422, content=text)

    assert said["valid"] is False
    assert said["error"]
    assert len(server.ask("GET", "/dagruns?all=1")) == before


def test_08_a_task_that_fails_twice_is_tried_again_after_its_pause(server, tmp_path):
    script = f"echo x >> {tmp_path}/tries; test $(wc -l < {tmp_path}/tries) -ge 3"
    document = {"tasks": {"t": shell(script, maxRetries=3, retryIntervalSeconds=1)}}

    dag = server.end(server.start_dag(document))

    attempts = dag["taskAttempts"]["t"]
    assert [each["rc"] for each in attempts] == [1, 1, 0]
    pauses = [
        (after["startTime"] - before["stopTime"]) / 1e9
        for before, after in itertools.pairwise(attempts)
    ]
    assert all(pause >= 0.99 for pause in pauses)
    assert words(dag["taskStateChanges"]["t"]) == [
        "QUEUED", "RUNNING", "RETRY", "RUNNING", "RETRY", "RUNNING", "COMPLETED",
    ]  # fmt: skip


# 9: generators ---------------------------------------------------------------------------


def generator(output, **members):
    text = output if isinstance(output, str) else json.dumps(output)
    packed = base64.b64encode(text.encode()).decode()
    return shell(f"echo {packed} | base64 -d", isGenerator=True, **members)


def test_09_a_generator_adds_tasks(server):
    new = {"made": shell("echo {{N}}"), "nested": generator({"deep": shell("echo deep")})}
    document = {
        "parameters": {"N": ["1", "2"]},
        "tasks": {"gen": generator(new), "other": shell("echo {{N}}")},
    }

    dag = server.end(server.start_dag(document))

    assert dag["state"] == "COMPLETED"
    assert {"made_1", "made_2", "nested", "deep"} <= set(dag["tasks"])
    assert dag["tasks"]["made_1"]["parents"] == ["gen"]


@pytest.mark.parametrize("output", ["no json", {"gen": shell("true")}, {"a": {"job": {}}}])
def test_09_a_generator_whose_output_cannot_be_used_has_failed(server, output):
    document = {"tasks": {"gen": generator(output), "behind": shell("true", "gen")}}

    dag = server.end(server.start_dag(document))

    assert dag["state"] == "ERRORED"
    assert dag["taskStates"] == {"gen": "ERRORED", "behind": "QUEUED"}
    assert dag["taskAttempts"]["gen"][0]["rc"] == 0
    assert words(dag["taskStateChanges"]["gen"]) == ["QUEUED", "RUNNING", "ERRORED"]
    assert words(dag["taskStateChanges"]["behind"]) == ["QUEUED"]


def test_09_a_child_that_has_ended_stays_so(server, tmp_path):
    late = base64.b64encode(json.dumps({"late": shell("true", children=["early"])}).encode())
    script = (
        f"until test -e {tmp_path}/early; do sleep 0.05; done; echo {late.decode()} | base64 -d"
    )
    document = {
        "tasks": {
            "early": shell("true"),
            "then": shell(f"touch {tmp_path}/early", "early"),
            "gen": shell(script, isGenerator=True),
        }
    }

    dag = server.end(server.start_dag(document))

    assert dag["state"] == "COMPLETED"
    assert len(dag["taskAttempts"]["early"]) == 1


# 10 to 14 --------------------------------------------------------------------------------


def test_10_a_killed_task_runs_again_when_it_is_queued(server, tmp_path):
    gate = tmp_path / "gate"
    script = (
        f"echo so far; (sleep 300 & echo $! > {tmp_path}/child; wait) & "
        f"until test -e {gate}; do sleep 0.05; done"
    )
    number = server.start_dag(daggy(t=script, behind=shell("true", "t")))
    server.wait_task(number, "t", "RUNNING")
    child = tmp_path / "child"
    pid = int(wait_until(lambda: child.exists() and child.read_text(), "the grandchild"))

    server.ask("DELETE", f"/dagrun/{number}/task/t")
    killed = server.end(number)
    wait_until(lambda: not os.path.exists(f"/proc/{pid}"), "the grandchild has ended")
    gate.touch()
    server.ask("PATCH", f"/dagrun/{number}/task/t/state/QUEUED")
    dag = server.end(number, "COMPLETED", "ERRORED")

    assert killed["taskStates"] == {"t": "KILLED", "behind": "QUEUED"}
    assert killed["taskAttempts"]["t"][0]["outputLog"] == "so far\n"
    assert killed["state"] in ("ERRORED", "KILLED")
    assert dag["state"] == "COMPLETED"
    assert [len(dag["taskAttempts"][name]) for name in ("t", "behind")] == [2, 1]


def test_11_a_killed_run_goes_on_where_it_was(server, tmp_path):
    gate = tmp_path / "gate"
    wait = f"until test -e {gate}; do sleep 0.05; done"
    document = daggy(done="true", now=shell(wait, "done"), later=shell("true", "now"))
    number = server.start_dag(document)
    server.wait_task(number, "now", "RUNNING")
    server.ask("PATCH", f"/dagrun/{number}/state/QUEUED", 409)

    server.ask("DELETE", f"/dagrun/{number}")
    killed = server.end(number)
    server.ask("DELETE", f"/dagrun/{number}")
    counts = next(r for r in server.ask("GET", "/dagruns?all=1") if r["runID"] == number)
    gate.touch()
    server.ask("PATCH", f"/dagrun/{number}/state/QUEUED")
    dag = server.end(number, "COMPLETED", "ERRORED")

    assert killed["state"] == "KILLED"
    assert killed["taskStates"] == {"done": "COMPLETED", "now": "KILLED", "later": "QUEUED"}
    assert counts["taskCounts"] == {"COMPLETED": 1, "KILLED": 1, "QUEUED": 1}
    assert dag["state"] == "COMPLETED"
    assert {name: len(each) for name, each in dag["taskAttempts"].items()} == {
        "done": 1, "now": 2, "later": 1,
    }  # fmt: skip


def test_12_a_server_that_is_killed_loses_nothing(tmp_path):
    log = tmp_path / "log"
    tasks = {f"t{n}": shell(f"echo t{n} >> {log}; sleep 0.2") for n in range(10)}
    tasks["end"] = shell(f"echo end >> {log}", *tasks)
    server = Daggy(tmp_path / "server", "-j", "2").start()
    number = server.start_dag({"tasks": tasks})
    wait_until(log.exists, "something has run")

    server.kill()
    server.start()
    dag = server.end(number)
    server.stop()

    assert dag["state"] == "COMPLETED"
    assert sorted(log.read_text().split()) == sorted(tasks)
    assert all(len(each) == 1 for each in dag["taskAttempts"].values())


def test_13_a_paused_run_starts_nothing_until_it_goes_on(server, tmp_path):
    gate = tmp_path / "gate"
    wait = f"until test -e {gate}; do sleep 0.05; done"
    number = server.start_dag(daggy(first=wait, second=shell("true", "first")))
    server.wait_task(number, "first", "RUNNING")

    server.ask("PATCH", f"/dagrun/{number}/state/PAUSED")
    gate.touch()
    server.wait_task(number, "first", "COMPLETED")
    paused = server.dag(number)
    server.ask("PATCH", f"/dagrun/{number}/state/RUNNING")
    dag = server.end(number)

    assert (paused["state"], paused["taskStates"]["second"]) == ("PAUSED", "QUEUED")
    assert dag["state"] == "COMPLETED"


def test_14_output_of_any_bytes_is_told_as_text(server):
    script = "printf 'a\\000b\\377c'; head -c 3000000 /dev/zero | tr '\\000' x >&2"

    dag = server.end(server.start_dag(daggy(t=script)))

    (attempt,) = dag["taskAttempts"]["t"]
    assert attempt["outputLog"] == "a\0b\ufffdc"
    assert attempt["errorLog"].startswith("(")
    assert attempt["errorLog"].endswith("x" * 1000)
    assert len(attempt["errorLog"]) < 1.1 * 2**20


# 16 to 18 --------------------------------------------------------------------------------


@pytest.mark.slow
def test_16_forty_thousand_tasks_behind_barriers(tmp_path):
    values = [str(n) for n in range(10_000)]
    tasks = {name: {"job": {"command": ["/bin/echo", "{{X}}"]}} for name in "abcd"}
    tasks["a"]["children"] = ["b", "c"]
    tasks["d"]["parents"] = ["b", "c"]
    document = {"pool": "noop", "parameters": {"X": values}, "tasks": tasks}
    with Daggy(tmp_path) as server:
        run = server.submit(document)

        ended = wait_until(
            lambda: (found := server.run(run))["state"] == "succeeded" and found, "the end", 180
        )
        graph = server.get(f"/runs/{run}/graph")

        assert ended["counts"] == {"succeeded": 40_000}
        assert {node["id"]: node["tasks"] for node in graph["nodes"]} == dict.fromkeys(
            "abcd", 10_000
        )
        assert len(graph["edges"]) == 4
        page = server.get(f"/runs/{run}/tasks", structural=True, limit=1, sort="-position")
        assert page["tasks"][0]["position"] < 40_010
        status = Path(f"/proc/{server.process.pid}/status").read_text()
        peak = int(re.search(r"VmHWM:\s+(\d+)", status)[1])
        assert peak < 1_500_000, f"{peak} KiB"


def test_17_the_calls_of_the_original_page(server, tmp_path):
    """What its page did on a click on each of its controls, in that order."""
    gate = tmp_path / "gate"
    wait = f"until test -e {gate}; do sleep 0.05; done"
    assert server.client.get("/ready").json() == {"msg": "Ya like DAGs?"}
    document = daggy(work=wait, more=shell("exit 1", "work")) | {"tag": "page"}
    number = server.ask(
        "POST",
        "/dagrun",
        content=json.dumps(document),
        headers={"Content-Type": "application/json"},
    )["runID"]
    server.wait_task(number, "work", "RUNNING")

    listed = server.ask("GET", "/dagruns?all=1")
    opened = server.ask("GET", f"/dagrun/{number}")
    server.ask("DELETE", f"/dagrun/{number}/task/work")
    server.wait_task(number, "work", "KILLED")
    gate.touch()
    server.ask("PATCH", f"/dagrun/{number}/task/work/state/QUEUED")
    server.end(number, "ERRORED")
    server.ask("PATCH", f"/dagrun/{number}/state/QUEUED")
    dag = server.end(number, "ERRORED")
    server.ask("DELETE", f"/dagrun/{number}")

    mine = next(run for run in listed if run["runID"] == number)
    assert set(mine) == {"runID", "tag", "state", "startTime", "lastUpdate", "taskCounts"}
    assert (mine["tag"], mine["state"]) == ("page", "RUNNING")
    assert {"tasks", "taskStates", "taskAttempts"} <= set(opened)
    assert "more" not in opened["taskAttempts"]
    assert set(dag["taskAttempts"]["more"][0]) == {
        "startTime", "stopTime", "rc", "outputLog", "errorLog", "executorLog",
    }  # fmt: skip
    assert number not in [run["runID"] for run in server.ask("GET", "/dagruns")]


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/dagrun/99999", 404),
        ("GET", "/dagrun/x", 404),
        ("GET", "/dagrun/-1", 404),
        ("GET", "/dagrun/{run}/task/nobody", 404),
        ("PATCH", "/dagrun/{run}/state/HAPPY", 400),
        ("PATCH", "/dagrun/{run}/state/RUNNING", 409),
        ("PUT", "/dagrun/{run}", 405),
    ],
)
def test_17_what_does_not_fit_is_told_clearly(server, method, path, status):
    run = server.start_dag({"tasks": {"a": {"job": {"command": ["/bin/true"]}}}})
    server.end(run)

    said = server.ask(method, path.format(run=run), status)

    assert said["detail"]


def test_18_a_body_over_the_limit_names_the_limit(tmp_path):
    config = tmp_path / "segue.toml"
    config.write_text("body_limit_mib = 1\n")
    with Server(tmp_path / "server", "--config", config) as server:
        for path in ("/v1/dagrun", "/api/v2/runs", "/api/v2/runs:validate"):
            answer = server.client.post(path, content=b"x" * (2**20 + 1), timeout=LIMIT_S)

            assert answer.status_code == 413
            assert "1 MiB" in answer.json()["detail"]

        def pieces():
            for _ in range(20):
                yield b"x" * 65536

        chunked = server.client.post("/api/v2/runs", content=pieces(), timeout=LIMIT_S)
        assert chunked.status_code == 413
        assert server.submit(daggy(a="true"))
