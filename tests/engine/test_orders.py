"""Limits that change while a run runs, clocks that go back, tasks that are taken over."""

import pytest
from runs import Play, record, task

from segue.engine.decide import decide, first_look
from segue.engine.live_run import LiveRun, Recall, Submit
from segue.model.events import (
    CancelRun,
    CancelTask,
    ClockSetBack,
    PauseRun,
    Reused,
    ReusedTask,
    Started,
    UpdateRun,
)
from segue.model.run import AttemptRecord
from segue.model.states import Cause, TaskState
from segue.model.workflow import Argv, Barrier, Nothing, Retry, Task, TriggerRule
from segue.testing.reference import violations

AGAIN = Argv(("again",))


# Limits ----------------------------------------------------------------------


def test_a_higher_limit_lets_more_tasks_start():
    play = Play(task("a"), task("b"), task("c"), limit=1)
    play.admit()

    play.tell(UpdateRun(0.0, limit=2))

    assert play.run.record.limit == 2
    assert play.admit() == ["b"]


def test_limit_zero_is_no_limit():
    play = Play(task("a"), task("b"), task("c"), limit=1)

    play.tell(UpdateRun(0.0, limit=0))

    assert play.admit() == ["a", "b", "c"]


def test_a_lower_limit_stops_nothing_and_takes_back_what_has_not_begun():
    play = Play(task("a"), task("b"))
    play.admit()
    play.started("a")

    decision = play.tell(UpdateRun(0.0, limit=1))

    assert decision.steps == []
    assert decision.deeds == [Recall()]
    assert play.admit() == []


def test_a_limit_that_has_room_for_all_recalls_nothing():
    play = Play(task("a"))
    play.admit()

    assert play.tell(UpdateRun(0.0, limit=1)).deeds == []


def timed_out(play, times):
    """How often the task is tried again when each of its attempts times out."""
    for number in range(times):
        play.admit()
        if play.state("a") == "failed":
            return number - 1
        play.ended("a", Cause.TIMED_OUT)
    return times


@pytest.mark.parametrize(
    ("own", "of_run", "tried"), [(1, None, 1), (1, 3, 3), (5, 2, 2), (1, 0, 9), (None, 1, 1)]
)
def test_the_restart_limit_of_the_run_wins_over_that_of_the_task(own, of_run, tried):
    play = Play(task("a", restart=AGAIN, retry=Retry(restart_limit=own)), restart_limit=of_run)

    assert timed_out(play, 9) == tried


def test_a_restart_limit_that_is_raised_counts_for_the_next_decision():
    play = Play(task("a", restart=AGAIN))
    play.admit()
    play.ended("a", Cause.TIMED_OUT)
    play.admit()

    play.tell(UpdateRun(0.0, restart_limit=2))
    play.ended("a", Cause.TIMED_OUT)

    assert play.state("a") == "ready"


def test_an_update_leaves_alone_what_it_does_not_name():
    play = Play(task("a"), limit=3, restart_limit=2)

    play.tell(UpdateRun(0.0, limit=5))

    assert (play.run.record.limit, play.run.record.restart_limit) == (5, 2)


def test_the_limits_of_a_run_that_has_ended_stay():
    play = Play(limit=3)

    assert not play.tell(UpdateRun(0.0, limit=5))


# A clock that goes back ------------------------------------------------------


def waiting_play(delay_s=30.0):
    play = Play(task("a", retry=Retry(limit=1, delay_s=delay_s)))
    play.admit()
    play.now = 5000.0
    play.ended("a", Cause.EXIT_CODE)
    return play


def test_a_clock_that_goes_back_prolongs_no_pause_beyond_its_length():
    play = waiting_play()

    play.tell(ClockSetBack(1000.0), now=1000.0)

    assert play.run.next_time() == 1030.0
    assert play.state("a") == "waiting"
    play.tell(None, now=1030.0)
    assert play.state("a") == "ready"


def test_a_clock_that_goes_back_a_little_changes_no_pause_that_is_short_enough():
    play = waiting_play()
    play.now = 5020.0

    play.tell(ClockSetBack(5010.0), now=5010.0)

    assert play.run.next_time() == 5030.0


def test_a_clock_that_went_back_while_no_engine_was_there_is_noticed():
    play = waiting_play()

    decision = first_look(play.run, 1000.0)

    assert decision.records[0].not_before == 1030.0


