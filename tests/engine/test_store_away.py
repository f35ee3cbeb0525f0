"""A store that cannot be reached for a while, whatever the engine wants of it."""

import pytest
from engines import World
from runs import task

from segue.engine.commands import CommandKind
from segue.engine.scheduler import STORE_RETRY_S
from segue.model.errors import LeaseLostError, StoreError

AWAY = StoreError("the server is away")


@pytest.fixture
def world(tmp_path):
    world = World(tmp_path)
    world.submit(task("a"))
    world.take()
    world.turns()
    yield world
    world.close()


@pytest.fixture
def away(world, monkeypatch):
    """Take methods of the store away; called again, give them back."""
    gone = monkeypatch.context()
    patch = gone.__enter__()

    def take(*names, error=AWAY):
        def fail(*_):
            raise error

        for name in names:
            patch.setattr(world.store, name, fail)
        return patch.undo

    yield take
    gone.__exit__(None, None, None)


def test_commands_that_cannot_be_read_are_read_when_the_store_is_back(world, away):
    world.ask(CommandKind.PAUSE)
    come_back = away("commands")
    world.turns()
    assert len(world.troubles) == 1
    assert "the server is away" in world.troubles[0]

    come_back()
    world.turn()
    assert world.verdict() == "running"  # not asked again at once
    world.clock.advance(STORE_RETRY_S)
    world.turns()

    assert world.verdict() == "paused"
    assert "can be written again" in world.troubles[-1]


def test_what_has_become_of_a_lease_is_asked_again(world, away):
    world.ask(CommandKind.PAUSE)
    come_back = away("lease")
    lost = away("commit_many", error=LeaseLostError("another engine has taken run r over"))
    world.turns()
    assert "r" in world.scheduler.runs

    come_back()
    lost()
    world.clock.advance(STORE_RETRY_S)
    world.turns()

    assert world.verdict() == "paused"


def test_an_engine_that_cannot_give_its_lease_back_leaves_all_the_same(world, away):
    come_back = away("release")

    world.scheduler.let_go("r")

    assert not world.scheduler.runs
    come_back()
