"""From instances to tasks: texts filled in, resources, needs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from segue.dialects.maestro_checks import Checks, json_value
from segue.dialects.maestro_expansion import TEXT_KEYS, Instance, Needs, Node, submit_order
from segue.dialects.maestro_launcher import LauncherError, is_exclusive
from segue.dialects.maestro_names import file_name
from segue.dialects.maestro_script import (
    asks_for_processes,
    is_scheduled,
    output_names,
    script_name,
    script_text,
    shell_of,
)
from segue.dialects.maestro_tokens import Combinations, Replacement, references, replace_all
from segue.dialects.maestro_walltime import walltime_s
from segue.model.errors import shorten
from segue.model.parameters import map_strings
from segue.model.workflow import EMPTY, NO_RESOURCES, Barrier, Resources, Script, Task

#: Keys of `run` that have a field of their own in `Task` or `Resources`.
_OWN_FIELD: Final = frozenset(
    (*TEXT_KEYS, "depends", "nodes", "procs", "cores per task", "gpus", "reservation", "qos")
)
_COUNTS: Final = ("nodes", "procs", "cores per task", "gpus")


@dataclass(slots=True)
class Builder:
    """Makes the tasks of a study whose graph is known to be sound."""

    nodes: Mapping[str, Node]
    combinations: Combinations
    batch: Mapping[str, Any]
    workspace: str
    checks: Checks
    needs: Needs
    #: Do as Maestro does where its users may depend on what we take for a fault.
    strict: bool = False
    _replacements: dict[int, list[Replacement]] = field(default_factory=dict)
    _owners: dict[str, str] = field(default_factory=dict)
    _workdirs: dict[str, str] = field(default_factory=dict)
    _reported: set[tuple[str, str]] = field(default_factory=set)

    def tasks(self) -> list[Task]:
        """Return the tasks, those of a step together."""
        return [task for name in submit_order(self.nodes) for task in self._of(self.nodes[name])]

    def barriers(self) -> tuple[Barrier, ...]:
        """Return the barriers that the tasks made so far need."""
        return tuple(self.needs.barriers.values())

    def _of(self, node: Node) -> Iterator[Task]:
        for instance in node.instances:
            owner = self._owners.setdefault(instance.name, node.step.name)
            if owner != node.step.name:
                message = (
                    f"an instance of step {shorten(node.step.name)!r} and one of "
                    f"{shorten(owner)!r} are both named {shorten(instance.name)!r}"
                )
                self._refuse(node, "name", "duplicate_task", message, "rename one of the steps")
                return
            yield self._task(node, instance)

    def _task(self, node: Node, instance: Instance) -> Task:
        texts = self._filled(node, instance)
        run: dict[str, Any] = texts["run"]
        description = texts["description"]
        for key in TEXT_KEYS:
            if key in run:
                run[key] = self._with_workspaces(run[key], node, instance)
        scheduled = is_scheduled(run, self.batch)
        if scheduled:
            self._check_counts(node, run)
        return Task(
            name=instance.name,
            action=self._script(node, instance, run, "cmd", description) or Script(""),
            template=node.step.name,
            needs=self.needs.of(node, instance),
            parameters=self._parameters(node, instance),
            restart=self._script(node, instance, run, "restart", description),
            resources=self._resources(run, scheduled),
            options=self._options(instance, run),
            workdir=instance.workdir,
            output=output_names(instance.nickname, self._batch_system if scheduled else ""),
            pool="local" if self._batch_system and not scheduled else "",
            description=description,
            place=node.step.place,
        )

    @property
    def _batch_system(self) -> str:
        kind = str(self.batch.get("type", "local"))
        return "" if kind == "local" else kind

    def _filled(self, node: Node, instance: Instance) -> dict[str, Any]:
        """Return the step's texts with the values of the instance's combination."""
        if not node.used:
            return {**node.texts, "run": dict(node.texts["run"])}
        index = instance.combination
        made = self._replacements.get(index)
        if made is None:
            made = self._replacements[index] = self.combinations.replacements(index)
        filled = map_strings(node.texts, lambda text: replace_all(text, made))
        assert isinstance(filled, dict)
        return filled

    def _with_workspaces(self, text: str, node: Node, instance: Instance) -> str:
        if "$(" not in text:
            return text
        parts = []
        done = 0
        for each in references(text, self.nodes):
            if each.name in self.nodes:
                parts += [text[done : each.start], self._workspace_of(each.name, node, instance)]
                done = each.end
        text = "".join(parts) + text[done:]
        return text.replace("$(WORKSPACE)", f"{self.workspace}/{instance.workdir}")

    def _workspace_of(self, name: str, node: Node, instance: Instance) -> str:
        other = self.nodes[name]
        if name in node.funnels or not other.used:
            return f"{self.workspace}/{other.root}"
        return f"{self.workspace}/{other.at(instance.combination).workdir}"

    def _script(
        self, node: Node, instance: Instance, run: dict[str, Any], key: str, description: str
    ) -> Script | None:
        if key not in run:
            return None
        try:
            text = script_text(
                run[key], run, self.batch, instance.nickname, description, self.strict
            )
        except LauncherError as error:
            message = f"step {shorten(node.step.name)!r}: {error}"
            hint = "write $(LAUNCHER)[2p] or $(LAUNCHER)[1n, 2p] within the step's nodes and procs"
            self._refuse(node, key, "bad_launcher", message, hint)
            return None
        return Script(text, shell_of(self.batch), self._file(instance, key == "restart"))

    def _file(self, instance: Instance, restart: bool) -> str:
        """Return the script's name in its workspace; empty where that is another's too.

        Instances that share a workspace may give their files one name, and one would
        run the other's script.
        """
        if (
            not self.strict
            and self._workdirs.setdefault(instance.workdir, instance.name) != instance.name
        ):
            return ""
        return script_name(file_name(instance.nickname), self.batch, restart)

    def _parameters(self, node: Node, instance: Instance) -> Mapping[str, Any]:
        if not node.used:
            return EMPTY
        return {
            each.name: json_value(each.values[instance.combination])
            for each in self.combinations.parameters
            if each.name in node.used
        }

    def _resources(self, run: Mapping[str, Any], scheduled: bool) -> Resources:
        if not scheduled and len(run.keys() - {*TEXT_KEYS, "depends"}) == 0:
            return NO_RESOURCES
        own = self.batch if scheduled else EMPTY
        exclusive = run.get("exclusive")
        return Resources(
            nodes=_count(run.get("nodes")),
            processes=_count(run.get("procs")) if self._asks_for_processes(run) else None,
            cores_per_process=_count(run.get("cores per task")),
            gpus=_count(run.get("gpus")),
            walltime_s=walltime_s(run.get("walltime", ""), self._batch_system or "slurm"),
            exclusive=None if exclusive is None else is_exclusive(exclusive, "allocation"),
            queue=_text(own.get("queue")),
            account=_text(own.get("bank")),
            reservation=_text(run.get("reservation") or own.get("reservation")),
            quality_of_service=_text(run.get("qos") or own.get("qos")),
        )

    def _asks_for_processes(self, run: Mapping[str, Any]) -> bool:
        return not self.strict or asks_for_processes(run, self.batch)

    def _options(self, instance: Instance, run: Mapping[str, Any]) -> Mapping[str, Any]:
        rest = {key: json_value(value) for key, value in run.items() if key not in _OWN_FIELD}
        if instance.nickname != instance.name:
            rest["nickname"] = instance.nickname
        return rest or EMPTY

    def _check_counts(self, node: Node, run: Mapping[str, Any]) -> None:
        for key in _COUNTS:
            value = run.get(key)
            if value is not None and _count(value) is None:
                message = f"{key} of step {shorten(node.step.name)!r} is {shorten(str(value))!r}"
                hint = "a batch system takes a whole number; is its token defined?"
                self._refuse(node, key, "not_a_number", message, hint)

    def _refuse(self, node: Node, key: str, code: str, message: str, hint: str) -> None:
        # One instance speaks for all: a thousand would repeat the same fault.
        if (node.step.name, key) not in self._reported:
            self._reported.add((node.step.name, key))
            place = node.step.places.get(key, node.step.place)
            self.checks.refuse(place, code, message, hint)


def _count(value: Any) -> int | None:
    text = str(value)
    return int(text) if text.isascii() and text.isdecimal() and len(text) < 10 else None


def _text(value: Any) -> str | None:
    return str(value) if value not in (None, "") else None
