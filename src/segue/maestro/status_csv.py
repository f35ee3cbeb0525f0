"""The text of ``status.csv``: written as Maestro writes it, and read, the original's faults too.

A value is quoted only where it must be, so that a script which splits at commas goes on
working. The original quotes nothing: a comma in a label breaks the row there, and is put
together again here. Pure.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable, Sequence
from typing import Final

from segue.maestro.rows import HEADER, NO_JOB, STATE_WORDS, Row

HEAD_LINE: Final = ",".join(HEADER)
_COLUMNS: Final = len(HEADER)
#: Columns between the state and the parameters.
_AFTER_STATE: Final = 6
_SPECIAL: Final = frozenset('",\n\r')


def csv_line(row: Row) -> str:
    """Return the row without the end of its line.

    Examples
    --------
    >>> csv_line(Row("a_X.1,5", "7", "a/X.1,5", "FINISHED", "", "", "", "", "", "0", "X:1"))
    '"a_X.1,5",7,"a/X.1,5",FINISHED,,,,,,0,X:1'
    """
    line = ",".join(row)
    if line.count(",") == _COLUMNS - 1 and _SPECIAL.isdisjoint(line.replace(",", "")):
        return line
    return ",".join(_quoted(each) for each in row)


def _quoted(value: str) -> str:
    if _SPECIAL.isdisjoint(value):
        return value
    return '"' + value.replace('"', '""') + '"'


def csv_text(lines: Iterable[str]) -> str:
    """Return the whole file: as the original's it has no end of line at its end."""
    return "\n".join((HEAD_LINE, *lines))


def parse_csv(text: str) -> list[Row]:
    """Return the rows of a ``status.csv``; a row that makes no sense is left out."""
    if text.startswith("\ufeff"):
        text = text[1:]
    lines = csv.reader(text.splitlines(keepends=True))
    rows = []
    for values in lines:
        if not values or values[0] == HEADER.step_name:
            continue
        row = Row(*values) if len(values) == _COLUMNS else _repaired(values)
        if row is not None:
            rows.append(row)
    return rows


def _repaired(values: Sequence[str]) -> Row | None:
    """Return the row of values that commas have torn apart, or None.

    The state is a known word, so what stands behind it is known by its place; in front of
    it stand name, job and workspace, and a job is a number or ``--``.

    Examples
    --------
    >>> torn = "a_X.1,5,--,a/X.1,5,FAILED,r,e,s,t,u,0,X:1,5".split(",")
    >>> row = _repaired(torn)
    >>> row.step_name, row.job_id, row.workspace, row.params
    ('a_X.1,5', '--', 'a/X.1,5', 'X:1,5')
    """
    at = next((i for i, value in enumerate(values) if i >= 3 and value in STATE_WORDS), 0)
    if not at or len(values) < at + 1 + _AFTER_STATE:
        return None
    front = values[:at]
    # Commas tear the name and the workspace alike, so the job stands near the middle.
    jobs = [i for i in range(1, at - 1) if front[i] == NO_JOB or front[i].isdecimal()]
    if not jobs:
        return None
    middle = min(jobs, key=lambda i: abs(2 * i - at + 1))
    behind = values[at + 1 :]
    name, workspace = ",".join(front[:middle]), ",".join(front[middle + 1 :])
    params = ",".join(behind[_AFTER_STATE:])
    return Row._make((name, front[middle], workspace, values[at], *behind[:_AFTER_STATE], params))
