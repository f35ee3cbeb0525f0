"""What a generator prints becomes tasks of its run."""

import json

import pytest

from segue.dialects.daggy import Daggy
from segue.model.errors import Severity, WorkflowError
from segue.model.workflow import Argv, Generator, Growth, Resources, Workflow
from segue.protocols.dialect import Source

RUN = {
    "parameters": {"DATE": ["1", "2"], "ROOT": "/r"},
    "jobDefaults": {"memoryMB": 10},
    "taskDefaults": {"maxRetries": 2},
    "tasks": {
        "pull": {"job": {"command": ["pull"]}, "isGenerator": True, "children": ["report"]},
        "calc": {"job": {"command": ["{{DATE}}"]}},
        "report": {"job": {"command": ["report"]}},
    },
}


def run(document: object = RUN, **options: object) -> Workflow:
    return Daggy().read(Source("d.json", json.dumps(document), options=options))


def grow(output: object, workflow: Workflow | None = None, **more: str) -> Growth:
    workflow = workflow or run()
    existing = {task.name: task.template or task.name for task in workflow.tasks} | more
    # The store keeps the context as JSON.
    context = json.loads(json.dumps(workflow.context))
    text = output if isinstance(output, str) else json.dumps(output)
    return Daggy().grow(text, "pull", context, existing)


def errors_of(output: object, **more: str) -> list[tuple[str, str]]:
    with pytest.raises(WorkflowError) as caught:
        grow(output, **more)
    return [
        (problem.code, str(problem.place))
        for problem in caught.value.problems
        if problem.severity is Severity.ERROR
    ]


def echo(**more: object) -> dict[str, object]:
    return {"job": {"command": ["x"]}, **more}


@pytest.mark.parametrize("output", [{"new": echo()}, {"tasks": {"new": echo()}}])
def test_new_tasks_wait_for_their_generator(output):
    growth = grow(output)

    (task,) = growth.tasks
    assert (task.name, task.needs, growth.late_needs) == ("new", ("pull",), ())


def test_new_tasks_have_the_parameters_and_defaults_of_the_run():
    growth = grow({"new": {"job": {"command": ["{{ROOT}}/{{DATE}}"]}}})

    assert [task.name for task in growth.tasks] == ["new_1", "new_2"]
    assert [task.action for task in growth.tasks] == [Argv(("/r/1",)), Argv(("/r/2",))]
    assert growth.tasks[0].template == "new"
    assert growth.tasks[0].resources == Resources(memory_mb=10)
    assert growth.tasks[0].retry.limit == 2


def test_new_tasks_are_named_as_the_run_was():
    growth = grow({"new": echo()}, run(instance_naming="zero"))

    assert [task.name for task in growth.tasks] == ["new_0"]


def test_unknown_placeholders_stay_where_the_run_was_not_strict():
    growth = grow({"new": {"job": {"command": ["{{U}}"]}}}, run(strict_parameters=False))

    assert growth.tasks[0].action == Argv(("{{U}}",))


def test_an_existing_task_can_be_told_to_wait_for_a_new_one():
    growth = grow({"one": echo(children=["report"]), "two": echo(children=["report"])})

    assert growth.late_needs == (("report", "one"), ("report", "two"))
    assert growth.barriers == ()


def test_many_existing_wait_for_many_new_through_a_barrier():
    growth = grow({"new": {"job": {"command": ["{{DATE}}"]}, "children": ["calc"]}})

    (barrier,) = growth.barriers
    assert barrier.name == "barrier:pull>new"
    assert barrier.needs == ("new_1", "new_2")
    assert growth.late_needs == (("calc_1", barrier.name), ("calc_2", barrier.name))


def test_new_tasks_may_wait_for_tasks_of_the_run():
    growth = grow({"new": echo(parents=["calc", "report", "pull"])})

    assert growth.tasks[0].needs == ("pull", "calc_1", "calc_2", "report")


def test_many_new_wait_for_many_existing_through_a_barrier_of_their_own():
    growth = grow({"new": {"job": {"command": ["{{DATE}}"]}, "parents": ["calc"]}})

    (barrier,) = growth.barriers
    # The run may have a barrier:calc already.
    assert (barrier.name, barrier.needs) == ("barrier:pull>calc", ("calc_1", "calc_2"))
    assert growth.tasks[0].needs == ("pull", barrier.name)


def test_new_tasks_may_wait_for_each_other_and_for_one_instance():
    growth = grow({"a": echo(children=["b"]), "b": echo(parents=["calc_2"])})

    assert {task.name: task.needs for task in growth.tasks} == {
        "a": ("pull",),
        "b": ("pull", "a", "calc_2"),
    }


def test_new_tasks_may_be_generators():
    growth = grow({"new": echo(isGenerator=True)})

    assert growth.tasks[0].generator == Generator("daggy")


def test_a_generator_may_print_nothing_new():
    assert grow({}) == Growth(())


@pytest.mark.parametrize(
    ("output", "code", "place"),
    [
        ("", "syntax", "1:1"),
        ("hello", "syntax", "1:1"),
        ("[1]", "wrong_type", "1:2"),
        ('"x"', "wrong_type", "1:1"),
        ('{"new": {"job": {"command": ["x"]}},\n "new": {"job": {"command": ["x"]}}}',
         "duplicate_key", "2:2"),
        ('{"tasks": {}, "parameters": {"X": "1"}}', "unknown_field", "1:15"),
        ('{"calc_1": {"job": {"command": ["x"]}}}', "task_exists", "1:2"),
        ('{"report": {"job": {"command": ["x"]}}}', "task_exists", "1:2"),
        ('{"calc": {"job": {"command": ["x"]}}}', "task_exists", "1:2"),
        ('{"new": {"job": {"command": ["x"]}, "children": ["repotr"]}}', "unknown_task", "1:50"),
        ('{"new": {"job": {"command": ["x"]}, "children": ["new"]}}', "self_edge", "1:50"),
        ('{"new": {"job": {"command": ["{{U}}"]}}}', "unknown_placeholder", "1:30"),
    ],
)  # fmt: skip
def test_faulty_output_is_refused_with_its_place(output, code, place):
    assert errors_of(output) == [(code, f"stdout of pull:{place}")]


def test_the_nearest_name_of_the_run_is_suggested():
    with pytest.raises(WorkflowError, match="did you mean 'report'"):
        grow({"new": echo(children=["repotr"])})


def test_a_cycle_among_new_tasks_is_refused():
    assert errors_of({"a": echo(children=["b"]), "b": echo(children=["a"])}) == [
        ("cycle", "stdout of pull:1:2")
    ]


def test_output_over_the_limit_is_refused(monkeypatch):
    monkeypatch.setattr("segue.dialects.daggy_growth.MAX_GENERATOR_OUTPUT", 5)

    assert errors_of({"new": echo()}) == [("too_large", "stdout of pull:1:1")]


def test_generators_together_may_not_add_tasks_without_end(monkeypatch):
    monkeypatch.setattr("segue.dialects.daggy.MAX_GENERATED_TASKS", 3)
    output = {"a": echo(), "b": echo()}

    assert len(grow(output, more="more").tasks) == 2
    assert errors_of(output, more="more", again="again") == [
        ("too_many_tasks", "stdout of pull:1:1")
    ]


def test_a_product_counts_before_it_is_made(monkeypatch):
    monkeypatch.setattr("segue.dialects.daggy.MAX_GENERATED_TASKS", 1)

    codes = {code for code, _ in errors_of({"new": {"job": {"command": ["{{DATE}}"]}}})}

    assert codes == {"too_many_tasks"}
