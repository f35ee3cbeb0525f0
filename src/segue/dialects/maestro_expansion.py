"""From steps and parameters to instances: which there are, and what each one needs.

Section 2 of the specification. Works on steps whose `env` tokens have been replaced.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from segue.dialects.maestro_checks import Checks
from segue.dialects.maestro_names import directory, hashed_name, instance_name, why_unusable
from segue.dialects.maestro_study import Step
from segue.dialects.maestro_tokens import Combinations, Finder, references
from segue.model.errors import did_you_mean, shorten
from segue.model.graph import join
from segue.model.parameters import strings_in
from segue.model.workflow import Barrier

TEXT_KEYS: Final = ("cmd", "restart")
#: The name of an instance may have so many characters; its directory's is cut to fit.
NAME_LIMIT: Final = 4096


@dataclass(slots=True)
class Node:
    """A step of the graph of steps, before parameters multiply it.

    `plain` and `funnels` are the steps it depends on, `references` those whose workspace
    its texts name. `used` are the parameters that multiply it, `ranks` holds for each
    combination the rank of the instance that stands for it.
    """

    step: Step
    texts: Mapping[str, Any]
    plain: tuple[str, ...] = ()
    funnels: tuple[str, ...] = ()
    references: tuple[str, ...] = ()
    used: frozenset[str] = frozenset()
    ranks: Sequence[int] = ()
    instances: list[Instance] = field(default_factory=list)

    @property
    def root(self) -> str:
        """The directory below which all instances have their workspaces."""
        return directory(self.step.name)

    def at(self, combination: int) -> Instance:
        """Return the instance for a combination; the only one if nothing multiplies the step."""
        return self.instances[self.ranks[combination]] if self.used else self.instances[0]


@dataclass(frozen=True, slots=True)
class Instance:
    """One task to be: `combination` is the first one that it stands for."""

    name: str
    nickname: str
    workdir: str
    combination: int


def build_graph(steps: Sequence[tuple[Step, Mapping[str, Any]]], checks: Checks) -> dict[str, Node]:
    """Return the graph of steps by name, in the order of the file; faults go into `checks`.

    `steps` are pairs of the step as written and its texts (name, description and run)
    with the `env` tokens replaced. A step is found under its name as written.
    """
    nodes: dict[str, Node] = {}
    names = [step.name for step, _ in steps]
    for step, texts in steps:
        plain: list[str] = []
        funnels: list[str] = []
        for position, item in enumerate(texts["run"].get("depends", ())):
            name = item.replace("_*", "").replace("*", "")
            if not item:
                continue  # no text, which the grammar has reported
            if name not in nodes:
                _refuse_need(step, name, position, names, checks)
                continue
            (funnels if "*" in item else plain).append(name)
        nodes[step.name] = Node(step, texts, tuple(plain), tuple(funnels))
    for node in nodes.values():
        node.references = tuple(_references(node, nodes, checks))
    return nodes


def _refuse_need(
    step: Step, name: str, position: int, names: Sequence[str], checks: Checks
) -> None:
    # The places are those of the items as written; an alias or merge may have fewer.
    places = step.depends_places
    place = places[position] if position < len(places) else step.place
    if not name:
        hint = "a funnel is a step's name and '_*'"
        checks.refuse(place, "unknown_step", "this funnel names no step", hint)
    elif name == step.name:
        message, hint = f"step {shorten(name)!r} depends on itself", "remove it from depends"
        checks.refuse(place, "self_dependency", message, hint)
    elif name in names:
        message = f"step {shorten(step.name)!r} depends on {shorten(name)!r}, which comes later"
        hint = f"a step stands below those it needs: move {shorten(name)!r} above it"
        checks.refuse(place, "step_order", message, hint)
    else:
        message = f"step {shorten(name)!r} does not exist"
        checks.refuse(place, "unknown_step", message, _nearest(name, names))


def _nearest(name: str, names: Sequence[str]) -> str:
    return did_you_mean(name, names) or f"the steps are: {shorten(', '.join(names), 200)}"


def _references(node: Node, nodes: Mapping[str, Node], checks: Checks) -> Iterator[str]:
    found: set[str] = set()
    run = node.texts["run"]
    for key in TEXT_KEYS:
        for each in references(run.get(key, ""), nodes):
            if each.name in found:
                continue
            found.add(each.name)
            place = node.step.places.get(key, node.step.place)
            if each.name == node.step.name:
                message = f"step {shorten(each.name)!r} refers to its own workspace by name"
                checks.refuse(place, "own_workspace", message, "write $(WORKSPACE)")
            elif each.name not in nodes:
                message = f"$({shorten(each.name)}.workspace): there is no such step"
                checks.refuse(place, "unknown_step", message, _nearest(each.name, list(nodes)))
            else:
                yield each.name


def launch_order(nodes: Mapping[str, Node]) -> list[str]:
    """Return the steps in the order in which Maestro considers them.

    Depth first from the steps without needs, over dependents in the order of the file,
    each put in front when done: independent steps come in reverse order of the file.

    Examples
    --------
    >>> from segue.model.location import Place
    >>> def node(name, *needs):
    ...     return Node(Step(name, "", {}, Place("x", 1, 1), {}), {}, needs)
    >>> launch_order({"a": node("a"), "b": node("b"), "c": node("c", "a")})
    ['b', 'a', 'c']
    """
    dependents: dict[str, list[str]] = {name: [] for name in nodes}
    roots = []
    for name, node in nodes.items():
        needs = dict.fromkeys((*node.plain, *node.funnels))
        for need in needs:
            dependents[need].append(name)
        if not needs:
            roots.append(name)
    seen: set[str] = set()
    done: list[str] = []
    for root in roots:
        seen.add(root)
        stack = [(root, iter(dependents[root]))]
        while stack:
            name, left = stack[-1]
            following = next((each for each in left if each not in seen), None)
            if following is None:
                done.append(name)
                stack.pop()
            else:
                seen.add(following)
                stack.append((following, iter(dependents[following])))
    done.reverse()
    return done


def find_used(nodes: Mapping[str, Node], finder: Finder, checks: Checks) -> None:
    """Set what each step uses: its own parameters, those of its needs and of its references."""
    processed: set[str] = set()
    for name in launch_order(nodes):
        node = nodes[name]
        used = finder.used(strings_in(node.texts))
        for need in node.plain:
            used |= nodes[need].used
        for other in node.references:
            if other in node.funnels:
                continue
            if other not in processed:
                _refuse_early(node.step, other, checks)
            used |= nodes[other].used
        node.used = frozenset(used)
        processed.add(name)


def _refuse_early(step: Step, other: str, checks: Checks) -> None:
    key = next(
        (each for each in TEXT_KEYS if f"$({other}.workspace)" in step.run.get(each, "")), ""
    )
    message = f"step {shorten(step.name)!r} reads the workspace of {shorten(other)!r} too early"
    hint = f"add {shorten(other)!r} to its depends"
    checks.refuse(step.places.get(key, step.place), "early_workspace", message, hint)


def make_instances(
    nodes: Mapping[str, Node], combinations: Combinations, hashed: bool, checks: Checks
) -> None:
    """Give each step its instances: one per distinct label string over what it uses."""
    columns: dict[frozenset[str], list[str]] = {}
    for node in nodes.values():
        if node.used and node.used not in columns:
            labels = [combinations.labels[name] for name in sorted(node.used)]
            columns[node.used] = [".".join(each) for each in zip(*labels, strict=True)]
        if not node.used:
            name = node.step.name
            node.instances = [Instance(name, name, node.root, 0)]
        else:
            _multiply(node, columns[node.used], hashed)
        _check_workdirs(node, checks)


def _multiply(node: Node, labels: Sequence[str], hashed: bool) -> None:
    first: dict[str, int] = {}
    for index, label in enumerate(labels):
        first.setdefault(label, index)
    rank = {label: position for position, label in enumerate(first)}
    node.ranks = [rank[label] for label in labels]
    step = node.step.name
    for label, combination in first.items():
        name = instance_name(step, label)
        nickname = hashed_name(step, rank[label], len(first)) if hashed else name
        workdir = directory(step, nickname if hashed else label)
        node.instances.append(Instance(name, nickname, workdir, combination))


def _check_workdirs(node: Node, checks: Checks) -> None:
    owners: dict[str, str] = {}
    for each in node.instances:
        why = why_unusable(each.workdir)
        if why:
            message = f"the workspace {shorten(each.workdir)!r} cannot be used: {why}"
            checks.refuse(node.step.place, "bad_workspace", message, "rename it")
            return
        if len(each.name) > NAME_LIMIT:
            message = f"{shorten(each.name)!r} has {len(each.name):,} characters"
            hint = f"a step and its label may have {NAME_LIMIT:,} together"
            checks.refuse(node.step.place, "long_name", message, hint)
            return
        other = owners.setdefault(each.workdir, each.name)
        if other != each.name:
            message = (
                f"{shorten(other)!r} and {shorten(each.name)!r} "
                f"share the workspace {shorten(each.workdir)!r}"
            )
            hint = "choose labels that differ in more than signs, or use --hashws"
            checks.warn(node.step.place, "shared_workspace", message, hint)
            return


class Needs:
    """Answers what each instance needs, with one barrier for each funnel that many need."""

    def __init__(self, nodes: Mapping[str, Node]) -> None:
        self.nodes = nodes
        self.barriers: dict[str, Barrier] = {}
        self._readers: dict[str, int] = {}
        for node in nodes.values():
            for name in set(node.funnels):
                self._readers[name] = self._readers.get(name, 0) + len(node.instances)
        self._joined: dict[str, tuple[str, ...]] = {}

    def of(self, node: Node, instance: Instance) -> tuple[str, ...]:
        """Return the names that the instance of the step needs, each once."""
        found = [
            self.nodes[name].at(instance.combination).name
            for name in node.plain
            if name not in node.funnels
        ]
        for name in node.funnels:
            found.extend(self._all_of(name))
        return tuple(dict.fromkeys(found)) if len(found) > 1 else tuple(found)

    def _all_of(self, name: str) -> tuple[str, ...]:
        if name not in self._joined:
            names = [each.name for each in self.nodes[name].instances]
            self._joined[name] = join(name, names, self._readers[name], self.barriers)
        return self._joined[name]


def submit_order(nodes: Mapping[str, Node]) -> list[str]:
    """Return the steps in the order of the file, but none before those it reads from.

    A reference to a workspace makes no need, as in Maestro; with one job at a time this
    order still lets the writer run first.
    """
    order: list[str] = []
    seen: set[str] = set()
    for root in nodes:
        stack = [(root, False)]
        while stack:
            name, opened = stack.pop()
            if opened:
                order.append(name)
            elif name not in seen:
                seen.add(name)
                node = nodes[name]
                stack.append((name, True))
                before = (*node.plain, *node.funnels, *node.references)
                stack.extend((each, False) for each in reversed(before))
    return order


def unordered_references(nodes: Mapping[str, Node]) -> Iterator[tuple[Step, str]]:
    """Yield each step with a step whose workspace it reads without needing it in any way."""
    if all({*node.references} <= {*node.plain, *node.funnels} for node in nodes.values()):
        return
    numbers = {name: number for number, name in enumerate(nodes)}
    # One bit per step that is needed, directly or not; steps stand behind their needs.
    needed: dict[str, int] = {}
    for name, node in nodes.items():
        mask = 0
        for need in (*node.plain, *node.funnels):
            mask |= needed[need] | 1 << numbers[need]
        needed[name] = mask
        for other in node.references:
            if not needed[name] >> numbers[other] & 1:
                yield node.step, other
