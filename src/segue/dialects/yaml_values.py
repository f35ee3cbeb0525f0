"""The values that YAML 1.1 nodes stand for, as PyYAML's FullLoader builds them, and its traps."""

from __future__ import annotations

import datetime
import re
from collections.abc import Callable, Hashable
from typing import Any, Final

import yaml
from yaml.constructor import ConstructorError, SafeConstructor

_STANDARD: Final = "tag:yaml.org,2002:"
_MERGE: Final = _STANDARD + "merge"
#: Numbers to a reader, and not to YAML 1.1.
_LOOKS_LIKE_NUMBER: Final = re.compile(r"[-+]?(\d+\.?\d*|\.\d+)[eE][-+]?\d+|0o[0-7]+")
_OCTAL: Final = re.compile(r"[-+]?0[0-7_]+")


class _Scalars(SafeConstructor):
    """The constructors of scalars only; FullLoader's are the same."""


_SCALARS: Final = _Scalars()
_BUILDERS: Final[dict[str, Callable[[Any], Any]]] = {
    _STANDARD + "null": _SCALARS.construct_yaml_null,
    _STANDARD + "bool": _SCALARS.construct_yaml_bool,
    _STANDARD + "int": _SCALARS.construct_yaml_int,
    _STANDARD + "float": _SCALARS.construct_yaml_float,
    _STANDARD + "binary": _SCALARS.construct_yaml_binary,
    _STANDARD + "timestamp": _SCALARS.construct_yaml_timestamp,
}


def plain(node: yaml.Node) -> Any:
    """Return the value of the tree as FullLoader would build it: ``010`` is 8, ``yes`` is True.

    Where FullLoader would raise, this answers: a scalar that its tag does not fit is its
    text, an unknown tag is passed over, a key that cannot be hashed becomes text.

    Examples
    --------
    >>> plain(yaml.compose("{a: 010, b: 1:30, c: yes, d: 1e-3, e: 2.5, f: ~}"))
    {'a': 8, 'b': 90, 'c': True, 'd': '1e-3', 'e': 2.5, 'f': None}
    >>> plain(yaml.compose("{x: &x {p: 1, q: 2}, y: {<<: *x, q: 3}}"))["y"]
    {'p': 1, 'q': 3}
    """
    if isinstance(node, yaml.ScalarNode):
        return scalar(node)
    if isinstance(node, yaml.SequenceNode):
        return [plain(each) for each in node.value]
    result: dict[Any, Any] = {}
    if not isinstance(node, yaml.MappingNode):
        return result
    for key, value in node.value:
        if key.tag == _MERGE:
            result |= _merged(value)
    for key, value in node.value:
        if key.tag != _MERGE:
            name = plain(key)
            result[name if isinstance(name, Hashable) else str(name)] = plain(value)
    return result


def _merged(value: yaml.Node) -> dict[Any, Any]:
    maps = reversed(value.value) if isinstance(value, yaml.SequenceNode) else [value]
    result: dict[Any, Any] = {}
    for each in maps:
        if isinstance(each, yaml.MappingNode):
            result |= plain(each)
    return result


def scalar(node: yaml.ScalarNode) -> Any:
    """Return the value of a scalar node; its text where the tag does not fit."""
    build = _BUILDERS.get(node.tag)
    if build is None:
        return node.value
    try:
        value = build(node)
    # The int regex of YAML 1.1 lets '0x_' through, and '2026-02-31' looks like a date.
    except (ValueError, KeyError, AttributeError, OverflowError, ConstructorError):
        return node.value
    # A hexadecimal number may be so long that Python refuses to print it.
    return node.value if isinstance(value, int) and value.bit_length() > 10_000 else value


def trap(node: yaml.Node) -> str:
    """Return what YAML 1.1 makes of a plain scalar when that may surprise, else ``""``.

    Examples
    --------
    >>> trap(yaml.compose("010")), trap(yaml.compose("no")), trap(yaml.compose("12:30:00"))
    ("'010' is the number 8 (octal)", "'no' is false", "'12:30:00' is the number 45000 (base 60)")
    >>> trap(yaml.compose("1e-3")), trap(yaml.compose("10")), trap(yaml.compose("'no'"))
    ("'1e-3' is a text, not a number", '', '')
    """
    if not isinstance(node, yaml.ScalarNode) or node.style:
        return ""
    text = node.value
    value = scalar(node)
    if isinstance(value, bool):
        return "" if text.lower() in ("true", "false") else f"{text!r} is {str(value).lower()}"
    if isinstance(value, str):
        return f"{text!r} is a text, not a number" if _LOOKS_LIKE_NUMBER.fullmatch(text) else ""
    if isinstance(value, datetime.date):
        return f"{text!r} is a date"
    if not isinstance(value, int | float):
        return ""
    return _number_trap(text, value)


def _number_trap(text: str, value: float) -> str:
    if ":" in text:
        return f"{text!r} is the number {value} (base 60)"
    if isinstance(value, int) and _OCTAL.fullmatch(text):
        return f"{text!r} is the number {value} (octal)"
    if "_" in text:
        return f"{text!r} is the number {value}"
    return ""
