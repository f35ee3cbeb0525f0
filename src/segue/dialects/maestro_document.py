"""The grammar of a Maestro study: YAML nodes to a `Study`, with all that is wrong in them.

Section 1 of the specification. Knows nothing of tokens but their look.
"""

from __future__ import annotations

from typing import Any, Final

import yaml

from segue.dialects.maestro_checks import Checks
from segue.dialects.maestro_env import read_environment
from segue.dialects.maestro_steps import read_steps
from segue.dialects.maestro_study import Environment, Parameter, Study
from segue.dialects.yaml_text import describe, plain
from segue.model.errors import did_you_mean, shorten
from segue.model.location import Place

TOP_KEYS: Final = ("description", "env", "batch", "study", "global.parameters")
BATCH_TYPES: Final = ("local", "slurm", "lsf", "flux")
BATCH_KEYS: Final = (
    *("type", "shell", "host", "bank", "queue", "nodes", "procs", "reservation", "qos", "gpus"),
    *("walltime", "args", "version", "uri", "flux_uri", "allocation_args", "launcher_args"),
)


def read_study(root: yaml.Node, checks: Checks) -> Study | None:
    """Return the study, or None when its outline is not there; problems go into `checks`."""
    checks.values(root)
    fields = checks.fields(root, "the study", TOP_KEYS, ("description", "study"), tolerant=True)
    if fields is None:
        return None
    _warn_of_ignored(root, checks)
    name, description, place = _description(fields.get("description"), root, checks)
    environment = Environment()
    if "env" in fields:
        environment = read_environment(fields["env"], checks)
    batch = _batch(fields.get("batch"), checks)
    steps = read_steps(fields["study"], checks) if "study" in fields else ()
    parameters: tuple[Parameter, ...] = ()
    if "global.parameters" in fields:
        parameters = _parameters(fields["global.parameters"], checks)
    batch_place = checks.place(fields["batch"]) if "batch" in fields else None
    return Study(
        name, description, place, environment, batch, batch_place, tuple(steps), parameters
    )


def _warn_of_ignored(root: yaml.Node, checks: Checks) -> None:
    for name, (key, _) in checks.entries_silently(root).items():
        if name not in TOP_KEYS:
            hint = did_you_mean(name, TOP_KEYS) or f"known keys: {', '.join(TOP_KEYS)}"
            message = f"the section {shorten(name)!r} is ignored, as Maestro does"
            checks.warn(key, "ignored_key", message, hint)


def _description(node: yaml.Node | None, root: yaml.Node, checks: Checks) -> tuple[str, str, Place]:
    if node is None:
        return "", "", checks.place(root)
    known = ("name", "description")
    fields = checks.fields(node, "description", known, known, tolerant=True) or {}
    name = checks.text(fields.get("name"), "the study's name")
    text = checks.text(fields.get("description"), "the study's description")
    place = checks.place(fields.get("name", node))
    if name and "/" in name:
        message = f"the study's name {shorten(name)!r} holds a '/', which becomes '_' in file names"
        checks.warn(place, "slash_in_name", message)
    return name or "", text or "", place


def _batch(node: yaml.Node | None, checks: Checks) -> dict[str, Any]:
    if node is None or plain(node) is None:
        return {}
    fields = checks.fields(node, "batch", BATCH_KEYS, tolerant=True)
    if fields is None:
        return {}
    for name, (key, _) in checks.entries_silently(node).items():
        if name not in BATCH_KEYS:
            hint = did_you_mean(name, BATCH_KEYS) or f"known keys: {', '.join(BATCH_KEYS)}"
            checks.warn(key, "ignored_key", f"{shorten(name)!r} in batch is ignored", hint)
    values = {name: plain(value) for name, value in fields.items()}
    kind = values.get("type", "local")
    if kind not in BATCH_TYPES:
        hint = f"known types: {', '.join(BATCH_TYPES)}"
        if isinstance(kind, str):
            hint = did_you_mean(kind.lower(), BATCH_TYPES) or hint
        message = f"the batch type {shorten(str(kind))!r} is not known"
        checks.refuse(fields["type"], "unknown_batch_type", message, hint)
    shell = values.get("shell", "/bin/bash")
    if not isinstance(shell, str) or not shell.strip() or "\n" in shell:
        hint = "write the path of a program, such as /bin/bash"
        checks.refuse(fields["shell"], "bad_shell", "batch.shell must be one line of text", hint)
    if kind in ("slurm", "lsf"):
        for name in ("bank", "queue"):
            if name not in values:
                message = f"batch has no {name!r}; Maestro refuses to start such a study"
                hint = f"add '{name}: ...' unless your site has a default"
                checks.warn(node, "missing_batch_key", message, hint)
    return values


def _parameters(node: yaml.Node, checks: Checks) -> tuple[Parameter, ...]:
    if not isinstance(node, yaml.MappingNode):
        message = f"global.parameters must be a map, not {describe(node)}"
        checks.refuse(node, "wrong_type", message, "remove the section, or name a parameter")
        return ()
    found = []
    for name, (key, value) in checks.entries(node).items():
        parameter = _parameter(name, key, value, checks)
        if parameter:
            found.append(parameter)
    return tuple(found)


def _parameter(name: str, key: yaml.Node, node: yaml.Node, checks: Checks) -> Parameter | None:
    section = f"global.parameters.{name}"
    fields = checks.fields(node, section, ("values", "label"), ("values", "label"))
    if fields is None:
        return None
    label = checks.text(fields.get("label"), f"the label of {name!r}")
    values = fields.get("values")
    if values is None:
        return None
    if not isinstance(values, yaml.SequenceNode):
        message = f"the values of {name!r} must be a list, not {describe(values)}"
        checks.refuse(values, "wrong_type", message, "write [...] around it")
        return None
    checks.trapped(values, f"parameter {name!r}")
    if label is None:
        return None
    items = tuple(plain(values))
    if not items:
        checks.warn(values, "no_values", f"parameter {name!r} has no values: its steps vanish")
    if "%%" not in label and len(items) > 1:
        message = f"the label of {name!r} has no '%%': all its values become one instance"
        checks.warn(fields["label"], "label_without_value", message, "write '%%' for the value")
    return Parameter(name, items, label, checks.place(values))
