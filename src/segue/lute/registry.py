"""Which managed Tasks there are: ours for trying out, and those that others add.

A module of Tasks has a tuple `MANAGED_TASKS`. It is found through an entry point of the
group ``segue.lute_tasks``, or named in `SEGUE_LUTE_MODULES` (several with commas), which
needs no installation: the module must only be importable.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from importlib import import_module
from importlib.metadata import entry_points
from typing import Any, Final

from segue.lute.environment import EnvironmentChange
from segue.lute.task import Task
from segue.lute.tasklets import Tasklet
from segue.model.errors import NotFoundError, UserError, did_you_mean

ENTRY_POINTS: Final = "segue.lute_tasks"
MODULES_VARIABLE: Final = "SEGUE_LUTE_MODULES"
_OURS: Final = "segue.lute.sample_tasks"
_SWEEP: Final = re.compile(r"(.+)_(\d+)")


@dataclass(frozen=True, slots=True)
class ManagedTask:
    """A Task with the way in which its Executor runs it.

    Attributes
    ----------
    name
        What workflows call it: ``Tester``; the Task's own name heads its section.
    environment
        Changes to the environment of the Task.
    shell_script
        A script that is sourced first; what it exports is the Task's environment.
    tasklets
        Small functions that the Executor calls before and after the Task.
    """

    name: str
    task: type[Task[Any]]
    environment: tuple[EnvironmentChange, ...] = ()
    shell_script: str = ""
    tasklets: tuple[Tasklet, ...] = field(default=())


def managed_tasks(environment: Mapping[str, str]) -> dict[str, ManagedTask]:
    """Return all managed Tasks by name; what users add wins over ours.

    Raises
    ------
    UserError
        If a module of Tasks cannot be used.
    """
    found = {each.name: each for each in _of_module(_OURS)}
    for point in entry_points(group=ENTRY_POINTS):
        found |= {each.name: each for each in _of_module(point.value.partition(":")[0])}
    for module in environment.get(MODULES_VARIABLE, "").split(","):
        if module.strip():
            found |= {each.name: each for each in _of_module(module.strip())}
    return found


def find_managed_task(name: str, environment: Mapping[str, str]) -> tuple[ManagedTask, str]:
    """Return the managed Task of that name, and the suffix that a sweep has put behind it.

    Raises
    ------
    NotFoundError
        If there is none; with the nearest names.
    """
    known = managed_tasks(environment)
    if name in known:
        return known[name], ""
    swept = _SWEEP.fullmatch(name)
    if swept and swept[1] in known:
        return known[swept[1]], f"_{swept[2]}"
    by_task = {each.task.name(): each.name for each in known.values()}
    hint = did_you_mean(name, list(known)) or f"there are: {', '.join(sorted(known))}"
    if name in by_task:
        hint = f"{name} is the name of the Task; workflows call it {by_task[name]}"
    raise NotFoundError(f"there is no managed Task {name!r}", hint)


def find_task(name: str, environment: Mapping[str, str]) -> type[Task[Any]]:
    """Return the Task of that name.

    Raises
    ------
    NotFoundError
        If there is none.
    """
    known = {each.task.name(): each.task for each in managed_tasks(environment).values()}
    if name not in known:
        hint = did_you_mean(name, list(known)) or f"there are: {', '.join(sorted(known))}"
        raise NotFoundError(f"there is no Task {name!r}", hint)
    return known[name]


def _of_module(name: str) -> Iterator[ManagedTask]:
    hint = f"{MODULES_VARIABLE} and the entry points {ENTRY_POINTS!r} name modules of Tasks"
    try:
        tasks: Sequence[object] = import_module(name).MANAGED_TASKS
    except ImportError as error:
        raise UserError(
            f"the module of Tasks {name!r} cannot be imported: {error}", hint
        ) from error
    except AttributeError as error:
        raise UserError(f"the module {name!r} has no MANAGED_TASKS", hint) from error
    for each in tasks:
        if not isinstance(each, ManagedTask):
            message = f"MANAGED_TASKS of {name!r} holds {each!r}, which is no ManagedTask"
            raise UserError(message, hint)
        yield each
