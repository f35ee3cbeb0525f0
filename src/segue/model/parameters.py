"""Combinations of parameter values, and substitution of their names."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TypeVar

T = TypeVar("T")


def product(columns: Mapping[str, Sequence[T]]) -> Iterator[dict[str, T]]:
    """Yield every combination of the columns; the first column varies slowest.

    Examples
    --------
    >>> [c["a"] + c["b"] for c in product({"a": ["x", "y"], "b": ["1", "2"]})]
    ['x1', 'x2', 'y1', 'y2']
    >>> list(product({}))
    [{}]
    """
    names = list(columns)
    for values in itertools.product(*columns.values()):
        yield dict(zip(names, values, strict=True))


def zipped(columns: Mapping[str, Sequence[T]]) -> Iterator[dict[str, T]]:
    """Yield the i-th values of all columns together, for each i.

    Raises
    ------
    ValueError
        If the columns are not equally long.

    Examples
    --------
    >>> list(zipped({"a": [1, 2], "b": [3, 4]}))
    [{'a': 1, 'b': 3}, {'a': 2, 'b': 4}]
    """
    names = list(columns)
    for values in zip(*columns.values(), strict=True):
        yield dict(zip(names, values, strict=True))


def map_strings(value: object, change: Callable[[str], str]) -> object:
    """Return `value` with every string in its lists and map values changed; keys stay.

    Examples
    --------
    >>> map_strings({"a": ["x", 1], "b": "y"}, str.upper)
    {'a': ['X', 1], 'b': 'Y'}
    """
    if isinstance(value, str):
        return change(value)
    if isinstance(value, list):
        return [map_strings(item, change) for item in value]
    if isinstance(value, dict):
        return {key: map_strings(item, change) for key, item in value.items()}
    return value


def strings_in(value: object) -> Iterator[str]:
    """Yield every string in the lists and map values of `value`, in order.

    Examples
    --------
    >>> list(strings_in({"a": ["x", 1], "b": "y"}))
    ['x', 'y']
    """
    if isinstance(value, str):
        yield value
    elif isinstance(value, list):
        for item in value:
            yield from strings_in(item)
    elif isinstance(value, dict):
        for item in value.values():
            yield from strings_in(item)
