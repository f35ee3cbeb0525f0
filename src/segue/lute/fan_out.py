"""One workflow for many runs of an experiment: what is done for each, then what joins them.

A launch by tag or sample repeats the steps that depend on the run, once for each of its
runs, and does the others once, behind all of them. Pure: a workflow in, a workflow out.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

from segue.model.errors import Problem, WorkflowError, shorten
from segue.model.graph import BARRIER_PREFIX
from segue.model.workflow import Barrier, Task, TriggerRule, Workflow

#: The key of `Task.options` that the dialect leaves for us.
RUN_DEPENDENT: Final = "run_dependent"


def fan_out(
    workflow: Workflow,
    runs: Sequence[int],
    joint_environment: Mapping[str, str],
    *,
    at_once: int = 0,
) -> Workflow:
    """Return the workflow with its run-dependent tasks once for each run.

    Parameters
    ----------
    workflow
        As the dialect has read it for one run.
    runs
        The numbers of the runs; at least one.
    joint_environment
        What the tasks that are done once have in their environment: the tag. Their run is
        the first one.
    at_once
        So many runs are worked on at the same time; 0: all.

    Raises
    ------
    WorkflowError
        If a task that depends on the run comes after one that does not.
    """
    each = [task for task in workflow.tasks if _is_for_each(task)]
    once = [task for task in workflow.tasks if not _is_for_each(task)]
    _check_order(each, once)
    _check_barriers(workflow)
    ends = _ends(each)
    barriers: list[Barrier] = list(workflow.barriers) if not each else []
    tasks: list[Task] = []
    for position, run in enumerate(runs):
        before = runs[position - at_once] if at_once and position >= at_once else None
        gate = None
        if before is not None:
            gate = f"{BARRIER_PREFIX}{_run_name(before)} has ended"
            barriers.append(Barrier(gate, tuple(_of_run(name, before) for name in ends), True))
        tasks += [_for_run(task, run, gate) for task in each]
        barriers += [_barrier_for_run(barrier, run) for barrier in workflow.barriers if each]
    tasks += _joined(once, {task.name for task in each}, ends, runs, joint_environment, barriers)
    return replace(workflow, tasks=tuple(tasks), barriers=tuple(barriers))


def _is_for_each(task: Task) -> bool:
    return bool(task.options.get(RUN_DEPENDENT, True))


def _run_name(run: int) -> str:
    return f"r{run:04d}"


def _of_run(name: str, run: int) -> str:
    """Return the name of a task for one run.

    Examples
    --------
    >>> _of_run("Indexer", 12), _of_run("barrier:s", 12)
    ('Indexer@r0012', 'barrier:s@r0012')
    """
    return f"{name}@{_run_name(run)}"


def _for_run(task: Task, run: int, gate: str | None) -> Task:
    needs = tuple(_of_run(name, run) for name in task.needs)
    if gate and not needs:
        needs = (gate,)
    environment = {**task.environment, "RUN_NUM": str(run), "RUN": str(run)}
    return replace(
        task,
        name=_of_run(task.name, run),
        template=task.template or task.name,
        needs=needs,
        parameters={**task.parameters, "run": run},
        environment=environment,
        options=_without_mark(task.options),
    )


def _barrier_for_run(barrier: Barrier, run: int) -> Barrier:
    needs = tuple(_of_run(name, run) for name in barrier.needs)
    return replace(barrier, name=_of_run(barrier.name, run), needs=needs)


def _joined(
    once: Sequence[Task],
    for_each: set[str],
    ends: Sequence[str],
    runs: Sequence[int],
    joint_environment: Mapping[str, str],
    barriers: list[Barrier],
) -> list[Task]:
    """Return the tasks that are done once, each behind what it needs in all runs."""
    environment = {"RUN_NUM": str(runs[0]), "RUN": str(runs[0]), **joint_environment}
    joints: dict[str, str] = {}
    result = []
    for task in once:
        needs: list[str] = []
        # One that stands at the root waits for all that is done for the runs.
        for name in task.needs or (tuple(ends) if for_each else ()):
            if name not in for_each:
                needs.append(name)
            elif task.trigger is TriggerRule.ALL_SUCCESS:
                needs.append(joints.setdefault(name, f"{BARRIER_PREFIX}{name}@all"))
            else:
                needs += [_of_run(name, run) for run in runs]
        result.append(
            replace(
                task,
                needs=tuple(dict.fromkeys(needs)),
                environment={**task.environment, **environment},
                options=_without_mark(task.options),
            )
        )
    for name, joint in joints.items():
        barriers.append(Barrier(joint, tuple(_of_run(name, run) for run in runs)))
    return result


def _ends(tasks: Sequence[Task]) -> list[str]:
    """Return the names of the tasks that no other of them needs."""
    needed = {name for task in tasks for name in task.needs}
    return [task.name for task in tasks if task.name not in needed]


def _without_mark(options: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in options.items() if name != RUN_DEPENDENT}


def _check_order(each: Sequence[Task], once: Sequence[Task]) -> None:
    names = {task.name for task in once}
    problems = []
    for task in each:
        above = next((name for name in task.needs if name in names), None)
        if above is not None:
            message = (
                f"{shorten(task.name)!r} depends on the run, but comes after {shorten(above)!r}, "
                "which is done once for all"
            )
            hint = f"give {shorten(task.name)!r} 'run_dependent: false' as well, or move it up"
            problems.append(Problem("run_dependent_below", message, task.place, hint))
    if problems:
        raise WorkflowError(problems)


def _check_barriers(workflow: Workflow) -> None:
    """Refuse joints that mix both kinds of tasks: they would have to be split."""
    once = {task.name for task in workflow.tasks if not _is_for_each(task)}
    waiting = {name for task in workflow.tasks if task.name in once for name in task.needs}
    for barrier in workflow.barriers:
        if barrier.name in waiting or once & set(barrier.needs):
            message = "a step that is done once for all runs cannot share its needs with others"
            hint = "write the step's 'needs' with an id that no other step needs"
            raise WorkflowError([Problem("shared_needs", message, None, hint)])
