"""Ctrl-C, TERM and HUP: what stops, what goes on, and how it is taken up again."""

import signal
import sqlite3

import pytest
from commands import alive, task, wait_until


@pytest.fixture
def held(segue):
    """A run whose first task stands at a gate."""
    gate = segue.gate()
    tasks = {"first": task(gate.script()), "second": task("echo two", "first")}
    engine = segue.start("run", segue.write(tasks, "held.json"), "-j", "1")
    return gate, engine, gate.wait()


def test_ctrl_c_lets_what_runs_end_and_starts_nothing_more(segue, held):
    gate, engine, pid = held

    engine.signal(signal.SIGINT)

    engine.wait_for("nothing more is started; 1 tasks are out")
    assert alive(pid)
    gate.open()
    assert engine.end() == 130
    assert segue.states()["first"] == "succeeded"
    assert segue.states()["second"] in ("waiting", "ready")
    assert "segue resume" in engine.err


def test_after_ctrl_c_the_run_can_be_resumed(segue, held):
    gate, engine, _ = held
    engine.signal(signal.SIGINT)
    engine.wait_for("nothing more is started")
    gate.open()
    engine.end()

    segue("resume", segue.newest())

    assert segue.states() == {"first": "succeeded", "second": "succeeded"}


def test_ctrl_c_takes_back_what_the_keeper_has_not_begun(segue):
    gate = segue.gate()
    tasks = {f"t{number}": task(gate.script()) for number in range(20)}
    engine = segue.start("run", segue.write(tasks), "-j", "1")
    gate.wait()

    engine.signal(signal.SIGINT)
    engine.wait_for("nothing more is started")
    gate.open()

    assert engine.end() == 130
    assert segue.json("status")["counts"] == {"succeeded": 1, "ready": 19}
    assert not gate.reached


def test_ctrl_c_twice_cancels_the_run(segue, held):
    _, engine, pid = held

    engine.signal(signal.SIGINT)
    engine.wait_for("nothing more is started")
    engine.signal(signal.SIGINT)

    assert engine.end() == 130
    assert not alive(pid)
    assert segue.json("status")["state"] == "cancelled"
    wait_until(lambda: not segue.processes(), "nothing is left running")


def test_ctrl_c_twice_stops_even_what_ignores_a_polite_word(segue):
    gate = segue.gate()
    path = segue.write({"deaf": task(f"trap '' TERM INT; {gate.script()}")})
    engine = segue.start("run", path)
    pid = gate.wait()

    engine.signal(signal.SIGINT)
    engine.wait_for("nothing more is started")
    engine.signal(signal.SIGINT)

    assert engine.end() == 130
    assert not alive(pid)


def test_ctrl_c_twice_as_json_prints_the_document(segue):
    gate = segue.gate()
    engine = segue.start("run", segue.write({"a": task(gate.script())}), "--json")
    gate.wait()

    engine.signal(signal.SIGINT)
    engine.wait_for("nothing more is started")
    engine.signal(signal.SIGINT)

    assert engine.end() == 130
    assert '"state": "cancelled"' in engine.out
    assert "cancelling the run" in engine.err


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_told_to_leave_it_leaves_at_once_and_the_tasks_go_on(segue, held, number):
    gate, engine, pid = held

    engine.signal(number)

    assert engine.end() == 130
    assert alive(pid)
    assert segue.json("status")["state"] == "running"
    gate.open()
    segue("resume", segue.newest())
    document = segue.json("status")
    assert [each["state"] for each in document["tasks"]] == ["succeeded", "succeeded"]
    assert [len(each["attempts"]) for each in document["tasks"]] == [1, 1]


def test_a_resume_adopts_what_still_runs(segue, held):
    gate, engine, pid = held
    engine.signal(signal.SIGTERM)
    engine.end()

    resumed = segue.start("resume", segue.newest())

    resumed.wait_for("2 tasks")
    assert alive(pid)
    gate.open()
    assert resumed.end() == 0
    assert not gate.reached


def test_a_resume_can_be_interrupted_like_a_run(segue, held):
    _, engine, pid = held
    engine.signal(signal.SIGTERM)
    engine.end()
    resumed = segue.start("resume", segue.newest())
    resumed.wait_for("2 tasks")

    resumed.signal(signal.SIGINT)
    resumed.wait_for("nothing more is started")
    resumed.signal(signal.SIGINT)

    assert resumed.end() == 130
    assert not alive(pid)


def test_ctrl_c_while_a_retry_waits_for_its_time_leaves_at_once(segue):
    path = segue.write({"later": task("exit 1", maxRetries=1, retryIntervalSeconds=3600)})
    engine = segue.start("run", path)
    wait_until(
        lambda: segue.json("runs")["runs"] and segue.json("status")["tasks"][0]["attempts"]
        and segue.json("status")["tasks"][0]["attempts"][0]["ended_at"],
        "the first attempt ends",
    )  # fmt: skip

    engine.signal(signal.SIGINT)

    assert engine.end() == 130
    assert segue.json("status")["counts"] == {"waiting": 1}


def test_an_engine_whose_run_was_taken_over_leaves_without_a_verdict(segue, held):
    gate, engine, _ = held
    base = sqlite3.connect(segue.folder / "segue.db")
    with base:
        base.execute("UPDATE leases SET epoch = epoch + 1, owner = 'another'")
    base.close()

    gate.open()

    assert engine.end() == 3
    assert "another engine has taken it over" in engine.err
    assert segue.json("status")["state"] == "running"
