from dataclasses import replace

import pytest
from runs import Play, task

from segue.engine.growth import fault, fit, regrow
from segue.model.events import Grown, HoldTasks, RetryTasks
from segue.model.states import Cause
from segue.model.workflow import Argv, Barrier, Generator, Growth, TriggerRule
from segue.testing.reference import violations


def generator(**changes):
    return task("gen", generator=Generator("daggy", **changes))


def test_dependents_inherit_the_new_ends_when_the_generator_says_so():
    run = Play(generator(inherit_dependents=True), task("report", "gen")).run

    grown = fit(run, 0, Growth((task("x", "gen"), task("y", "x"))))

    assert grown.late_needs == (("report", "y"),)


def test_many_heirs_of_many_ends_share_one_barrier():
    run = Play(generator(inherit_dependents=True), task("r1", "gen"), task("r2", "gen")).run

    grown = fit(run, 0, Growth((task("x", "gen"), task("y", "gen"))))

    assert [barrier.needs for barrier in grown.barriers] == [("x", "y")]
    assert len(grown.late_needs) == 2
    assert fault(run, grown) == ""


def test_without_that_wish_dependents_inherit_nothing():
    run = Play(generator(), task("report", "gen")).run

    assert fit(run, 0, Growth((task("x", "gen"),))).late_needs == ()


def test_a_name_that_is_there_is_refused():
    run = Play(generator(), task("report", "gen")).run

    assert fault(run, Growth((task("report"),))) == "there is a task 'report' already"
    assert "already" in fault(run, Growth((task("x"), task("x"))))


def test_a_need_that_does_not_exist_is_refused():
    run = Play(generator()).run

    assert "'nope', which does not exist" in fault(run, Growth((task("x", "nope"),)))


def test_a_late_need_of_what_is_not_there_is_refused():
    run = Play(generator()).run

    assert "cannot come to need" in fault(run, Growth((task("x"),), late_needs=(("no", "x"),)))


def test_a_circle_through_the_edges_of_the_run_is_found():
    run = Play(generator(), task("b"), task("c", "b")).run

    said = fault(run, Growth((task("x", "c"),), late_needs=(("b", "x"),)))

    assert said.startswith("these tasks would wait for each other: ")
    assert {"x", "c", "b"} <= set(said.split(": ")[1].split(" -> "))


def test_a_circle_through_a_barrier_is_found():
    run = Play(generator(), task("b")).run
    barrier = Barrier("barrier:x", ("x",))

    said = fault(run, Growth((task("x", "b"),), (barrier,), (("b", "barrier:x"),)))

    assert "wait for each other" in said


def test_growth_without_faults_is_welcome():
    run = Play(generator(), task("report", "gen")).run

    assert fault(run, Growth((task("x", "gen"),), late_needs=(("report", "x"),))) == ""


# A generator that runs once more ------------------------------------------------------


def grown(*tasks, **changes):
    return Growth((*tasks,), **changes)


@pytest.fixture
def play():
    """A generator has added x and y, which have succeeded; it is to run again."""
    play = Play(generator(inherit_dependents=True), task("report", "gen"))
    run_generator(play, grown(task("x", "gen"), task("y", "x")))
    for name in ("x", "y", "report"):
        play.admit()
        play.ended(name)
    assert play.verdict == "succeeded"
    play.tell(RetryTasks((0,), 0.0, force=True))
    return play


def run_generator(play, growth):
    play.admit()
    play.ended("gen")
    fitted = regrow(play.run, 0, fit(play.run, 0, growth))
    assert fault(play.run, fitted) == ""
    play.tell(Grown(0, play.attempt("gen"), 0.0, fitted))
    assert list(violations(play.run)) == []


def test_what_a_generator_prints_again_is_there_once_and_runs_again(play):
    run_generator(play, grown(task("x", "gen"), task("y", "x")))

    assert [node.name for node in play.run.nodes] == ["gen", "report", "x", "y"]
    assert play.admit() == ["x"]
    play.ended("x")
    assert play.admit() == ["y"]
    play.ended("y")
    assert play.admit() == ["report"]


def test_what_it_prints_otherwise_is_changed_before_it_runs(play):
    other = replace(task("x", "gen"), action=Argv(("other",)))

    run_generator(play, grown(other, task("y", "x")))

    assert play.run.task(play.at("x")).action == Argv(("other",))
    assert play.admit() == ["x"]


def test_what_it_adds_now_is_waited_for_too(play):
    run_generator(play, grown(task("x", "gen"), task("y", "x"), task("z", "y")))

    for name in ("x", "y", "z"):
        assert play.admit() == [name]
        play.ended(name)
    assert play.admit() == ["report"]


def test_what_has_other_needs_now_is_refused(play):
    said = fault(play.run, regrow(play.run, 0, grown(task("x", "gen"), task("y", "gen"))))

    assert said == (
        "there is a task 'y' already: "
        "it has succeeded, or had other needs, when it was generated before"
    )


def test_a_late_need_of_a_ready_task_is_counted_beside_a_need_that_runs_again():
    """It was ready when its need had failed; that one was retried, and a need came late."""
    play = Play(
        generator(),
        task("a"),
        task("b", "a", trigger=TriggerRule.ALL_COMPLETED),
        limit=2,
    )
    play.admit()
    play.ended("a", Cause.EXIT_CODE)
    play.tell(HoldTasks((play.at("a"),), 0.0))
    assert play.state("b") == "ready"
    play.tell(RetryTasks((play.at("a"),), 0.0))
    play.ended("gen")
    play.tell(Grown(0, 1, 0.0, Growth((task("x", "gen"),), late_needs=(("b", "x"),))))

    assert play.state("b") == "waiting"
    assert list(violations(play.run)) == []
