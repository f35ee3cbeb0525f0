"""`/api/v2/runs` against the running server: submit, list, look, change, remove."""

import json
from pathlib import Path

import pytest
from served import Server, daggy, shell, wait_until

STUDY = """description:
    name: greet
    description: two steps
env:
    variables:
        OUTPUT_PATH: ./elsewhere
study:
    - name: hello
      description: say it
      run:
          cmd: echo hello $(NAME) > hello.txt
    - name: bye
      description: and go
      run:
          cmd: cat $(hello.workspace)/hello.txt
          depends: [hello]
global.parameters:
    NAME:
        values: [ann, bob]
        label: NAME.%%
"""
#: What the sample Task of LUTE must be told.
TEST = {"compound_var": {"int_var": 1, "dict_var": {}}, "pause_s": 0}
SEED = {
    "tag": "seed",
    "parameters": {"DATE": ["d1", "d2", "d3"], "DIRECTORY": "/data"},
    "tasks": {
        "pull": {"job": {"command": ["/bin/echo", "{{DIRECTORY}}"]}},
        "calc": {"job": {"command": ["/bin/echo", "{{DATE}}"]}, "parents": ["pull"]},
        "report": {"job": {"command": ["/bin/echo", "done"]}, "parents": ["calc"]},
    },
}


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    with Server(tmp_path_factory.mktemp("runs")) as server:
        yield server


def test_a_document_is_taken_run_and_shown(server):
    run = server.submit(SEED)

    ended = server.wait_for(run)

    assert ended["state"] == "succeeded"
    assert ended["counts"] == {"succeeded": 5}
    assert ended["tags"] == {"name": "seed"}
    assert ended["workspace"].endswith(f"/runs/{run}")
    assert server.output(run, "calc_2") == b"d2\n"


def test_a_study_writes_below_its_own_folder_whatever_it_says(server):
    run = server.submit(STUDY, path="greet.yaml")

    assert server.wait_for(run)["state"] == "succeeded"

    found = server.run(run)
    assert found["dialect"] == "maestro"
    assert len(list(Path(found["workspace"]).rglob("hello.txt"))) == 2
    assert not (server.folder / "elsewhere").exists()
    spec = server.client.get(f"/api/v2/runs/{run}/spec")
    assert spec.text == STUDY
    assert spec.headers["content-type"].startswith("application/yaml")


def test_an_envelope_brings_files_and_settings(server):
    document = daggy(read="cat note.txt")
    envelope = {
        "document": json.dumps(document),
        "path": "note.json",
        "files": {"note.txt": "a note"},
        "tags": {"team": "blue"},
        "priority": 7,
        "limit": 3,
        "paused": True,
    }

    run = server.submit(envelope)

    found = server.run(run)
    assert (found["state"], found["priority"], found["limit"]) == ("paused", 7, 3)
    assert found["tags"]["team"] == "blue"
    server.post(f"/runs/{run}:resume")
    assert server.wait_for(run)["state"] == "succeeded"
    assert server.output(run, "read") == b"a note"


@pytest.mark.parametrize("name", ["../x", "a/b", "/etc/x", "..", ".segue", "", "a\0b"])
def test_files_of_an_envelope_stay_in_the_folder_of_the_run(server, name):
    envelope = {"document": json.dumps(daggy(a="true")), "files": {name: "x"}}

    said = server.submit(envelope, status=422)

    assert said["code"] == "bad_file_name"


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ('{"tasks": {"a": {"job": {}}}}', "invalid_document"),
        ('{"tasks": {', "invalid_document"),
        ("this is nothing", "invalid_document"),
        (b"\xff\xfe", "invalid_document"),
        ('{"document": 5}', "invalid"),
        ('{"document": "{}", "unknown": 1}', "invalid"),
    ],
)
def test_a_document_with_faults_is_refused_with_all_of_them(server, body, code):
    content = body if isinstance(body, bytes) else body.encode()
    answer = server.client.post(
        "/api/v2/runs", content=content, headers={"Content-Type": "application/json"}
    )

    assert answer.status_code == 422, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    said = answer.json()
    assert (said["status"], said["code"]) == (422, code)
    assert said["problems"]


def test_a_fault_has_its_place_and_a_hint(server):
    document = {"tasks": {"split": {"job": {"command": ["a"]}}, "b": shell("true", "spilt")}}

    said = server.submit(document, status=422, path="my.json")

    (problem,) = said["problems"]
    assert (problem["path"], problem["line"]) == ("my.json", 1)
    assert problem["column"] > 1
    assert "split" in problem["hint"]


