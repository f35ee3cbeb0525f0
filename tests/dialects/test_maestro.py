"""A Maestro study as a whole: recognised, read, placed, overridden."""

from __future__ import annotations

import copy
import json
import time
from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from segue.dialects.maestro import Maestro
from segue.model.definition import task_to_json
from segue.model.errors import WorkflowError
from segue.model.graph import check_graph
from segue.model.workflow import NO_RESOURCES, Output, Resources, Script, Verdict, Workflow
from segue.protocols.dialect import Source

DATA = Path(__file__).parent / "data"
ARCHIVE = (DATA / "maestro-archive.yaml").read_text(encoding="utf-8")


def read(text: str = ARCHIVE, **given) -> Workflow:
    return Maestro().read(Source("studies/pack.yaml", text, "/home/ada", **given))


def tasks(text: str = ARCHIVE, **given):
    return {task.name: task for task in read(text, **given).tasks}


def test_a_study_becomes_tasks_with_needs_scripts_and_directories():
    found = tasks(workspace="/out")

    assert {name: task.needs for name, task in found.items()} == {
        "write": (),
        "pack": ("write",),
        "squeeze_L.1": ("pack",),
        "squeeze_L.9": ("pack",),
        "compare": ("squeeze_L.1", "squeeze_L.9"),
    }
    squeeze = found["squeeze_L.9"]
    assert squeeze.template == "squeeze"
    assert squeeze.parameters == {"LEVEL": 9}
    assert squeeze.workdir == "squeeze/L.9"
    assert squeeze.description == "Compress at level 9."
    text = "#!/bin/bash\n\ngzip -c -9 /out/pack/pack.tar > pack.L.9.gz\n"
    assert squeeze.action == Script(text, "/bin/bash", "squeeze_L.9.sh")
    assert squeeze.restart == Script(
        text.replace("-9", "-1"), "/bin/bash", "squeeze_L.9.restart.sh"
    )
    assert squeeze.retry.restart_limit == 1
    assert squeeze.resources == Resources(processes=1, walltime_s=300)
    assert squeeze.timeout_s is None
    assert found["write"].resources is NO_RESOURCES
    compare = "ls -l /out/squeeze/*/* > /out/compare/sizes"
    assert found["compare"].action == Script(f"#!/bin/bash\n\n{compare}\n", file="compare.sh")
    assert found["compare"].output == Output("compare.{job_id}.out", "compare.{job_id}.err")


def test_the_workflow_carries_what_the_study_says_of_itself():
    workflow = read(workspace="/out")

    assert (workflow.name, workflow.dialect) == ("Pack a folder", "maestro")
    assert workflow.verdict is Verdict.STRICT
    assert (workflow.workspace, workflow.pool, workflow.warnings) == ("/out", "", ())
    assert check_graph(workflow) == []


def test_each_task_has_the_place_of_its_step():
    assert str(tasks()["squeeze_L.9"].place) == "studies/pack.yaml:26:11"


def test_without_a_chosen_directory_it_is_named_by_study_and_local_time(monkeypatch):
    monkeypatch.setenv("TZ", "UTC")
    time.tzset()

    workflow = read(now=1_800_000_000.5)

    assert workflow.workspace == "/home/ada/packs/Pack_a_folder_20270115-080000"


def test_without_output_path_the_study_is_written_below_the_current_directory():
    text = ARCHIVE.replace("    OUTPUT_PATH: ./packs\n", "")

    assert read(text).workspace.startswith("/home/ada/Pack_a_folder_")


def test_specroot_is_the_directory_of_the_file():
    script = tasks()["write"].action

    assert "cp -r /home/ada/studies/files folder" in script.text


def test_hashws_shortens_directories_and_keeps_names():
    found = tasks(workspace="/out", options={"hashws": True})

    assert found["squeeze_L.9"].workdir == "squeeze/squeeze_instance_1"
    assert found["squeeze_L.9"].options["nickname"] == "squeeze_instance_1"


def test_a_variable_takes_a_value_from_outside():
    found = tasks(parameters={"SOURCE": "/data"})

    assert "cp -r /data folder" in found["write"].action.text


