"""The tasks of a Daggy document as written, in all their older spellings.

Owns the names of all members of a task, its parameters among them, and the grammar
of task names. Knows neither defaults of jobs, nor expansion, nor edges.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final, NamedTuple

from segue.dialects.daggy_job import Job, read_job
from segue.dialects.json_fields import (
    BAD,
    Reader,
    quoted,
    read_fields,
    read_flag,
    read_object,
    read_seconds,
    read_texts,
    read_whole,
    wrong_type,
)
from segue.dialects.json_text import Findings, Pointer
from segue.model.errors import shorten
from segue.model.graph import BARRIER_PREFIX
from segue.model.workflow import EMPTY, ONCE, Generator, Retry

#: One value, or the values that multiply the tasks which use it.
Parameter = str | list[str]

LONGEST_NAME: Final = 255
_NAME: Final = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.:@/-]*")


class Template(NamedTuple):
    """One task as written.

    `at` is where it stands, `job_key` the member that holds the job, and `moved`
    holds the places of job fields that stand beside the job.
    """

    name: str
    at: Pointer
    job: Job
    job_key: str
    moved: Mapping[str, Pointer]
    retry: Retry
    generator: Generator | None
    parameters: Mapping[str, Parameter]
    parents: Sequence[str]
    children: Sequence[str]

    @property
    def job_at(self) -> Pointer:
        """Where the job object stands; the task itself if it has none."""
        return (*self.at, self.job_key) if self.job_key else self.at


def read_parameters(value: Any, pointer: Pointer, findings: Findings) -> Any:
    """Return the parameters by name, braces around a name taken off."""
    if read_object(value, pointer, findings) is BAD:
        return BAD
    result: dict[str, Parameter] = {}
    for key, content in value.items():
        at = (*pointer, key)
        # daggyr-rs searches for the key as it stands, so its keys carry the braces.
        name = key[2:-2].strip() if key.startswith("{{") and key.endswith("}}") else key
        if not name or name != name.strip() or set(name) & set("{}"):
            message = f"{shorten(key)!r} cannot be the name of a parameter"
            findings.error("bad_name", message, at, "use letters, digits and _", at_key=True)
        elif name in result:
            message = f"the parameter {shorten(name)!r} is given with braces and without"
            findings.error("conflicting_fields", message, at, "keep one", at_key=True)
        else:
            checked = _read_parameter(content, at, findings)
            if checked is not BAD:
                result[name] = checked
    return result


def _read_parameter(value: Any, pointer: Pointer, findings: Findings) -> Any:
    if type(value) is str:
        return value
    if type(value) is list:
        return read_texts(value, pointer, findings)
    wanted = "a string or an array of strings"
    hint = f'write it in quotes: "{value}"' if type(value) in (int, float) else ""
    return wrong_type(value, wanted, pointer, findings, hint if len(hint) < 50 else "")


def untouched(value: Any, pointer: Pointer, findings: Findings) -> Any:
    """Return the value as it is: it is checked where its meaning is known."""
    return value


#: Task members that may also stand in `taskDefaults`.
_COMMON: Final[dict[str, Reader]] = {
    "maxRetries": read_whole,
    "retryIntervalSeconds": read_seconds,
    "isGenerator": read_flag,
    "childrenInherit": read_flag,
    "parameters": read_parameters,
}
_COMMON_ALIASES: Final = {
    "retry": "retryIntervalSeconds",
    "max_retries": "maxRetries",
    "is_generator": "isGenerator",
}
_TASK: Final[dict[str, Reader]] = _COMMON | {
    "job": untouched,
    "parents": read_texts,
    "children": read_texts,
    "name": untouched,
    # Members of the job that older documents write beside it.
    "command": untouched,
    "commandString": untouched,
    "environment": untouched,
}
_TASK_ALIASES: Final = _COMMON_ALIASES | {"details": "job", "class": "name"}
_BESIDE_JOB: Final = frozenset({"command", "commandString", "environment"})


def read_task_defaults(raw: Any, at: Pointer, findings: Findings) -> dict[str, Any]:
    """Return the checked members that hold for every task that does not give its own."""
    if raw is None or read_object(raw, at, findings) is BAD:
        return {}
    fields = read_fields(raw, at, _COMMON, _COMMON_ALIASES, findings)
    return {name: value for name, value in fields.items() if value is not None}


def read_tasks(
    raw: Any, at: Pointer, defaults: Mapping[str, Any], findings: Findings
) -> list[Template]:
    """Return the templates of a map (or, as in 2021, an array) of tasks."""
    reader = _TaskReader(defaults, findings)
    if type(raw) is dict:
        return [
            template
            for name, value in raw.items()
            if (template := reader.read(name, value, (*at, name))) is not None
        ]
    if type(raw) is list:
        message = "an array of tasks is an old form of 'tasks'"
        findings.warning("old_form", message, at, 'write {"name": {"job": {...}}}')
        return list(_named_items(raw, at, reader, findings))
    wrong_type(raw, "an object of tasks by name", at, findings)
    return []


def _named_items(
    raw: list[Any], at: Pointer, reader: _TaskReader, findings: Findings
) -> Iterator[Template]:
    seen: set[str] = set()
    for index, value in enumerate(raw):
        here = (*at, index)
        if read_object(value, here, findings) is BAD:
            continue
        name = value.get("name", value.get("class"))
        if type(name) is not str:
            message = "a task in an array needs a 'name'"
            findings.error("no_name", message, here)
            continue
        if name in seen:
            message = f"two tasks are named {shorten(name)!r}"
            findings.error("duplicate_task", message, here)
            continue
        seen.add(name)
        template = reader.read(name, value, here)
        if template is not None:
            yield template


class _TaskReader:
    """Reads one task after another; equal retries become one object."""

    def __init__(self, defaults: Mapping[str, Any], findings: Findings) -> None:
        self._defaults = defaults
        self._findings = findings
        self._retries: dict[tuple[int, float], Retry] = {(0, 0): ONCE}

    def read(self, name: str, raw: Any, at: Pointer) -> Template | None:
        """Return the template; None if what stands there is no task at all."""
        findings = self._findings
        _check_name(name, at, findings)
        if type(raw) is not dict:
            wrong_type(raw, "an object with a 'job'", at, findings)
            return None
        fields = read_fields(raw, at, _TASK, _TASK_ALIASES, findings)
        self._check_inner_name(name, fields, at)
        job, job_key, moved = self._job(raw, fields, at)
        if self._defaults:
            fields = self._with_defaults(fields)
        retry = self._retry(fields.get("maxRetries") or 0, fields.get("retryIntervalSeconds") or 0)
        return Template(
            name=name,
            at=at,
            job=job,
            job_key=job_key,
            moved=moved,
            retry=retry,
            generator=self._generator(fields, at),
            parameters=fields.get("parameters") or EMPTY,
            parents=fields.get("parents") or (),
            children=fields.get("children") or (),
        )

    def _check_inner_name(self, name: str, fields: Mapping[str, Any], at: Pointer) -> None:
        inner = fields.get("name", name)
        if inner != name:
            message = f"the task is called {shorten(name)!r} by its key and {quoted(inner)} inside"
            hint = "remove the inner name"
            self._findings.error("conflicting_name", message, (*at, "name"), hint)

    def _job(
        self, raw: Mapping[str, Any], fields: Mapping[str, Any], at: Pointer
    ) -> tuple[Job, str, Mapping[str, Pointer]]:
        """Return the job, the key it stands under, and where fields beside it stand."""
        value = fields.get("job")
        key = "" if value is None else "job" if "job" in raw else "details"
        job = read_job(value, (*at, key), self._findings) if key else {}
        moved = EMPTY if _BESIDE_JOB.isdisjoint(fields) else self._take_beside(fields, job, at)
        return job, key, moved

    def _take_beside(self, fields: Mapping[str, Any], job: Job, at: Pointer) -> dict[str, Pointer]:
        """Put job fields that stand beside the job into it; return where they stand."""
        moved: dict[str, Pointer] = {}
        for name in fields:
            if name not in _BESIDE_JOB or fields[name] is None:
                continue
            here = (*at, name)
            message = f"{name!r} beside the job is an old form"
            hint = f"move {name!r} into 'job'"
            self._findings.warning("old_form", message, here, hint)
            checked = read_job({name: fields[name]}, at, self._findings)
            if name in job and job[name] != checked.get(name):
                message = f"{name!r} stands in the job and beside it, with different values"
                hint = "keep one"
                self._findings.error("conflicting_fields", message, here, hint, at_key=True)
            elif checked:
                job.update(checked)
                moved[name] = here
        return moved

    def _with_defaults(self, fields: Mapping[str, Any]) -> dict[str, Any]:
        """Return the members with the defaults under them: objects merge, null deletes."""
        merged = {**self._defaults, **fields}
        below, own = self._defaults.get("parameters"), fields.get("parameters")
        if below and own:
            merged["parameters"] = {**below, **own}
        return merged

    def _retry(self, limit: int, delay_s: float) -> Retry:
        known = self._retries.get((limit, delay_s))
        if known is None:
            known = self._retries[limit, delay_s] = Retry(limit=limit, delay_s=float(delay_s))
        return known

    def _generator(self, fields: Mapping[str, Any], at: Pointer) -> Generator | None:
        inherit = bool(fields.get("childrenInherit"))
        if not fields.get("isGenerator"):
            if inherit and "childrenInherit" not in self._defaults:
                message = "'childrenInherit' says nothing about a task that is no generator"
                self._findings.warning("unused_field", message, (*at, "childrenInherit"))
            return None
        return Generator(dialect="daggy", inherit_dependents=inherit)


def _check_name(name: str, at: Pointer, findings: Findings) -> None:
    if len(name) > LONGEST_NAME:
        message = (
            f"the task name {shorten(name, 40)!r} has {len(name):,} characters; "
            f"at most {LONGEST_NAME} are allowed"
        )
        hint = "shorten it; what varies from task to task belongs into 'parameters'"
        findings.error("bad_name", message, at, hint, at_key=True)
    elif not _NAME.fullmatch(name):
        message = f"{shorten(name)!r} cannot be the name of a task"
        hint = "use letters, digits and _ . : @ / -, and begin with a letter, a digit or _"
        findings.error("bad_name", message, at, hint, at_key=True)
    elif name.startswith(BARRIER_PREFIX):
        message = f"{shorten(name)!r}: names that begin with {BARRIER_PREFIX!r} are Segue's own"
        findings.error("bad_name", message, at, at_key=True)
