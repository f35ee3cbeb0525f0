"""Which instances a step has, what they need, and where they work."""

from __future__ import annotations

import pytest

from segue.dialects.maestro import Maestro
from segue.model.workflow import Barrier, Workflow
from segue.protocols.dialect import Source


def read(steps: str, parameters: str = "", **options) -> Workflow:
    text = f"description: {{name: t, description: t}}\nstudy:\n{steps}\n"
    if parameters:
        text += f"global.parameters: {{{parameters}}}\n"
    return Maestro().read(Source("t.yaml", text, "/here", workspace="/out", options=options))


def step(name: str, cmd: str, depends: str = "") -> str:
    return f"- {{name: '{name}', description: d, run: {{cmd: '{cmd}', depends: [{depends}]}}}}\n"


def needs(workflow: Workflow) -> dict[str, tuple[str, ...]]:
    return {task.name: task.needs for task in workflow.tasks}


SIZES = "S: {values: [10, 10, 20], label: SZ.%%}, I: {values: [1, 2, 3], label: IT.%%}"


def test_a_step_has_one_instance_for_each_label_of_what_it_uses():
    workflow = read(
        step("a", "a $(S) $(I)")
        + step("b", "b $(a.workspace)", "a")
        + step("s", "s $(S.label) $(a.workspace)", "'a_*'")
        + step("g", "g", "s")
        + step("f", "f $(a.workspace) $(s.workspace)", "'a_*', 's_*'"),
        SIZES,
    )

    assert needs(workflow) == {
        "a_IT.1.SZ.10": (),
        "a_IT.2.SZ.10": (),
        "a_IT.3.SZ.20": (),
        "b_IT.1.SZ.10": ("a_IT.1.SZ.10",),
        "b_IT.2.SZ.10": ("a_IT.2.SZ.10",),
        "b_IT.3.SZ.20": ("a_IT.3.SZ.20",),
        "s_SZ.10": ("barrier:a",),
        "s_SZ.20": ("barrier:a",),
        "g_SZ.10": ("s_SZ.10",),
        "g_SZ.20": ("s_SZ.20",),
        "f": ("barrier:a", "s_SZ.10", "s_SZ.20"),
    }
    texts = {task.name: task.action.text.splitlines()[2] for task in workflow.tasks}
    assert texts["b_IT.3.SZ.20"] == "b /out/a/IT.3.SZ.20"
    assert texts["s_SZ.10"] == "s SZ.10 /out/a"
    assert texts["f"] == "f /out/a /out/s"


def test_many_on_many_is_one_barrier():
    workflow = read(
        step("a", "$(N)") + step("b", "$(N)", "'a_*'"),
        f"N: {{values: {list(range(100))}, label: N.%%}}",
    )

    assert [(each.name, len(each.needs)) for each in workflow.barriers] == [("barrier:a", 100)]
    assert {task.needs for task in workflow.tasks} == {(), ("barrier:a",)}


@pytest.mark.parametrize("funnel", ["a_*", "a*", "*a"])
def test_a_funnel_may_be_written_in_three_ways(funnel):
    workflow = read(step("a", "$(S)") + step("b", "b", f"'{funnel}'"), SIZES)

    assert needs(workflow)["b"] == ("a_SZ.10", "a_SZ.20")


def test_a_need_that_is_also_a_funnel_is_the_funnel():
    workflow = read(step("a", "$(S)") + step("b", "b $(a.workspace)", "a, 'a_*'"), SIZES)

    assert needs(workflow)["b_SZ.10"] == ("barrier:a",)
    assert workflow.barriers == (Barrier("barrier:a", ("a_SZ.10", "a_SZ.20")),)
    assert workflow.tasks[-1].action.text.endswith("b /out/a\n")


def test_a_funnel_over_a_step_without_parameters_is_that_step():
    workflow = read(step("a", "a") + step("b", "b", "'a_*'"))

    assert needs(workflow)["b"] == ("a",)


def test_a_reference_multiplies_a_step_but_makes_no_need():
    workflow = read(
        step("a", "$(S)") + step("b", "b", "'a_*'") + step("e", "$(a.workspace)", "'b_*'"), SIZES
    )

    assert needs(workflow)["e_SZ.20"] == ("b",)
    assert workflow.tasks[-1].action.text.endswith("/out/a/SZ.20\n")


def test_a_step_stands_behind_the_one_that_it_reads_from():
    workflow = read(step("reader", "$(writer.workspace)") + step("writer", "w"))

    assert [task.name for task in workflow.tasks] == ["writer", "reader"]
    assert [each.code for each in workflow.warnings] == ["missing_edge"]


def test_the_first_of_equal_labels_counts():
    workflow = read(step("a", "$(S)"), "S: {values: [1, 2], label: same}")

    assert [(task.name, task.parameters) for task in workflow.tasks] == [("a_same", {"S": 1})]


def test_an_unused_parameter_multiplies_nothing():
    assert [task.name for task in read(step("a", "a"), SIZES).tasks] == ["a"]


def test_a_parameter_without_values_leaves_no_instances():
    workflow = read(step("a", "$(S)") + step("b", "b", "'a_*'"), "S: {values: [], label: S.%%}")

    assert needs(workflow) == {"b": ()}


def test_short_names_are_as_wide_as_the_last_one():
    values = list(range(11))

    workflow = read(step("a b", "$(S)"), f"S: {{values: {values}, label: S.%%}}", hashws=True)

    assert [task.workdir for task in workflow.tasks][:2] == [
        *("a_b/a_b_instance_00", "a_b/a_b_instance_01")
    ]


def test_two_steps_cannot_have_an_instance_of_one_name():
    with pytest.raises(Exception, match=r"both named 'a_S\.1'"):
        read(step("a", "$(S)") + step("a_S.1", "x"), "S: {values: [1], label: S.%%}")


def test_a_chain_of_thousands_of_steps_is_no_matter_of_recursion():
    steps = step("s0", "x") + "".join(
        step(f"s{i}", f"$(s{i - 1}.workspace)", f"s{i - 1}") for i in range(1, 3000)
    )

    assert len(read(steps).tasks) == 3000
