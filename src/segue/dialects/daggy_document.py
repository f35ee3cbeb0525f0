"""A Daggy document as its author meant it: members, tasks, and their older spellings.

Owns the names of all members at the top, and which of Daggy's contradicting
spellings of them mean the same. Knows nothing of expansion and edges.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import PurePath
from typing import Any, Final

from segue.dialects.daggy_job import Job, read_job
from segue.dialects.daggy_tasks import (
    Parameter,
    Template,
    read_parameters,
    read_task_defaults,
    read_tasks,
    untouched,
)
from segue.dialects.json_fields import (
    BAD,
    Reader,
    quoted,
    read_any_text,
    read_fields,
    read_object,
    read_text,
    read_texts,
)
from segue.dialects.json_text import Findings, Pointer
from segue.model.errors import did_you_mean, shorten
from segue.model.workflow import EMPTY


@dataclass(frozen=True, slots=True)
class Settings:
    """What holds for all tasks of a run, also for those that generators add later."""

    parameters: Mapping[str, Parameter] = EMPTY
    job_defaults: Job = field(default_factory=dict)
    task_defaults: Mapping[str, Any] = EMPTY


@dataclass(frozen=True, slots=True)
class Document:
    """A whole document: its settings, its templates, what it says about the run."""

    settings: Settings
    templates: list[Template]
    name: str
    tags: Mapping[str, str]
    pool: str
    pool_parameters: Mapping[str, Any]
    #: Where the parameters stand, for warnings about them.
    parameters_at: Pointer


def _read_tags(value: Any, pointer: Pointer, findings: Findings) -> Any:
    if type(value) is list:
        names = read_texts(value, pointer, findings)
        if names is BAD:
            return BAD
        message = "an array is an old form of 'tags'"
        findings.warning("old_form", message, pointer, 'write {"name": "value"}')
        return dict.fromkeys(names, "")
    if read_object(value, pointer, findings) is BAD:
        return BAD
    checked = {
        name: read_any_text(text, (*pointer, name), findings) for name, text in value.items()
    }
    return BAD if BAD in checked.values() else checked


def _read_execution(value: Any, pointer: Pointer, findings: Findings) -> Any:
    if read_object(value, pointer, findings) is BAD:
        return BAD
    fields: dict[str, Reader] = {"pool": read_text, "poolParameters": read_object}
    return read_fields(value, pointer, fields, {}, findings)


_TOP: Final[dict[str, Reader]] = {
    "tasks": untouched,
    "parameters": read_parameters,
    "jobDefaults": read_job,
    "taskDefaults": untouched,
    "tag": read_any_text,
    "tags": _read_tags,
    "executionParameters": _read_execution,
    "pool": read_text,
}
#: Members that held the parameters in some version of Daggy, by preference.
_PARAMETER_BLOCKS: Final = ("parameters", "taskParameters", "job")


def read_document(
    raw: Any, path: str, replacements: Mapping[str, str], findings: Findings
) -> Document:
    """Return the document with all older spellings resolved and every type checked.

    `replacements` are parameter values given beside the text; they are taken in
    place of those of the document.
    """
    if type(raw) is not dict:
        message = f"a Daggy document is an object with 'tasks', not {quoted(raw)}"
        findings.error("wrong_type", message, (), 'begin with {"tasks": {')
        raw = {"tasks": None}
    block, raw = _one_parameter_block(raw, findings)
    aliases = dict.fromkeys(_PARAMETER_BLOCKS[1:], "parameters")
    top = read_fields(raw, (), _TOP, aliases, findings)
    parameters = _replace(top.get("parameters") or {}, replacements, findings)
    defaults = read_task_defaults(top.get("taskDefaults"), ("taskDefaults",), findings)
    settings = Settings(parameters, top.get("jobDefaults") or {}, defaults)
    tags = _tags(top, findings)
    execution = top.get("executionParameters") or {}
    return Document(
        settings=settings,
        templates=_read_all(top, raw, settings, findings),
        name=tags.get("name") or PurePath(path).stem or "daggy",
        tags=tags,
        pool=_pool(top, execution, findings),
        pool_parameters=execution.get("poolParameters") or {},
        parameters_at=(block,),
    )


def _one_parameter_block(
    raw: Mapping[str, Any], findings: Findings
) -> tuple[str, Mapping[str, Any]]:
    """Return the name of the block that holds the parameters, and `raw` without others."""
    present = [name for name in _PARAMETER_BLOCKS if raw.get(name) is not None]
    if len(present) < 2:
        return present[0] if present else _PARAMETER_BLOCKS[0], raw
    words = " and ".join(repr(name) for name in present)
    hint = "keep 'parameters'; defaults for all jobs belong into 'jobDefaults'"
    message = f"{words} both hold the parameters"
    findings.error("ambiguous_parameters", message, (present[1],), hint, at_key=True)
    return present[0], {name: value for name, value in raw.items() if name not in present[1:]}


def _tags(top: Mapping[str, Any], findings: Findings) -> dict[str, str]:
    tags = dict(top.get("tags") or {})
    tag = top.get("tag")
    if tag:
        if tags.get("name", tag) != tag:
            message = "'tag' and 'tags.name' differ; they mean the same"
            findings.error("conflicting_fields", message, ("tag",), "keep one", at_key=True)
        tags["name"] = tag
    return tags


def _pool(top: Mapping[str, Any], execution: Mapping[str, Any], findings: Findings) -> str:
    inner, outer = execution.get("pool"), top.get("pool")
    if inner and outer and inner != outer:
        message = "'pool' and 'executionParameters.pool' differ; they mean the same"
        findings.error("conflicting_fields", message, ("pool",), "keep one", at_key=True)
    return inner or outer or ""


def _replace(
    parameters: dict[str, Parameter], given: Mapping[str, str], findings: Findings
) -> dict[str, Parameter]:
    """Return the parameters with values from outside the text in place of their own."""
    result = dict(parameters)
    for name, text in given.items():
        if name not in parameters:
            hint = did_you_mean(name, list(parameters))
            hint = hint or f"the file's parameters: {', '.join(parameters) or 'none'}"
            message = f"-p {shorten(name)}: the file has no such parameter"
            findings.error("unknown_parameter", message, ("parameters",), hint, at_key=True)
            continue
        value = _value_from_outside(text)
        if value is None:
            message = f"-p {shorten(name)}: the array holds more than strings and numbers"
            hint = 'write -p NAME=\'["a", "b"]\''
            findings.error("wrong_type", message, ("parameters", name), hint, at_key=True)
        else:
            result[name] = value
    return result


def _value_from_outside(text: str) -> Parameter | None:
    """Return an array if the text is a JSON array, else the text; None: a bad array.

    Examples
    --------
    >>> _value_from_outside("[1, 2.50]"), _value_from_outside("[x"), _value_from_outside("[[]]")
    (['1', '2.50'], '[x', None)
    """
    if not text.lstrip().startswith("["):
        return text
    try:
        # Numbers keep their digits as written: 2.50 is not 2.5 in a file name.
        value = json.loads(text, parse_int=str, parse_float=str, parse_constant=str)
    except (ValueError, RecursionError):
        return text
    if not all(type(item) is str for item in value):
        return None
    return list(value)


def _read_all(
    top: Mapping[str, Any], raw: Mapping[str, Any], settings: Settings, findings: Findings
) -> list[Template]:
    tasks = top.get("tasks")
    if tasks is None:
        hint = findings.nearest("tasks", list(raw)) or 'write "tasks": {"name": {"job": {...}}}'
        findings.error("no_tasks", "the document has no 'tasks'", (), hint)
        return []
    templates = read_tasks(tasks, ("tasks",), settings.task_defaults, findings)
    if not templates and not tasks:
        message = "'tasks' is empty: there is nothing to run"
        hint = 'write {"name": {"job": {"command": ["/bin/true"]}}}'
        findings.error("no_tasks", message, ("tasks",), hint)
    return templates
