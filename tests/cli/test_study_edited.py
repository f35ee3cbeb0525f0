"""A study that is edited and goes on: only what changed, whichever door."""

import pytest

GENERATOR = """\
from maestrowf.datastructures.core import ParameterGenerator

def get_custom_generator(env, **kwargs):
    open("calls", "a").write("called\\n")
    p = ParameterGenerator()
    p.add_parameter("SIZE", [int(each) for each in kwargs["SIZES"].split(",")], "SIZE.%%")
    return p
"""
STUDY = """\
description: {name: sweep, description: d}
study:
- name: fit
  description: d
  run:
    cmd: echo fit $(SIZE) >> ../../told
- name: merge
  description: d
  run:
    cmd: echo merge >> ../told; test ! -e ../../fails
    depends: [fit_*]
global.parameters:
  SIZE: {values: [1, 2], label: SIZE.%%}
"""


@pytest.fixture
def study(maestro):
    path = maestro.folder / "study.yaml"
    path.write_text(STUDY)
    return path


def test_only_changed_steps_of_a_study_run_again_and_its_table_follows(maestro, study):
    out = maestro.folder / "out"
    maestro("run", "-y", "-fg", "-o", out, study)
    study.write_text(STUDY.replace("echo merge >>", "echo merge again >>"))

    edited = maestro.segue("retry", "--edited")

    told = (out / "told").read_text().splitlines()
    assert "merge: succeeded" in edited.out
    assert "fit_SIZE.1: " not in edited.out
    assert sorted(told[:2]) == ["fit 1", "fit 2"]
    assert told[2:] == ["merge", "merge again"]
    done = {"fit_SIZE.1": "FINISHED", "fit_SIZE.2": "FINISHED", "merge": "FINISHED"}
    assert maestro.states() == maestro.kept_rows() == done


def test_a_failed_study_goes_on_by_segue_and_its_table_is_kept(maestro, study):
    (maestro.folder / "fails").touch()
    maestro("run", "-y", "-fg", "-o", "out", study, code=2)
    failed = maestro.kept_rows()["merge"]
    (maestro.folder / "fails").unlink()

    maestro.segue("retry")

    assert failed == "FAILED"
    assert set(maestro.states().values()) == set(maestro.kept_rows().values()) == {"FINISHED"}


def test_a_generator_makes_the_parameters_once_for_segue_run(maestro, study):
    (maestro.folder / "gen.py").write_text(GENERATOR)

    maestro.segue("run", study, "--pgen", "gen.py", "--pargs", "SIZES:5,6", "--workspace", "ws")

    assert (maestro.folder / "calls").read_text() == "called\n"
    assert sorted((maestro.folder / "ws" / "told").read_text().splitlines()) == [
        "fit 5",
        "fit 6",
        "merge",
    ]


def test_a_generated_study_without_a_chosen_workspace_runs_its_generator_once(maestro, study):
    (maestro.folder / "gen.py").write_text(GENERATOR)

    maestro.segue("run", study, "--pgen", "gen.py", "--pargs", "SIZES:5")

    assert (maestro.folder / "calls").read_text() == "called\n"


def test_an_edited_generator_adds_its_new_combinations(maestro, study):
    (maestro.folder / "gen.py").write_text(GENERATOR)
    maestro.segue("run", study, "--pgen", "gen.py", "--pargs", "SIZES:5,6", "--workspace", "ws")
    sizes = 'kwargs["SIZES"].split(",")'
    (maestro.folder / "gen.py").write_text(GENERATOR.replace(sizes, f'["7", *{sizes}]'))

    maestro.segue("retry", "--edited")

    told = (maestro.folder / "ws" / "told").read_text().splitlines()
    assert sorted(told) == ["fit 5", "fit 6", "fit 7", "merge", "merge"]


def test_a_generated_study_of_the_maestro_command_can_be_edited_too(maestro, study):
    (maestro.folder / "gen.py").write_text(GENERATOR)
    words = ("-p", "gen.py", "--pargs", "SIZES:5,6")
    out = maestro.folder / "out"
    maestro("run", "-y", "-fg", "-o", str(out), *words, study)
    study.write_text(STUDY.replace("echo merge >>", "echo merge again >>"))

    maestro.segue("retry", "--edited")

    assert (out / "told").read_text().splitlines()[2:] == ["merge", "merge again"]


def test_arguments_without_a_generator_are_refused(maestro, study):
    done = maestro.segue("run", study, "--pargs", "A:1", code=2)

    assert "--pgen" in done.err


def test_a_path_that_a_study_needs_is_looked_for_before_it_starts(maestro, study):
    head = "env:\n  dependencies:\n    paths: [{name: DATA, path: ./no-data}]\n"
    study.write_text(head + STUDY)

    done = maestro.segue("run", study, "--workspace", "ws", code=2)

    assert "study.yaml:3:32" in done.err
    assert "'DATA' does not exist" in done.err
