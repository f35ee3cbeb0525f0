"""Edit and resume: `segue run --reuse` and `segue retry --edited`, with real processes."""

import json
import os
import signal
import subprocess
import sys
import textwrap

import pytest
from commands import alive, task, wait_for_death, wait_until

STUDY = """
description: {name: demo, description: three sizes}
env: {variables: {OUTPUT_PATH: out}}
study:
  - name: sim
    description: simulate
    run: {cmd: "echo sim $(X) >> $(LOG); test $(X) != 2 || test -e $(LOG).ok"}
  - name: collect
    description: collect
    run: {cmd: "echo collect >> $(LOG)", depends: [sim_*]}
global.parameters:
  X: {values: [1, 2], label: X.%%}
"""


@pytest.fixture
def log(segue):
    """A file to which each task that runs adds its name."""
    return segue.folder / "log"


def names(log):
    return sorted(log.read_text().split()) if log.exists() else []


def logged(log, name, *needs, then="", **members):
    return task(f"echo {name} >> {log}; {then or ':'}", *needs, **members)


@pytest.fixture
def failed(segue, log):
    """A run of three tasks, of which the second failed."""
    tasks = {
        "a": logged(log, "a"),
        "b": logged(log, "b", "a", then="exit 1"),
        "c": logged(log, "c", "b"),
    }
    return segue.json("run", segue.write(tasks), code=1)["run"]


def mended(segue, log):
    """The edited file, in place of the old one."""
    tasks = {"a": logged(log, "a"), "b": logged(log, "b", "a"), "c": logged(log, "c", "b")}
    return segue.write(tasks)


# What runs, what does not ----------------------------------------------------------


def test_only_what_changed_and_what_is_behind_it_runs(segue, failed, log):
    mended(segue, log)

    document = segue.json("retry", failed, "--edited")

    assert document["state"] == "succeeded"
    assert names(log) == ["a", "b", "b", "c"]
    assert document["continues"] == failed
    assert [each["reused_from"] for each in document["tasks"]] == [failed, None, None]
    assert document["workspace"] == segue.json("status", failed)["workspace"]


def test_run_reuse_does_the_same_with_any_file(segue, failed, log):
    path = mended(segue, log)
    other = segue.folder / "other.json"
    os.rename(path, other)

    document = segue.json("run", other, "--reuse", failed)

    assert [each["reused_from"] for each in document["tasks"]] == [failed, None, None]
    assert names(log) == ["a", "b", "b", "c"]


def test_another_file_can_be_named(segue, failed, log):
    os.rename(mended(segue, log), segue.folder / "other.json")

    segue("retry", failed, "other.json", "--edited")

    assert names(log) == ["a", "b", "b", "c"]


def test_a_run_without_an_edit_is_continued_where_it_failed(segue, failed, log):
    segue("retry", failed, "--edited", code=1)

    assert names(log) == ["a", "b", "b"]


def test_windows_say_what_was_taken_over(segue, failed, log):
    mended(segue, log)
    new = segue.json("retry", failed, "--edited")["run"]

    assert "taken over" in next(
        line for line in segue("status", new).out.splitlines() if line.startswith("a ")
    )
    assert f"it continues run {failed}" in segue("status", new).out
    assert f"continued as run {new}" in segue("status", failed).out
    assert f"taken over from run {failed}" in segue("why", new, "a").out
    assert f"taken over from run {failed}" in segue("logs", new, "a").err
    assert f"taken over from {failed}" in segue("history", new, "--task", "a").out


def test_what_a_task_printed_before_is_shown_by_the_new_run(segue):
    path = segue.write({"a": task("echo words"), "b": task("exit 1", "a")})
    run = segue.json("run", path, code=1)["run"]
    new = segue.json("retry", run, "--edited", code=1)["run"]

    assert segue("logs", new, "a").out == "words\n"


def test_in_the_background_the_new_run_is_named(segue, failed, log):
    mended(segue, log)

    run = segue.json("retry", failed, "--edited", "--detach")["run"]

    assert run != failed
    segue.wait_for_state("succeeded", run)
    assert names(log) == ["a", "b", "b", "c"]


def test_a_workflow_that_is_taken_over_whole_runs_nothing(segue, log):
    path = segue.write({"a": logged(log, "a"), "b": logged(log, "b", "a")})
    run = segue.json("run", path)["run"]

    done = segue("run", path, "--reuse", run)

    assert "2 tasks, 2 of them done" in done.out
    assert names(log) == ["a", "b"]


