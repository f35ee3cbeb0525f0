"""The config file of Daggy's daemon: JSON, as its users have it."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

from segue.model.errors import Problem, UserError, WorkflowError, did_you_mean
from segue.model.location import Place
from segue.model.pools import PoolSettings

DEFAULT_HOST: Final = "127.0.0.1"
DEFAULT_PORT: Final = 2503
STDOUT: Final = "-"
THIS_MACHINE: Final = PoolSettings("local", "local")

_KINDS: Final[Mapping[str, type]] = {
    "web-threads": int,
    "dag-threads": int,
    "port": int,
    "ip": str,
    "logger": dict,
    "executor": dict,
}
_LOGGERS: Final[Mapping[str, Mapping[str, type]]] = {
    "OStreamLogger": {"file": str},
    "RedisLogger": {"prefix": str, "host": str, "port": int},
}
_EXECUTORS: Final[Mapping[str, Mapping[str, type]]] = {
    "ForkingTaskExecutor": {"threads": int},
    "SlurmTaskExecutor": {},
    "NoopTaskExecutor": {},
}
_WORDS: Final = {str: "a text", int: "a whole number", dict: "an object"}


@dataclass(frozen=True, slots=True)
class DaggydConfig:
    """What a daemon is told.

    `events` is the file that every event is written to as a line of JSON, ``-`` is standard
    output, empty: none. `store` is the URL of a store that the logger names; empty: ours.
    """

    host: str = DEFAULT_HOST
    port: int = DEFAULT_PORT
    web_threads: int | None = None
    events: str = STDOUT
    store: str = ""
    pool: PoolSettings = THIS_MACHINE


def read_daggyd_config(path: str) -> DaggydConfig:
    """Return what the config file says.

    Raises
    ------
    UserError
        If it cannot be read, or, as `WorkflowError`, with all that is wrong with it.
    """
    try:
        text = Path(path).read_text(encoding="utf-8")
        said = json.loads(text)
    except OSError as error:
        raise UserError(f"{path} cannot be read: {error.strerror}") from error
    except json.JSONDecodeError as error:
        place = Place(path, error.lineno, error.colno)
        raise WorkflowError(
            [Problem("bad_json", f"this is no JSON: {error.msg}", place)]
        ) from error
    except (ValueError, RecursionError) as error:
        raise UserError(f"{path} is no JSON text") from error
    checks = _Checks(path, text)
    if not isinstance(said, dict):
        checks.fault("", f"the config is an object, not {said!r}")
        said = {}
    checks.kinds(said, _KINDS)
    logger = checks.named(said, "logger", _LOGGERS)
    executor = checks.named(said, "executor", _EXECUTORS)
    if checks.problems:
        raise WorkflowError(checks.problems)
    host = said.get("ip", DEFAULT_HOST)
    return DaggydConfig(
        host="127.0.0.1" if host == "localhost" else host,
        port=said.get("port", DEFAULT_PORT),
        web_threads=said.get("web-threads"),
        events=_events(logger),
        store=_store(logger),
        pool=_pool(executor),
    )


Named = tuple[str, Mapping[str, Any]]


def _events(logger: Named) -> str:
    name, settings = logger
    return "" if name == "RedisLogger" else str(settings.get("file", STDOUT))


def _store(logger: Named) -> str:
    name, settings = logger
    if name != "RedisLogger":
        return ""
    prefix = quote(str(settings.get("prefix", "daggy")), safe="")
    host, port = settings.get("host", "localhost"), settings.get("port", 6379)
    return f"redis://{host}:{port}/0?prefix={prefix}"


def _pool(executor: Named) -> PoolSettings:
    name, settings = executor
    if name == "SlurmTaskExecutor":
        return PoolSettings("slurm", "slurm")
    if name == "NoopTaskExecutor":
        return PoolSettings("noop", "noop")
    return PoolSettings("local", "local", settings.get("threads"))


class _Checks:
    """Collects what is wrong with a config, with the places."""

    def __init__(self, path: str, text: str) -> None:
        self.path = path
        self.text = text
        self.problems: list[Problem] = []

    def fault(self, key: str, message: str, hint: str = "") -> None:
        found = re.search(rf'"{re.escape(key)}"\s*:', self.text) if key else None
        before = self.text[: found.start()] if found else ""
        line = before.count("\n") + 1
        column = len(before) - (before.rfind("\n") + 1) + 1
        self.problems.append(Problem("bad_config", message, Place(self.path, line, column), hint))

    def kinds(self, said: Mapping[str, Any], kinds: Mapping[str, type]) -> None:
        for key, value in said.items():
            if key not in kinds:
                hint = did_you_mean(key, list(kinds)) or f"there are: {', '.join(kinds)}"
                self.fault(key, f"{key!r} is no setting", hint)
            elif type(value) is not kinds[key]:
                self.fault(key, f"{key}: {value!r} is not {_WORDS[kinds[key]]}")
            elif isinstance(value, int) and not 0 < value <= 65535:
                self.fault(key, f"{key}: {value} is out of range")

    def named(
        self, said: Mapping[str, Any], key: str, known: Mapping[str, Mapping[str, type]]
    ) -> Named:
        """Return the name and the settings of a logger or an executor."""
        value = said.get(key)
        if not isinstance(value, dict):
            return "", {}
        name = value.get("name")
        if name == "DaggyRunnerTaskExecutor":
            self.fault(
                "name",
                "executor: DaggyRunnerTaskExecutor is not spoken to: Segue has no runners yet",
                "use SlurmTaskExecutor for other machines, or ForkingTaskExecutor for this one",
            )
            return "", {}
        if not isinstance(name, str) or name not in known:
            hint = did_you_mean(str(name), list(known)) or f"there are: {', '.join(known)}"
            self.fault("name" if "name" in value else key, f"{key}: {name!r} is not known", hint)
            return "", {}
        settings = value.get("config", {})
        if not isinstance(settings, dict):
            self.fault("config", f"{key}: config is an object, not {settings!r}")
            return "", {}
        self.kinds(settings, known[name])
        for other in value.keys() - {"name", "config"}:
            self.fault(other, f"{key}: {other!r} is no setting", "there are: name, config")
        return name, settings
