"""What a Maestro study says, as values: the grammar's result and the expansion's input."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from segue.model.location import Place
from segue.model.workflow import EMPTY


@dataclass(frozen=True, slots=True)
class Entry:
    """A variable or label of `env`."""

    name: str
    value: Any
    place: Place


@dataclass(frozen=True, slots=True)
class PathDependency:
    """A file or directory that must exist before the study starts."""

    name: str
    path: str
    place: Place


@dataclass(frozen=True, slots=True)
class GitDependency:
    """A repository that is cloned to ``<path>/<name>`` before the study starts."""

    name: str
    path: str
    url: str
    #: At most one of ``tag``, ``branch``, ``hash`` with its value.
    checkout: Mapping[str, str]
    place: Place


@dataclass(frozen=True, slots=True)
class Environment:
    """The section `env`: what stands for ``$(name)`` in every step."""

    variables: tuple[Entry, ...] = ()
    labels: tuple[Entry, ...] = ()
    paths: tuple[PathDependency, ...] = ()
    gits: tuple[GitDependency, ...] = ()


@dataclass(frozen=True, slots=True)
class Step:
    """One step as written; `run` holds its keys with the values as YAML reads them."""

    name: str
    description: str
    run: Mapping[str, Any]
    place: Place
    #: Where each key of `run` has its value, and each item of `depends`.
    places: Mapping[str, Place]
    depends_places: tuple[Place, ...] = ()


@dataclass(frozen=True, slots=True)
class Parameter:
    """A column of values and their labels.

    In a study one pattern makes the labels of all values; a generator may give each value
    a label and a name of its own, in `labels` and `names`.
    """

    name: str
    values: tuple[Any, ...]
    label: str
    place: Place
    labels: tuple[str, ...] = ()
    names: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Study:
    """A whole study; `batch` is the section of that name as YAML reads it."""

    name: str
    description: str
    name_place: Place
    environment: Environment = field(default_factory=Environment)
    batch: Mapping[str, Any] = EMPTY
    batch_place: Place | None = None
    steps: tuple[Step, ...] = ()
    parameters: tuple[Parameter, ...] = ()
