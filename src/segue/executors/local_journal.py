"""What the journal of a keeper says. Pure: bytes in, facts out.

The lines are described in `segue.executors.keeper.journal`. A line that cannot be read
costs that line: the last one may be torn by a full disk or the end of the machine.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any, NamedTuple


class Start(NamedTuple):
    """A process that the keeper has made: its pid, and the clock ticks around its birth."""

    at: float
    pid: int
    window: tuple[int, int]


@dataclass(frozen=True, slots=True)
class JournalFacts:
    """All that a journal tells.

    Attributes
    ----------
    boot
        Which start of which machine it belongs to; empty: the keeper wrote nothing.
    intents
        When the keeper was about to start each job, by name.
    starts
        The processes that it made, by name of their job.
    ends
        Messages ``ended ...`` as the keeper sent them, by name.
    forgotten
        Names whose ends an engine has stored.
    """

    boot: str = ""
    intents: dict[str, float] = field(default_factory=dict)
    starts: dict[str, Start] = field(default_factory=dict)
    ends: dict[str, list[Any]] = field(default_factory=dict)
    forgotten: set[str] = field(default_factory=set)

    @property
    def remembered(self) -> set[str]:
        """Names of jobs that some engine may still ask for."""
        return set(self.intents) - self.forgotten

    def knows_run(self, run: str) -> bool:
        """Whether a job of that run was ever begun here."""
        start = run + "."
        return any(name.startswith(start) for name in self.intents)


def read_journal(text: bytes) -> JournalFacts:
    r"""Return what the journal says.

    Examples
    --------
    >>> facts = read_journal(b'["intent","r.0.1",5.0]\n["start","r.0.1",5.0,77,100,101]\n["en')
    >>> facts.starts["r.0.1"].pid, facts.ends
    (77, {})
    """
    boot = ""
    facts = JournalFacts()
    for line in text.splitlines():
        try:
            kind, *rest = json.loads(line)
            match kind:
                case "intent":
                    facts.intents[rest[0]] = rest[1]
                case "start":
                    name, at, pid, before, after = rest
                    facts.starts[name] = Start(at, pid, (before, after))
                case "end":
                    if len(rest) in (9, 10):  # keepers of older releases wrote no process id
                        facts.ends[rest[0]] = ["ended", *rest]
                        facts.intents.setdefault(rest[0], rest[1])
                case "forget":
                    facts.forgotten.update(rest)
                case "keeper":
                    boot = rest[1]
        except (ValueError, IndexError, TypeError):
            continue
    return JournalFacts(boot, facts.intents, facts.starts, facts.ends, facts.forgotten)
