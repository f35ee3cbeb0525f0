import pytest
from engines import World
from runs import task

from segue.engine.explain import explain
from segue.model.events import Queued, Submitted
from segue.model.states import Cause
from segue.protocols.executor import RunReport

#: As long as a chain may be, if each link were a call, without Python giving up.
LINKS = 3000


@pytest.fixture
def world(tmp_path):
    world = World(tmp_path)
    yield world
    world.close()


def why(world, name, run="r"):
    stored = world.service.find_task(run, name)
    return explain(world.store, world.store.run(run), stored, world.clock.now(), engine=True)


def test_far_down_a_skipped_chain_the_root_is_named_with_few_questions_to_the_store(world):
    chain = [task(f"t{at}", f"t{at - 1}") for at in range(1, LINKS)]
    world.submit(task("t0"), *chain)
    world.take()
    world.turn()
    world.outside.finish(world.key("t0"), exit_code=3)
    world.turn()
    asked = []
    nodes = world.store.nodes
    world.store.nodes = lambda *words: asked.append(words) or nodes(*words)

    said = why(world, f"t{LINKS - 1}")

    assert said.reasons[-1] == "at the root of it: t0: failed (exit code)"
    assert said.steps == ["segue why r t0"]
    assert len(asked) < 5


def test_an_attempt_that_is_out_is_not_blamed_with_the_cause_of_the_one_before(world):
    from segue.model.workflow import Retry

    world.submit(task("a", retry=Retry(limit=1)), task("b", "a"))
    world.take()
    world.turn()
    world.outside.finish(world.key("a"), exit_code=3)
    world.turn()

    assert why(world, "b").reasons == ["a: submitting"]


def test_a_failure_is_told_with_its_number(world):
    world.submit(task("a"), task("b"))
    world.take()
    world.turn()
    world.outside.finish(world.key("a"), exit_code=3)
    world.outside.finish(world.key("b"), cause=Cause.SIGNAL, signal=11)
    world.turn()

    assert why(world, "a").sentence == "it has failed: exit code 3"
    assert why(world, "b").sentence == "it has failed: signal 11"


def test_a_held_task_says_so(world):
    world.submit(task("a"))
    world.take()
    world.store.put_command("r", "hold", {"tasks": ["a"]}, 0.0)
    world.scheduler.ring()
    world.turns()

    said = why(world, "a")

    assert said.sentence.startswith("it is held")
    assert said.steps == ["segue release r a"]


def test_a_job_that_waits_says_why_in_the_words_of_its_place(world):
    world.submit(task("a"))
    world.take()
    world.turn()
    key = world.key("a")
    world.outside.repeat(RunReport("r", Submitted(key.task, 1, 1000.0, "71")))
    world.outside.repeat(RunReport("r", Queued(key.task, 1, 1000.0, "it waits: Priority")))
    world.turn()
    world.clock.advance(90.0)

    said = why(world, "a")

    assert said.sentence == "the executor has had it for 1 min 30 s, and has not begun it"
    assert said.reasons == ["attempt 1 in local", "job id 71", "it waits: Priority"]
    world.outside.start(key)
    world.turn()
    assert "it waits: Priority" not in why(world, "a").reasons
