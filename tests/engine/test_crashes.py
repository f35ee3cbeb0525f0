"""Any graph, any moment: the engine dies, another takes over, nothing runs twice."""

import tempfile
from collections import Counter
from dataclasses import replace
from pathlib import Path

from engines import World
from hypothesis import given, settings
from hypothesis import strategies as st
from runs import task
from test_invariants import RULES

from segue.engine.reuse import Plan
from segue.model.events import Started
from segue.model.states import FINAL, TaskState
from segue.model.workflow import Argv, Retry, Workflow
from segue.protocols.executor import RunReport
from segue.testing.reference import violations


@st.composite
def graphs(draw: st.DrawFn):
    """Draw tasks without generators and delays: every run of them comes to an end."""
    tasks = []
    for number in range(draw(st.integers(1, 7))):
        names = [each.name for each in tasks]
        needs = draw(st.lists(st.sampled_from(names), unique=True, max_size=3)) if names else []
        retry = Retry(limit=draw(st.integers(0, 1)))
        tasks.append(task(f"n{number}", *needs, trigger=draw(RULES), retry=retry))
    return tasks


class CrashError(Exception):
    """The engine is gone, in the middle of what it did."""


def crash_at(world: World, point: str) -> None:
    """Let the engine die the next time it comes by the point."""
    dispatch, store, outside = world.scheduler.dispatch, world.store, world.outside

    def die(*_: object) -> None:
        raise CrashError(point)

    def after(function):
        def wrapped(*arguments):
            function(*arguments)
            raise CrashError(point)

        return wrapped

    match point:
        case "before the commit":
            store.commit_many = die
        case "after the commit, before the deeds":
            store.commit_many = after(store.commit_many)
        case "after the submission":
            outside.submit = after(outside.submit)
        case "before the outside is told to forget":
            dispatch.stored = die


POINTS = [
    "before the commit",
    "after the commit, before the deeds",
    "after the submission",
    "before the outside is told to forget",
    "between two turns",
]


@settings(max_examples=60)
@given(graphs(), st.data())
def test_a_crash_at_any_point_loses_nothing_and_runs_nothing_twice(tasks, data):
    with tempfile.TemporaryDirectory() as folder:
        world = World(Path(folder), slots=2, ahead=1)
        world.submit(*tasks)
        world.take()
        ends: Counter[object] = Counter()
        for turn in range(100):
            if world.verdict() != "running":
                break
            calm = turn > 50
            if not calm and not data.draw(st.integers(0, 3)):
                crash_at(world, data.draw(st.sampled_from(POINTS)))
            try:
                play(world, data, ends, everything=calm)
                world.turn()
                for run in world.scheduler.runs.values():
                    assert list(violations(run)) == []
                crashed = not calm and not data.draw(st.integers(0, 9))
            except CrashError:
                crashed = True
            if crashed:
                world.crash()
                world.take()

        assert world.verdict() in ("succeeded", "failed")
        assert max(Counter(world.outside.place.handed_over).values()) == 1
        for stored in world.store.nodes("r"):
            assert stored.record.state in FINAL
            attempts = list(world.store.attempts("r", [stored.position]))
            assert [each.number for each in attempts] == list(range(1, len(attempts) + 1))
            for each in attempts:
                assert ends[stored.position, each.number] == 1
                assert (each.exit_code == 0) == (each.state is TaskState.SUCCEEDED)
        world.close()


@settings(max_examples=60)
@given(graphs(), st.data())
def test_a_crash_at_any_point_runs_nothing_again_that_was_taken_over(tasks, data):
    """Of a run that was left in any state: before, while and after the wish is carried out."""
    with tempfile.TemporaryDirectory() as folder:
        world = World(Path(folder), slots=2, ahead=1)
        world.submit(*tasks)
        world.take()
        for _ in range(data.draw(st.integers(0, 12))):
            play(world, data, Counter(), everything=False)
            world.turn()
        while world.scheduler.runs and world.scheduler.runs["r"].in_flight:
            world.scheduler.draining = True
            play(world, data, Counter(), everything=True)
            world.turn()
        edited = [
            replace(each, action=Argv(("edited",))) if data.draw(st.booleans()) else each
            for each in tasks
        ]
        plan = continued(world, Workflow("w", "daggy", tuple(edited)))
        assert set(plan.reused) <= {
            n for n, state in world.states().items() if state == "succeeded"
        }
        world.outside.place.handed_over.clear()
        world.crash()

        ends: Counter[object] = Counter()
        for turn in range(100):
            if world.verdict("new") != "running":
                break
            calm = turn > 50
            try:
                world.take("new")
                crash_at(world, data.draw(st.sampled_from(POINTS if not calm else POINTS[-1:])))
                for _ in range(100 if calm else data.draw(st.integers(1, 5))):
                    play(world, data, ends, everything=calm)
                    world.turn()
                    for run in world.scheduler.runs.values():
                        assert list(violations(run)) == []
            except CrashError:
                pass
            world.crash()

        assert world.verdict("new") in ("succeeded", "failed")
        handed_over = world.outside.place.handed_over
        positions = {each.node.name: each.position for each in world.store.nodes("new")}
        assert not {key.task for key in handed_over} & {positions[name] for name in plan.reused}
        assert max(Counter(handed_over).values(), default=1) == 1
        for stored in world.store.nodes("new"):
            taken_over = stored.node.name in plan.reused
            assert (stored.record.reused_from == "r") == taken_over
            assert stored.record.state is TaskState.SUCCEEDED or not taken_over
        assert world.store.commands(["new"]) == []
        world.close()


def continued(world: World, workflow: Workflow) -> Plan:
    """Store a run that continues the run `r`."""
    service = world.service
    new = service.new_record(
        workflow, run="new", source="f", directory="/", workspace=str(world.path)
    )
    plan = service.plan_reuse(new, workflow, service.find_run("r"), world.grow)
    service.continue_run(new, plan)
    return plan


def play(world: World, data: st.DataObject, ends: Counter[object], *, everything: bool) -> None:
    """Let the outside do something of what it can, or all of it."""
    place = world.outside.place
    for key in list(place.waiting)[: 9 if everything else data.draw(st.integers(0, 2))]:
        world.outside.start(key)
    for key in list(place.running)[: 9 if everything else data.draw(st.integers(0, 2))]:
        world.outside.finish(key, exit_code=data.draw(st.sampled_from([0, 0, 1])))
        ends[key.task, key.attempt] += 1
        if data.draw(st.booleans()):
            late = Started(key.task, key.attempt, world.clock.now(), "late")
            world.outside.repeat(RunReport(key.run, late))
