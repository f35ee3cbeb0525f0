"""The steps of a LUTE workflow file: its tags, its branches, its sweeps.

Owns the grammar of the file and what the facts of a run choose in it. The result
is a tree of `Step`s; it knows no names of tasks in a run and no commands.

All branches are checked, also those that are not chosen; what only matters for
chosen ones (facts, warnings) is asked of these alone.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final, TypeVar

import yaml

from segue.dialects.lute_values import json_value, text_of
from segue.dialects.yaml_text import Item, describe, mapping_items, place_of
from segue.model.errors import Problem, Severity, did_you_mean, shorten
from segue.model.location import Place
from segue.model.workflow import TriggerRule

ROOT: Final = "!LUTE_DAG"
RULES: Final = {f"!{rule.name}": rule for rule in TriggerRule}
_BRANCH: Final = "!branch_"
_RUN_TYPE: Final = "!run_type"
_SWEEP: Final = "!param_sweep"
_TAGS: Final = (ROOT, *RULES, f"{_BRANCH}daq2", _RUN_TYPE, _SWEEP)
_STANDARD: Final = "tag:yaml.org,2002:"

Node = TypeVar("Node", bound=yaml.Node)

#: LUTE's names are variables of Python; Airflow's groups put dots between them.
_NAME: Final = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]*")
_LONGEST_NAME: Final = 255
_STEP_KEYS: Final = ("task_name", "slurm_params", "next", "run_dependent", "id", "needs")
_SWEEP_KEYS: Final = (*_STEP_KEYS, "param_matrix", "zip")
#: With one task before it, these two rules are the same.
_ON_SUCCESS: Final = (TriggerRule.ALL_SUCCESS, TriggerRule.ANY_SUCCESS)
_YES_NO: Final = {"true": True, "false": False}


@dataclass(frozen=True, slots=True)
class Need:
    """A step that is waited for, by its id, and where that is written."""

    id: str
    place: Place


@dataclass(frozen=True, slots=True)
class Step:
    """One step as written; with `sweep`, one for each set of parameter values.

    `id` and `needs` are ours: what joins branches that LUTE's tree cannot. A step that is
    not `run_dependent` is done once for all runs of a tag.
    """

    task_name: str
    rule: TriggerRule
    slurm_params: str
    place: Place
    next: tuple[Step, ...] = ()
    sweep: Sweep | None = None
    id: str = ""
    needs: tuple[Need, ...] = ()
    run_dependent: bool = True
    #: How many tasks this step and all below it become.
    count: int = 1


@dataclass(frozen=True, slots=True)
class Sweep:
    """The columns of a parameter sweep, and whether they go side by side."""

    columns: Mapping[str, list[Any]]
    zipped: bool
    size: int


@dataclass(frozen=True, slots=True)
class _Where:
    """What is known about the surroundings of a node."""

    live: bool = True
    is_root: bool = True
    in_branch: bool = False


@dataclass(slots=True)
class StepReader:
    """Turns nodes into steps and collects what is wrong with them."""

    path: str
    facts: Mapping[str, str]
    problems: list[Problem] = field(default_factory=list)
    #: Where each id of the file is given, those of branches that are not chosen included.
    ids: dict[str, yaml.Node] = field(default_factory=dict)
    _known: dict[tuple[int, _Where], tuple[Step, ...]] = field(default_factory=dict)

    def read_root(self, root: yaml.Node) -> tuple[Step, ...]:
        """Return the first steps of the file: they wait for nothing."""
        tag = root.tag
        if tag == ROOT:
            # Below, a list or map with the root's tag is one without any tag.
            kind = "seq" if isinstance(root, yaml.SequenceNode) else "map"
            root = _retagged(root, _STANDARD + kind)
        elif tag in RULES:
            message = f"{tag!r} stands where {ROOT!r} must be; a first task has no rule"
            self._error("bad_root", message, root, f"begin the file with {ROOT}")
            root = _retagged(root, _STANDARD + "map")
        elif isinstance(root, yaml.SequenceNode) and not _has_own_tag(root):
            message = f"a list of first tasks without {ROOT!r}: LUTE itself refuses it"
            self._warn("no_root_tag", message, root, f"begin the file with {ROOT}")
        if isinstance(root, yaml.ScalarNode):
            message = f"a workflow is a task or a list of tasks, not {describe(root)}"
            self._error("wrong_type", message, root, "write task_name: and next: below the tag")
            return ()
        return self._items(root, _Where())

    def _items(self, node: yaml.Node, where: _Where) -> tuple[Step, ...]:
        """Return the steps of a list (lists in it count as if written out), map or tag.

        What an alias repeats is read once: aliases of aliases would cost without end.
        """
        key = (id(node), where)
        known = self._known.get(key)
        if known is None:
            known = self._known[key] = tuple(self._read_items(node, where))
        return known

    def _read_items(self, node: yaml.Node, where: _Where) -> Iterator[Step]:
        if isinstance(node, yaml.SequenceNode):
            if _has_own_tag(node):
                self._refuse_tag(node, "a list")
            for item in node.value:
                yield from self._items(item, where)
        elif isinstance(node, yaml.MappingNode):
            yield from self._mapping(node, where)
        elif node.tag != _STANDARD + "null":
            message = f"a task is a map with 'task_name', not {describe(node)}"
            self._error("wrong_type", message, node, f"write - task_name: {_quote(node)}")

    def _mapping(self, node: yaml.MappingNode, where: _Where) -> Iterator[Step]:
        tag = node.tag
        if not _has_own_tag(node) or tag in RULES:
            yield from self._step(node, where)
        elif tag.startswith(_BRANCH):
            yield from self._branch(node, tag.removeprefix(_BRANCH), where)
        elif tag == _RUN_TYPE:
            yield from self._run_type(node, where)
        elif tag == _SWEEP:
            yield from self._sweep(node, where)
        else:
            self._refuse_tag(node, "a task")
            # Its steps are checked as if the tag were not there.
            tuple(self._mapping(_retagged(node, _STANDARD + "map"), replace(where, live=False)))

    def _step(self, node: yaml.MappingNode, where: _Where) -> Iterator[Step]:
        rule = RULES.get(node.tag, TriggerRule.ALL_SUCCESS)
        fields = self._fields(node, _STEP_KEYS)
        if where.live and node.tag in RULES:
            self._warn_of_rule(node, rule, where)
        name = self._task_name(node, fields)
        below = self._next(node, fields, where)
        step = Step(
            task_name=name,
            rule=rule,
            slurm_params=self._slurm_params(fields),
            place=place_of(node, self.path),
            next=below,
            id=self._id(fields),
            needs=self._needs(fields),
            run_dependent=self._is_run_dependent(fields),
            count=1 + sum(each.count for each in below),
        )
        if name:
            yield step

    def _warn_of_rule(self, node: yaml.Node, rule: TriggerRule, where: _Where) -> None:
        if where.is_root and rule is not TriggerRule.ALWAYS:
            message = f"the rule {node.tag!r} is ignored: a first task starts at once"
            self._warn("rule_ignored", message, node, "remove it")
        elif where.in_branch and not where.is_root and rule not in _ON_SUCCESS:
            message = f"the rule {node.tag!r} counts here; LUTE itself loses it inside a branch"
            self._warn("rule_in_branch", message, node)

    def _sweep(self, node: yaml.MappingNode, where: _Where) -> Iterator[Step]:
        fields = self._fields(node, _SWEEP_KEYS)
        name = self._task_name(node, fields)
        sweep = self._matrix(node, fields)
        below = self._next(node, fields, where)
        slurm_params = self._slurm_params(fields)
        if name and sweep:
            yield Step(
                task_name=name,
                rule=TriggerRule.ALL_SUCCESS,
                slurm_params=slurm_params,
                place=place_of(node, self.path),
                next=below,
                sweep=sweep,
                id=self._id(fields),
                needs=self._needs(fields),
                run_dependent=self._is_run_dependent(fields),
                count=sweep.size * (1 + sum(each.count for each in below)),
            )

    def _matrix(self, node: yaml.MappingNode, fields: Mapping[str, Item]) -> Sweep | None:
        item = fields.get("param_matrix")
        if item is None:
            message = "a sweep needs 'param_matrix'"
            self._error("missing_key", message, node, "write param_matrix: {name: [1, 2]}")
            return None
        if not isinstance(item.value, yaml.MappingNode):
            message = f"'param_matrix' is a map of lists, not {describe(item.value)}"
            self._error("wrong_type", message, item.value, "write param_matrix: {name: [1, 2]}")
            return None
        columns: dict[str, list[Any]] = {}
        for column in mapping_items(item.value, self.path, self.problems):
            values = self._column(column)
            if values is not None:
                columns[column.key] = values
        zipped = self._flag(fields.get("zip"))
        lengths = {name: len(values) for name, values in columns.items()}
        if zipped and len(set(lengths.values())) > 1:
            told = ", ".join(f"{shorten(name, 30)}: {size}" for name, size in lengths.items())
            message = f"with 'zip' all lists must be equally long; they are {told}"
            self._error("unequal_lengths", message, item.value)
            return None
        size = max(lengths.values(), default=1) if zipped else math.prod(lengths.values())
        return Sweep(columns, zipped, size)

    def _column(self, column: Item) -> list[Any] | None:
        node = column.value
        name = shorten(column.key)
        if not isinstance(node, yaml.SequenceNode):
            message = f"the values of {name!r} are a list, not {describe(node)}"
            self._error("wrong_type", message, node, f"write {name}: [{_quote(node)}]")
            return None
        if not node.value:
            message = f"the list of {name!r} is empty, so the sweep would have no task"
            self._error("empty_parameter", message, node, "give it a value, or remove the sweep")
            return None
        return [json_value(item, self.path, self.problems) for item in node.value]

    def _branch(self, node: yaml.MappingNode, fact: str, where: _Where) -> Iterator[Step]:
        chosen = self._truth(node, fact, where)
        items = list(mapping_items(node, self.path, self.problems))
        others = [item for item in items if item.key != fact]
        if len(others) > 1 or len(others) == len(items):
            keys = ", ".join(repr(shorten(item.key, 30)) for item in items) or "none"
            message = f"'{node.tag}' chooses between {fact!r} and one other key; here are {keys}"
            hint = did_you_mean(fact, [item.key for item in items])
            self._error("bad_branch", message, node, hint and f"{hint} Write {fact!r}.")
            chosen = None
        elif chosen is False and not others and where.live:
            message = f"{fact} is false, and the branch says nothing for that: no task comes of it"
            self._warn("no_branch", message, node)
        for item in items:
            is_chosen = chosen is not None and (item.key == fact) is chosen
            inner = replace(where, live=where.live and is_chosen, in_branch=True)
            steps = self._items(item.value, inner)
            if is_chosen:
                yield from steps

    def _truth(self, node: yaml.Node, fact: str, where: _Where) -> bool | None:
        """Return whether the fact holds; an unknown one is an error where it is needed."""
        if not where.live:
            return None
        given = self.facts.get(fact)
        if given is None:
            message = f"this branch depends on {fact!r}, which is not known"
            hint = f"say it with --set {fact}=true or --set {fact}=false"
            near = did_you_mean(fact, ["daq2"]) if fact not in ("daq2", *self.facts) else ""
            self._error("unknown_fact", message, node, f"{hint}; {near}" if near else hint)
            return None
        truth = _YES_NO.get(given.lower())
        if truth is None:
            message = f"{fact} is {shorten(given)!r}; a branch needs true or false"
            hint = f"write --set {fact}=true or --set {fact}=false"
            self._error("bad_fact", message, node, hint)
        return truth

    def _run_type(self, node: yaml.MappingNode, where: _Where) -> Iterator[Step]:
        items = list(mapping_items(node, self.path, self.problems))
        run_type = self.facts.get("run_type")
        if run_type is None and where.live:
            named = [item.key.removeprefix("NOT_") for item in items] or ["DATA"]
            message = "the tasks depend on 'run_type', which is not known"
            hint = " or ".join(f"--set run_type={name}" for name in dict.fromkeys(named[:4]))
            self._error("unknown_fact", message, node, f"say it with {hint}")
        matched = False
        for item in items:
            fits = run_type is not None and _fits(item.key, run_type)
            matched = matched or fits
            steps = self._items(item.value, replace(where, live=where.live and fits))
            if fits:
                yield from steps
        if where.live and run_type is not None and not matched:
            told = ", ".join(shorten(item.key, 30) for item in items) or "none"
            message = f"run type {shorten(run_type)!r} fits no entry: no task comes of it"
            self._warn("no_branch", message, node, f"entries: {told}; case matters")

    def _fields(self, node: yaml.MappingNode, known: tuple[str, ...]) -> dict[str, Item]:
        fields: dict[str, Item] = {}
        for item in mapping_items(node, self.path, self.problems):
            if item.key in known:
                fields[item.key] = item
                continue
            hint = did_you_mean(item.key, known)
            if isinstance(item.value, yaml.ScalarNode):
                # LUTE passes over these, so files with them run there.
                message = f"the key {shorten(item.key)!r} is not known and passed over"
                self._warn("unknown_key", message, item.key_node, hint)
            else:
                message = f"unknown key {shorten(item.key)!r}"
                hint = hint or f"known keys: {', '.join(known)}; tasks stand under 'next'"
                self._error("unknown_key", message, item.key_node, hint)
        return fields

    def _is_run_dependent(self, fields: Mapping[str, Item]) -> bool:
        item = fields.get("run_dependent")
        return item is None or self._flag(item)

    def _id(self, fields: Mapping[str, Item]) -> str:
        """Return the name under which other steps may wait for this one."""
        item = fields.get("id")
        if item is None:
            return ""
        name = text_of(item.value, "id", self.path, self.problems) or ""
        if name and (len(name) > _LONGEST_NAME or not _NAME.fullmatch(name)):
            message = f"{shorten(name)!r} cannot be an id"
            hint = f"use letters, digits, '_', '.' and '-', at most {_LONGEST_NAME} in all"
            self._error("bad_name", message, item.value, hint)
            return ""
        if self.ids.setdefault(name, item.value) is not item.value:
            message = f"the id {name!r} is taken (line {self.ids[name].start_mark.line + 1})"
            self._error("duplicate_id", message, item.value, "an id names one step; choose another")
        return name

    def _needs(self, fields: Mapping[str, Item]) -> tuple[Need, ...]:
        item = fields.get("needs")
        if item is None:
            return ()
        if not isinstance(item.value, yaml.SequenceNode):
            message = f"'needs' is a list of ids, not {describe(item.value)}"
            self._error("wrong_type", message, item.value, f"write needs: [{_quote(item.value)}]")
            return ()
        found = []
        for node in item.value.value:
            name = text_of(node, "an id in 'needs'", self.path, self.problems)
            if name:
                found.append(Need(name, place_of(node, self.path)))
        return tuple(found)

    def _task_name(self, node: yaml.Node, fields: Mapping[str, Item]) -> str:
        item = fields.get("task_name")
        if item is None:
            message = "a task needs 'task_name'"
            self._error("missing_key", message, node, "write task_name: Tester")
            return ""
        name = text_of(item.value, "task_name", self.path, self.problems)
        if name is None:
            return ""
        if len(name) > _LONGEST_NAME or not _NAME.fullmatch(name):
            message = f"{shorten(name)!r} cannot be the name of a managed Task"
            hint = f"use letters, digits, '_', '.' and '-', at most {_LONGEST_NAME} in all"
            self._error("bad_name", message, item.value, hint)
            return ""
        return name

    def _slurm_params(self, fields: Mapping[str, Item]) -> str:
        item = fields.get("slurm_params")
        if item is None or item.value.tag == _STANDARD + "null":
            return ""
        return text_of(item.value, "slurm_params", self.path, self.problems) or ""

    def _next(self, node: yaml.Node, fields: Mapping[str, Item], where: _Where) -> tuple[Step, ...]:
        item = fields.get("next")
        if item is None or item.value.tag == _STANDARD + "null":
            if where.live:
                message = "a task without 'next' is taken as a last one; LUTE itself refuses it"
                self._warn("no_next", message, item.value if item else node, "write next: []")
            return ()
        inner = _Where(live=where.live, is_root=False)
        return self._items(item.value, inner)

    def _flag(self, item: Item | None) -> bool:
        if item is None:
            return False
        truth = _YES_NO.get(str(getattr(item.value, "value", "")).lower())
        if truth is None or item.value.tag != _STANDARD + "bool":
            message = f"{item.key!r} is true or false, not {_quote(item.value)}"
            self._error("wrong_type", message, item.value)
        return bool(truth)

    def _refuse_tag(self, node: yaml.Node, what: str) -> None:
        hint = did_you_mean(node.tag, _TAGS)
        if node.tag in _TAGS:
            message = f"the tag {node.tag!r} cannot stand on {what} here"
            hint = "a rule stands on one task" if node.tag in RULES else ""
        else:
            message = f"unknown tag {shorten(node.tag)!r}"
        hint = hint or f"known tags: {', '.join(_TAGS)}"
        self._error("unknown_tag", message, node, hint)

    def _error(self, code: str, message: str, node: yaml.Node, hint: str = "") -> None:
        self.problems.append(Problem(code, message, place_of(node, self.path), hint))

    def _warn(self, code: str, message: str, node: yaml.Node, hint: str = "") -> None:
        place = place_of(node, self.path)
        self.problems.append(Problem(code, message, place, hint, Severity.WARNING))


def _fits(entry: str, run_type: str) -> bool:
    """Return whether an entry of a run type node holds for the run.

    Examples
    --------
    >>> _fits("DATA", "DATA"), _fits("NOT_DARK", "DATA"), _fits("NOT_DATA", "DATA")
    (True, True, False)
    """
    if entry.startswith("NOT_"):
        return entry.removeprefix("NOT_") != run_type
    return entry == run_type


def _has_own_tag(node: yaml.Node) -> bool:
    return not node.tag.startswith(_STANDARD)


def _retagged(node: Node, tag: str) -> Node:
    return type(node)(tag, node.value, node.start_mark, node.end_mark)


def _quote(node: yaml.Node) -> str:
    return shorten(node.value, 40) if isinstance(node, yaml.ScalarNode) else describe(node)
