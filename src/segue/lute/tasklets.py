"""Tasklets: small functions that the Executor calls before or after its Task.

What one needs of the Task's parameters is written into its arguments: ``{{ out_file }}``,
``{{ lute_config.run }}``. One that fails is told in the log, and fails nothing else.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any, Final

from segue.lute.config import number_of
from segue.lute.result import TaskResult

_TOKEN: Final = re.compile(r"\{\{\s*([\w.]+)\s*\}\}")


class When(StrEnum):
    """When a tasklet is called."""

    BEFORE = "before"
    AFTER = "after"


@dataclass(frozen=True, slots=True)
class Tasklet:
    """A function with its arguments; what it returns may become part of the result."""

    function: Callable[..., Any]
    arguments: tuple[Any, ...] = ()
    when: When = When.AFTER
    set_result: bool = False
    set_summary: bool = False


def filled(arguments: Sequence[Any], parameters: Mapping[str, Any]) -> list[Any]:
    """Return the arguments with the values of parameters in their texts.

    Raises
    ------
    KeyError
        If the Task has no such parameter.

    Examples
    --------
    >>> filled(["{{ lute_config.run }}", "r{{ a }}", 3], {"lute_config": {"run": 7}, "a": 1})
    [7, 'r1', 3]
    """
    return [_filled(each, parameters) if isinstance(each, str) else each for each in arguments]


def _filled(text: str, parameters: Mapping[str, Any]) -> Any:
    def value(match: re.Match[str]) -> str:
        found: Any = parameters
        for part in match[1].split("."):
            found = found[part]
        return str(found)

    return number_of(_TOKEN.sub(value, text))


def call_tasklets(
    tasklets: Sequence[Tasklet],
    when: When,
    parameters: Mapping[str, Any],
    result: TaskResult,
    say: Callable[[str], None],
) -> TaskResult:
    """Call those whose time has come, in order; return the result as they have changed it."""
    for tasklet in tasklets:
        if tasklet.when is not when:
            continue
        name = getattr(tasklet.function, "__name__", repr(tasklet.function))
        try:
            found = tasklet.function(*filled(tasklet.arguments, parameters))
        except Exception as error:
            # Code of users' own, beside the Task: it may fail in any way and the Task goes on.
            say(f"the tasklet {name} failed: {type(error).__name__}: {error}")
            continue
        if tasklet.set_result:
            result = replace(result, payload=found)
        if tasklet.set_summary:
            result = replace(result, summary=found)
    return result
