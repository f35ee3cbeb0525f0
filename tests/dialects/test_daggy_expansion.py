import json
import shlex

import pytest
from hypothesis import given
from hypothesis import strategies as st

from segue.dialects.daggy import Daggy
from segue.dialects.daggy_parts import split_command
from segue.model.errors import WorkflowError
from segue.model.workflow import Argv, Nothing, Workflow
from segue.protocols.dialect import Source


def read(document: object, **given: object) -> Workflow:
    return Daggy().read(Source("d.json", json.dumps(document), **given))  # type: ignore[arg-type]


def commands(workflow: Workflow) -> list[tuple[str, ...]]:
    return [task.action.arguments for task in workflow.tasks if isinstance(task.action, Argv)]


def one_task(command: list[str], **parameters: object) -> dict[str, object]:
    return {"parameters": parameters, "tasks": {"a": {"job": {"command": command}}}}


def names(workflow: Workflow) -> list[str]:
    return [task.name for task in workflow.tasks]


def test_the_parameter_declared_first_varies_slowest():
    document = one_task(["{{FAST}}{{SLOW}}"], SLOW=["1", "2"], FAST=["x", "y", "z"])

    workflow = read(document)

    assert commands(workflow) == [("x1",), ("y1",), ("z1",), ("x2",), ("y2",), ("z2",)]
    assert names(workflow) == [f"a_{number}" for number in range(1, 7)]


def test_an_array_that_a_task_does_not_use_does_not_multiply_it():
    assert names(read(one_task(["x"], DATE=["1", "2"]))) == ["a"]


def test_scalars_and_arrays_of_one_leave_the_bare_name():
    workflow = read(one_task(["{{A}}{{B}}"], A="1", B=["2"]))

    assert names(workflow) == ["a"]
    assert workflow.tasks[0].parameters == {"A": "1", "B": "2"}


def test_a_value_is_not_searched_for_placeholders_again():
    assert commands(read(one_task(["{{A}}"], A="{{B}}", B="no"))) == [("{{B}}",)]


def test_blanks_inside_the_braces_do_not_matter():
    assert commands(read(one_task(["<{{  A }}>"], A="1"))) == [("<1>",)]


def test_keys_with_braces_are_read_as_daggyr_writes_them():
    document = one_task(["{{DATE}}"], **{"{{DATE}}": ["1", "2"]})

    assert commands(read(document)) == [("1",), ("2",)]


def test_the_parameters_of_a_task_lie_over_those_of_the_run():
    document = one_task(["{{A}}{{B}}"], A="1", B="2")
    document["tasks"]["a"]["parameters"] = {"A": ["x", "y"]}  # type: ignore[index]

    assert commands(read(document)) == [("x2",), ("y2",)]


@pytest.mark.parametrize("field", ["workDir", "tmpDir", "logdir", "userID", "pool"])
def test_every_text_of_a_job_is_filled(field):
    document = {
        "parameters": {"X": "v"},
        "tasks": {"a": {"job": {"command": ["x"], field: "<{{X}}>"}}},
    }

    (task,) = read(document).tasks

    assert "<v>" in (task.workdir, task.pool, *task.options.values())


def test_the_values_of_an_environment_are_filled_and_its_keys_are_not():
    document = {
        "parameters": {"X": "v"},
        "tasks": {"a": {"job": {"command": ["x"], "environment": {"{{X}}": "{{X}}"}}}},
    }

    assert read(document).tasks[0].environment == {"{{X}}": "v"}


def test_a_number_may_come_from_a_parameter():
    document = {
        "parameters": {"N": ["2", "4"]},
        "tasks": {
            "a": {"job": {"command": ["x"], "cores": "{{N}}", "resources": {"fpga": "{{N}}"}}}
        },
    }

    tasks = read(document).tasks

    assert [task.resources.cores_per_process for task in tasks] == [2, 4]
    assert [task.resources.other for task in tasks] == [{"fpga": 2}, {"fpga": 4}]


def test_names_of_tasks_are_not_filled():
    with pytest.raises(WorkflowError, match="cannot be the name of a task"):
        read({"parameters": {"X": "v"}, "tasks": {"a{{X}}": {"job": {"command": ["x"]}}}})


def test_a_task_that_multiplies_only_through_the_defaults_is_worth_a_warning():
    document = one_task(["x"], DATE=["1", "2"])
    document["jobDefaults"] = {"workDir": "/scratch/{{DATE}}"}

    workflow = read(document)

    assert [task.workdir for task in workflow.tasks] == ["/scratch/1", "/scratch/2"]
    assert [problem.code for problem in workflow.warnings] == ["multiplied_by_default"]


