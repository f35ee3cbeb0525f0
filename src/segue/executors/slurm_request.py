"""From a job to what sbatch is asked for it, and which jobs can go out as one array. Pure.

A script with ``#SBATCH`` lines of its own keeps them; options of a LUTE step
(``slurm_params``) replace all of ours; for all other jobs the options come from
`Resources`. What we must give ourselves stands on the command line, which wins over lines
in a script: where output goes, the comment by which a job is found, that Slurm does not
run it again.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Sequence
from typing import Final

from segue.executors.batch_request import OptionError, Request
from segue.executors.batch_wrapper import Surroundings
from segue.executors.slurm_options import (
    TAKEN,
    Option,
    check_owned,
    escaped,
    header_lines,
    header_options,
    merged,
    output_name,
    parse_options,
    value_of,
)
from segue.executors.slurm_site import site_options, site_words
from segue.executors.slurm_text import slurm_time
from segue.model.workflow import Output, Resources, Script
from segue.protocols.executor import Job

#: Fewer equal jobs are not worth an array.
ARRAY_FROM: Final = 8
#: Slurm cuts or refuses comments and names that are much longer.
_COMMENT_LENGTH: Final = 200
_NAME_LENGTH: Final = 100

_ID: Final = "${SLURM_ARRAY_JOB_ID:+${SLURM_ARRAY_JOB_ID}_$SLURM_ARRAY_TASK_ID}"
#: What the wrapper must know of Slurm.
SURROUNDINGS: Final = Surroundings(
    job_id=f'"{_ID}"; segue_job="${{segue_job:-$SLURM_JOB_ID}}"',
    requeued='[ "${SLURM_RESTART_COUNT:-0}" -gt 0 ]',
    node='"${SLURMD_NODENAME:-$HOSTNAME}"',
    kept="SLURM*|SBATCH*",
)
#: What an element of an array does not see: to its task it is a job of its own.
_ARRAY_VARIABLES: Final = (
    "SLURM_ARRAY_JOB_ID SLURM_ARRAY_TASK_ID SLURM_ARRAY_TASK_COUNT SLURM_ARRAY_TASK_MAX "
    "SLURM_ARRAY_TASK_MIN SLURM_ARRAY_TASK_STEP"
)


def request_of(job: Job) -> Request:
    """Return what sbatch is asked for the job.

    Raises
    ------
    OptionError
        If its options are not ones that can be passed on.
    """
    if site := site_words(job):
        words = (words_of(job, name) for name in ("slurm_defaults", "slurm_params"))
        options, comment = site_options(*words)
        return Request(job, (), (), _job_name(job), comment, {}, site=(*site, *options))
    header = header_lines(job.action.text) if isinstance(job.action, Script) else ()
    in_header = header_options(header)
    check_owned(in_header)
    verbatim = _verbatim(job)
    check_owned(verbatim)
    given = (*in_header, *verbatim)
    name = value_of(given, "job-name") or _job_name(job)
    if verbatim:
        arguments = [word for each in verbatim if each.name not in TAKEN for word in each.words]
    elif header:
        arguments = _mended(job.resources, in_header)
    else:
        arguments = resource_options(job.resources)
    # A dialect that says what output is called has said it in the header as well.
    says_output = verbatim if job.output else given
    return Request(
        job=job,
        header=header,
        arguments=tuple(arguments),
        name=name,
        comment=value_of(given, "comment"),
        output=_output(job.output, says_output, name),
        joined=_is_joined(job.output, says_output),
    )


def _verbatim(job: Job) -> tuple[Option, ...]:
    """Return the options that replace ours, as a LUTE step writes them.

    Where it has defaults, they are merged: an option of the step wins over one of them.
    """
    defaults, own = (
        parse_options(words_of(job, name)) for name in ("slurm_defaults", "slurm_params")
    )
    return merged(defaults, own)


def words_of(job: Job, name: str) -> list[str]:
    """Return the words of an option of a step that holds a command line.

    Raises
    ------
    OptionError
        If a quote in it is not closed.
    """
    text = job.options.get(name, "")
    if not isinstance(text, str):
        return []
    try:
        return shlex.split(text)
    except ValueError as error:
        raise OptionError(
            f"{name} {text!r} cannot be split into words: {str(error).lower()}"
        ) from error


def _mended(resources: Resources, header: Sequence[Option]) -> list[str]:
    """Return what a header forgets of what its task asks for.

    Maestro's header reserves one task for ``nodes: 1, procs: 4``, and no cores for each.
    With fewer processes than nodes it is left alone: Slurm would give fewer nodes.
    """
    given = {option.name for option in header}
    options = []
    enough = (resources.processes or 0) >= (resources.nodes or 1)
    if resources.processes and enough and not {"ntasks", "ntasks-per-node"} & given:
        options.append(f"--ntasks={resources.processes}")
    if resources.cores_per_process and "cpus-per-task" not in given:
        options.append(f"--cpus-per-task={resources.cores_per_process}")
    return options


def resource_options(resources: Resources) -> list[str]:
    """Return the options that ask for the resources.

    Examples
    --------
    >>> resource_options(Resources(nodes=2, gpus=1, memory_mb=500, walltime_s=90))
    ['--nodes=2', '--gres=gpu:1', '--mem=500M', '--time=0-00:02:00']
    """
    gres = [f"gpu:{resources.gpus}"] if resources.gpus else []
    gres += [f"{name}:{count}" for name, count in resources.other.items()]
    forms: list[tuple[str, object]] = [
        ("--nodes={}", resources.nodes),
        ("--ntasks={}", resources.processes),
        ("--cpus-per-task={}", resources.cores_per_process),
        ("--gres={}", ",".join(gres)),
        ("--mem={}M", resources.memory_mb),
        ("--tmp={}M", resources.disk_mb),
        ("--time={}", slurm_time(resources.walltime_s) if resources.walltime_s else None),
        ("--partition={}", resources.queue),
        ("--account={}", resources.account),
        ("--reservation={}", resources.reservation),
        ("--qos={}", resources.quality_of_service),
        ("--exclusive", resources.exclusive),
    ]
    return [form.format(value) for form, value in forms if value]


def _job_name(job: Job) -> str:
    return _printable(job.title)[:_NAME_LENGTH] or job.key.name


def _is_joined(ours: Output | None, options: Sequence[Option]) -> bool:
    """Whether stderr goes into stdout, as Slurm has it where only --output is given."""
    if value_of(options, "error"):
        return False
    return bool(value_of(options, "output")) or (ours is not None and ours.joined)


def _output(ours: Output | None, options: Sequence[Option], name: str) -> dict[str, str]:
    names = {"stdout": ours.stdout, "stderr": ours.stderr} if ours else {}
    if _is_joined(ours, options):
        names.pop("stderr", None)
    for kind, option in (("stdout", "output"), ("stderr", "error")):
        pattern = value_of(options, option)
        if pattern:
            names[kind] = output_name(pattern, name)
    return names


def _printable(text: str) -> str:
    return "".join(sign if sign.isprintable() else " " for sign in text)


# Command lines -----------------------------------------------------------------------


def comment_of(name: str, ticket: str, users: str) -> str:
    """Return the comment of a job: what finds it again, then the user's own words.

    Examples
    --------
    >>> comment_of("fit-x7k2.3.1", "0a1b2c3d4e5f", "step three")
    'fit-x7k2.3.1@0a1b2c3d4e5f step three'
    """
    return f"{name}@{ticket} {_printable(users)}".strip()[:_COMMENT_LENGTH]


def site_command(request: Request, ticket: str) -> list[str]:
    """Return the command of the site's own program that submits a job."""
    comment = comment_of(request.job.key.name, ticket, request.comment)
    return [*request.site, f"--comment={comment}"]


