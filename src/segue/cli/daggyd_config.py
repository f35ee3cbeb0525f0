"""The config file of Daggy's daemon: JSON, as its users have it."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

from segue.cli.json_config import ConfigChecks, host_of, read_config
from segue.model.errors import did_you_mean
from segue.model.pools import LEASE_S, PoolSettings, RunnerSettings

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
    "DaggyRunnerTaskExecutor": {"runners": list, "token-file": str, "lease-seconds": int},
    "NoopTaskExecutor": {},
}
#: The numbers that mean something, where that is no port.
_RANGES: Final = {"lease-seconds": (1, 30 * 24 * 3600)}


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
    said, checks = read_config(path)
    checks.kinds(said, _KINDS)
    logger = _named(checks, said, "logger", _LOGGERS)
    executor = _named(checks, said, "executor", _EXECUTORS)
    pool = _pool(executor, Path(path).absolute().parent) if not checks.problems else THIS_MACHINE
    if pool.fault:
        checks.fault("executor", f"executor: {pool.fault}")
    checks.finish()
    return DaggydConfig(
        host=host_of(said, DEFAULT_HOST),
        port=said.get("port", DEFAULT_PORT),
        web_threads=said.get("web-threads"),
        events=_events(logger),
        store=_store(logger),
        pool=pool,
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


def _pool(executor: Named, folder: Path) -> PoolSettings:
    name, settings = executor
    if name == "DaggyRunnerTaskExecutor":
        token = settings.get("token-file") or os.environ.get("SEGUE_RUNNER_TOKEN_FILE", "")
        runners = RunnerSettings(
            tuple(settings.get("runners", ())),
            # A file's paths are meant from where it lies.
            str(folder / Path(token).expanduser()) if token else "",
            settings.get("lease-seconds", LEASE_S),
        )
        return PoolSettings("runner", "runner", runner=runners)
    if name == "SlurmTaskExecutor":
        return PoolSettings("slurm", "slurm")
    if name == "NoopTaskExecutor":
        return PoolSettings("noop", "noop")
    return PoolSettings("local", "local", settings.get("threads"))


def _named(
    checks: ConfigChecks,
    said: Mapping[str, Any],
    key: str,
    known: Mapping[str, Mapping[str, type]],
) -> Named:
    """Return the name and the settings of a logger or an executor."""
    value = said.get(key)
    if not isinstance(value, dict):
        return "", {}
    name = value.get("name")
    if not isinstance(name, str) or name not in known:
        hint = did_you_mean(str(name), list(known)) or f"there are: {', '.join(known)}"
        checks.fault("name" if "name" in value else key, f"{key}: {name!r} is not known", hint)
        return "", {}
    settings = value.get("config", {})
    if not isinstance(settings, dict):
        checks.fault("config", f"{key}: config is an object, not {settings!r}")
        return "", {}
    checks.kinds(settings, known[name], _RANGES)
    for other in value.keys() - {"name", "config"}:
        checks.fault(other, f"{key}: {other!r} is no setting", "there are: name, config")
    return name, settings