@pytest.mark.parametrize(
    ("naming", "expected"),
    [
        ("readme", ["a_1", "a_2", "b"]),
        ("zero", ["a_0", "a_1", "b_0"]),
        ("values", ["a.DATE:2021-01_02", "a.DATE:x", "b"]),
    ],
)
def test_instances_are_named_as_the_option_says(naming, expected):
    document = {
        "parameters": {"DATE": ["2021-01 02", "x"], "ROOT": "/r"},
        "tasks": {
            "a": {"job": {"command": ["{{DATE}}{{ROOT}}"]}},
            "b": {"job": {"command": ["x"]}, "parents": ["a"]},
        },
    }

    workflow = read(document, options={"instance_naming": naming})

    assert names(workflow) == expected
    assert workflow.tasks[2].needs == tuple(expected[:2])
    assert {task.template or task.name for task in workflow.tasks} == {"a", "b"}


@pytest.mark.parametrize("value", [False, "false", "False"])
def test_unknown_placeholders_stay_when_parameters_are_not_strict(value):
    document = one_task(["{{UNKNOWN}} {{X}} {{", "{{}}"], X="1")

    workflow = read(document, options={"strict_parameters": value})

    assert commands(workflow) == [("{{UNKNOWN}} 1 {{", "{{}}")]


def test_an_empty_array_may_be_allowed_and_then_the_task_does_nothing():
    document = one_task(["{{X}}"], X=[])

    (task,) = read(document, options={"allow_empty": "true"}).tasks

    assert (task.name, task.action) == ("a", Nothing())


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("7", [("7",)]),
        ('["p", "q"]', [("p",), ("q",)]),
        ("[1, 2.50]", [("1",), ("2.50",)]),
        ("[not json", [("[not json",)]),
        ('{"a": 1}', [('{"a": 1}',)]),
    ],
)
def test_a_value_from_outside_replaces_that_of_the_document(given, expected):
    assert commands(read(one_task(["{{X}}"], X="old"), parameters={"X": given})) == expected


@pytest.mark.parametrize("given", ["[[1]]", '["a", null]', '[{"a": 1}]'])
def test_an_array_from_outside_holds_strings_and_numbers_only(given):
    with pytest.raises(WorkflowError, match="-p X: the array holds more than strings"):
        read(one_task(["{{X}}"], X="old"), parameters={"X": given})


def test_an_unknown_parameter_from_outside_is_refused_with_the_nearest_name():
    with pytest.raises(WorkflowError) as caught:
        read(one_task(["{{DATE}}"], DATE="1"), parameters={"DATES": "2"})

    (problem,) = caught.value.problems
    assert (problem.code, problem.hint) == ("unknown_parameter", "did you mean 'DATE'?")
    assert str(problem.place) == "d.json:1:2"


def test_a_product_without_end_is_refused_before_it_is_made():
    columns = {f"P{number}": [str(value) for value in range(100)] for number in range(10)}
    document = one_task(["".join(f"{{{{{name}}}}}" for name in columns)], **columns)

    with pytest.raises(WorkflowError, match=r"would have 100 .* instances"):
        read(document)


@pytest.mark.parametrize(
    ("uses", "values"),
    [(3_000, ["x" * 1_000]), (1_000, ["x" * 1_000, *map(str, range(2_000))])],
)
def test_parameters_that_would_blow_a_job_up_are_refused_before_they_do(uses, values):
    with pytest.raises(WorkflowError, match="would fill the job of 'a' with") as caught:
        read(one_task(["x" + "{{X}}" * uses], X=values))

    assert str(caught.value.problems[0].place).startswith("d.json:1:")


def test_a_placeholder_that_is_unknown_is_told_once_for_each_string():
    with pytest.raises(WorkflowError) as caught:
        read(one_task(["{{X}}{{X}}", "{{X}}"]))

    assert [problem.pointer for problem in caught.value.problems] == [
        "/tasks/a/job/command/0",
        "/tasks/a/job/command/1",
    ]


@given(st.text(alphabet="ab \t\n'\"\\\\ü#;$", max_size=25))
def test_a_command_string_is_split_as_shlex_does(text):
    try:
        expected: object = tuple(shlex.split(text))
    except ValueError:
        expected = ValueError

    if expected is ValueError:
        with pytest.raises(ValueError):
            split_command(text)
    else:
        assert split_command(text) == expected


@pytest.mark.parametrize("quote", ["'", '"'])
def test_a_very_long_quoted_word_is_split_at_once(quote):
    word = "x" * 10_000_000

    assert split_command(f"a {quote}{word}{quote}") == ("a", word)


@given(
    st.dictionaries(
        st.text("ABC", min_size=1, max_size=2),
        st.lists(st.text("xyz", max_size=2), min_size=1, max_size=3),
        max_size=4,
    ),
    st.data(),
)
def test_a_task_has_one_instance_for_each_combination_of_what_it_uses(columns, data):
    used = data.draw(
        st.lists(st.sampled_from(sorted(columns)), unique=True) if columns else st.just([])
    )
    command = ["run", *(f"{{{{{name}}}}}" for name in used)]

    workflow = read(one_task(command, **columns))

    expected = 1
    for name in used:
        expected *= len(columns[name])
    assert len(workflow.tasks) == expected
    assert len(set(names(workflow))) == expected
    for task in workflow.tasks:
        assert task.action == Argv(("run", *(task.parameters[name] for name in used)))
