"""What to make of a commit that was sent to a server which has not answered. Pure.

The server may have stored it or not. Each turn carries a word of its own, which the server
keeps with the leases it was made under; once the server is back, that word tells. If the
turn was stored, the engine does not know: it sends the same changes again, by then with
more behind them, made from states that are no longer the stored ones. `Doubts` takes off
what is there already.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

from segue.model.errors import StoreError
from segue.model.run import Lease
from segue.model.states import TaskState
from segue.protocols.store import Commit


class ConnectionLostError(StoreError):
    """The server has gone, perhaps with an answer that was on its way."""


#: A run under one owner: no commit of one owner goes on from one of another.
Holding = tuple[str, int]


def new_turn() -> str:
    """Return a word that no other turn has."""
    return os.urandom(12).hex()


class Sent(NamedTuple):
    """What of a commit was sent; the engine adds to the commit itself, at its end."""

    steps: Mapping[int, tuple[TaskState, TaskState]]
    history: int
    first_number: int
    nodes: int
    late_needs: int


@dataclass(frozen=True)
class Turn:
    """A turn that was sent and has not been answered."""

    word: str
    lease: Lease
    sent: Mapping[Holding, Sent]


def sent(commit: Commit) -> Sent:
    """Return what is sent with a commit as it is now."""
    return Sent(
        {at: (old, record.state) for at, (old, record) in commit.steps.items()},
        len(commit.history),
        commit.history[0].number if commit.history else 0,
        len(commit.nodes),
        len(commit.late_needs),
    )


def rest(commit: Commit, stored: Sent) -> Commit:
    """Return what of a commit is still to be stored when its beginning has been.

    A commit that does not go on from that beginning is returned as it is.
    """
    if not _goes_on(commit, stored):
        return commit
    steps = dict(commit.steps)
    for at, (_, new) in stored.steps.items():
        steps[at] = (new, steps[at][1])
    return replace(
        commit,
        steps=steps,
        history=commit.history[stored.history :],
        nodes=commit.nodes[stored.nodes :],
        first_new=commit.first_new + stored.nodes,
        late_needs=commit.late_needs[stored.late_needs :],
    )


def _goes_on(commit: Commit, stored: Sent) -> bool:
    now = sent(commit)
    return (
        now.history >= stored.history
        and now.nodes >= stored.nodes
        and now.late_needs >= stored.late_needs
        and (not stored.history or now.first_number == stored.first_number)
        and all(at in now.steps and now.steps[at][0] == old
                for at, (old, _) in stored.steps.items())
    )  # fmt: skip


class Doubts:
    """Remembers the turn that is in doubt, and what of later ones is stored already."""

    def __init__(self) -> None:
        self._turn: Turn | None = None
        self._stored: dict[Holding, Sent] = {}

    def begin(self, word: str, commits: Sequence[tuple[Commit, Lease]]) -> None:
        """Remember a turn that was sent, and lost on its way or on the way back."""
        if commits:
            parts = {_holding(lease): sent(commit) for commit, lease in commits}
            self._turn = Turn(word, commits[0][1], parts)

    def settle(self, newest_turn: Callable[[str], str]) -> None:
        """Learn what became of the turn; `newest_turn` returns the word kept with a run's lease."""
        if self._turn is None:
            return
        if newest_turn(self._turn.lease.run) == self._turn.word:
            self._stored.update(self._turn.sent)
        self._turn = None

    def to_store(self, commits: Sequence[tuple[Commit, Lease]]) -> list[tuple[Commit, Lease]]:
        """Return the commits without what is stored already."""
        if not self._stored:
            return list(commits)
        return [
            (rest(commit, self._stored[_holding(lease)]), lease)
            if _holding(lease) in self._stored
            else (commit, lease)
            for commit, lease in commits
        ]

    def stored(self, commits: Sequence[tuple[Commit, Lease]]) -> None:
        """Forget the doubts about these: they have been stored to their end."""
        for _, lease in commits:
            self._stored.pop(_holding(lease), None)


def _holding(lease: Lease) -> Holding:
    return lease.run, lease.epoch
