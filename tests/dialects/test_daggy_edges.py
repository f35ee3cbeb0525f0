import json
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from segue.dialects.daggy import Daggy
from segue.model.errors import WorkflowError
from segue.model.graph import check_graph
from segue.model.workflow import Workflow
from segue.protocols.dialect import Source

DATES = {"DATE": [str(number) for number in range(4)]}


def read(tasks: dict[str, object], parameters: object = DATES) -> Workflow:
    text = json.dumps({"tasks": tasks, "parameters": parameters})
    return Daggy().read(Source("d.json", text))


def single(**more: object) -> dict[str, object]:
    return {"job": {"command": ["x"]}, **more}


def many(**more: object) -> dict[str, object]:
    return {"job": {"command": ["{{DATE}}"]}, **more}


def needs_of(workflow: Workflow) -> dict[str, set[str]]:
    """Return what each task waits for, barriers opened."""
    barriers = {barrier.name: barrier.needs for barrier in workflow.barriers}
    return {
        task.name: {name for need in task.needs for name in barriers.get(need, (need,))}
        for task in workflow.tasks
    }


@pytest.mark.parametrize(
    "tasks",
    [
        {"a": single(children=["b"]), "b": single()},
        {"a": single(), "b": single(parents=["a"])},
        {"a": single(children=["b", "b"]), "b": single(parents=["a"])},
    ],
)
def test_an_edge_counts_once_whichever_side_says_it(tasks):
    assert [task.needs for task in read(tasks).tasks] == [(), ("a",)]


def test_every_instance_waits_for_every_instance():
    workflow = read({"a": many(), "b": many(parents=["a"])})

    assert needs_of(workflow)["b_3"] == {"a_1", "a_2", "a_3", "a_4"}
    assert sum(len(task.needs) for task in workflow.tasks) == 4


def test_one_task_that_waits_for_many_needs_no_barrier():
    workflow = read({"a": many(), "b": single(parents=["a"])})

    assert workflow.barriers == ()
    assert workflow.tasks[-1].needs == ("a_1", "a_2", "a_3", "a_4")


def test_two_templates_that_wait_for_many_share_one_barrier():
    workflow = read({"a": many(), "b": single(parents=["a"]), "c": single(parents=["a"])})

    assert len(workflow.barriers) == 1
    assert workflow.tasks[-1].needs == workflow.tasks[-2].needs == ("barrier:a",)


def test_an_instance_can_be_named_with_a_warning():
    workflow = read({"a": many(), "b": single(parents=["a_2"]), "c": single(children=["a_3"])})

    needs = needs_of(workflow)
    assert needs["b"] == {"a_2"}
    assert needs["a_3"] == {"c"}
    assert needs["a_1"] == set()
    assert [problem.code for problem in workflow.warnings] == ["instance_reference"] * 2


def test_an_instance_that_waits_for_its_own_template_waits_for_itself():
    with pytest.raises(WorkflowError, match="'a' waits for itself"):
        read({"a": many(parents=["a_2"])})


def test_a_cycle_through_an_instance_is_found():
    with pytest.raises(WorkflowError, match="wait for each other"):
        read({"a": many(parents=["b"]), "b": single(parents=["a_2"])})


def test_tasks_of_a_generator_are_not_known_yet_and_the_hint_says_so():
    with pytest.raises(WorkflowError) as caught:
        read({"make": single(isGenerator=True), "b": single(parents=["zzzzzz"])})

    assert "generator" in caught.value.problems[0].hint


@given(st.data())
def test_the_graph_is_that_of_the_templates_times_their_instances(data):
    names = [f"t{number}" for number in range(data.draw(st.integers(1, 6)))]
    multiplied = {name: data.draw(st.booleans()) for name in names}
    edges = [
        (early, late)
        for number, early in enumerate(names)
        for late in names[number + 1 :]
        if data.draw(st.booleans())
    ]
    tasks = {
        name: (many if multiplied[name] else single)(parents=[], children=[]) for name in names
    }
    for early, late in edges:
        side = data.draw(st.sampled_from(["parents", "children", "both"]))
        if side != "children":
            tasks[late]["parents"].append(early)  # type: ignore[attr-defined]
        if side != "parents":
            tasks[early]["children"].append(late)  # type: ignore[attr-defined]

    workflow = read(tasks)

    assert check_graph(workflow) == []
    instances = {
        name: {f"{name}_{number}" for number in range(1, 5)} if multiplied[name] else {name}
        for name in names
    }
    needs = needs_of(workflow)
    for late in names:
        wanted = {each for early, to in edges if to == late for each in instances[early]}
        for instance in instances[late]:
            assert needs[instance] == wanted


def test_ten_thousand_instances_on_both_sides_cost_one_edge_each():
    columns = {"DATE": [str(number) for number in range(10_000)]}
    tasks = {name: many() for name in "abcd"}
    for early, late in pairwise("abcd"):
        tasks[early]["children"] = [late]

    workflow = read(tasks, columns)

    assert len(workflow.tasks) == 40_000
    edges = sum(len(node.needs) for node in (*workflow.tasks, *workflow.barriers))
    assert edges == 60_000
