"""The narrow table of `maestro status`: a block for each step. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from segue.maestro.rows import Row
from segue.maestro.text_cells import bold, centred, clean, coloured, italic, pad, width_of

#: The width of the block, and where its tables begin, if the terminal is not narrower.
WIDTH: Final = 92
_INDENT: Final = 16
#: What the tables and the blanks on their right take.
_TABLES: Final = 76
_DETAILS: Final = 31
_SCHEDULER: Final = 39
_GAP: Final = "   "
_VALUE: Final = 14


def narrow(rows: Sequence[Row], title: str, width: int | None, *, styled: bool = False) -> str:
    """Return a block for each step; it needs 77 columns, and takes up to 92."""
    width = min(width or WIDTH, WIDTH)
    left = " " * max(1, min(_INDENT, width - _TABLES))
    rule = f"{left}{'─' * _DETAILS}{_GAP}{'─' * _SCHEDULER}\n"
    heads = (
        f"{left}{_title('Step Details', _DETAILS, styled)}{_GAP}"
        f"{_title('Scheduler Details', _SCHEDULER, styled).rstrip()}\n{rule}"
    )
    end = "\n" + "━" * width + "\n"
    parts = [italic(centred(f"STUDY: {clean(title)}", width), styled), "\n\n"]
    for row in rows:
        state = coloured(row.state.ljust(_VALUE), row.state, styled)
        job = clean(row.job_id)[:_VALUE]
        parts.append(
            f"  STEP:        {bold(clean(row.step_name), styled)}\n"
            f"  WORKSPACE:   {clean(row.workspace)}\n\n{heads}"
            f"{left} State          {state}     Submit Time       {row.submit_time}\n{rule}"
            f"{left} Job ID         {job:<{_VALUE}}     Start Time        {row.start_time}\n{rule}"
            f"{left} Run Time       {row.run_time:<{_VALUE}}     End Time          {row.end_time}\n"
            f"{rule}"
            f"{left} Elapsed Time   {row.elapsed_time:<{_VALUE}}"
            f"     Number Restarts   {row.number_restarts}\n{rule}"
        )
        if row.params:
            parts += _parameters(row.params, left, styled)
        parts.append(end)
        parts.append("\n")
    return "".join(parts)


def _title(text: str, width: int, styled: bool) -> str:
    shown = centred(text, width)
    return italic(shown, styled) + " " * (width - len(shown))


def _parameters(params: str, left: str, styled: bool) -> Iterator[str]:
    """Yield the table of parameters, two in a row."""
    cells = [cell for pair in split_parameters(params) for cell in map(clean, pair)]
    cells += [""] * (-len(cells) % 4 if len(cells) > 2 else 0)
    lines = [cells[at : at + 4] for at in range(0, len(cells), 4)]
    widths = [max(width_of(line[at]) for line in lines) for at in range(len(lines[0]))]
    rule = f"{left}{'─' * (sum(widths) + 3 * (len(widths) - 1) + 2)}\n"
    yield f"{left}{italic(centred('Step Parameters', len(rule) - len(left) - 1), styled)}\n{rule}"
    for line in lines:
        padded = _GAP.join(pad(cell, size) for cell, size in zip(line, widths, strict=True))
        yield f"{left} {padded.rstrip()}\n{rule}"


def split_parameters(params: str) -> list[tuple[str, str]]:
    """Return names and values of a row's last column; a value may hold any sign.

    Where a value holds a ``;`` the text is not clear: what has no ``:`` behind it belongs
    to the value before.

    Examples
    --------
    >>> split_parameters("A:x:y;B:1;2")
    [('A', 'x:y'), ('B', '1;2')]
    """
    found: list[tuple[str, str]] = []
    for part in params.split(";"):
        name, colon, value = part.partition(":")
        if colon or not found:
            found.append((name, value))
        else:
            before, known = found[-1]
            found[-1] = (before, f"{known};{part}")
    return found
