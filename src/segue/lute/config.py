"""The config file of LUTE's Tasks: two YAML documents, with ``{{ name }}`` put in.

The first document is the header (experiment, run, where to work), the second has one
section a Task. Owns how the text becomes values: substitution, and what a text that looks
like a number turns into. What surprises in LUTE's rules is kept and reported as a warning.
What the values mean is up to `segue.lute.parameters`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import yaml

from segue.model.errors import Problem, Severity, WorkflowError, did_you_mean, shorten
from segue.model.location import Place

#: ``{{ name }}``, ``{{ Task.sub.key }}``, ``{{ $VARIABLE }}``, each with ``:format`` behind it.
_TOKEN: Final = re.compile(r"\{\{\s*(\$?)([^\s:{}$]+)\s*(?::([^{}]*?))?\s*\}\}")

#: Where a value stands: the keys that lead to it.
Path = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Config:
    """A config file's values, and where each of them stands."""

    path: str
    header: Mapping[str, Any]
    sections: Mapping[str, Any]
    warnings: tuple[Problem, ...] = ()
    #: (0 for the header, 1 for the sections, then keys) -> place.
    places: Mapping[tuple[int | str, ...], Place] = field(default_factory=dict)

    def place(self, document: int, *keys: str) -> Place:
        """Return where the value of these keys stands, or the nearest thing around it."""
        for length in range(len(keys), -1, -1):
            found = self.places.get((document, *keys[:length]))
            if found:
                return found
        return Place(self.path, 1, 1)


def read_config(text: str, path: str, environment: Mapping[str, str]) -> Config:
    """Return the values of a config file, with all that it refers to put in.

    Parameters
    ----------
    text
        The file's text.
    path
        Its name, for messages.
    environment
        The variables that ``{{ $NAME }}`` stands for.

    Raises
    ------
    WorkflowError
        With all that is wrong: broken YAML, a missing document, a reference to nothing.
    """
    problems: list[Problem] = []
    places: dict[tuple[int | str, ...], Place] = {}
    documents = _documents(text, path, places)
    reader = _Substitution(path, environment, places, problems)
    header, sections = (
        reader.mapping(number, document) for number, document in enumerate(documents)
    )
    reader.fill(0, header, [header])
    reader.fill(1, sections, [sections, header])
    if any(each.severity is Severity.ERROR for each in problems):
        raise WorkflowError(problems)
    return Config(path, header, sections, tuple(problems), places)


def _documents(text: str, path: str, places: dict[tuple[int | str, ...], Place]) -> tuple[Any, Any]:
    # The reader in Python, not libyaml's: LUTE's files begin with `%YAML 1.3`.
    try:
        nodes = list(yaml.compose_all(text, Loader=yaml.SafeLoader))
        loader = yaml.SafeLoader("")
        found = []
        for number, node in enumerate(nodes[:2]):
            _note_places(node, (number,), path, places)
            found.append(loader.construct_document(node))
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        place = Place(path, mark.line + 1, mark.column + 1) if mark else Place(path, 1, 1)
        message = f"the YAML is broken: {error.problem or error.context}"
        hint = "check the indentation and the quotes around here"
        raise WorkflowError([Problem("broken_yaml", message, place, hint)]) from error
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        message = f"the YAML cannot be read: {shorten(str(error), 200)}"
        hint = "save the file as UTF-8 text, and do not nest it so deep"
        raise WorkflowError([Problem("broken_yaml", message, Place(path, 1, 1), hint)]) from error
    if len(found) < 2:
        message = f"a config has two documents, a header and the Tasks; here is {len(found)}"
        hint = "put a line '---' between the header and the sections of the Tasks"
        raise WorkflowError([Problem("missing_document", message, Place(path, 1, 1), hint)])
    return found[0], found[1]


def _note_places(
    node: yaml.Node,
    keys: tuple[int | str, ...],
    path: str,
    places: dict[tuple[int | str, ...], Place],
) -> None:
    """Remember where each value of nested maps stands; aliases of aliases only once."""
    todo = [(node, keys)]
    seen: set[int] = set()
    while todo:
        node, keys = todo.pop()
        places[keys] = Place(path, node.start_mark.line + 1, node.start_mark.column + 1)
        if not isinstance(node, yaml.MappingNode) or id(node) in seen:
            continue
        seen.add(id(node))
        todo += [
            (value, (*keys, key.value))
            for key, value in node.value
            if isinstance(key, yaml.ScalarNode)
        ]


