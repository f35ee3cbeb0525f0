from runs import Play, task

from segue.engine.live_run import CancelJob, ReadOutput, Recall
from segue.model.events import (
    CancelRun,
    CancelTask,
    Ended,
    Grown,
    GrowthFailed,
    PauseRun,
    Queued,
    ResumeRun,
    RetryTasks,
    Returned,
    Started,
    Submitted,
)
from segue.model.states import Cause
from segue.model.workflow import (
    Argv,
    Barrier,
    Generator,
    Growth,
    Nothing,
    Retry,
    Script,
    Task,
    TriggerRule,
    Verdict,
)


def test_a_task_without_needs_is_ready_at_once():
    play = Play(task("a"), task("b", "a"))

    assert play.states == {"a": "ready", "b": "waiting"}


def test_a_task_starts_when_its_last_need_has_ended():
    play = Play(task("a"), task("b"), task("c", "a", "b"))
    play.admit()

    play.ended("a")
    assert play.state("c") == "waiting"
    play.ended("b")

    assert play.state("c") == "ready"


def test_a_run_succeeds_when_all_its_tasks_have():
    play = Play(task("a"))
    play.admit()

    play.ended("a")

    assert play.verdict == "succeeded"


def test_a_run_without_tasks_succeeds_at_once():
    assert Play().verdict == "succeeded"


def test_intent_comes_before_the_job():
    play = Play(task("a"))

    play.admit()

    assert play.state("a") == "submitting"
    assert play.run.attempts[0].folder == "/w/.segue/r/a.1"


def test_the_story_of_a_task_is_told_step_by_step():
    play = Play(task("a"))
    play.admit()
    play.tell(Submitted(0, 1, 1.0, "job 7"))
    play.started("a")
    play.ended("a")

    assert [new for _, _, new in play.story] == [
        "ready", "submitting", "submitted", "running", "succeeded",
    ]  # fmt: skip


def test_a_failure_skips_what_is_behind_it_and_nothing_else():
    play = Play(task("a"), task("b", "a"), task("c", "b"), task("other"))
    play.admit()

    play.ended("a", Cause.EXIT_CODE, exit_code=3)

    assert play.states == {"a": "failed", "b": "skipped", "c": "skipped", "other": "submitting"}
    assert play.cause("c") is Cause.UPSTREAM_FAILED


def test_a_chain_of_100_000_skipped_tasks_needs_no_deep_stack():
    play = Play(task("t0"), *(task(f"t{i}", f"t{i - 1}") for i in range(1, 100_000)))
    play.admit()

    play.ended("t0", Cause.EXIT_CODE, exit_code=1)

    assert play.state("t99999") == "skipped"


def test_a_retry_waits_its_delay():
    play = Play(task("fit", retry=Retry(limit=1, delay_s=2.0)))
    play.admit()
    play.tell(Ended(0, 1, 10.0, Cause.EXIT_CODE, 1), now=10.0)

    assert not play.tell(None, now=11.9).steps
    assert [step.new.value for step in play.tell(None, now=12.0).steps] == ["ready"]


def test_a_retry_without_delay_is_ready_at_once_under_the_next_number():
    play = Play(task("fit", retry=Retry(limit=1)))
    play.admit()

    play.ended("fit", Cause.SIGNAL, signal=11)
    play.admit()

    assert play.attempt("fit") == 2


def test_retries_are_used_up():
    play = Play(task("fit", retry=Retry(limit=2)))
    for _ in range(3):
        assert play.admit() == ["fit"]
        play.ended("fit", Cause.EXIT_CODE, exit_code=1)

    assert play.state("fit") == "failed"
    assert play.attempt("fit") == 3


def test_a_lost_attempt_does_not_use_up_the_retries_of_the_task():
    play = Play(task("fit", retry=Retry(limit=0, infrastructure_limit=2)))
    for _ in range(2):
        play.admit()
        play.ended("fit", Cause.LOST)
        assert play.state("fit") == "ready"
    play.admit()

    play.ended("fit", Cause.LOST)

    assert play.state("fit") == "failed"
    assert play.run.records[0].failures == 0


def test_an_unreachable_executor_is_tried_again_after_a_pause():
    play = Play(task("fit"))
    play.admit()

    play.ended("fit", Cause.UNREACHABLE)

    assert play.state("fit") == "waiting"
    assert play.run.next_time() == 1.0


def test_an_executor_that_stays_unreachable_is_tried_for_half_an_hour():
    play = Play(task("fit"))
    while play.admit():
        play.ended("fit", Cause.UNREACHABLE)
        play.tell(None, now=play.run.next_time() or play.now)

    assert play.state("fit") == "failed"
    assert 25 * 60 < play.now < 35 * 60


