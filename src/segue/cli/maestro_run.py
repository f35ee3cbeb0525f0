"""`maestro run`: makes a study's folder, stores its run, and starts its conductor."""

from __future__ import annotations

import argparse
import contextlib
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Final

from segue import wiring
from segue.cli.maestro_begin import generated, source_of, store_run, write_meta
from segue.cli.maestro_study import answer, find_study, open_study, print_line
from segue.cli.run import check_names, make_workspace, own_workspace
from segue.engine.service import Service
from segue.maestro.files import (
    BATCH_INFO,
    Settings,
    StudyFolder,
    read_link,
    write_file,
    write_settings,
)
from segue.maestro.launch import settings_box, with_settings
from segue.maestro.log import WARNING, StudyLog
from segue.maestro.outline import make_outline
from segue.model.errors import OutsideError, UserError
from segue.model.states import FINAL_RUN
from segue.model.workflow import Workflow
from segue.protocols.clock import SystemClock
from segue.protocols.dialect import Source

#: So long a conductor in the background may take to have the study, in seconds.
LAUNCH_PATIENCE_S: Final = 60.0
#: So much of its output is shown when it could not.
_TAIL_BYTES: Final = 2000
_YES: Final = ("y", "yes")


def run(options: argparse.Namespace) -> int:
    """Launch a study; return the exit code."""
    _check(options)
    log = StudyLog(sys.stderr, options.debug_lvl)
    settings = _settings(options)
    # A file of that name: standard input cannot be read again by a conductor.
    spec = "./-" if options.specification == "-" else options.specification
    out = os.path.abspath(options.out) if options.out else ""
    log.info(f"Loading specification -- path = {spec}")
    source = source_of(settings, spec, out)
    workflow = wiring.read_workflow(source, "maestro")
    if out:
        if not _clear(Path(out), spec, options, log):
            print_line("Opting to quit -- not cleaning up old out path.")
            return 0
    else:
        source, workflow = _own(source, workflow)
    folder = StudyFolder(Path(workflow.workspace), workflow.name)
    settings = replace(settings, name=workflow.name)
    with _removed_on_failure(folder.path) as keep:
        return _launch(options, log, folder, settings, source, workflow, keep)


def _check(options: argparse.Namespace) -> None:
    """Raise `UserError` for numbers and combinations of options that make no sense."""
    least = {"attempts": 1, "rlimit": 0, "throttle": 0, "sleeptime": 0, "jobs": 0}
    for name, minimum in least.items():
        if getattr(options, name) < minimum:
            raise UserError(f"--{name} must be {minimum} or more, not {getattr(options, name)}")
    if options.pargs and not options.pgen:
        raise UserError("--pargs is for a generator", "name its file with --pgen")
    if options.pgen and not os.path.isfile(options.pgen):
        raise UserError(f"--pgen {options.pgen}: there is no such file", "give a Python file")


def _settings(options: argparse.Namespace) -> Settings:
    from segue.cli.common import current_folder

    directory = current_folder()
    spec = os.path.abspath(options.specification)
    check_names(directory, spec)
    return Settings(
        name="",
        specification=spec,
        directory=directory,
        spec_root=os.path.dirname(spec),
        attempts=options.attempts,
        restart_limit=options.rlimit,
        throttle=options.throttle,
        sleeptime_s=options.sleeptime,
        jobs=options.jobs,
        hashws=options.hashws,
        strict_maestro=options.strict_maestro,
        dry=options.dry,
        generator=os.path.abspath(options.pgen) if options.pgen else "",
        generator_arguments=tuple(options.pargs),
    )


# The folder ----------------------------------------------------------------------


def _clear(path: Path, spec: str, options: argparse.Namespace, log: StudyLog) -> bool:
    """Make the folder that was asked for; return False if the user keeps what is there."""
    check_names(str(path))
    if os.path.lexists(path):
        if not path.is_dir():
            raise UserError(f"the output path {path} is no directory", "choose another one")
        _check_removable(path, spec)
        given = "y" if options.autoyes else "n" if options.autono else ""
        question = "Output path already exists. Would you like to overwrite it? [yn] "
        if answer(question, default=given).lower() not in _YES:
            return False
        print_line("Cleaning up existing out path...")
        try:
            shutil.rmtree(path)
        except OSError as error:
            raise UserError(f"{path} cannot be removed: {error}", "choose another one") from error
    _check_nobody_writes(path)
    make_workspace(str(path), "-o")
    return True


def _check_nobody_writes(path: Path) -> None:
    """Raise `UserError` while an engine drives a run in a folder that somebody has removed."""
    service = Service(wiring.open_store(), SystemClock())
    with contextlib.closing(service.store):
        for run in service.store.runs(workspace=str(path)):
            if run.state not in FINAL_RUN and service.has_engine(run.id):
                raise UserError(
                    f"run {run.id} still writes into {path}, although its folder was removed",
                    f"cancel it first: segue cancel {run.id}",
                )


def _check_removable(path: Path, spec: str) -> None:
    """Raise `UserError` where removing the folder would destroy more than an old study."""
    real = path.resolve()
    kept = {"the current directory": Path.cwd(), "the specification": Path(spec).resolve()}
    kept["your home"] = Path.home().resolve()
    for what, each in kept.items():
        if each == real or real in each.parents:
            raise UserError(f"{path} holds {what} and is not removed", "choose another one with -o")
    study = find_study(path) if read_link(path) else None
    if study is not None:
        with contextlib.closing(study.service.store):
            if study.conducted:
                raise UserError(
                    f"the study in {path} is running", f"cancel it first: maestro cancel {path}"
                )


