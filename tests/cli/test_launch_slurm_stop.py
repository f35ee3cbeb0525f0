"""Signals and crashes of a launch on the local executor: nothing is left, or all goes on."""

import os
import signal
import sqlite3
import subprocess
from contextlib import closing
from pathlib import Path

import pytest
from commands import alive, task, wait_for_death, wait_until
from launch_program import blocks

#: While the Scripter stands at its gate, a step waits that a failure would let run.
DAG = """\
!LUTE_DAG
task_name: Scripter
next:
- !ALL_FAILED
  task_name: SocketTester
  next: []
- task_name: Tester
  next: []
"""


@pytest.fixture
def held(launch):
    """A launch whose first step stands at a gate: the gate, the launch, the step's process."""
    gate = launch.gate()
    launch.scripted(f"subprocess.run(['/bin/sh', '-c', {gate.script()!r}])")
    launch.dag(DAG)
    launched = launch.start("-W", "flow.dag")
    return gate, launched, gate.wait()


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 1), (signal.SIGHUP, 1)]
)
def test_a_signal_cancels_everything_and_the_verdict_is_printed(launch, held, number, code):
    _, launched, pid = held

    launched.signal(number)

    assert launched.end() == code
    wait_for_death(pid)
    assert not launch.processes() - launch_keepers(launch)
    assert [each.status for each in blocks(launched.out)] == ["CANCELLED"] * 3
    assert launched.out.endswith("Exiting after workflow failed! [0/3 succeeded]\n")
    assert set(launch.segue.states().values()) == {"cancelled"}


def launch_keepers(launch):
    """Keepers end by themselves when nothing is left for them to do."""
    return {
        number
        for number in launch.processes()
        if b"keeper" in Path(f"/proc/{number}/cmdline").read_bytes()
    }


def test_a_run_that_another_terminal_cancels_ends_as_cancelled(launch, held):
    _, launched, pid = held

    launch.segue("cancel", launch.segue.newest())

    assert launched.end() == 130
    wait_for_death(pid)


@pytest.mark.parametrize("door", ["launch_slurm", "segue"])
def test_a_launch_that_was_killed_goes_on_with_its_server_where_it_was(launch, held, door):
    gate, launched, pid = held
    run = launch.segue.newest()
    place = (launch.own_folder() / "server.json").read_text()
    launched.process.kill()
    launched.process.wait()

    again = launch.resume(run) if door == "launch_slurm" else launch.segue.start("resume", run)
    again.wait_for(f"Run {run}: 3 steps")
    wait_until(lambda: (launch.own_folder() / "server.json").exists(), "the Server listens")
    listening = (launch.own_folder() / "server.json").read_text()
    assert alive(pid)
    gate.open()

    assert again.end() == 0
    assert listening == place
    shown = {each.name: each.status for each in blocks(again.out)}
    assert shown == {
        "Scripter": "COMPLETED",
        "SocketTester": "UPSTREAM_FAILED",
        "Tester": "COMPLETED",
    }
    assert again.out.endswith("Exiting after workflow completed successfully.\n")


def test_a_launch_of_a_machine_that_is_not_seen_goes_on_when_that_is_wanted(launch, held):
    gate, launched, _ = held
    run = launch.segue.newest()
    launched.process.kill()
    launched.process.wait()
    with closing(sqlite3.connect(launch.folder / "segue.db")) as store, store:
        store.execute("UPDATE leases SET host = 'elsewhere', until = 0")

    refused = launch.resume(run)
    assert refused.end() == 2
    forced = launch.resume(run, "--force")
    forced.wait_for(f"Run {run}: 3 steps")
    gate.open()

    assert "add --force" in refused.err
    assert forced.end() == 0


def test_what_has_ended_is_only_told_again(launch):
    launch.scripted("pass")
    launch.dag("!LUTE_DAG\ntask_name: Scripter\nnext: []\n")
    launch("-W", "flow.dag")

    again = launch.resume(launch.segue.newest())

    assert again.end() == 0
    assert again.out.endswith("Exiting after workflow completed successfully.\n")


def test_only_a_launch_is_resumed_and_only_when_it_is_dead(launch, held):
    gate, launched, _ = held
    run = launch.segue.newest()

    living = launch.resume(run)

    assert living.end() == 2
    assert "is running already" in living.err
    gate.open()
    assert launched.end() == 0
    launch.segue("run", launch.segue.write({"a": task("exit 0")}, "other.json"))
    other = launch.resume(launch.segue.newest())
    assert other.end() == 2
    assert "was not launched by launch_slurm" in other.err


def test_a_reader_that_leaves_ends_no_run(launch):
    gate = launch.gate()
    launch.scripted(f"subprocess.run(['/bin/sh', '-c', {gate.script()!r}]); sys.exit(3)")
    launch.dag(DAG)
    read_end, write_end = os.pipe()
    process = subprocess.Popen(
        launch.words("-W", "flow.dag", "--verdict", "maestro"),
        cwd=launch.folder,
        env=launch.segue.environment,
        stdout=write_end,
        stderr=subprocess.DEVNULL,
    )
    os.close(write_end)
    gate.wait()
    os.close(read_end)

    gate.open()
    assert process.wait(60) == 1
    assert launch.segue.states()["SocketTester"] == "succeeded"
