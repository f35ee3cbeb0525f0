"""A graph as JSON, text, Mermaid or DOT; by task or by template. Pure."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from segue.model.definition import action_to_json, resources_to_json
from segue.model.errors import shorten
from segue.model.workflow import Action, Barrier, Script, Task, TriggerRule


@dataclass(frozen=True, slots=True)
class Drawing:
    """What is drawn: tasks and barriers, and the states of tasks where there is a run."""

    workflow: str
    dialect: str
    tasks: Sequence[Task]
    barriers: Sequence[Barrier] = ()
    states: Mapping[str, str] | None = None


@dataclass(frozen=True, slots=True)
class Dot:
    """One thing in a picture: a task, or all tasks of a template."""

    name: str
    number: int
    rule: TriggerRule
    states: Mapping[str, int]

    @property
    def label(self) -> str:
        """Name, number of tasks if several, rule if not the usual one."""
        parts = [shorten(self.name, 60)]
        if self.number > 1:
            parts.append(f"x {self.number}")
        if self.rule is not TriggerRule.ALL_SUCCESS:
            parts.append(f"[{self.rule.value}]")
        return " ".join(parts)

    @property
    def story(self) -> str:
        """The states of the tasks with their numbers: ``2 succeeded, 1 failed``."""
        if self.number == 1:
            return next(iter(self.states), "")
        return ", ".join(f"{number} {state}" for state, number in self.states.items())


def template_of(task: Task) -> str:
    """Return the name of the task as written, before parameters multiplied it."""
    return task.template or task.name


def task_document(drawing: Drawing) -> dict[str, Any]:
    """Return every task with all that is known before it runs: a stable format."""
    document: dict[str, Any] = {
        "workflow": drawing.workflow,
        "dialect": drawing.dialect,
        "tasks": [_task_document(task, drawing.states) for task in drawing.tasks],
    }
    if drawing.barriers:
        document["barriers"] = [
            {"name": barrier.name, "needs": list(barrier.needs)} for barrier in drawing.barriers
        ]
    return document


def _task_document(task: Task, states: Mapping[str, str] | None) -> dict[str, Any]:
    document: dict[str, Any] = {
        "name": task.name,
        "template": template_of(task),
        "params": dict(task.parameters),
        "needs": list(task.needs),
        "trigger": task.trigger.value,
        "action": action_to_json(task.action),
        "script": _script(task.action),
        "restart_script": _script(task.restart),
        "workdir": task.workdir,
        "resources": resources_to_json(task.resources),
        "options": dict(task.options),
        "generator": task.generator.dialect if task.generator else None,
    }
    if states is not None:
        document["state"] = states.get(task.name)
    return document


def _script(action: Action | None) -> str | None:
    return action.text if isinstance(action, Script) else None


def template_document(drawing: Drawing) -> dict[str, Any]:
    """Return one entry a template, with the number of its tasks and their states."""
    dots, edges = by_template(drawing)
    needs: dict[str, list[str]] = {dot.name: [] for dot in dots}
    for before, after in edges:
        needs[after].append(before)
    return {
        "workflow": drawing.workflow,
        "dialect": drawing.dialect,
        "templates": [
            {
                "name": dot.name,
                "tasks": dot.number,
                "needs": needs[dot.name],
                "trigger": dot.rule.value,
            }
            | ({"states": dict(dot.states)} if dot.states else {})
            for dot in dots
        ],
    }


Edges = Sequence[tuple[str, str]]


def by_task(drawing: Drawing) -> tuple[list[Dot], Edges]:
    """Return a dot a task, and edges between tasks; barriers stay as dots of their own."""
    states = drawing.states or {}
    dots = [
        Dot(task.name, 1, task.trigger, {states[task.name]: 1} if task.name in states else {})
        for task in drawing.tasks
    ]
    dots += [Dot(barrier.name, 1, TriggerRule.ALL_SUCCESS, {}) for barrier in drawing.barriers]
    nodes: Iterable[Task | Barrier] = (*drawing.tasks, *drawing.barriers)
    return dots, [(need, node.name) for node in nodes for need in node.needs]


def by_template(drawing: Drawing) -> tuple[list[Dot], Edges]:
    """Return a dot a template, in order of first appearance, and edges between templates."""
    template = {task.name: template_of(task) for task in drawing.tasks}
    sources: dict[str, tuple[str, ...]] = {
        task.name: (template[task.name],) for task in drawing.tasks
    }
    for barrier in drawing.barriers:
        behind = dict.fromkeys(template[need] for need in barrier.needs if need in template)
        sources[barrier.name] = tuple(behind)
    numbers: dict[str, int] = {}
    states: dict[str, dict[str, int]] = {}
    rules: dict[str, TriggerRule] = {}
    edges: dict[tuple[str, str], None] = {}
    for task in drawing.tasks:
        name = template[task.name]
        numbers[name] = numbers.get(name, 0) + 1
        rules[name] = task.trigger
        if drawing.states is not None:
            counted = states.setdefault(name, {})
            state = drawing.states.get(task.name, "")
            counted[state] = counted.get(state, 0) + 1
        for need in task.needs:
            for source in sources.get(need, ()):
                edges[source, name] = None
    dots = [
        Dot(name, number, rules[name], states.get(name, {})) for name, number in numbers.items()
    ]
    return dots, list(edges)


def mermaid(dots: Sequence[Dot], edges: Edges) -> str:
    """Return the picture in Mermaid's flowchart language.

    Examples
    --------
    >>> rule = TriggerRule.ALL_SUCCESS
    >>> print(mermaid([Dot("a", 1, rule, {}), Dot("b", 2, rule, {})], [("a", "b")]))
    graph LR
      n0["a"]
      n1["b x 2"]
      n0 --> n1
    """
    ids = {dot.name: f"n{number}" for number, dot in enumerate(dots)}
    lines = ["graph LR"]
    for dot in dots:
        label = dot.label.replace("&", "&amp;").replace('"', "&quot;")
        story = f"<br/>{dot.story}" if dot.story else ""
        lines.append(f'  {ids[dot.name]}["{label}{story}"]')
    lines += [f"  {ids[before]} --> {ids[after]}" for before, after in edges]
    return "\n".join(lines)


def dot_text(name: str, dots: Sequence[Dot], edges: Edges) -> str:
    """Return the picture in Graphviz' language.

    Examples
    --------
    >>> print(dot_text("w", [Dot("a", 1, TriggerRule.ALL_SUCCESS, {})], []))
    digraph "w" {
      rankdir = LR; node [shape = box];
      n0 [label = "a"];
    }
    """
    ids = {dot.name: f"n{number}" for number, dot in enumerate(dots)}
    lines = [f"digraph {_quoted(name)} {{", "  rankdir = LR; node [shape = box];"]
    for dot in dots:
        label = "\n".join(part for part in (dot.label, dot.story) if part)
        lines.append(f"  {ids[dot.name]} [label = {_quoted(label)}];")
    lines += [f"  {ids[before]} -> {ids[after]};" for before, after in edges]
    return "\n".join([*lines, "}"])


def _quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)


def text(dots: Sequence[Dot], edges: Edges) -> str:
    """Return the graph as lines: each dot under its first need, the other needs named.

    Examples
    --------
    >>> rule = TriggerRule.ALL_SUCCESS
    >>> dots = [Dot(name, 1, rule, {}) for name in "abc"]
    >>> print(text(dots, [("a", "c"), ("b", "c")]))
    a
      c   (needs a, b)
    b
    """
    needs: dict[str, list[str]] = {dot.name: [] for dot in dots}
    below: dict[str, list[Dot]] = {dot.name: [] for dot in dots}
    named = {dot.name: dot for dot in dots}
    for before, after in edges:
        needs[after].append(before)
    for dot in dots:
        if needs[dot.name]:
            below[needs[dot.name][0]].append(dot)
    lines = []
    todo = [(dot, 0) for dot in reversed(dots) if not needs[dot.name]]
    while todo:
        dot, depth = todo.pop()
        others = needs[dot.name]
        shown = ", ".join(shorten(named[other].name, 40) for other in others[:6])
        more = f", and {len(others) - 6} more" if len(others) > 6 else ""
        behind = f"   (needs {shown}{more})" if len(others) > 1 else ""
        story = f"   {dot.story}" if dot.story else ""
        # A chain of thousands would walk off the page.
        lines.append("  " * min(depth, 30) + dot.label + behind + story)
        todo += [(each, depth + 1) for each in reversed(below[dot.name])]
    return "\n".join(lines)
