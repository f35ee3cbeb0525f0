"""The environment that a Task gets: changes to variables, and scripts that set it up."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from segue.lute.task import STAGED_PREFIX
from segue.model.errors import UserError

#: How long a script of a set-up may take, in seconds.
SCRIPT_LIMIT_S: Final = 120.0


class How(StrEnum):
    """How a change meets the value that is there."""

    PREPEND = "prepend"
    APPEND = "append"
    OVERWRITE = "overwrite"


@dataclass(frozen=True, slots=True)
class EnvironmentChange:
    """A variable's new value; `how` matters for lists of folders such as PATH."""

    name: str
    value: str
    how: How = How.OVERWRITE


def changed(environment: Mapping[str, str], changes: Sequence[EnvironmentChange]) -> dict[str, str]:
    """Return the environment with the changes made, in order.

    Examples
    --------
    >>> changed({"PATH": "/bin"}, [EnvironmentChange("PATH", "/opt/bin", How.PREPEND)])
    {'PATH': '/opt/bin:/bin'}
    """
    result = dict(environment)
    for change in changes:
        there = result.get(change.name, "")
        match change.how:
            case How.OVERWRITE:
                result[change.name] = change.value
            case How.PREPEND:
                result[change.name] = f"{change.value}:{there}" if there else change.value
            case How.APPEND:
                result[change.name] = f"{there}:{change.value}" if there else change.value
    return result


def staged(script: str, environment: Mapping[str, str]) -> dict[str, str]:
    """Return what a script exports when it is sourced, staged for the Task.

    Only the Task gets these variables, not the Executor's Python, which they may not fit.

    Raises
    ------
    UserError
        If the script fails or does not end.
    """
    text = 'source "$0" >&2 && env -0'
    try:
        done = subprocess.run(
            ["bash", "-c", text, script],
            env=dict(environment),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            timeout=SCRIPT_LIMIT_S,
            check=True,
        )
    except subprocess.TimeoutExpired as error:
        message = f"the script {script} has not ended after {SCRIPT_LIMIT_S:g} s"
        raise UserError(message, "it is sourced before the Task; it must not wait") from error
    except subprocess.CalledProcessError as error:
        message = f"the script {script} ended with {error.returncode}"
        raise UserError(message, "it is sourced before the Task; see what it printed") from error
    found = {}
    for line in done.stdout.split(b"\0"):
        name, sign, value = line.partition(b"=")
        if sign and os.fsdecode(name) not in ("_", "SHLVL", "PWD", "OLDPWD"):
            found[os.fsdecode(name)] = os.fsdecode(value)
    return {
        f"{STAGED_PREFIX}{name}": value
        for name, value in found.items()
        if environment.get(name) != value and not name.startswith(STAGED_PREFIX)
    }
