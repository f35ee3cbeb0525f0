"""What replaces the tokens of a study, and in which order (specification 1.8).

All of it is plain replacement of substrings, in one pass per name: no escape exists, an
unknown ``$(X)`` stays (it may be the shell's), and an outer name whose value holds an
inner one works only if the outer one is replaced first.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

from segue.dialects.maestro_study import Environment, Parameter

Replacement = tuple[str, str]
_REFERENCE_END: Final = ".workspace)"
_LONGEST_NAME: Final = 1000
#: A blank without another one behind it, within the searched part.
_LAST_BLANK: Final = re.compile(r"\s(?=\S*\Z)")


def token(name: str) -> str:
    """Return how a name is written in a text.

    Examples
    --------
    >>> token("A")
    '$(A)'
    """
    return f"$({name})"


def environment_replacements(
    environment: Environment,
    dependencies: Mapping[str, str],
    output_path: str,
    spec_root: str,
) -> list[Replacement]:
    """Return what replaces the names of `env`, in the order in which it is done.

    First the *labels*, then the dependencies (`dependencies`: name to path), then the
    *substitutions*, `OUTPUT_PATH` and `SPECROOT` last. A variable or label counts as a
    label if its text holds a ``$`` and a substitution stands before it; so the first
    entry of all is never one.

    Examples
    --------
    >>> from segue.model.location import Place
    >>> from segue.dialects.maestro_study import Entry
    >>> here = Place("x", 1, 1)
    >>> env = Environment((Entry("A", "$(B)", here), Entry("B", "$(A)", here)))
    >>> [name for name, _ in environment_replacements(env, {}, "/out", "/spec")]
    ['$(B)', '$(A)', '$(OUTPUT_PATH)', '$(SPECROOT)']
    """
    labels: list[Replacement] = []
    substitutions: list[Replacement] = []
    plain_before = False
    for entry in (*environment.variables, *environment.labels):
        # A label that is a list is searched item by item in the original.
        holds = isinstance(entry.value, str) and "$" in entry.value
        if holds and plain_before:
            labels.append((token(entry.name), str(entry.value)))
            continue
        plain_before = True
        if entry.name != "OUTPUT_PATH":
            substitutions.append((token(entry.name), str(entry.value)))
    located = [(token(name), path) for name, path in dependencies.items()]
    last = [(token("OUTPUT_PATH"), output_path), (token("SPECROOT"), spec_root)]
    return labels + located + substitutions + last


def replace_all(text: str, replacements: Sequence[Replacement]) -> str:
    """Return the text with each replacement made once, in order.

    Examples
    --------
    >>> replace_all("$(A)", [("$(A)", "$(B)"), ("$(B)", "b")])
    'b'
    """
    if "$(" in text:
        for old, new in replacements:
            text = text.replace(old, new)
    return text


def label_of(parameter: Parameter, value: Any) -> str:
    """Return the label that a value has.

    Examples
    --------
    >>> from segue.model.location import Place
    >>> label_of(Parameter("S", (10,), "SZ.%%", Place("x", 1, 1)), 10)
    'SZ.10'
    """
    return parameter.label.replace("%%", str(value))


@dataclass(frozen=True, slots=True)
class Combinations:
    """All combinations of parameter values; the i-th takes the i-th value of each."""

    parameters: tuple[Parameter, ...]
    #: name -> label of each combination.
    labels: Mapping[str, Sequence[str]]
    length: int

    def replacements(self, index: int) -> list[Replacement]:
        """Return what a combination replaces: labels, then values, then names."""
        known = self.parameters
        return [
            *((f"$({each.name}.label)", self.labels[each.name][index]) for each in known),
            *((f"$({each.name})", str(each.values[index])) for each in known),
            *(
                (f"$({each.name}.name)", each.names[index] if each.names else each.name)
                for each in known
            ),
        ]


def combine(parameters: Sequence[Parameter]) -> Combinations:
    """Return the combinations of equally long columns."""
    labels = {
        each.name: each.labels or [label_of(each, value) for value in each.values]
        for each in parameters
    }
    length = len(parameters[0].values) if parameters else 0
    return Combinations(tuple(parameters), labels, length)


class Finder:
    """Finds which parameters texts use: ``$(NAME)`` or ``$(NAME.word)``."""

    def __init__(self, names: Sequence[str]) -> None:
        self._names = frozenset(names)
        longest = sorted(names, key=len, reverse=True)
        alternatives = "|".join(map(re.escape, longest)) or r"(?!)"
        self._pattern = re.compile(rf"\$\(({alternatives})(?:\.\w+)?\)")

    def used(self, texts: Iterator[str]) -> set[str]:
        """Return the names that occur in the texts."""
        return {match for text in texts if "$(" in text for match in self._pattern.findall(text)}


class Reference(NamedTuple):
    """A ``$(step.workspace)`` in a text, between `start` and `end`."""

    name: str
    start: int
    end: int


def references(text: str, steps: Mapping[str, object]) -> Iterator[Reference]:
    """Yield the workspace references of a text, from left to right.

    A reference holds no blank, so a step whose name has one cannot be referred to. The
    original also takes ``$(a.workspace)/x:$(b.workspace)`` for one name and fails; here
    the nearest ``$(`` counts, or one before it if only that makes the name of a step.

    Examples
    --------
    >>> [each.name for each in references("$(a.workspace)/x:$(b.workspace)", {"a": 1, "b": 1})]
    ['a', 'b']
    >>> [each.name for each in references("$(($(a.workspace)))", {"a": 1})]
    ['a']
    """
    done = 0
    while (end := text.find(_REFERENCE_END, done)) >= 0:
        stop = end + len(_REFERENCE_END)
        start = _begin_of_reference(text, max(done, end - _LONGEST_NAME), end, steps)
        name = text[start + 2 : end] if start >= 0 else ""
        if name:
            yield Reference(name, start, stop)
        done = stop


def _begin_of_reference(text: str, low: int, end: int, steps: Mapping[str, object]) -> int:
    """Return where the reference that ends at `end` begins, or -1."""
    blank = _LAST_BLANK.search(text, low, end)
    low = blank.end() if blank else low
    nearest = begin = text.rfind("$(", low, end)
    while begin >= 0 and text[begin + 2 : end] not in steps:
        begin = text.rfind("$(", low, begin)
    return begin if begin >= 0 else nearest
