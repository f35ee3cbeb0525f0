"""Between the two forms of LUTE's workflow files."""

import pytest

from segue.dialects.lute import Lute
from segue.dialects.lute_convert import Form, converted
from segue.model.errors import WorkflowError
from segue.protocols.dialect import Source

PLAIN = """\
# What this is for.
task_name: "Reducer"   # the first
slurm_params: '--ntasks=4'

next:
- task_name: Viewer
  next: []
# The end.
"""
TAGGED = PLAIN.replace('task_name: "Reducer"', '!LUTE_DAG\ntask_name: "Reducer"', 1)


def steps(text):
    tasks = Lute().read(Source("f", text)).tasks
    return [(each.name, each.needs, each.options) for each in tasks]


def test_a_tag_comes_and_goes_and_nothing_else_changes():
    assert converted(PLAIN, "f", Form.LUTE) == TAGGED
    assert converted(TAGGED, "f", Form.AIRFLOW) == PLAIN


def test_prefect_takes_a_managed_task_twice_and_airflow_does_not():
    text = "!LUTE_DAG\ntask_name: A\nnext:\n- task_name: A\n  next: []\n"

    assert converted(text, "f", Form.PREFECT) == text.removeprefix("!LUTE_DAG\n")
    with pytest.raises(WorkflowError, match=r"Airflow runs 'A' once only.*\n.*--to prefect"):
        converted(text, "f", Form.AIRFLOW)


def test_what_cannot_be_said_is_told_by_the_name_of_who_would_read_it():
    text = "!LUTE_DAG\n- task_name: A\n  next: []\n- task_name: B\n  next: []\n"

    with pytest.raises(WorkflowError, match="Prefect takes one first step"):
        converted(text, "f", Form.PREFECT)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("--- !LUTE_DAG\ntask_name: A\nnext: []\n", "---\ntask_name: A\nnext: []\n"),
        ("!LUTE_DAG  # x\ntask_name: A\nnext: []\n", " # x\ntask_name: A\nnext: []\n"),
        ("!LUTE_DAG {task_name: A, next: []}\n", "{task_name: A, next: []}\n"),
        ("!LUTE_DAG\n- task_name: A\n  next: []\n", "  task_name: A\n  next: []\n"),
        ("!LUTE_DAG\n-   task_name: A\n    next: []\n", "    task_name: A\n    next: []\n"),
        (
            "!LUTE_DAG\n- !ALL_FAILED\n  task_name: A\n  next: []\n",
            "  task_name: A\n  next: []\n",
        ),
        (
            "!LUTE_DAG\ntask_name: A\nnext:\n- !ANY_SUCCESS\n  task_name: B\n  next: []\n",
            "task_name: A\nnext:\n-\n  task_name: B\n  next: []\n",
        ),
    ],
)
def test_tags_that_mean_nothing_there_are_left_out(text, expected):
    plain = converted(text, "f", Form.AIRFLOW)

    assert plain == expected
    assert steps(plain) == steps(text)
    assert steps(converted(plain, "f", Form.LUTE)) == steps(text)


def test_the_tag_stands_behind_the_beginning_of_the_document():
    text = "%YAML 1.1\n--- \n# x\ntask_name: Ä\nnext: []\n"

    tagged = converted(text, "f", Form.LUTE)

    assert tagged == "%YAML 1.1\n--- \n# x\n!LUTE_DAG\ntask_name: Ä\nnext: []\n"
    assert converted("--- {task_name: A}\n", "f", Form.LUTE) == "--- !LUTE_DAG\n{task_name: A}\n"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("- task_name: A\n  next: []\n- task_name: B\n  next: []\n", "f:1:1: Airflow takes one"),
        ("task_name: A\nnext:\n- !ALWAYS\n  task_name: B\n  next: []\n", "f:4:3: Airflow starts"),
        (
            "task_name: A\nnext:\n- !run_type\n  DATA: {task_name: B, next: []}\n",
            "f:4:3: Airflow has nothing like '!run_type'",
        ),
        (
            "task_name: A\nnext: [!param_sweep {task_name: B, param_matrix: {}, next: []}]\n",
            "f:3:8: Airflow has nothing like '!param_sweep'",
        ),
        (
            "task_name: A\nrun_dependent: false\nnext: []\n",
            "f:3:1: Airflow knows no key 'run_dependent'",
        ),
        ("task_name: A\nid: a\nnext: []\n", "f:3:1: Airflow knows no key 'id'"),
        (
            "task_name: A\nnext: [{task_name: A, next: []}]\n",
            "f:3:20: Airflow runs 'A' once only; it stands in line 2",
        ),
    ],
)
def test_what_airflow_cannot_say_is_refused_with_its_place(text, said):
    with pytest.raises(WorkflowError) as caught:
        converted(f"!LUTE_DAG\n{text}", "f", Form.AIRFLOW)

    (problem,) = caught.value.problems
    assert str(problem).startswith(said)
    assert problem.hint


@pytest.mark.parametrize(
    ("text", "form", "said"),
    [
        (TAGGED, Form.LUTE, "has !LUTE_DAG: it is in the form of 'lute' already"),
        (PLAIN, Form.AIRFLOW, "has no !LUTE_DAG: it is in the form of 'airflow' already"),
        ("- task_name: A\n", Form.LUTE, "one first step, a map"),
        ("task_name: A\nnext: [!ALWAYS {task_name: B}]\n", Form.LUTE, "!LUTE_DAG is missing"),
        ("a: [", Form.LUTE, "the YAML is broken"),
        ("", Form.AIRFLOW, "holds nothing"),
    ],
)
def test_what_is_no_file_of_the_other_form_is_refused(text, form, said):
    with pytest.raises(WorkflowError, match=said):
        converted(text, "f", form)


def test_a_key_that_says_the_default_is_no_obstacle():
    text = "!LUTE_DAG\ntask_name: A\nrun_dependent: true\nnext: []\n"

    assert converted(text, "f", Form.AIRFLOW) == text.removeprefix("!LUTE_DAG\n")
