import json

from hypothesis import given
from hypothesis import strategies as st

from segue.model.definition import (
    barrier_from_json,
    barrier_to_json,
    task_from_json,
    task_to_json,
)
from segue.model.location import Place
from segue.model.workflow import (
    Argv,
    Barrier,
    Container,
    Generator,
    ManagedTask,
    Nothing,
    Pool,
    Resources,
    Retry,
    Script,
    Task,
    TriggerRule,
)

TEXT = st.text(max_size=8)
NAMES = st.lists(TEXT, max_size=3).map(tuple)
COUNTS = st.none() | st.integers(0, 9)
ACTIONS = st.one_of(
    st.builds(Argv, NAMES),
    st.builds(Script, TEXT, TEXT),
    st.builds(ManagedTask, TEXT, NAMES, TEXT),
    st.builds(Container, TEXT, NAMES),
    st.just(Nothing()),
)
RESOURCES = st.builds(
    Resources,
    nodes=COUNTS,
    processes=COUNTS,
    walltime_s=COUNTS,
    exclusive=st.none() | st.booleans(),
    queue=st.none() | TEXT,
    other=st.dictionaries(TEXT, st.integers(0, 9), max_size=2),
)
TASKS = st.builds(
    Task,
    TEXT,
    ACTIONS,
    template=TEXT,
    needs=NAMES,
    trigger=st.sampled_from(TriggerRule),
    parameters=st.dictionaries(TEXT, st.integers() | TEXT | st.lists(TEXT), max_size=2),
    retry=st.builds(
        Retry, st.integers(0, 3), st.sampled_from([0.0, 1.5]), st.integers(0, 3), COUNTS
    ),
    restart=st.none() | ACTIONS,
    timeout_s=st.sampled_from([None, 0.5, 3.0]),
    resources=RESOURCES,
    options=st.dictionaries(TEXT, TEXT, max_size=2),
    environment=st.dictionaries(TEXT, st.none() | TEXT, max_size=2),
    clear_environment=st.booleans(),
    workdir=st.none() | TEXT,
    priority=st.integers(-3, 3),
    pool=TEXT,
    generator=st.none() | st.builds(Generator, TEXT, st.booleans()),
    workers=st.none() | st.builds(Pool, st.integers(1, 3), NAMES, NAMES),
    description=TEXT,
    place=st.none() | st.builds(Place, TEXT, st.integers(1, 9), st.integers(1, 9)),
)


@given(TASKS)
def test_every_task_comes_back_from_json_as_it_was(task):
    assert task_from_json(json.loads(json.dumps(task_to_json(task)))) == task


def test_what_is_usual_is_not_written():
    assert task_to_json(Task("a", Argv(("true",)))) == {
        "name": "a",
        "action": {"kind": "argv", "arguments": ["true"]},
    }


@given(st.builds(Barrier, TEXT, NAMES, st.booleans()))
def test_every_barrier_comes_back_from_json_as_it_was(barrier):
    assert barrier_from_json(json.loads(json.dumps(barrier_to_json(barrier)))) == barrier
