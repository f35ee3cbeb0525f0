"""What a dialect makes of a user's file: a workflow of tasks.

Everything here is a value: frozen, comparable, without behaviour beyond its own
meaning. The engine reads it and never changes it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Final, NoReturn

from segue.model.errors import Problem
from segue.model.location import Place


class _Empty(dict[str, Any]):
    """The empty mapping as a default value: hashable, and it stays empty."""

    __slots__ = ()

    def __hash__(self) -> int:  # type: ignore[override]
        return 0

    def __setitem__(self, key: str, value: object) -> NoReturn:
        raise TypeError("the default of a frozen value cannot be changed")

    def __copy__(self) -> _Empty:
        return self


EMPTY: Final[Mapping[str, Any]] = _Empty()


class TriggerRule(StrEnum):
    """Which ends of its needs let a task start.

    "Failed" means: ended in any other way than succeeded. A task without needs
    starts at once, whatever its rule. A rule is answered as early as it can be:
    the first failure already says no to `ALL_SUCCESS`.
    """

    ALL_SUCCESS = "all_success"
    ANY_SUCCESS = "any_success"
    ALL_COMPLETED = "all_completed"
    ALL_FAILED = "all_failed"
    ANY_FAILED = "any_failed"
    #: As soon as the first of its needs has ended.
    ALWAYS = "always"

    @property
    def for_failures(self) -> bool:
        """The rule is met by failure alone: its task is there to answer one."""
        return self in (TriggerRule.ALL_FAILED, TriggerRule.ANY_FAILED)


class Verdict(StrEnum):
    """How a run with failed or skipped tasks is judged."""

    #: A skip by rule is neutral, and a failure that a task for failures
    #: (`ALL_FAILED`, `ANY_FAILED`) has answered by succeeding is no failure of the run.
    DEFAULT = "default"
    #: Any task that did not succeed fails the run.
    STRICT = "strict"


@dataclass(frozen=True, slots=True)
class Argv:
    """Run a program with arguments, without a shell."""

    arguments: tuple[str, ...]
    kind: str = field(default="argv", init=False, repr=False)


@dataclass(frozen=True, slots=True)
class Script:
    """Run the text with its shell; `shell` is what stands behind ``#!``.

    `text` is the exact file that is executed, first line included. `file` is its name
    in the task's workdir, where users look for it; empty: it lies in the attempt's folder.
    """

    text: str
    shell: str = "/bin/bash"
    file: str = ""
    kind: str = field(default="script", init=False, repr=False)


@dataclass(frozen=True, slots=True)
class ManagedTask:
    """A task that a framework of its own runs, known by name (LUTE).

    `command` is what starts it here; `name` is its name in the framework.
    """

    name: str
    command: tuple[str, ...] = ()
    config: str = ""
    kind: str = field(default="managed", init=False, repr=False)


@dataclass(frozen=True, slots=True)
class Container:
    """Run an image with arguments."""

    image: str
    arguments: tuple[str, ...] = ()
    kind: str = field(default="container", init=False, repr=False)


@dataclass(frozen=True, slots=True)
class Nothing:
    """Nothing to run: the task succeeds as soon as it may start."""

    kind: str = field(default="nothing", init=False, repr=False)


Action = Argv | Script | ManagedTask | Container | Nothing


@dataclass(frozen=True, slots=True)
class Resources:
    """What one task asks for, once; each batch system renders it its own way.

    Nothing is asked for where a field is None. `gpus` and `cores_per_process`
    count per node and per process. `walltime_s` is asked of the batch system; it
    is not `Task.timeout_s`, which we enforce ourselves.
    """

    nodes: int | None = None
    processes: int | None = None
    cores_per_process: int | None = None
    gpus: int | None = None
    memory_mb: int | None = None
    disk_mb: int | None = None
    walltime_s: int | None = None
    exclusive: bool | None = None
    queue: str | None = None
    account: str | None = None
    reservation: str | None = None
    quality_of_service: str | None = None
    #: Further countable resources by name.
    other: Mapping[str, int] = EMPTY


NO_RESOURCES: Final = Resources()


@dataclass(frozen=True, slots=True)
class Retry:
    """How often a task is tried again, and after what pause.

    Attributes
    ----------
    limit
        Further attempts after the first one failed by itself.
    delay_s
        Pause before each of them, in seconds.
    infrastructure_limit
        Further attempts after attempts that the place spoilt (node failure,
        lost, preempted); a budget of its own.
    restart_limit
        How often `Task.restart` is run after a timeout; None is without end.
    """

    limit: int = 0
    delay_s: float = 0.0
    infrastructure_limit: int = 3
    restart_limit: int | None = 1


ONCE: Final = Retry()


@dataclass(frozen=True, slots=True)
class Generator:
    """The stdout of the task holds more tasks; `dialect` reads it."""

    dialect: str
    #: Who waits for the generator also waits for the new tasks that nothing new waits for.
    inherit_dependents: bool = False


@dataclass(frozen=True, slots=True)
class Output:
    """Names of stdout and stderr in the task's workdir, beside those in the attempt's folder.

    ``{job_id}`` in them stands for the job's id outside: a process id, a batch system's number.
    Equal names mean one file: stderr is written into stdout, in the attempt's folder too,
    where the file for stderr stays empty.
    """

    stdout: str
    stderr: str

    @property
    def joined(self) -> bool:
        """Whether both are one file.

        Examples
        --------
        >>> Output("a.log", "a.log").joined, Output("a.out", "a.err").joined
        (True, False)
        """
        return self.stdout == self.stderr


@dataclass(frozen=True, slots=True)
class Pool:
    """Makes a task stand for `workers` equal long-lived workers fed by queues."""

    workers: int
    queues_in: tuple[str, ...] = ()
    queues_out: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Task:
    """One node of a run's graph.

    Attributes
    ----------
    name
        Unique in the run.
    template
        The task as written, before parameters multiplied it; empty: the name.
    needs
        Names of tasks or barriers that must end first, as `trigger` says.
    parameters
        The parameter values of this task: JSON values by name.
    restart
        Run in place of `action` after a timeout, if there is one.
    timeout_s
        Seconds of run time after which we stop an attempt; None: never.
    options
        Verbatim options for a batch system, as the dialect's users write them.
    environment
        Added to the environment of the engine; None as value takes a name away.
    workdir
        Where it runs: relative to the run's workspace, or absolute. None: the
        directory that the run was started from.
    output
        Names that its output has in its workdir as well; None: none.
    priority
        Among ready tasks the highest number starts first.
    pool
        Name of the executor; empty: the run's.
    generated_by
        Name of the generator that has added it; empty: it was there from the beginning.
    """

    name: str
    action: Action
    template: str = ""
    needs: tuple[str, ...] = ()
    trigger: TriggerRule = TriggerRule.ALL_SUCCESS
    parameters: Mapping[str, Any] = EMPTY
    retry: Retry = ONCE
    restart: Action | None = None
    timeout_s: float | None = None
    resources: Resources = NO_RESOURCES
    options: Mapping[str, Any] = EMPTY
    environment: Mapping[str, str | None] = EMPTY
    clear_environment: bool = False
    workdir: str | None = None
    output: Output | None = None
    priority: int = 0
    pool: str = ""
    generator: Generator | None = None
    workers: Pool | None = None
    description: str = ""
    place: Place | None = None
    generated_by: str = ""


@dataclass(frozen=True, slots=True)
class Barrier:
    """A joint between two sets of tasks, so that N x M needs cost N + M.

    It succeeds when all its needs have succeeded, or, with `any_end`, when all
    have ended. It runs nothing and has no attempts.
    """

    name: str
    needs: tuple[str, ...]
    any_end: bool = False


@dataclass(frozen=True, slots=True)
class Workflow:
    """The definition of a run, after a dialect has read it.

    Attributes
    ----------
    workspace
        Absolute path that the dialect wants the run to write into; empty: the
        door chooses.
    limit
        At most so many tasks in flight at once; 0: no limit of its own.
    pool
        The executor for tasks that name none; empty: the default one.
    context
        What the dialect needs again later (generators): JSON values.
    warnings
        Problems that do not stop the run.
    """

    name: str
    dialect: str
    tasks: tuple[Task, ...]
    barriers: tuple[Barrier, ...] = ()
    description: str = ""
    verdict: Verdict = Verdict.DEFAULT
    workspace: str = ""
    limit: int = 0
    pool: str = ""
    tags: Mapping[str, str] = EMPTY
    context: Mapping[str, Any] = EMPTY
    warnings: tuple[Problem, ...] = ()


@dataclass(frozen=True, slots=True)
class Growth:
    """Tasks that a generator adds to its run.

    `late_needs` holds pairs (task of the run, new need of it). `patched` are tasks that the
    same generator has added before, and that it defines otherwise now.
    """

    tasks: tuple[Task, ...]
    barriers: tuple[Barrier, ...] = ()
    late_needs: tuple[tuple[str, str], ...] = ()
    warnings: tuple[Problem, ...] = ()
    patched: tuple[Task, ...] = ()