def test_a_study_reads_its_own_workspaces(segue, log):
    text = STUDY.replace("$(LOG)", str(log))
    path = segue.folder / "study.yaml"
    path.write_text(text)
    run = segue.json("run", path, code=1)["run"]
    (segue.folder / "log.ok").touch()
    path.write_text(text.replace("[1, 2]", "[1, 2, 3]"))

    document = segue.json("retry", run, "--edited")

    assert {each["name"]: bool(each["reused_from"]) for each in document["tasks"]} == {
        "sim_X.1": True,
        "sim_X.2": False,
        "sim_X.3": False,
        "collect": False,
    }
    lines = sorted(log.read_text().splitlines())
    assert lines == ["collect", "sim 1", "sim 2", "sim 2", "sim 3"]


def test_a_step_whose_workspace_was_removed_runs(segue, log):
    path = segue.folder / "study.yaml"
    path.write_text(STUDY.replace("$(LOG)", str(log)).replace("[1, 2]", "[1, 3]"))
    document = segue.json("run", path)
    folder = f"{document['workspace']}/sim/X.3"
    subprocess.run(["rm", "-r", folder], check=True)

    plan = segue.json("retry", document["run"], "--edited", "--plan")

    assert {each["name"]: each["reason"] for each in plan["tasks"]} == {
        "sim_X.1": None,
        "sim_X.3": f"its folder is gone: {folder}",
        "collect": "needs 'sim_X.3', which runs",
    }


def test_a_generator_is_taken_over_with_its_tasks(segue, log):
    grown = {"tasks": {"g1": logged(log, "g1"), "g2": logged(log, "g2", "g1")}}
    (segue.folder / "grown.json").write_text(json.dumps(grown))
    script = f"echo g >> {log}; cat {segue.folder}/grown.json"
    tasks = {
        "g": {**task(script), "isGenerator": True},
        "end": logged(log, "end", "g", then="exit 1"),
    }
    run = segue.json("run", segue.write(tasks), code=1)["run"]
    tasks["end"] = logged(log, "end", "g")
    segue.write(tasks)

    document = segue.json("retry", run, "--edited")

    assert names(log) == ["end", "end", "g", "g1", "g2"]
    assert {each["name"] for each in document["tasks"] if each["reused_from"]} == {"g", "g1", "g2"}


# How it is read ----------------------------------------------------------------------


def test_the_options_that_a_run_was_read_with_are_remembered(segue, log):
    tasks = {"a": logged(log, "{{WORD}}"), "b": task("exit 1", "a")}
    path = segue.write(tasks, parameters={"WORD": ["one"]})
    run = segue.json("run", path, "-p", 'WORD=["two"]', code=1)["run"]
    (segue.folder / "elsewhere").mkdir()

    plan = json.loads(
        subprocess.run(
            [sys.executable, "-m", "segue.cli", "retry", run, "--edited", "--plan", "--json"],
            cwd=segue.folder / "elsewhere",
            env=segue.environment,
            capture_output=True,
            check=True,
        ).stdout
    )

    assert names(log) == ["two"]
    assert [each["reason"] for each in plan["tasks"]] == [None, "failed before"]


def test_a_run_that_was_read_from_standard_input_needs_a_file(segue):
    text = json.dumps({"tasks": {"a": task("exit 1")}})
    run = segue.json("run", "-", stdin=text, code=1)["run"]

    assert "standard input" in segue("retry", run, "--edited", code=2).err


def test_an_edited_file_with_faults_changes_nothing(segue, failed):
    (segue.folder / "flow.json").write_text('{"tasks": {"a": {"jbo": 1}}}')

    done = segue("retry", failed, "--edited", code=2)

    assert "flow.json:1:" in done.err
    assert len(segue.json("runs")["runs"]) == 1


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["retry", "{run}", "--plan"], "--plan is for an edited file"),
        (["retry", "{run}", "--edited", "a", "b"], "takes one file"),
        (["retry", "{run}", "--edited", "nowhere.json"], "cannot be read"),
        (["run", "flow.json", "--reuse", "{run}", "--workspace", "x"], "leave --workspace out"),
        (["run", "flow.json", "--reuse", "nope"], "there is no run"),
    ],
)
def test_mistakes_are_explained(segue, failed, words, said):
    done = segue(*[word.format(run=failed) for word in words], code=2)

    assert said in done.err


