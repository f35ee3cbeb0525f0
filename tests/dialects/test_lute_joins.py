"""Joins in LUTE's tree: ``id`` and ``needs``, which are ours."""

import pytest

from segue.dialects.lute import Lute
from segue.model.errors import WorkflowError
from segue.model.graph import check_graph
from segue.protocols.dialect import Source

DIAMOND = """\
!LUTE_DAG
- task_name: A
  id: a
  next:
  - {task_name: B, id: b, next: []}
- {task_name: C, id: c, next: []}
- task_name: Merge
  needs: [b, c]
  next: []
"""
SWEEP = """\
!LUTE_DAG
- !param_sweep
  task_name: S
  id: s
  param_matrix: {x: [1, 2, 3]}
  next:
  - {task_name: Below, id: below, next: []}
- {task_name: Both, needs: [s, below], next: []}
- {task_name: Again, needs: [s], next: []}
- !ANY_FAILED
  task_name: Mend
  needs: [s]
  next: []
"""


def read(text, **facts):
    source = Source(path="w.dag", text=text, directory="/", facts=facts, parameters={}, now=0.0)
    workflow = Lute().read(source)
    assert check_graph(workflow) == []
    return workflow


def needs(text, **facts):
    workflow = read(text, **facts)
    barriers = {each.name: each.needs for each in workflow.barriers}
    return {
        task.name: [name for need in task.needs for name in barriers.get(need, (need,))]
        for task in workflow.tasks
    }


def problems(text, **facts):
    with pytest.raises(WorkflowError) as caught:
        read(text, **facts)
    return str(caught.value)


def test_a_step_waits_for_those_whose_ids_it_names():
    assert needs(DIAMOND) == {"A": [], "B": ["A"], "C": [], "Merge": ["B", "C"]}


def test_a_step_below_another_waits_for_it_and_for_its_needs():
    text = DIAMOND.replace("- {task_name: C, id: c, next: []}", "").replace(
        "{task_name: B, id: b, next: []}",
        "{task_name: B, id: b, next: []}\n  - {task_name: C, id: c, needs: [b], next: []}",
    )

    assert needs(text)["C"] == ["A", "B"]


def test_all_instances_of_a_sweep_and_all_copies_below_are_waited_for():
    found = needs(SWEEP)

    assert found["Both"] == ["S_0", "S_1", "S_2", "Below", "Below-2", "Below-3"]
    assert found["Again"] == ["S_0", "S_1", "S_2"]


def test_a_rule_about_failures_counts_each_task():
    [mend] = [task for task in read(SWEEP).tasks if task.name == "Mend"]

    assert mend.needs == ("S_0", "S_1", "S_2")


def test_a_need_in_a_branch_that_was_not_chosen_is_not_waited_for():
    text = """\
!LUTE_DAG
- !branch_daq2
  daq2: {task_name: A, id: a, next: []}
  daq1: {task_name: B, id: b, next: []}
- {task_name: C, needs: [a, b], next: []}
"""

    workflow = read(text, daq2="true")

    assert needs(text, daq2="true") == {"A": [], "C": ["A"]}
    assert "'b' is not run here" in str(workflow.warnings[0])


def test_a_step_for_all_runs_of_a_tag_is_marked():
    text = "!LUTE_DAG\n- {task_name: A, run_dependent: false, next: []}\n"

    assert read(text).tasks[0].options == {"run_dependent": False}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (("[b, c]", "[b, d]"), "w.dag:8:14: there is no step with the id 'd'"),
        (("[b, c]", "[b, bb]"), "did you mean 'b'?"),
        (("[b, c]", "b"), "'needs' is a list of ids"),
        (("[b, c]", "[[b]]"), "w.dag:8:11"),
        (("id: c", "id: b"), "w.dag:6:22: the id 'b' is taken (line 5)"),
        (("id: c", "id: 'c d'"), "cannot be an id"),
        (("  id: a", "  needs: [b]"), "these steps would wait for each other: "),
        (("id: c", "id: c, needs: [c]"), "these steps would wait for each other: c -> c"),
    ],
)
def test_a_fault_is_told_with_its_place(change, message):
    assert message in problems(DIAMOND.replace(*change))
