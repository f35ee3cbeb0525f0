"""What a dialect is: a reader for one family of workflow files.

A dialect turns text into a `Workflow` and knows neither engine nor store. It
collects *all* problems of a text before it raises one `WorkflowError`; each
error has a place (line and column within the user's file) and, where there is a
next thing to try, a hint. It reads files beside the text only where the dialect
itself says so (a dependency path), and runs nothing.

Dialects are found through the entry point group ``segue.dialects``: name ->
an object (or class without arguments) that fulfils `Dialect`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from segue.model.workflow import EMPTY, Growth, Workflow


@dataclass(frozen=True, slots=True)
class Source:
    """A text to read, and what the door knows about it.

    Attributes
    ----------
    path
        The file's name as the user wrote it; it heads every error message.
    directory
        Absolute path of the directory that the command was started in.
    facts
        What is known about the circumstances (``--set daq2=true``). A fact that a
        text asks for and that is not here is an error, never a guess.
    parameters
        Values that replace those of the text (``-p NAME=VALUE``).
    workspace
        Absolute path that the run will write into, if the user chose it.
    now
        The time, for names that hold it; seconds since the epoch.
    options
        Settings of single dialects, such as ``lute_command``, by name.
    """

    path: str
    text: str
    directory: str = "/"
    facts: Mapping[str, str] = EMPTY
    parameters: Mapping[str, str] = EMPTY
    workspace: str = ""
    now: float = 0.0
    options: Mapping[str, Any] = EMPTY


class Dialect(Protocol):
    """Reads one family of workflow files."""

    name: str

    def recognise(self, path: str, text: str) -> float:
        """Return how surely the text is of this dialect, from 0.0 (not) to 1.0.

        Decided by content alone, cheaply, and without raising: a text with faults
        is still recognised by what its author meant.
        """
        ...

    def read(self, source: Source) -> Workflow:
        """Return the workflow, its warnings inside; raise `WorkflowError` with all problems."""
        ...

    def grow(
        self,
        output: str,
        task: str,
        context: Mapping[str, Any],
        existing: Mapping[str, str],
    ) -> Growth:
        """Return the tasks that a generator printed.

        `task` is the generator's name, `context` is `Workflow.context`, `existing` maps
        each task name of the run to its template. Raise `WorkflowError` when the output
        cannot be used. A dialect without generators raises it always.
        """
        ...