def test_validating_says_what_running_would_say(server):
    before = server.get("/runs")["stateCounts"]

    good = server.post("/runs:validate?expand=1", SEED, status=200)
    bad = server.post("/runs:validate", {"tasks": {"a": shell("x", "b")}}, status=200)
    pool = server.post("/runs:validate?pool=nowhere", SEED, status=200)

    assert (good["valid"], good["dialect"], good["taskCount"]) == (True, "daggy", 5)
    assert [(e["from"], e["to"]) for e in good["graph"]["edges"]] == [
        ("pull", "calc"),
        ("calc", "report"),
    ]
    assert not bad["valid"]
    assert bad["problems"][0]["severity"] == "error"
    assert not pool["valid"]
    assert server.get("/runs")["stateCounts"] == before


def test_generators_of_parameters_are_not_run_by_a_server(server):
    envelope = {"document": STUDY, "options": {"pgen": "/tmp/x.py"}}

    said = server.submit(envelope, status=422)

    assert "segue run --pgen" in said["hint"]


def test_steps_of_lute_need_a_config(server):
    text = "task_name: Test\nslurm_params: ''\nnext: []\n"

    said = server.submit(text, status=422, dialect="lute")

    assert said["problems"]


def test_the_same_key_is_one_run(server):
    headers = {"Idempotency-Key": "tonight"}

    first = server.submit(SEED, headers=headers)
    again = server.submit(SEED, headers=headers, status=200)
    other = server.submit(daggy(a="true"), headers=headers, status=409)

    assert first == again
    assert other["code"] == "key_used"


def test_runs_are_filtered_sorted_and_paged(server):
    ids = [server.submit(daggy(a="true") | {"tag": f"page {at}"}) for at in range(5)]
    for each in ids:
        server.wait_for(each)

    found, cursor = [], ""
    while cursor is not None:
        page = server.get("/runs", name="^name=page", limit=2, cursor=cursor, sort="createdAt")
        found += [run["id"] for run in page["runs"]]
        cursor = page["nextCursor"]

    assert found == ids
    assert page["stateCounts"] == {"succeeded": 5}
    assert server.get("/runs", name="page", state="failed")["runs"] == []
    tagged = server.get("/runs", **{"tag.name": "page 3"})["runs"]
    assert [run["id"] for run in tagged] == [ids[3]]
    assert server.get("/runs", startedBefore="2001-01-01T00:00:00Z")["runs"] == []
    newest = server.get("/runs", sort="-createdAt", limit=1)["runs"]
    assert newest[0]["id"] == ids[-1]


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ({"name": "("}, "bad_pattern"),
        ({"name": "x" * 2000}, "bad_pattern"),
        ({"cursor": "no"}, "bad_cursor"),
        ({"cursor": "WyJhIl0"}, "bad_cursor"),
        ({"sort": "size"}, "bad_sort"),
        ({"startedAfter": "yesterday"}, "bad_time"),
        ({"limit": 0}, "bad_request"),
        ({"state": "happy"}, "bad_request"),
    ],
)
def test_a_wrong_question_is_told_what_is_wrong(server, query, code):
    answer = server.client.get("/api/v2/runs", params=query)

    assert answer.status_code == 400
    assert answer.json()["code"] == code


def test_a_run_that_has_not_changed_is_not_sent_again(server):
    run = server.submit(daggy(a="true"))
    server.wait_for(run)
    first = server.client.get(f"/api/v2/runs/{run}")

    again = server.client.get(
        f"/api/v2/runs/{run}", headers={"If-None-Match": first.headers["etag"]}
    )

    assert (again.status_code, again.content) == (304, b"")


def test_a_killed_run_goes_on_where_it_was(server):
    gate = server.folder / "gate"
    run = server.submit(
        daggy(
            first=f"echo x >> {server.folder}/first",
            second=shell(f"test -e {gate} || sleep 60", "first"),
            third=shell("true", "second"),
        )
    )
    server.wait_for_task(run, "second", "running")

    server.post(f"/runs/{run}:kill", {"reason": "lunch"})
    killed = server.wait_for(run)
    gate.touch()
    server.post(f"/runs/{run}:requeue")
    ended = server.wait_for(run, "succeeded", "failed")

    assert killed["state"] == "cancelled"
    assert ended["state"] == "succeeded"
    rows = server.tasks(run)
    assert (rows["first"]["attempts"], rows["second"]["attempts"]) == (1, 2)
    assert (server.folder / "first").read_text() == "x\n"
    lines = server.get(f"/runs/{run}/history", limit=5000)["history"]
    assert any("lunch" in line["detail"] for line in lines if line["kind"] == "command")


