"""Who waits for whom among templates, and what that means for their instances.

Owns the names in `parents` and `children`: what they may name, the union of the
two, self edges, cycles, and when a barrier stands between two sets of instances.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from segue.dialects.daggy_tasks import Template
from segue.dialects.json_text import Findings, Pointer
from segue.model.errors import shorten
from segue.model.graph import find_cycle, join
from segue.model.workflow import Barrier

#: Of a longer cycle the middle is left out of the message.
_LONGEST_CYCLE = 40


@dataclass(slots=True)
class Edges:
    """The edges among *groups*: a group is all instances of a template, or one of them.

    Attributes
    ----------
    groups
        The instances of each template that this text defines.
    find_existing
        Returns the instances of a name that the run had before, or None.
    hint_for
        Returns what to try where a name means nothing and resembles none.
    needs
        The groups that each group waits for.
    """

    groups: dict[str, Sequence[str]]
    findings: Findings
    find_existing: Callable[[str], Sequence[str] | None] = lambda name: None
    hint_for: Callable[[str], str] = lambda name: ""
    needs: dict[str, list[str]] = field(default_factory=dict)
    _own: frozenset[str] = frozenset()
    _template_of: dict[str, str] = field(default_factory=dict)

    def add_all(self, templates: Iterable[Template]) -> None:
        """Take the edges of all templates; names that mean nothing become errors."""
        self._own = frozenset(self.groups)
        for name, instances in self.groups.items():
            if len(instances) > 1:
                self._template_of.update(dict.fromkeys(instances, name))
        self.needs = {name: [] for name in self.groups}
        for template in templates:
            for index, other in enumerate(template.parents):
                self._add(other, template.name, template, ("parents", index), other)
            for index, other in enumerate(template.children):
                self._add(template.name, other, template, ("children", index), other)
        self._check_cycle({template.name: template.at for template in templates})

    def resolve(self, barriers: dict[str, Barrier], mark: str = "") -> dict[str, tuple[str, ...]]:
        """Return the needs of each group as names of tasks and barriers.

        `mark` sets the names of the barriers apart from those that a run has already.
        """
        dependents: dict[str, int] = {}
        for child, parents in self.needs.items():
            if len(parents) > 1:
                # The same edge may stand on both sides, and twice on one.
                self.needs[child] = parents = list(dict.fromkeys(parents))
            for parent in parents:
                dependents[parent] = dependents.get(parent, 0) + len(self.groups[child])
        wanted: dict[str, tuple[str, ...]] = {}
        for child, parents in self.needs.items():
            names: list[str] = []
            for parent in parents:
                group = self.groups[parent]
                if len(group) > 1:
                    group = join(mark + parent, group, dependents[parent], barriers)
                names += group
            wanted[child] = tuple(names)
        return wanted

    @property
    def count(self) -> int:
        """How many edges were taken."""
        return sum(map(len, self.needs.values()))

    def _add(self, parent: str, child: str, template: Template, where: Pointer, named: str) -> None:
        if named not in self.groups and not self._take_group(named, template, where):
            return
        if self._template_of.get(named, named) == template.name:
            message = f"the task {shorten(template.name)!r} waits for itself"
            self.findings.error("self_edge", message, (*template.at, *where), "remove it")
            return
        wanted = self.needs.get(child)
        if wanted is None:
            self.needs[child] = [parent]
        else:
            wanted.append(parent)

    def _take_group(self, name: str, template: Template, where: Pointer) -> bool:
        """Make a group of a name that is no template of this text; False if it is nothing."""
        at = (*template.at, *where)
        if name in self._template_of:
            message = f"{shorten(name)!r} names one instance of {self._template_of[name]!r}"
            hint = "name the template to wait for all its instances"
            self.findings.warning("instance_reference", message, at, hint, at_key=False)
            self.groups[name] = (name,)
            return True
        existing = self.find_existing(name)
        if existing:
            self.groups[name] = existing
            return True
        hint = self.findings.nearest(name, self._own) or self.hint_for(name)
        hint = hint or "add a task of that name to 'tasks', or remove it here"
        message = f"task {shorten(name)!r} is not defined"
        self.findings.error("unknown_task", message, at, hint)
        return False

    def _check_cycle(self, places: Mapping[str, Pointer]) -> None:
        # An edge to one instance counts for its template, as the product may change.
        names_instances = not self._template_of.keys().isdisjoint(self.groups)
        cycle = find_cycle(self._over_templates() if names_instances else self.needs)
        if not cycle:
            return
        # `find_cycle` goes from a task to what it needs; people read the other way.
        order = [cycle[0], *reversed(cycle[1:]), cycle[0]]
        if len(order) > _LONGEST_CYCLE:
            half = _LONGEST_CYCLE // 2
            order = [*order[:half], f"... {len(order) - 2 * half:,} more ...", *order[-half:]]
        path = " -> ".join(shorten(name, 60) for name in order)
        at = next((places[name] for name in cycle if name in places), ())
        message = f"these tasks wait for each other: {path}"
        self.findings.error("cycle", message, at, "remove one of these edges", at_key=True)

    def _over_templates(self) -> dict[str, list[str]]:
        result: dict[str, list[str]] = {}
        for child, parents in self.needs.items():
            known = result.setdefault(self._template_of.get(child, child), [])
            known += [self._template_of.get(parent, parent) for parent in parents]
        return result
