"""Limits that change while a run runs, `-j` that is remembered, and `resume --all`."""

import signal

import pytest
from commands import alive, task, wait_until

# update ------------------------------------------------------------------------------


@pytest.fixture
def one_by_one(segue):
    """A run that lets one task out at a time; its first task stands at a gate."""
    gate = segue.gate()
    tasks = {name: task(gate.script()) for name in ("a", "b", "c")}
    engine = segue.start("run", segue.write(tasks), "-j", "3", "--limit", "1")
    gate.wait()
    return gate, engine


def test_a_living_engine_takes_a_new_limit(segue, one_by_one):
    gate, engine = one_by_one

    done = segue("update", segue.newest(), "--limit", "0", "--restart-limit", "2")

    assert "has new limits: limit 0, restart limit 2" in done.out
    gate.wait(), gate.wait()
    document = segue.json("status")
    assert (document["limit"], document["restart_limit"]) == (0, 2)
    gate.open(3)
    assert engine.end() == 0


def test_a_run_without_an_engine_takes_a_new_limit_here(segue, one_by_one):
    gate, engine = one_by_one
    engine.process.kill()
    engine.process.wait()

    answer = segue.json("update", segue.newest(), "--limit", "2")

    assert answer["state"] == "running"
    assert segue.json("status")["limit"] == 2
    gate.open(3)
    segue("resume", segue.newest())


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ([], "nothing is to be changed"),
        (["--limit", "-1"], "--limit"),
        (["--limit", "many"], "--limit"),
    ],
)
def test_what_is_no_limit_is_explained(segue, one_by_one, words, said):
    done = segue("update", segue.newest(), *words, code=2)

    assert said in done.err


def test_a_run_that_has_ended_has_no_limits_to_change(segue):
    segue("run", segue.write({"a": task("exit 0")}))

    done = segue("update", "--limit", "1", code=2)

    assert "has ended already: succeeded" in done.err
    assert "segue retry" in done.err


def test_limits_are_kept_when_an_edited_workflow_continues_the_run(segue, one_by_one):
    gate, engine = one_by_one
    segue("update", "--limit", "2", "--restart-limit", "4")
    gate.open(3)
    assert engine.end() == 0

    document = segue.json("retry", "--edited")

    assert (document["limit"], document["restart_limit"]) == (2, 4)


# -j ----------------------------------------------------------------------------------


def test_resume_runs_as_many_tasks_at_once_as_run_was_told(segue):
    gate = segue.gate()
    # Two at once would stand in each other's way.
    tasks = {f"t{number}": task("mkdir busy && rmdir busy") for number in range(40)}
    engine = segue.start("run", segue.write({"first": task(gate.script()), **tasks}), "-j", "1")
    gate.wait()
    engine.process.kill()
    engine.process.wait()
    gate.open()

    segue("resume", segue.newest())

    assert segue.json("status")["counts"] == {"succeeded": 41}


# resume --all ------------------------------------------------------------------------


def test_every_run_without_an_engine_is_taken_up(segue):
    gates = {name: segue.gate(name) for name in ("one", "two", "paused", "owned")}
    engines = {}
    for name, gate in gates.items():
        path = segue.write({"a": task(gate.script()), "b": task(":", "a")}, f"{name}.json")
        engines[name] = segue.start("run", path)
        gate.wait()
    runs = {each["workflow"]: each["run"] for each in segue.json("runs")["runs"]}
    segue("pause", runs["paused"])
    for name in ("one", "two", "paused"):
        engines[name].process.kill()
        engines[name].process.wait()

    document = segue.json("resume", "--all")

    assert [each["run"] for each in document["runs"]] == [runs["one"], runs["two"]]
    assert {each["taken_up"] for each in document["runs"]} == {True}
    for gate in gates.values():
        gate.open()
    for name in ("one", "two"):
        segue.wait_for_state("succeeded", runs[name])
    assert engines["owned"].end() == 0
    assert segue.json("status", runs["paused"])["state"] == "paused"


def test_where_no_run_waits_that_is_said(segue):
    segue("run", segue.write({"a": task("exit 0")}))

    assert segue("resume", "--all").out == "no run waits for an engine\n"
    assert segue.json("resume", "--all") == {"runs": []}


def test_a_run_that_cannot_be_taken_up_does_not_stop_the_others(segue):
    for name in ("lost", "good"):
        gate = segue.gate(name)
        path = segue.write({"a": task(gate.script())}, f"{name}.json")
        engine = segue.start("run", path, "--workspace", segue.folder / f"{name}.d")
        gate.wait()
        engine.process.kill()
        engine.process.wait()
        gate.open()
    wait_until(lambda: not segue.processes(), "the tasks end")
    lost = segue.folder / "lost.d"
    lost.rename(segue.folder / "elsewhere")
    lost.write_text("no folder any more")

    done = segue("resume", "--all", code=3)

    lines = done.out.splitlines()
    assert "could not be taken up" in lines[0]
    assert "goes on in the background" in lines[1]


def test_all_and_one_run_are_not_both_meant(segue):
    assert "--all names every run" in segue("resume", "some-run", "--all", code=2).err


# What Ctrl-C says ----------------------------------------------------------------------


def test_ctrl_c_counts_only_what_is_out_after_the_recall(segue):
    gate = segue.gate()
    tasks = {f"t{number}": task(gate.script()) for number in range(20)}
    engine = segue.start("run", segue.write(tasks), "-j", "1")
    pid = gate.wait()

    engine.signal(signal.SIGINT)

    engine.wait_for("nothing more is started")
    assert "nothing more is started; 1 tasks are out" in engine.out
    assert alive(pid)
    gate.open()
    assert engine.end() == 130


# What status says ----------------------------------------------------------------------


def test_a_second_attempt_does_not_show_how_the_first_one_ended(segue):
    gate = segue.gate()
    again = f"test -e tried && {{ {gate.script()}; }} || {{ touch tried; exit 7; }}"
    path = segue.write({"a": {**task(again), "maxRetries": 1}})
    engine = segue.start("run", path)
    gate.wait()
    wait_until(lambda: segue.states()["a"] == "running", "the second attempt begins")

    (shown,) = segue.json("status")["tasks"]

    assert (shown["state"], shown["cause"]) == ("running", None)
    assert [each["cause"] for each in shown["attempts"]] == ["exit_code", None]
    assert "exit code" not in segue("status").out
    gate.open()
    assert engine.end() == 0
