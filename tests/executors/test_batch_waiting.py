"""When it is told why a batch job waits."""

from segue.executors.batch_answers import Row
from segue.executors.batch_waiting import Waiting

AFTER_S, EVERY_S = 10.0, 60.0


def row(reason, state="PENDING"):
    return Row("7", state, (0, 0), "", None, None, reason)


def told(waiting, reason, now, state="PENDING"):
    return waiting.news(row(reason, state), now, AFTER_S, EVERY_S)


def test_a_job_that_soon_begins_is_not_spoken_of():
    waiting = Waiting()

    assert [told(waiting, "Priority", now) for now in (0.0, 4.0, 9.9)] == ["", "", ""]
    assert told(waiting, "None", 10.0, "RUNNING") == ""


def test_a_reason_is_told_once():
    waiting = Waiting()
    told(waiting, "Priority", 0.0)

    assert [told(waiting, "Priority", now) for now in (10.0, 12.0, 500.0)] == ["Priority", "", ""]


def test_another_reason_is_told_a_minute_after_the_last_one():
    waiting = Waiting()
    told(waiting, "Priority", 0.0)
    told(waiting, "Priority", 10.0)

    assert told(waiting, "Resources", 69.0) == ""
    assert told(waiting, "Resources", 70.0) == "Resources"
    assert told(waiting, "Priority", 129.0) == ""
    assert told(waiting, "Resources", 200.0) == ""


def test_a_reason_stays_while_slurm_says_none():
    waiting = Waiting()
    told(waiting, "Priority", 0.0)
    told(waiting, "Priority", 10.0)

    assert told(waiting, "None", 100.0) == ""
    assert told(waiting, "None", 100.0, "CONFIGURING") == "CONFIGURING"
