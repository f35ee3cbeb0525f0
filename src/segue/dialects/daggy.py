"""The Daggy dialect: JSON documents of Daggy and daggyr-rs, and what their generators print.

Owns the order in which a document is read. Fields and spellings are in
`daggy_document`, `daggy_tasks` and `daggy_job`, parameters in `daggy_expansion`,
the model's view of a job in `daggy_parts`, edges in `daggy_edges`.
"""

from __future__ import annotations

import gc
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final

from segue.dialects.daggy_document import Document, Settings, read_document
from segue.dialects.daggy_edges import Edges
from segue.dialects.daggy_expansion import MAX_TASKS, Expansion, Instance, Naming
from segue.dialects.daggy_growth import ExistingTasks, check_new, tasks_of_output
from segue.dialects.daggy_parts import JobBuilder
from segue.dialects.daggy_tasks import Template, read_tasks
from segue.dialects.json_text import Findings, Pointer, parse_json, places_below
from segue.model.errors import Problem, WorkflowError, did_you_mean, shorten
from segue.model.location import Place
from segue.model.workflow import Barrier, Growth, Task, Workflow
from segue.protocols.dialect import Source

#: All generators of one run together may add so many tasks.
MAX_GENERATED_TASKS: Final = 100_000
#: Tasks know their place in texts up to this size: it costs 0.1 s per million
#: characters, and in a text that a program has written nobody looks it up.
_PLACES_UP_TO: Final = 256 * 1024

_TASKS_MAP: Final = re.compile(r'"tasks"\s*:\s*\{')
_TASKS_ARRAY: Final = re.compile(r'"tasks"\s*:\s*\[')


class Daggy:
    """Reads Daggy documents."""

    name = "daggy"

    def recognise(self, path: str, text: str) -> float:
        """Return 0.9 for a JSON object with a map of tasks, 0.5 for one with an array."""
        if not text.removeprefix("\ufeff").lstrip().startswith("{"):
            return 0.0
        if _TASKS_MAP.search(text):
            return 0.9
        if _TASKS_ARRAY.search(text):
            # Others have arrays of tasks too (EWMS); ours name a job.
            return 0.5 if re.search(r'"(?:job|details|command)"', text) else 0.1
        return 0.0

    def read(self, source: Source) -> Workflow:
        """Return the workflow; raise `WorkflowError` with all problems."""
        with _collector_off():
            return self._read(source)

    def _read(self, source: Source) -> Workflow:
        findings = Findings(source.path, source.text)
        options = _Options.of(source.options)
        # The parsed text is given away, so that it is gone before tasks are made.
        document = read_document(parse_json(findings), source.path, source.parameters, findings)
        expansion = options.expansion(document.settings, findings, MAX_TASKS)
        instances = _expand(document.templates, expansion)
        edges = Edges(_groups(document.templates, instances), findings, hint_for=_hint_of(document))
        edges.add_all(document.templates)
        findings.raise_if_fatal()
        _warn(document, expansion, edges, findings)
        barriers: dict[str, Barrier] = {}
        needs = edges.resolve(barriers)
        places = _places(source.path, source.text, ("tasks",))
        tasks = _tasks(document.templates, instances, needs, places)
        return Workflow(
            name=document.name,
            dialect=self.name,
            tasks=tasks,
            barriers=tuple(barriers.values()),
            pool=document.pool,
            tags=document.tags,
            context=options.context(document, len(tasks)),
            warnings=findings.problems(),
        )

    def grow(
        self,
        output: str,
        task: str,
        context: Mapping[str, Any],
        existing: Mapping[str, str],
    ) -> Growth:
        """Return the tasks that the generator `task` printed; each of them needs `task`.

        Names in `parents` and `children` may be those of the run, too. A cycle
        that closes only through the run's own edges cannot be seen here:
        `existing` holds none.
        """
        with _collector_off():
            return self._grow(output, task, context, existing)

    def _grow(
        self,
        output: str,
        task: str,
        context: Mapping[str, Any],
        existing: Mapping[str, str],
    ) -> Growth:
        findings = Findings(f"stdout of {task}", output)
        at, raw = tasks_of_output(findings)
        options = _Options.of(context)
        settings = _settings_of(context)
        room = MAX_GENERATED_TASKS - (len(existing) - int(context.get("task_count", 0)))
        templates = read_tasks(raw, at, settings.task_defaults, findings)
        instances = _expand(templates, options.expansion(settings, findings, room))
        run = ExistingTasks(existing, findings)
        check_new(templates, instances, run, room)
        edges = Edges(_groups(templates, instances), findings, run.instances, run.hint)
        edges.add_all(templates)
        findings.raise_if_fatal()
        edges.groups[task] = (task,)
        for template in templates:
            edges.needs[template.name].insert(0, task)
        barriers: dict[str, Barrier] = {}
        # '>' is in no task's name, so these barriers are new to the run.
        needs = edges.resolve(barriers, mark=f"{task}>")
        places = _places(findings.path, output, at)
        tasks = _tasks(templates, instances, needs, places)
        new = {template.name for template in templates} | {each.name for each in tasks}
        late_needs = tuple(
            (late, need)
            for group, wanted in needs.items()
            if group not in new
            for late in edges.groups[group]
            for need in wanted
        )
        return Growth(tasks, tuple(barriers.values()), late_needs, findings.problems())


@contextmanager
def _collector_off() -> Iterator[None]:
    """Keep Python's cycle collector from running meanwhile.

    A large text becomes a million small objects and not one cycle; the collector
    would go through all of them again and again, and take as long as the reading.
    """
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


