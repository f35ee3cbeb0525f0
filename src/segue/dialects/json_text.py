"""JSON text as a user wrote it: read fast, and places found only when something is wrong.

Owns how a JSON pointer becomes a line and a column, and what JSON we refuse
before any dialect sees it: broken syntax, NaN, keys given twice, strings that no
file name and no command line can hold. Knows no dialect.

The text is read by the standard library at full speed and without places. Only
when there is something to say is it walked a second time, once for all problems.
"""

from __future__ import annotations

import json
import re
from bisect import bisect_right
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field, replace
from typing import Any, Final, NamedTuple, NoReturn

from segue.model.errors import Problem, Severity, WorkflowError, did_you_mean, shorten
from segue.model.location import Place

Pointer = tuple[str | int, ...]

#: Longer texts are refused before they are read. A document of 100,000 tasks
#: has about 10 million characters.
MAX_CHARACTERS: Final = 256 * 1024 * 1024
#: Nothing that we read nests deeper than 6; the limit keeps error paths short.
MAX_DEPTH: Final = 100
#: So many comparisons of names go into "did you mean" hints of one text: a file
#: with 5,000 faulty names must not be compared 5,000 x 5,000 times.
_HINT_BUDGET: Final = 100_000

_TOKEN: Final = re.compile(
    r"""[ \t\n\r]*+(?:
        (?P<string>"[^"\\]*+(?:\\.[^"\\]*+)*+")
      | (?P<mark>[{}\[\],:])
      | (?P<bare>[^ \t\n\r{}\[\],:"]++)
    )""",
    re.VERBOSE | re.DOTALL,
)
_SUSPECT_ESCAPE: Final = re.compile(r"\\u(?:0000|[dD][89a-fA-F])")
_SURROGATE: Final = re.compile("[\ud800-\udfff]")


class _Spot(NamedTuple):
    """One value of the text: its pointer and where its key (or itself) and it begin."""

    pointer: Pointer
    key: int
    value: int
    repeated: bool


@dataclass(frozen=True, slots=True)
class _Finding:
    """A problem that has a pointer and waits for its place."""

    problem: Problem
    pointer: Pointer
    at_key: bool


@dataclass(slots=True)
class Findings:
    """All that is wrong with one text, collected with pointers, placed at the end.

    Examples
    --------
    >>> findings = Findings("a.json", '{"n": [1, "x"]}')
    >>> findings.error("wrong_type", "'x' is not a number", ("n", 1))
    >>> print(findings.problems()[0])
    a.json:1:11: 'x' is not a number
    """

    path: str
    text: str
    found: list[_Finding] = field(default_factory=list)
    placed: list[Problem] = field(default_factory=list)
    _firsts: dict[str, int] = field(default_factory=dict)
    _repeats: dict[str, int] = field(default_factory=dict)
    _hint_budget: int = _HINT_BUDGET

    def error(
        self, code: str, message: str, pointer: Pointer, hint: str = "", *, at_key: bool = False
    ) -> None:
        """Note an error at the value under `pointer`, or at its key."""
        self.found.append(_Finding(Problem(code, message, None, hint), pointer, at_key))

    def warning(
        self, code: str, message: str, pointer: Pointer, hint: str = "", *, at_key: bool = True
    ) -> None:
        """Note a warning; the second and later ones of equal text are only counted."""
        if message in self._firsts:
            self._repeats[message] = self._repeats.get(message, 0) + 1
            return
        self._firsts[message] = len(self.found)
        problem = Problem(code, message, None, hint, Severity.WARNING)
        self.found.append(_Finding(problem, pointer, at_key))

    def nearest(self, word: str, known: Collection[str]) -> str:
        """Return a "did you mean" hint, or ``""`` when there is none or it costs too much."""
        if self._hint_budget < len(known):
            return ""
        self._hint_budget -= len(known)
        return did_you_mean(word, list(known))

    @property
    def fatal(self) -> bool:
        """Whether an error is among the findings."""
        return any(
            problem.severity is Severity.ERROR
            for problem in (*self.placed, *(each.problem for each in self.found))
        )

    def problems(self) -> tuple[Problem, ...]:
        """Return all problems with their places, in the order of the text."""
        if not self.found:
            return tuple(self.placed)
        # Of a key that is given twice the last value was read, so all must be seen.
        spots = _spots(self.text, {each.pointer for each in self.found}, to_end=bool(self.placed))
        lines = _Lines(self.path, self.text)
        result = list(self.placed)
        for each in self.found:
            spot = _nearest_spot(spots, each.pointer)
            place = lines.place(spot.key if each.at_key else spot.value)
            message = each.problem.message
            more = self._repeats.get(message, 0)
            if more and each.problem.severity is Severity.WARNING:
                message = f"{message} (and {more} more of this kind)"
            pointer = pointer_text(each.pointer)
            result.append(replace(each.problem, message=message, place=place, pointer=pointer))
        # Sorting is stable: what stands at one place keeps its order.
        return tuple(sorted(result, key=lambda problem: problem.place or Place("", 0, 0)))

    def raise_if_fatal(self) -> None:
        """Raise `WorkflowError` with all problems if an error is among them."""
        if self.fatal:
            raise WorkflowError(self.problems())


