"""Tasks and barriers as JSON values, and back: how stores keep them.

Only what differs from the default is written, so that 100,000 tasks stay small.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import MISSING, fields
from typing import Any, Final

from segue.model.location import Place
from segue.model.workflow import (
    Action,
    Argv,
    Barrier,
    Container,
    Generator,
    ManagedTask,
    Nothing,
    Output,
    Pool,
    Resources,
    Retry,
    Script,
    Task,
    TriggerRule,
)

_ACTIONS: Final[dict[str, type[Argv | Script | ManagedTask | Container | Nothing]]] = {
    "argv": Argv,
    "script": Script,
    "managed": ManagedTask,
    "container": Container,
    "nothing": Nothing,
}


def action_to_json(action: Action) -> dict[str, Any]:
    """Return the action as a JSON object with its `kind`.

    Examples
    --------
    >>> action_to_json(Argv(("/bin/true",)))
    {'kind': 'argv', 'arguments': ['/bin/true']}
    """
    if isinstance(action, Argv):  # by far the most common one
        return {"kind": "argv", "arguments": list(action.arguments)}
    return {"kind": action.kind} | _changed(action)


def action_from_json(value: Mapping[str, Any]) -> Action:
    """Return the action that `action_to_json` wrote."""
    kind = _ACTIONS[value["kind"]]
    given = {key: _tuple(item) for key, item in value.items() if key != "kind"}
    return kind(**given)


def resources_to_json(resources: Resources) -> dict[str, Any]:
    """Return what is asked for, without what is not."""
    return _changed(resources)


def task_to_json(task: Task) -> dict[str, Any]:
    """Return the task as a JSON object, defaults left out."""
    value: dict[str, Any] = {"name": task.name, "action": action_to_json(task.action)}
    if task.needs:
        value["needs"] = list(task.needs)
    for name, default in _PLAIN:
        item = getattr(task, name)
        if item is not default and item != default:
            value[name] = dict(item) if isinstance(item, Mapping) else item
    for name, default in _NESTED:
        item = getattr(task, name)
        if item is not default and item != default:
            value[name] = _changed(item)
    if task.restart is not None:
        value["restart"] = action_to_json(task.restart)
    if task.place is not None:
        value["place"] = list(task.place)
    return value


def task_from_json(value: Mapping[str, Any]) -> Task:
    """Return the task that `task_to_json` wrote."""
    given = dict(value)
    given["action"] = action_from_json(given["action"])
    given["needs"] = tuple(given.get("needs", ()))
    if "trigger" in given:
        given["trigger"] = TriggerRule(given["trigger"])
    if "restart" in given:
        given["restart"] = action_from_json(given["restart"])
    if "place" in given:
        given["place"] = Place(*given["place"])
    for name, kind in _NESTED_TYPES.items():
        if name in given:
            given[name] = kind(**{key: _tuple(item) for key, item in given[name].items()})
    return Task(**given)


def barrier_to_json(barrier: Barrier) -> dict[str, Any]:
    """Return the barrier as a JSON object."""
    value: dict[str, Any] = {"name": barrier.name, "needs": list(barrier.needs)}
    if barrier.any_end:
        value["any_end"] = True
    return value


def barrier_from_json(value: Mapping[str, Any]) -> Barrier:
    """Return the barrier that `barrier_to_json` wrote."""
    return Barrier(value["name"], tuple(value["needs"]), value.get("any_end", False))


def _changed(value: Any) -> dict[str, Any]:
    """Return the fields of a dataclass that differ from their defaults."""
    result = {}
    for each in fields(value):
        item = getattr(value, each.name)
        if each.init and (each.default is MISSING or item != each.default):
            result[each.name] = dict(item) if isinstance(item, Mapping) else item
    return result


def _tuple(item: Any) -> Any:
    return tuple(item) if isinstance(item, list) else item


_NESTED_TYPES: Final[dict[str, Any]] = {
    "retry": Retry,
    "resources": Resources,
    "generator": Generator,
    "workers": Pool,
    "output": Output,
}
_OWN_WAY: Final = {"name", "action", "needs", "restart", "place", *_NESTED_TYPES}
_PLAIN: Final = [(f.name, f.default) for f in fields(Task) if f.name not in _OWN_WAY]
_NESTED: Final = [(f.name, f.default) for f in fields(Task) if f.name in _NESTED_TYPES]
