"""`maestro cancel` and `maestro update`, and the files by which scripts ask for the same."""

import json
import os

import pytest
import yaml
from commands import wait_for_death, wait_until
from maestro_program import step


@pytest.fixture
def running(maestro):
    """A study with a step that runs, behind a gate, and one that waits for it."""
    gate = maestro.gate()
    maestro.launch(maestro.write({"a": step(gate.script()), "b": step("true", "a")}))
    maestro.job = gate.wait()
    return gate


# Cancel --------------------------------------------------------------------------


def test_a_cancel_ends_the_step_that_runs(maestro, running):
    done = maestro("cancel", "out", stdin="y\n")

    assert done.out == (
        f"Study in '{maestro.folder}/out' to be cancelled.\nAre you sure? [y|[n]]: "
    )
    wait_for_death(maestro.job)
    assert maestro.wait_until_ended() == "CANCELLED"
    assert maestro.states() == {"a": "CANCELLED", "b": "CANCELLED"}
    maestro.wait_until_idle()
    assert maestro.kept_rows() == maestro.states()


@pytest.mark.parametrize("answer", ["n", "", "Y", "Yes", "sure"])
def test_only_y_or_yes_cancels(maestro, running, answer):
    maestro("cancel", "out", stdin=f"{answer}\n")

    running.open()
    assert maestro.wait_until_ended() == "FINISHED"


def test_a_cancel_works_without_a_conductor(maestro, running):
    (number,) = maestro.conductors()
    maestro.kill(number)
    wait_for_death(number)

    maestro("cancel", "-y", "out")

    wait_for_death(maestro.job)
    assert maestro.states() == {"a": "CANCELLED", "b": "CANCELLED"}
    assert maestro.kept_rows() == maestro.states()
    maestro.wait_until_idle()


def test_what_has_ended_is_not_cancelled_again(maestro):
    maestro("run", "-y", "-fg", "-o", "out", maestro.write({"a": step("true")}))

    done = maestro("cancel", "-y", "out")

    assert "has ended already" in done.out
    assert not (maestro.folder / "out" / ".cancel.lock").exists()


def test_a_missing_folder_among_others_is_said(maestro, running):
    done = maestro("cancel", "-y", "none", "out", code=1)

    assert f"Attempted to cancel '{maestro.folder}/none' -- study directory not found." in done.out
    assert maestro.wait_until_ended() == "CANCELLED"


def test_without_any_folder_nothing_is_asked(maestro):
    assert maestro("cancel", "none", code=1).out.endswith("Cancellation aborted.\n")


def test_a_folder_that_is_no_study_is_said(maestro):
    (maestro.folder / "x").mkdir()

    assert "no study" in maestro("cancel", "-y", "x", code=1).err
    assert os.listdir(maestro.folder / "x") == []


def test_a_conductor_of_the_original_is_asked_by_its_file(maestro):
    old = maestro.folder / "old"
    old.mkdir()
    (old / "s.study.pkl").touch()

    maestro("cancel", "-y", "old")

    assert (old / ".cancel.lock").exists()


def test_the_file_of_the_original_cancels(maestro, running):
    (maestro.folder / "out" / ".cancel.lock").touch()

    assert maestro.wait_until_ended() == "CANCELLED"
    assert not (maestro.folder / "out" / ".cancel.lock").exists()


# Update --------------------------------------------------------------------------


def settings(maestro):
    return json.loads((maestro.folder / "out" / "study.study.json").read_text())


def test_a_throttle_of_zero_is_no_throttle(maestro):
    gate = maestro.gate()
    spec = maestro.write({"a": step(gate.script("true $(N)"))}, {"N": [1, 2, 3]})
    maestro.launch("-t", "1", "-j", "4", spec)
    gate.wait()

    done = maestro("update", "--throttle", "0", "out")

    assert done.out == "Updating study at 'out'\nUpdated throttle = 0 of study at 'out'\n"
    gate.wait()
    gate.wait()
    gate.open(3)
    assert maestro.wait_until_ended() == "FINISHED"


def test_a_restart_limit_is_updated(maestro, running):
    maestro("update", "--rlimit", "0", "out")

    history = maestro.segue("history", maestro.run_id()).out
    assert "update" in history
    running.open()


def test_sleep_has_its_effect_on_a_running_conductor(maestro, running):
    table = maestro.folder / "out" / "status.csv"
    maestro.wait_for_rows({"a": "RUNNING", "b": "INITIALIZED"})
    before = table.stat().st_mtime_ns

    maestro("update", "--sleep", "1", "out")

    assert settings(maestro)["sleeptime_s"] == 1
    wait_until(lambda: table.stat().st_mtime_ns > before, "the table is written again")
    running.open()