def single_command(request: Request, ticket: str) -> list[str]:
    """Return the command that submits one job's wrapper."""
    job = request.job
    return _sbatch(
        [request],
        comment_of(job.key.name, ticket, request.comment),
        escaped(f"{job.folder}/stdout"),
        None if request.joined else escaped(f"{job.folder}/stderr"),
        [f"--chdir={job.workdir}"],
        f"{job.folder}/job",
    )


def array_command(requests: Sequence[Request], ticket: str, folder: str) -> list[str]:
    """Return the command that submits the jobs as one array.

    `folder` holds a link to each attempt's folder, named by its index, and the script.
    """
    first = requests[0]
    return _sbatch(
        requests,
        comment_of(f"{first.job.key.run}.*", ticket, first.comment),
        escaped(folder) + "/%a/stdout",
        None if first.joined else escaped(folder) + "/%a/stderr",
        [f"--chdir={folder}", f"--array=0-{len(requests) - 1}"],
        f"{folder}/job",
    )


def _sbatch(
    requests: Sequence[Request],
    comment: str,
    output: str,
    error: str | None,
    further: Sequence[str],
    script: str,
) -> list[str]:
    names = [request.name for request in requests]
    command = ["sbatch", "--parsable", *requests[0].arguments]
    command += [f"--job-name={_common(names)}", f"--comment={comment}", f"--output={output}"]
    if error is not None:
        command.append(f"--error={error}")
    return [*command, *further, "--no-requeue", script]


