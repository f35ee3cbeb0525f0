"""Patterns that people search with: RE2, in which no pattern can take for ever."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterable
from functools import lru_cache
from itertools import accumulate
from typing import Any

from segue.model.errors import UserError


class Names:
    """Many names in one text, so that a pattern is searched for in all of them at once.

    A hundred thousand searches of their own would take a hundred times as long, and let
    nothing else run meanwhile.
    """

    def __init__(self, names: Iterable[str]) -> None:
        lines = [name.replace("\n", " ").encode() for name in names]
        self._text = b"\n".join(lines)
        #: Where each name begins.
        self._starts = list(accumulate((len(line) + 1 for line in lines), initial=0))[:-1]

    def __len__(self) -> int:
        return len(self._starts)

    def matching(self, pattern: str) -> list[int]:
        """Return the indexes of the names in which the pattern is found, in order.

        Raises
        ------
        UserError
            If it is no pattern, or if the library is not there.

        Examples
        --------
        >>> Names(["calc_1", "report", "calc_12"]).matching("^c.*[12]$")
        [0, 2]
        """
        searcher(pattern)  # says what is wrong with it
        if not self._starts:
            return []
        found = _line_pattern(pattern).finditer(self._text)
        return [bisect_right(self._starts, each.start()) - 1 for each in found]


@lru_cache(maxsize=64)
def _line_pattern(pattern: str) -> Any:
    import re2

    options = re2.Options()
    options.log_errors = False
    options.never_nl = True
    options.encoding = re2.Options.Encoding.UTF8
    return re2.compile(f"(?m)^.*(?:{pattern}).*$".encode(), options=options)


@lru_cache(maxsize=64)
def searcher(pattern: str) -> Callable[[str], bool]:
    """Return what tells whether the pattern is found anywhere in a text.

    Raises
    ------
    UserError
        If it is no pattern, or if the library is not there.

    Examples
    --------
    >>> searcher("calc_[0-9]+")("calc_12"), searcher("^12")("calc_12")
    (True, False)
    """
    try:
        import re2
    except ImportError as error:
        raise UserError(
            "searching with a pattern needs a library that is not there",
            "install it: pip install 'segue[server]'",
        ) from error
    options = re2.Options()
    options.log_errors = False
    try:
        found = re2.compile(pattern, options=options)
    except re2.error as error:
        said = error.args[0] if error.args else "it cannot be read"
        if isinstance(said, bytes):
            said = said.decode("utf-8", "replace")
        raise UserError(
            f"{pattern!r} is no pattern: {said}",
            "the syntax is RE2's; a sign that is meant as itself has a backslash before it",
        ) from error
    return lambda text: found.search(text) is not None
