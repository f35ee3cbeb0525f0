"""What a generator printed, held against the run that it is to be added to.

Owns what such an output may hold and how large it may be.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from segue.dialects.daggy_expansion import Instance
from segue.dialects.daggy_tasks import Template
from segue.dialects.json_text import Findings, Pointer, parse_json
from segue.model.errors import Problem, WorkflowError, shorten
from segue.model.location import Place

#: The stdout of a generator may hold so many characters.
MAX_GENERATOR_OUTPUT: Final = 64 * 1024 * 1024


def tasks_of_output(findings: Findings) -> tuple[Pointer, Any]:
    """Return where the tasks stand in a generator's output, and them."""
    if len(findings.text) > MAX_GENERATOR_OUTPUT:
        message = (
            f"the output has {len(findings.text):,} characters; "
            f"at most {MAX_GENERATOR_OUTPUT:,} are read"
        )
        raise WorkflowError([Problem("too_large", message, Place(findings.path, 1, 1))])
    raw = parse_json(findings)
    if type(raw) is not dict or "tasks" not in raw:
        return (), raw
    for name in raw:
        if name != "tasks":
            message = f"{shorten(name)!r} cannot stand in what a generator prints"
            hint = "only tasks can be added; parameters and defaults are those of the run"
            findings.error("unknown_field", message, (name,), hint, at_key=True)
    return ("tasks",), raw["tasks"]


def check_new(
    templates: Sequence[Template],
    instances: Sequence[Sequence[Instance]],
    run: ExistingTasks,
    room: int,
) -> None:
    """Note new tasks that the run has already, and more of them than may be added."""
    for template, own in zip(templates, instances, strict=True):
        if run.has(template.name) or any(run.has(each.name) for each in own):
            message = f"the run has a task {shorten(template.name)!r} already"
            hint = "give the new task another name"
            run.findings.error("task_exists", message, template.at, hint, at_key=True)
    count = sum(map(len, instances))
    if count > room:
        message = f"{count:,} new tasks are too many: generators may add {max(room, 0):,} more"
        run.findings.error("too_many_tasks", message, ())


@dataclass(slots=True)
class ExistingTasks:
    """The tasks that a run had before its generator ended: name -> template."""

    existing: Mapping[str, str]
    findings: Findings
    _by_template: dict[str, list[str]] = field(default_factory=dict)

    def has(self, name: str) -> bool:
        """Whether a task or a template of this name exists."""
        if name in self.existing:
            return True
        # Asking for a first instance spares a pass over a large run.
        return any(self.existing.get(f"{name}_{number}") == name for number in (0, 1))

    def instances(self, name: str) -> Sequence[str] | None:
        """Return the instances of a template, or the one task of that name."""
        if name in self.existing:
            return (name,)
        if not self._by_template:
            for task, template in self.existing.items():
                self._by_template.setdefault(template or task, []).append(task)
        return self._by_template.get(name)

    def hint(self, name: str) -> str:
        """Return the nearest name of the run."""
        return self.findings.nearest(name, self.existing.keys())