def test_unreachable_attempts_leave_the_budget_for_lost_ones_alone():
    play = Play(task("fit", retry=Retry(infrastructure_limit=1)))
    for _ in range(5):
        play.admit()
        play.ended("fit", Cause.UNREACHABLE)
        play.tell(None, now=play.run.next_time())
    play.admit()

    play.ended("fit", Cause.LOST)

    assert play.state("fit") == "ready"


def test_a_refused_job_is_not_tried_again():
    play = Play(task("fit", retry=Retry(limit=5)))
    play.admit()

    play.ended("fit", Cause.REFUSED)

    assert play.state("fit") == "failed"


def test_the_restart_script_runs_after_a_timeout_and_only_then():
    restart = Script("#!/bin/sh\nagain\n")
    play = Play(task("fit", restart=restart, retry=Retry(limit=1, restart_limit=1)))
    play.admit()

    play.ended("fit", Cause.TIMED_OUT, signal=15)
    play.admit()
    assert play.run.attempts[0].restarted
    play.ended("fit", Cause.EXIT_CODE, exit_code=1)
    play.admit()

    assert not play.run.attempts[0].restarted


def test_restarts_have_a_budget_of_their_own():
    play = Play(task("fit", restart=Argv(("again",)), retry=Retry(limit=5, restart_limit=1)))
    play.admit()
    play.ended("fit", Cause.TIMED_OUT)
    play.admit()

    play.ended("fit", Cause.TIMED_OUT)

    assert play.state("fit") == "failed"


def test_an_event_of_an_older_attempt_changes_nothing():
    play = Play(task("fit", retry=Retry(limit=1)))
    play.admit()
    play.ended("fit", Cause.EXIT_CODE, exit_code=1)
    play.admit()

    decision = play.tell(Ended(0, 1, 5.0, None, 0))

    assert not decision
    assert play.state("fit") == "submitting"


def test_the_same_end_twice_counts_once():
    play = Play(task("a"), task("b", "a"))
    play.admit()
    play.ended("a")

    assert not play.ended("a", Cause.EXIT_CODE, exit_code=1)
    assert play.states == {"a": "succeeded", "b": "ready"}


def test_a_start_that_is_reported_after_the_end_changes_nothing():
    play = Play(task("a"))
    play.admit()
    play.ended("a", started_at=1.0)

    assert not play.tell(Started(0, 1, 1.0, "7"))


def test_a_job_that_never_began_is_given_out_again_under_the_same_number():
    play = Play(task("a"))
    play.admit()

    play.tell(Returned(0, 1, 1.0))

    assert play.state("a") == "ready"
    play.admit()
    assert play.attempt("a") == 1


def test_why_a_job_waits_is_kept_until_it_begins():
    play = Play(task("a"))
    play.admit()
    assert not play.tell(Queued(0, 1, 0.5, "too early"))
    play.tell(Submitted(0, 1, 1.0, "7"))

    told = play.tell(Queued(0, 1, 2.0, "it waits: Priority"))
    again = play.tell(Queued(0, 1, 3.0, "it waits: Priority"))

    assert [each.message for each in told.attempts.values()] == ["it waits: Priority"]
    assert not told.steps
    assert not again
    [attempt] = play.started("a").attempts.values()
    assert attempt.message == ""
    assert not play.tell(Queued(0, 1, 4.0, "too late"))


def test_why_a_job_waited_is_not_why_it_was_given_back_or_cancelled():
    for cancels in (False, True):
        play = Play(task("a"))
        play.admit()
        play.tell(Submitted(0, 1, 1.0, "7"))
        play.tell(Queued(0, 1, 2.0, "it waits: Priority"))
        if cancels:
            play.tell(CancelTask(0, 3.0))

        [attempt] = play.tell(Returned(0, 1, 4.0)).attempts.values()

        assert attempt.message == ""


def test_a_barrier_runs_nothing_and_opens_when_all_have_succeeded():
    play = Play(task("a1"), task("a2"), task("b", "barrier:a"), Barrier("barrier:a", ("a1", "a2")))
    play.admit()
    play.ended("a1")
    assert play.states["barrier:a"] == "waiting"

    play.ended("a2")

    assert play.states["barrier:a"] == "succeeded"
    assert play.state("b") == "ready"


def test_a_task_with_nothing_to_do_is_done_at_once():
    play = Play(Task("a", Nothing()), task("b", "a"))

    assert play.states == {"a": "succeeded", "b": "ready"}


# Trigger rules and verdict ---------------------------------------------------


def test_a_failure_that_is_answered_does_not_fail_the_run():
    play = Play(task("a"), task("mend", "a", trigger=TriggerRule.ALL_FAILED), task("b", "a"))
    play.admit()
    play.ended("a", Cause.EXIT_CODE, exit_code=1)
    play.admit()

    play.ended("mend")

    assert play.states == {"a": "failed", "mend": "succeeded", "b": "skipped"}
    assert play.verdict == "succeeded"


