"""`conductor`: a study goes on after whatever was killed, and nothing that finished runs again."""

import os
import signal
import subprocess

import pytest
from commands import wait_for_death
from maestro_program import CONDUCTOR, step


@pytest.fixture
def stopped(maestro):
    """A study whose first step has finished, and whose second one runs behind a gate."""
    gate = maestro.gate()
    marks = maestro.folder / "marks"
    steps = {
        "first": step(f"echo first >> {marks}"),
        "second": step(f"echo second >> {marks}; {gate.script()}", "first"),
        "third": step(f"echo third >> {marks}", "second"),
    }
    maestro.launch(maestro.write(steps))
    gate.wait()
    maestro.marks = lambda: marks.read_text().split()
    return gate


def kill_all(maestro, numbers):
    for number in numbers:
        maestro.kill(number)
        wait_for_death(number)


def test_a_killed_conductor_is_followed_by_another(maestro, stopped):
    kill_all(maestro, maestro.conductors())

    going = maestro.start("out", program=CONDUCTOR)
    going.wait_for("taken over")
    stopped.open()

    assert going.end() == 0
    assert maestro.marks() == ["first", "second", "third"]
    assert set(maestro.states().values()) == {"FINISHED"}
    assert maestro.kept_rows() == maestro.states()


def test_a_step_that_ended_without_a_conductor_is_not_run_again(maestro, stopped):
    kill_all(maestro, maestro.conductors())
    stopped.open()

    maestro.conductor("out")

    assert maestro.marks() == ["first", "second", "third"]


def test_after_everything_was_killed_what_ran_runs_again(maestro, stopped):
    # As a machine that loses its power: whoever could tell of the others' deaths dies first.
    kill_all(maestro, maestro.conductors())
    kill_all(maestro, maestro.keepers())
    kill_all(maestro, maestro.processes())
    shown = maestro("status", "out")
    assert "no conductor is alive" in shown.err

    going = maestro.start("out", program=CONDUCTOR)
    stopped.wait()
    stopped.open()

    assert going.end() == 0
    assert maestro.marks() == ["first", "second", "second", "third"]


def test_a_study_has_one_conductor(maestro, stopped):
    done = maestro.conductor("out", code=1)

    assert "is owned by process" in done.err
    stopped.open()
    assert maestro.wait_until_ended() == "FINISHED"


def test_a_conductor_that_is_told_to_leave_leaves_what_runs(maestro, stopped):
    (number,) = maestro.conductors()
    os.kill(number, signal.SIGTERM)
    wait_for_death(number)

    assert "it goes on with: conductor" in maestro("status", "out").err
    assert "Take it up again: conductor" in (maestro.folder / "out" / "study.txt").read_text()
    stopped.open()
    maestro.conductor("out")
    assert maestro.marks() == ["first", "second", "third"]


def test_the_status_of_a_conductor_runs_nothing(maestro, stopped):
    shown = maestro.conductor("-s", "out")

    assert shown.out.splitlines()[0] == maestro("status", "out").out.splitlines()[0]
    assert "RUNNING" in shown.out
    assert maestro.marks() == ["first", "second"]
    stopped.open()


@pytest.mark.parametrize(("cmd", "code"), [("exit 0", 0), ("exit 1", 2)])
def test_a_study_that_has_ended_keeps_its_verdict(maestro, cmd, code):
    spec = maestro.write({"a": step(f"echo x >> {maestro.folder}/ran; {cmd}")})
    maestro("run", "-y", "-fg", "-o", "out", spec, code=code)

    maestro.conductor("out", code=code)

    assert (maestro.folder / "ran").read_text() == "x\n"


def test_a_study_that_was_not_launched_can_be_begun(maestro):
    maestro(
        "run", "-n", "-o", "out", "-a", "2", maestro.write({"a": step("true $(N)")}, {"N": [1]})
    )

    maestro.conductor("out", "-t", "7")

    assert maestro.states() == {"a_N.1": "FINISHED"}