def test_what_a_later_run_has_written_over_is_not_reused(segue, failed, log):
    mended(segue, log)
    new = segue.json("retry", failed, "--edited")["run"]

    done = segue("retry", failed, "--edited", code=2)

    assert f"take over from {new}" in done.err
    assert f"was continued as run {new}" in segue("retry", failed, code=2).err


# The plan ----------------------------------------------------------------------------


def test_a_plan_tells_what_would_run_and_why(segue, failed, log):
    mended(segue, log)

    done = segue("retry", failed, "--edited", "--plan")

    lines = [" ".join(line.split()) for line in done.out.splitlines()]
    assert "1 of 3 tasks are taken over" in lines[0]
    assert "a taken over nothing changed" in lines
    assert "b runs changed: action" in lines
    assert "c runs needs 'b', which runs" in lines
    assert names(log) == ["a", "b"]
    assert len(segue.json("runs")["runs"]) == 1


def test_a_plan_as_json_has_a_reason_for_each_task(segue, failed, log):
    path = mended(segue, log)

    plan = segue.json("run", path, "--reuse", failed, "--plan")

    assert plan["continues"] == failed
    assert [(each["name"], each["taken_over"], each["reason"]) for each in plan["tasks"]] == [
        ("a", True, None),
        ("b", False, "changed: action"),
        ("c", False, "needs 'b', which runs"),
    ]


# A run that has not ended --------------------------------------------------------------


@pytest.fixture
def under_way(segue, log):
    """A run with one task that stays as it is and one that will be edited, both at a gate."""
    kept, doomed = segue.gate("kept"), segue.gate("doomed")
    tasks = {
        "kept": logged(log, "kept", then=kept.script()),
        "doomed": logged(log, "doomed", then=doomed.script()),
        "end": logged(log, "end", "kept", "doomed"),
    }
    engine = segue.start("run", segue.write(tasks), "-j", "2")
    pids = kept.wait(), doomed.wait()
    tasks["doomed"] = logged(log, "doomed", then="exit 0")
    segue.write(tasks)
    return kept, engine, pids, segue.newest()


def check_continued(segue, log, old, new):
    assert names(log) == ["doomed", "doomed", "end", "kept"]
    document = segue.json("status", new)
    assert document["state"] == "succeeded"
    reused = {each["name"]: each["reused_from"] for each in document["tasks"]}
    assert reused == {"kept": old, "doomed": None, "end": None}
    assert segue.json("status", old)["state"] == "cancelled"
    details = [each["detail"] for each in segue.json("history", old)["history"]]
    assert any("continued as" in detail for detail in details)
    assert f"continued as run {new}" in segue("status", old).out


def test_a_running_run_comes_to_rest_before_it_is_continued(segue, under_way, log):
    gate, engine, (kept, doomed), old = under_way

    door = segue.start("retry", old, "--edited")

    door.wait_for(f"waiting for 1 task of run {old}: kept")
    wait_for_death(doomed)
    assert alive(kept)
    gate.open()
    assert door.end() == 0
    assert engine.end() == 130
    check_continued(segue, log, old, segue.newest())


def test_a_run_whose_engine_was_killed_is_continued(segue, under_way, log):
    gate, engine, (kept, doomed), old = under_way
    engine.process.kill()
    engine.process.wait()

    door = segue.start("retry", old, "--edited")

    door.wait_for(f"waiting for 1 task of run {old}: kept")
    wait_for_death(doomed)
    assert alive(kept)
    gate.open()
    assert door.end() == 0
    check_continued(segue, log, old, segue.newest())


def test_a_run_whose_engine_dies_while_it_is_waited_for_is_continued(segue, under_way, log):
    gate, engine, _, old = under_way
    door = segue.start("retry", old, "--edited")
    door.wait_for(f"waiting for 1 task of run {old}: kept")

    engine.process.kill()
    engine.process.wait()

    gate.open()
    assert door.end() == 0
    check_continued(segue, log, old, segue.newest())


@pytest.mark.parametrize("orphaned", [False, True])
def test_ctrl_c_leaves_the_run_paused(segue, under_way, orphaned):
    gate, engine, (kept, _), old = under_way
    if orphaned:
        engine.process.kill()
        engine.process.wait()
    door = segue.start("retry", old, "--edited")
    door.wait_for(f"waiting for 1 task of run {old}: kept")

    door.signal(signal.SIGINT)

    assert door.end() == 130
    assert f"run {old} is left paused" in door.err
    assert alive(kept)
    assert segue.json("status", old)["state"] == "paused"
    assert len(segue.json("runs")["runs"]) == 1
    gate.open()


