"""What a person does to single tasks: hold, release, mark done, run again, change."""

import pytest
from runs import Play, task

from segue.model.events import (
    CancelTask,
    ClockSetBack,
    HoldTasks,
    MarkDone,
    PatchTasks,
    ReleaseTasks,
    RetryTasks,
)
from segue.model.states import Cause, TaskState
from segue.model.workflow import Argv, Barrier, Retry, Task, TriggerRule
from segue.testing.reference import violations

OTHER = Argv(("/bin/echo", "other"))


def positions(play: Play, *names: str) -> tuple[int, ...]:
    return tuple(play.at(name) for name in names)


def hold(play: Play, *names: str) -> None:
    play.tell(HoldTasks(positions(play, *names), play.now))
    assert list(violations(play.run)) == []


def release(play: Play, *names: str) -> None:
    play.tell(ReleaseTasks(positions(play, *names), play.now))
    assert list(violations(play.run)) == []


def mark_done(play: Play, *names: str) -> None:
    play.tell(MarkDone(positions(play, *names), play.now, "looked at it"))
    assert list(violations(play.run)) == []


def again(play: Play, *names: str) -> None:
    play.tell(RetryTasks(positions(play, *names), play.now, force=True))
    assert list(violations(play.run)) == []


def patch(play: Play, name: str, **changes) -> None:
    play.tell(PatchTasks({play.at(name): Task(name, OTHER, **changes)}, play.now))
    assert list(violations(play.run)) == []


# Hold and release --------------------------------------------------------------------


def test_a_held_task_does_not_start_until_it_is_released():
    play = Play(task("a"), task("b"))
    hold(play, "a")
    assert play.admit() == ["b"]
    play.ended("b")
    assert play.verdict == "running"

    release(play, "a")

    assert play.admit() == ["a"]


def test_a_held_task_whose_needs_end_goes_on_waiting():
    play = Play(task("a"), task("b", "a"))
    hold(play, "b")
    play.admit()
    play.ended("a")
    assert (play.state("b"), play.admit()) == ("waiting", [])

    release(play, "b")

    assert play.admit() == ["b"]


def test_releasing_a_task_before_its_needs_end_starts_nothing():
    play = Play(task("a"), task("b", "a"))
    hold(play, "b")
    release(play, "b")

    assert play.admit() == ["a"]
    play.ended("a")
    assert play.admit() == ["b"]


def test_a_held_task_that_can_never_start_is_skipped_all_the_same():
    play = Play(task("a"), task("b", "a"))
    hold(play, "b")
    play.admit()

    play.ended("a", Cause.EXIT_CODE)

    assert (play.state("b"), play.verdict) == ("skipped", "failed")


def test_a_task_that_waits_for_its_next_attempt_can_be_held():
    play = Play(task("a", retry=Retry(limit=1, delay_s=5.0)))
    play.admit()
    play.ended("a", Cause.EXIT_CODE)
    hold(play, "a")
    play.tell(None, now=100.0)
    assert (play.run.next_time(), play.admit()) == (None, [])

    release(play, "a")
    play.tell(None, now=101.0)

    assert play.admit() == ["a"]


def test_a_clock_that_went_back_while_a_task_was_held_does_not_prolong_its_pause():
    play = Play(task("a", retry=Retry(limit=1, delay_s=5.0)))
    play.now = 1000.0
    play.admit()
    play.ended("a", Cause.EXIT_CODE)
    hold(play, "a")
    play.tell(ClockSetBack(10.0), now=10.0)

    release(play, "a")

    assert play.run.next_time() == 15.0


def test_what_is_out_or_has_ended_cannot_be_held():
    play = Play(task("a"), task("b"), task("c", "a", "b"))
    play.admit()
    play.ended("a")

    hold(play, "a", "b")

    assert play.remarks == ["a is not held: it is succeeded", "b is not held: it is submitting"]
    assert not any(record.held for record in play.run.records)


def test_a_held_task_that_is_cancelled_is_held_no_more():
    play = Play(task("a"))
    hold(play, "a")

    play.tell(CancelTask(0, 0.0))

    assert (play.run.records[0].held, play.verdict) == (False, "failed")


# Mark done ---------------------------------------------------------------------------


