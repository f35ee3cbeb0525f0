"""``$(LAUNCHER)``: how a step starts processes in its allocation (specification 1.8, 4.7)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

_TOKEN: Final = re.compile(r"\$\(LAUNCHER\)(?:\[([^\]\n]*)\])?")
_PROCESSES: Final = re.compile(r"(\d{1,9})p")
_NODES: Final = re.compile(r"(\d{1,9})n")
_NUMBER: Final = re.compile(r"\d{1,9}")


class LauncherError(ValueError):
    """What stands behind ``$(LAUNCHER)`` asks for what the step does not have."""


def launch(
    text: str, run: Mapping[str, Any], batch: Mapping[str, Any], strict: bool = False
) -> str:
    """Return a scheduled step's text with every ``$(LAUNCHER)`` replaced by its command.

    With `strict`, one without brackets stays where another has them, as in Maestro.

    Examples
    --------
    >>> run, batch = {"nodes": 2, "procs": 8}, {"type": "slurm"}
    >>> launch("$(LAUNCHER) a; $(LAUNCHER)[1n, 2p] b", run, batch)
    'srun -n 8 -N 2 a; srun -n 2 -N 1 b'

    Raises
    ------
    LauncherError
        If a bracket cannot be read, or asks for more than the step has.
    """
    with_brackets = strict and "$(LAUNCHER)[" in text

    def command(match: re.Match[str]) -> str:
        if match[1] is None:
            if with_brackets:
                return match[0]
            return _command(run.get("nodes"), run.get("procs"), run, batch)
        nodes, processes = _ask(match[1], run)
        return _command(nodes, processes, run, batch)

    return _TOKEN.sub(command, text)


def remove_launcher(text: str) -> str:
    """Return the text of a step that runs without a batch system: there is nothing to launch with.

    Examples
    --------
    >>> remove_launcher("$(LAUNCHER)[1p] hostname && $(LAUNCHER) date")
    'hostname && date'
    """
    if "$(LAUNCHER)" not in text:
        return text
    return re.sub(r"\$\(LAUNCHER\)(\[[^\]\n]*\])?[ \t]?", "", text)


def _ask(bracket: str, run: Mapping[str, Any]) -> tuple[str | None, str]:
    """Return nodes and processes of ``[1n, 2p]``, ``[2p]`` or the older ``[1,2]``."""
    parts = [part.strip() for part in bracket.split(",")]
    nodes: str | None = None
    processes: str | None = None
    if len(parts) == 2 and all(map(_NUMBER.fullmatch, parts)):
        nodes, processes = parts
    else:
        for part in parts:
            if found := _PROCESSES.fullmatch(part):
                processes = found[1]
            elif found := _NODES.fullmatch(part):
                nodes = found[1]
            else:
                raise LauncherError(f"$(LAUNCHER)[{bracket}] is not of the form [2p] or [1n, 2p]")
    if processes is None:
        raise LauncherError(f"$(LAUNCHER)[{bracket}] names no processes, as in [1n, 2p]")
    for asked, key in ((nodes, "nodes"), (processes, "procs")):
        _check_limit(bracket, asked, run, key)
    return nodes, processes


def _check_limit(bracket: str, asked: str | None, run: Mapping[str, Any], key: str) -> None:
    has = str(run.get(key, ""))
    if asked is not None and _NUMBER.fullmatch(has) and int(asked) > int(has):
        raise LauncherError(f"$(LAUNCHER)[{bracket}] asks for {asked} {key}, the step has {has}")


def _command(nodes: Any, processes: Any, run: Mapping[str, Any], batch: Mapping[str, Any]) -> str:
    kind = batch.get("type")
    if kind == "lsf":
        return _jsrun(processes, run)
    if kind == "flux":
        return flux_run(nodes, processes, run, batch)
    words = ["srun"]
    words += ["-n", str(processes)] if processes else []
    words += ["-N", str(nodes)] if nodes else []
    cores = run.get("cores per task")
    words += ["-c", str(cores)] if cores else []
    return " ".join(words)


def _jsrun(processes: Any, run: Mapping[str, Any]) -> str:
    words = ["jsrun", "--nrs", str(processes or 1), "-b", str(run.get("bind") or "rs")]
    gpus, bind_gpus = run.get("gpus"), run.get("bind gpus")
    words += ["-g", str(gpus)] if gpus else []
    words += ["-B", str(bind_gpus)] if bind_gpus else []
    words += ["-a", str(run.get("tasks per rs") or 1)]
    words += ["-r", str(run.get("rs per node") or 1)]
    words += ["-c", str(run.get("cpus per rs") or 1)]
    return " ".join(words)


def flux_run(nodes: Any, processes: Any, run: Mapping[str, Any], batch: Mapping[str, Any]) -> str:
    """Return the command for Flux, in the form of the interface version that the batch names."""
    cores, gpus = run.get("cores per task"), run.get("gpus")
    args = batch.get("args")
    args = args if isinstance(args, dict) else {}
    if str(batch.get("version", "")) == "0.26.0":
        words = ["flux", "mini", "run", "-n", str(processes or 1)]
        words += ["-N", str(nodes)] if nodes else []
        words += ["-c", str(cores)] if cores else []
        words += ["-g", str(gpus)] if gpus else []
        words += ["-o", ",".join(f"{k}={v}" for k, v in args.items())] if args else []
        return " ".join(words)
    exclusive = is_exclusive(run.get("exclusive"), "launcher")
    words = ["flux", "run"]
    words += ["-N", str(nodes)] if nodes else []
    words += ["-n", str(processes or 1)]
    words += ["-c", str(cores)] if cores and not exclusive else []
    words += ["-g", str(gpus)] if gpus and not exclusive else []
    words += ["--exclusive"] if exclusive else []
    for group, options in _groups(batch.get("launcher_args")):
        words += [flux_option(group, name, value) for name, value in options.items()]
    words += [flux_option("o", name, value) for name, value in args.items()]
    return " ".join(words)


def _groups(value: Any) -> list[tuple[str, Mapping[str, Any]]]:
    if not isinstance(value, dict):
        return []
    return [(str(key), each) for key, each in value.items() if isinstance(each, dict)]


def flux_option(group: str, name: str, value: Any) -> str:
    """Return one option of ``launcher_args`` as Flux takes it.

    Examples
    --------
    >>> flux_option("o", "mpi", "spectrum"), flux_option("setattr", "a.b", True)
    ('--setopt=mpi=spectrum', '--setattr=a.b=true')
    >>> flux_option("setopt", "fastload", None), flux_option("c", "k", 2)
    ('--setopt=fastload', '-c k=2')
    """
    long = {"o": "setopt", "S": "setattr"}.get(group, group)
    text = str(value).lower() if isinstance(value, bool) else str(value)
    pair = name if value is None else f"{name}={text}"
    return f"--{long}={pair}" if len(long) > 1 else f"-{long} {pair}"


def is_exclusive(value: Any, of: str) -> bool:
    """Return whether a step's `exclusive` asks for it, `of` the ``allocation`` or ``launcher``.

    Examples
    --------
    >>> is_exclusive(True, "allocation"), is_exclusive({"launcher": "True"}, "launcher")
    (True, True)
    >>> is_exclusive({"launcher": True}, "allocation"), is_exclusive("False", "allocation")
    (False, False)
    """
    if isinstance(value, dict):
        return is_exclusive(value.get(of, False), of)
    if isinstance(value, str):
        # A token has become text here.
        return value.lower() in ("true", "yes", "on", "1")
    # A plain `true` is about the allocation; what runs within it may share it.
    return bool(value) and (of == "allocation" or isinstance(value, bool))
