"""A workflow for all runs of a tag."""

import pytest

from segue.dialects.lute import Lute
from segue.lute.fan_out import fan_out
from segue.model.errors import WorkflowError
from segue.model.graph import check_graph
from segue.protocols.dialect import Source

TAGGED = """\
!LUTE_DAG
task_name: Find
next:
- task_name: Index
  next:
  - {task_name: Merge, run_dependent: false, next: [
      {task_name: Compare, run_dependent: false, next: []}]}
- !ALL_FAILED
  task_name: Mend
  next: []
"""


def read(text):
    source = Source(path="w.dag", text=text, directory="/", facts={}, parameters={}, now=0.0)
    return Lute().read(source)


def fanned(text=TAGGED, runs=(3, 12), **options):
    workflow = fan_out(read(text), runs, {"TAG": "lyso"}, **options)
    assert check_graph(workflow) == []
    return workflow


def needs(workflow):
    barriers = {each.name: each.needs for each in workflow.barriers}
    return {
        task.name: [name for need in task.needs for name in barriers.get(need, (need,))]
        for task in workflow.tasks
    }


def test_each_run_has_its_own_steps_and_the_others_join_them():
    assert needs(fanned()) == {
        "Find@r0003": [],
        "Index@r0003": ["Find@r0003"],
        "Mend@r0003": ["Find@r0003"],
        "Find@r0012": [],
        "Index@r0012": ["Find@r0012"],
        "Mend@r0012": ["Find@r0012"],
        "Merge": ["Index@r0003", "Index@r0012"],
        "Compare": ["Merge"],
    }


def test_steps_know_their_run_and_joint_steps_the_tag():
    tasks = {task.name: task for task in fanned().tasks}

    assert tasks["Index@r0012"].environment == {"RUN_NUM": "12", "RUN": "12"}
    assert tasks["Index@r0012"].template == "Index"
    assert tasks["Index@r0012"].parameters == {"run": 12}
    assert tasks["Merge"].environment == {"RUN_NUM": "3", "RUN": "3", "TAG": "lyso"}
    assert tasks["Merge"].options == {}


def test_a_joint_step_at_the_root_waits_for_all_that_is_done_for_the_runs():
    text = "!LUTE_DAG\n- {task_name: A, next: []}\n- {task_name: B, run_dependent: false, next: []}"

    assert needs(fanned(text))["B"] == ["A@r0003", "A@r0012"]


def test_a_joint_step_for_failures_counts_each_run():
    text = TAGGED.replace("{task_name: Merge", "!ANY_FAILED {task_name: Merge")

    [merge] = [task for task in fanned(text).tasks if task.name == "Merge"]

    assert merge.needs == ("Index@r0003", "Index@r0012")


def test_so_many_runs_are_worked_on_at_once():
    workflow = fanned(runs=(1, 2, 3), at_once=2)

    gates = {barrier.name: barrier for barrier in workflow.barriers if barrier.any_end}
    [find] = [task for task in workflow.tasks if task.name == "Find@r0003"]
    assert set(find.needs) == gates.keys()
    assert {*gates[find.needs[0]].needs} == {"Index@r0001", "Mend@r0001"}


def test_a_sweep_with_a_join_is_repeated_whole():
    text = """\
!LUTE_DAG
- !param_sweep {task_name: S, id: s, param_matrix: {x: [1, 2]}, next: []}
- {task_name: A, needs: [s], next: []}
- {task_name: B, needs: [s], next: []}
"""

    assert needs(fanned(text))["B@r0012"] == ["S_0@r0012", "S_1@r0012"]


def test_a_step_of_the_run_behind_a_joint_one_is_refused():
    text = TAGGED.replace("{task_name: Compare, run_dependent: false", "{task_name: Compare")

    with pytest.raises(WorkflowError, match="'Compare' depends on the run") as caught:
        fanned(text)

    assert str(caught.value.problems[0].place).startswith("w.dag:7:")


def test_needs_shared_between_both_kinds_of_steps_are_refused():
    text = """\
!LUTE_DAG
- !param_sweep {task_name: S, id: s, param_matrix: {x: [1, 2]}, next: []}
- {task_name: A, needs: [s], next: []}
- {task_name: B, needs: [s], run_dependent: false, next: []}
"""

    with pytest.raises(WorkflowError, match="cannot share its needs"):
        fanned(text)
