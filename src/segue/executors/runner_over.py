"""Jobs that have had their end here, and of which a runner may still know.

An end is told, then stored by the engine, then acknowledged; when the runner has forgotten
the job, it is gone from here and from the journal. A runner that was given up may come back
with a job that lives: then that job is stopped, and its second end is thrown away.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence

from segue.executors.runner_journal import Journal
from segue.executors.runner_link import RunnerLink
from segue.model.events import Ended
from segue.model.states import Cause
from segue.protocols.executor import JobKey, RunReport
from segue.protocols.runner import RUNNING, TAKEN, Told


class Over:
    """Ends that were told, and of those that are stored, what runners have not forgotten."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal
        #: Ends that are told and perhaps not stored: where the job was, and what was told.
        self._told: dict[str, tuple[RunnerLink | None, RunReport]] = {}
        #: Addresses of the runners that may tell of jobs whose ends are stored.
        self._stored = {name: note.url for name, note in journal.read().items() if note.ended}

    def tell(self, name: str, link: RunnerLink | None, report: RunReport) -> None:
        """An end is told; `link` is the runner that may know the job."""
        self._told[name] = link, report

    def report_of(self, name: str) -> RunReport | None:
        """Return the end that was told of a job and may not be stored yet."""
        return self._told[name][1] if name in self._told else None

    def store(self, jobs: Sequence[JobKey]) -> None:
        """The ends are stored: let the runners forget the jobs, now or when they answer."""
        nowhere, stored = [], []
        by_link: dict[RunnerLink, list[str]] = {}
        for name in (key.name for key in jobs):
            link, report = self._told.pop(name, (None, None))
            if link is None:
                nowhere.append(name)
                continue
            self._stored[name] = link.url
            stored.append(name)
            if report is None or not _is_given_up(report):
                by_link.setdefault(link, []).append(name)
        self._journal.gone(nowhere)
        self._journal.end(stored)
        for link, names in by_link.items():
            link.acknowledge(names)

    def hear(self, link: RunnerLink, told: Told) -> None:
        """A runner tells of a job that is not on our books; others' jobs are left alone."""
        if told.name not in self._stored and told.name not in self._told:
            return
        if told.state in (TAKEN, RUNNING):
            link.stop(told.name)
        elif told.name in self._stored:
            link.acknowledge([told.name])

    def hear_all(self, link: RunnerLink, listed: Collection[str], held: Collection[str]) -> None:
        """A runner has told the names of all jobs it has; `held` are those on our books."""
        here = [name for name, url in self._stored.items() if url == link.url]
        self.forget([name for name in here if name not in listed], held)

    def forget(self, names: Iterable[str], held: Collection[str]) -> None:
        """No runner will tell of these any more, but for new jobs of such a name."""
        names = list(names)
        for name in names:
            self._stored.pop(name, None)
        self._journal.gone(name for name in names if name not in held)


def _is_given_up(report: RunReport) -> bool:
    """Tell whether it is an end of which the runner knows nothing.

    What is acknowledged is forgotten if it is over, and left alone if it lives. So these wait
    until the runner says what it still has of them.
    """
    return isinstance(report.report, Ended) and report.report.cause is Cause.NODE_FAILURE
