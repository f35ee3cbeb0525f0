"""Values of a LUTE workflow file: texts, sweep values, and the templates filled with them.

Owns what a scalar may hold and how ``{name}`` in a template is filled; knows no steps.
"""

from __future__ import annotations

import math
import re
import string
from collections.abc import Mapping
from typing import Any, Final

import yaml

from segue.dialects.yaml_text import describe, place_of, plain
from segue.model.errors import Problem, shorten

_STANDARD: Final = "tag:yaml.org,2002:"
_ODD: Final = re.compile("[\0\ud800-\udfff]")
_FIELD: Final = re.compile(r"([A-Za-z_][A-Za-z0-9_]*)((?:\[[^\[\]]*\])*)")
_INDEX: Final = re.compile(r"\[([^\[\]]*)\]")
#: Widths have two digits at most: a width of 10**9 would take a gigabyte.
_FORMAT: Final = re.compile(r"[<>=^]?[-+ ]?#?0?[0-9]{0,2}[,_]?(?:\.[0-9]{1,2})?[a-zA-Z%]?")


#: A filled template may be so long; a hundred thousand tasks may each have one.
MAX_FILLED: Final = 16 * 1024


class TemplateError(ValueError):
    """A template that cannot be filled; the text says why."""


def text_of(node: yaml.Node, name: str, path: str, problems: list[Problem]) -> str | None:
    """Return the text of a scalar; None, with a problem, where it is something else."""
    if not isinstance(node, yaml.ScalarNode) or node.tag != _STANDARD + "str":
        hint = 'write it in quotes: "..."' if isinstance(node, yaml.ScalarNode) else ""
        message = f"{name!r} is a text, not {describe(node)}"
        problems.append(Problem("wrong_type", message, place_of(node, path), hint))
        return None
    if _ODD.search(node.value):
        message = f"{name!r} holds a character that no command can take"
        problems.append(Problem("bad_character", message, place_of(node, path)))
        return None
    return str(node.value)


def json_value(node: yaml.Node, path: str, problems: list[Problem]) -> Any:
    """Return the value of a node as JSON has it: dates and infinite numbers become texts."""
    value = _as_json(plain(node))
    if any(_ODD.search(text) for text in _texts(value)):
        message = "the value holds a character that no command can take"
        problems.append(Problem("bad_character", message, place_of(node, path)))
    return value


def _as_json(value: Any) -> Any:
    if isinstance(value, dict):
        return {str(key): _as_json(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_as_json(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    if isinstance(value, bytes):
        return value.decode("latin-1")
    if isinstance(value, int) and abs(value) > 2**63:
        # Neither a store nor a JSON reader holds such a number.
        return hex(value)
    return value if isinstance(value, str | int | float | None) else str(value)


def _texts(value: Any) -> list[str]:
    if isinstance(value, str):
        return [value]
    if isinstance(value, dict):
        return [*value, *(text for item in value.values() for text in _texts(item))]
    if isinstance(value, list):
        return [text for item in value for text in _texts(item)]
    return []


def fill(template: str, values: Mapping[str, Any]) -> str:
    """Return the template with ``{name}``, ``{name[key]}`` and ``{name:04d}`` filled.

    As `str.format`, without attributes: a workflow file must not reach into objects.

    Raises
    ------
    TemplateError
        If a brace is alone, a name is not among `values`, a format does not fit, or
        the text becomes longer than `MAX_FILLED`.

    Examples
    --------
    >>> fill("--ntasks={cores} --comment={{x}}", {"cores": 4})
    '--ntasks=4 --comment={x}'
    """
    try:
        parts = list(string.Formatter().parse(template))
    except ValueError as error:
        raise TemplateError(f"{shorten(template)!r}: {str(error).lower()}") from error
    text = ""
    for literal, name, form, conversion in parts:
        text += literal
        if name is not None:
            text += _filled(name, form or "", conversion, values)
        if len(text) > MAX_FILLED:
            raise TemplateError(f"{shorten(template)!r} becomes longer than {MAX_FILLED:,}")
    return text


def _filled(name: str, form: str, conversion: str | None, values: Mapping[str, Any]) -> str:
    field = _FIELD.fullmatch(name)
    if field is None or conversion or not _FORMAT.fullmatch(form):
        raise TemplateError(f"cannot fill '{{{shorten(name, 40)}}}'")
    try:
        value = values[field[1]]
        for index in _INDEX.findall(field[2]):
            value = value[int(index) if isinstance(value, list) else index]
        return format(value, form)
    except (KeyError, IndexError):
        raise TemplateError(f"nothing is called '{{{shorten(name, 40)}}}'") from None
    except (ValueError, TypeError) as error:
        message = f"'{{{shorten(name, 40)}:{form}}}' does not fit {shorten(repr(value), 40)}"
        raise TemplateError(message) from error
