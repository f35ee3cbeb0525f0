"""Text in cells of a fixed width: cleaned, measured, cut into lines, padded. Pure.

Made for tables of 10,000 rows: plain ASCII, which nearly all is, takes the short way.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from typing import Final

#: Colours of states, as terminals take them.
STATE_COLOURS: Final = {
    "FINISHED": "32", "RUNNING": "36", "PENDING": "33", "FAILED": "31", "TIMEDOUT": "31",
    "HWFAILURE": "31", "CANCELLED": "35", "DRYRUN": "34",
}  # fmt: skip
_BOLD: Final = "\x1b[1m"
_ITALIC: Final = "\x1b[3m"
_END: Final = "\x1b[0m"


def clean(text: str) -> str:
    """Return the text as one line that cannot steer a terminal.

    Examples
    --------
    >>> clean("a" + chr(27) + "[31m")
    'a�[31m'
    """
    if text.isprintable():
        return text
    return "".join(sign if sign.isprintable() else "\ufffd" for sign in text)


def width_of(text: str) -> int:
    """Return how many columns of a terminal the text takes.

    Examples
    --------
    >>> width_of("abc"), width_of("日本")
    (3, 4)
    """
    if text.isascii():
        return len(text)
    return sum(_sign_width(sign) for sign in text)


def _sign_width(sign: str) -> int:
    if unicodedata.combining(sign):
        return 0
    return 2 if unicodedata.east_asian_width(sign) in "WF" else 1


def cut(text: str, width: int) -> list[str]:
    """Return the text in pieces of at most `width` columns; at least one piece.

    Examples
    --------
    >>> cut("hello_world", 6), cut("", 6)
    (['hello_', 'world'], [''])
    """
    if len(text) <= width and text.isascii():
        return [text]
    if text.isascii():
        return [text[at : at + width] for at in range(0, len(text), width)]
    pieces, piece, used = [], "", 0
    for sign in text:
        size = _sign_width(sign)
        if used + size > width:
            pieces.append(piece)
            piece, used = "", 0
        piece += sign
        used += size
    return [*pieces, piece]


def pad(text: str, width: int) -> str:
    """Return the text with blanks behind it, up to `width` columns."""
    if text.isascii():
        return text.ljust(width)
    return text + " " * (width - width_of(text))


def centred(text: str, width: int) -> str:
    """Return the text in the middle, with blanks before it alone.

    Examples
    --------
    >>> centred("ab", 6)
    '  ab'
    """
    return " " * max(0, (width - width_of(text)) // 2) + text


def widest(cells: Sequence[str], least: int = 0) -> int:
    """Return the width of the widest cell, `least` at least."""
    return max(least, max(map(width_of, cells), default=0))


def bold(text: str, styled: bool) -> str:
    """Return the text for a terminal in bold."""
    return f"{_BOLD}{text}{_END}" if styled else text


def italic(text: str, styled: bool) -> str:
    """Return the text for a terminal in italics."""
    return f"{_ITALIC}{text}{_END}" if styled else text


def coloured(text: str, state: str, styled: bool) -> str:
    """Return the text for a terminal in the colour of the state."""
    colour = STATE_COLOURS.get(state) if styled else None
    return f"\x1b[{colour}m{text}{_END}" if colour else text
