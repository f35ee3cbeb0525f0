"""Two engines want one run: the one that has it keeps it, the one that lost it lets go."""

import os
import signal

import pytest
from chaos import daggy, shell, tasks_of, wait_until


@pytest.fixture
def held(place):
    """A run in a stopped engine, whose first task waits until its gate is opened."""
    gate = place.folder / "gate"
    os.mkfifo(gate)
    content = daggy(first=f"echo $$ >> pids; read x < {gate}; exit 5", after="true")
    content["tasks"]["first"]["job"]["workDir"] = str(place.folder)
    content["tasks"]["after"] |= {"parents": ["first"]}
    content["tasks"]["beside"] = shell("exit 3")
    engine = place.start("run", place.file(content), "--workspace", place.workspace)
    run = place.wait_for_run()
    place.wait_for_task(run, "first", "running")
    place.wait_for_task(run, "beside", "failed")
    stop(place, engine)
    return place, run, engine, gate


def stop(place, engine):
    """Stop the engine where it does not hold the store; nothing here is about that."""

    def stopped():
        engine.send(signal.SIGSTOP)
        if place.can_be_written():
            return True
        engine.send(signal.SIGCONT)
        return False

    wait_until(stopped, "the engine stops outside a transaction")


def check_ended_once(place, run):
    tasks = tasks_of(place.status(run))
    assert {name: len(task["attempts"]) for name, task in tasks.items()} == {
        "first": 1,
        "after": 0,
        "beside": 1,
    }
    assert tasks["first"]["attempts"][0]["exit_code"] == 5
    assert len((place.folder / "pids").read_text().split()) == 1


def test_a_run_is_not_taken_from_a_stopped_engine_whose_lease_is_in_force(held):
    place, run, engine, gate = held

    text = place.segue("resume", run).refused()

    assert f"run {run} is running already" in text
    assert "hint: " in text
    engine.send(signal.SIGCONT)
    gate.write_text("go\n")
    assert engine.end().code == 1
    check_ended_once(place, run)


def test_an_engine_that_slept_past_its_lease_lets_go(held):
    place, run, engine, gate = held
    place.let_leases_run_out()
    heir = place.start("resume", run)
    wait_until(lambda: "3 tasks" in heir.said, "the heir has taken the run over")

    engine.send(signal.SIGCONT)
    gate.write_text("go\n")

    assert heir.end().code == 1
    ended = engine.end()
    assert "Traceback" not in ended.stderr
    assert f"another engine has taken run {run} over" in engine.said
    check_ended_once(place, run)
