from hypothesis import given
from hypothesis import strategies as st

from segue.model.graph import check_graph, find_cycle
from segue.model.location import Place
from segue.model.workflow import Argv, Barrier, Task, Workflow

TRUE = Argv(("true",))


def workflow(*tasks: Task, barriers: tuple[Barrier, ...] = ()) -> Workflow:
    return Workflow("w", "daggy", tasks, barriers)


def codes(*tasks: Task, **more) -> list[str]:
    return [problem.code for problem in check_graph(workflow(*tasks, **more))]


def test_a_good_graph_has_no_problems():
    assert codes(Task("a", TRUE), Task("b", TRUE, needs=("a",))) == []


def test_an_unknown_need_is_told_with_place_and_nearest_name():
    place = Place("f", 3, 4)
    tasks = Task("split", TRUE), Task("b", TRUE, needs=("spilt",), place=place)

    (problem,) = check_graph(workflow(*tasks))

    assert problem.code == "unknown_task"
    assert problem.place == place
    assert problem.hint == "did you mean 'split'?"


def test_a_name_given_twice_is_told():
    assert codes(Task("a", TRUE), Task("a", TRUE)) == ["duplicate_task"]


def test_a_cycle_is_told_whole():
    tasks = [Task(name, TRUE, needs=(need,)) for name, need in ("ab", "bc", "ca")]

    (problem,) = check_graph(workflow(*tasks))

    assert problem.message == "these tasks wait for each other: a -> b -> c -> a"


def test_a_cycle_through_a_barrier_is_found():
    barrier = Barrier("barrier:a", ("a",))

    assert codes(Task("a", TRUE, needs=("barrier:a",)), barriers=(barrier,)) == ["cycle"]


def test_a_task_that_needs_itself_is_a_cycle():
    assert find_cycle({"a": ["a"]}) == ["a"]


def test_a_chain_of_100_000_needs_no_deep_stack():
    needs = {str(at): [str(at - 1)] for at in range(1, 100_000)} | {"0": ["99999"]}

    assert len(find_cycle(needs)) == 100_000


@given(st.dictionaries(st.integers(0, 9), st.lists(st.integers(0, 9), max_size=3), max_size=10))
def test_a_cycle_is_found_exactly_where_there_is_one(edges):
    needs = {str(node): [str(need) for need in wanted] for node, wanted in edges.items()}

    cycle = find_cycle(needs)

    if cycle:
        for node, need in zip(cycle, [*cycle[1:], cycle[0]], strict=True):
            assert need in needs[node]
    else:
        assert sorted(ordered(needs)) == sorted(needs)


def ordered(needs: dict[str, list[str]]) -> list[str]:
    """Order the nodes by taking away what needs nothing that is left, the slow way."""
    left = dict(needs)
    order: list[str] = []
    while free := [name for name, wanted in left.items() if not set(wanted) & set(left)]:
        order += free
        for name in free:
            del left[name]
    return order
