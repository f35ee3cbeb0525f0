"""Every error that Segue raises on purpose; the whole tree is in this file.

SegueError
 +-- UserError                 exit code 2: the input is wrong
 |    +-- WorkflowError        a workflow file is wrong; carries all its problems
 |    +-- NotFoundError        no such run, task or attempt
 |    +-- RefusedError         the request does not fit the state of things
 +-- OutsideError              exit code 3: store, disk or batch system failed
 |    +-- StoreError
 |    +-- LeaseLostError       another engine owns the run now
 |    +-- ExecutorError
 +-- IllegalStepError          a bug of ours: a step that the table does not hold
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum

from segue.model.location import Place


class Severity(StrEnum):
    """How much a problem matters: an error stops the run, a warning does not."""

    ERROR = "error"
    WARNING = "warning"


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong with a user's file, with its place and a next step.

    `code` is a stable word for programs (`unknown_task`), `message` says what is
    wrong with the value quoted, `hint` what to try. `pointer` is a JSON pointer
    to the value, where the file has such a thing.
    """

    code: str
    message: str
    place: Place | None = None
    hint: str = ""
    severity: Severity = Severity.ERROR
    pointer: str = ""

    def __str__(self) -> str:
        where = f"{self.place}: " if self.place else ""
        kind = "warning: " if self.severity is Severity.WARNING else ""
        hint = f"\n  hint: {self.hint}" if self.hint else ""
        return f"{where}{kind}{self.message}{hint}"


class SegueError(Exception):
    """The root of all errors that Segue raises on purpose; `hint` says what to try instead."""

    exit_code = 1

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.hint = hint

    def __str__(self) -> str:
        message = super().__str__()
        return f"{message}\n  hint: {self.hint}" if self.hint else message


class UserError(SegueError):
    """The input is wrong."""

    exit_code = 2


class WorkflowError(UserError):
    """A workflow file cannot be run; `problems` holds all that is wrong with it."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems: tuple[Problem, ...] = tuple(problems)
        super().__init__("\n".join(str(problem) for problem in self.problems))


class NotFoundError(UserError):
    """There is no run, task or attempt of that name."""


class RefusedError(UserError):
    """The request is understood but does not fit the state of the run."""


class OutsideError(SegueError):
    """Something outside Segue failed: disk, store, batch system."""

    exit_code = 3


class StoreError(OutsideError):
    """The store could not read or write."""


class LeaseLostError(StoreError):
    """Another engine has taken the run over; this one must not write to it."""


class ExecutorError(OutsideError):
    """An executor could not reach the place where it runs jobs."""


class IllegalStepError(SegueError):
    """A step that the table of steps does not hold: a bug of ours, with traceback."""


def did_you_mean(word: str, known: Sequence[str]) -> str:
    """Return a hint that names the known word nearest to `word`, or ``""``.

    Examples
    --------
    >>> did_you_mean("spilt", ["split", "merge"])
    "did you mean 'split'?"
    >>> did_you_mean("zzz", ["split"])
    ''
    """
    import difflib  # only errors need it

    # It is quadratic in the length of the words; a name of 100,000
    # characters must not make an error message take minutes.
    if len(word) > 200 or len(known) > 5000:
        return ""
    nearest = difflib.get_close_matches(word, [name for name in known if len(name) <= 200], n=1)
    return f"did you mean {nearest[0]!r}?" if nearest else ""


def shorten(text: str, limit: int = 80) -> str:
    """Return `text` in one line of at most `limit` printable characters, for people.

    Examples
    --------
    >>> shorten(chr(27) + "[31m")
    '�[31m'
    """
    text = text if len(text) <= limit else text[: limit - 1] + "…"
    if text.isprintable():
        return text
    return "".join(sign if sign.isprintable() else "\ufffd" for sign in text)
