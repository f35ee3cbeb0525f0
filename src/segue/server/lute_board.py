"""What the jobs of a LUTE workflow have told its Server, and what they want to hear.

Pure values behind a lock: no socket, no engine. LUTE's own Server keeps one status a name,
so that two steps that run the same managed Task share it; here each job has its own, known
by the run's key or by the batch system's job id, and a name is only a way to find them.
"""

from __future__ import annotations

import json
import threading
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

#: Longer texts are cut.
TEXT_LIMIT: Final = 2**20
#: More messages than this wait for nobody.
QUEUE_LIMIT: Final = 10_000
#: So many jobs, and so much said of each, are kept.
JOBS_LIMIT: Final = 100_000
METADATA_LIMIT: Final = 200

#: Statuses that a job says last.
LAST: Final = frozenset({"COMPLETED", "FAILED", "CANCELLED", "TIMEDOUT"})
#: What says who speaks, and is shown as such: a job's own words do not hide it.
_OWN_FIELDS: Final = frozenset({"managed_task", "name", "status", "orig_job_id", "segue_job"})


class BadRequestError(ValueError):
    """What was sent is not what the Server takes; the text says why."""


@dataclass(frozen=True, slots=True)
class Said:
    """What one request has said, and of which job."""

    name: str
    status: str = ""
    text: str = ""
    job_id: str = ""
    key: str = ""


@dataclass(slots=True)
class _Job:
    name: str
    status: str = ""
    job_id: str = ""
    metadata: dict[str, str] = field(default_factory=dict)