def test_a_strict_verdict_counts_every_task_that_did_not_succeed():
    mend = task("mend", "a", trigger=TriggerRule.ALL_FAILED)
    play = Play(task("a"), mend, verdict=Verdict.STRICT)
    play.admit()

    play.ended("a")

    assert play.states == {"a": "succeeded", "mend": "skipped"}
    assert play.verdict == "failed"


def test_a_skip_by_rule_is_neutral():
    mend = task("mend", "a", trigger=TriggerRule.ANY_FAILED)
    play = Play(task("a"), mend, task("after", "mend"))
    play.admit()

    play.ended("a")

    assert play.cause("mend") is Cause.RULE_NOT_MET
    assert play.cause("after") is Cause.RULE_NOT_MET
    assert play.verdict == "succeeded"


def test_a_failure_that_nobody_answers_fails_the_run():
    play = Play(task("a"), task("clean", "a", trigger=TriggerRule.ALL_COMPLETED))
    play.admit()
    play.ended("a", Cause.EXIT_CODE, exit_code=1)
    play.admit()

    play.ended("clean")

    assert play.verdict == "failed"


# Commands --------------------------------------------------------------------


def test_cancelling_a_run_stops_what_runs_and_keeps_the_rest_from_starting():
    play = Play(task("a"), task("b", "a"))
    play.admit()
    play.started("a")

    play.tell(CancelRun(1.0))

    assert play.states == {"a": "running", "b": "cancelled"}
    assert play.deeds[-1] == CancelJob(0, 1)
    play.ended("a", Cause.CANCELLED, signal=15)
    assert play.state("a") == "cancelled"
    assert play.verdict == "cancelled"


def test_a_task_that_ends_well_before_the_cancel_reaches_it_has_succeeded():
    play = Play(task("a"))
    play.admit()
    play.tell(CancelRun(1.0))

    play.ended("a")

    assert play.state("a") == "succeeded"
    assert play.verdict == "succeeded"


def test_a_cancelled_task_is_not_retried():
    play = Play(task("a", retry=Retry(limit=5)))
    play.admit()
    play.tell(CancelTask(0, 1.0))

    play.ended("a", Cause.SIGNAL, signal=15)

    assert play.state("a") == "cancelled"
    assert play.verdict == "failed"


def test_cancelling_a_task_that_has_not_begun_skips_what_is_behind_it():
    play = Play(task("a"), task("b", "a"))

    play.tell(CancelTask(0, 1.0))

    assert play.states == {"a": "cancelled", "b": "skipped"}


def test_a_paused_run_starts_nothing_and_takes_back_what_has_not_begun():
    play = Play(task("a"), task("b"))
    play.admit(room=1)

    play.tell(PauseRun(1.0))

    assert play.deeds[-1] == Recall()
    assert play.admit() == []
    play.tell(ResumeRun(2.0))
    assert play.admit() == ["b"]


def test_retry_runs_what_did_not_succeed_and_nothing_else():
    play = Play(task("a"), task("b", "a"), task("c", "b"), task("d", "c"))
    play.admit()
    play.ended("a")
    play.admit()
    play.ended("b", Cause.EXIT_CODE, exit_code=1)
    assert play.verdict == "failed"

    play.tell(RetryTasks((), 1.0))

    assert play.verdict == "running"
    assert play.states == {"a": "succeeded", "b": "ready", "c": "waiting", "d": "waiting"}
    for name in "bcd":
        assert play.admit() == [name]
        play.ended(name)
    assert play.verdict == "succeeded"
    assert play.attempt("b") == 2


def test_retry_of_one_task_gives_those_behind_it_their_chance_again():
    play = Play(task("a"), task("b", "a"), task("x"))
    play.admit()
    play.ended("a", Cause.EXIT_CODE, exit_code=1)
    play.ended("x", Cause.EXIT_CODE, exit_code=1)

    play.tell(RetryTasks((0,), 1.0))

    assert play.states == {"a": "ready", "b": "waiting", "x": "failed"}


def test_retry_of_a_task_behind_a_failure_skips_it_again():
    play = Play(task("a"), task("b", "a"))
    play.admit()
    play.ended("a", Cause.EXIT_CODE, exit_code=1)

    play.tell(RetryTasks((1,), 1.0))

    assert play.states == {"a": "failed", "b": "skipped"}
    assert play.verdict == "failed"


def test_a_retried_task_has_its_budgets_back():
    play = Play(task("a", retry=Retry(limit=1)))
    for _ in range(2):
        play.admit()
        play.ended("a", Cause.EXIT_CODE, exit_code=1)
    assert play.state("a") == "failed"

    play.tell(RetryTasks((), 1.0))
    play.admit()
    play.ended("a", Cause.EXIT_CODE, exit_code=1)

    assert play.state("a") == "ready"