def pointer_text(pointer: Pointer) -> str:
    """Return the pointer as RFC 6901 writes it.

    Examples
    --------
    >>> pointer_text(("tasks", "a/b", "children", 0))
    '/tasks/a~1b/children/0'
    """
    parts = (str(part).replace("~", "~0").replace("/", "~1") for part in pointer)
    return "".join(f"/{part}" for part in parts)


def parse_json(findings: Findings) -> Any:
    """Return the value of the text; keys given twice and odd strings become findings.

    Raises
    ------
    WorkflowError
        If the text is no JSON, nests deeper than the parser goes, or is too large.
    """
    text = findings.text
    _refuse_too_large(text, findings.path)
    twice = False

    def make_object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        nonlocal twice
        value = dict(pairs)
        if len(value) != len(pairs):
            twice = True
        return value

    # A byte order mark is no fault of the user's; editors do not count it.
    offset = 1 if text.startswith("\ufeff") else 0
    try:
        value = json.loads(
            text[offset:] if offset else text,
            object_pairs_hook=make_object,
            parse_constant=_refuse_constant,
        )
    except json.JSONDecodeError as error:
        raise WorkflowError([_syntax_problem(error, findings.path)]) from error
    except (ValueError, RecursionError) as error:
        raise WorkflowError([_unreadable_problem(text, findings.path)]) from error
    if twice:
        _find_repeated_keys(findings)
    if _SUSPECT_ESCAPE.search(text) or (not text.isascii() and _SURROGATE.search(text)):
        _find_odd_strings(findings)
    return value


def places_below(path: str, text: str, parent: Pointer) -> dict[str | int, Place]:
    """Return where each member of the object or array under `parent` begins.

    Examples
    --------
    >>> places_below("a.json", '{"tasks": {"a": 1, "b": 2}}', ("tasks",))["b"]
    Place(path='a.json', line=1, column=20)
    """
    lines = _Lines(path, text)
    depth = len(parent) + 1
    return {
        spot.pointer[-1]: lines.place(spot.key)
        for spot in _walk(text)
        if len(spot.pointer) == depth and spot.pointer[:-1] == parent
    }


def _refuse_too_large(text: str, path: str) -> None:
    if len(text) <= MAX_CHARACTERS:
        return
    message = f"the text has {len(text):,} characters; at most {MAX_CHARACTERS:,} are read"
    raise WorkflowError([Problem("too_large", message, Place(path, 1, 1))])


def _refuse_constant(word: str) -> NoReturn:
    raise ValueError(word)


def _syntax_problem(error: json.JSONDecodeError, path: str) -> Problem:
    if not error.doc.strip():
        return Problem("syntax", "the text is empty", Place(path, 1, 1), "JSON begins with {")
    said = error.msg.removesuffix(" at")  # the place stands before it
    message = f"this is not JSON: {said[0].lower()}{said[1:]}"
    place = Place(path, error.lineno, error.colno)
    return Problem("syntax", message, place, _syntax_hint(error))


def _syntax_hint(error: json.JSONDecodeError) -> str:
    """Return what people most often meant at the place where JSON ends."""
    before, after = error.doc[: error.pos].rstrip(), error.doc[error.pos :]
    if after[:1] in ("}", "]") and before.endswith(","):
        return "JSON allows no comma after the last member"
    if after[:1] == "'":
        return 'JSON writes strings in double quotes: "..."'
    if after.startswith(("//", "/*", "#")):
        return "JSON has no comments"
    if "control character" in error.msg:
        return "a string must stand on one line; write \\n for a line break"
    if not after.strip():
        return "the text ends too early; is a bracket not closed?"
    return ""