def _common(names: Sequence[str]) -> str:
    """Return how names begin, or the first where they have nothing in common.

    Examples
    --------
    >>> _common(["fit_N.10", "fit_N.20"]), _common(["fit"]), _common(["a", "b"])
    ('fit_N', 'fit', 'a')
    """
    first, last = min(names), max(names)
    length = next((at for at, sign in enumerate(first) if last[at : at + 1] != sign), len(first))
    beginning = first[:length]
    if len(names) > 1:
        beginning = beginning.rstrip("0123456789").rstrip("._- ")
    return beginning or names[0]


def array_script(requests: Sequence[Request], folder: str) -> str:
    """Return the script of an array: it becomes the wrapper of the element."""
    lines = ["#!/bin/bash", *requests[0].header]
    lines.append(f'exec /bin/bash {shlex.quote(folder)}/"$SLURM_ARRAY_TASK_ID"/job')
    return "\n".join(lines) + "\n"


def array_surroundings(request: Request) -> Surroundings:
    """Return what the wrapper of an element must know: it looks like a job of its own."""
    before = (
        f"export SLURM_JOB_NAME={shlex.quote(request.name)}",
        f"export SLURM_SUBMIT_DIR={shlex.quote(request.job.workdir)}",
        f"unset -v {_ARRAY_VARIABLES}",
    )
    where = SURROUNDINGS
    return Surroundings(where.job_id, where.requeued, where.node, where.kept, before)


def _likeness(request: Request) -> tuple[object, ...]:
    """Return what is equal for jobs that can be elements of one array."""
    if request.site:
        return (request.job.key,)
    options = header_options(request.header)
    kept = tuple(option.words for option in options if option.name not in TAKEN)
    return (kept, request.arguments, request.joined)


def grouped(
    requests: Iterable[Request], *, arrays: bool, at_most: int
) -> list[tuple[Request, ...]]:
    """Return the requests in the groups in which they go out; a group of many is an array.

    The order of the first of each group is kept.
    """
    if not arrays or at_most < ARRAY_FROM:
        return [(request,) for request in requests]
    alike: dict[tuple[object, ...], list[Request]] = {}
    for request in requests:
        alike.setdefault((request.job.key.run, *_likeness(request)), []).append(request)
    groups: list[tuple[Request, ...]] = []
    for members in alike.values():
        for at in range(0, len(members), at_most):
            part = members[at : at + at_most]
            if len(part) >= ARRAY_FROM:
                groups.append(tuple(part))
            else:
                groups += [(request,) for request in part]
    return groups
