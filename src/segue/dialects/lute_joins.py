"""Joins in LUTE's tree: steps that wait for others by their ids. Ours, not LUTE's.

A step's ``needs`` lists ids; whatever tasks have come of the step with that id are waited
for: all instances of a sweep, all copies below one.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from segue.dialects.lute_steps import Step
from segue.model.errors import Problem, Severity, did_you_mean, shorten
from segue.model.graph import find_cycle, join
from segue.model.workflow import Barrier, TriggerRule


class Joins:
    """Finds what each task needs beside the one that it stands below."""

    def __init__(self, ids: Mapping[str, Any], problems: list[Problem]) -> None:
        self._ids = ids
        self._problems = problems
        #: Joints between many tasks and many.
        self.barriers: dict[str, Barrier] = {}

    def needs(self, steps: Sequence[Step], names: Sequence[str]) -> list[tuple[str, ...]]:
        """Return for each task, of that step and of that name, what its ids stand for."""
        made: dict[str, list[str]] = {}
        for step, name in zip(steps, names, strict=True):
            if step.id:
                made.setdefault(step.id, []).append(name)
        # A step below a sweep is here once for each copy, and is judged once.
        written = list({id(step): step for step in steps}.values())
        self._check(written, made)
        wanted = Counter(need.id for step in steps for need in step.needs)
        return [self._of(step, made, wanted) for step in steps]

    def _of(
        self, step: Step, made: Mapping[str, list[str]], wanted: Counter[str]
    ) -> tuple[str, ...]:
        found: list[str] = []
        for need in step.needs:
            instances = made.get(need.id, [])
            # A barrier has succeeded or not; the other rules count each task.
            dependents = wanted[need.id] if step.rule is TriggerRule.ALL_SUCCESS else 1
            found += join(need.id, instances, dependents, self.barriers)
        return tuple(found)

    def _check(self, steps: Sequence[Step], made: Mapping[str, list[str]]) -> None:
        for step in steps:
            for need in step.needs:
                if need.id not in self._ids:
                    hint = did_you_mean(need.id, list(self._ids))
                    hint = hint or "give the step that is meant an 'id: ...'"
                    message = f"there is no step with the id {shorten(need.id)!r}"
                    self._problems.append(Problem("unknown_id", message, need.place, hint))
                elif need.id not in made:
                    message = (
                        f"the step {shorten(need.id)!r} is not run here, so it is not waited for"
                    )
                    hint = "it stands in a branch that was not chosen"
                    problem = Problem("need_not_run", message, need.place, hint, Severity.WARNING)
                    self._problems.append(problem)
        self._check_cycles(steps)

    def _check_cycles(self, steps: Sequence[Step]) -> None:
        """Refuse steps that would wait for each other, or for what stands below them."""
        if not any(step.needs for step in steps):
            return
        names = {
            id(step): step.id or f"{step.task_name} (line {step.place.line})" for step in steps
        }
        named = {names[id(step)]: step for step in steps}
        needs = {
            name: [need.id for need in step.needs if need.id in named]
            for name, step in named.items()
        }
        for step in steps:
            for below in step.next:
                needs[names[id(below)]].append(names[id(step)])
        cycle = find_cycle(needs)
        if cycle:
            shown = " -> ".join(shorten(name, 40) for name in [*cycle[:20], cycle[0]])
            message = f"these steps would wait for each other: {shown}"
            hint = "take one of them out of 'needs'"
            self._problems.append(Problem("cycle", message, named[cycle[0]].place, hint))
