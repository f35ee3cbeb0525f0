"""The tables of `maestro status`: flat and legacy; `narrow` has a module of its own. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from segue.maestro.rows import HEADER, Row
from segue.maestro.text_cells import bold, centred, clean, coloured, cut, italic, pad, widest

#: Columns whose text may be cut into several lines; shorter than this they are no use.
_FOLDED: Final = (0, 2)
_LEAST_FOLDED: Final = 24
#: When a terminal has no room for all columns, these go, in this order.
_DROPPED: Final = (7, 9, 8, 2, 6, 5, 1, 4)
_STATE: Final = 3
_SHOWN: Final = len(HEADER) - 1  # parameters are in the names


def flat(rows: Sequence[Row], title: str, width: int | None, *, styled: bool = False) -> str:
    """Return one table with a line a step, in a frame.

    `width` is that of the terminal: names are folded and the least useful columns left out
    to fit into it. None: as wide as it comes.
    """
    table = [tuple(map(clean, row[:_SHOWN])) for row in rows]
    columns = list(zip(HEADER[:_SHOWN], *table, strict=True))
    natural = [widest(column) for column in columns]
    shown, widths = _fitting(natural, width)
    total = sum(widths) + 3 * len(shown) + 1
    bars = ["━" * (each + 2) for each in widths]
    heads = [bold(pad(HEADER[at], widths[i]), styled) for i, at in enumerate(shown)]
    lines = [
        italic(centred(f"Study: {clean(title)}", total), styled),
        f"┏{'┳'.join(bars)}┓",
        f"┃ {' ┃ '.join(heads)} ┃",
        f"┡{'╇'.join(bars)}┩",
        *_body(table, shown, widths, styled),
        f"└{'┴'.join('─' * (each + 2) for each in widths)}┘",
    ]
    hidden = [HEADER[at] for at in range(_SHOWN) if at not in shown]
    if hidden:
        lines.append(f"no room for: {', '.join(hidden)} (all: --layout narrow)")
    return "\n".join(lines) + "\n"


def _fitting(natural: Sequence[int], width: int | None) -> tuple[list[int], list[int]]:
    """Return which columns are shown, and their widths."""
    shown = list(range(len(natural)))
    if width is None:
        return shown, list(natural)
    for drop in (None, *_DROPPED):
        if drop is not None:
            shown.remove(drop)
        room = width - 3 * len(shown) - 1
        foldable = [at for at in _FOLDED if at in shown]
        least = sum(
            min(natural[at], _LEAST_FOLDED) if at in foldable else natural[at] for at in shown
        )
        if least <= room or shown == [0, _STATE]:
            break
    fixed = sum(natural[at] for at in shown if at not in foldable)
    return shown, _shared(natural, shown, foldable, max(room - fixed, 8))


def _shared(
    natural: Sequence[int], shown: Sequence[int], foldable: Sequence[int], room: int
) -> list[int]:
    """Return the widths, the room shared fairly between the columns that may be folded."""
    widths = {at: natural[at] for at in shown}
    left = room
    for number, at in enumerate(sorted(foldable, key=lambda at: natural[at])):
        widths[at] = min(natural[at], left // (len(foldable) - number))
        left -= widths[at]
    return [widths[at] for at in shown]


def _body(
    table: Sequence[tuple[str, ...]], shown: Sequence[int], widths: Sequence[int], styled: bool
) -> Iterator[str]:
    state = shown.index(_STATE)
    sizes = list(zip(shown, widths, strict=True))
    for row in table:
        cells = [row[at] for at in shown]
        if all(len(cell) <= size and cell.isascii() for cell, size in zip(cells, widths)):  # noqa: B905
            padded = [cell.ljust(size) for cell, size in zip(cells, widths)]  # noqa: B905
            if styled:
                padded[state] = coloured(padded[state], row[_STATE], styled)
            yield f"│ {' │ '.join(padded)} │"
            continue
        pieces = [cut(row[at], size) for at, size in sizes]
        for number in range(max(map(len, pieces))):
            line = [
                pad(piece[number] if number < len(piece) else "", size)
                for piece, size in zip(pieces, widths, strict=True)
            ]
            line[state] = coloured(line[state], row[_STATE], styled)
            yield f"│ {' │ '.join(line)} │"


def legacy(rows: Sequence[Row], title: str, *, styled: bool = False) -> str:
    """Return the plain table of Maestro 1.1.8 and before, as wide as it comes."""
    table = [tuple(map(clean, row[:_SHOWN])) for row in rows]
    columns = list(zip(*table, strict=True)) or [()] * _SHOWN
    right = [bool(column) and all(map(_is_number, column)) for column in columns]
    # As there: a column is two blanks wider than its heading at least.
    widths = [
        widest(column, len(head) + 2) for head, column in zip(HEADER[:_SHOWN], columns, strict=True)
    ]
    rule = "=" * (sum(widths) + 2 * (len(widths) - 1))
    lines = [
        rule,
        clean(title),
        rule,
        _legacy_line(HEADER[:_SHOWN], widths, right),
        "  ".join("-" * width for width in widths),
    ]
    for row in table:
        line = _legacy_line(row, widths, right)
        lines.append(coloured(line, row[_STATE], True) if styled else line)
    return "\n".join((*lines, rule)) + "\n"


def _legacy_line(cells: Sequence[str], widths: Sequence[int], right: Sequence[bool]) -> str:
    return "  ".join(
        " " * (width - len(cell)) + cell if numeric else pad(cell, width)
        for cell, width, numeric in zip(cells, widths, right)  # noqa: B905
    ).rstrip()


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdecimal()
