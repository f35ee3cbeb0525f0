"""The section `env` of a study: variables, labels and dependencies."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

import yaml

from segue.dialects.maestro_checks import Checks
from segue.dialects.maestro_study import Entry, Environment, GitDependency, PathDependency
from segue.dialects.yaml_text import describe, plain
from segue.model.errors import did_you_mean, shorten
from segue.model.location import Place

_ENV_KEYS: Final = ("variables", "labels", "sources", "dependencies")
_DEPENDENCY_KEYS: Final = ("paths", "git", "spack")
_CHECKOUTS: Final = ("tag", "branch", "hash")


def read_environment(node: yaml.Node, checks: Checks) -> Environment:
    """Return what `env` defines."""
    if plain(node) is None:
        checks.refuse(node, "wrong_type", "env is empty", "remove it, or add variables")
        return Environment()
    fields = checks.fields(node, "env", _ENV_KEYS)
    if fields is None:
        return Environment()
    variables = tuple(_variables(fields.get("variables"), checks))
    labels = tuple(_labels(fields.get("labels"), checks))
    if "sources" in fields:
        message = "env.sources is accepted and never used, as in Maestro"
        checks.warn(fields["sources"], "ignored_key", message, "write 'source FILE' into cmd")
    groups = _dependency_groups(fields.get("dependencies"), checks)
    paths = tuple(_paths(groups.get("paths"), checks))
    gits = tuple(_gits(groups.get("git"), checks))
    _refuse_names_twice((*variables, *labels, *paths, *gits), checks)
    return Environment(variables, labels, paths, gits)


def _variables(node: yaml.Node | None, checks: Checks) -> Iterator[Entry]:
    for name, value_node in _map_of(node, "env.variables", checks):
        value = plain(value_node)
        what = f"the variable {name!r}"
        if isinstance(value, bool) or not isinstance(value, str | int | float):
            message = f"{what} must be a text or a number, not {describe(value_node)}"
            hint = "put it in quotes" if isinstance(value, bool) else "write a value"
            checks.refuse(value_node, "wrong_type", message, hint)
            continue
        if value == "":
            hint = "write a value or remove the variable"
            checks.refuse(value_node, "empty_value", f"{what} is empty", hint)
            continue
        checks.trapped(value_node, what)
        if name == "OUTPUT_PATH" and isinstance(value, str) and value.startswith(("~", "$")):
            message = f"OUTPUT_PATH {shorten(value)!r} is taken literally, as Maestro does"
            checks.warn(value_node, "literal_path", message, "write the path out")
        yield Entry(name, value, checks.place(value_node))


def _labels(node: yaml.Node | None, checks: Checks) -> Iterator[Entry]:
    for name, value_node in _map_of(node, "env.labels", checks):
        value = plain(value_node)
        if value is None or value == "":
            hint = "write a value or remove the label"
            checks.refuse(value_node, "empty_value", f"the label {name!r} is empty", hint)
            continue
        yield Entry(name, value, checks.place(value_node))


def _map_of(
    node: yaml.Node | None, section: str, checks: Checks
) -> Iterator[tuple[str, yaml.Node]]:
    if node is None:
        return
    if not isinstance(node, yaml.MappingNode):
        message = f"{section} must be a map, not {describe(node)}"
        checks.refuse(node, "wrong_type", message, "write 'NAME: value' lines, or remove it")
        return
    for name, (_, value) in checks.entries(node).items():
        yield name, value


def _dependency_groups(node: yaml.Node | None, checks: Checks) -> dict[str, yaml.Node]:
    if node is None:
        return {}
    fields = checks.fields(node, "env.dependencies", _DEPENDENCY_KEYS, tolerant=True)
    if fields is None:
        return {}
    for name, (key, _) in checks.entries_silently(node).items():
        if name not in _DEPENDENCY_KEYS:
            hint = did_you_mean(name, _DEPENDENCY_KEYS) or "known keys: paths, git"
            message = f"env.dependencies.{name} is ignored, as Maestro does"
            checks.warn(key, "ignored_key", message, hint)
    if "spack" in fields:
        message = "spack dependencies do not work; Maestro crashes on them"
        hint = "remove them and load what you need in cmd"
        checks.refuse(fields["spack"], "spack_dependency", message, hint)
    return fields


def _items(node: yaml.Node | None, section: str, checks: Checks) -> Iterator[yaml.Node]:
    if isinstance(node, yaml.SequenceNode):
        yield from node.value
    elif node is not None:
        message = f"{section} must be a list, not {describe(node)}"
        checks.refuse(node, "wrong_type", message, "begin each entry with '- name: ...'")


def _paths(node: yaml.Node | None, checks: Checks) -> Iterator[PathDependency]:
    keys = ("name", "path")
    for item in _items(node, "env.dependencies.paths", checks):
        fields = checks.fields(item, "a path dependency", keys, keys)
        if fields is None:
            continue
        name = checks.text(fields.get("name"), "the dependency's name")
        path = checks.text(fields.get("path"), "the dependency's path")
        if name and path:
            yield PathDependency(name, path, checks.place(fields["path"]))


def _gits(node: yaml.Node | None, checks: Checks) -> Iterator[GitDependency]:
    keys = ("name", "path", "url")
    for item in _items(node, "env.dependencies.git", checks):
        fields = checks.fields(item, "a git dependency", keys, keys, tolerant=True)
        if fields is None:
            continue
        name, path, url = (checks.text(fields.get(key), f"the dependency's {key}") for key in keys)
        checkout = _checkout(item, fields, checks)
        if name and path and url:
            yield GitDependency(name, path, url, checkout, checks.place(fields["name"]))


def _checkout(item: yaml.Node, fields: dict[str, yaml.Node], checks: Checks) -> dict[str, str]:
    checkout = {}
    for key in _CHECKOUTS:
        value: Any = plain(fields[key]) if key in fields else None
        if value is not None and value != "":
            checkout[key] = str(value)
            # A hash of digits alone, or '1.10' as a tag, is a number to YAML.
            if not isinstance(value, str):
                checks.trapped(fields[key], f"the dependency's {key}")
    if len(checkout) > 1:
        message = f"a git dependency takes one of {', '.join(_CHECKOUTS)}, not {len(checkout)}"
        checks.refuse(item, "several_checkouts", message, f"keep one of: {', '.join(checkout)}")
    return checkout


def _refuse_names_twice(
    entries: tuple[Entry | PathDependency | GitDependency, ...], checks: Checks
) -> None:
    first: dict[str, Place] = {}
    for entry in entries:
        if entry.name in first:
            message = f"the name {shorten(entry.name)!r} is taken (line {first[entry.name].line})"
            hint = "variables, labels and dependencies share their names; choose another"
            checks.refuse(entry.place, "duplicate_name", message, hint)
        first.setdefault(entry.name, entry.place)
