"""`hold`, `release`, `mark-done`, `retry --again`, `delete`: with an engine and without one."""

from pathlib import Path

import pytest
from commands import task, wait_until


@pytest.fixture
def held(segue):
    """A run whose first task stands at a gate; its engine lives."""
    gate = segue.gate()
    tasks = {"first": task(gate.script()), "second": task("echo two", "first")}
    engine = segue.start("run", segue.write(tasks, "held.json"))
    gate.wait()
    return gate, engine


def test_a_held_task_waits_until_it_is_released(segue, held):
    gate, engine = held
    run = segue.newest()
    assert "holds 1 tasks" in segue("hold", run, "second").out

    gate.open()
    wait_until(lambda: segue.states()["first"] == "succeeded", "the first task ends")
    said = segue("why", run, "second").out
    assert "it is held" in said
    assert f"segue release {run} second" in said
    segue("release", run, "second")

    assert engine.end() == 0
    assert segue.states()["second"] == "succeeded"


def test_what_runs_cannot_be_held_and_what_is_not_held_not_released(segue, held):
    gate, engine = held
    run = segue.newest()

    assert "cannot be held: it is running" in segue("hold", run, "first", code=2).err
    assert "second is not held" in segue("release", run, "second", code=2).err
    assert "did you mean" in segue("hold", run, "secnd", code=2).err
    gate.open()
    engine.end()


def test_a_task_that_failed_is_marked_done_and_the_run_goes_on(segue):
    path = segue.write({"a": task("exit 3"), "b": task("echo b", "a")})
    segue("run", path, code=1)
    run = segue.newest()

    said = segue("mark-done", run, "a", "--reason", "checked by hand")

    assert f"segue resume {run}" in said.err
    assert segue.states() == {"a": "succeeded", "b": "ready"}
    segue("resume", run)
    assert segue.states() == {"a": "succeeded", "b": "succeeded"}
    history = segue.json("history", run)["history"]
    assert any("checked by hand" in line["detail"] for line in history)
    assert "cannot be marked done" in segue("mark-done", run, "a", "--reason", "x", code=2).err


def test_marking_done_needs_a_reason(segue):
    segue("run", segue.write({"a": task("exit 3")}), code=1)

    assert "--reason" in segue("mark-done", segue.newest(), "a", code=2).err
    assert "empty" in segue("mark-done", segue.newest(), "a", "--reason", " ", code=2).err


def test_what_succeeded_runs_again_with_all_behind_it(segue):
    tasks = {"a": task("echo a >> log"), "b": task("echo b >> log", "a"), "c": task("echo c")}
    segue("run", segue.write(tasks))
    run = segue.newest()
    assert "nothing to retry" in segue("retry", run, code=2).err
    assert "needs the names" in segue("retry", run, "--again", code=2).err

    segue("retry", run, "a", "--again")

    attempts = {each["name"]: len(each["attempts"]) for each in segue.json("status", run)["tasks"]}
    assert attempts == {"a": 2, "b": 2, "c": 1}


def test_a_deleted_run_is_gone_and_its_output_stays_until_asked_for(segue):
    path = segue.write({"a": task("echo a")})
    segue("run", path)
    segue("run", path)
    kept, gone = (each["run"] for each in segue.json("runs")["runs"])
    folder = Path(segue.json("status", gone)["tasks"][0]["attempts"][0]["stdout"]).parent

    segue("delete", gone, "-y")

    assert [each["run"] for each in segue.json("runs")["runs"]] == [kept]
    assert folder.exists()
    folder = Path(segue.json("status", kept)["tasks"][0]["attempts"][0]["stdout"]).parent
    assert segue.json("delete", kept, "-y", "--files") == {"deleted": [kept]}
    assert not folder.exists()


def test_a_run_that_goes_on_is_not_deleted(segue, held):
    gate, engine = held

    assert "only runs that have ended" in segue("delete", segue.newest(), "-y", code=2).err
    gate.open()
    engine.end()
