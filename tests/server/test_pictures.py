"""What plots and graphs are made of, without any server: pure functions, made-up rows."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from segue.model.states import TaskState
from segue.protocols.windows import Joint, Span, StepCount, TemplateCount
from segue.server.graph_picture import graph, outline
from segue.server.masking import MASK, masked, masked_document, masked_text
from segue.server.pictures import Steps, progress, template_bars, width_for
from segue.server.queries import after_of, cursor_of
from segue.server.skeletons import skeleton_of

W, R, S = TaskState.WAITING, TaskState.RUNNING, TaskState.SUCCEEDED


def joint(position, name, *needs, template="", barrier=False):
    return Joint(position, name, template, barrier, needs, "", False)


def chain_of_barriers():
    """Two of a, behind a barrier and a barrier behind that, three of b."""
    return skeleton_of(
        [
            joint(0, "a_1", template="a"),
            joint(1, "a_2", template="a"),
            joint(2, "b_1", "outer", template="b"),
            joint(3, "b_2", "outer", template="b"),
            joint(4, "b_3", "outer", "a_1", template="b"),
            joint(5, "inner", "a_1", "a_2", barrier=True),
            joint(6, "outer", "inner", barrier=True),
        ]
    )


def edges_of(drawn):
    return {(before, after): count for before, after, count in drawn.edges}


def test_barriers_are_passed_through_however_many_there_are():
    drawn = outline(chain_of_barriers(), (), 10)

    assert edges_of(drawn) == {("a", "b"): 3 * 2 + 1}
    assert [(node.id, node.tasks) for node in drawn.nodes] == [("a", 2), ("b", 3)]


def test_an_expanded_template_shows_so_many_tasks_and_the_rest():
    drawn = outline(chain_of_barriers(), ("b",), 2)

    assert [node.id for node in drawn.nodes] == ["a", "b_1", "b_2", "more:b"]
    assert edges_of(drawn) == {("a", "b_1"): 2, ("a", "b_2"): 2, ("a", "more:b"): 3}


def test_the_rest_has_the_states_that_are_not_shown():
    drawn = outline(chain_of_barriers(), ("b",), 1)

    picture = graph(drawn, "template", {"b": {"succeeded": 2, "failed": 1}}, {"b_1": "failed"})

    states = {node.id: node.states for node in picture.nodes}
    assert states == {"a": {}, "b_1": {"failed": 1}, "more:b": {"succeeded": 2}}


def test_what_is_behind_a_task():
    skeleton = chain_of_barriers()

    assert skeleton.behind([0]) == {2, 3, 4, 5, 6}
    assert skeleton.behind([3]) == set()


# Progress ------------------------------------------------------------------------------


@st.composite
def stories(draw):
    """Tasks that go from waiting over running to succeeded, at some times."""
    times = st.floats(0, 500, allow_nan=False)
    return [
        tuple(sorted((draw(times), draw(times)))[: draw(st.integers(0, 2))])
        for _ in range(draw(st.integers(1, 20)))
    ]


@given(stories(), st.integers(1, 300))
def test_every_task_is_in_one_state_at_the_end_of_every_bin(tasks, bins):
    begin, end = 0.0, max([at for times in tasks for at in times], default=0.0)
    steps = Steps()
    steps.fit(begin, end)
    ways = [(W, R), (R, S)]
    steps.add(
        [
            StepCount(int(at // steps.width_s), *way, 1)
            for times in tasks
            for at, way in zip(times, ways, strict=False)
        ],
        1,
    )
    states = [("waiting", "running", "succeeded")[len(times)] for times in tasks]
    counts = {state: states.count(state) for state in set(states)}

    found = progress(steps, counts, begin, end, bins, now=end)

    number = len(found.ended)
    assert 1 <= number <= bins
    for at in range(number):
        assert sum(series[at] for series in found.states.values()) == len(tasks)
    assert sum(found.ended) == counts.get("succeeded", 0)
    for state, series in found.states.items():
        assert series[-1] == counts.get(state.value, 0)


def test_slices_grow_wider_and_lose_nothing():
    steps = Steps()
    steps.add([StepCount(at, W, R, 1) for at in range(10_000)], 7)

    steps.fit(0.0, 1e6)

    assert steps.counts.total() == 10_000
    assert 1e6 / steps.width_s <= 4096


@given(st.floats(0, 1e9), st.integers(1, 1000))
def test_so_many_slices_hold_the_time_wherever_it_begins(length_s, slices):
    width_s = width_for(length_s, slices)

    assert width_s * max(1, slices - 1) >= min(length_s, width_s * slices) - 1e-6
    assert slices == 1 or int(length_s / width_s) + 1 <= slices


def test_bars_count_what_waits_runs_and_ends():
    spans = [
        Span("a", 0, 2, 4, False, 3),
        Span("a", 1, 3, None, False, 1),
        Span("a", 0, 1, 1, True, 2),
    ]
    counts = [TemplateCount("a", S, 6, 0), TemplateCount("b", W, 2, 6)]

    first, second = template_bars(spans, counts, 1.0, 0.0, 5.0)

    assert (first.tasks, second.tasks) == (6, 2)
    assert first.waiting == [5, 6, 4, 1, 0, 0]
    assert first.running == [0, 2, 3, 4, 4, 1]
    assert first.ended == [0, 2, 0, 0, 3, 0]
    assert first.failed == [0, 2, 0, 0, 0, 0]
    assert second.running == [0] * 6


# Cursors and secrets ---------------------------------------------------------------------


@given(
    st.one_of(st.floats(allow_nan=False, allow_infinity=False), st.text()), st.integers(0, 2**40)
)
def test_a_cursor_leads_back_to_where_it_was_made(value, number):
    assert after_of(cursor_of("x", value, number), "x") == (value, number)


@pytest.mark.parametrize(
    ("text", "hidden"),
    [
        ("export AWS_SECRET_ACCESS_KEY=abcdef", "abcdef"),
        ("  db_password: abcdef", "abcdef"),
        ('"GITHUB_TOKEN": "abcdef"', "abcdef"),
        ("- AUTH_TOKEN=abcdef", "abcdef"),
        ("curl --token=abcdef", None),
    ],
)
def test_lines_that_set_a_secret_are_masked(text, hidden):
    shown = masked_text(text)

    assert (MASK in shown) == (hidden is not None)
    assert hidden is None or hidden not in shown


def test_documents_keep_their_form_without_their_secrets():
    shown = masked_document(
        '{"tasks": {"a": {"job": {"environment": {"KEY_ID": "1", "X_KEY": "s"}}}}}'
    )

    assert '"X_KEY": "********"' in shown
    assert "hush" not in masked_document('{"command": ["curl", "--token", "hush"]}')
    assert '"KEY_ID": "1"' in shown
    assert masked({"tokens": {"deep": 1}, "flag_token": True}) == {
        "tokens": {"deep": 1}, "flag_token": True,
    }  # fmt: skip
