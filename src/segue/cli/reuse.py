"""Edit and resume: a new run in the workspace of an earlier one takes over what still holds."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

import click

from segue import wiring
from segue.cli.change import drive, go_on, is_study
from segue.cli.common import current_folder, open_service, print_json, source_of
from segue.cli.main import INTERRUPTED
from segue.cli.run import acquire_dependencies, check_names, check_runnable, detach, make_workspace
from segue.engine.commands import CommandKind
from segue.engine.reading import read_again, reading_of
from segue.engine.reuse import Plan
from segue.engine.service import check_pools, new_run_id
from segue.model.errors import RefusedError, UserError, shorten
from segue.model.run import RunRecord
from segue.model.states import FINAL_RUN, OUTSIDE
from segue.model.workflow import Workflow
from segue.protocols.clock import SystemClock
from segue.protocols.dialect import Source
from segue.protocols.store import TaskFilter

#: Another engine's run is looked at so often while it comes to rest, in seconds.
LOOK_S: Final = 0.1
#: So many tasks are named in one line.
_NAMED: Final = 5


@dataclass(frozen=True, slots=True)
class Wish:
    """How the new run is to be run: ``--plan`` shows what it would take over, and ends there."""

    jobs: int | None
    plan: bool
    detach: bool
    as_json: bool
    pool: str = ""
    limit: int | None = None


def run_reusing(file: str, options: Mapping[str, Any]) -> int:
    """Carry out ``segue run FILE --reuse RUN``; return the exit code."""
    service = open_service()
    earlier = service.find_run(options["reuse"])
    if options["workspace"] and os.path.abspath(options["workspace"]) != earlier.workspace:
        raise UserError(
            f"run {earlier.id} writes into {earlier.workspace}, and so must what continues it",
            "leave --workspace out",
        )
    source = source_of(file, wiring.read_text(file), earlier.workspace, dict(options))
    wish = Wish(
        options["jobs"],
        options["plan"],
        options["detach"],
        options["as_json"],
        options["pool"],
        options["limit"],
    )
    return _continue(service, earlier, source, options["dialect"], wish)


def retry_edited(service: Any, earlier: RunRecord, file: str, wish: Wish) -> int:
    """Carry out ``segue retry RUN --edited``; an empty `file` is the run's own."""
    if "launch" in earlier.reading:
        raise RefusedError(
            f"run {earlier.id} was launched by launch_slurm, which adds to each step what the "
            "file does not say: its environment, its log, its config",
            "launch the edited file anew, with the options as before: launch_slurm -c ... -W ...; "
            f"what failed runs again as it was with: segue retry {earlier.id}",
        )
    if not file and earlier.source == "-":
        raise UserError(
            f"run {earlier.id} was read from standard input",
            f"name the edited file: segue retry {earlier.id} --edited FILE",
        )
    path = os.path.join(current_folder(), file) if file else earlier.source
    source = read_again(earlier, path, wiring.read_text(path), time.time())
    wish = replace(wish, pool=earlier.reading.get("pool", ""))
    return _continue(service, earlier, source, earlier.dialect, wish)


def _continue(service: Any, earlier: RunRecord, source: Source, dialect: str, wish: Wish) -> int:
    from segue.cli.show import show_warnings

    service.check_reusable(earlier)
    workflow = wiring.read_workflow(source, dialect)
    if is_study(earlier):
        from segue.cli.maestro_again import as_launched

        workflow = as_launched(workflow, earlier)
    check_runnable(workflow, {})
    file = source.path if source.path == "-" else os.path.abspath(source.path)
    check_names(file, source.directory)
    record = service.new_record(
        workflow,
        run=new_run_id(workflow.name),
        source=file,
        directory=source.directory,
        workspace=earlier.workspace,
        pool=wish.pool,
        # What was said of the earlier run, then or by an update, is said of this one.
        limit=earlier.limit or None if wish.limit is None else wish.limit,
        slots=wish.jobs or earlier.slots,
        reading=reading_of(source, pool=wish.pool),
    )
    hopeful = service.plan_reuse(record, workflow, earlier, wiring.grow, hopeful=True)
    show_warnings(workflow)
    if wish.plan:
        _show_plan(service, hopeful, workflow, earlier, as_json=wish.as_json)
        return 0
    _check_pools(record, hopeful)
    make_workspace(earlier.workspace)
    acquire_dependencies(workflow, keep=True)
    try:
        _bring_to_rest(service, earlier, hopeful, record.id)
    except KeyboardInterrupt:
        click.echo(
            f"run {earlier.id} is left paused, and nothing was started; "
            f"go on with it as it was: segue resume {earlier.id}",
            err=True,
        )
        return INTERRUPTED
    plan = service.plan_reuse(record, workflow, service.find_run(earlier.id), wiring.grow)
    new = service.continue_run(record, plan)
    _close(service, earlier.id)
    if wish.detach:
        service.store.close()
        return detach(["resume", new.id], new, wish.jobs, wish.as_json)
    return go_on(service, new, wish.jobs, as_json=wish.as_json)