class _Substitution:
    """Puts values into texts, in place, in the order of the file."""

    def __init__(
        self,
        path: str,
        environment: Mapping[str, str],
        places: Mapping[tuple[int | str, ...], Place],
        problems: list[Problem],
    ) -> None:
        self._path = path
        self._environment = environment
        self._places = places
        self._problems = problems
        self._number = 0

    def mapping(self, number: int, document: Any) -> dict[str, Any]:
        """Return the document as a map; null is an empty one."""
        self._number = number
        if document is None:
            return {}
        if isinstance(document, dict):
            return document
        what = ("the header", "the second document")[number]
        message = f"{what} must be a map, not {shorten(repr(document), 40)}"
        self._say((), "wrong_type", message, "write 'key: value' lines")
        return {}

    def fill(self, number: int, values: dict[str, Any], tables: list[dict[str, Any]]) -> None:
        """Put into all texts of `values` what `tables` and the environment have."""
        self._number = number
        for table, keys, value in _texts(values):
            filled = self._filled(keys, value, tables)
            table[keys[-1]] = self._number_of(keys, value, filled)
        self._warn_of_lists(values)

    def _filled(self, keys: Path, text: str, tables: list[dict[str, Any]]) -> str:
        def found(match: re.Match[str]) -> str:
            dollar, name, form = match.groups()
            value = self._variable(keys, name) if dollar else self._lookup(keys, name, tables)
            if value is None:
                return match[0]
            return self._formatted(keys, match[0], value, form)

        return _TOKEN.sub(found, text) if "{{" in text else text

    def _variable(self, keys: Path, name: str) -> Any:
        if name not in self._environment:
            message = f"the variable ${name} is not set; the text stays as it is"
            self._say(keys, "unset_variable", message, f"export {name}=...", Severity.WARNING)
            return None
        return self._environment[name]

    def _lookup(self, keys: Path, name: str, tables: list[dict[str, Any]]) -> Any:
        for table in tables:
            value: Any = table
            for part in name.split("."):
                value = value.get(part) if isinstance(value, dict) else None
            if value is None:
                continue
            if isinstance(value, str) and _TOKEN.search(value):
                message = f"{{{{ {name} }}}} is not filled in itself when it is used here"
                hint = "write the value that is referred to above this one, or write it out"
                self._say(keys, "unfilled_reference", message, hint, Severity.WARNING)
            return value
        known = [str(each) for table in tables for each in table]
        hint = did_you_mean(name, known) or "names are those of the header, or Task.key"
        self._say(keys, "unknown_reference", f"there is no {shorten(name)!r} in this file", hint)
        return None

    def _formatted(self, keys: Path, token: str, value: Any, form: str | None) -> str:
        if not form:
            return str(value)
        if isinstance(value, str):
            value = number_of(value)
        try:
            return format(value, form)
        except (ValueError, TypeError) as error:
            message = f"{shorten(token)} cannot be written: {error}"
            self._say(
                keys, "bad_format", message, "a format is as in Python, such as {{ run:04d }}"
            )
            return token

    def _number_of(self, keys: Path, before: str, text: str) -> Any:
        value = number_of(text)
        if value is not text and (before == text or str(value) != text):
            message = f"the text {shorten(text)!r} becomes the number {value!r}, as in LUTE"
            hint = "neither quotes nor a format help; let it not look like a number"
            self._say(keys, "text_to_number", message, hint, Severity.WARNING)
        return value

    def _warn_of_lists(self, values: Mapping[str, Any]) -> None:
        for keys, items in _lists(values):
            if any("{{" in text for text in _texts_of_list(items)):
                message = "nothing is put into the texts of a list, as in LUTE"
                hint = "write the values out, or use keys below one another"
                self._say(keys, "list_not_entered", message, hint, Severity.WARNING)

    def _say(
        self,
        keys: Path,
        code: str,
        message: str,
        hint: str,
        severity: Severity = Severity.ERROR,
    ) -> None:
        place = Place(self._path, 1, 1)
        for length in range(len(keys), -1, -1):
            if (self._number, *keys[:length]) in self._places:
                place = self._places[(self._number, *keys[:length])]
                break
        self._problems.append(Problem(code, message, place, hint, severity))


def number_of(text: str) -> Any:
    """Return the number that a text looks like, or the text itself.

    Examples
    --------
    >>> [number_of(text) for text in ("007", "1e5", "inf", "1.5mm")]
    [7, 100000.0, inf, '1.5mm']
    """
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return text


def _texts(values: dict[str, Any]) -> Iterator[tuple[dict[str, Any], Path, str]]:
    """Yield each text of nested maps with the map that holds it and its keys, in order.

    The order is that of the file, and what was put in before is seen by what follows.
    """
    stack: list[tuple[dict[str, Any], Path, Iterator[str]]] = [(values, (), iter(list(values)))]
    while stack:
        table, above, names = stack[-1]
        name = next(names, None)
        if name is None:
            stack.pop()
            continue
        value = table[name]
        if isinstance(value, dict) and all(value is not each[0] for each in stack):
            stack.append((value, (*above, name), iter(list(value))))
        elif isinstance(value, str):
            yield table, (*above, name), value


def _lists(values: Mapping[str, Any], above: Path = ()) -> Iterator[tuple[Path, list[Any]]]:
    for name, value in values.items():
        if isinstance(value, list):
            yield (*above, str(name)), value
        elif isinstance(value, dict) and len(above) < 50:
            yield from _lists(value, (*above, str(name)))


def _texts_of_list(items: list[Any], depth: int = 0) -> Iterator[str]:
    for item in items:
        if isinstance(item, str):
            yield item
        elif isinstance(item, list) and depth < 50:
            yield from _texts_of_list(item, depth + 1)
