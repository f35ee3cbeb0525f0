"""Parameters that a Python file of the user's has made (``--pgen``), as the door hands them over.

They replace the study's own `global.parameters`. They come from code, so they are checked
as a file is.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from segue.dialects.maestro_checks import Checks
from segue.dialects.maestro_study import Parameter, Study
from segue.model.errors import Problem, Severity, shorten
from segue.model.location import Place


def with_generated(study: Study, generated: Sequence[Mapping[str, Any]], checks: Checks) -> Study:
    """Return the study with the generated parameters in place of its own.

    Each is an object with `name`, and with `values`, `labels` and `names` of all combinations.
    """
    parameters = tuple(_parameter(each, study.name_place, checks) for each in generated)
    return replace(study, parameters=parameters)


def _parameter(column: Mapping[str, Any], place: Place, checks: Checks) -> Parameter:
    name, values = str(column["name"]), tuple(column["values"])
    labels = tuple(str(each) for each in column["labels"])
    if not name or "(" in name or ")" in name:
        _say(checks, f"the generated parameter {shorten(name)!r} cannot be written as $(NAME)")
    if not values:
        message = f"the generated parameter {shorten(name)!r} has no values: its steps vanish"
        _say(checks, message, Severity.WARNING)
    if not all(labels):
        _say(checks, f"a label of the generated parameter {shorten(name)!r} is empty")
    elif len(set(labels)) == 1 and len(set(map(str, values))) > 1:
        message = (
            f"all values of the generated parameter {shorten(name)!r} have one label: "
            "they become one instance"
        )
        _say(checks, message, Severity.WARNING)
    return Parameter(name, values, "", place, labels, tuple(str(each) for each in column["names"]))


def _say(checks: Checks, message: str, severity: Severity = Severity.ERROR) -> None:
    hint = "see add_parameter(key, values, label) in the generator's file"
    checks.problems.append(
        Problem("bad_generated_parameter", message, hint=hint, severity=severity)
    )