def _own(source: Source, workflow: Workflow) -> tuple[Source, Workflow]:
    """Make a folder that nobody else has; read again if its name is not the expected one."""
    path = own_workspace(workflow.workspace, "-o")
    check_names(path)
    if path == workflow.workspace:
        return source, workflow
    # Two starts in one second.
    source = replace(source, workspace=path)
    return source, wiring.read_workflow(source, "maestro")


@contextlib.contextmanager
def _removed_on_failure(path: Path) -> Iterator[list[bool]]:
    """Remove the folder if its making fails, unless something is put into the list."""
    keep: list[bool] = []
    try:
        yield keep
    except BaseException:
        if not keep:
            shutil.rmtree(path, ignore_errors=True)
        raise


# The study -----------------------------------------------------------------------


def _launch(
    options: argparse.Namespace,
    log: StudyLog,
    folder: StudyFolder,
    settings: Settings,
    source: Source,
    workflow: Workflow,
    keep: list[bool],
) -> int:
    from segue.maestro.dependencies import acquire
    from segue.maestro.meta import batch_text

    log.open(folder.log)
    for problem in workflow.warnings:
        log.write(WARNING, str(problem).splitlines())
    _copy(source.path, folder.path)
    if settings.generator:
        _copy(settings.generator, folder.path)
        source = generated(settings, replace(source, workspace=str(folder.path)))
        workflow = wiring.read_workflow(source, "maestro")
    if options.usetmp:
        settings = replace(settings, temporary=_temporary())
    log.info(settings_box(settings, str(folder.path)))
    acquire(workflow.context, say=log.info)
    write_file(folder.path / BATCH_INFO, batch_text(workflow.context.get("batch") or {}))
    write_settings(folder, settings)
    given = "y" if options.autoyes or options.dry else "n" if options.autono else ""
    if answer("Would you like to launch the study? [yn] ", default=given).lower() not in _YES:
        print_line("Study launch aborted.")
        return 0
    write_meta(folder, workflow, source)
    if options.dry:
        _dry_run(folder, workflow, settings)
        return _launched(options)
    link = store_run(folder, workflow, settings, source, None)
    keep.append(True)
    log.close()
    del workflow, source
    if not options.fg:
        _start_conductor(folder, link.store, options.debug_lvl)
        return _launched(options)
    from segue.cli.maestro_conduct import conduct

    log.info("Running Maestro Conductor in the foreground.")
    study = open_study(folder.path)
    with contextlib.closing(study.service.store):
        return conduct(study, log)


def _launched(options: argparse.Namespace) -> int:
    if not options.fg:
        print_line("Study launched successfully.")
    return 0


def _copy(spec: str, folder: Path) -> None:
    """Keep the specification as it was; a pipe cannot be copied, and was read."""
    with contextlib.suppress(OSError):
        shutil.copy(spec, folder)


def _temporary() -> str:
    """Return the name of a folder that nobody has; the conductor makes it when it begins."""
    return os.path.join(tempfile.gettempdir(), f"segue-maestro-{os.urandom(8).hex()}")


def _dry_run(folder: StudyFolder, workflow: Workflow, settings: Settings) -> None:
    from segue.maestro.dry import dry_csv, write_scripts

    if settings.temporary:
        os.makedirs(settings.temporary, mode=0o700)
    workflow = with_settings(workflow, settings)
    write_scripts(workflow.tasks, workflow.workspace)
    outline = make_outline([*workflow.tasks, *workflow.barriers])
    write_file(folder.status, dry_csv(outline, time.time()))
    if settings.temporary:
        shutil.rmtree(settings.temporary, ignore_errors=True)


# The conductor -------------------------------------------------------------------


def _start_conductor(folder: StudyFolder, store: str, level: int) -> None:
    """Start a conductor that outlives this terminal; return when it has the study.

    Raises
    ------
    OutsideError
        If it could not take the study; with the end of what it said.
    """
    command = [sys.executable, "-m", "segue.cli.conductor", "-d", str(level), str(folder.path)]
    before = signal.getsignal(signal.SIGHUP)
    with folder.output.open("ab") as output:
        signal.signal(signal.SIGHUP, signal.SIG_IGN)  # inherited: as `nohup` does
        try:
            child = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
                cwd="/",
                env=os.environ | {"SEGUE_STORE": store},
            )
        finally:
            signal.signal(signal.SIGHUP, before)
    if not _taken(child, folder.path):
        raise OutsideError(
            f"the conductor of {folder.path} could not take the study:\n{_tail(folder.output)}",
            f"what is wrong stands above; then: conductor {folder.path}",
        )


def _taken(child: subprocess.Popen[bytes], path: Path) -> bool:
    """Wait until the conductor has the study, or has ended it; tell whether it has."""
    study = open_study(path)
    patience = time.monotonic() + LAUNCH_PATIENCE_S
    with contextlib.closing(study.service.store) as store:
        while child.poll() is None and time.monotonic() < patience:
            if study.conducted:
                return True
            time.sleep(0.005)
        if child.returncode is None:
            child.terminate()
            child.wait()
        record = store.run(study.run.id)
        return record is not None and record.state in FINAL_RUN


def _tail(path: Path) -> str:
    with path.open("rb") as file:
        file.seek(max(0, os.fstat(file.fileno()).st_size - _TAIL_BYTES))
        return file.read().decode("utf-8", "replace").strip() or "it said nothing"
