"""Models of parameters: what fills them, and what is said of values that do not fit."""

from typing import Any

import pytest
from pydantic import BaseModel

from segue.lute.command_line import command_line
from segue.lute.config import read_config
from segue.lute.parameters import (
    AnalysisHeader,
    TaskParameters,
    Text,
    ThirdPartyParameters,
    missing_section,
    parameter,
    read_header,
    read_parameters,
)
from segue.model.errors import WorkflowError


class Compound(BaseModel):
    int_var: int
    dict_var: dict[str, str]


class FitParameters(TaskParameters):
    threshold: float = parameter(0.5, gt=0)
    name: Text = "fit"
    compound_var: Compound | None = None
    out_file: str = parameter("fit.dat", is_result=True)


class MergeParameters(ThirdPartyParameters):
    executable: str = "merge"
    in_file: str = parameter("a.stream", flag_type="-", rename_param="i")
    symmetry: str = parameter("4/mmm", flag_type="--")
    multi: bool = parameter(False, flag_type="--")
    profile: bool = parameter(True, flag_type="--")
    more: str = parameter("", flag_type="--")
    both: str = parameter("x y", flag_type="")
    j: int = 8
    p_arg1: Any = None
    old_style: str | None = None


@pytest.fixture
def read(tmp_path):
    """Return the parameters that a model gets of the text of its section."""

    def read(model, text, header="", section="Task", values=None, **environment):
        whole = f"work_dir: {tmp_path}\n{header}\n---\n{text}"
        config = read_config(whole, "c.yaml", environment)
        return read_parameters(model, config, section, environment, values)

    return read


def problems_of(read, *arguments, **options):
    with pytest.raises(WorkflowError) as caught:
        read(*arguments, **options)
    return [str(each) for each in caught.value.problems]


def test_a_section_fills_the_model(read, tmp_path):
    text = "Task: {threshold: 2, name: '007', compound_var: {int_var: 1, dict_var: {a: b}}}"

    found = read(FitParameters, text, header="experiment: mfx1\nrun: 12")

    assert (found.threshold, found.name, found.compound_var.dict_var) == (2.0, "7", {"a": "b"})
    assert found.lute_config.model_dump() == {
        "title": "LUTE Task Configuration",
        "experiment": "mfx1",
        "run": 12,
        "date": "1970/01/01",
        "lute_version": 0.1,
        "task_timeout": 600,
        "work_dir": str(tmp_path),
    }


def test_the_environment_gives_what_the_section_does_not(read):
    text = "Task: {threshold: 2}"

    found = read(FitParameters, text, LUTE_threshold="9", LUTE_name="from outside")

    assert (found.threshold, found.name) == (2.0, "from outside")


def test_a_combination_of_a_sweep_wins_over_the_section(read):
    assert read(FitParameters, "Task: {threshold: 2}", values={"threshold": 3}).threshold == 3


def test_experiment_and_run_come_from_the_environment(read):
    found = read(FitParameters, "", EXPERIMENT="xcs9", RUN_NUM="45_20260101T000000").lute_config

    assert (found.experiment, found.run) == ("xcs9", 45)


def test_without_any_word_of_an_experiment_it_is_a_test(read):
    assert read(FitParameters, "").lute_config.experiment == "EXPX00000"


def test_a_work_dir_that_is_not_given_is_that_of_the_experiment():
    config = read_config("experiment: mfx1\n---\n", "c.yaml", {})

    with pytest.raises(WorkflowError, match="/sdf/data/lcls/ds/mfx/mfx1/scratch does not exist"):
        read_header(config, {})


def test_all_that_does_not_fit_is_told_at_once_each_at_its_place(read):
    text = """\
Task:
  treshold: 2
  name: [a]
  compound_var: {int_var: many}
"""

    found = problems_of(read, FitParameters, text, header="run: 1")

    assert sorted(found) == [
        "c.yaml:5:13: section 'Task' has no parameter 'treshold'\n"
        "  hint: did you mean 'threshold'?",
        "c.yaml:6:9: 'name' of section 'Task': input should be a valid string, not ['a']\n"
        "  hint: see what the Task's model takes",
        "c.yaml:7:17: section 'Task' gives no 'compound_var.dict_var'\n"
        "  hint: add 'dict_var: ...' to section 'Task'",
        "c.yaml:7:27: 'compound_var.int_var' of section 'Task': input should be a valid integer, "
        "unable to parse string as an integer, not 'many'\n  hint: see what the Task's model takes",
    ]


@pytest.mark.parametrize(
    ("header", "message"),
    [
        ("task_timeout: 0", "'task_timeout' of the header: input should be greater than 0"),
        ("run: [1]", "'run"),
    ],
)
def test_a_fault_of_the_header_is_told_with_its_place(read, header, message):
    [first, *_] = problems_of(read, FitParameters, "", header=header)

    assert first.startswith("c.yaml:2:")
    assert message in first


@pytest.mark.parametrize("value", [".inf", ".nan"])
def test_what_is_no_number_is_refused(read, value):
    assert problems_of(read, FitParameters, f"Task: {{threshold: {value}}}")


def test_a_section_that_is_no_map_is_refused(read):
    assert "must be a map" in problems_of(read, FitParameters, "Task: [1]")[0]


def test_a_missing_section_is_a_warning():
    config = read_config("{}\n---\nFitter: {}\n", "c.yaml", {})

    warning = missing_section(config, "Fit")

    assert "no section 'Fit'" in str(warning)
    assert "did you mean 'Fitter'?" in str(warning)
    assert missing_section(config, "Fitter") is None


def test_the_result_may_be_one_of_the_parameters(read):
    assert read(FitParameters, "Task: {out_file: x.dat}").result_of_parameters() == "x.dat"
    assert read(MergeParameters, "").result_of_parameters() is None


# -- command lines --------------------------------------------------------------------------


def test_parameters_become_words_as_their_fields_say(read):
    words = command_line(read(MergeParameters, "Task: {multi: true, p_arg1: 4, old_style: b}"))

    assert words == [
        *("merge", "-i", "a.stream", "--symmetry", "4/mmm", "--multi", "--profile"),
        *("x", "y", "-j", "8", "4", "--old_style", "b"),
    ]


def test_flags_may_take_their_values_behind_an_equals_sign(read):
    class WithEquals(MergeParameters):
        short_flags_use_eq = True
        long_flags_use_eq = True

    words = command_line(read(WithEquals, "Task: {symmetry: a b}"))

    assert words == ["merge", "-i=a.stream", "--symmetry=a b", "--profile", "x", "y", "-j=8"]


def test_what_a_program_does_not_know_fills_its_template(read):
    found = read(MergeParameters, "Task: {phil: {a: 1}, mark: x}")

    assert found.template_variables == {"phil": {"a": 1}, "mark": "x"}
    assert "--mark" not in command_line(found)


def test_a_header_can_be_made_without_a_file(tmp_path):
    assert AnalysisHeader(work_dir=str(tmp_path), run=12).run == 12
