"""From a workflow as its dialect reads it to one whose steps can run: what `launch_slurm` adds.

Each step gets the command that runs its managed Task, its environment, the name of its log,
and the config that it reads. Pure: values in, values out.
"""

from __future__ import annotations

import json
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from segue.lute.submit import Submission, log_name, set_up_lines, task_command
from segue.model.errors import Problem, WorkflowError, shorten
from segue.model.workflow import EMPTY, ManagedTask, Output, Task, Workflow

#: Words among Slurm's arguments that are for LUTE's own command, with what they say.
_SWITCHES: Final[Mapping[str, Mapping[str, Any]]] = {
    "--psana1": {"psana": 1},
    "--psana2": {"psana": 2},
    "--debug": {"debug": True},
}
_OPTIONS: Final = ("slurm_params", "slurm_defaults")
#: A job does not wait longer for a Server that is gone.
_INTRODUCTION_S: Final = 5
#: What bash alone can say over HTTP; `$0` is the managed Task's name as JSON.
_INTRODUCTION: Final = r"""\
body="{\"managed_task\": $0, \"status\": \"RUNNING\", \"orig_job_id\": \"$SLURM_JOB_ID\","
body+=" \"segue_job\": \"$SEGUE_JOB\"}"
host=${LUTE_MANAGER_URL%:*} host=${host#[} host=${host%]}
exec 3<>"/dev/tcp/$host/${LUTE_MANAGER_URL##*:}"
printf 'POST /status HTTP/1.1\r\nHost: launch\r\nConnection: close\r\n' >&3
printf 'Content-Length: %s\r\n\r\n%s' "${#body}" "$body" >&3
cat <&3"""


@dataclass(frozen=True, slots=True)
class Launch:
    """What all steps of a launch have in common.

    Attributes
    ----------
    config
        The absolute path of the config YAML.
    experiment, run
        What the steps work on; a step of a launch by tag has its run in its environment.
    stamp
        The time of the launch in UTC, for the names of logs: ``%Y-%m-%d_%H-%M-%S``.
    variables
        What all steps have in their environment.
    psana
        Which psana is set up for a step that does not say itself.
    lute_path
        The checkout of LUTE whose Tasks are run; empty: our own.
    site_submit
        The words of the site's own command that submits a step; empty: we do it.
    environment
        That of the launch, which names what is sourced in a job.
    """

    config: str
    experiment: str
    run: str
    stamp: str
    variables: Mapping[str, str | None] = EMPTY
    psana: int = 1
    debug: bool = False
    lute_path: str = ""
    site_submit: tuple[str, ...] = ()
    environment: Mapping[str, str] = EMPTY


def prepared(workflow: Workflow, launch: Launch, configs: Mapping[str, str]) -> Workflow:
    """Return the workflow with all that its steps need to run.

    Parameters
    ----------
    workflow
        Its tasks are managed Tasks; `fan_out` may have been at work on it.
    launch
        What they have in common.
    configs
        For an instance of a sweep, by the task's name, the config that has its section.

    Raises
    ------
    WorkflowError
        If a step's Slurm arguments cannot be read.
    """
    problems: list[Problem] = []
    tasks = []
    for task in workflow.tasks:
        try:
            tasks.append(_prepared(task, launch, configs.get(task.name, launch.config)))
        except ValueError as error:
            message = f"'slurm_params' cannot be split into words: {str(error).lower()}"
            problems.append(Problem("bad_arguments", message, task.place, "close the quote"))
    if problems:
        raise WorkflowError(problems)
    return replace(workflow, tasks=tuple(tasks))


def _prepared(task: Task, launch: Launch, config: str) -> Task:
    assert isinstance(task.action, ManagedTask)
    managed = task.action.name
    run = str(task.environment.get("RUN_NUM") or launch.run)
    if launch.site_submit:
        words = site_command(launch, managed, config)
        options = {**task.options, "site_submit": list(words)}
        # Its job's log has the name that the site's command gives it.
        command, output = words, None
    else:
        said, options = _without_switches(task.options)
        # The original's command lets psana 1 win where both are named.
        psana = int(said.get("psana", launch.psana))
        submission = Submission(
            managed,
            config,
            launch.experiment,
            run,
            launch.stamp,
            psana,
            bool(said.get("debug")) or launch.debug,
            lute_path=launch.lute_path,
        )
        command = step_command(submission, launch.environment)
        log = log_name(submission).replace("%J", "{job_id}")
        output = Output(log, log)
    return replace(
        task,
        action=replace(task.action, command=command, config=config),
        environment={**launch.variables, **task.environment},
        options=options or EMPTY,
        output=output,
    )


def step_command(submission: Submission, environment: Mapping[str, str]) -> tuple[str, ...]:
    """Return the words that make a job's environment and run its managed Task."""
    lines = set_up_lines(submission.psana, environment)
    if submission.lute_path:
        lines.append(introduction(submission.task))
    # No words behind the text: what is sourced would take them for its own.
    text = "\n".join([*lines, f"exec {shlex.join(task_command(submission))}"])
    return ("/bin/bash", "-c", text)


def introduction(managed: str) -> str:
    r"""Return the line of shell by which a job tells the Server which step it is.

    LUTE's own Executors name themselves by Slurm's job id alone, and the one that an element
    of an array has is known to nobody else.

    Examples
    --------
    >>> introduction("Tester").split()[-3:]
    ['\'"Tester"\'', '>/dev/null', '2>&1']
    """
    # The answer is waited for: what the Executor says comes later, and is then understood.
    words = ["timeout", str(_INTRODUCTION_S), "bash", "-c", _INTRODUCTION, json.dumps(managed)]
    there = '[ -n "$SLURM_JOB_ID" ] && [ -n "$LUTE_MANAGER_URL" ]'
    return f"{there} && {shlex.join(words)} >/dev/null 2>&1"


def site_command(launch: Launch, managed: str, config: str) -> tuple[str, ...]:
    """Return the words that let the site's own command submit a step.

    Examples
    --------
    >>> launch = Launch("/c.yaml", "x", "1", "s", psana=2, site_submit=("submit_slurm",))
    >>> " ".join(site_command(launch, "Tester", "/c.yaml"))
    'submit_slurm --taskname Tester --config /c.yaml --psana2'

    Source: specs of LUTE, section 1.4.
    """
    words = [*launch.site_submit, "--taskname", managed, "--config", config]
    if launch.debug:
        words.append("--debug")
    if launch.psana == 2:
        words.append("--psana2")
    return tuple(words)


def _without_switches(options: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return what switches among Slurm's arguments say, and the options without them."""
    said: dict[str, Any] = {}
    kept = dict(options)
    for name in (each for each in _OPTIONS if each in options):
        words = shlex.split(str(options[name]))
        found, rest = switches_of(words)
        said |= found
        if found:
            kept[name] = shlex.join(rest)
    return said, kept


def switches_of(words: Sequence[str]) -> tuple[dict[str, Any], list[str]]:
    """Return what LUTE's own switches say, and the words that are for Slurm.

    Examples
    --------
    >>> switches_of(["--ntasks=4", "--psana1", "--psana2", "--exclusive"])
    ({'psana': 1}, ['--ntasks=4', '--exclusive'])
    """
    said: dict[str, Any] = {}
    for switch in ("--psana2", "--psana1", "--debug"):
        if switch in words:
            said |= _SWITCHES[switch]
    return said, [word for word in words if word not in _SWITCHES]


def shown(task: Task) -> str:
    """Return what logs call a step: the name of its managed Task."""
    name = task.action.name if isinstance(task.action, ManagedTask) else task.name
    return shorten(name, 255)
