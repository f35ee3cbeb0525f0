"""The bodies that `/api/v2` takes, in camelCase: what OpenAPI tells of them.

Every text in them is one that all stores can keep: without a NUL, and without half of a
pair of UTF-16.
"""

from __future__ import annotations

from typing import Annotated, Any, Final, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator
from pydantic.alias_generators import to_camel
from pydantic_core import PydanticCustomError


class Body(BaseModel):
    """Anything that is asked for; an unknown member is a mistake."""

    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True, extra="forbid")

    @model_validator(mode="after")
    def _can_be_kept(self) -> Self:
        check_texts(self._texts())
        return self

    def _texts(self) -> Any:
        return self.model_dump(exclude_unset=True)


def check_texts(value: Any) -> None:
    r"""Raise `ValueError` if a text in a JSON value cannot be stored.

    Examples
    --------
    >>> check_texts({"tags": {"a": "b"}})
    """
    left = [value]
    while left:
        each = left.pop()
        if isinstance(each, dict):
            left += [*each.keys(), *each.values()]
        elif isinstance(each, list):
            left += each
        elif isinstance(each, str):
            _check_text(each)


def _check_text(text: str) -> None:
    if "\0" in text:
        raise _not_text(text, "a text cannot hold a NUL")
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise _not_text(text, "half of a pair of UTF-16 is no text") from error


def _not_text(text: str, fault: str) -> PydanticCustomError:
    return PydanticCustomError(
        "not_text", "{text}: {fault}", {"text": ascii(text[:40]), "fault": fault}
    )


class Envelope(Body):
    """A document with what it is to be read with; `files` are put beside it."""

    document: str
    path: str = ""
    dialect: str = ""
    parameters: dict[str, str | int | float | bool | list[str | int | float]] = {}
    facts: dict[str, str | int | float | bool] = {}
    options: dict[str, Any] = {}
    files: dict[str, str] = {}
    pool: str = ""
    limit: Annotated[int, Field(ge=0, le=2**31 - 1)] | None = None
    priority: Annotated[int, Field(ge=-(2**31), le=2**31 - 1)] = 0
    tags: dict[str, str] = {}
    paused: bool = False
    name: str = ""

    def _texts(self) -> Any:
        # The names of files have rules of their own.
        return [super()._texts() | {"files": None}, *self.files.values()]


class Limits(Body):
    """Limits of a run; 0 is without limit."""

    limit: Annotated[int, Field(ge=0, le=2**31 - 1)] | None = None
    restart_limit: Annotated[int, Field(ge=0, le=2**31 - 1)] | None = None


class Reason(Body):
    """Why something is asked."""

    reason: Annotated[str, Field(max_length=2000)] = ""


class GivenReason(Body):
    """Why something is asked, which must be said."""

    reason: Annotated[str, Field(min_length=1, max_length=2000)]


#: So many tasks can be named in one request.
NAMES_AT_MOST: Final = 1000


class ManyTasks(Reason):
    """Tasks by name, at most 1,000, and why something is asked of them.

    Those that it would not change are left out; with `allOrNone` one such refuses all.
    """

    names: Annotated[list[str], Field(min_length=1, max_length=NAMES_AT_MOST)]
    all_or_none: bool = False


class ManyTasksWithReason(ManyTasks):
    """Tasks by name, at most 1,000, and why something is asked, which must be said."""

    reason: Annotated[str, Field(min_length=1, max_length=2000)]


class JobPatch(Body):
    """New members of a Daggy job."""

    command: list[str] | None = None
    command_string: str | None = None
    environment: dict[str, str | None] | None = None
    timeout: Annotated[float, Field(ge=0)] | None = None
    work_dir: str | None = None


class TaskPatch(Body):
    """What a task does from its next attempt on; what is absent stays as it is."""

    job: JobPatch | None = None
    command: Annotated[list[str], Field(min_length=1)] | None = None
    script: str | None = None
    environment: dict[str, str | None] | None = None
    timeout_seconds: Annotated[float, Field(ge=0)] | None = None
    max_retries: Annotated[int, Field(ge=0, le=1_000_000)] | None = None
    retry_interval_seconds: Annotated[float, Field(ge=0, le=1e9)] | None = None
    pool: str | None = None


class TaskRequeue(Body):
    """How a task is to run again."""

    only_failed: bool = True
    include_descendants: bool = False
    force: bool = False
    patch: dict[str, TaskPatch] = {}
    reason: Annotated[str, Field(max_length=2000)] = ""


class RunRequeue(TaskRequeue):
    """Which tasks are to run again, and how; no names: all that did not succeed."""

    tasks: list[str] | None = None
