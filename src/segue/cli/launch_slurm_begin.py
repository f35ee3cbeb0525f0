"""From the command line of `launch_slurm` to a stored run: what is asked, read and checked."""

from __future__ import annotations

import argparse
import os
import shlex
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from segue import wiring
from segue.cli.common import current_folder, open_service, pairs
from segue.cli.launch_slurm_facts import FactFinder
from segue.cli.run import check_names as check_paths
from segue.cli.run import make_workspace
from segue.engine.folders import OWN_FOLDER
from segue.engine.reading import reading_of
from segue.engine.service import new_run_id
from segue.lute.config import read_config
from segue.lute.elog import URL_VARIABLE as ELOG_VARIABLE
from segue.lute.fan_out import fan_out
from segue.lute.launch import Launch, prepared
from segue.lute.launch_context import Context, context_of, facts_of, python_path
from segue.lute.logbook import Logbook
from segue.lute.sweep_config import expanded
from segue.lute.sweeps import Sweeps, check_names, sweeps_of
from segue.lute.task_names import names_of_checkout, own_names
from segue.model.errors import UserError
from segue.model.graph import BARRIER_PREFIX
from segue.model.run import RunRecord
from segue.model.workflow import Verdict, Workflow
from segue.protocols.dialect import Source

#: A copy of the config for the instances of sweeps, in the run's own folder.
EXPANDED: Final = "config_expanded{}.yaml"


class NoExperimentError(UserError):
    """Neither the environment nor the command line says which run of which experiment."""


def begin(options: argparse.Namespace, words: Sequence[str]) -> tuple[Any, RunRecord] | None:
    """Read, check and store the workflow; return the front desk and the run.

    None: the user only wanted to see it (``--dry-run``).

    Raises
    ------
    NoExperimentError
        If experiment or run are missing.
    UserError
        If anything else is wrong with the input.
    OutsideError
        If the logbook does not answer where it must.
    """
    config = _config(options)
    tag = options.tag or options.sample
    context = context_of(os.environ, options.experiment, options.run, many=bool(tag))
    if context is None:
        run_too = "" if tag else " -r RUN"
        raise NoExperimentError(
            "experiment and run are not known" if not tag else "the experiment is not known",
            f"without the ARP give them: -e EXPERIMENT{run_too}",
        )
    _check_place(options)
    finder = FactFinder(context, may_ask_for_token=not options.local)
    if options.lute_path or options.site_submit or os.environ.get(ELOG_VARIABLE):
        finder.get_token()
    runs = _runs(options, context)
    source = _source(options, words, config)
    workflow, facts = finder.read(source, runs or [int_or_text(context.run)], guess=options.guess)
    names = _names(options)
    if names is not None:
        check_names(workflow, names)
    sweeps = sweeps_of(workflow, names or {})
    if runs:
        joint = {"TAG": options.tag} if options.tag else {"SAMPLE": options.sample}
        workflow = fan_out(workflow, runs, joint, at_once=options.max_concurrent_runs)
    run_id = new_run_id(workflow.name)
    workspace = os.path.abspath(f"segue-runs/{run_id}")
    check_paths(source.path, source.directory, workspace, config)
    launch = _launch(options, context, config, finder.psana(facts))
    folder = Path(workspace, OWN_FOLDER, run_id)
    copies = _copies(Path(config), sweeps, folder, check=_has_own_executors(options))
    # A sweep's instance for one run of a tag reads what the instance does.
    configs = {
        task.name: str(list(copies)[number])
        for task in workflow.tasks
        if (number := sweeps.copy_of.get(task.name.partition("@")[0])) is not None
    }
    verdict = Verdict.STRICT if options.verdict == "maestro" else Verdict.DEFAULT
    workflow = replace(prepared(workflow, launch, configs), verdict=verdict)
    if options.dry_run:
        _show(workflow, facts)
        return None
    make_workspace(workspace)
    for path, text in copies.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, "utf-8")
    return _store(options, workflow, replace(source, facts=facts), run_id, workspace)


def int_or_text(run: str) -> int | str:
    """Return a run's number as a number, where it is one."""
    return int(run) if run.isdecimal() else run


# What is given -------------------------------------------------------------------


def _config(options: argparse.Namespace) -> str:
    if not options.workflow_defn:
        raise UserError("no workflow is given", "name its file: -W FILE")
    if not options.config:
        raise UserError("no config is given", "name the config YAML of the Tasks: -c FILE")
    path = os.path.join(current_folder(), options.config)
    if not os.path.isfile(path):
        raise UserError(f"there is no config {options.config!r}", "-c names a YAML file")
    return os.path.normpath(path)


def _check_place(options: argparse.Namespace) -> None:
    if options.local and options.site_submit:
        raise UserError("--local and --site-submit exclude each other", "leave one of them out")
    if options.local:
        return
    why = wiring.pool_names()["slurm"]
    if why and not options.dry_run:
        raise UserError(f"Slurm cannot be used here: {why}", "run it on this machine: --local")


