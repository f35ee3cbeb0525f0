"""The config of a sweep: a copy of the user's, with a section for each instance.

LUTE's Tasks read their parameters from a section of the config, so an instance of a sweep
has one of its own: that of its Task with the instance's values in it, under the Task's name
with the instance's number behind it. Pure: text in, text out.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import yaml

from segue.model.errors import Problem, WorkflowError, shorten
from segue.model.location import Place


@dataclass(frozen=True, slots=True)
class Instance:
    """One instance of a sweep: its Task's name, its number, its values."""

    task: str
    number: int
    values: Mapping[str, Any]


def expanded(text: str, path: str, instances: Sequence[Instance]) -> str:
    r"""Return the config's text with a section for each instance.

    What the values are put into is not filled in here: references stay as they are
    written, and mean what they meant.

    Raises
    ------
    WorkflowError
        If the config is not two maps.

    Examples
    --------
    >>> text = "run: 1\n---\nFit: {threshold: 1, name: a}\n"
    >>> print(expanded(text, "c.yaml", [Instance("Fit", 0, {"threshold": 5})]), end="")
    run: 1
    ---
    Fit:
      threshold: 1
      name: a
    Fit_0:
      threshold: 5
      name: a
    """
    header, sections = _maps(text, path)
    for instance in instances:
        base = sections.get(instance.task) or {}
        if not isinstance(base, dict):
            message = f"the section {instance.task!r} is no map: {shorten(repr(base), 40)}"
            raise _wrong(path, message)
        sections[f"{instance.task}_{instance.number}"] = base | dict(instance.values)
    return yaml.dump_all([header, sections], Dumper=_Dumper, sort_keys=False, allow_unicode=True)


class _Dumper(yaml.SafeDumper):
    """Writes each section out: a reference to an anchor is no help to whoever reads it."""

    def ignore_aliases(self, data: Any) -> bool:
        return True


def _maps(text: str, path: str) -> tuple[dict[str, Any], dict[str, Any]]:
    try:
        documents = list(yaml.load_all(text, Loader=yaml.SafeLoader))
    except yaml.YAMLError as error:
        raise _wrong(path, f"the YAML is broken: {shorten(str(error), 300)}") from error
    header, sections = ([each or {} for each in documents] + [{}, {}])[:2]
    if len(documents) < 2 or not isinstance(header, dict) or not isinstance(sections, dict):
        raise _wrong(path, "a config has two documents, a header and the sections of the Tasks")
    return header, sections


def _wrong(path: str, message: str) -> WorkflowError:
    hint = "put a line '---' between two maps, the header and the sections"
    return WorkflowError([Problem("bad_config", message, Place(path, 1, 1), hint)])