def test_a_door_that_is_killed_while_it_waits_can_be_used_again(segue, under_way, log):
    gate, _, _, old = under_way
    door = segue.start("retry", old, "--edited")
    door.wait_for(f"waiting for 1 task of run {old}: kept")

    door.close()
    gate.open()

    segue("retry", old, "--edited")
    check_continued(segue, log, old, segue.newest())


def test_what_behind_a_change_is_out_is_stopped_too(segue, log):
    gate = segue.gate()
    tasks = {"a": logged(log, "a"), "b": logged(log, "b", "a", then=gate.script())}
    engine = segue.start("run", segue.write(tasks))
    pid = gate.wait()
    old = segue.newest()
    segue.write({"a": logged(log, "A"), "b": logged(log, "b", "a", then=gate.script())})

    door = segue.start("retry", old, "--edited")

    wait_for_death(pid)
    gate.wait()
    gate.open()
    assert door.end() == 0
    assert engine.end() == 130
    assert names(log) == ["A", "a", "b", "b"]


# The door is killed at any line --------------------------------------------------------

#: Kills its own process when it comes by a point for the first time.
KILLER = """
    import os, signal, sys
    from segue.store.sqlite import SqliteStore
    from segue.cli.main import main

    point, words = sys.argv[1], sys.argv[2:]

    def die(*_, **__):
        os.kill(os.getpid(), signal.SIGKILL)

    def after(function):
        def wrapped(*arguments, **named):
            function(*arguments, **named)
            die()
        return wrapped

    match point:
        case "before the run is stored":
            SqliteStore.create_run = die
        case "in the middle of storing it":
            SqliteStore._put = die
        case "after the run is stored":
            SqliteStore.create_run = after(SqliteStore.create_run)
        case "after its engine has its lease":
            SqliteStore.acquire = after(SqliteStore.acquire)
        case "before its first commit":
            SqliteStore.commit_many = die
        case "after its first commit":
            SqliteStore.commit_many = after(SqliteStore.commit_many)
    main(words)
    """

NOT_STORED = {"before the run is stored", "in the middle of storing it"}


@pytest.mark.parametrize(
    "point",
    [
        "before the run is stored",
        "in the middle of storing it",
        "after the run is stored",
        "after its engine has its lease",
        "before its first commit",
        "after its first commit",
    ],
)
def test_a_door_killed_at_any_point_runs_nothing_again_and_loses_nothing(segue, failed, log, point):
    mended(segue, log)
    command = [sys.executable, "-c", textwrap.dedent(KILLER), point, "retry", failed, "--edited"]

    done = subprocess.run(command, cwd=segue.folder, env=segue.environment, check=False)

    assert done.returncode == -signal.SIGKILL
    runs = [each["run"] for each in segue.json("runs")["runs"]]
    assert len(runs) == (1 if point in NOT_STORED else 2)
    if point in NOT_STORED:
        segue("retry", failed, "--edited")
    else:
        segue("resume", runs[0])
    document = segue.json("status")
    assert document["state"] == "succeeded"
    assert [each["reused_from"] for each in document["tasks"]] == [failed, None, None]
    assert names(log) == ["a", "b", "b", "c"]


@pytest.mark.parametrize("point", ["after the run is stored", "after its first commit"])
def test_a_run_that_was_under_way_ends_even_if_the_door_is_killed(segue, under_way, log, point):
    gate, engine, _, old = under_way
    engine.process.kill()
    engine.process.wait()
    gate.open()
    command = [sys.executable, "-c", textwrap.dedent(KILLER), point, "retry", old, "--edited"]

    subprocess.run(
        command, cwd=segue.folder, env=segue.environment, check=False, capture_output=True
    )

    # Where it died before it stored the new run, the next try finds all as it was.
    if len(segue.json("runs")["runs"]) == 1:
        segue("retry", old, "--edited")
    else:
        segue("resume", old, code=None)
        segue("resume", segue.newest())
    wait_until(lambda: segue.json("status", old)["state"] == "cancelled", "the old run ends")
    check_continued(segue, log, old, segue.newest())
