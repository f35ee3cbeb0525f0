"""`cancel`, `retry`, `pause`, `resume`: to a living engine, and without one."""

import pytest
from commands import alive, task, wait_for_death, wait_until

FLAKY = "test -e fixed"


@pytest.fixture
def held(segue):
    """A run whose first task stands at a gate; its engine lives."""
    gate = segue.gate()
    tasks = {"first": task(gate.script()), "second": task("echo two", "first")}
    engine = segue.start("run", segue.write(tasks, "held.json"))
    pid = gate.wait()
    return gate, engine, pid


def orphaned(engine):
    """Kill the engine, as a machine short of memory would."""
    engine.process.kill()
    engine.process.wait()


def kinds(segue, kind):
    return [each["detail"] for each in segue.json("history")["history"] if each["kind"] == kind]


# cancel --------------------------------------------------------------------------


def test_a_cancel_from_another_process_stops_the_run_and_its_tasks(segue, held):
    _, engine, pid = held

    segue("cancel", segue.newest())

    assert engine.end() == 130
    assert not alive(pid)
    assert segue.states() == {"first": "cancelled", "second": "cancelled"}
    assert segue.json("status")["state"] == "cancelled"
    wait_until(lambda: not segue.processes(), "nothing is left")


def test_a_cancel_stops_everything_that_a_task_has_started(segue):
    gate = segue.gate()
    path = segue.write({"parent": task(f"({gate.script()}) & ({gate.script()}) & wait")})
    engine = segue.start("run", path)
    children = [gate.wait(), gate.wait()]

    segue("cancel", segue.newest())

    assert engine.end() == 130
    for child in children:
        wait_for_death(child)


def test_one_task_is_cancelled_and_the_others_go_on(segue):
    gates = [segue.gate("kept"), segue.gate("dropped")]
    tasks = {"kept": task(gates[0].script()), "dropped": task(gates[1].script())}
    engine = segue.start("run", segue.write(tasks), "-j", "2")
    kept, dropped = gates[0].wait(), gates[1].wait()

    segue("cancel", segue.newest(), "dropped")

    wait_for_death(dropped)
    assert alive(kept)
    gates[0].open()
    engine.end()
    assert segue.states() == {"kept": "succeeded", "dropped": "cancelled"}


def test_a_run_without_an_engine_is_cancelled_here(segue, held):
    _, engine, pid = held
    orphaned(engine)
    assert alive(pid)

    segue("cancel", segue.newest())

    assert segue.json("status")["state"] == "cancelled"
    wait_for_death(pid)
    wait_until(lambda: not segue.processes(), "nothing is left")


def test_cancel_as_json_tells_the_state(segue, held):
    _, engine, _ = held
    orphaned(engine)

    answer = segue.json("cancel", segue.newest())

    assert answer["state"] == "cancelled"
    assert answer["counts"] == {"cancelled": 2}


def test_a_run_that_has_ended_cannot_be_cancelled(segue):
    segue("run", segue.write({"a": task("exit 0")}))

    done = segue("cancel", segue.newest(), code=2)

    assert "has ended already: succeeded" in done.err


# pause and resume ----------------------------------------------------------------


def test_a_paused_run_starts_nothing_more_until_it_is_resumed(segue, held):
    gate, engine, _ = held
    run = segue.newest()

    segue("pause", run)
    gate.open()

    wait_until(lambda: segue.states()["first"] == "succeeded", "the first task ends")
    assert segue.json("status")["state"] == "paused"
    assert segue.states()["second"] in ("waiting", "ready")
    segue("resume", run)
    assert engine.end() == 0
    assert segue.states()["second"] == "succeeded"


def test_why_of_a_paused_run_leads_to_resume(segue, held):
    gate, _, _ = held
    run = segue.newest()
    segue("pause", run)
    gate.open()
    wait_until(lambda: segue.states()["second"] == "ready", "the second task is ready")

    assert f"segue resume {run}" in segue("why", run, "second").out


def test_a_run_without_an_engine_is_paused_and_resumed_here(segue, held):
    gate, engine, pid = held
    orphaned(engine)
    run = segue.newest()

    segue("pause", run)

    assert segue.json("status")["state"] == "paused"
    assert alive(pid)
    gate.open()
    segue("resume", run)
    assert segue.states() == {"first": "succeeded", "second": "succeeded"}


def test_pausing_twice_changes_nothing_more(segue, held):
    segue("pause", segue.newest())

    segue("pause", segue.newest())

    assert segue.json("status")["state"] == "paused"


def test_a_run_whose_engine_was_killed_is_taken_over(segue, held):
    gate, engine, pid = held
    orphaned(engine)
    gate.open()

    done = segue("resume", segue.newest())

    assert "succeeded" in done.out
    document = segue.json("status")
    assert [len(each["attempts"]) for each in document["tasks"]] == [1, 1]
    assert any("taken over" in detail for detail in kinds(segue, "engine"))
    assert not alive(pid)