def test_what_does_not_fit_the_state_is_a_conflict(server):
    run = server.submit(daggy(a="true"))
    server.wait_for(run)

    for verb in ("pause", "kill", "resume", "requeue"):
        answer = server.client.post(f"/api/v2/runs/{run}:{verb}")

        assert answer.status_code == 409, (verb, answer.text)
    limits = server.client.patch(f"/api/v2/runs/{run}", json={"limit": 1})
    assert limits.status_code == 409


def test_a_run_runs_again_with_another_definition(server):
    run = server.submit(daggy(a="exit 3", b=shell("echo $WORD", "a")))
    assert server.wait_for(run)["state"] == "failed"

    patch = {"a": {"script": "echo mended"}, "b": {"environment": {"WORD": "hi"}}}
    server.post(f"/runs/{run}:requeue", {"patch": patch})

    assert server.wait_for(run, "succeeded")["counts"] == {"succeeded": 2}
    assert (server.output(run, "a"), server.output(run, "b")) == (b"mended\n", b"hi\n")


def test_force_runs_again_what_has_succeeded_and_all_behind(server):
    run = server.submit(daggy(a="true", b=shell("true", "a"), c="true"))
    server.wait_for(run)

    server.post(f"/runs/{run}:requeue", {"tasks": ["a"], "force": True})
    wait_until(lambda: server.tasks(run)["b"]["attempts"] == 2, "b ran again")
    server.wait_for(run, "succeeded")

    rows = server.tasks(run)
    assert [rows[name]["attempts"] for name in "abc"] == [2, 2, 1]


def test_limits_change_while_a_run_runs(server):
    run = server.submit(daggy(a="sleep 30"))

    changed = server.client.patch(f"/api/v2/runs/{run}", json={"limit": 2, "restartLimit": 1})

    assert changed.status_code == 200
    assert (changed.json()["limit"], changed.json()["restartLimit"]) == (2, 1)
    server.post(f"/runs/{run}:kill")


def test_only_what_has_ended_is_removed_with_its_folder(server):
    gate = server.folder / "ready-to-go"
    run = server.submit(daggy(a=f"until test -e {gate}; do sleep 0.1; done"))
    folder = server.run(run)["workspace"]

    early = server.client.delete(f"/api/v2/runs/{run}")
    gate.touch()
    server.wait_for(run)
    removed = wait_until(
        lambda: (a := server.client.delete(f"/api/v2/runs/{run}")).status_code == 204 and a, "gone"
    )

    assert early.status_code == 409
    assert removed.content == b""
    assert server.client.get(f"/api/v2/runs/{run}").status_code == 404
    assert not (server.folder / folder).exists()


def test_a_run_of_the_command_line_is_shown_and_has_no_document(server):
    (server.folder / "own.json").write_text(json.dumps(daggy(a="true")))

    done = server.segue("run", "own.json", "--json")

    run = json.loads(done.stdout)["run"]
    assert server.run(run)["state"] == "succeeded"
    assert server.client.get(f"/api/v2/runs/{run}/spec").status_code == 404


def test_a_command_reaches_the_engine_of_another_process(server):
    (server.folder / "slow.json").write_text(json.dumps(daggy(slow="sleep 60")))
    started = server.segue("run", "slow.json", "--detach")
    run = started.stdout.split()[0]
    server.wait_for_task(run, "slow", "running")
    own = server.get("/server")["processId"]

    engine = server.run(run)["engine"]
    server.post(f"/runs/{run}:kill")

    assert engine["processId"] != own
    assert engine["alive"]
    assert server.wait_for(run)["state"] == "cancelled"


def test_a_lute_workflow_runs_with_the_config_that_came_with_it(server, tmp_path):
    header = json.dumps({"experiment": "TST1", "work_dir": str(tmp_path)})
    envelope = {
        "document": "!LUTE_DAG\ntask_name: Tester\nnext: []\n",
        "path": "flow.dag",
        "files": {"config.yaml": f"{header}\n---\n{json.dumps({'Test': TEST})}\n"},
        "options": {"config": "config.yaml"},
    }

    run = server.submit(envelope)

    assert server.wait_for(run)["state"] == "succeeded", server.output(run, "Tester", "stderr")
    elsewhere = server.submit(envelope | {"files": {}}, status=422)
    assert "not among the files" in elsewhere["detail"]
