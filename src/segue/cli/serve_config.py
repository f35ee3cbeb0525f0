"""What a server is told: a TOML file, and options of the command line, which win."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from segue.model.errors import Problem, UserError, WorkflowError, did_you_mean
from segue.model.location import Place
from segue.model.pools import LEASE_S, PoolSettings, RunnerSettings

DEFAULT_HOST: Final = "127.0.0.1"
DEFAULT_PORT: Final = 8450
DEFAULT_POOL: Final = "local"
DEFAULT_BODY_LIMIT_MIB: Final = 64


@dataclass(frozen=True, slots=True)
class Config:
    """All that a server is told; `pools` is empty where nobody has named any.

    `pools` are in their order, `default_pool` is that of runs that ask for none. `events`
    is the file that every event is written to, ``-`` is standard output.
    """

    host: str = DEFAULT_HOST
    port: int = DEFAULT_PORT
    store: str = ""
    workspace: Path | None = None
    body_limit_bytes: int = DEFAULT_BODY_LIMIT_MIB * 2**20
    cors_origins: tuple[str, ...] = ()
    assets: Path | None = None
    pools: tuple[PoolSettings, ...] = ()
    default_pool: str = "local"
    jobs: int | None = None
    workers: int | None = None
    events: str = ""
    verbose: bool = False


_KINDS: Final[Mapping[str, type]] = {
    "host": str,
    "port": int,
    "store": str,
    "workspace": str,
    "body_limit_mib": int,
    "cors_origins": list,
    "default_pool": str,
    "pools": dict,
}
_POOL_KINDS: Final[Mapping[str, type]] = {
    "executor": str,
    "limit": int,
    "runners": list,
    "token_file": str,
    "lease_s": int,
}


def config_of(file: str, options: Mapping[str, Any]) -> Config:
    """Return what the file and the options say.

    Raises
    ------
    WorkflowError
        With all that is wrong with the file.
    """
    said = read_config(file) if file else {}
    for name in ("host", "port", "store", "workspace"):
        if options.get(name) not in (None, ""):
            said[name] = options[name]
    folder = Path(file).expanduser().absolute().parent if file else Path.cwd()
    workspace = said.get("workspace")
    if options.get("workspace"):
        folder = Path.cwd()
    return Config(
        host=said.get("host", DEFAULT_HOST),
        port=said.get("port", DEFAULT_PORT),
        store=said.get("store", ""),
        # A file's paths are meant from where it lies.
        workspace=folder / Path(workspace).expanduser() if workspace else None,
        body_limit_bytes=said.get("body_limit_mib", DEFAULT_BODY_LIMIT_MIB) * 2**20,
        cors_origins=tuple(options.get("cors_origins") or said.get("cors_origins", ())),
        pools=pools_of(said, Path(file).expanduser().absolute().parent if file else Path.cwd()),
        default_pool=said.get("default_pool", DEFAULT_POOL),
        jobs=options.get("jobs"),
        verbose=bool(options.get("verbose")),
    )


def read_config(path: str) -> dict[str, Any]:
    """Return what a TOML file says.

    Raises
    ------
    WorkflowError
        With all that is wrong with it, each with its place.
    """
    try:
        text = Path(path).expanduser().read_text(encoding="utf-8")
    except OSError as error:
        raise UserError(f"{path} cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise UserError(f"{path} is not UTF-8 text") from error
    try:
        said = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        line, column = toml_place(str(error), text)
        message = str(error).partition(" (at ")[0]
        raise WorkflowError([Problem("bad_toml", message, Place(path, line, column))]) from error
    problems = [*_check(path, text, said)]
    if problems:
        raise WorkflowError(problems)
    return said


def pools_of(said: Mapping[str, Any], folder: Path) -> tuple[PoolSettings, ...]:
    """Return the pools of a file in `folder` that was checked."""
    return tuple(_pool_of(name, each, folder) for name, each in said.get("pools", {}).items())


def _pool_of(name: str, said: Mapping[str, Any], folder: Path) -> PoolSettings:
    runner = None
    if said.keys() & {"runners", "token_file", "lease_s"}:
        token = said.get("token_file", "")
        runner = RunnerSettings(
            tuple(said.get("runners", ())),
            str(folder / Path(token).expanduser()) if token else "",
            said.get("lease_s", LEASE_S),
        )
    return PoolSettings(name, said["executor"], said.get("limit"), runner)


def _check(path: str, text: str, said: Mapping[str, Any]) -> list[Problem]:
    problems = _check_table(path, text, said, "", _KINDS)
    if not isinstance(said.get("pools", {}), dict):
        return problems
    for name, pool in said.get("pools", {}).items():
        table = f"pools.{name}"
        place = Place(path, line_of(text, "", table), 1)
        if not isinstance(pool, dict) or "executor" not in pool:
            message = f"the pool {name!r} does not say its executor"
            hint = f'write [{table}] and below it executor = "local"'
            problems.append(Problem("no_executor", message, place, hint))
            continue
        found = _check_table(path, text, pool, table, _POOL_KINDS)
        if not found and (fault := _pool_of(name, pool, Path(path).parent).fault):
            found = [Problem("bad_pool", fault, place)]
        problems += found
    default = said.get("default_pool", DEFAULT_POOL)
    known = [*said.get("pools", {}), DEFAULT_POOL]
    if said.get("pools") and default not in known:
        place = Place(path, line_of(text, "default_pool"), 1)
        hint = did_you_mean(default, known) or f"there are: {', '.join(known)}"
        problems.append(Problem("unknown_pool", f"there is no pool {default!r}", place, hint))
    return problems


def _check_table(
    path: str, text: str, said: Mapping[str, Any], table: str, kinds: Mapping[str, type]
) -> list[Problem]:
    problems = []
    for name, value in said.items():
        place = Place(path, line_of(text, name, table), 1)
        if name not in kinds:
            hint = did_you_mean(name, list(kinds)) or f"there are: {', '.join(kinds)}"
            problems.append(Problem("unknown_setting", f"{name!r} is no setting", place, hint))
            continue
        kind = kinds[name]
        if type(value) is not kind:
            message = f"{name}: {value!r} is not {_WORDS[kind]}"
            problems.append(Problem("wrong_type", message, place))
        elif isinstance(value, int) and not _LEAST.get(name, 0) <= value <= _MOST.get(name, 65535):
            problems.append(Problem("out_of_range", f"{name}: {value} is out of range", place))
        elif isinstance(value, list) and not all(type(each) is str for each in value):
            problems.append(Problem("wrong_type", f"{name}: not all of it is text", place))
    return problems


#: No body at all would be taken.
_LEAST: Final = {"body_limit_mib": 1, "lease_s": 1}
_MOST: Final = {"lease_s": 30 * 24 * 3600}
_WORDS: Final = {str: "a text", int: "a whole number", list: "an array", dict: "a table"}


def line_of(text: str, name: str, table: str = "") -> int:
    r"""Return the line in which a name is set, in the table of that heading.

    Examples
    --------
    >>> line_of("port = 1\n[pools.big]\nport = 2\n", "port", "pools.big")
    3
    """
    now = ""
    for number, line in enumerate(text.splitlines(), 1):
        stripped = line.strip()
        if stripped.startswith("["):
            now = stripped.strip("[] ").replace('"', "")
            if not name and now == table:
                return number
        elif now == table and stripped.partition("=")[0].strip().strip("\"'") == name:
            return number
    return 1


def toml_place(message: str, text: str) -> tuple[int, int]:
    """Return the line and column that an error of TOML names in its words."""
    import re

    found = re.search(r"at line (\d+), column (\d+)", message)
    if found:
        return int(found[1]), int(found[2])
    return text.count("\n") + 1, 1
