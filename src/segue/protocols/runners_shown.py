"""What windows show of the runners behind a pool: what is known by now, nobody is asked."""

from __future__ import annotations

from typing import NamedTuple, Protocol, runtime_checkable

from segue.protocols.runner import Amounts


class RunnerShown(NamedTuple):
    """A runner as it was last heard.

    `said` is what went wrong with it last, empty while it answers. Amounts, names and
    numbers are those of its last answer; empty before the first.
    """

    url: str
    hostname: str
    reachable: bool
    said: str
    total: Amounts
    free: Amounts
    running: int
    enforced: bool
    version: str


class RunnersShown(NamedTuple):
    """The runners of a pool, and how many jobs wait for room on one of them."""

    waiting: int
    runners: tuple[RunnerShown, ...]


#: What a pool shows that has no runners.
NO_RUNNERS = RunnersShown(0, ())


@runtime_checkable
class ShowsRunners(Protocol):
    """An executor that can say, in any thread and without waiting, what its runners are."""

    def runners(self) -> RunnersShown:
        """Return what is known of them."""
        ...
