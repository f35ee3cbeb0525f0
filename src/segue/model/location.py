"""A place in a user's file."""

from __future__ import annotations

from typing import NamedTuple


class Place(NamedTuple):
    """Where something stands in a user's file; line and column count from 1.

    Examples
    --------
    >>> str(Place("study.yaml", 8, 17))
    'study.yaml:8:17'
    """

    path: str
    line: int
    column: int

    def __str__(self) -> str:
        return f"{self.path}:{self.line}:{self.column}"
