"""How an object of a JSON workflow is read by a table of its fields.

Owns what holds for every object of every JSON dialect: unknown keys are errors
with the nearest known one, another spelling of a key is taken with a warning,
``null`` means "not given", and a value of the wrong type is said with its place.
Knows no dialect's fields.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from typing import Any, Final

from segue.dialects.json_text import Findings, Pointer
from segue.model.errors import shorten

#: What a reader returns for a value that it has refused; nobody else makes one.
BAD: Final = object()
#: Whole numbers beyond this are no counts; and JSON readers disagree on them.
MOST: Final = 2**53

Reader = Callable[[Any, Pointer, Findings], Any]

_WHOLE: Final = re.compile(r"-?[0-9]{1,16}")
_DECIMAL: Final = re.compile(r"[0-9]{1,16}(?:\.[0-9]{1,16})?")
_WORDS: Final[dict[type, str]] = {
    dict: "an object",
    list: "an array",
    str: "a string",
    bool: "a boolean",
    int: "a number",
    float: "a number",
    type(None): "null",
}


def read_fields(
    raw: Mapping[str, Any],
    at: Pointer,
    fields: Mapping[str, Reader],
    aliases: Mapping[str, str],
    findings: Findings,
) -> dict[str, Any]:
    """Return the fields of `raw` under their own names, checked; what is wrong is left out.

    ``null`` stays as None: whether it means "not given" or "delete the default"
    is for the caller to say.
    """
    result: dict[str, Any] = {}
    for key, value in raw.items():
        name = key
        if key not in fields:
            name = aliases.get(key, "")
            if not name:
                _refuse_unknown(key, at, fields, aliases, findings)
                continue
            message = f"{key!r} is an old spelling of {name!r}"
            findings.warning("old_spelling", message, (*at, key), f"write {name!r}")
        checked = None if value is None else fields[name](value, (*at, key), findings)
        if checked is BAD:
            continue
        if name in result and result[name] != checked:
            message = f"{name!r} is given twice, by two of its spellings, with different values"
            findings.error("conflicting_fields", message, (*at, key), "keep one", at_key=True)
            continue
        result[name] = checked
    return result


def _refuse_unknown(
    key: str,
    at: Pointer,
    fields: Mapping[str, Reader],
    aliases: Mapping[str, str],
    findings: Findings,
) -> None:
    # Nobody is led to an old spelling where the name of today is as near.
    hint = findings.nearest(key, list(fields)) or findings.nearest(key, list(aliases))
    if not hint:
        # A long list helps nobody; these tables are short.
        hint = f"known fields: {', '.join(fields)}"
    message = f"unknown field {shorten(key)!r}"
    findings.error("unknown_field", message, (*at, key), hint, at_key=True)


def quoted(value: Any) -> str:
    """Return the value as a message quotes it: scalars as JSON, the rest by kind.

    Examples
    --------
    >>> quoted("x"), quoted([1]), quoted(None), quoted(True)
    ("'x'", 'an array', 'null', 'true')
    """
    if isinstance(value, str):
        return repr(shorten(value))
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        # An integer of 5,000 digits cannot be printed at all.
        return repr(value) if abs(value) <= 10**20 else "a very large number"
    return _WORDS[type(value)]


def wrong_type(
    value: Any, wanted: str, pointer: Pointer, findings: Findings, hint: str = ""
) -> object:
    """Note that a value is not what is `wanted` there; return `BAD`."""
    name = next((part for part in reversed(pointer) if isinstance(part, str)), "the text")
    message = f"{shorten(name)!r} must be {wanted}, not {quoted(value)}"
    findings.error("wrong_type", message, pointer, hint)
    return BAD


def read_text(value: Any, pointer: Pointer, findings: Findings) -> Any:
    """Return a string that is not empty."""
    if type(value) is not str:
        return wrong_type(value, "a string", pointer, findings, _quote_hint(value))
    if not value:
        return wrong_type(value, "a string that is not empty", pointer, findings)
    return value


def read_any_text(value: Any, pointer: Pointer, findings: Findings) -> Any:
    """Return a string, which may be empty."""
    if type(value) is not str:
        return wrong_type(value, "a string", pointer, findings, _quote_hint(value))
    return value


def read_label(value: Any, pointer: Pointer, findings: Findings) -> Any:
    """Return a string; a whole number is taken as its digits (user ids)."""
    return (
        str(value)
        if type(value) is int and abs(value) <= MOST
        else read_text(value, pointer, findings)
    )


def read_flag(value: Any, pointer: Pointer, findings: Findings) -> Any:
    """Return true or false."""
    if type(value) is not bool:
        return wrong_type(value, "true or false", pointer, findings)
    return value


def read_object(value: Any, pointer: Pointer, findings: Findings) -> Any:
    """Return an object, its members unchecked."""
    return value if type(value) is dict else wrong_type(value, "an object", pointer, findings)


def read_texts(value: Any, pointer: Pointer, findings: Findings) -> Any:
    """Return an array of strings."""
    if type(value) is not list:
        hint = f"write [{value!r}]".replace("'", '"') if type(value) is str else ""
        return wrong_type(value, "an array of strings", pointer, findings, hint)
    if set(map(type, value)) <= {str}:
        return value
    for index, item in enumerate(value):
        if type(item) is not str:
            wrong_type(item, "an array of strings", (*pointer, index), findings, _quote_hint(item))
    return BAD


def read_whole(value: Any, pointer: Pointer, findings: Findings) -> Any:
    """Return a whole number from 0 on; a decimal string is one too."""
    return _whole(value, 0, pointer, findings)


def read_signed(value: Any, pointer: Pointer, findings: Findings) -> Any:
    """Return a whole number, perhaps below 0; a decimal string is one too."""
    return _whole(value, -MOST, pointer, findings)


def _whole(value: Any, least: int, pointer: Pointer, findings: Findings) -> Any:
    number = value
    is_digits = type(value) is str and _WHOLE.fullmatch(value)
    if is_digits or (type(value) is float and value.is_integer()):
        number = int(value)
    if type(number) is not int or not least <= number <= MOST:
        wanted = "a whole number" if least else "a whole number from 0 on"
        return wrong_type(value, wanted, pointer, findings)
    return number


def read_seconds(value: Any, pointer: Pointer, findings: Findings) -> Any:
    """Return a number of seconds from 0 on; a decimal string is one too."""
    number = value
    if type(value) is str and _DECIMAL.fullmatch(value):
        number = float(value)
    fits = type(number) in (int, float) and 0 <= number <= MOST and math.isfinite(number)
    if not fits:
        return wrong_type(value, "a number of seconds from 0 on", pointer, findings)
    return number


def _quote_hint(value: Any) -> str:
    """Return how a number is written where a string is wanted."""
    fits = type(value) in (int, float) and abs(value) <= 10**20
    return f'write it in quotes: "{value}"' if fits else ""
