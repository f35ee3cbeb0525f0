"""Patterns that people search with: RE2, in which no pattern can take for ever."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache

from segue.model.errors import UserError


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