def _unreadable_problem(text: str, path: str) -> Problem:
    """Return why a text that is JSON by its grammar could not be read."""
    lines = _Lines(path, text)
    depth = 0
    for match in _TOKEN.finditer(text):
        start = match.start(match.lastgroup or 0)
        word = match.group(match.lastgroup or 0)
        if word in ("{", "["):
            depth += 1
        elif word in ("}", "]"):
            depth -= 1
        elif match.lastgroup == "bare" and word.lstrip("-") in ("NaN", "Infinity"):
            message = f"{word} is not JSON"
            return Problem("syntax", message, lines.place(start), "write a number, or leave it out")
        elif match.lastgroup == "bare" and len(word) > 4000:
            message = f"the number {shorten(word, 20)} has {len(word):,} digits"
            return Problem("number_too_long", message, lines.place(start))
        if depth > MAX_DEPTH:
            message = f"objects and arrays are nested more than {MAX_DEPTH} deep"
            hint = "a workflow is flat: tasks, and the jobs in them"
            return Problem("too_deep", message, lines.place(start), hint)
    return Problem("syntax", "this text cannot be read as JSON", Place(path, 1, 1))


def _find_repeated_keys(findings: Findings) -> None:
    lines = _Lines(findings.path, findings.text)
    for spot in _walk(findings.text):
        if spot.repeated:
            message = f"the key {shorten(str(spot.pointer[-1]))!r} is given twice"
            place = lines.place(spot.key)
            hint = "rename or remove one of the two"
            pointer = pointer_text(spot.pointer)
            findings.placed.append(
                Problem("duplicate_key", message, place, hint, pointer=pointer),
            )


def _find_odd_strings(findings: Findings) -> None:
    """Note strings with a NUL or half a surrogate pair: no system call takes them."""
    lines = _Lines(findings.path, findings.text)
    for match in _TOKEN.finditer(findings.text):
        if match.lastgroup != "string":
            continue
        value = json.loads(match.group("string"))
        if "\0" in value:
            what = "a NUL character (\\u0000)"
        elif _SURROGATE.search(value):
            what = "half of a surrogate pair"
        else:
            continue
        place = lines.place(match.start("string"))
        message = f"the string holds {what}, which no command can take"
        findings.placed.append(Problem("bad_character", message, place))


def _walk(text: str) -> Iterator[_Spot]:
    """Yield every value of a text that has been read as JSON, parents first.

    What is nested deeper than `MAX_DEPTH` is passed over.
    """
    parts: list[str | int] = []
    seen: list[set[str] | None] = []  # the keys of each open object; None: an array
    key_start = -1
    awaits_key = repeated = False
    start_of_text = 1 if text.startswith("\ufeff") else 0
    for match in _TOKEN.finditer(text, start_of_text):
        kind = match.lastgroup or ""
        start = match.start(kind)
        word = text[start]
        if kind == "mark" and word in "}]":
            parts.pop()
            seen.pop()
            awaits_key = False
        elif kind == "mark" and word == ",":
            keys = seen[-1]
            awaits_key = keys is not None
            last = parts[-1]
            if isinstance(last, int):
                parts[-1] = last + 1
        elif kind == "mark" and word == ":":
            awaits_key = False
        elif awaits_key:
            key = _string(match.group(kind))
            open_keys = seen[-1]
            assert open_keys is not None  # only an object awaits a key
            repeated = key in open_keys
            open_keys.add(key)
            parts[-1] = key
            key_start = start
        else:
            in_object = bool(seen) and seen[-1] is not None
            if len(parts) <= MAX_DEPTH:
                yield _Spot(
                    tuple(parts), key_start if in_object else start, start, in_object and repeated
                )
            if kind == "mark":
                awaits_key = word == "{"
                seen.append(set() if awaits_key else None)
                parts.append("" if awaits_key else 0)


def _string(token: str) -> str:
    return str(json.loads(token)) if "\\" in token else token[1:-1]


def _spots(text: str, wanted: Collection[Pointer], *, to_end: bool) -> dict[Pointer, _Spot]:
    """Return the spots of the wanted pointers and of all that stands above them."""
    with_parents = {pointer[:end] for pointer in wanted for end in range(len(pointer) + 1)}
    found: dict[Pointer, _Spot] = {}
    for spot in _walk(text):
        if spot.pointer in with_parents:
            found[spot.pointer] = spot
            if len(found) == len(with_parents) and not to_end:
                break
    return found


def _nearest_spot(spots: dict[Pointer, _Spot], pointer: Pointer) -> _Spot:
    while pointer and pointer not in spots:
        pointer = pointer[:-1]
    return spots.get(pointer, _Spot((), 0, 0, False))


class _Lines:
    """Turns offsets of one text into places."""

    def __init__(self, path: str, text: str) -> None:
        self._path = path
        self._mark = 1 if text.startswith("\ufeff") else 0
        self._starts = [0, *(match.end() for match in re.finditer("\n", text))]

    def place(self, offset: int) -> Place:
        line = bisect_right(self._starts, offset)
        column = offset - self._starts[line - 1] + 1
        return Place(self._path, line, column - self._mark if line == 1 else column)
