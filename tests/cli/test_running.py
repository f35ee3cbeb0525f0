"""`segue run`: what it runs, where, how much at once, and what it says."""

import json

import pytest
from commands import task, wait_until

TWO = {"first": task("echo one"), "second": task("echo two", "first")}
LUTE = """\
!LUTE_DAG
- task_name: Tester
  slurm_params: ""
  next:
  - !branch_daq2
    daq2: {task_name: Fast, slurm_params: "", next: []}
    daq1: {task_name: Slow, slurm_params: "", next: []}
"""


def test_a_run_that_succeeds_ends_with_0(segue):
    done = segue("run", segue.write(TWO))

    assert done.err == ""


def test_a_pipe_gets_a_line_for_each_task_in_the_order_of_their_ends(segue):
    lines = segue("run", segue.write(TWO)).out.splitlines()

    run = segue.newest()
    assert lines[0] == f"run {run}: 2 tasks, workspace {segue.folder}/segue-runs/{run}"
    assert [line.split(" in ")[0] for line in lines[1:]] == [
        "first: succeeded",
        "second: succeeded",
        f"run {run} succeeded",
    ]
    assert lines[-1].endswith(": 2 succeeded")


def test_a_pipe_gets_no_signs_for_terminals(segue):
    assert "\x1b" not in segue("run", segue.write({"bad": task("exit 1")}), code=1).out


def test_a_run_that_fails_ends_with_1_and_shows_the_last_words(segue):
    tasks = {"bad": task("echo it hurts >&2; exit 3"), "after": task("echo", "bad")}

    done = segue("run", segue.write(tasks), code=1)

    assert "bad: failed in" in done.out
    assert "(exit code 3)" in done.out
    assert "after: skipped (upstream failed)" in done.out
    assert "    it hurts\n" in done.out


def test_last_words_that_are_no_text_harm_no_terminal(segue):
    tasks = {"bad": task(r"printf 'bell\a \033[2Jx \377\n' >&2; exit 1")}

    done = segue("run", segue.write(tasks), code=1)

    assert "    bell\ufffd \ufffd[2Jx \ufffd\n" in done.out


def test_a_dash_is_standard_input(segue):
    segue("run", "-", stdin=json.dumps({"tasks": TWO}))

    assert segue.states() == {"first": "succeeded", "second": "succeeded"}


def test_a_parameter_is_replaced(segue):
    path = segue.write({"say": task("echo {{WORD}}")}, parameters={"WORD": "old"})

    segue("run", path, "-p", "WORD=new")

    assert segue("logs", segue.newest(), "say").out == "new\n"


def test_a_parameter_may_hold_an_equals_sign(segue):
    path = segue.write({"say": task("echo {{WORD}}")}, parameters={"WORD": "old"})

    segue("run", path, "-p", "WORD=a=b")

    assert segue("logs", segue.newest(), "say").out == "a=b\n"


@pytest.mark.parametrize(("fact", "chosen"), [("true", "Fast"), ("false", "Slow")])
def test_a_fact_chooses_the_branch(segue, fact, chosen):
    (segue.folder / "flow.dag").write_text(LUTE)

    segue("run", "flow.dag", "--set", f"daq2={fact}", "--lute-command", "echo -t {task_name}")

    assert segue.states() == {"Tester": "succeeded", chosen: "succeeded"}
    assert segue("logs", segue.newest(), chosen).out == f"-t {chosen}\n"


def test_a_managed_task_without_a_command_is_refused_before_anything_is_stored(segue):
    (segue.folder / "flow.dag").write_text(LUTE)

    done = segue("run", "flow.dag", "--set", "daq2=true", code=2)

    assert "--lute-command" in done.err
    assert segue.json("runs")["runs"] == []


def test_so_many_jobs_run_at_once(segue):
    gates = [segue.gate(f"gate{number}") for number in range(3)]
    tasks = {f"t{number}": task(gate.script()) for number, gate in enumerate(gates)}

    running = segue.start("run", segue.write(tasks), "-j", "3")

    for gate in gates:
        gate.wait()
    for gate in gates:
        gate.open()
    assert running.end() == 0


