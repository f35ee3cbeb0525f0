"""How a Task has ended, and with what: the values that travel from a Task to its Executor."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

#: The key that marks plots among a summary's JSON values.
_PLOTS: Final = "segue:plots"


class TaskStatus(StrEnum):
    """How far a Task has come, in the words that LUTE's users and Servers read."""

    PENDING = "PENDING"
    RUNNING = "RUNNING"
    COMPLETED = "COMPLETED"
    FAILED = "FAILED"
    STOPPED = "STOPPED"
    CANCELLED = "CANCELLED"
    TIMEDOUT = "TIMEDOUT"


@dataclass(frozen=True, slots=True)
class SummaryPlots:
    """A page of plots for the electronic logbook's summary of a run."""

    display_name: str
    html: str


@dataclass(frozen=True, slots=True)
class TaskResult:
    """What a Task returns.

    Attributes
    ----------
    summary
        A sentence for people, or a map of names and values for the electronic logbook, or
        plots for it.
    payload
        What others need: the path of a file, a number. A JSON value.
    impl_schemas
        The form that the payload keeps to, by name.
    """

    summary: Any = ""
    payload: Any = ""
    impl_schemas: str | None = None
    task_status: TaskStatus = TaskStatus.COMPLETED

    def as_json(self) -> dict[str, Any]:
        """Return the result as a JSON object."""
        return {
            "summary": _summary_to_json(self.summary),
            "payload": self.payload,
            "impl_schemas": self.impl_schemas,
            "task_status": self.task_status.value,
        }

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> TaskResult:
        """Return the result that `as_json` wrote."""
        return cls(
            _summary_from_json(value.get("summary", "")),
            value.get("payload", ""),
            value.get("impl_schemas"),
            TaskStatus(value.get("task_status", TaskStatus.COMPLETED)),
        )


def _summary_to_json(summary: Any) -> Any:
    if isinstance(summary, SummaryPlots):
        return {_PLOTS: [summary.display_name, summary.html]}
    if isinstance(summary, list | tuple):
        return [_summary_to_json(each) for each in summary]
    return summary


def _summary_from_json(value: Any) -> Any:
    if isinstance(value, dict) and _PLOTS in value:
        return SummaryPlots(*map(str, value[_PLOTS]))
    if isinstance(value, list):
        return [_summary_from_json(each) for each in value]
    return value