@dataclass(slots=True)
class Board:
    """Statuses, metadata and messages of the jobs of one run."""

    #: Called with what has been said, after it is known here: a hint, the truth is elsewhere.
    on_said: Callable[[Said], None] = lambda said: None
    #: A job id that says nothing: that of the job which we run in ourselves, and which local
    #: jobs find in their environment.
    own_job_id: str = ""
    _jobs: dict[str, _Job] = field(default_factory=dict)
    #: Jobs that run, by id and by name: the keys under which they are kept.
    _by_job_id: dict[str, str] = field(default_factory=dict)
    _by_name: dict[str, list[str]] = field(default_factory=dict)
    _queues: dict[str, deque[str]] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def status(self, body: Any) -> None:
        """Take in how far a job has come.

        Raises
        ------
        BadRequestError
            If name or status are missing.
        """
        fields = _fields(body)
        said = _said(fields, status=_needed(fields, "status"))
        metadata = {
            name: text_of(value) for name, value in fields.items() if name not in _OWN_FIELDS
        }
        with self._lock:
            job = self._job(said)
            job.status = said.status
            for name, value in metadata.items():
                if name in job.metadata or len(job.metadata) < METADATA_LIMIT:
                    job.metadata[name] = value
        self.on_said(said)

    def log(self, body: Any) -> None:
        """Take in what a job has printed."""
        fields = _fields(body)
        text = fields.get("message", fields.get("log"))
        if text is None:
            raise BadRequestError("the key 'message' is missing")
        self.on_said(_said(fields, text=cut(text_of(text))))

    def running(self, key: str, job_id: str, name: str) -> None:
        """A job has begun: it is shown although it has said nothing yet."""
        with self._lock:
            for early in (f"job {job_id}", name):
                if early in self._jobs and key not in self._jobs:
                    # It has spoken before the batch system told that it runs.
                    self._jobs[key] = self._jobs.pop(early)
            job = self._job(Said(name, job_id=job_id, key=key))
            job.status = job.status or "RUNNING"
            job.job_id = job_id
            if job_id:
                self._by_job_id[job_id] = key
            if key not in self._by_name.setdefault(name, []):
                self._by_name[name].append(key)

    def ended(self, key: str) -> None:
        """A job has ended: it is shown no more."""
        with self._lock:
            job = self._jobs.pop(key, None)
            if job is None:
                return
            for job_id in [each for each, mine in self._by_job_id.items() if mine == key]:
                del self._by_job_id[job_id]
            keys = self._by_name.get(job.name, [])
            if key in keys:
                keys.remove(key)
            if not keys:
                self._by_name.pop(job.name, None)

    def status_of(self, key: str) -> str:
        """Return what the job has said last; empty if it has said nothing."""
        with self._lock:
            job = self._jobs.get(key)
            return job.status if job else ""

    def keys_of(self, said: Said) -> tuple[str, ...]:
        """Return the running jobs that may have said this; more than one only by name."""
        with self._lock:
            identity = self._identity(said)
            if identity in self._jobs and (said.key or said.job_id):
                return (identity,)
            return tuple(self._by_name.get(said.name, ()))

    def tasks(self) -> str:
        """Return what runs now, as the Server's answer."""
        with self._lock:
            entries = [
                {"name": job.name, "status": job.status} | job.metadata
                for job in self._jobs.values()
                if job.status not in LAST
            ]
        inner = ", ".join(json.dumps(entry) for entry in entries)
        return f'{{ "managed_tasks": [{inner and f" {inner} "}] }}'

    def put_message(self, body: Any) -> None:
        """Leave a message for a managed Task.

        Raises
        ------
        BadRequestError
            If target or message are missing, or nobody fetches what is there.
        """
        fields = _fields(body)
        target, message = _needed(fields, "target"), _needed(fields, "message")
        with self._lock:
            messages = self._queues.setdefault(target, deque())
            if len(messages) >= QUEUE_LIMIT or len(self._queues) > JOBS_LIMIT:
                raise BadRequestError(f"{target} has not fetched its messages")
            messages.append(cut(message))

    def next_message(self, task: str) -> str:
        """Return the oldest message for a managed Task, as the Server's answer."""
        with self._lock:
            messages = self._queues.get(task)
            message = messages.popleft() if messages else None
            if messages is not None and not messages:
                del self._queues[task]
        return json.dumps({"message": message})

    def _job(self, said: Said) -> _Job:
        identity = self._identity(said)
        job = self._jobs.get(identity)
        if job is None:
            if len(self._jobs) >= JOBS_LIMIT:
                raise BadRequestError("there are too many jobs")
            job = self._jobs[identity] = _Job(said.name)
        is_named = said.key and said.job_id and said.job_id != self.own_job_id
        if is_named and len(self._by_job_id) < JOBS_LIMIT:
            # The id of an array's element is known to itself alone, until it says so.
            self._by_job_id[said.job_id] = said.key
        return job

    def _identity(self, said: Said) -> str:
        """Return under which word the job is kept that has said this."""
        if said.key:
            return said.key
        running = self._by_name.get(said.name, [])
        if said.job_id and said.job_id != self.own_job_id:
            known = self._by_job_id.get(said.job_id)
            if known is None and len(running) == 1 and "_" in self._jobs[running[0]].job_id:
                # An element of an array has an id of its own, which only it knows.
                known = self._by_job_id[said.job_id] = running[0]
            return known or f"job {said.job_id}"
        # Without an id a name tells only one that runs alone.
        return running[0] if len(running) == 1 else said.name


def text_of(value: Any) -> str:
    """Return a JSON value as the Server keeps it: text as it is, all else as JSON.

    Examples
    --------
    >>> text_of("a"), text_of({"b": [1]})
    ('a', '{"b": [1]}')
    """
    return value if isinstance(value, str) else json.dumps(value)


def cut(text: str) -> str:
    """Return the text, shortened if it is too long, which is then said in it."""
    if len(text) <= TEXT_LIMIT:
        return text
    return f"{text[:TEXT_LIMIT]}\n[TRUNCATED: {len(text) - TEXT_LIMIT:,} more characters]"


def _fields(body: Any) -> Mapping[str, Any]:
    if not isinstance(body, dict):
        raise BadRequestError("the body must be a JSON object")
    return body


def _needed(fields: Mapping[str, Any], name: str) -> str:
    if name not in fields:
        raise BadRequestError(f"the key {name!r} is missing")
    return text_of(fields[name])


def _said(fields: Mapping[str, Any], *, status: str = "", text: str = "") -> Said:
    return Said(
        _needed(fields, "managed_task"),
        status,
        text,
        text_of(fields.get("orig_job_id", "")),
        text_of(fields.get("segue_job", "")),
    )
