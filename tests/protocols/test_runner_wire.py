"""What engines and runners say to each other comes through as it was, and nonsense does not."""

import json

import pytest

from segue.model.events import Ended, Usage
from segue.model.states import Cause
from segue.model.workflow import Argv, Container, ManagedTask, Nothing, Output, Script
from segue.protocols.executor import Job, JobKey
from segue.protocols.runner import Capacity, Changes, Order, Told

KEY = JobKey("build-x7k2", 3, 1)
CAPACITY = Capacity({"cores": 8, "gpus": 1}, {"cores": 2}, "n1", "b1", "0.1", True, 3)


def job(action, **fields):
    return Job(KEY, "make", action, "/spool/one", "/data", **fields)


def through_json(value):
    return json.loads(json.dumps(value))


@pytest.mark.parametrize(
    "action",
    [
        Argv(("echo", "a b")),
        Script("#!/bin/sh\ntrue\n", "/bin/sh", "make.sh"),
        ManagedTask("Tester", ("run", "-t", "Tester"), "c.yaml"),
        Container("image:1", ("a",)),
        Nothing(),
    ],
)
def test_an_order_comes_through(action):
    given = job(
        action,
        environment={"A": "1", "B": None},
        clear_environment=True,
        timeout_s=2.5,
        output=Output("a.out", "a.err"),
    )
    order = Order("engine-1", 60.0, {"cores": 2, "memory_mb": 100}, given)

    assert Order.from_json(KEY, "/spool/one", through_json(order.to_json())) == order


def test_words_of_a_later_version_cost_nothing_but_themselves():
    end = {"cause": "asteroid", "exit_code": 3, "message": "boom"}
    tasks = [
        {"name": KEY.name, "number": 1, "state": "frozen", "at": 5.0},
        {"name": KEY.name, "number": 2, "state": "ended", "at": 6.0, "end": end},
    ]
    said = {"capacity": CAPACITY.to_json(), "number": 2, "tasks": tasks}

    living, ended = Changes.from_json(said).tasks

    assert (living.state, living.number) == ("running", 1)
    assert ended.end.cause is Cause.LOST
    assert "'asteroid'" in ended.end.message
    assert "boom" in ended.end.message


def test_changes_come_through():
    end = Ended(3, 1, 20.0, Cause.OUT_OF_MEMORY, None, 9, Usage(1.5, 2**20), "why", 10.0, "7")
    tasks = (
        Told(KEY.name, 1, "taken", 5.0),
        Told(KEY.name, 2, "running", 10.0, "7", 10.0, 12, 0),
        Told(KEY.name, 3, "ended", 20.0, "7", 10.0, 12, 5, end),
        Told(KEY.name, 4, "returned", 20.0),
    )
    changes = Changes(CAPACITY, 4, tasks)

    assert Changes.from_json(through_json(changes.to_json())) == changes


ORDER = Order("engine-1", 60.0, {"cores": 2}, job(Argv(("true",)))).to_json()


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"owner": 7}, "owner is a text, not 7"),
        ({"lease_s": None}, "lease_s is missing"),
        ({"lease_s": float("nan")}, "lease_s is a number, not nan"),
        ({"lease_s": -1}, "lease_s is a time in seconds, not -1"),
        ({"needs": {"cores": -1}}, "cores is a whole number, not -1"),
        ({"needs": {"cores": True}}, "cores is a whole number, not True"),
        ({"needs": []}, "needs is an object, not []"),
        ({"workdir": "/a\0b"}, "workdir has a NUL in it"),
        ({"action": {}}, "this is no action: 'kind'"),
        ({"action": {"kind": "magic"}}, "this is no action: 'magic'"),
        ({"action": {"kind": "argv", "arguments": [1]}}, "an argument is a text, not 1"),
        ({"action": {"kind": "argv", "arguments": 1}}, "arguments is a list, not 1"),
        ({"action": {"kind": "script", "text": 1}}, "a script is a text, not 1"),
        ({"environment": {"A=": "1"}}, "'A=' is no name of an environment variable"),
        ({"environment": {"A": 1}}, "A is a text, not 1"),
        ({"output": ["a"]}, "output is a pair of names"),
        ({"title": "x" * 100_000, "owner": ["y" * 1000]}, "owner is a text, not ['yyy"),
    ],
)
def test_what_is_no_order_is_refused_with_the_reason(change, said):
    with pytest.raises(ValueError) as caught:
        Order.from_json(KEY, "/spool/one", ORDER | change)

    assert str(caught.value).startswith(said)
    assert len(str(caught.value)) < 200


@pytest.mark.parametrize(
    "value",
    [
        None,
        {},
        {"capacity": CAPACITY.to_json(), "number": 1, "tasks": {}},
        {"capacity": CAPACITY.to_json(), "number": 1, "tasks": [{"name": "nonsense"}]},
        {"capacity": CAPACITY.to_json() | {"total": 7}, "number": 1, "tasks": []},
        {
            "capacity": CAPACITY.to_json(),
            "number": 1,
            "tasks": [Told(KEY.name, 1, "taken", 5.0).to_json() | {"state": 3}],
        },
    ],
)
def test_what_are_no_changes_is_refused(value):
    with pytest.raises(ValueError):
        Changes.from_json(value)
