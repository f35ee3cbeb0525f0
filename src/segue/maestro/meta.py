"""The files in a study's ``meta`` folder, and ``batch.info``: what others read about a study.

All can be loaded by a safe YAML loader. The environment is kept by name only: a process's
whole environment holds secrets. Pure.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from segue.maestro.plain_yaml import to_yaml
from segue.model.workflow import Barrier, Task

SOURCE: Final = "_source"
#: The names of variables that are kept.
KEPT_VARIABLES: Final = frozenset(
    (
        *("PATH", "HOME", "USER", "LOGNAME", "SHELL", "HOSTNAME", "PWD", "TZ", "TERM"),
        *("LANG", "LANGUAGE", "VIRTUAL_ENV", "CONDA_PREFIX", "CONDA_DEFAULT_ENV"),
        *("LD_LIBRARY_PATH", "PYTHONPATH", "MODULEPATH", "LOADEDMODULES", "OMP_NUM_THREADS"),
    )
)
#: And those that begin like this: what a batch system says about the place.
KEPT_BEGINNINGS: Final = ("LC_", "SLURM_", "LSB_", "FLUX_")
#: Unless the name speaks of a secret, as SLURM_JWT does.
SECRET_WORDS: Final = (
    *("JWT", "TOKEN", "SECRET", "PASS", "KEY", "CRED", "AUTH", "COOKIE", "SESSION", "CERT"),
)


def environment_text(environment: Mapping[str, str]) -> str:
    r"""Return ``meta/environment.yaml``: the variables that are known to be harmless.

    Examples
    --------
    >>> environment_text({"HOME": "/home/me", "SLURM_JWT": "x", "MY_TOKEN": "y"})
    'HOME: /home/me\n'
    """
    kept = {name: environment[name] for name in sorted(environment) if _harmless(name)}
    return to_yaml(kept)


def _harmless(name: str) -> bool:
    if name in KEPT_VARIABLES:
        return True
    secret = any(word in name.upper() for word in SECRET_WORDS)
    return name.startswith(KEPT_BEGINNINGS) and not secret


def batch_text(batch: Mapping[str, Any]) -> str:
    """Return ``batch.info``: the study's section `batch`, with the type that it has by default."""
    return to_yaml({"type": "local", **batch})


def metadata_text(tasks: Sequence[Task], barriers: Sequence[Barrier], workspace: str) -> str:
    """Return ``meta/metadata.yaml``: steps, their needs, instances and parameters.

    A step that needs several instances of another one is listed under `hub_dependencies`,
    as a funnel (`depends: [step_*]`) is there.
    """
    steps = _steps(tasks, barriers)
    value = {
        "dependencies": {SOURCE: set()} | {name: step.plain for name, step in steps.items()},
        "hub_dependencies": {SOURCE: set()} | {name: step.hubs for name, step in steps.items()},
        "step_combinations": {SOURCE: workspace}
        | {name: step.instances for name, step in steps.items()},
        "used_parameters": {SOURCE: set()}
        | {name: step.parameters for name, step in steps.items()},
        "workspaces": {SOURCE: workspace}
        | {task.name: task.workdir or "" for task in sorted(tasks, key=lambda task: task.name)},
    }
    return to_yaml(value)


class _Step:
    """One step as `metadata.yaml` tells of it."""

    def __init__(self) -> None:
        self.plain: set[str] = set()
        self.hubs: set[str] = set()
        self.parameters: set[str] = set()
        self.instances: dict[str, str] = {}


def _steps(tasks: Sequence[Task], barriers: Sequence[Barrier]) -> dict[str, _Step]:
    step_of = {task.name: task.template or task.name for task in tasks}
    behind = {barrier.name: {step_of[need] for need in barrier.needs} for barrier in barriers}
    found: dict[str, _Step] = {}
    for task in sorted(tasks, key=lambda task: task.name):
        step = found.setdefault(step_of[task.name], _Step())
        step.instances[task.name] = task.workdir or ""
        step.parameters.update(task.parameters)
        seen: set[str] = set()
        for need in task.needs:
            if need in behind:
                step.hubs |= behind[need]
                continue
            name = step_of[need]
            (step.hubs if name in seen else step.plain).add(name)
            seen.add(name)
    for step in found.values():
        step.plain -= step.hubs
    return dict(sorted(found.items()))


def parameters_text(parameters: Sequence[Mapping[str, Any]]) -> str:
    """Return ``meta/parameters.yaml``: labels and values of each combination.

    `parameters` holds for each parameter its `name`, and lists of `values` and `labels`.

    Examples
    --------
    >>> columns = [{"name": "S", "values": [1, 2], "labels": ["S.1", "S.2"]}]
    >>> print(parameters_text(columns).splitlines()[0:5])
    ['S.1:', '  labels:', '    "$(S.label)": S.1', '  params:', '    "$(S)": 1']
    """
    found = {}
    for index in range(min((len(each["values"]) for each in parameters), default=0)):
        labels = {f"$({each['name']}.label)": each["labels"][index] for each in parameters}
        values = {f"$({each['name']})": each["values"][index] for each in parameters}
        found[".".join(labels.values())] = {"labels": labels, "params": values}
    return to_yaml(found)


def written_parameters(section: Any) -> list[dict[str, Any]]:
    """Return the columns of a study's `global.parameters`, given as YAML reads it.

    Examples
    --------
    >>> written_parameters({"S": {"values": [1], "label": "S.%%"}})
    [{'name': 'S', 'values': [1], 'labels': ['S.1']}]
    """
    if not isinstance(section, Mapping):
        return []
    return [
        {
            "name": str(name),
            "values": list(each["values"]),
            "labels": [str(each["label"]).replace("%%", str(value)) for value in each["values"]],
        }
        for name, each in section.items()
    ]