def test_a_study_whose_start_was_cut_off_is_begun_once(maestro):
    spec = maestro.write({"a": step(f"echo x >> {maestro.folder}/ran")})
    maestro("run", "-n", "-o", "out", spec)
    # As after a kill between the two: the link is written before the run is stored.
    link = maestro.folder / "out" / ".segue" / "study.json"
    link.parent.mkdir()
    link.write_text(f'{{"run": "study-abc234", "store": "{maestro.segue.store}", "name": "study"}}')

    maestro.conductor("out")

    assert maestro.segue.newest() == "study-abc234"
    assert (maestro.folder / "ran").read_text() == "x\n"


def test_a_study_whose_store_is_gone_is_not_run_again(maestro):
    spec = maestro.write({"a": step(f"echo x >> {maestro.folder}/ran")})
    maestro("run", "-y", "-fg", "-o", "out", spec)
    (maestro.folder / "segue.db").unlink()

    done = maestro.conductor("out", code=1)

    assert "is gone" in done.err
    assert (maestro.folder / "ran").read_text() == "x\n"


def test_a_study_that_was_moved_is_not_run_in_its_old_place(maestro):
    maestro("run", "-y", "-fg", "-o", "out", maestro.write({"a": step("true")}))
    (maestro.folder / "out").rename(maestro.folder / "moved")

    done = maestro.conductor("moved", code=1)

    assert f"was launched in {maestro.folder}/out" in done.err
    assert maestro.states("moved") == {"a": "FINISHED"}


@pytest.mark.parametrize("what", ["none", "empty"])
def test_a_folder_without_a_study_is_said(maestro, what):
    (maestro.folder / "empty").mkdir()

    done = maestro.conductor(what, code=1)

    assert "there is no directory" in done.err or "Corrupted study directory found." in done.err


def test_a_full_disk_ends_no_study(maestro):
    gate = maestro.gate()
    out = maestro.launch(maestro.write({"a": step(gate.script())}))
    gate.wait()
    # In the place of the table is what cannot be replaced by a file.
    (out / "status.csv").unlink()
    (out / "status.csv").mkdir()

    gate.open()

    assert maestro.wait_until_ended() == "FINISHED"
    maestro.wait_until_idle()
    assert "status.csv cannot be written" in (out / "logs" / "study.log").read_text()


def test_ctrl_c_in_the_foreground_starts_nothing_more_and_lets_go(maestro):
    gate = maestro.gate()
    spec = maestro.write({"a": step(gate.script()), "b": step("true", "a")})
    running = maestro.start("run", "-y", "-fg", "-o", "out", spec)
    gate.wait()

    running.signal(signal.SIGINT)
    running.wait_for("nothing more is started")
    gate.open()

    assert running.end() == 1
    assert "Take it up again: conductor" in running.err
    assert maestro.states() == {"a": "FINISHED", "b": "INITIALIZED"}
    maestro.conductor("out")
    assert maestro.states() == {"a": "FINISHED", "b": "FINISHED"}


def test_a_folder_that_was_removed_under_its_conductor_is_not_given_to_another(maestro):
    gate = maestro.gate("waits")
    spec = maestro.write({"waits": step(gate.script())})
    out = maestro.launch(spec)
    gate.wait()
    subprocess.run(["rm", "-rf", str(out)], check=True)

    done = maestro("run", "-y", "-o", "out", spec, code=1)

    assert "still writes into" in done.err


def test_a_retry_makes_the_folder_of_temporary_scripts_anew(maestro):
    spec = maestro.write({"fails": step(f"test -e {maestro.folder}/go")})
    maestro("run", "-y", "-fg", "--usetmp", "-o", "out", spec, code=2)
    (maestro.folder / "go").touch()

    maestro.segue("retry")

    assert maestro.states() == {"fails": "FINISHED"}
