"""What a trigger rule says to the ends of a task's needs."""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum
from typing import Final

from segue.engine.live_run import Tally
from segue.model.states import Cause
from segue.model.workflow import TriggerRule


class Answer(Enum):
    """Whether a task may start."""

    START = "start"
    SKIP = "skip"
    WAIT = "wait"


def answer(rule: TriggerRule, tally: Tally) -> Answer:
    """Return whether a task with this rule may start, as early as it can be said.

    Examples
    --------
    >>> answer(TriggerRule.ALL_SUCCESS, Tally(open=1, succeeded=1)).value
    'wait'
    >>> answer(TriggerRule.ALL_SUCCESS, Tally(open=1, faulty=1)).value
    'skip'
    >>> answer(TriggerRule.ANY_FAILED, Tally(open=1, faulty=1)).value
    'start'
    >>> answer(TriggerRule.ALL_FAILED, Tally()).value
    'start'
    """
    succeeded = tally.succeeded
    failed = tally.faulty + tally.neutral
    if not (tally.open or succeeded or failed):
        return Answer.START
    return _RULES[rule](tally.open, succeeded, failed)


def skip_cause(rule: TriggerRule, tally: Tally) -> Cause:
    """Return why a task is skipped: because of a failure, or by rule without one."""
    if rule.for_failures or not tally.faulty:
        return Cause.RULE_NOT_MET
    return Cause.UPSTREAM_FAILED


def _all_success(waiting: int, succeeded: int, failed: int) -> Answer:
    if failed:
        return Answer.SKIP
    return Answer.WAIT if waiting else Answer.START


def _any_success(waiting: int, succeeded: int, failed: int) -> Answer:
    if succeeded:
        return Answer.START
    return Answer.WAIT if waiting else Answer.SKIP


def _all_completed(waiting: int, succeeded: int, failed: int) -> Answer:
    return Answer.WAIT if waiting else Answer.START


def _all_failed(waiting: int, succeeded: int, failed: int) -> Answer:
    if succeeded:
        return Answer.SKIP
    return Answer.WAIT if waiting else Answer.START


def _any_failed(waiting: int, succeeded: int, failed: int) -> Answer:
    if failed:
        return Answer.START
    return Answer.WAIT if waiting else Answer.SKIP


def _always(waiting: int, succeeded: int, failed: int) -> Answer:
    return Answer.START if succeeded or failed else Answer.WAIT


_RULES: Final[dict[TriggerRule, Callable[[int, int, int], Answer]]] = {
    TriggerRule.ALL_SUCCESS: _all_success,
    TriggerRule.ANY_SUCCESS: _any_success,
    TriggerRule.ALL_COMPLETED: _all_completed,
    TriggerRule.ALL_FAILED: _all_failed,
    TriggerRule.ANY_FAILED: _any_failed,
    TriggerRule.ALWAYS: _always,
}
