"""What an executor is: our adapter to a place where jobs run.

The contract
------------
*Names.* Each job carries a name, ``<run>.<task number>.<attempt>``, unique for ever
in one store. The place outside must keep that name findable, because after a crash
it is all that we know (`find`).

*Intent first.* The engine has stored ``submitting`` before it calls `submit`. A job is
handed over at most once in the life of an engine; after a crash only `find` decides
whether it is handed over again.

*Two kinds of refusal.* `Ended` with cause ``refused`` means: never try again (the program
is missing). ``unreachable`` means: it may pass, try later on the infrastructure budget.

*Truth.* `poll` and `find` answer only what they know. A job without an answer has not
changed: silence is not failure. A line of a batch system's answer that cannot be read
costs that one job and a warning. `Ended` with cause ``lost`` is said only when the outside
has been asked in every way there is and nobody can ever know how the job ended; whatever
may still run of it has been stopped before that.

*Why it waits.* Of a job that is submitted and has not begun `Queued` may tell why, in the
place's own words. It changes no state, so it is worth little: it is said when the reason
is another one, at most now and then, and never by a question that was not asked anyway.

*Many at a time.* All calls take many jobs. The engine calls one executor from one thread.

*Events.* An executor with ``capabilities.pushes`` tells of changes by itself: its `fileno`
becomes readable, and `collect` returns the events. Others are asked by `poll` every
``capabilities.poll_interval_s`` seconds, in a thread of their own.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol, runtime_checkable

from segue.model.events import Ended, Queued, Returned, Started, Submitted
from segue.model.workflow import EMPTY, NO_RESOURCES, Action, Output, Resources

Report = Submitted | Queued | Started | Ended | Returned


class JobKey(NamedTuple):
    """Which attempt of which task of which run a job is."""

    run: str
    task: int
    attempt: int

    @property
    def name(self) -> str:
        """The job's name outside.

        Examples
        --------
        >>> JobKey("build-x7k2", 3, 1).name
        'build-x7k2.3.1'
        """
        return f"{self.run}.{self.task}.{self.attempt}"

    @classmethod
    def of(cls, name: str) -> JobKey:
        """Return the key whose name this is.

        Raises
        ------
        ValueError
            If it is not the name of a job.

        Examples
        --------
        >>> JobKey.of("build-x7k2.3.1")
        JobKey(run='build-x7k2', task=3, attempt=1)
        """
        run, task, attempt = name.rsplit(".", 2)
        return cls(run, int(task), int(attempt))


class RunReport(NamedTuple):
    """A report and the run that it is about."""

    run: str
    report: Report


@dataclass(frozen=True, slots=True)
class Job:
    """One attempt, ready to be handed to an executor.

    `title` is the task's name for people, `folder` the absolute path of the attempt's
    folder (made by the executor; it holds script, stdout and stderr), `workdir` the
    absolute path it runs in (made by the executor if missing). A script with a `file`
    is written there under that name, and executed there; `output` names stdout and stderr
    in `workdir` as well (a second name of the same file, so that both can be read live).
    """

    key: JobKey
    title: str
    action: Action
    folder: str
    workdir: str
    environment: Mapping[str, str | None] = EMPTY
    clear_environment: bool = False
    timeout_s: float | None = None
    resources: Resources = NO_RESOURCES
    options: Mapping[str, object] = EMPTY
    output: Output | None = None


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What an executor can do.

    Attributes
    ----------
    slots
        So many jobs run at once; None: as many as are submitted.
    ahead
        So many further jobs it is glad to hold, so that no slot idles.
    pushes
        It tells of changes by itself through `fileno` and `collect`.
    poll_interval_s
        Seconds between two polls, for one that does not push.
    bound_to_host
        Its jobs can only be found again from the machine that they were submitted on.
    """

    slots: int | None = None
    ahead: int = 0
    pushes: bool = False
    poll_interval_s: float = 2.0
    bound_to_host: bool = False


@runtime_checkable
class TakesHints(Protocol):
    """An executor that can be told, from any thread, that jobs are about to end.

    A hint saves a wait for the next poll. It is never believed: the place stays the truth.
    """

    def hint(self, jobs: Collection[JobKey]) -> None:
        """Somebody says that these jobs end just now."""
        ...


class Executor(Protocol):
    """Runs jobs in one kind of place. The module's docstring is the contract."""

    name: str

    @property
    def capabilities(self) -> Capabilities:
        """What this executor can do; constant after construction."""
        ...

    def submit(self, jobs: Sequence[Job]) -> Sequence[RunReport]:
        """Hand the jobs over; return what is already known of them."""
        ...

    def poll(self, jobs: Mapping[JobKey, str]) -> Sequence[RunReport]:
        """Ask for the jobs, given with their job ids; return what has changed."""
        ...

    def cancel(self, jobs: Mapping[JobKey, str]) -> None:
        """Ask for the end of the jobs; their `Ended` comes as any other.

        Stops everything that a job started, politely first.
        """
        ...

    def recall(self) -> None:
        """Give back, as `Returned`, what is submitted and not begun, where that is possible."""
        ...

    def find(self, jobs: Mapping[JobKey, str]) -> Sequence[RunReport]:
        """After a crash: say for each job what became of it, by its name.

        Exactly one answer a job: `Submitted`, `Started` (adopted: its end will be
        reported), `Ended`, or `Returned` when it certainly never began. The job id is
        empty where it was never stored. Raise `ExecutorError` when the place cannot be
        asked now; the engine then tries again later.
        """
        ...

    def forget(self, jobs: Sequence[JobKey]) -> None:
        """The ends of these jobs are stored: what was kept for `find` may go."""
        ...

    def fileno(self) -> int:
        """Return a descriptor that is readable when `collect` has something; -1 without."""
        ...

    def collect(self) -> Sequence[RunReport]:
        """Return the events that have come in, without waiting."""
        ...

    def close(self) -> None:
        """Let go. Jobs that run go on, and can be found again."""
        ...
