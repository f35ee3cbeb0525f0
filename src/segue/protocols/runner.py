"""What an engine and a runner say to each other: JSON over HTTP.

A runner is a daemon on another machine that runs single jobs for engines. It holds what it
runs in a spool of its own, so that its own death costs nothing but time. The engine keeps
the books of who has room; the runner keeps its own as well, and takes nothing that does
not fit, whoever asks.

The routes
----------
``GET /ready``
    ``{"ready": true}``, without a token.
``GET /api/v1/capacity``
    `Capacity`, see there.
``PUT /api/v1/tasks/{name}``
    Hands a job over. The name is `JobKey.name`, so that handing it over again is harmless:
    202 taken, 200 had it already, 409 no room now (``insufficient_capacity``), 422 it can
    never have it (``too_large``, ``bad_job``), 503 it takes nothing now (``stopping``,
    ``cannot_store``). A name that was ``returned`` may be handed over again. Body: `Order`.
``GET /api/v1/tasks?owner=O&after=N&wait=S``
    What has changed of this owner's jobs since number N: `Changes`. Waits up to S seconds
    for something to say, or for more room, and at the most for a third of the owner's
    shortest lease. That an owner asks here is what keeps its jobs alive.
``POST /api/v1/find``
    ``{"owner": O, "names": [...]}``: `Changes` with one entry a known name. These jobs are
    the owner's from now on: an engine has taken over from another.
``GET /api/v1/tasks/{name}``
    One `Told`.
``GET /api/v1/tasks/{name}/stdout?offset=N&limit=M`` and ``.../stderr``
    Bytes from there on, as they are, as far as there are any.
``DELETE /api/v1/tasks/{name}``
    Stops the job with all that it started; its end comes as any other. 202, or 404.
``POST /api/v1/acks``
    ``{"names": [...]}``: their ends are stored and their output fetched: forget them.
    ``{"forgotten": N}`` of them had ended.

Every refusal is ``{"code": ..., "message": ..., "hint": ...}``. Where the runner has a token,
all but ``/ready`` ask for ``Authorization: Bearer TOKEN``.

Leases
------
With each order the engine says for how long its job may live without anybody asking for it
(`Order.lease_s`). A runner whose owner has been silent for so long stops the job. If the
runner itself is dead, what holds its jobs stops them after the same time. So an engine that
has heard nothing for `lease_s`, and a little, knows that nothing of it is left, and may let
the job run elsewhere.

The runner counts from the arrival of the last question, so an engine counts from the last
one that it *sent*, heard or not. A little is `STOPPED_WITHIN_S`: what is stopped is asked
politely first.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Final, NamedTuple

from segue.model.definition import action_from_json, action_to_json
from segue.model.events import Ended, Usage
from segue.model.states import Cause
from segue.model.workflow import (
    EMPTY,
    Action,
    Argv,
    ManagedTask,
    Output,
    Resources,
    Script,
)
from segue.protocols.executor import Job, JobKey

#: Amounts of countable things by name: ``cores``, ``memory_mb``, ``gpus``, and any other.
Amounts = Mapping[str, int]

#: States of a job as a runner tells them.
TAKEN: Final = "taken"
RUNNING: Final = "running"
ENDED: Final = "ended"
#: It certainly never began, and never will.
RETURNED: Final = "returned"

#: A job whose lease is over is gone after so many seconds more.
STOPPED_WITHIN_S: Final = 15.0
_CAUSES: Final = frozenset(Cause)


def needs_of(resources: Resources) -> dict[str, int]:
    """Return what a job takes of a runner's capacity while it runs.

    Examples
    --------
    >>> needs_of(Resources(processes=2, cores_per_process=3, memory_mb=500))
    {'cores': 6, 'memory_mb': 500}
    >>> needs_of(Resources(gpus=1, other=MappingProxyType({"licences": 2})))
    {'cores': 1, 'gpus': 1, 'licences': 2}
    """
    needs = {"cores": (resources.processes or 1) * (resources.cores_per_process or 1)}
    if resources.memory_mb:
        needs["memory_mb"] = resources.memory_mb
    if resources.gpus:
        needs["gpus"] = resources.gpus
    return needs | {name: amount for name, amount in resources.other.items() if amount}


def fits(needs: Amounts, room: Amounts) -> bool:
    """Return whether there is room for the needs.

    Examples
    --------
    >>> fits({"cores": 2}, {"cores": 4}), fits({"cores": 1, "gpus": 1}, {"cores": 4})
    (True, False)
    """
    return all(amount <= room.get(name, 0) for name, amount in needs.items())


@dataclass(frozen=True, slots=True)
class Capacity:
    """What a runner has.

    Attributes
    ----------
    total, free
        Amounts by name. What is not named is not there.
    enforced
        A job that takes more memory than it asked for is stopped.
    boot_id
        Another one for every start of the daemon: the numbers of changes begin anew.
    running
        How many jobs it holds that have not ended.
    """

    total: Amounts
    free: Amounts
    hostname: str
    boot_id: str
    version: str = ""
    enforced: bool = False
    running: int = 0

    def to_json(self) -> dict[str, Any]:
        """Return it as a JSON object."""
        return {
            "total": dict(self.total),
            "free": dict(self.free),
            "hostname": self.hostname,
            "boot_id": self.boot_id,
            "version": self.version,
            "enforced": self.enforced,
            "running": self.running,
        }

    @classmethod
    def from_json(cls, value: Any) -> Capacity:
        """Return what `to_json` wrote.

        Raises
        ------
        ValueError
            If it is something else.
        """
        said = _object(value, "a capacity")
        return cls(
            _amounts(said.get("total"), "total"),
            _amounts(said.get("free"), "free"),
            _text(said.get("hostname"), "hostname"),
            _text(said.get("boot_id"), "boot_id"),
            _text(said.get("version", ""), "version"),
            said.get("enforced") is True,
            _whole(said.get("running", 0), "running"),
        )


class Order(NamedTuple):
    """A job and whose it is: the body of a PUT.

    `job.folder` is left out: a runner keeps the attempt in a folder of its own. `owner` is a
    word that an engine's executor has made up for itself once.
    """

    owner: str
    lease_s: float
    needs: Amounts
    job: Job

    def to_json(self) -> dict[str, Any]:
        """Return it as a JSON object."""
        job = self.job
        return {
            "owner": self.owner,
            "lease_s": self.lease_s,
            "needs": dict(self.needs),
            "title": job.title,
            "action": action_to_json(job.action),
            "workdir": job.workdir,
            "environment": dict(job.environment),
            "clear_environment": job.clear_environment,
            "timeout_s": job.timeout_s,
            "output": [job.output.stdout, job.output.stderr] if job.output else None,
        }

    @classmethod
    def from_json(cls, key: JobKey, folder: str, value: Any) -> Order:
        """Return what `to_json` wrote, for a job that is kept in `folder`.

        Raises
        ------
        ValueError
            If it is something else; the text says what.
        """
        said = _object(value, "an order")
        job = Job(
            key=key,
            title=_text(said.get("title"), "title"),
            action=_action(said.get("action")),
            folder=folder,
            workdir=_text(said.get("workdir"), "workdir"),
            environment=_environment(said.get("environment")),
            clear_environment=said.get("clear_environment") is True,
            timeout_s=_seconds(said.get("timeout_s"), "timeout_s"),
            output=_output(said.get("output")),
        )
        lease_s = _seconds(said.get("lease_s"), "lease_s")
        if lease_s is None:
            raise ValueError("lease_s is missing")
        needs = _amounts(said.get("needs"), "needs")
        return cls(_text(said.get("owner"), "owner"), lease_s, needs, job)


@dataclass(frozen=True, slots=True)
class Told:
    """What a runner says of one job.

    `at` is when it came to this state (seconds since the epoch, the runner's clock),
    `started_at` when it began. `stdout_bytes` and `stderr_bytes` are how much there is to
    read by now. `end` is there when `state` is ``ended``.
    """

    name: str
    number: int
    state: str
    at: float
    job_id: str = ""
    started_at: float | None = None
    stdout_bytes: int = 0
    stderr_bytes: int = 0
    end: Ended | None = None

    def to_json(self) -> dict[str, Any]:
        """Return it as a JSON object."""
        value: dict[str, Any] = {
            "name": self.name,
            "number": self.number,
            "state": self.state,
            "at": self.at,
            "job_id": self.job_id,
            "started_at": self.started_at,
            "stdout_bytes": self.stdout_bytes,
            "stderr_bytes": self.stderr_bytes,
        }
        if self.end:
            value["end"] = {
                "cause": self.end.cause,
                "exit_code": self.end.exit_code,
                "signal": self.end.signal,
                "message": self.end.message,
                "cpu_s": self.end.usage.cpu_s,
                "peak_rss_bytes": self.end.usage.peak_rss_bytes,
            }
        return value

    @classmethod
    def from_json(cls, value: Any) -> Told:
        """Return what `to_json` wrote.

        A runner of a later version may say more than we know, and one word of it must not
        cost what it tells of all other jobs: a state that is not known here is taken for
        ``running``, and a cause for ``lost``, with a message that names it.

        Raises
        ------
        ValueError
            If it is something else.
        """
        said = _object(value, "what is told of a job")
        name = _text(said.get("name"), "name")
        key = JobKey.of(name)
        at = _number(said.get("at"), "at")
        started_at = said.get("started_at")
        told = cls(
            name,
            _whole(said.get("number"), "number"),
            _state(said.get("state")),
            at,
            _text(said.get("job_id", ""), "job_id"),
            None if started_at is None else _number(started_at, "started_at"),
            _whole(said.get("stdout_bytes", 0), "stdout_bytes"),
            _whole(said.get("stderr_bytes", 0), "stderr_bytes"),
        )
        if told.state != ENDED:
            return told
        return _with_end(told, key, _object(said.get("end"), "an end"))


def _with_end(told: Told, key: JobKey, said: Mapping[str, Any]) -> Told:
    cause, message = _cause(said.get("cause"), _text(said.get("message", ""), "message"))
    cpu_s, peak = said.get("cpu_s"), said.get("peak_rss_bytes")
    end = Ended(
        key.task,
        key.attempt,
        told.at,
        cause,
        _whole_or_none(said.get("exit_code"), "exit_code"),
        _whole_or_none(said.get("signal"), "signal"),
        Usage(
            None if cpu_s is None else _number(cpu_s, "cpu_s"),
            _whole_or_none(peak, "peak_rss_bytes"),
        ),
        message,
        told.started_at,
        told.job_id,
    )
    return Told(
        told.name, told.number, told.state, told.at, told.job_id, told.started_at,
        told.stdout_bytes, told.stderr_bytes, end,
    )  # fmt: skip


@dataclass(frozen=True, slots=True)
class Changes:
    """What is new since the number that was asked with; `number` is what to ask with next."""

    capacity: Capacity
    number: int
    tasks: tuple[Told, ...]

    def to_json(self) -> dict[str, Any]:
        """Return it as a JSON object."""
        return {
            "capacity": self.capacity.to_json(),
            "number": self.number,
            "tasks": [told.to_json() for told in self.tasks],
        }

    @classmethod
    def from_json(cls, value: Any) -> Changes:
        """Return what `to_json` wrote.

        Raises
        ------
        ValueError
            If it is something else.
        """
        said = _object(value, "changes")
        tasks = said.get("tasks")
        if not isinstance(tasks, list):
            raise ValueError("tasks is not a list")
        return cls(
            Capacity.from_json(said.get("capacity")),
            _whole(said.get("number"), "number"),
            tuple(Told.from_json(each) for each in tasks),
        )


# Reading what a stranger may have written ---------------------------------------------


def _object(value: Any, what: str) -> Mapping[str, Any]:
    if not isinstance(value, dict):
        raise ValueError(f"{what} is an object, not {_shown(value)}")
    return value


def _text(value: Any, name: str) -> str:
    if not isinstance(value, str):
        raise ValueError(f"{name} is a text, not {_shown(value)}")
    if "\0" in value:
        raise ValueError(f"{name} has a NUL in it")
    return value


def _number(value: Any, name: str) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or value != value:
        raise ValueError(f"{name} is a number, not {_shown(value)}")
    try:
        return float(value)
    except OverflowError as error:
        raise ValueError(f"{name} is too large a number") from error


def _whole(value: Any, name: str) -> int:
    if type(value) is not int or value < 0:
        raise ValueError(f"{name} is a whole number, not {_shown(value)}")
    return value


def _whole_or_none(value: Any, name: str) -> int | None:
    return None if value is None else _whole(value, name)


def _state(value: Any) -> str:
    state = _text(value, "state")
    return state if state in (TAKEN, RUNNING, ENDED, RETURNED) else RUNNING


def _cause(value: Any, message: str) -> tuple[Cause | None, str]:
    if value is None:
        return None, message
    word = _text(value, "cause")
    if word in _CAUSES:
        return Cause(word), message
    said = f"the runner says {word!r}, which is no cause that is known here"
    return Cause.LOST, f"{said}: {message}" if message else said


def _seconds(value: Any, name: str) -> float | None:
    if value is None:
        return None
    seconds = _number(value, name)
    if not 0 < seconds < 1e9:
        raise ValueError(f"{name} is a time in seconds, not {_shown(value)}")
    return seconds


def _amounts(value: Any, name: str) -> Amounts:
    said = _object(value, name)
    return MappingProxyType({each: _whole(amount, each) for each, amount in said.items()})


def _environment(value: Any) -> Mapping[str, str | None]:
    if value is None:
        return EMPTY
    said = _object(value, "environment")
    for name, text in said.items():
        if text is not None:
            _text(text, name)
        if not name or "=" in name or "\0" in name:
            raise ValueError(f"{name!r} is no name of an environment variable")
    return said


def _output(value: Any) -> Output | None:
    if value is None:
        return None
    if not isinstance(value, list) or len(value) != 2:
        raise ValueError("output is a pair of names")
    return Output(_text(value[0], "output"), _text(value[1], "output"))


def _action(value: Any) -> Action:
    said = _object(value, "action")
    try:
        action = action_from_json(said)
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"this is no action: {error}") from error
    match action:
        case Argv(arguments=words) | ManagedTask(command=words):
            if not isinstance(words, tuple):
                raise ValueError(f"arguments is a list, not {_shown(words)}")
            for word in words:
                _text(word, "an argument")
        case Script(text=text, shell=shell, file=file):
            for each in (text, shell, file):
                _text(each, "a script")
    return action


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else text[:60] + "..."
