"""Values from outside the file: ``-p NAME=VALUE``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import yaml

from segue.dialects.maestro_checks import Checks
from segue.dialects.maestro_study import Entry, Environment, Parameter, Study
from segue.dialects.yaml_text import compose, describe, plain
from segue.model.errors import Problem, did_you_mean, shorten


def override(study: Study, given: Mapping[str, str], checks: Checks) -> Study:
    """Return the study with the given values in place of its own; unknown names are errors.

    A variable or label takes the text. A global parameter takes a list of values as JSON
    or YAML, such as ``[1, 2]``. A name that is both is the variable, as in every step.
    `OUTPUT_PATH` may be given though no variable has the name.
    """
    for name, text in given.items():
        study = _override(study, name, text, checks)
    return study


def _override(study: Study, name: str, text: str, checks: Checks) -> Study:
    env = study.environment
    variables = {each.name: each for each in env.variables}
    labels = {each.name: each for each in env.labels}
    parameters = {each.name: each for each in study.parameters}
    known = [*variables, *labels, *parameters, "OUTPUT_PATH"]
    if name in variables or name in labels or name == "OUTPUT_PATH":
        if not text:
            hint = f"write -p {name}=VALUE"
            checks.problems.append(Problem("empty_value", f"-p {name}= has no value", hint=hint))
            return study
        return replace(study, environment=_with_entry(env, name, text, study))
    if name in parameters:
        values = _values(name, text, checks)
        if values is None:
            return study
        changed = (
            replace(each, values=values) if each.name == name else each for each in study.parameters
        )
        return replace(study, parameters=tuple(changed))
    hint = did_you_mean(name, known) or f"known names: {shorten(', '.join(known), 200)}"
    message = f"-p {shorten(name)}: the study has no variable, label or parameter of that name"
    checks.problems.append(Problem("unknown_parameter", message, hint=hint))
    return study


def _with_entry(env: Environment, name: str, text: str, study: Study) -> Environment:
    def changed(entries: tuple[Entry, ...]) -> tuple[Entry, ...]:
        return tuple(replace(e, value=text) if e.name == name else e for e in entries)

    result = replace(env, variables=changed(env.variables), labels=changed(env.labels))
    if result == env and name not in {each.name for each in (*env.variables, *env.labels)}:
        added = Entry(name, text, study.name_place)
        return replace(env, variables=(*env.variables, added))
    return result


def _values(name: str, text: str, checks: Checks) -> tuple[object, ...] | None:
    problems: list[Problem] = []
    node = compose(text, f"-p {name}", problems)
    checks.problems.extend(problems)
    if node is None:
        return None
    if not isinstance(node, yaml.SequenceNode):
        message = f"-p {name}: a global parameter takes a list of values, not {describe(node)}"
        hint = f"write -p '{name}=[{shorten(text, 40)}]'"
        checks.problems.append(Problem("wrong_type", message, hint=hint))
        return None
    return tuple(plain(node))


def check_lengths(parameters: tuple[Parameter, ...], checks: Checks) -> None:
    """Refuse parameters that have not equally many values: combinations are zipped."""
    for other in parameters[1:]:
        first = parameters[0]
        if len(other.values) != len(first.values):
            message = (
                f"parameter {shorten(other.name)!r} has {len(other.values)} values, "
                f"but {shorten(first.name)!r} has {len(first.values)}"
            )
            hint = "combination i takes the i-th value of each parameter; give all equally many"
            checks.refuse(other.place, "unequal_lengths", message, hint)
