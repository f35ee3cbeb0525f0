"""YAML text of plain values, fast: maps, lists, sets of text, scalars. Pure.

A study of 10,000 steps has a map of 10,000 workspaces; PyYAML takes seconds for it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

#: Texts that every YAML reader takes for a text without quotes.
_PLAIN: Final = re.compile(r"[A-Za-z_/][A-Za-z0-9_./+-]*(?: [A-Za-z0-9_./+-]+)*")
_TAKEN: Final = frozenset(
    ("y", "n", "yes", "no", "true", "false", "on", "off", "null", "nan", "inf")
)


def to_yaml(value: Mapping[str, Any]) -> str:
    r"""Return a map as a YAML document that any safe loader reads.

    Examples
    --------
    >>> print(to_yaml({"a": {"b": "--x", "c": 1}, "s": {"k"}, "l": ["x"], "e": {}}), end="")
    a:
      b: "--x"
      c: 1
    s: !!set
      k: null
    l:
    - x
    e: {}
    """
    return "".join(_map(value, "")) or "{}\n"


def _map(value: Mapping[str, Any], indent: str) -> Iterator[str]:
    for key, item in value.items():
        yield f"{indent}{_scalar(str(key))}:"
        yield from _item(item, indent)


def _item(item: Any, indent: str) -> Iterator[str]:
    if isinstance(item, Mapping):
        yield "\n" if item else " {}\n"
        yield from _map(item, indent + "  ")
    elif isinstance(item, set | frozenset):
        yield " !!set\n" if item else " !!set {}\n"
        yield from _map(dict.fromkeys(sorted(item)), indent + "  ")
    elif isinstance(item, list | tuple):
        yield "\n" if item else " []\n"
        for each in item:
            if isinstance(each, Mapping | list | tuple | set) and each:
                yield f"{indent}-\n"
                yield from _nested(each, indent + "  ")
            else:
                yield f"{indent}-"
                yield from _item(each, indent)
    else:
        yield f" {_scalar(item)}\n"


def _nested(each: Any, indent: str) -> Iterator[str]:
    if isinstance(each, Mapping):
        yield from _map(each, indent)
        return
    for item in each:
        yield f"{indent}-"
        yield from _item(item, indent)


def _scalar(value: Any) -> str:
    if isinstance(value, str):
        if _PLAIN.fullmatch(value) and value.lower() not in _TAKEN:
            return value
        return json.dumps(value, ensure_ascii=not value.isprintable())
    # JSON writes numbers, true, false and null as YAML does; exponents need a point there.
    if isinstance(value, float):
        return _float(value)
    return json.dumps(value, default=str)


def _float(value: float) -> str:
    text = repr(value)
    if text in ("inf", "-inf", "nan"):
        return text.replace("inf", ".inf").replace("nan", ".nan")
    if "e" in text and "." not in text:
        return text.replace("e", ".0e")
    return text