def test_a_label_takes_a_value_from_outside():
    found = tasks(parameters={"RESULT": "r.$(LEVEL)"})

    assert found["squeeze_L.1"].action.text.endswith("> r.1\n")


def test_output_path_may_be_given_from_outside_even_if_the_study_has_none():
    text = ARCHIVE.replace("    OUTPUT_PATH: ./packs\n", "")

    workflow = read(text, parameters={"OUTPUT_PATH": "/scratch"})

    assert workflow.workspace.startswith("/scratch/Pack_a_folder_")


def test_a_global_parameter_takes_a_list_from_outside():
    found = tasks(parameters={"LEVEL": "[3, 4, 5]"})

    assert [name for name in found if name.startswith("squeeze")] == [
        *("squeeze_L.3", "squeeze_L.4", "squeeze_L.5")
    ]


@pytest.mark.parametrize(
    ("given", "message", "hint"),
    [
        ({"LEVL": "[1]"}, "-p LEVL: the study has no", "did you mean 'LEVEL'?"),
        ({"LEVEL": "3"}, "takes a list of values, not a number", "write -p 'LEVEL=[3]'"),
        ({"LEVEL": "[3"}, "not closed", "close it"),
        ({"SOURCE": ""}, "-p SOURCE= has no value", "-p SOURCE=VALUE"),
    ],
)
def test_a_wrong_value_from_outside_is_refused(given, message, hint):
    with pytest.raises(WorkflowError) as caught:
        read(parameters=given)

    (problem,) = caught.value.problems
    assert message in problem.message
    assert hint in problem.hint


def test_parameters_from_outside_must_still_have_one_length():
    text = ARCHIVE + "  OTHER: {values: [1, 2], label: O.%%}\n"

    with pytest.raises(WorkflowError) as caught:
        read(text, parameters={"OTHER": "[1, 2, 3]"})

    assert [each.code for each in caught.value.problems] == ["unequal_lengths"]


def test_dependencies_are_left_for_the_door_to_check_and_fetch():
    dependencies = """
  dependencies:
    paths:
      - {name: DATA, path: ../data}
    git:
      - {name: CODE, path: $(OUTPUT_PATH), url: https://example.org/code.git, tag: v1}

study:
  - {name: use, description: d, run: {cmd: "$(CODE)/bin $(DATA)"}}"""
    text = ARCHIVE.replace("\nstudy:", dependencies, 1)

    workflow = read(text, workspace="/out")

    assert workflow.context["paths"][0]["path"] == "/home/data"
    git = workflow.context["git"][0]
    assert (git["path"], git["url"], git["tag"]) == (
        *("/out/CODE", "https://example.org/code.git", "v1"),
    )
    used = next(task for task in workflow.tasks if task.name == "use")
    assert used.action.text == "#!/bin/bash\n\n/out/CODE/bin /home/data\n"


@pytest.mark.parametrize(
    ("text", "surely"),
    [
        (ARCHIVE, True),
        ("\"study\": []\n'description': {}", True),
        ("study:\n  - [\ndescription: x", True),
        ("description: x\n", False),
        ("steps:\n  - study: 1\n    description: 2\n", False),
        ("", False),
        ("\0\ud800", False),
    ],
)
def test_a_study_is_recognised_by_its_top_level_keys(text, surely):
    assert (Maestro().recognise("any.name", text) >= 0.9) is surely


def test_a_study_with_a_fault_in_its_outline_is_still_recognised():
    text = "description:\n  name: x\n study:\n  - name: y\n"

    assert 0 < Maestro().recognise("x.yaml", text) < 0.9


def test_a_study_cannot_grow():
    with pytest.raises(WorkflowError, match="cannot add tasks"):
        Maestro().grow("{}", "write", {}, {})


def test_problems_come_in_the_order_of_the_file():
    text = ARCHIVE.replace("[pack]", "[pakc]").replace("values: [1, 9]", "values: 1")

    with pytest.raises(WorkflowError) as caught:
        read(text.replace("name: Pack a folder", "name: [x]"))

    lines = [problem.place.line for problem in caught.value.problems]
    assert lines == sorted(lines)
    assert len(lines) == 3