def test_a_run_is_taken_over_in_the_background(segue, held):
    gate, engine, _ = held
    orphaned(engine)

    segue("resume", segue.newest(), "--detach")

    gate.open()
    segue.wait_for_state("succeeded")


def test_a_run_whose_engine_lives_is_not_taken_over(segue, held):
    gate, engine, _ = held

    done = segue("resume", segue.newest(), code=2)

    assert "is running already" in done.err
    gate.open()
    assert engine.end() == 0


def test_resuming_a_run_that_has_ended_tells_its_verdict(segue):
    run = segue.json("run", segue.write({"a": task("exit 0")}))["run"]
    bad = segue.json("run", segue.write({"b": task("exit 1")}, "bad.json"), code=1)["run"]

    assert "succeeded" in segue("resume", run).out
    assert "failed" in segue("resume", bad, code=1).out
    assert segue.json("resume", run) == segue.json("status", run)


# retry ---------------------------------------------------------------------------


def test_what_failed_is_run_again_and_what_succeeded_stays(segue):
    log = segue.folder / "log"
    tasks = {
        "good": task(f"echo good >> {log}"),
        "bad": task(f"echo bad >> {log}; {FLAKY}", "good"),
        "after": task(f"echo after >> {log}", "bad"),
    }
    run = segue.json("run", segue.write(tasks), code=1)["run"]
    (segue.folder / "fixed").touch()

    segue("retry", run)

    assert log.read_text().split() == ["good", "bad", "bad", "after"]
    assert set(segue.states().values()) == {"succeeded"}
    attempts = {each["name"]: each["attempts"] for each in segue.json("status")["tasks"]}
    assert [each["exit_code"] for each in attempts["bad"]] == [1, 0]


def test_a_retry_that_fails_again_ends_with_1(segue):
    run = segue.json("run", segue.write({"bad": task("exit 1")}), code=1)["run"]

    document = segue.json("retry", run, code=1)

    assert [each["number"] for each in document["tasks"][0]["attempts"]] == [1, 2]


def test_one_task_is_run_again(segue):
    tasks = {"a": task(FLAKY), "b": task(FLAKY)}
    run = segue.json("run", segue.write(tasks), code=1)["run"]
    (segue.folder / "fixed").touch()

    segue("retry", run, "a", code=1)

    assert segue.states() == {"a": "succeeded", "b": "failed"}


def test_a_living_engine_tries_again(segue):
    gate = segue.gate()
    tasks = {"slow": task(gate.script()), "bad": task(FLAKY), "after": task(":", "bad")}
    engine = segue.start("run", segue.write(tasks), "-j", "2")
    gate.wait()
    wait_until(lambda: segue.states()["after"] == "skipped", "the bad task fails")
    (segue.folder / "fixed").touch()

    done = segue("retry", segue.newest())

    assert "tries again" in done.out
    wait_until(lambda: segue.states()["after"] == "succeeded", "it is tried again")
    gate.open()
    assert engine.end() == 0


def test_a_cancelled_run_can_be_tried_again(segue, held):
    gate, engine, _ = held
    segue("cancel", segue.newest())
    assert engine.end() == 130

    gate.open()
    segue("retry", segue.newest())

    assert set(segue.states().values()) == {"succeeded"}


def test_a_run_is_tried_again_in_the_background(segue):
    run = segue.json("run", segue.write({"bad": task(FLAKY)}), code=1)["run"]
    (segue.folder / "fixed").touch()

    segue("retry", run, "--detach")

    segue.wait_for_state("succeeded", run)


def test_a_retry_in_the_background_in_json_names_the_run(segue):
    run = segue.json("run", segue.write({"bad": task(FLAKY)}), code=1)["run"]
    (segue.folder / "fixed").touch()

    assert segue.json("retry", run, "--detach")["run"] == run
    segue.wait_for_state("succeeded", run)


def test_only_the_tasks_named_are_tried_again_in_the_background(segue):
    tasks = {"a": task(FLAKY), "b": task(FLAKY)}
    run = segue.json("run", segue.write(tasks), code=1)["run"]
    (segue.folder / "fixed").touch()

    segue("retry", run, "a", "--detach")

    wait_until(lambda: segue.states()["a"] == "succeeded", "the task is tried again")
    segue.wait_for_state("failed", run)
    assert segue.states()["b"] == "failed"


def test_a_run_that_has_succeeded_has_nothing_to_retry(segue):
    run = segue.json("run", segue.write({"a": task("exit 0")}))["run"]

    assert "nothing to retry" in segue("retry", run, code=2).err


def test_a_task_that_has_succeeded_is_not_run_again(segue):
    tasks = {"good": task("echo again >> log"), "bad": task("exit 1")}
    run = segue.json("run", segue.write(tasks), code=1)["run"]

    refused = segue("retry", run, "good", code=2)
    warned = segue("retry", run, "good", "bad", code=1)

    assert "good: succeeded already, and so not run again" in refused.err
    assert f"'segue retry {run} good --again'" in refused.err
    assert "good: succeeded already" in warned.err
    assert (segue.folder / "log").read_text() == "again\n"