@pytest.mark.parametrize("options", [["-j", "1"], ["-j", "4", "--limit", "1"]])
def test_no_more_than_asked_for_run_at_once(segue, options):
    log = segue.folder / "log"
    tasks = {f"t{n}": task(f"echo begin >> {log}; echo end >> {log}") for n in range(8)}

    segue("run", segue.write(tasks), *options)

    assert log.read_text().split() == ["begin", "end"] * 8


def test_a_limit_of_0_is_no_limit(segue):
    gates = [segue.gate(f"gate{number}") for number in range(2)]
    tasks = {f"t{number}": task(gate.script()) for number, gate in enumerate(gates)}

    running = segue.start("run", segue.write(tasks), "-j", "2", "--limit", "0")

    for gate in gates:
        gate.wait()
        gate.open()
    assert running.end() == 0


def test_a_run_writes_into_its_workspace(segue):
    segue("run", segue.write(TWO), "--workspace", "deep/down")

    document = segue.json("status")
    assert document["workspace"] == str(segue.folder / "deep" / "down")
    for each in document["tasks"]:
        assert each["attempts"][0]["stdout"].startswith(str(segue.folder / "deep" / "down"))
    assert not (segue.folder / "segue-runs").exists()


def test_a_plan_runs_and_stores_nothing(segue):
    done = segue("run", segue.write({"touch": task("touch here")}), "--plan")

    assert "nothing was run or stored" in done.out
    assert sorted(path.name for path in segue.folder.iterdir()) == ["flow.json"]


def test_a_plan_as_json_is_the_graph(segue):
    path = segue.write(TWO)

    plan = segue.json("run", path, "--plan", "--workspace", "here")

    graph = json.loads(segue("graph", path, "--level", "task", "--format", "json").out)
    assert {key: plan[key] for key in graph} == graph


def test_json_on_standard_output_is_one_document_even_with_warnings(segue):
    path = segue.write({"a": task("echo one; echo two >&2"), "b": task("exit 0")})

    document = segue.json("run", path)

    assert document["state"] == "succeeded"
    assert document == segue.json("status")


def test_a_failed_run_as_json_ends_with_1(segue):
    document = segue.json("run", segue.write({"bad": task("exit 9")}), code=1)

    assert document["tasks"][0]["attempts"][0]["exit_code"] == 9


def test_a_detached_run_goes_on_without_us(segue):
    gate = segue.gate()

    done = segue("run", segue.write({"slow": task(gate.script())}), "--detach", "-j", "1")

    run = done.out.strip()
    assert f"segue status {run} --watch" in done.err
    gate.wait()
    assert segue.json("status", run)["state"] == "running"
    gate.open()
    segue.wait_for_state("succeeded", run)


def test_a_detached_run_says_as_json_where_its_log_lies(segue):
    answer = segue.json("run", segue.write(TWO), "--detach")

    segue.wait_for_state("succeeded", answer["run"])
    log = segue.folder / answer["log"]
    wait_until(lambda: "second: succeeded" in log.read_text(), "the log tells of the tasks")
    assert answer["state"] == "running"


def test_a_detached_run_leaves_no_process(segue):
    segue("run", segue.write(TWO), "--detach")

    segue.wait_for_state("succeeded")
    wait_until(lambda: not segue.processes(), "engine and keeper have left")


def test_a_run_leaves_no_process(segue):
    segue("run", segue.write(TWO))

    wait_until(lambda: not segue.processes(), "the keeper has left")


def test_the_environment_and_the_folder_of_the_user_reach_the_tasks(segue):
    path = segue.write({"say": task('echo "$COLOUR $PWD $SEGUE_ATTEMPT"')})

    segue("run", path, COLOUR="blue")

    assert segue("logs", segue.newest(), "say").out == f"blue {segue.folder} 1\n"


def test_a_workflow_without_tasks_is_no_run(segue):
    assert "tasks" in segue("run", segue.write({}), code=2).err
