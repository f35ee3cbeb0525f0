"""The `job` of a Daggy task: its fields, and how defaults lie under them.

Owns the names and types of all executors' job fields. Knows neither
tasks nor parameters: where a value holds ``{{NAME}}`` it is kept as it is until
the expansion has put a value in.
"""

from __future__ import annotations

from typing import Any, Final

from segue.dialects.json_fields import (
    BAD,
    Reader,
    read_fields,
    read_flag,
    read_label,
    read_object,
    read_seconds,
    read_signed,
    read_text,
    read_texts,
    read_whole,
    wrong_type,
)
from segue.dialects.json_text import Findings, Pointer
from segue.model.errors import shorten

#: A job with checked fields under their own names; None deletes a default.
Job = dict[str, Any]

#: What stands before and after the name of a parameter.
OPEN: Final = "{{"


def _later(reader: Reader) -> Reader:
    """Return a reader that lets strings with a placeholder pass: they are checked later."""

    def read(value: Any, pointer: Pointer, findings: Findings) -> Any:
        if type(value) is str and OPEN in value:
            return value
        return reader(value, pointer, findings)

    return read


def _read_command(value: Any, pointer: Pointer, findings: Findings) -> Any:
    if type(value) is str:
        hint = "write an array: program and arguments; or call the field 'commandString'"
        return wrong_type(value, "an array of strings", pointer, findings, hint)
    words = read_texts(value, pointer, findings)
    if words is BAD:
        return BAD
    if not words or not words[0]:
        message = "the command names no program"
        findings.error("empty_command", message, pointer, 'write ["/bin/echo", "hello"]')
        return BAD
    return words


def _read_environment(value: Any, pointer: Pointer, findings: Findings) -> Any:
    """Return the variables as an object; the seed's array of "K=V" is taken too."""
    pairs: dict[str, Any] = {}
    if type(value) is dict:
        pairs = value
        places: dict[str, Pointer] = {}
    elif type(value) is list:
        texts = read_texts(value, pointer, findings)
        if texts is BAD:
            return BAD
        message = "an array of \"NAME=value\" is an old form of 'environment'"
        findings.warning("old_form", message, pointer, 'write {"NAME": "value"}')
        places = {}
        for index, text in enumerate(texts):
            name, equals, content = text.partition("=")
            if not equals:
                message = f'{shorten(text)!r} is no "NAME=value"'
                findings.error("bad_environment", message, (*pointer, index))
            pairs[name] = content
            places[name] = (*pointer, index)
    else:
        return wrong_type(value, "an object", pointer, findings)
    result = {}
    for name, content in pairs.items():
        at = places.get(name, (*pointer, name))
        if not name or "=" in name:
            message = f"{shorten(name)!r} cannot name an environment variable"
            findings.error("bad_environment", message, at, at_key=True)
        elif content is not None and type(content) is not str:
            hint = "write it in quotes; null takes the variable away"
            wrong_type(content, "a string or null", at, findings, hint)
        else:
            result[name] = content
    return result


_RESOURCE_ALIASES: Final = {"memory_mb": "memoryMB"}


def _read_resources(value: Any, pointer: Pointer, findings: Findings) -> Any:
    if type(value) is not dict:
        return wrong_type(value, "an object of whole numbers", pointer, findings)
    known = {name: _later(read_whole) for name in value if name not in _RESOURCE_ALIASES}
    known["memoryMB"] = _later(read_whole)
    return read_fields(value, pointer, known, _RESOURCE_ALIASES, findings)


def _read_secret(value: Any, pointer: Pointer, findings: Findings) -> Any:
    message = "a token in a workflow file can be read by all who see the run; it is not used"
    hint = "remove it here and let the server's configuration hold it"
    findings.warning("secret_ignored", message, pointer, hint)
    return BAD


_FIELDS: Final[dict[str, Reader]] = {
    "command": _read_command,
    "commandString": read_text,
    "environment": _read_environment,
    "clearEnvironment": read_flag,
    "workDir": read_text,
    "timeout": _later(read_seconds),
    "resources": _read_resources,
    "pool": read_text,
    "cores": _later(read_whole),
    "memoryMB": _later(read_whole),
    "minCPUs": _later(read_whole),
    "minMemoryMB": _later(read_whole),
    "minTmpDiskMB": _later(read_whole),
    "timeLimitSeconds": _later(read_seconds),
    "priority": _later(read_signed),
    "userID": read_label,
    "user": read_label,
    "tmpDir": read_text,
    "logdir": read_text,
    "jwt_token": _read_secret,
}
_ALIASES: Final = {
    "memory_mb": "memoryMB",
    "min_cpus": "minCPUs",
    "min_memory_mb": "minMemoryMB",
    "min_tmp_disk_mb": "minTmpDiskMB",
    "time_limit_seconds": "timeLimitSeconds",
}


def read_job(raw: Any, at: Pointer, findings: Findings) -> Job:
    """Return the fields of a job object, checked one by one; defaults are not in yet."""
    if read_object(raw, at, findings) is BAD:
        return {}
    return read_fields(raw, at, _FIELDS, _ALIASES, findings)


def merge_job(defaults: Job, job: Job) -> Job:
    """Return `job` with the defaults under it: objects merge, null deletes.

    A task that states one of `command` and `commandString` means that one, also
    where the defaults state the other.

    Examples
    --------
    >>> merge_job({"cores": 1, "pool": "a", "environment": {"A": "1"}},
    ...           {"pool": None, "environment": {"B": "2"}})
    {'cores': 1, 'environment': {'A': '1', 'B': '2'}}
    """
    merged = dict(defaults)
    if job.get("command") is not None:
        merged.pop("commandString", None)
    elif job.get("commandString") is not None:
        merged.pop("command", None)
    for name, value in job.items():
        below = merged.get(name)
        if isinstance(below, dict) and isinstance(value, dict):
            # In an environment null stays: it takes the variable away from the
            # engine's own environment too.
            value = {**below, **value}
            if name != "environment":
                value = {key: item for key, item in value.items() if item is not None}
        merged[name] = value
    return {name: value for name, value in merged.items() if value is not None}
