"""The LUTE dialect: workflow files of LUTE's Maestro, Airflow and Prefect launchers.

Owns how steps become tasks of a run: their names, their SLURM options and the
command that starts a managed Task. The grammar of the file is in `lute_steps`.
"""

from __future__ import annotations

import json
import re
import shlex
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import PurePath
from typing import Any, Final, NamedTuple

from segue.dialects.lute_joins import Joins
from segue.dialects.lute_steps import Step, StepReader, Sweep
from segue.dialects.lute_values import TemplateError, fill
from segue.dialects.yaml_text import compose
from segue.model.errors import Problem, Severity, WorkflowError, shorten
from segue.model.location import Place
from segue.model.parameters import product, zipped
from segue.model.workflow import EMPTY, Growth, ManagedTask, Task, Workflow
from segue.protocols.dialect import Source

#: Sweeps below sweeps multiply; more tasks than this were not meant so.
MAX_TASKS: Final = 100_000

_TAGGED: Final = re.compile(r"^(?:---[ \t]+)?!LUTE_DAG\b", re.MULTILINE)
_NAME_KEY: Final = re.compile(r"""^[-\s{]*["']?task_name["']?\s*:""", re.MULTILINE)
_NEXT_KEY: Final = re.compile(r"""(?:^|[\s{,])["']?next["']?\s*:""", re.MULTILINE)


class Lute:
    """Reads LUTE's workflow files, with the tag ``!LUTE_DAG`` and without."""

    name = "lute"

    def recognise(self, path: str, text: str) -> float:
        """Return 1.0 for the tag ``!LUTE_DAG``, 0.8 for ``task_name`` together with ``next``."""
        if _TAGGED.search(text):
            return 1.0
        if _NAME_KEY.search(text):
            return 0.8 if _NEXT_KEY.search(text) else 0.4
        return 0.0

    def read(self, source: Source) -> Workflow:
        """Return the workflow; raise `WorkflowError` with all problems."""
        problems: list[Problem] = []
        root = compose(source.text, source.path, problems)
        roots: tuple[Step, ...] = ()
        reader = StepReader(source.path, source.facts, problems)
        if root is not None:
            roots = reader.read_root(root)
        joins = Joins(reader.ids, problems)
        maker = _TaskMaker(
            _Command.of(source, problems),
            _slurm_args(source),
            bool(source.options.get("slurm_merge")),
            joins,
            problems,
        )
        tasks = () if _too_many(roots, problems) else tuple(maker.tasks(roots))
        if any(problem.severity is Severity.ERROR for problem in problems):
            raise WorkflowError(_in_order(problems))
        if not tasks:
            message = "no task comes of this file: there is nothing to run"
            place = Place(source.path, 1, 1)
            problems.append(Problem("no_tasks", message, place, severity=Severity.WARNING))
        return Workflow(
            name=PurePath(source.path).stem or "lute",
            dialect=self.name,
            tasks=tasks,
            barriers=tuple(joins.barriers.values()),
            warnings=_in_order(problems),
        )

    def grow(
        self,
        output: str,
        task: str,
        context: Mapping[str, Any],
        existing: Mapping[str, str],
    ) -> Growth:
        """Raise `WorkflowError`: LUTE has no tasks that add tasks."""
        message = f"stdout of {task}: LUTE's workflows have no tasks that add tasks"
        raise WorkflowError([Problem("no_generators", message)])


class _Made(NamedTuple):
    """One task to be, before it has its name in the run."""

    step: Step
    managed: str
    number: int | None
    values: Mapping[str, Any]
    parent: int | None


@dataclass(frozen=True, slots=True)
class _Command:
    """The words that start a managed Task, with fields to fill; none if unknown."""

    words: tuple[str, ...] = ()
    config: str = ""

    @classmethod
    def of(cls, source: Source, problems: list[Problem]) -> _Command:
        """Return the command that the options ask for; a bad one becomes a problem."""
        template = str(source.options.get("lute_command", ""))
        config = str(source.options.get("config", ""))
        try:
            return cls(tuple(shlex.split(template)), config)
        except ValueError as error:
            message = f"option lute_command: cannot split {shorten(template)!r}: {error}".lower()
            problems.append(Problem("bad_option", message, None, "close the quote"))
            return cls((), config)

    def filled(self, made: _Made) -> tuple[str, ...]:
        """Return the words with this task's values in; raise `TemplateError`."""
        values = {
            **made.values,
            "task_name": made.managed,
            "config": self.config,
            "rule": made.step.rule.name,
            "index": "" if made.number is None else made.number,
            "values": json.dumps(dict(made.values)),
        }
        return tuple(fill(word, values) for word in self.words)


