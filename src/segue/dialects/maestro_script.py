"""The text of a step's script, byte for byte as Maestro writes it (specification 4.4, 4.7 to 4.9).

Pure functions of the step's values and the batch section. Each header line stands in
the order and form of Maestro 1.2.1; `docs/reference/maestro-differences.md` says where not.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from segue.dialects.maestro_launcher import flux_option, is_exclusive, launch, remove_launcher
from segue.dialects.maestro_names import file_name
from segue.dialects.maestro_walltime import flux_walltime, lsf_walltime
from segue.model.workflow import Output

DEFAULT_SHELL: Final = "/bin/bash"
#: Groups of ``allocation_args`` that Maestro passes on; it drops others.
_FLUX_GROUPS: Final = {"setattr": "setattr", "S": "setattr", "setopt": "setopt", "o": "setopt"}


def is_scheduled(run: Mapping[str, Any], batch: Mapping[str, Any]) -> bool:
    """Return whether a step goes to the batch system: it does if it asks for nodes or procs.

    Examples
    --------
    >>> is_scheduled({"procs": 1}, {"type": "slurm"}), is_scheduled({"procs": 1}, {})
    (True, False)
    """
    if batch.get("type", "local") == "local":
        return False
    return bool(run.get("nodes") or run.get("procs"))


def shell_of(batch: Mapping[str, Any]) -> str:
    """Return what stands behind ``#!``; LSF ignores the batch's shell."""
    if batch.get("type") == "lsf":
        return DEFAULT_SHELL
    return str(batch.get("shell") or DEFAULT_SHELL)


def script_text(
    text: str,
    run: Mapping[str, Any],
    batch: Mapping[str, Any],
    job_name: str,
    description: str,
    strict: bool = False,
) -> str:
    r"""Return the script for a step's cmd or restart text.

    With `strict`, ``$(LAUNCHER)`` stays wherever Maestro leaves it.

    Raises `LauncherError` where ``$(LAUNCHER)[...]`` asks for what the step does not have.

    Examples
    --------
    >>> script_text("echo hi", {}, {}, "s", "d")
    '#!/bin/bash\n\necho hi\n'
    """
    scheduled = is_scheduled(run, batch)
    lines = [f"#!{shell_of(batch)}"]
    job_name = job_name.replace(" ", "_")
    kind = batch.get("type", "local")
    if kind == "flux":
        lines += _flux_header(run, batch, job_name)
    elif scheduled and kind == "slurm":
        lines += _slurm_header(run, batch, job_name, description)
    elif scheduled and kind == "lsf":
        lines += _lsf_header(run, batch, job_name)
    if scheduled:
        body = launch(text, run, batch, strict)
    else:
        body = text if strict else remove_launcher(text)
    return "\n".join((*lines, "", body)) + "\n"


def script_name(nickname: str, batch: Mapping[str, Any], restart: bool = False) -> str:
    """Return the script's file name.

    Examples
    --------
    >>> script_name("s_A.1", {"type": "slurm"}, restart=True)
    's_A.1.restart.slurm.sh'
    """
    kind = batch.get("type", "local")
    system = "" if kind == "local" else f".{kind}"
    return f"{nickname}{'.restart' if restart else ''}{system}.sh"


def output_names(nickname: str, batch_system: str) -> Output:
    """Return how a step's stdout and stderr are called in its workspace.

    `batch_system` is empty for a step that runs without one: its process id is in the name.

    Examples
    --------
    >>> output_names("s_A.1", ""), output_names("s_A.1", "slurm").stdout
    (Output(stdout='s_A.1.{job_id}.out', stderr='s_A.1.{job_id}.err'), 's_A.1.out')
    """
    name = file_name(nickname)
    stem = name if batch_system == "slurm" else f"{name}.{{job_id}}"
    return Output(f"{stem}.out", f"{stem}.err")