def _has_own_executors(options: argparse.Namespace) -> bool:
    """Tell whether the jobs run our own Executor, and not LUTE's."""
    return not options.lute_path and not options.site_submit


def _names(options: argparse.Namespace) -> Mapping[str, str] | None:
    """Return the managed Tasks that there are, each with its Task; None if nobody knows."""
    if options.lute_path:
        return names_of_checkout(os.path.abspath(options.lute_path))
    if options.site_submit:
        return None
    return own_names(os.environ)


def _runs(options: argparse.Namespace, context: Context) -> list[int]:
    """Return the runs of the tag or sample; nothing for a launch of one run."""
    if not options.tag and not options.sample:
        return []
    logbook = Logbook(context.experiment, os.environ)
    if options.tag:
        runs, what = logbook.runs_with_tag(options.tag), f"the tag {options.tag!r}"
    else:
        runs, what = logbook.runs_of_sample(options.sample), f"the sample {options.sample!r}"
    if not runs:
        raise UserError(
            f"experiment {context.experiment} has no run of {what}", "is it spelt as in the eLog?"
        )
    return runs


def _source(options: argparse.Namespace, words: Sequence[str], config: str) -> Source:
    given = pairs(options.facts, "--set")
    if options.type:
        given.setdefault("run_type", options.type)
    chosen: dict[str, Any] = {"config": config}
    if words:
        chosen["slurm_args"] = shlex.join(words)
    if options.merge:
        chosen["slurm_merge"] = True
    return Source(
        path=options.workflow_defn,
        text=wiring.read_text(options.workflow_defn),
        directory=current_folder(),
        facts=facts_of(os.environ, given),
        now=time.time(),
        options=chosen,
    )


def _launch(options: argparse.Namespace, context: Context, config: str, psana: int) -> Launch:
    variables: dict[str, str | None] = dict(context.variables)
    lute_path = os.path.abspath(options.lute_path) if options.lute_path else ""
    if lute_path:
        variables["LUTE_PATH"] = lute_path
    cleaned = python_path(os.environ, psana=psana) if lute_path or options.site_submit else None
    if cleaned is not None:
        variables["PYTHONPATH"] = cleaned
    try:
        site_submit = tuple(shlex.split(options.site_submit))
    except ValueError as error:
        raise UserError(
            f"--site-submit {options.site_submit!r} cannot be split: {str(error).lower()}"
        ) from error
    return Launch(
        config=config,
        experiment=context.experiment,
        run=context.run,
        stamp=time.strftime("%Y-%m-%d_%H-%M-%S", time.gmtime()),
        variables=variables,
        psana=psana,
        debug=options.debug,
        lute_path=lute_path,
        site_submit=site_submit,
        environment=dict(os.environ),
    )


def _copies(config: Path, sweeps: Sweeps, folder: Path, *, check: bool) -> dict[Path, str]:
    """Return the copies of the config that sweeps need, by the paths that they will have.

    `check` says that our own Executors will read it, so that it must be as they want it.
    """
    try:
        text = config.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"the config {config} cannot be read: {error}", "see -c") from error
    if check:
        read_config(text, str(config), os.environ)
    return {
        folder / EXPANDED.format(f"_{number}" if number else ""): expanded(
            text, str(config), instances
        )
        for number, instances in enumerate(sweeps.copies)
    }


# The run -------------------------------------------------------------------------


def _store(
    options: argparse.Namespace, workflow: Workflow, source: Source, run_id: str, workspace: str
) -> tuple[Any, RunRecord]:
    from segue.cli.show import show_warnings

    pool = "local" if options.local else "slurm"
    reading = reading_of(source, pool=pool, limit=None) | {
        "launch": {
            "unbuffered": options.unbuffered,
            "bind": options.bind,
            "token_needed": _has_own_executors(options),
        },
        # What a launch adds to the file is not read from it again.
        "left_out": ["launch_slurm"],
    }
    show_warnings(workflow)
    sys.stderr.flush()
    service = open_service()
    record = service.submit(
        workflow,
        run=run_id,
        source=os.path.abspath(options.workflow_defn),
        directory=source.directory,
        workspace=workspace,
        pool=pool,
        slots=options.jobs or 0,
        reading=reading,
    )
    return service, record


def _show(workflow: Workflow, facts: Mapping[str, str]) -> None:
    from segue.cli.show import show_warnings, table

    show_warnings(workflow)
    said = ", ".join(f"{name}={value}" for name, value in facts.items())
    print_line(f"{workflow.name}: {len(workflow.tasks)} steps" + (f" with {said}" if said else ""))
    rows = [
        [
            task.name,
            f"!{task.trigger.name}" if task.needs else "",
            ", ".join(name.removeprefix(BARRIER_PREFIX) for name in task.needs),
            str(task.options.get("slurm_params", "")),
        ]
        for task in workflow.tasks
    ]
    table(["step", "rule", "after", "Slurm"], rows)
    print_line("nothing was run or stored")


def print_line(text: str) -> None:
    """Print a line of our own."""
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()
