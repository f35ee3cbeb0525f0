"""What the log of a server leaves out."""

import logging

from segue.server.quiet_log import Seldom


def told(seldom, message, level=logging.WARNING, fault=None):
    """The line as it is told; None where it is left out."""
    exception = (type(fault), fault, None) if fault else None
    record = logging.LogRecord("segue", level, "", 0, message, (), exception)
    return record.getMessage() if seldom.filter(record) else None


def test_the_same_line_is_told_once_a_minute_with_its_number():
    now = [0.0]
    seldom = Seldom(lambda: now[0])

    first = [told(seldom, "bad request") for _ in range(5)]
    other = told(seldom, "another")
    now[0] = 60.0
    later = [told(seldom, "bad request") for _ in range(2)]

    assert first == ["bad request", None, None, None, None]
    assert other == "another"
    assert later == ["bad request (4 more times before)", None]


def test_faults_are_told_each_time():
    seldom = Seldom()

    assert [told(seldom, "failed", fault=ValueError()) for _ in range(2)] == ["failed", "failed"]


def test_what_is_of_no_use_is_left_out():
    assert told(Seldom(), "Unsupported upgrade request.") is None