def test_the_file_of_the_original_updates(maestro):
    gate = maestro.gate()
    spec = maestro.write({"a": step(gate.script("true $(N)"))}, {"N": [1, 2]})
    maestro.launch("-t", "1", "-j", "4", spec)
    gate.wait()
    lock = maestro.folder / "out" / ".study.update.lock"

    lock.write_text("rlimit: null\nsleep: 2\nthrottle: 0\n")

    gate.wait()
    assert not lock.exists()
    gate.open(2)
    assert maestro.wait_until_ended() == "FINISHED"


def test_a_file_that_makes_no_sense_is_told_in_the_log(maestro, running):
    lock = maestro.folder / "out" / ".study.update.lock"

    lock.write_text("throttle: many\n")

    log = maestro.folder / "out" / "logs" / "study.log"
    wait_until(lambda: "throttle is 'many'" in log.read_text(), "the log tells it")
    running.open()
    assert maestro.wait_until_ended() == "FINISHED"


def test_the_menu_asks_until_it_is_done(maestro, running):
    words = "throttle\n3\nfoo\nsleep\nx\n2\nrlimit\n4\ndone\n"

    done = maestro("update", "out", stdin=words)

    menu = (
        "Choose study configuration to update, or done/quit to finish/abort\n"
        " [rlimit/throttle/sleep/done/quit]\n> "
    )
    assert done.out.count(menu) == 5
    assert "Enter new throttle limit [Integer, 0 = no throttling]\n> " in done.out
    assert "Please enter a valid integer number\n" in done.out
    assert "Please select one of the available options\n" in done.out
    assert done.out.endswith("Updated throttle = 3, sleep = 2, rlimit = 4 of study at 'out'\n")
    running.open()


def test_the_menu_can_be_left(maestro, running):
    left = maestro("update", "out", stdin="throttle\n3\nquit\n")
    empty = maestro("update", "out", stdin="done\n")

    assert left.out.endswith("Discarding updates to study at 'out'\n")
    assert empty.out.endswith(
        "No new study config settings provided, skipping update of study at 'out'\n"
    )
    running.open()


@pytest.mark.parametrize(
    ("words", "fits"),
    [
        (["--rlimit", "2", "w1"], True),
        (["--rlimit", "2", "w1", "w2"], True),
        (["--rlimit", "2", "--sleep", "30", "--sleep", "32", "w1", "w2"], True),
        (["--rlimit", "2", "--rlimit", "3", "w1"], False),
        (["--sleep", "2", "--sleep", "3", "--sleep", "4", "w1", "w2"], False),
        (["--sleep", "2", "--sleep", "3", "w1", "w2", "w3"], False),
        (["--throttle", "-1", "w1"], False),
    ],
)
def test_values_are_for_all_folders_or_one_each(maestro, words, fits):
    for name in ("w1", "w2", "w3"):
        (maestro.folder / name).mkdir()
        (maestro.folder / name / "s.study.pkl").touch()

    done = maestro("update", *words, code=0 if fits else 1)

    assert ("Aborting study update.\n" in done.out) is not fits
    assert (maestro.folder / "w1" / ".study.update.lock").exists() is fits


def test_a_conductor_of_the_original_gets_its_file(maestro):
    for name in ("w1", "w2"):
        (maestro.folder / name).mkdir()
        (maestro.folder / name / "s.study.pkl").touch()

    maestro("update", "--throttle", "0", "--sleep", "5", "--sleep", "6", "w1", "w2")

    told = yaml.safe_load((maestro.folder / "w2" / ".study.update.lock").read_text())
    assert told == {"rlimit": None, "sleep": 6, "throttle": 0}


def test_a_missing_folder_is_skipped(maestro, running):
    done = maestro("update", "--throttle", "2", "none", "out", code=1)

    missing = f"'{maestro.folder}/none' is not a directory; skipping update for this study.\n"
    assert missing in done.out
    assert "Updated throttle = 2 of study at 'out'\n" in done.out
    running.open()


def test_without_a_conductor_an_update_waits_for_the_next(maestro, running):
    (number,) = maestro.conductors()
    maestro.kill(number)
    wait_for_death(number)

    done = maestro("update", "--throttle", "1", "out")

    assert "it counts from: conductor" in done.err
    running.open()
    maestro.conductor("out")
    assert "update" in maestro.segue("history", maestro.run_id()).out


def test_what_has_ended_is_not_updated(maestro):
    maestro("run", "-y", "-fg", "-o", "out", maestro.write({"a": step("true")}))

    assert "has ended" in maestro("update", "--throttle", "1", "out", code=1).err