@pytest.mark.parametrize("how", ["failed", "cancelled"])
def test_who_was_skipped_behind_a_task_that_is_marked_done_runs(how):
    play = Play(task("a"), Barrier("x", ("a",)), task("b", "x"), task("c", "b"))
    play.admit()
    if how == "failed":
        play.ended("a", Cause.EXIT_CODE)
    else:
        play.tell(CancelTask(0, 0.0))
        play.ended("a", Cause.CANCELLED)
    assert (play.verdict, play.state("c")) == ("failed", "skipped")

    mark_done(play, "a")

    assert (play.state("a"), play.verdict) == ("succeeded", "running")
    assert play.admit() == ["b"]
    play.ended("b")
    play.admit()
    play.ended("c")
    assert play.verdict == "succeeded"


def test_a_task_that_waits_can_be_marked_done_and_never_runs():
    play = Play(task("a"), task("b", "a"), task("c", "b"))

    mark_done(play, "a", "b")

    assert play.admit() == ["c"]


def test_the_last_task_that_is_marked_done_ends_the_run_well():
    play = Play(task("a"))
    play.admit()
    play.ended("a", Cause.EXIT_CODE)

    mark_done(play, "a")

    assert play.verdict == "succeeded"


def test_who_answered_a_failure_stays_as_it_is():
    play = Play(task("a"), task("mail", "a", trigger=TriggerRule.ANY_FAILED), task("b", "a"))
    play.admit()
    play.ended("a", Cause.EXIT_CODE)
    play.admit()
    play.ended("mail")

    mark_done(play, "a")

    assert (play.state("mail"), play.admit()) == ("succeeded", ["b"])


def test_what_is_out_is_not_marked_done():
    play = Play(task("a"))
    play.admit()

    mark_done(play, "a")

    assert play.remarks == ["a is not marked done: it is out now"]


# Again, by force ---------------------------------------------------------------------


def test_by_force_a_task_that_succeeded_runs_again_with_all_behind_it():
    play = Play(task("a"), task("b", "a"), task("c", "b"), task("other"))
    for name in ("a", "other", "b", "c"):
        play.admit()
        play.ended(name)
    assert play.verdict == "succeeded"

    again(play, "b")

    assert play.states == {"a": "succeeded", "b": "ready", "c": "waiting", "other": "succeeded"}
    play.admit()
    assert play.attempt("b") == 2


def test_by_force_a_task_behind_that_waits_for_its_next_attempt_waits_for_its_needs():
    play = Play(task("a"), task("b", "a", retry=Retry(limit=1, delay_s=5.0)))
    play.admit()
    play.ended("a")
    play.admit()
    play.ended("b", Cause.EXIT_CODE)

    again(play, "a")
    play.tell(None, now=100.0)

    assert play.states == {"a": "ready", "b": "waiting"}


def test_while_something_behind_it_is_out_nothing_runs_again():
    play = Play(task("a"), task("b", "a"))
    play.admit()
    play.ended("a")
    play.admit()

    again(play, "a")

    assert play.states == {"a": "succeeded", "b": "submitting"}
    assert play.remarks == ["a does not run again: b is out now"]


# Change ------------------------------------------------------------------------------


def test_a_failed_task_is_changed_and_runs_so_when_it_is_retried():
    play = Play(task("a"), task("b", "a"))
    play.admit()
    play.ended("a", Cause.EXIT_CODE)

    patch(play, "a", needs=("b",), template="x", trigger=TriggerRule.ALWAYS)
    play.tell(RetryTasks((), 0.0))

    changed = play.run.task(0)
    assert (changed.action, changed.needs, changed.template) == (OTHER, (), "")
    assert changed.trigger is TriggerRule.ALL_SUCCESS
    assert play.admit() == ["a"]


def test_a_ready_task_that_moves_to_another_pool_starts_there_and_nowhere_else():
    play = Play(task("a"), task("b"))

    patch(play, "a", pool="slurm", priority=5)

    assert play.admit(pool="") == ["b"]
    assert play.admit(pool="slurm") == ["a"]


def test_what_has_succeeded_or_is_out_is_not_changed():
    play = Play(task("a"), task("b"))
    play.admit()
    play.ended("a")

    patch(play, "a")
    patch(play, "b")

    assert {play.run.task(at).action for at in (0, 1)} == {task("a").action}
    assert [record.state for record in play.run.records] == [
        TaskState.SUCCEEDED, TaskState.SUBMITTING,
    ]  # fmt: skip