ODD_VALUES = [None, [], {}, [None], {"a": 1}, 0, -1, 1.5, True, "", " ", "$(", "$(X)", "a/b", ".."]
ODD_VALUES += ["*", "_*", "$(.workspace)", "$(LAUNCHER)[", "$(LAUNCHER)[9p]", "%%", "\u00e9", "\n"]
FULL = yaml.safe_load(ARCHIVE)
FULL["batch"] = {"type": "slurm", "bank": "b", "queue": "q", "nodes": 1, "args": {"x": 1}}
FULL["env"]["dependencies"] = {
    "paths": [{"name": "D", "path": "."}],
    "git": [{"name": "G", "path": "p", "url": "u", "tag": "t"}],
}
FULL["study"][2]["run"] |= {"exclusive": {"allocation": True}, "priority": "high", "gpus": 1}


def paths_of(value, path=()):
    """Yield the path of every value in a tree."""
    yield path
    if isinstance(value, dict | list):
        for key in value if isinstance(value, dict) else range(len(value)):
            yield from paths_of(value[key], (*path, key))


def replaced(tree, path, value):
    if not path:
        return value
    tree = copy.deepcopy(tree)
    inner = tree
    for key in path[:-1]:
        inner = inner[key]
    inner[path[-1]] = value
    return tree


def unsound(tree, **given):
    """Return what is wrong with the answer: neither a sound workflow nor helpful problems."""
    try:
        # JSON is YAML, and written a hundred times faster.
        workflow = read(json.dumps(tree), **given)
    except WorkflowError as error:
        silent = [each for each in error.problems if not (each.place and each.message)]
        return silent if error.problems else ["a refusal without a reason"]
    return [
        *check_graph(workflow),
        *(task for task in workflow.tasks if not isinstance(task.action, Script)),
    ]


@pytest.mark.parametrize("kind", ["local", "slurm", "lsf", "flux"])
@pytest.mark.parametrize("path", list(paths_of(FULL)), ids=lambda path: "/".join(map(str, path)))
def test_any_value_in_any_place_makes_a_workflow_or_a_refusal(path, kind):
    tree = replaced(FULL, ("batch", "type"), kind)
    found = [unsound(replaced(tree, path, value)) for value in ODD_VALUES]

    assert not any(found)


@given(st.data())
def test_two_odd_values_make_a_workflow_or_a_refusal(data):
    tree = FULL
    for _ in range(2):
        path = data.draw(st.sampled_from(list(paths_of(tree))))
        tree = replaced(tree, path, data.draw(st.sampled_from(ODD_VALUES)))

    found = unsound(tree, options={"hashws": data.draw(st.booleans())})

    assert not found


@given(st.integers(0, len(ARCHIVE)), st.integers(0, 40), st.text(max_size=3))
def test_a_torn_text_makes_a_workflow_or_a_refusal(start, length, insert):
    text = ARCHIVE[:start] + insert + ARCHIVE[start + length :]
    problems = []

    try:
        read(text)
    except WorkflowError as error:
        problems = error.problems

    assert all(each.place for each in problems)


def test_tasks_of_odd_values_can_be_kept_as_json():
    values = "[.inf, 2026-01-02, {1: x}, [~], 0x1F, !!binary aGk=]"
    text = ARCHIVE.replace("[1, 9]", values)

    kept = [json.dumps(task_to_json(task), allow_nan=False) for task in read(text).tasks]

    assert len(kept) == 9


def test_ten_thousand_combinations_are_expanded_within_a_moment():
    numbers = list(range(10_000))
    text = f"""
description: {{name: many, description: many}}
study:
  - {{name: s, description: d, run: {{cmd: "echo $(N) $(WORKSPACE)"}}}}
  - {{name: t, description: d, run: {{cmd: "cat $(s.workspace)/x", depends: [s]}}}}
  - {{name: u, description: d, run: {{cmd: "cat $(t.workspace)/*", depends: [t_*]}}}}
global.parameters:
  N: {{values: {numbers}, label: N.%%}}
"""
    began = time.perf_counter()

    workflow = read(text)

    assert len(workflow.tasks) == 20_001
    # 0.4 s on the machine where it was written; the bound is for slow ones.
    assert time.perf_counter() - began < 4
