"""The section `study`: its steps, and the types that the keys of `run` may have."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any, Final, NamedTuple

import yaml

from segue.dialects.maestro_checks import Checks
from segue.dialects.maestro_study import Step
from segue.dialects.yaml_text import describe, plain
from segue.model.errors import shorten

_STEP_KEYS: Final = ("name", "description", "run")
_TOKEN: Final = re.compile(r"\$\(\w+\)")
_PRIORITIES: Final = ("held", "minimal", "low", "medium", "high", "expedited")


class _Rule(NamedTuple):
    """What a value must be, in words; the test for it; what to try when it fails."""

    wanted: str
    fits: Callable[[Any], bool]
    hint: str


def _is_token(value: Any) -> bool:
    return isinstance(value, str) and _TOKEN.fullmatch(value) is not None


def _whole(value: Any, least: int) -> bool:
    # JSON Schema, which Maestro checks with, takes 2.0 for a whole number and True for none.
    if isinstance(value, float):
        return value.is_integer() and value >= least
    return isinstance(value, int) and not isinstance(value, bool) and value >= least


def _text_rule(value: Any) -> bool:
    return isinstance(value, str) and value != ""


def _flag_or_token(value: Any) -> bool:
    return isinstance(value, bool) or _is_token(value)


def _exclusive(value: Any) -> bool:
    if isinstance(value, dict):
        return all(_flag_or_token(value.get(key, True)) for key in ("allocation", "launcher"))
    return _flag_or_token(value)


def _priority(value: Any) -> bool:
    if isinstance(value, str):
        return value.lower() in _PRIORITIES and value in (
            value.lower(),
            value.upper(),
            value.title(),
        )
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value <= 1


_NUMBER_HINT: Final = "write a number without quotes; tokens are not computed with"
_COUNT: Final = _Rule(
    "a whole number from 1 on, or one token such as $(NAME)",
    lambda value: _whole(value, 1) or _is_token(value),
    _NUMBER_HINT,
)
_TEXT: Final = _Rule("a text that is not empty", _text_rule, "put it in quotes")
_STRING: Final = _Rule("a text", lambda value: isinstance(value, str), "put it in quotes")
_FLAG_HINT: Final = "write true or false without quotes"
_FLAG: Final = _Rule("true or false", lambda value: isinstance(value, bool), _FLAG_HINT)
_RULES: Final[dict[str, _Rule]] = {
    "cmd": _TEXT,
    "restart": _TEXT,
    "pre": _TEXT,
    "post": _TEXT,
    "nodes": _COUNT,
    "procs": _COUNT,
    "cores per task": _COUNT,
    "tasks per rs": _COUNT,
    "rs per node": _COUNT,
    "cpus per rs": _COUNT,
    "gpus": _Rule(
        "a whole number from 0 on, or one token such as $(NAME)",
        lambda value: _whole(value, 0) or _is_token(value),
        _NUMBER_HINT,
    ),
    "bind": _STRING,
    "bind gpus": _STRING,
    "walltime": _Rule(
        'a text such as "01:30:00" or a whole number',
        lambda value: _text_rule(value) or (_whole(value, 0) and not isinstance(value, float)),
        "put it in quotes",
    ),
    "reservation": _TEXT,
    "qos": _TEXT,
    "exclusive": _Rule(
        "true, false, one token, or a map of allocation and launcher", _exclusive, _FLAG_HINT
    ),
    "nested": _FLAG,
    "waitable": _FLAG,
    "priority": _Rule(
        f"one of {', '.join(_PRIORITIES)}, or a number from 0 to 1",
        _priority,
        "leave it out for medium",
    ),
}
RUN_KEYS: Final = ("cmd", "depends", *(name for name in _RULES if name != "cmd"))
_BELONGS_TO_RUN: Final = dict.fromkeys(RUN_KEYS, "indent it under 'run:'")


def read_steps(node: yaml.Node, checks: Checks) -> list[Step]:
    """Return the steps in the order of the file, each name once."""
    if not isinstance(node, yaml.SequenceNode):
        message = f"study must be a list of steps, not {describe(node)}"
        checks.refuse(node, "wrong_type", message, "begin each step with '- name: ...'")
        return []
    if not node.value:
        checks.refuse(node, "no_steps", "the study has no steps", "add '- name: ...'")
    steps: dict[str, Step] = {}
    for item in node.value:
        step = _step(item, checks)
        if step is None:
            continue
        if step.name in steps:
            line = steps[step.name].place.line
            message = f"a second step {shorten(step.name)!r} is dropped (first at line {line})"
            checks.warn(step.place, "duplicate_step", message, "give it another name")
        steps.setdefault(step.name, step)
    return list(steps.values())


def _step(node: yaml.Node, checks: Checks) -> Step | None:
    section = _title(node)
    fields = checks.fields(node, section, _STEP_KEYS, _STEP_KEYS, hints=_BELONGS_TO_RUN)
    if fields is None:
        return None
    name = checks.text(fields.get("name"), f"the name of {section}")
    description = checks.text(fields.get("description"), f"the description of {section}")
    # A faulty step stays, so that steps which depend on it are not blamed too.
    run = None
    if "run" in fields:
        run = checks.fields(fields["run"], f"the run of {section}", RUN_KEYS, ("cmd",))
    run = run or {}
    values = dict(_run_values(run, section, checks))
    depends = run.get("depends")
    depends_places = (
        tuple(checks.place(each) for each in depends.value)
        if isinstance(depends, yaml.SequenceNode)
        else ()
    )
    if not name:
        return None
    places = {key: checks.place(value) for key, value in run.items()}
    place = checks.place(fields["name"])
    return Step(name, description or "", values, place, places, depends_places)


def _title(node: yaml.Node) -> str:
    """Return what messages call the step."""
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            if key.value == "name" and isinstance(value, yaml.ScalarNode) and value.value:
                return f"step {shorten(value.value)!r}"
    return "a step"


def _run_values(
    run: dict[str, yaml.Node], section: str, checks: Checks
) -> Iterator[tuple[str, Any]]:
    for key, node in run.items():
        if key == "depends":
            yield key, _depends(node, section, checks)
            continue
        if key not in _RULES:
            continue
        rule = _RULES[key]
        value = plain(node)
        if rule.fits(value):
            if key == "walltime":
                checks.trapped(node, f"the walltime of {section}")
            yield key, int(value) if isinstance(value, float) and key != "priority" else value
            continue
        found = f"{shorten(node.value)!r}" if isinstance(node, yaml.ScalarNode) else describe(node)
        message = f"{key} of {section} must be {rule.wanted}, not {found}"
        checks.refuse(node, "wrong_type", message, rule.hint)


def _depends(node: yaml.Node, section: str, checks: Checks) -> list[str]:
    if not isinstance(node, yaml.SequenceNode):
        message = f"depends of {section} must be a list, not {describe(node)}"
        named = isinstance(node, yaml.ScalarNode) and node.value
        hint = f"write [{shorten(node.value)}]" if named else "write [NAME], or remove it"
        checks.refuse(node, "wrong_type", message, hint)
        return []
    names: list[str] = []
    seen: set[str] = set()
    for item in node.value:
        name = checks.text(item, f"a need of {section}")
        if name in seen:
            message = f"{section} depends twice on {shorten(str(name))!r}"
            checks.refuse(item, "duplicate_depends", message, "remove one of them")
        # The names stay in step with the places of their nodes.
        names.append(name or "")
        seen.add(name or "")
    return names
