"""What became of one job, from all that is known of it. Pure.

Three witnesses: the records that our wrapper left in the attempt's folder, the
queue, and the accounts. The records know how the *program* ended, the batch system knows why
the *job* did. A program that ended well is believed at once. For any other end it is asked: a
killed program cannot know who killed it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from signal import SIGTERM
from typing import Final, NamedTuple

from segue.executors.batch_answers import Row
from segue.executors.batch_records import CANNOT_BEGIN, Begun, Exit
from segue.executors.batch_reports import ended, ended_by_record, started
from segue.executors.batch_states import Meaning, Phase, meaning_of
from segue.model.events import Ended, Usage
from segue.model.states import Cause
from segue.protocols.executor import JobKey, RunReport

_MEMORY: Final = re.compile(r"exceeded (job |step )?memory limit|oom.kill|Out Of Memory", re.I)
#: What the step daemon writes when Slurm itself ends a job for its node's sake. A job that
#: cannot be launched is requeued whatever it has asked for, and the order to stop its first
#: life can reach the second, which then looks like any program that somebody has killed.
_FOR_ITS_NODE: Final = re.compile(r"CANCELLED AT \S+ DUE TO (JOB REQUEUE|NODE FAILURE)")

#: Slurm's reason that says the same. Not JobLaunchFailure: so it calls each job that a
#: signal has ended.
_NODE_IS_DOWN: Final = "NodeDown"


class Patience(NamedTuple):
    """How long to wait for those who are slow to say something, in seconds."""

    #: For an exit record to be seen here (network file systems), and for the queue to say how a
    #: job ended whose program has.
    settle_s: float = 5.0
    #: For anybody to know a job, before it is given up for lost.
    lost_after_s: float = 60.0


@dataclass(frozen=True, slots=True)
class Facts:
    """What is known of a job.

    Attributes
    ----------
    has_folder
        We know where its records would be.
    listed, accounted
        What the queue and the accounts say; None: nothing.
    asked
        The queue has answered, so that `listed` means something.
    asked_accounts
        The accounts have answered too, or there is none.
    unknown_s
        For how long the queue has not known it.
    ending_s
        For how long we have known that it is over, without knowing how.
    told_started
        `Started` has been reported.
    cancelled
        We have asked for its end.
    last_words
        The end of its stderr, which Slurm's daemons write to as well.
    """

    key: JobKey
    job_id: str
    program: str = ""
    has_folder: bool = True
    begun: Begun | None = None
    exit: Exit | None = None
    listed: Row | None = None
    accounted: Row | None = None
    asked: bool = False
    asked_accounts: bool = False
    unknown_s: float = 0.0
    ending_s: float = 0.0
    told_started: bool = False
    cancelled: bool = False
    last_words: str = ""


class Verdict(NamedTuple):
    """What follows: at most one report, and what to ask next.

    `ask` means: ask again soon. `ask_accounts` means: ask the accounts. `take_back` means: it
    has ended as cancelled if it can be kept from ever beginning. `lost` means: stop whatever
    may be left of it, then report it as lost.
    """

    report: RunReport | None = None
    ask: bool = False
    ask_accounts: bool = False
    take_back: bool = False
    lost: bool = False


_WAIT: Final = Verdict()
_CANCELLED: Final = "the job was cancelled"
_STOPPED: Final = "it was stopped for the sake of its node"


def judge(facts: Facts, now: float, patience: Patience) -> Verdict:
    """Return what follows from the facts."""
    if facts.exit and facts.exit.conclusive:
        return Verdict(_by_record(facts))
    if facts.exit and facts.exit.told_to_end and facts.cancelled:
        return Verdict(_by_system(facts, facts.listed, Cause.CANCELLED, _CANCELLED, now))
    if not facts.asked:
        return Verdict(_start(facts, now), ask=facts.exit is not None)
    if facts.listed:
        return _listed(facts, facts.listed, now, patience)
    return _gone(facts, now, patience)


def _stopped_for_its_node(facts: Facts, row: Row) -> bool:
    if facts.cancelled or (facts.exit and not facts.exit.told_to_end):
        return False
    if _FOR_ITS_NODE.search(facts.last_words):
        return True
    return row.reason == _NODE_IS_DOWN or _stopped_anew(facts, row)


def _stopped_anew(facts: Facts, row: Row) -> bool:
    """Tell whether it was stopped before it could begin, in a life that is not its first.

    Where the daemon had nowhere to write, this is all that says so: nobody asks for the end of
    a job that Slurm has just begun anew, against our word, but Slurm. A job without a folder
    leaves no record that it has begun, so nothing follows from its lack.
    """
    stopped = "CANCELLED" in row.state or row.ended_with[1] > 0
    return stopped and row.restarts > 0 and facts.has_folder and facts.begun is None


def _listed(facts: Facts, row: Row, now: float, patience: Patience) -> Verdict:
    meaning = meaning_of(row.state)
    if meaning is None:
        return Verdict(_start(facts, now))
    if meaning.phase is Phase.PENDING:
        return _WAIT
    if meaning.phase is Phase.ENDED:
        return _ended(facts, row, meaning, now, patience)
    if facts.exit and facts.ending_s > patience.settle_s:
        return _unexplained(facts, facts.exit, patience)
    ending = meaning.phase is Phase.ENDING or facts.exit is not None
    return Verdict(_start(facts, now), ask=ending)


def _unexplained(facts: Facts, record: Exit, patience: Patience) -> Verdict:
    """Judge a job whose program has ended badly while the batch system still cleans up after it."""
    if not record.told_to_end or facts.ending_s > patience.lost_after_s:
        return Verdict(_by_record(facts))
    # Cancelled, over its time, preempted? The accounts may say so before the queue does.
    return Verdict(ask_accounts=True)


def _gone(facts: Facts, now: float, patience: Patience) -> Verdict:
    """Judge a job that the queue does not know any more."""
    row = facts.accounted
    meaning = meaning_of(row.state) if row else None
    if row and meaning and meaning.phase is Phase.ENDED:
        return _ended(facts, row, meaning, now, patience)
    if facts.exit and facts.unknown_s > patience.lost_after_s:
        return Verdict(_by_record(facts))
    if not facts.asked_accounts:
        return Verdict(ask_accounts=True)
    if facts.exit and facts.unknown_s > patience.settle_s:
        return Verdict(_by_record(facts))
    if facts.unknown_s > patience.lost_after_s:
        return Verdict(lost=True)
    # Slurm keeps no trace of an element of an array that is cancelled while it waits.
    take_back = facts.cancelled and facts.has_folder and facts.begun is None
    return Verdict(ask=take_back or facts.exit is not None, take_back=take_back)


def _ended(facts: Facts, row: Row, meaning: Meaning, now: float, patience: Patience) -> Verdict:
    """The batch system says that it has ended."""
    if meaning.cause in (None, Cause.CANCELLED) and _stopped_for_its_node(facts, row):
        return Verdict(_by_system(facts, row, Cause.NODE_FAILURE, _STOPPED, now))
    if meaning.cause is not None:
        return Verdict(_by_system(facts, row, meaning.cause, meaning.message, now))
    if facts.exit:
        return Verdict(_by_record(facts, row))
    if facts.has_folder and facts.ending_s <= patience.settle_s:
        # The wrapper writes its record before it ends; it may not be seen here yet.
        return Verdict(ask=True)
    return Verdict(_without_record(facts, row, now))


def _without_record(facts: Facts, row: Row, now: float) -> RunReport:
    code, number = row.ended_with
    if facts.has_folder and facts.begun is None and (code or number):
        text = f"the job ended before it could begin on {row.node or 'its node'}"
        if code != CANNOT_BEGIN and row.reason not in ("", "None"):
            text += f" ({row.reason})"
        return _by_system(facts, row, Cause.NODE_FAILURE, text, now)
    if number and _MEMORY.search(facts.last_words):
        return _by_system(facts, row, Cause.OUT_OF_MEMORY, "it was killed for its memory", now)
    cause = Cause.SIGNAL if number else Cause.EXIT_CODE if code else None
    return _by_system(facts, row, cause, "", now)


def _by_system(
    facts: Facts, row: Row | None, cause: Cause | None, message: str, now: float
) -> RunReport:
    record = facts.exit
    code, number = row.ended_with if row else (0, 0)
    if record:
        code, number = (0, record.signal) if record.signal else (record.code, 0)
    given = code if (record and not number) or code or cause is None else None
    return ended(
        facts.key,
        record.at if record else (row and row.end) or now,
        cause,
        message,
        exit_code=None if number else given,
        signal=number or None,
        usage=_usage(facts, row),
        started_at=_started_at(facts, row),
        job_id=facts.job_id,
    )


def _by_record(facts: Facts, row: Row | None = None) -> RunReport:
    assert facts.exit is not None
    run, report = ended_by_record(facts.key, facts.exit, facts.begun, facts.job_id, facts.program)
    assert isinstance(report, Ended)
    if facts.exit.told_to_end and report.cause is None:
        # It ended well after it was told to: what it was there for is not done.
        report = report._replace(cause=Cause.SIGNAL, signal=int(SIGTERM), exit_code=None)
    if report.signal and _MEMORY.search(facts.last_words):
        message = "it was killed for its memory"
        report = report._replace(cause=Cause.OUT_OF_MEMORY, message=message)
    row = row or facts.listed or facts.accounted
    return RunReport(run, report._replace(usage=_usage(facts, row)))


def _usage(facts: Facts, row: Row | None) -> Usage:
    accounted = facts.accounted or row
    cpu_s = accounted.cpu_s if accounted else None
    if facts.exit and facts.exit.cpu_s is not None:
        cpu_s = facts.exit.cpu_s
    return Usage(cpu_s, accounted.peak_rss_bytes if accounted else None)


def _started_at(facts: Facts, row: Row | None) -> float | None:
    if facts.begun and facts.begun.at:
        return facts.begun.at
    # Slurm gives a job that was cancelled while it waited the time of its end.
    if row and row.start and row.node and row.start != row.end:
        return row.start
    return None


def _start(facts: Facts, now: float) -> RunReport | None:
    """Return that it has begun, if we know that and have not said it."""
    if facts.told_started:
        return None
    row = facts.listed
    meaning = meaning_of(row.state) if row else None
    if facts.begun:
        node = facts.begun.node or (row.node if row else "")
        return started(facts.key, facts.begun.at or now, facts.job_id, node)
    if row and meaning and meaning.phase is Phase.RUNNING:
        return started(facts.key, row.start or now, facts.job_id, row.node)
    return None
