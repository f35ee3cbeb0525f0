"""Running tasks again, with changed definitions where these are given."""

from __future__ import annotations

import shlex
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from segue.engine.commands import CommandKind
from segue.model.definition import task_to_json
from segue.model.errors import RefusedError, shorten
from segue.model.states import RETRIABLE, TaskState
from segue.model.workflow import Task
from segue.protocols.store import StoredNode
from segue.server.bodies import JobPatch, TaskPatch, TaskRequeue
from segue.server.desk import Desk
from segue.server.fitting import named_tasks
from segue.server.problems import ApiError
from segue.server.skeletons import Skeletons

Wishes = list[tuple[CommandKind, Mapping[str, Any]]]


def wishes_of(
    desk: Desk,
    skeletons: Skeletons,
    run: str,
    names: Sequence[str] | None,
    wish: TaskRequeue,
) -> Wishes:
    """Return the commands that let tasks of a run run again; no names: all that may.

    Raises
    ------
    NotFoundError
        If a task is not there.
    RefusedError
        If none of them may run again.
    """
    desk.run(run)
    chosen = named_tasks(desk, run, names) if names is not None else None
    if chosen is not None and not chosen:
        raise ApiError(422, "tasks: no names are given", hint="leave it out to mean all")
    wanted = [each.node.name for each in chosen or ()]
    if wish.include_descendants and wanted:
        skeleton = skeletons.of(run, desk.windows)
        behind = skeleton.behind(skeleton.index[name] for name in wanted)
        wanted += [skeleton.names[at] for at in sorted(behind) if not skeleton.is_barrier(at)]
    if wish.force and chosen is None:
        wanted = [each.node.name for each in desk.store.nodes(run) if isinstance(each.node, Task)]
    if chosen and not wish.force and not wish.include_descendants:
        _check_retriable(chosen)
    wishes: Wishes = []
    if wish.patch:
        wishes.append((CommandKind.PATCH, {"definitions": _definitions(desk, run, wish.patch)}))
    argument: dict[str, Any] = {"tasks": wanted} if wanted else {}
    if wish.force:
        argument["force"] = True
    if wish.reason:
        argument["reason"] = wish.reason
    wishes.append((CommandKind.RETRY, argument))
    return wishes


def _check_retriable(chosen: Collection[StoredNode]) -> None:
    if any(each.record.state in RETRIABLE for each in chosen):
        return
    first = next(iter(chosen))
    name, state = shorten(first.node.name), first.record.state
    hint = "force runs it again, and all behind it" if state is TaskState.SUCCEEDED else ""
    raise RefusedError(f"task {name!r} cannot run again: it is {state}", hint)


# Patches -----------------------------------------------------------------------


def _definitions(
    desk: Desk, run: str, patches: Mapping[str, TaskPatch]
) -> dict[str, dict[str, Any]]:
    found = {each.node.name: each for each in named_tasks(desk, run, list(patches))}
    definitions = {}
    for name, patch in patches.items():
        stored = found[name]
        assert isinstance(stored.node, Task)
        if stored.record.state is TaskState.SUCCEEDED:
            raise RefusedError(
                f"task {shorten(name)!r} cannot be changed: it has succeeded",
                "'segue retry --edited' continues the run with an edited file",
            )
        definitions[name] = patched(task_to_json(stored.node), patch)
    return definitions


def patched(definition: Mapping[str, Any], patch: TaskPatch) -> dict[str, Any]:
    """Return the stored definition of a task with the changes of a patch.

    Raises
    ------
    ApiError
        If the patch contradicts itself.

    Examples
    --------
    >>> patched({"name": "a", "action": {}}, TaskPatch(command=["/bin/true"]))
    {'name': 'a', 'action': {'kind': 'argv', 'arguments': ['/bin/true']}}
    """
    changed = dict(definition)
    job = patch.job or JobPatch()
    commands = [patch.command, job.command, job.command_string, patch.script]
    if sum(each is not None for each in commands) > 1:
        raise ApiError(422, "patch: only one of command, commandString and script can be said")
    arguments = patch.command or job.command or _split(job.command_string)
    if arguments:
        changed["action"] = {"kind": "argv", "arguments": list(arguments)}
    if patch.script is not None:
        changed["action"] = _script(definition, patch.script)
    environment = {**(job.environment or {}), **(patch.environment or {})}
    if environment:
        changed["environment"] = {**definition.get("environment", {}), **environment}
    timeout_s = job.timeout if patch.timeout_seconds is None else patch.timeout_seconds
    if timeout_s is not None:
        # 0 is without limit, as in a document.
        changed["timeout_s"] = timeout_s or None
    if job.work_dir is not None:
        changed["workdir"] = job.work_dir
    if patch.pool is not None:
        changed["pool"] = patch.pool
    retry = dict(definition.get("retry", {}))
    if patch.max_retries is not None:
        retry["limit"] = patch.max_retries
    if patch.retry_interval_seconds is not None:
        retry["delay_s"] = patch.retry_interval_seconds
    if retry:
        changed["retry"] = retry
    return changed


def _split(command: str | None) -> list[str]:
    if command is None:
        return []
    try:
        return shlex.split(command)
    except ValueError as error:
        raise ApiError(422, f"commandString cannot be split into words: {error}") from error


def _script(definition: Mapping[str, Any], text: str) -> dict[str, Any]:
    before = definition.get("action", {})
    kept = {key: before[key] for key in ("shell", "file") if key in before}
    if not text.startswith("#!"):
        text = f"#!{kept.get('shell', '/bin/bash')}\n{text}"
    return {"kind": "script", "text": text, **kept}
