"""The records that a store keeps: run, task, attempt, history.

All are values. Times are seconds since the epoch, UTC.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from segue.model.events import NO_USAGE, Usage
from segue.model.states import FINAL, Cause, RunState, TaskState
from segue.model.workflow import EMPTY, Barrier, Task, Verdict


class TaskRecord(NamedTuple):
    """How far one task has come. A tuple, since a run may hold 100,000 of them.

    Attributes
    ----------
    attempt
        Number of the newest attempt; 0 before the first.
    failures, losses, restarts
        Attempts counted against the three budgets of `Retry` since the task was
        last retried by a person.
    not_before
        A waiting task may not become ready before this time.
    cancelling
        A person has asked for its end, and its job has not ended yet.
    refusals
        Attempts that no executor could take, counted like `failures`.
    reused_from
        Id of the run that ran it, where it was taken over from an earlier run; its
        attempts are those of that run.
    held
        A person keeps it from starting, until it is released; only of a waiting task.
    """

    state: TaskState = TaskState.WAITING
    attempt: int = 0
    cause: Cause | None = None
    failures: int = 0
    losses: int = 0
    restarts: int = 0
    not_before: float = 0.0
    cancelling: bool = False
    refusals: int = 0
    reused_from: str = ""
    held: bool = False

    @property
    def present_cause(self) -> Cause | None:
        """Why it is where it is; while another attempt is on its way nothing is known of that.

        Examples
        --------
        >>> TaskRecord(TaskState.RUNNING, 2, Cause.EXIT_CODE).present_cause is None
        True
        """
        return self.cause if self.state is TaskState.WAITING or self.state in FINAL else None


class AttemptRecord(NamedTuple):
    """One try of a task, numbered from 1.

    `state` is the task's state as far as this attempt brought it; `place` is the
    executor's name, `folder` holds script, stdout and stderr. `message` says more of its
    end; while it is submitted, why it has not begun.
    """

    task: int
    number: int
    state: TaskState
    place: str
    folder: str
    job_id: str = ""
    node: str = ""
    cause: Cause | None = None
    exit_code: int | None = None
    signal: int | None = None
    submitted_at: float | None = None
    started_at: float | None = None
    ended_at: float | None = None
    usage: Usage = NO_USAGE
    message: str = ""
    #: The restart script ran, not the first one.
    restarted: bool = False


class HistoryRecord(NamedTuple):
    """One line of a run's history. `task` is None for what concerns the whole run."""

    number: int
    at: float
    kind: str
    task: int | None = None
    attempt: int | None = None
    old: str = ""
    new: str = ""
    detail: str = ""


@dataclass(frozen=True, slots=True)
class RunRecord:
    """One execution of a workflow, without its tasks.

    Attributes
    ----------
    directory
        Where the run was started from; tasks without a workdir run there.
    workspace
        Absolute path of the folder that the run writes into.
    cancelling
        A person has asked for its end; `state` follows when nothing runs any more.
    limit
        At most so many tasks are out at once; 0: no limit.
    restart_limit
        How often the restart of a task may run, for all tasks whatever they say
        themselves; 0: without end, None: as each task says.
    slots
        So many local tasks run at once (``-j``) wherever nothing else is said; 0: as
        many as the machine has processors.
    continues
        Id of the run whose tasks this one has taken over; empty: none.
    reading
        What the file was read with, as `segue.engine.reading` keeps it; empty where
        an older Segue has stored the run.
    updated_at
        When its state, or that of one of its tasks, has last changed.
    """

    id: str
    workflow: str
    dialect: str
    state: RunState
    source: str
    directory: str
    workspace: str
    created_at: float
    started_at: float | None = None
    ended_at: float | None = None
    verdict: Verdict = Verdict.DEFAULT
    limit: int = 0
    pool: str = ""
    priority: int = 0
    cancelling: bool = False
    description: str = ""
    tags: Mapping[str, str] = EMPTY
    context: Mapping[str, Any] = EMPTY
    counts: Mapping[str, int] = EMPTY
    restart_limit: int | None = None
    slots: int = 0
    continues: str = ""
    reading: Mapping[str, Any] = EMPTY
    updated_at: float = 0.0


#: A node of the graph as it is stored: a task or a barrier.
Node = Task | Barrier


@dataclass(frozen=True, slots=True)
class Lease:
    """The right of one engine to write to a run, until `until`.

    `epoch` grows with each owner, so that a late write of an earlier one is told
    apart. `doorbell` is where the owner listens for "look at your commands".
    """

    run: str
    owner: str
    epoch: int
    until: float
    host: str = ""
    process_id: int = 0
    doorbell: str = ""