def asks_for_processes(run: Mapping[str, Any], batch: Mapping[str, Any]) -> bool:
    """Return whether the head of a Slurm script says how many processes there are.

    With nodes in the step and no procs in the batch, Maestro's asks for one.
    """
    return bool(batch.get("procs") or not (run.get("nodes") or batch.get("nodes")))


def _slurm_header(
    run: Mapping[str, Any], batch: Mapping[str, Any], job: str, description: str
) -> Iterator[str]:
    nodes = run.get("nodes") or batch.get("nodes")
    processes = run.get("procs") or batch.get("procs")
    comment = description.replace("\n", " ")
    reservation = run.get("reservation") or batch.get("reservation")
    options: list[tuple[str, Any]] = [
        ("--nodes={}", nodes),
        ("--partition={}", batch.get("queue")),
        ("--account={}", batch.get("bank")),
        ("--time={}", run.get("walltime")),
        ('--job-name="{}"', job),
        ('--output="{}.out"', job),
        ('--error="{}.err"', job),
        ('--comment "{}"', comment),
        ('--reservation="{}"', reservation),
        ("--gres=gpu:{}", run.get("gpus")),
        ("--ntasks={}", processes if asks_for_processes(run, batch) else None),
        ("--exclusive", is_exclusive(run.get("exclusive"), "allocation")),
        ("--qos={}", run.get("qos") or batch.get("qos")),
    ]
    for form, value in options:
        if value:
            yield f"#SBATCH {form.format(value)}"


def _lsf_header(run: Mapping[str, Any], batch: Mapping[str, Any], job: str) -> Iterator[str]:
    walltime = run.get("walltime")
    options: list[tuple[str, Any]] = [
        ("-nnodes", run.get("nodes")),
        ("-q", batch.get("queue")),
        ("-G", batch.get("bank")),
        ("-W", lsf_walltime(walltime) if walltime else None),
        ("-J", job),
        ("-o", f"{job}.%J.out"),
        ("-U", run.get("reservation") or batch.get("reservation")),
        ("-e", f"{job}.%J.err"),
    ]
    for option, value in options:
        if value:
            yield f"#BSUB {option} {value}"


def _flux_header(run: Mapping[str, Any], batch: Mapping[str, Any], job: str) -> Iterator[str]:
    yield f"#MAESTRO-INFO (flux adapter version) {batch.get('version', '0.49.0')}"
    if batch.get("flux version"):
        yield f"#MAESTRO-INFO (flux version) {batch['flux version']}"
    if batch.get("uri"):
        yield f"#MAESTRO-INFO (flux_uri) {batch['uri']}"
    yield "#"
    exclusive = is_exclusive(run.get("exclusive"), "allocation")
    options: list[tuple[str, Any]] = [
        ("-N {}", run.get("nodes")),
        ("-n {}", None if exclusive else run.get("procs")),
        ("-t {}", flux_walltime(run.get("walltime"))),
        ("-q {}", batch.get("queue")),
        ("--bank={}", batch.get("bank")),
        ('--job-name="{}"', job),
        ("--output={}.{{{{id}}}}.out", job),
        ("--error={}.{{{{id}}}}.err", job),
        ("--exclusive", exclusive),
    ]
    for form, value in options:
        if value:
            yield f"#flux: {form.format(value)}"
    if str(batch.get("version", "")) != "0.26.0":
        yield from _flux_allocation(batch.get("allocation_args"))


def _flux_allocation(groups: Any) -> Iterator[str]:
    if not isinstance(groups, dict):
        return
    for group, options in groups.items():
        if not isinstance(options, dict):
            continue
        if group in _FLUX_GROUPS:
            for name, value in options.items():
                yield f"#flux: {flux_option(_FLUX_GROUPS[group], str(name), value)}"
        elif group == "conf":
            for name, value in _flattened(options):
                yield f"#flux: {flux_option('conf', name, value)}"


def _flattened(options: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for name, value in options.items():
        if isinstance(value, dict):
            yield from _flattened(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", value
