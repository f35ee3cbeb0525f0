from segue.model.drawing import Drawing, by_task, by_template, dot_text, mermaid, template_document
from segue.model.workflow import Argv, Barrier, Task

TRUE = Argv(("true",))


def example(states=None) -> Drawing:
    tasks = (
        Task("a_1", TRUE, template="a"),
        Task("a_2", TRUE, template="a"),
        Task("b_1", TRUE, template="b", needs=("barrier:a",)),
        Task("b_2", TRUE, template="b", needs=("barrier:a",)),
    )
    return Drawing("w", "daggy", tasks, (Barrier("barrier:a", ("a_1", "a_2")),), states)


def test_templates_are_joined_through_barriers():
    dots, edges = by_template(example())

    assert [(dot.name, dot.number) for dot in dots] == [("a", 2), ("b", 2)]
    assert list(edges) == [("a", "b")]


def test_states_are_counted_by_template():
    states = {"a_1": "succeeded", "a_2": "failed", "b_1": "skipped", "b_2": "skipped"}

    document = template_document(example(states))

    assert document["templates"][0]["states"] == {"succeeded": 1, "failed": 1}
    assert document["templates"][1] == {
        "name": "b", "tasks": 2, "needs": ["a"], "trigger": "all_success",
        "states": {"skipped": 2},
    }  # fmt: skip


def test_the_level_of_tasks_shows_barriers():
    dots, edges = by_task(example())

    assert "barrier:a" in [dot.name for dot in dots]
    assert ("a_1", "barrier:a") in edges


def test_names_cannot_break_out_of_mermaid_or_dot():
    drawing = Drawing("w", "daggy", (Task('x"]; evil\\', TRUE),))
    dots, edges = by_task(drawing)

    assert 'n0["x&quot;]; evil\\"]' in mermaid(dots, edges)
    assert 'label = "x\\"]; evil\\\\"' in dot_text("w", dots, edges)
