"""The config file of Daggy's runner: JSON, as its users have it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from segue.cli.json_config import ConfigChecks, host_of, read_config
from segue.cli.runner import DEFAULT_HOST, DEFAULT_PORT, RunnerConfig

_KINDS: Final[Mapping[str, type]] = {
    "web-threads": int,
    "port": int,
    "ip": str,
    "capacity_overrides": dict,
}
_OVERRIDES: Final[Mapping[str, type]] = {"cores": int, "memory_mb": int}
#: 0 is all; no machine has more of anything than that.
_RANGES: Final = dict.fromkeys(_OVERRIDES, (0, 2**40))


def read_daggyr_config(path: str) -> RunnerConfig:
    """Return what the config file says.

    Raises
    ------
    UserError
        If it cannot be read, or, as `WorkflowError`, with all that is wrong with it.
    """
    said, checks = read_config(path)
    checks.kinds(said, _KINDS)
    overrides = _overrides(said, checks)
    checks.finish()
    return RunnerConfig(
        host=host_of(said, DEFAULT_HOST),
        port=said.get("port", DEFAULT_PORT),
        cores=overrides.get("cores"),
        memory_mb=overrides.get("memory_mb"),
        threads=said.get("web-threads"),
    )


def _overrides(said: Mapping[str, Any], checks: ConfigChecks) -> Mapping[str, int]:
    value = said.get("capacity_overrides")
    if not isinstance(value, dict):
        return {}
    checks.kinds(value, _OVERRIDES, _RANGES)
    return value
