"""One template becomes its instances: placeholders, the product, the names.

Owns what ``{{NAME}}`` means, which parameters multiply a task, and how the
instances are called. Knows no edges.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Final, NamedTuple

from segue.dialects.daggy_document import Settings
from segue.dialects.daggy_job import OPEN, Job, merge_job
from segue.dialects.daggy_parts import JobBuilder, JobParts
from segue.dialects.daggy_tasks import LONGEST_NAME, Parameter, Template
from segue.dialects.json_text import Findings, Pointer
from segue.model.errors import shorten
from segue.model.parameters import map_strings, product
from segue.model.workflow import EMPTY, Nothing

#: A document that makes more tasks than this was not meant so.
MAX_TASKS: Final = 1_000_000
#: No system starts a command with more text than this.
MAX_FILLED: Final = 2 * 1024 * 1024
#: What parameters may put into all instances of one template together.
MAX_FILLED_IN_ALL: Final = 1024**3
_PLACEHOLDER: Final = re.compile(r"\{\{([^{}]*)\}\}")
_NOT_IN_NAMES: Final = re.compile(r"[^A-Za-z0-9_.:@/-]")


class Naming(StrEnum):
    """How instances are called: the option ``instance_naming``."""

    #: The bare name if there is one instance, else ``_1`` to ``_n``.
    README = "readme"
    #: Always with a number, from ``_0`` on, as the first Daggy did.
    ZERO = "zero"
    #: The bare name, or ``name.PARAMETER:value`` as daggyr-rs has it.
    VALUES = "values"


class Instance(NamedTuple):
    """One task to be: its name, the parts from its job, the values that it used."""

    name: str
    parts: JobParts
    values: Mapping[str, Any]


class _Use(NamedTuple):
    """A placeholder of a job and the pointer, from the job on, to the string that holds it."""

    name: str
    field: Pointer


@dataclass(slots=True)
class Expansion:
    """Expands one template after another with the same settings.

    `used` collects the names of all parameters that some job used.
    """

    settings: Settings
    builder: JobBuilder
    strict: bool = True
    naming: Naming = Naming.README
    allow_empty: bool = False
    room: int = MAX_TASKS
    used: set[str] = field(default_factory=set)

    @property
    def findings(self) -> Findings:
        """The findings of the text that is being read."""
        return self.builder.findings

    def instances(self, template: Template) -> list[Instance]:
        """Return the instances of a template; an empty list after an error."""
        defaults = self.settings.job_defaults
        job = template.job
        if defaults or None in job.values():
            job = merge_job(defaults, job)
        place_of = _places(template, defaults)
        if not _may_hold_placeholder(job):
            parts = self.builder.parts(job, template.name, place_of)
            name = f"{template.name}_0" if self.naming is Naming.ZERO else template.name
            return [Instance(name, parts, EMPTY)] if parts else []
        return self._multiplied(template, job, place_of)

    def _multiplied(
        self, template: Template, job: Job, place_of: Callable[[str], Pointer]
    ) -> list[Instance]:
        parameters = {**self.settings.parameters, **template.parameters}
        all_uses = list(_uses(job))
        uses = list(dict.fromkeys(all_uses))
        if not self._all_known(uses, parameters, template):
            return []
        names = {use.name for use in uses}
        self.used |= names
        # The order of the document, not that of use, numbers the instances.
        columns = {
            name: [value] if isinstance(value, str) else value
            for name, value in parameters.items()
            if name in names
        }
        empty = [name for name, values in columns.items() if not values]
        if empty:
            return self._empty(template, empty[0], place_of)
        count = math.prod(len(values) for values in columns.values())
        if self._is_too_long(template, all_uses, columns, count):
            return []
        self.room -= count
        if self.room < 0:
            self._refuse_too_many(template, columns)
            return []
        self._warn_of_defaults(template, columns, uses)
        return list(self._product(template, job, columns, count, place_of))

    def _product(
        self,
        template: Template,
        job: Job,
        columns: Mapping[str, Sequence[str]],
        count: int,
        place_of: Callable[[str], Pointer],
    ) -> Iterator[Instance]:
        moving = {name: value for name, value in job.items() if _holds_placeholder(value)}
        still = {name: value for name, value in job.items() if name not in moving}
        for number, values in enumerate(product(columns)):
            filled = {name: _fill(value, values) for name, value in moving.items()}
            name = self._name(template.name, number, count, values, columns)
            if len(name) > LONGEST_NAME:
                message = f"the instance name {shorten(name, 40)!r} has {len(name):,} characters"
                hint = f"at most {LONGEST_NAME} are allowed; give the task a shorter name"
                self.findings.error("bad_name", message, template.at, hint, at_key=True)
                return
            parts = self.builder.parts({**still, **filled}, name, place_of)
            if parts is None:
                return  # the other instances have the same fault
            yield Instance(name, parts, values)

    def _name(
        self,
        template: str,
        number: int,
        count: int,
        values: Mapping[str, str],
        columns: Mapping[str, Sequence[str]],
    ) -> str:
        if self.naming is Naming.ZERO:
            return f"{template}_{number}"
        if count == 1:
            return template
        if self.naming is Naming.README:
            return f"{template}_{number + 1}"
        told = (f".{name}:{values[name]}" for name in columns if len(columns[name]) > 1)
        return template + _NOT_IN_NAMES.sub("_", "".join(told))

    def _all_known(
        self, uses: Sequence[_Use], parameters: Mapping[str, Parameter], template: Template
    ) -> bool:
        if not self.strict:
            return True
        known = True
        for use in uses:
            if use.name in parameters:
                continue
            known = False
            at = _field_pointer(template, use.field, self.settings.job_defaults)
            if use.name == OPEN:
                message = f"'{OPEN}' is not closed by '}}}}'"
                hint = "with --keep-unknown it is kept as it is"
                self.findings.error("bad_placeholder", message, at, hint)
                continue
            hint = self.findings.nearest(use.name, parameters)
            hint = hint or "define it in 'parameters', or keep it as it is with --keep-unknown"
            message = f"no parameter is called {shorten(use.name)!r}"
            self.findings.error("unknown_placeholder", message, at, hint)
        return known

    def _empty(
        self, template: Template, name: str, place_of: Callable[[str], Pointer]
    ) -> list[Instance]:
        if self.allow_empty:
            return [Instance(template.name, JobParts(Nothing()), EMPTY)]
        message = (
            f"the parameter {shorten(name)!r} is an empty array, "
            f"so the task {shorten(template.name)!r} would have no instance"
        )
        hint = "give it a value, or set allow_empty=true to let the task do nothing"
        self.findings.error("empty_parameter", message, template.at, hint, at_key=True)
        return []

    def _is_too_long(
        self,
        template: Template,
        uses: Sequence[_Use],
        columns: Mapping[str, Sequence[str]],
        count: int,
    ) -> bool:
        """Note a job that its parameters would blow up: a megabyte can ask for terabytes."""
        longest = {name: max(map(len, values)) for name, values in columns.items()}
        length = sum(longest.get(use.name, 0) for use in uses)
        if length <= MAX_FILLED and length * min(count, MAX_TASKS) <= MAX_FILLED_IN_ALL:
            return False
        name = shorten(template.name)
        message = f"parameters would fill the job of {name!r} with {length:,} characters"
        if count > 1:
            message += f", in each of {count:,} instances"
        hint = "put long values into a file and give its name"
        self.findings.error("too_long", message, template.at, hint, at_key=True)
        return True

    def _refuse_too_many(self, template: Template, columns: Mapping[str, Sequence[str]]) -> None:
        self.room = 0
        told = " x ".join(
            f"{len(values):,} ({shorten(name, 20)})" for name, values in columns.items()
        )
        message = f"task {shorten(template.name)!r} would have {told} instances"
        hint = f"all tasks together may be {MAX_TASKS:,}"
        self.findings.error("too_many_tasks", message, template.at, hint, at_key=True)

    def _warn_of_defaults(
        self, template: Template, columns: Mapping[str, Sequence[str]], uses: Sequence[_Use]
    ) -> None:
        own = {use.name for use in uses if _is_own(template.job, use.field)}
        for name, values in columns.items():
            if len(values) > 1 and name not in own:
                message = (
                    f"the parameter {shorten(name)!r} multiplies a task only through 'jobDefaults'"
                )
                hint = "write the field into the jobs that need it"
                self.findings.warning("multiplied_by_default", message, template.at, hint)


def _places(template: Template, defaults: Job) -> Callable[[str], Pointer]:
    """Return what tells where a field of the merged job stands; ``""`` is the job itself."""

    def place_of(name: str) -> Pointer:
        return _field_pointer(template, (name,), defaults) if name else template.at

    return place_of


def _field_pointer(template: Template, field: Pointer, defaults: Job) -> Pointer:
    name = str(field[0])
    if name in template.moved:
        return (*template.moved[name], *field[1:])
    if _is_own(template.job, field) or name not in defaults:
        return (*template.job_at, *field)
    return ("jobDefaults", *field)


def _is_own(job: Job, field: Pointer) -> bool:
    """Return whether a field of the merged job comes from the task itself."""
    value = job.get(str(field[0]))
    if isinstance(value, dict) and len(field) > 1:
        return field[1] in value
    return value is not None


def _may_hold_placeholder(job: Job) -> bool:
    """Return False when nothing in the job can hold a placeholder; quick for most jobs."""
    if len(job) == 1 and "command" in job:
        return OPEN in "\0".join(job["command"])
    return any(_holds_placeholder(value) for value in job.values())


def _holds_placeholder(value: Any) -> bool:
    if isinstance(value, str):
        return OPEN in value
    if isinstance(value, list):
        return any(OPEN in item for item in value)
    if isinstance(value, dict):
        return any(isinstance(item, str) and OPEN in item for item in value.values())
    return False


def _uses(job: Job) -> Iterator[_Use]:
    """Yield the placeholders of a job in order; ``{{`` stands for one that is not closed."""
    for name, value in job.items():
        if isinstance(value, str):
            yield from _uses_in(value, (name,))
        elif isinstance(value, list):
            for index, item in enumerate(value):
                yield from _uses_in(item, (name, index))
        elif isinstance(value, dict):
            for key, item in value.items():
                if isinstance(item, str):
                    yield from _uses_in(item, (name, key))


def _uses_in(text: str, field: Pointer) -> Iterator[_Use]:
    if OPEN not in text:
        return
    for match in _PLACEHOLDER.finditer(text):
        yield _Use(match[1].strip(), field)
    if OPEN in _PLACEHOLDER.sub("", text):
        yield _Use(OPEN, field)


def _fill(value: Any, values: Mapping[str, str]) -> Any:
    """Return the value with its placeholders filled; unknown ones stay as they are.

    One pass: what a parameter brings in is not searched again.

    Examples
    --------
    >>> _fill(["{{ A }}/{{B}}"], {"A": "{{B}}", "B": "2"})
    ['{{B}}/2']
    """

    def change(text: str) -> str:
        if OPEN not in text:
            return text
        return _PLACEHOLDER.sub(lambda match: values.get(match[1].strip(), match[0]), text)

    return map_strings(value, change)
