"""A job lives as long as somebody asks for it, and a lease more, whoever dies."""

import os
import signal

import pytest
from daemons import Gate
from places import alive, wait_for_death
from served import wait_until

from segue.model.states import Cause

SHORT_S = 2.0


def test_a_job_whose_engine_is_silent_is_stopped_and_its_end_is_kept(daemon):
    gate = Gate(daemon.folder)
    daemon.put("run-1.0.1", f"setsid sleep 600 & {gate.script()}", lease_s=SHORT_S)
    gate.wait()

    end = daemon.end_of("run-1.0.1")

    assert end.cause is Cause.LOST
    assert "nobody has asked for it" in end.message
    assert not daemon.processes()
    assert daemon.free()["cores"] == 4
    assert [told.name for told in daemon.changes().tasks] == ["run-1.0.1"]
    assert daemon.ack("run-1.0.1") == 1


def test_a_job_whose_engine_asks_lives_on(daemon):
    gate = Gate(daemon.folder)
    daemon.put("run-1.0.1", gate.script(), lease_s=SHORT_S)
    daemon.put("run-2.0.1", "sleep 600", lease_s=2 * SHORT_S, owner="engine-2")

    # As long as the other's lease, and longer than its own.
    wait_until(
        lambda: daemon.changes(wait=60) and daemon.told("run-2.0.1").state == "ended", "its end"
    )

    assert daemon.told("run-1.0.1").state == "running"
    gate.open()
    assert daemon.end_of("run-1.0.1").cause is None


def test_who_takes_a_job_over_keeps_it_alive(daemon):
    gate = Gate(daemon.folder)
    daemon.put("run-1.0.1", gate.script(), lease_s=SHORT_S)
    daemon.put("run-2.0.1", "sleep 600", lease_s=2 * SHORT_S, owner="engine-3")
    daemon.find("run-1.0.1", owner="engine-2")

    wait_until(
        lambda: daemon.changes(owner="engine-2") and daemon.told("run-2.0.1").state == "ended",
        "its end",
    )

    assert daemon.told("run-1.0.1").state == "running"


def test_without_a_runner_the_jobs_are_stopped_when_their_leases_are_over(daemon):
    gate, patient = Gate(daemon.folder), Gate(daemon.folder, "patient")
    daemon.put("run-1.0.1", f"setsid sleep 600 & {gate.script()}", lease_s=SHORT_S)
    daemon.put("run-1.1.1", patient.script("exit 3"))
    (pid,) = gate.wait()
    (other,) = patient.wait()

    daemon.end()
    wait_for_death(pid)

    wait_until(lambda: daemon.processes() == [other], "nothing else is left")
    daemon.start()
    end = daemon.end_of("run-1.0.1")
    assert end.cause is Cause.LOST
    assert "nobody has asked for it" in end.message
    patient.open()
    assert daemon.end_of("run-1.1.1").exit_code == 3


@pytest.mark.parametrize("kind", [signal.SIGKILL, signal.SIGTERM])
def test_a_runner_that_comes_back_in_time_keeps_everything(daemon, kind):
    gate = Gate(daemon.folder)
    daemon.put("run-1.0.1", gate.script("exit 3"), lease_s=60.0)
    gate.wait()

    daemon.end(kind)
    daemon.start()
    daemon.changes()

    gate.open()
    assert daemon.end_of("run-1.0.1").exit_code == 3
    assert len(gate.wait()) == 1


def test_a_runner_that_is_stopped_in_its_tracks_does_not_keep_jobs_alive(daemon):
    gate = Gate(daemon.folder)
    daemon.put("run-1.0.1", gate.script(), lease_s=SHORT_S)
    (pid,) = gate.wait()

    os.kill(daemon.process.pid, signal.SIGSTOP)
    wait_for_death(pid)
    os.kill(daemon.process.pid, signal.SIGCONT)

    assert daemon.end_of("run-1.0.1").cause is Cause.LOST
    assert not alive(pid)
