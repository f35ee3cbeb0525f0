"""What becomes of a batch job, judged from all that is known of it."""

import pytest

from segue.executors.batch_answers import Row
from segue.executors.batch_judge import Facts, Patience, Verdict, judge
from segue.executors.batch_records import Begun, Exit
from segue.model.states import Cause
from segue.protocols.executor import JobKey

KEY = JobKey("r", 0, 1)
PATIENCE = Patience(settle_s=5.0, lost_after_s=60.0)


def row(state, code=0, number=0):
    return Row("7", state, (code, number), "n1", 100.0, 200.0)


def verdict(**facts):
    return judge(Facts(KEY, "7", **facts), 300.0, PATIENCE)


def end(**facts):
    return verdict(asked=True, **facts).report.report


def test_a_program_that_ended_well_is_believed_without_asking():
    report = verdict(exit=Exit(0, 150.0)).report.report

    assert (report.cause, report.exit_code, report.at) == (None, 0, 150.0)


@pytest.mark.parametrize("record", [Exit(3, 150.0), Exit(0, 150.0, told_to_end=True)])
def test_for_any_other_end_slurm_is_asked(record):
    assert verdict(exit=record) == Verdict(ask=True)


def test_a_script_that_saved_its_work_at_the_time_limit_has_timed_out():
    report = end(exit=Exit(0, 150.0, told_to_end=True), listed=row("TIMEOUT"))

    assert (report.cause, report.exit_code) == (Cause.TIMED_OUT, 0)


def test_a_failed_job_without_a_record_is_waited_for_a_moment():
    facts = {"listed": row("FAILED", code=4), "asked": True, "begun": None}

    assert verdict(**facts).ask
    assert verdict(**facts, ending_s=6.0).report.report.cause is Cause.NODE_FAILURE


def test_a_failed_job_of_unknown_folder_has_slurms_exit_code():
    report = end(listed=row("FAILED", code=4), has_folder=False)

    assert (report.cause, report.exit_code) == (Cause.EXIT_CODE, 4)


def test_a_job_that_completes_for_long_is_not_called_ended_without_a_record():
    facts = {"asked": True, "listed": row("COMPLETING"), "told_started": True}

    assert verdict(**facts, ending_s=500.0) == Verdict(ask=True)


def test_a_program_told_to_end_is_looked_up_in_the_accounts_while_slurm_cleans_up():
    told = Exit(0, 150.0, told_to_end=True)
    facts = {"asked": True, "listed": row("COMPLETING"), "exit": told, "told_started": True}

    assert verdict(**facts, ending_s=1.0).ask
    assert verdict(**facts, ending_s=6.0).ask_accounts
    assert verdict(**facts, ending_s=61.0).report.report.cause is Cause.SIGNAL


def test_silence_is_not_failure_until_everybody_has_been_asked_for_long():
    assert verdict(asked=True).ask_accounts
    assert verdict(asked=True, asked_accounts=True, unknown_s=59.0) == Verdict()
    assert verdict(asked=True, asked_accounts=True, unknown_s=61.0).lost


def test_what_was_cancelled_before_it_began_and_left_no_trace_is_taken_back():
    facts = {"asked": True, "asked_accounts": True, "cancelled": True, "unknown_s": 0.2}

    assert verdict(**facts) == Verdict(ask=True, take_back=True)
    assert not verdict(**facts, begun=Begun("7", "n1", 100.0)).take_back
    assert not verdict(**facts, has_folder=False).take_back


def test_what_sacct_says_late_changes_nothing():
    facts = {"asked": True, "asked_accounts": True, "accounted": row("PENDING"), "unknown_s": 0.2}

    assert verdict(**facts) == Verdict()


def test_a_kill_for_memory_is_known_by_slurms_words():
    words = "slurmstepd: error: Exceeded job memory limit"
    report = end(listed=row("FAILED", number=9), ending_s=9.0, has_folder=True, begun=None,
                 last_words=words)  # fmt: skip

    assert report.cause is Cause.NODE_FAILURE
    report = end(listed=row("FAILED", number=9), has_folder=False, last_words=words)
    assert (report.cause, report.signal) == (Cause.OUT_OF_MEMORY, 9)


@pytest.mark.parametrize("reason", ["JOB REQUEUE", "NODE FAILURE"])
def test_what_slurm_stops_for_its_node_is_no_failure_of_the_program(reason):
    words = (
        f"slurmstepd-n2: error: *** JOB 7 ON n2 CANCELLED AT 2026-11-21T17:02 DUE TO {reason} ***"
    )
    told = Exit(143, 150.0, told_to_end=True, killed=True)

    assert verdict(asked=True, listed=row("PENDING"), exit=told, last_words=words) == Verdict()
    for state in ("FAILED", "CANCELLED by 0"):
        report = end(listed=row(state, number=15), exit=told, last_words=words)
        assert report.cause is Cause.NODE_FAILURE
    report = end(listed=row("CANCELLED by 0"), last_words=words)
    assert report.cause is Cause.NODE_FAILURE
    launched = row("CANCELLED by 0", number=15)._replace(reason="NodeDown")
    assert end(listed=launched).cause is Cause.NODE_FAILURE
    assert end(listed=row("CANCELLED by 0")._replace(restarts=1)).cause is Cause.NODE_FAILURE
    of_its_own = end(listed=launched._replace(state="FAILED"), exit=Exit(3, 150.0))
    assert (of_its_own.cause, of_its_own.exit_code) == (Cause.EXIT_CODE, 3)
    cancelled = end(listed=row("FAILED"), exit=told, last_words=words, cancelled=True)
    assert cancelled.cause is Cause.CANCELLED
    by_somebody = "slurmstepd-n2: error: *** JOB 7 ON n2 CANCELLED AT 2026-11-21T17:02 ***"
    report = end(listed=row("CANCELLED by 0"), exit=told, last_words=by_somebody)
    assert report.cause is Cause.CANCELLED


def test_a_job_that_slurm_has_begun_anew_and_that_ends_by_itself_is_judged_as_any_other():
    anew = row("COMPLETED")._replace(restarts=1)

    # A site's own program has submitted it: it never leaves a record.
    assert end(listed=anew, has_folder=False).cause is None
    failed = end(listed=row("FAILED", code=3)._replace(restarts=1), has_folder=False)
    assert (failed.cause, failed.exit_code) == (Cause.EXIT_CODE, 3)
    stopped = end(listed=row("CANCELLED by 0")._replace(restarts=1), has_folder=False)
    assert stopped.cause is Cause.CANCELLED
    # Its record is not seen here yet.
    assert verdict(asked=True, listed=anew) == Verdict(ask=True)
