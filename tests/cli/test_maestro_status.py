"""`maestro status`: tables from the store, and of folders that the original left."""

import json
import shutil
from pathlib import Path

import pytest
from commands import wait_for_death
from maestro_program import step

ORIGINAL = Path(__file__).parents[1] / "maestro" / "data" / "original.csv"
NOTHING = (
    "\nNo status to report -- the Maestro study in this path either unexpectedly crashed or "
    "the path does not contain a Maestro study.\n"
)


@pytest.fixture
def study(maestro):
    spec = maestro.write({"a": step("true $(N)"), "b": step("exit 1", "a_*")}, {"N": [1, 2]})
    maestro("run", "-y", "-fg", "-o", "out", spec, code=2)
    return maestro.folder / "out"


def test_a_flat_table_fits_eighty_columns(maestro, study):
    shown = maestro("status", "out", COLUMNS="80").out.splitlines()

    assert shown[0].strip() == f"Study: {study}"
    table = [line for line in shown if line[0] in "┏┃┡│└"]
    assert len({len(line) for line in table}) == 1
    assert len(table[0]) <= 80
    assert [line.split()[1] for line in table if "FINISHED" in line] == ["a_N.1", "a_N.2"]


def test_a_pipe_gets_every_column_in_one_line(maestro, study):
    maestro.environment.pop("COLUMNS")

    (row,) = [line for line in maestro("status", "out").out.splitlines() if "a_N.2" in line]

    assert row.count("│") == 11


def test_a_narrow_table_has_a_block_for_each_step(maestro, study):
    shown = maestro("status", "--layout", "narrow", "out").out

    assert shown.splitlines()[0].strip() == f"STUDY: {study}"
    assert shown.count("  STEP:        ") == 3
    assert "  WORKSPACE:   a/N.1\n" in shown
    assert " State          FAILED" in shown
    assert " N   2\n" in shown


def test_a_legacy_table_is_as_wide_as_it_comes(maestro, study):
    shown = maestro("status", "--layout", "legacy", "out", COLUMNS="40").out.splitlines()

    assert shown[1] == str(study)
    assert {len(line) for line in (shown[0], shown[2], shown[4], shown[8])} == {len(shown[3])}


def test_json_is_one_document(maestro, study):
    shown = json.loads(maestro("status", "--json", "out", "none", code=1).out)

    found, missing = shown["studies"]
    assert missing == {"directory": f"{maestro.folder}/none", "found": False}
    assert (found["state"], found["conductor"]) == ("FAILURE", False)
    assert found["run"] == maestro.run_id()
    assert found["steps"][0]["params"] == "N:1"


@pytest.mark.parametrize("words", [["--state", "failed"], ["--state", "FAILED,PENDING"]])
def test_steps_are_chosen_by_state(maestro, study, words):
    shown = json.loads(maestro("status", "--json", *words, "out").out)

    assert [each["step_name"] for each in shown["studies"][0]["steps"]] == ["b"]


def test_an_unknown_state_is_said(maestro, study):
    assert "did you mean 'FAILED'" in maestro("status", "--state", "FALED", "out", code=1).err


def test_several_studies_are_shown_one_after_another(maestro, study):
    shown = maestro("status", "--layout", "legacy", "out", "none", "out", code=1).out

    assert shown.count(f"{study}\n") == 2
    assert NOTHING in shown


@pytest.mark.parametrize("what", ["missing", "empty", "file"])
def test_a_folder_without_a_study_is_said(maestro, what):
    if what == "empty":
        (maestro.folder / what).mkdir()
    elif what == "file":
        (maestro.folder / what).touch()

    assert maestro("status", what, code=1).out == NOTHING


# Folders of the original, and of lost stores --------------------------------------


def test_a_folder_of_the_original_is_shown(maestro):
    old = maestro.folder / "old"
    old.mkdir()
    shutil.copy(ORIGINAL, old / "status.csv")
    (old / "study.study.pkl").touch()

    states = maestro.states("old")

    assert states == {
        "prepare": "FINISHED", "solve_BC.left,wall.N.2": "FAILED", "solve_BC.right.N.3": "RUNNING",
    }  # fmt: skip
    for layout in ("flat", "narrow", "legacy"):
        assert "prepare" in maestro("status", "--layout", layout, "old").out


def test_without_its_store_a_study_shows_what_it_said_last(maestro, study):
    (maestro.folder / "segue.db").rename(maestro.folder / "away.db")

    done = maestro("status", "--layout", "legacy", "out")

    assert "the store of this study is gone" in done.err
    assert "status.csv said last" in done.err
    assert "FAILED" in done.out
    assert not (maestro.folder / "segue.db").exists()


def test_without_its_outline_a_study_is_shown_from_the_store(maestro, study):
    before = maestro.rows()
    [outline] = (study / ".segue").glob("*.outline.json")
    outline.unlink()
    (study / "status.csv").unlink()

    assert maestro.rows() == before


def test_a_study_knows_its_store_wherever_it_is_asked_from(maestro, study):
    done = maestro("status", "--json", "out", SEGUE_STORE=f"sqlite://{maestro.folder}/other.db")

    assert json.loads(done.out)["studies"][0]["state"] == "FAILURE"


def test_a_link_that_cannot_be_read_is_said(maestro, study):
    (study / ".segue" / "study.json").write_text("{")

    assert "study.json cannot be read" in maestro("status", "out", code=1).err


# While it runs -------------------------------------------------------------------


def test_a_running_study_is_watched_to_its_end(maestro):
    gate = maestro.gate()
    maestro.launch(maestro.write({"a": step(gate.script())}))
    gate.wait()
    watching = maestro.start("status", "--watch", "--layout", "legacy", "out")
    watching.wait_for("RUNNING")

    gate.open()

    assert watching.end() == 0
    assert "FINISHED" in watching.out


def test_a_study_without_a_conductor_says_so_and_how_to_go_on(maestro):
    gate = maestro.gate()
    maestro.launch(maestro.write({"a": step(gate.script())}))
    gate.wait()
    assert maestro("status", "out").err == ""
    (number,) = maestro.conductors()

    maestro.kill(number)
    wait_for_death(number)

    done = maestro("status", "out")
    assert f"it goes on with: conductor {maestro.folder}/out" in done.err
    assert "RUNNING" in done.out


# On a terminal -------------------------------------------------------------------


def test_a_terminal_shows_colours_and_no_pager_for_a_short_table(maestro, study):
    shown = maestro.terminal("status", "out", columns=120)

    assert shown.end() == 0
    assert "\x1b[31m" in shown.shown


def test_colours_can_be_turned_off(maestro, study):
    shown = maestro.terminal("status", "--disable-theme", "out", columns=120)

    assert shown.end() == 0
    assert "\x1b" not in shown.shown
    assert "FAILED" in shown.shown


def test_a_long_table_goes_through_the_pager_of_the_user(maestro):
    spec = maestro.write({"a": step("true $(N)")}, {"N": list(range(50))})
    maestro("run", "-y", "-fg", "-o", "out", spec)
    maestro.environment["PAGER"] = "echo paged; cat > /dev/null"

    paged = maestro.terminal("status", "out")
    whole = maestro.terminal("status", "--disable-pager", "out")

    assert (paged.end(), whole.end()) == (0, 0)
    assert "paged" in paged.shown
    assert "a_N.49" not in paged.shown
    assert "a_N.49" in whole.shown


def test_status_loads_neither_yaml_nor_click_nor_rich(maestro, study):
    loaded = maestro.loaded_by("status", "out")

    assert loaded & {"yaml", "click", "rich", "psutil", "logging"} == set()