@dataclass(slots=True)
class _TaskMaker:
    """Turns the tree of steps into tasks, parents first, in the order of the file."""

    command: _Command
    slurm_args: str
    #: Options of a step are merged with `slurm_args`, and do not replace them.
    slurm_merge: bool
    joins: Joins
    problems: list[Problem]
    _said: set[str] = field(default_factory=set)

    def tasks(self, roots: tuple[Step, ...]) -> Iterator[Task]:
        """Yield the tasks of the run."""
        made = list(_made(roots))
        names = _unique([each.managed for each in made])
        needs = self.joins.needs([each.step for each in made], names)
        for each, name, joined in zip(made, names, needs, strict=True):
            options: dict[str, Any] = {}
            if slurm_params := self._slurm_params(each):
                options["slurm_params"] = slurm_params
                if self.slurm_merge and each.step.slurm_params and self.slurm_args:
                    options["slurm_defaults"] = self.slurm_args
            if not each.step.run_dependent:
                options["run_dependent"] = False
            parent = () if each.parent is None else (names[each.parent],)
            action = ManagedTask(each.managed, self._command_of(each), self.command.config)
            yield Task(
                name=name,
                action=action,
                template="" if name == each.step.task_name else each.step.task_name,
                needs=tuple(dict.fromkeys((*parent, *joined))),
                trigger=each.step.rule,
                parameters=each.values,
                options=options or EMPTY,
                place=each.step.place,
            )

    def _command_of(self, made: _Made) -> tuple[str, ...]:
        try:
            return self.command.filled(made)
        except TemplateError as error:
            hint = "fields: {task_name}, {config}, {rule}, {index}, {values}, those of the sweep"
            self._say_once("bad_option", f"option lute_command: {error}", None, hint)
            return ()

    def _slurm_params(self, made: _Made) -> str:
        template = made.step.slurm_params
        if not template:
            return self.slurm_args
        if made.step.sweep is None:
            return template
        try:
            return fill(template, made.values)
        except TemplateError as error:
            message = f"'slurm_params' is used as it is written: {error}"
            self._say_once("raw_template", message, made.step.place, severity=Severity.WARNING)
            return template

    def _say_once(
        self,
        code: str,
        message: str,
        place: Place | None,
        hint: str = "",
        severity: Severity = Severity.ERROR,
    ) -> None:
        problem = Problem(code, message, place, hint, severity)
        if str(problem) not in self._said:
            self._said.add(str(problem))
            self.problems.append(problem)


def _made(roots: tuple[Step, ...]) -> Iterator[_Made]:
    """Yield what becomes of the steps, depth first; a sweep repeats all that is below it."""
    count = 0
    # Each instance is followed by its own copy of what is below it, so the stack
    # holds instances, not steps.
    stack = [made for step in reversed(roots) for made in _reversed_instances(step, None)]
    while stack:
        made = stack.pop()
        yield made
        for step in reversed(made.step.next):
            stack += _reversed_instances(step, count)
        count += 1


def _reversed_instances(step: Step, parent: int | None) -> list[_Made]:
    return list(_instances(step, parent))[::-1]


def _instances(step: Step, parent: int | None) -> Iterator[_Made]:
    if step.sweep is None:
        yield _Made(step, step.task_name, None, EMPTY, parent)
        return
    for index, values in enumerate(_combinations(step.sweep)):
        yield _Made(step, f"{step.task_name}_{index}", index, values, parent)


def _combinations(sweep: Sweep) -> Iterator[dict[str, Any]]:
    if sweep.zipped and sweep.columns:
        return zipped(sweep.columns)
    return product(sweep.columns)


def _unique(names: list[str]) -> list[str]:
    """Return the names with those that repeat numbered from the second one on.

    Examples
    --------
    >>> _unique(["Tester", "Reader", "Tester", "Tester-2"])
    ['Tester', 'Reader', 'Tester-3', 'Tester-2']
    """
    taken = set(names)
    seen: Counter[str] = Counter()
    result = []
    for name in names:
        seen[name] += 1
        unique = name
        if seen[name] > 1:
            while (unique := f"{name}-{seen[name]}") in taken:
                seen[name] += 1
            taken.add(unique)
        result.append(unique)
    return result


def _too_many(roots: tuple[Step, ...], problems: list[Problem]) -> bool:
    count = sum(step.count for step in roots)
    if count <= MAX_TASKS:
        return False
    largest = max(roots, key=lambda step: step.count)
    told = f"{count:,}" if count < 10**15 else "far too many"
    message = f"the sweeps make {told} tasks; at most {MAX_TASKS:,} are run"
    hint = "each instance of a sweep has its own copy of what comes next"
    problems.append(Problem("too_many_tasks", message, largest.place, hint))
    return True


def _slurm_args(source: Source) -> str:
    given = source.options.get("slurm_args", ())
    return given if isinstance(given, str) else " ".join(map(str, given))


def _in_order(problems: list[Problem]) -> tuple[Problem, ...]:
    """Return the problems as they stand in the file; what an alias repeats is said once."""
    once = dict.fromkeys(problems)
    return tuple(sorted(once, key=lambda problem: problem.place or Place("", 0, 0)))