def test_the_pause_after_an_unreachable_place_is_the_one_that_was_due():
    play = Play(task("a"))
    play.now = 5000.0
    for _ in range(2):
        play.admit()
        play.ended("a", Cause.UNREACHABLE)
        play.now += 1.0
        play.tell(None)
    assert play.run.next_time() == 5006.0

    play.tell(ClockSetBack(10.0), now=10.0)

    assert play.run.next_time() == 15.0


# Pause, then cancel ----------------------------------------------------------


def test_a_paused_run_whose_last_tasks_were_cancelled_is_cancelled():
    play = Play(task("a"), task("b", "a"))
    play.admit()
    play.started("a")
    play.tell(PauseRun(0.0))

    play.tell(CancelTask(play.at("a"), 0.0))
    play.ended("a", Cause.CANCELLED)

    assert play.states == {"a": "cancelled", "b": "skipped"}
    assert play.verdict == "cancelled"


# Tasks of an earlier run -----------------------------------------------------


def done(position, *numbers, run="old"):
    """A task that an earlier run has done, at another place in its graph."""
    attempts = tuple(
        AttemptRecord(position + 7, number, TaskState.SUCCEEDED, "local", f"/w/{number}")
        for number in numbers or (1,)
    )
    return ReusedTask(position, run, attempts)


def reuse(nodes, *tasks, **changes):
    """A run that has taken tasks over, before anything of it could start."""
    run = LiveRun(record(**changes), nodes)
    decision = decide(run, Reused(tuple(tasks), 1.0), 1.0)
    run.apply(decision)
    run.apply(first_look(run, 1.0))
    assert list(violations(run)) == []
    return run, decision


def states(run):
    return [each.state.value for each in run.records]


def test_a_task_that_is_taken_over_has_succeeded_without_running():
    run, decision = reuse([task("a"), task("b", "a")], done(0, 1, 2))

    assert states(run) == ["succeeded", "ready"]
    assert (run.records[0].attempt, run.records[0].reused_from) == (2, "old")
    step = decision.steps[0]
    assert (step.old.value, step.new.value) == ("waiting", "succeeded")
    assert step.detail == "taken over from old"
    assert not [deed for deed in decision.deeds if isinstance(deed, Submit)]


def test_the_attempts_of_a_task_that_is_taken_over_are_the_new_run_s():
    _, decision = reuse([task("a"), task("b")], done(1, 1, 2))

    assert [(each.task, each.number, each.folder) for each in decision.reused] == [
        (1, 1, "/w/1"),
        (1, 2, "/w/2"),
    ]


def test_a_run_of_which_everything_is_taken_over_has_succeeded():
    run, _ = reuse([task("a"), task("b", "a")], done(1), done(0))

    assert states(run) == ["succeeded", "succeeded"]
    assert run.record.state.value == "succeeded"


def test_a_task_behind_one_that_runs_is_not_taken_over():
    run, _ = reuse([task("a"), task("b", "a"), task("c")], done(1), done(2))

    assert states(run) == ["ready", "waiting", "succeeded"]


def test_a_barrier_between_tasks_that_are_taken_over_opens():
    nodes = [task("a"), task("b"), Barrier("all", ("a", "b")), task("c", "all"), task("d", "all")]

    run, _ = reuse(nodes, done(3), done(1), done(0))

    assert states(run) == ["succeeded", "succeeded", "succeeded", "succeeded", "ready"]


def test_a_task_without_an_action_is_taken_over_like_any_other():
    nodes = [task("a"), Task("none", Nothing(), needs=("a",)), task("c", "none")]

    run, _ = reuse(nodes, done(0), ReusedTask(1, "old", ()), done(2))

    assert states(run) == ["succeeded", "succeeded", "succeeded"]


def test_a_task_for_failures_is_not_taken_over_behind_a_success():
    run, _ = reuse([task("a"), task("b", "a", trigger=TriggerRule.ALL_FAILED)], done(0), done(1))

    assert states(run) == ["succeeded", "skipped"]


def test_what_may_start_already_is_not_taken_over():
    play = Play(task("a"), task("b", "a"))
    play.admit()

    decision = play.tell(Reused((done(0), done(1)), 0.0))

    assert decision.steps == []
    assert play.states == {"a": "submitting", "b": "waiting"}


def test_a_report_about_a_task_that_was_taken_over_changes_nothing():
    run, _ = reuse([task("a"), task("b")], done(0))

    assert not decide(run, Started(0, 1, 2.0, "77"), 2.0)


def test_a_cancel_leaves_what_was_taken_over():
    run, _ = reuse([task("a"), task("b")], done(0))

    run.apply(decide(run, CancelRun(2.0), 2.0))

    assert states(run) == ["succeeded", "cancelled"]
    assert list(violations(run)) == []
