"""What a YAML syntax error means, in words that help whoever wrote the text."""

from __future__ import annotations

import re
from typing import Final, NamedTuple

import yaml

from segue.model.errors import Problem
from segue.model.location import Place


class _Fault(NamedTuple):
    """How one kind of parser message is told; `at_context`: its place is where it began."""

    pattern: re.Pattern[str]
    message: str
    hint: str
    at_context: bool = False


def _fault(pattern: str, message: str, hint: str, at_context: bool = False) -> _Fault:
    return _Fault(re.compile(pattern), message, hint, at_context)


# Both wordings are matched: libyaml's and that of PyYAML's own parser.
_FAULTS: Final = (
    _fault(
        r"while scanning a quoted scalar.*unexpected (end of stream|document)",
        "a quoted text is not closed",
        'put the closing quote; inside \'...\' a quote is written twice, inside "..." as \\"',
        at_context=True,
    ),
    _fault(
        r"unknown escape character|did not find expected hexdecimal|expected escape sequence",
        'an escape inside "..." is not known',
        "write a backslash twice, or use single quotes",
    ),
    _fault(
        r"while parsing a flow (sequence|mapping)",
        "a list or map in brackets is not closed",
        "close it with ']' or '}', or put a ',' between its items",
        at_context=True,
    ),
    _fault(
        r"mapping values are not allowed",
        "a ':' stands where no key can be",
        "a value that holds ': ' needs quotes; else indent this line as its neighbours",
    ),
    _fault(
        r"could not find expected ':'",
        "a key without ':'",
        "write 'key: value'; lines of a longer text must be indented deeper than their key",
    ),
    _fault(
        r"tab character that violates indentation",
        "a tab stands where only spaces may",
        "indent with spaces; YAML allows no tabs there",
    ),
    _fault(
        r"document start",
        "this line belongs to nothing above it",
        "indent it as its neighbours, and write '...' or '---' nowhere but at the ends",
    ),
    _fault(
        r"sequence entries are not allowed",
        "a '- ' stands where no list can begin",
        "begin the list on a line of its own, indented deeper than its key",
    ),
    _fault(
        r"while parsing a block (mapping|collection)",
        "this line does not fit the lines above it",
        "indent it exactly as its neighbours; a text after a closing quote is not allowed",
    ),
    _fault(
        r"undefined tag handle",
        "a tag of an unknown family",
        "a text that begins with '!' needs quotes",
    ),
    _fault(
        r"while scanning a block scalar",
        "the head of a block text is wrong",
        "after '|' or '>' the line must end; lines may not be indented by tabs",
    ),
    _fault(
        r"alphabetic or numeric character|while scanning an (alias|anchor)",
        "an alias or anchor without a name",
        "a text that begins with '*' or '&' needs quotes",
        at_context=True,
    ),
)
_AT_SIGN: Final = re.compile(r"cannot start any token")


def explain(error: yaml.MarkedYAMLError, text: str, path: str) -> Problem:
    """Return the syntax error as a problem with its place and a hint."""
    wording = f"{error.context or ''} {error.problem or ''}"
    mark = error.problem_mark or error.context_mark
    for fault in _FAULTS:
        if fault.pattern.search(wording) and not _AT_SIGN.search(wording):
            if fault.at_context and error.context_mark:
                mark = error.context_mark
            message = f"the YAML is broken: {fault.message}"
            return Problem("yaml_syntax", message, _place(mark, path), fault.hint)
    character = _character(text, mark)
    if _AT_SIGN.search(wording) and character:
        message, hint = _odd_start(character)
        return Problem("yaml_syntax", message, _place(mark, path), hint)
    message = f"the YAML is broken: {wording.strip()}"
    return Problem("yaml_syntax", message, _place(mark, path), "")


def _odd_start(character: str) -> tuple[str, str]:
    if character == "\t":
        message = "the YAML is broken: a tab stands where only spaces may"
        return message, "indent with spaces; YAML allows no tabs there"
    message = f"the YAML is broken: no value can begin with {character!r}"
    return message, f"a text that begins with {character!r} needs quotes"


def _character(text: str, mark: yaml.Mark | None) -> str:
    if mark is None:
        return ""
    lines = re.split("\r\n|[\n\r\x85\u2028\u2029]", text)
    line = lines[mark.line] if mark.line < len(lines) else ""
    # A byte order mark is no column to the parser.
    if mark.line == 0:
        line = line.removeprefix("\ufeff")
    return line[mark.column : mark.column + 1]


def _place(mark: yaml.Mark | None, path: str) -> Place:
    return Place(path, mark.line + 1, mark.column + 1) if mark else Place(path, 1, 1)