def _check_pools(record: RunRecord, plan: Plan) -> None:
    executors = wiring.open_executors(wiring.state_directory(), SystemClock())
    try:
        check_pools([task for task, _ in plan.tasks], record.pool, executors)
    finally:
        for executor in executors.values():
            executor.close()


# The earlier run comes to rest -------------------------------------------------


def _bring_to_rest(service: Any, earlier: RunRecord, hopeful: Plan, new: str) -> None:
    """Let nothing of the run start any more, and nothing of it be outside.

    What is out and still holds is waited for; what changed is stopped.
    """
    if earlier.state in FINAL_RUN:
        return
    holds = set(hopeful.reused)
    doomed = [name for name in _outside(service, earlier.id) if name not in holds]
    _say(f"run {earlier.id} is paused; it will be continued by a new run")
    asked = service.ask(earlier, CommandKind.PAUSE, {})
    if doomed:
        _say(f"stopping what would run again: {_named(doomed)}")
        argument = {"tasks": doomed, "reason": f"to be continued as {new}"}
        if asked:
            service.ask(earlier, CommandKind.CANCEL, argument)
        else:
            now = service.clock.now()
            service.store.put_command(earlier.id, CommandKind.CANCEL.value, argument, now)
    _wait_for_rest(service, earlier.id)


def _wait_for_rest(service: Any, run: str) -> None:
    tell = _Teller()
    while True:
        outside = _outside(service, run)
        tell(run, outside)
        if not outside and not service.store.commands([run]):
            return
        if not service.has_engine(run):
            record = service.find_run(run)
            drive(service, record, wait_for=None, on_turn=lambda: tell(run, _outside(service, run)))
        else:
            time.sleep(LOOK_S)


def _outside(service: Any, run: str) -> list[str]:
    wanted = TaskFilter(states=tuple(OUTSIDE))
    return [each.node.name for each in service.store.nodes(run, wanted)]


def _close(service: Any, run: str) -> None:
    """Let the earlier run end: the wish for it was stored with the new run."""
    if not service.store.commands([run]) or service.wait_taken(run):
        return
    try:
        drive(service, service.find_run(run), wait_for=None)
    except RefusedError as error:
        # The new run must not wait for that; whoever takes the old one up will end it.
        _say(str(error))


class _Teller:
    """Says what is waited for, whenever that changes."""

    def __init__(self) -> None:
        self._said: list[str] = []

    def __call__(self, run: str, outside: list[str]) -> None:
        if outside and outside != self._said:
            number = len(outside)
            tasks = "1 task" if number == 1 else f"{number} tasks"
            _say(f"waiting for {tasks} of run {run}: {_named(outside)}")
        self._said = outside


def _named(names: list[str]) -> str:
    shown = ", ".join(shorten(name, 40) for name in names[:_NAMED])
    more = len(names) - _NAMED
    return f"{shown} and {more} more" if more > 0 else shown


def _say(message: str) -> None:
    click.echo(message, err=True)


# The plan ------------------------------------------------------------------------


def _show_plan(
    service: Any, plan: Plan, workflow: Workflow, earlier: RunRecord, *, as_json: bool
) -> None:
    if as_json:
        _print_plan(plan, workflow, earlier)
        return
    from segue.cli.look import TASKS_SHOWN
    from segue.cli.show import table

    awaited = set(_outside(service, earlier.id))
    total, reused = len(plan.tasks), len(plan.reused)
    click.echo(
        f"{workflow.name} ({workflow.dialect}): {reused} of {total} tasks are taken over "
        f"from run {earlier.id}, {total - reused} run"
    )
    # In a large run, what runs is of interest; what is taken over is only counted.
    shown = plan.tasks if total <= TASKS_SHOWN else [each for each in plan.tasks if each[1]]
    rows = [
        [
            shorten(task.name, 60),
            "runs" if reason else "taken over",
            reason or _when(task.name, awaited),
        ]
        for task, reason in shown[:TASKS_SHOWN]
    ]
    if rows:
        table(["task", "", "why"], rows)
    if len(shown) > TASKS_SHOWN:
        click.echo(f"and {len(shown) - TASKS_SHOWN} more that run; --json names them all")
    click.echo("nothing was run, stopped or stored")


def _when(name: str, awaited: set[str]) -> str:
    return "when it has ended well" if name in awaited else "nothing changed"


def _print_plan(plan: Plan, workflow: Workflow, earlier: RunRecord) -> None:
    from segue.model.drawing import Drawing, task_document
    from segue.model.workflow import Barrier

    tasks = [task for task, _ in plan.tasks]
    barriers = [node for node in plan.nodes if isinstance(node, Barrier)]
    document = task_document(Drawing(workflow.name, workflow.dialect, tasks, barriers))
    for each, (_, reason) in zip(document["tasks"], plan.tasks, strict=True):
        each |= {"taken_over": not reason, "reason": reason or None}
    print_json(document | {"workspace": earlier.workspace, "continues": earlier.id})