@dataclass(frozen=True, slots=True)
class _Options:
    """What the door may set for this dialect."""

    strict_parameters: bool = True
    instance_naming: Naming = Naming.README
    allow_empty: bool = False

    @classmethod
    def of(cls, given: Mapping[str, Any]) -> _Options:
        """Return the options; raise `WorkflowError` for values that mean nothing."""
        naming = str(given.get("instance_naming", Naming.README))
        known = [each.value for each in Naming]
        if naming not in known:
            hint = did_you_mean(naming, known) or f"one of: {', '.join(known)}"
            message = f"option instance_naming: {shorten(naming)!r} is not known"
            raise WorkflowError([Problem("bad_option", message, None, hint)])
        return cls(
            strict_parameters=_flag(given, "strict_parameters", default=True),
            instance_naming=Naming(naming),
            allow_empty=_flag(given, "allow_empty", default=False),
        )

    def expansion(self, settings: Settings, findings: Findings, room: int) -> Expansion:
        """Return an expansion that follows these options."""
        return Expansion(
            settings=settings,
            builder=JobBuilder(findings),
            strict=self.strict_parameters,
            naming=self.instance_naming,
            allow_empty=self.allow_empty,
            room=room,
        )

    def context(self, document: Document, task_count: int) -> dict[str, Any]:
        """Return all that `grow` needs again, as JSON values."""
        settings = document.settings
        return {
            "parameters": dict(settings.parameters),
            "job_defaults": settings.job_defaults,
            "task_defaults": dict(settings.task_defaults),
            "strict_parameters": self.strict_parameters,
            "instance_naming": str(self.instance_naming),
            "allow_empty": self.allow_empty,
            "pool_parameters": dict(document.pool_parameters),
            "task_count": task_count,
        }


def _flag(given: Mapping[str, Any], name: str, *, default: bool) -> bool:
    value = given.get(name, default)
    if isinstance(value, bool):
        return value
    known = {"true": True, "false": False}.get(str(value).lower())
    if known is None:
        message = f"option {name}: {shorten(str(value))!r} is neither true nor false"
        raise WorkflowError([Problem("bad_option", message, None, f"write {name}=false")])
    return known


def _settings_of(context: Mapping[str, Any]) -> Settings:
    """Return the settings that `_Options.context` wrote down."""
    return Settings(
        context.get("parameters", {}),
        context.get("job_defaults", {}),
        context.get("task_defaults", {}),
    )


def _expand(templates: Sequence[Template], expansion: Expansion) -> list[list[Instance]]:
    """Return the instances of each template; names that collide become errors."""
    result = [expansion.instances(template) for template in templates]
    declared = {template.name for template in templates}
    made: set[str] = set()
    for template, instances in zip(templates, result, strict=True):
        for instance in instances:
            if instance.name == template.name:
                continue
            if instance.name in declared or instance.name in made:
                message = (
                    f"an instance of {shorten(template.name)!r} would be called "
                    f"{shorten(instance.name)!r}, as another task is"
                )
                hint = "rename one of the two"
                expansion.findings.error("name_collision", message, template.at, hint, at_key=True)
                break
            made.add(instance.name)
    return result


def _groups(
    templates: Sequence[Template], instances: Sequence[Sequence[Instance]]
) -> dict[str, Sequence[str]]:
    """Return the instance names by template; one that had errors stands for itself."""
    return {
        template.name: tuple([each.name for each in own]) or (template.name,)
        for template, own in zip(templates, instances, strict=True)
    }


def _tasks(
    templates: Sequence[Template],
    instances: Sequence[Sequence[Instance]],
    needs: Mapping[str, tuple[str, ...]],
    places: Mapping[str | int, Place],
) -> tuple[Task, ...]:
    return tuple(
        [
            _task(template, each, needs, places.get(template.at[-1]))
            for template, own in zip(templates, instances, strict=True)
            for each in own
        ]
    )


def _task(
    template: Template,
    instance: Instance,
    needs: Mapping[str, tuple[str, ...]],
    place: Place | None,
) -> Task:
    parts = instance.parts
    wanted = needs[template.name]
    is_bare = instance.name == template.name
    if not is_bare and instance.name in needs:  # somebody named this one instance as a child
        wanted = tuple(dict.fromkeys((*wanted, *needs[instance.name])))
    return Task(
        name=instance.name,
        action=parts.action,
        template="" if is_bare else template.name,
        needs=wanted,
        parameters=instance.values,
        retry=template.retry,
        timeout_s=parts.timeout_s,
        resources=parts.resources,
        options=parts.options,
        environment=parts.environment,
        clear_environment=parts.clear_environment,
        workdir=parts.workdir,
        priority=parts.priority,
        pool=parts.pool,
        generator=template.generator,
        place=place,
    )


def _places(path: str, text: str, at: Pointer) -> Mapping[str | int, Place]:
    return places_below(path, text, at) if len(text) <= _PLACES_UP_TO else {}


def _hint_of(document: Document) -> Callable[[str], str]:
    if any(template.generator for template in document.templates):
        return lambda name: (
            "the tasks of a generator are not known yet; its output may name their children"
        )
    return lambda name: ""


def _warn(document: Document, expansion: Expansion, edges: Edges, findings: Findings) -> None:
    """Note what is allowed but was hardly meant."""
    has_generator = any(template.generator for template in document.templates)
    for name in document.settings.parameters:
        # What a generator will print may use it.
        if name not in expansion.used and not has_generator:
            message = f"no job uses the parameter {shorten(name)!r}"
            hint = f"write {{{{{name}}}}} where its value is wanted" if len(name) < 80 else ""
            findings.warning("unused_parameter", message, (*document.parameters_at, name), hint)
    if len(document.templates) > 1 and not edges.count:
        message = f"{len(document.templates):,} tasks, 0 edges: none of them waits for another"
        hint = "say who waits for whom with 'parents' or 'children'"
        findings.warning("no_edges", message, ("tasks",), hint)