def test_a_generator_whose_run_was_cancelled_adds_nothing():
    play = Play(generator("gen"), task("report", "gen"))
    play.admit()
    play.ended("gen")
    play.tell(CancelRun(1.0))

    play.tell(Grown(0, 1, 2.0, Growth((task("x", "gen"),))))

    assert play.states == {"gen": "cancelled", "report": "cancelled"}
    assert play.verdict == "cancelled"


def test_retry_takes_back_a_cancel_also_of_a_paused_run():
    play = Play(task("a"), task("b"))
    play.admit(room=1)
    play.tell(PauseRun(1.0))
    play.tell(CancelRun(2.0))

    play.tell(RetryTasks((1,), 3.0))
    play.tell(ResumeRun(4.0))

    assert play.admit() == ["b"]


def test_a_running_job_that_its_executor_knows_nothing_of_is_lost():
    play = Play(task("a"))
    play.admit()
    play.started("a")

    play.tell(Returned(0, 1, 1.0))

    assert play.cause("a") is Cause.LOST
    assert play.state("a") == "ready"


def test_a_restart_that_its_place_spoilt_is_a_restart_again():
    play = Play(task("fit", restart=Argv(("again",)), retry=Retry(restart_limit=1)))
    play.admit()
    play.ended("fit", Cause.TIMED_OUT)
    play.admit()
    play.ended("fit", Cause.LOST)

    play.admit()

    assert play.run.attempts[0].restarted


# Room ------------------------------------------------------------------------


def test_priority_goes_before_order_and_order_before_nothing():
    play = Play(task("a"), task("b", priority=5), task("c"), task("d", priority=5))

    assert [play.admit(room=1) for _ in range(4)] == [["b"], ["d"], ["a"], ["c"]]


def test_a_run_keeps_its_own_limit():
    play = Play(*(task(f"t{i}") for i in range(5)), limit=2)

    assert play.admit() == ["t0", "t1"]
    play.ended("t0")
    assert play.admit() == ["t2"]


def test_tasks_start_in_the_pool_that_they_name():
    play = Play(task("a", pool="big"), task("b"))

    assert play.admit(pool="") == ["b"]
    assert play.admit(pool="big") == ["a"]


# Generators ------------------------------------------------------------------


def generator(name: str, *needs: str, **changes) -> Task:
    return task(name, *needs, generator=Generator("daggy"), **changes)


def test_a_generator_has_not_succeeded_before_its_tasks_are_there():
    play = Play(generator("gen"), task("report", "gen"))
    play.admit()

    play.ended("gen")

    assert play.state("gen") == "running"
    assert play.deeds[-1] == ReadOutput(0, 1)
    assert play.state("report") == "waiting"


def test_new_tasks_start_when_the_generator_has_succeeded_and_late_needs_are_kept():
    play = Play(generator("gen"), task("report", "gen"))
    play.admit()
    play.ended("gen")

    growth = Growth((task("x", "gen"), task("y", "gen", "x")), late_needs=(("report", "x"),))
    play.tell(Grown(0, 1, 1.0, growth))

    assert play.states == {"gen": "succeeded", "report": "waiting", "x": "ready", "y": "waiting"}
    play.admit()
    play.ended("x")
    assert play.state("report") == "ready"


def test_a_need_that_comes_too_late_is_remarked_and_stops_nothing():
    play = Play(generator("gen"), task("report"))
    play.admit()
    play.ended("report")
    play.ended("gen")

    play.tell(Grown(0, 1, 1.0, Growth((task("x", "gen"),), late_needs=(("report", "x"),))))

    assert play.state("report") == "succeeded"
    assert play.remarks == ["report had started before it came to need x"]


def test_a_ready_task_waits_again_when_a_generator_adds_a_need():
    play = Play(generator("gen"), task("report"))
    play.admit(room=1)
    play.ended("gen")

    play.tell(Grown(0, 1, 1.0, Growth((task("x", "gen"),), late_needs=(("report", "x"),))))

    assert play.state("report") == "waiting"


def test_output_that_cannot_be_used_fails_the_generator():
    play = Play(generator("gen"), task("report", "gen"))
    play.admit()
    play.ended("gen")

    play.tell(GrowthFailed(0, 1, 1.0, "not JSON"))

    assert play.states == {"gen": "failed", "report": "skipped"}
    assert play.cause("gen") is Cause.BAD_OUTPUT


def test_a_generated_task_may_be_a_generator():
    play = Play(generator("gen"))
    play.admit()
    play.ended("gen")
    play.tell(Grown(0, 1, 1.0, Growth((generator("gen2", "gen"),))))
    play.admit()
    play.ended("gen2")

    play.tell(Grown(1, 1, 2.0, Growth((task("leaf", "gen2"),))))

    assert play.states == {"gen": "succeeded", "gen2": "succeeded", "leaf": "ready"}
