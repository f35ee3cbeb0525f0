"""A run that an engine cannot take up says why, to whoever looks."""

from dataclasses import replace

import pytest
from engines import World
from runs import task

from segue.engine.commands import CommandKind
from segue.engine.explain import explain
from segue.engine.refusal import refusal_of
from segue.model.errors import RefusedError
from segue.model.run import Lease


@pytest.fixture
def world(tmp_path):
    world = World(tmp_path)
    yield world
    world.close()


def refuse(world, times=1):
    for _ in range(times):
        with pytest.raises(RefusedError) as refused:
            world.take()
    return str(refused.value)


def lines(world):
    return [(line.kind, line.new) for line in world.store.history("r")]


def test_a_missing_pool_stands_in_the_history_once_however_often_it_is_missing(world):
    world.submit(task("a", pool="night"))

    refuse(world, times=3)

    assert lines(world) == [("run", "running"), ("engine", "refused")]
    assert "needs the pool 'night'" in refusal_of(world.store, "r")
    assert "there is: local" in refusal_of(world.store, "r")


def test_who_watches_runs_hears_of_a_refusal(world):
    world.submit(task("a", pool="night"))
    before = world.store.run("r").updated_at
    world.clock.advance(5.0)

    refuse(world)

    assert world.store.run("r").updated_at > before


def test_why_tells_the_missing_pool_in_place_of_a_step_that_would_not_help(world):
    world.submit(task("a", pool="night"))
    refuse(world)

    stored = world.service.find_task("r", "a")
    said = explain(world.store, world.store.run("r"), stored, world.clock.now(), engine=False)

    assert any("needs the pool 'night'" in reason for reason in said.reasons)
    assert not any("resume" in step for step in said.steps)


def test_what_an_engine_has_taken_is_refused_no_more(world):
    world.submit(task("a", pool="night"))
    refuse(world)
    world.scheduler.dispatch._executors["night"] = world.outside

    world.take()
    world.turn()

    assert refusal_of(world.store, "r") == ""


def test_a_run_whose_pool_is_missing_can_still_be_cancelled(world):
    world.submit(task("a", pool="night"), task("b", "a", pool="night"))
    refuse(world)
    world.ask(CommandKind.CANCEL)

    world.take()
    world.turns()

    assert world.verdict() == "cancelled"
    assert world.states() == {"a": "cancelled", "b": "cancelled"}


def test_cancelling_one_task_lets_no_run_begin_without_its_pool(world):
    world.submit(task("a", pool="night"), task("b", pool="night"))
    world.store.put_command("r", "cancel", {"tasks": ["a"]}, 0.0)

    refuse(world)

    assert world.states() == {"a": "waiting", "b": "waiting"}


def test_processes_on_another_machine_are_not_forgotten_by_the_second_look(world):
    world.submit(task("a"))
    world.take()
    world.turn()
    world.crash()
    world.outside._capabilities = replace(world.outside.capabilities, bound_to_host=True)
    elsewhere = Lease("r", "there:1:2:3", 0, 0.0, "another-machine", 1)
    world.store.release(world.store.acquire(elsewhere, world.clock.now()))

    said = refuse(world, times=3)

    assert "has left processes on another-machine" in said
    assert world.store.lease("r").host == "another-machine"
    assert [line for line in lines(world) if line[1] == "refused"] == [("engine", "refused")]
