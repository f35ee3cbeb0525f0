"""Which steps of a workflow are instances of a sweep, and which config each of them gets. Pure.

An instance reads its parameters from a section of its own in a copy of the config
(`segue.lute.sweep_config`). Two sweeps of one managed Task that give an instance of the same
number different values cannot share a copy, so there may be several.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from segue.lute.sweep_config import Instance
from segue.model.errors import Problem, WorkflowError, did_you_mean, shorten
from segue.model.workflow import ManagedTask, Task, Workflow

_INSTANCE: Final = re.compile(r"(.+)_(\d+)")


@dataclass(frozen=True, slots=True)
class Sweeps:
    """The instances in each copy of the config, and by task which copy it gets."""

    copies: tuple[tuple[Instance, ...], ...] = ()
    copy_of: Mapping[str, int] = field(default_factory=dict)


def sweeps_of(workflow: Workflow, task_names: Mapping[str, str]) -> Sweeps:
    """Return the sweeps of a workflow as its dialect has read it.

    `task_names` maps managed Tasks to their Tasks, whose names head the sections.

    Raises
    ------
    WorkflowError
        If a sweep is over a managed Task whose Task is not known.
    """
    copies: list[dict[tuple[str, int], Mapping[str, Any]]] = []
    copy_of: dict[str, int] = {}
    problems: dict[str, Problem] = {}
    for task in workflow.tasks:
        instance = _instance_of(task)
        if instance is None:
            continue
        if instance.task not in task_names:
            problems.setdefault(instance.task, _unknown(task, instance.task, task_names))
            continue
        section = (task_names[instance.task], instance.number)
        copy_of[task.name] = _put(copies, section, instance.values)
    if problems:
        raise WorkflowError(problems.values())
    made = (
        tuple(Instance(name, number, values) for (name, number), values in copy.items())
        for copy in copies
    )
    return Sweeps(tuple(made), copy_of)


def _instance_of(task: Task) -> Instance | None:
    """Return the instance that a task is, under the name of its managed Task."""
    if not task.parameters or not isinstance(task.action, ManagedTask):
        return None
    match = _INSTANCE.fullmatch(task.action.name)
    assert match is not None, f"the dialect numbers instances, but not {task.action.name}"
    return Instance(match[1], int(match[2]), task.parameters)


def _put(
    copies: list[dict[tuple[str, int], Mapping[str, Any]]],
    section: tuple[str, int],
    values: Mapping[str, Any],
) -> int:
    """Put a section into the first copy that it fits; return which one."""
    for number, copy in enumerate(copies):
        if dict(copy.setdefault(section, values)) == dict(values):
            return number
    copies.append({section: values})
    return len(copies) - 1


def _unknown(task: Task, managed: str, known: Mapping[str, str]) -> Problem:
    message = f"it is not known which Task {shorten(managed)!r} runs, so it cannot be swept"
    hint = did_you_mean(managed, list(known)) or "name the LUTE checkout that has it: --lute-path"
    return Problem("unknown_managed_task", message, task.place, hint)


def check_names(workflow: Workflow, known: Mapping[str, str]) -> None:
    """Refuse steps whose managed Tasks are not there.

    Raises
    ------
    WorkflowError
        With each of them, at its place.
    """
    problems: dict[str, Problem] = {}
    by_task = {task: managed for managed, task in known.items()}
    for task in workflow.tasks:
        action = task.action
        if not isinstance(action, ManagedTask) or action.name in known:
            continue
        match = _INSTANCE.fullmatch(action.name)
        name = match[1] if match else action.name
        if name in known or name in problems:
            continue
        there = shorten(", ".join(sorted(known)), 200)
        hint = did_you_mean(name, list(known)) or f"there are: {there}"
        if name in by_task:
            hint = f"{name} is the name of the Task; workflows call it {by_task[name]}"
        problems[name] = Problem(
            "unknown_managed_task", f"there is no managed Task {shorten(name)!r}", task.place, hint
        )
    if problems:
        raise WorkflowError(problems.values())
