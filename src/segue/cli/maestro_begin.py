"""From a study's specification to a stored run: shared by `maestro run` and `conductor`."""

from __future__ import annotations

import os
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

from segue import wiring
from segue.engine.reading import reading_of
from segue.engine.service import Service, new_run_id
from segue.maestro.files import (
    Link,
    Settings,
    StudyFolder,
    write_file,
    write_link,
)
from segue.maestro.inputs import with_generated_parameters
from segue.maestro.launch import with_settings
from segue.maestro.outline import make_outline, outline_to_text
from segue.maestro.table import StudyTable
from segue.model.workflow import Workflow
from segue.protocols.clock import SystemClock
from segue.protocols.dialect import Source


def source_of(settings: Settings, path: str, workspace: str) -> Source:
    """Return the text of a specification with all that the dialect is told besides.

    What a generator of parameters makes is not in it.
    """
    options: dict[str, Any] = {"spec_root": settings.spec_root, "hashws": settings.hashws}
    if settings.strict_maestro:
        options["strict_maestro"] = True
    return Source(
        path=path,
        text=wiring.read_text(path),
        directory=settings.directory,
        workspace=workspace,
        now=time.time(),
        options=options,
    )


def generated(settings: Settings, source: Source) -> Source:
    """Return the source with the parameters that the study's generator makes, if it has one."""
    if not settings.generator:
        return source
    generator = {"pgen": settings.generator, "pargs": list(settings.generator_arguments)}
    return with_generated_parameters(replace(source, options={**source.options, **generator}))


def write_meta(folder: StudyFolder, workflow: Workflow, source: Source) -> None:
    """Write what the folder `meta` holds."""
    from segue.maestro.meta import (
        environment_text,
        metadata_text,
        parameters_text,
        written_parameters,
    )

    meta = folder.path / "meta"
    columns: Any = source.options.get("generated_parameters")
    if columns is None:
        columns = written_parameters(_parameter_section(source.text))
    workspace = str(folder.path)
    write_file(meta / "metadata.yaml", metadata_text(workflow.tasks, workflow.barriers, workspace))
    write_file(meta / "parameters.yaml", parameters_text(columns))
    write_file(meta / "environment.yaml", environment_text(os.environ))


def _parameter_section(text: str) -> Any:
    import yaml

    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    return yaml.load(text, loader).get("global.parameters")


def store_run(
    folder: StudyFolder, workflow: Workflow, settings: Settings, source: Source, link: Link | None
) -> Link:
    """Store the study's run, with its first table; return which run it is.

    The link is written before the run is stored: whoever finds the one without the other
    (`link`, from an earlier try) stores the run under that name, and nothing runs twice.
    """
    workflow = with_settings(workflow, settings)
    if link is None:
        link = Link(new_run_id(workflow.name), wiring.default_store_url(), workflow.name)
        write_link(folder.path, link)
    write_outline(folder, link.run, workflow)
    clock = SystemClock()
    # Opened only to see that they can be: what cannot be run is not stored.
    pools = {task.pool or workflow.pool for task in workflow.tasks}
    executors = wiring.open_executors(wiring.state_directory(link.store), clock, pools=pools)
    try:
        store = wiring.open_store(link.store)
        Service(store, clock).submit(
            workflow,
            run=link.run,
            source=settings.specification,
            directory=settings.directory,
            workspace=str(folder.path),
            pools=executors,
            limit=settings.throttle,
            slots=settings.jobs,
            reading=reading_of(source),
        )
        store.close()
    finally:
        for executor in executors.values():
            executor.close()
    return link


def write_outline(folder: StudyFolder, run: str, workflow: Workflow) -> None:
    """Write the part of a run's table that never changes, and the first table."""
    outline = make_outline([*workflow.tasks, *workflow.barriers])
    write_file(folder.outline(run), outline_to_text(outline))
    write_file(folder.status, StudyTable(outline).csv(time.time()))


def begin_again(path: Path, settings: Settings, link: Link | None) -> Link:
    """Store the run of a study that was made ready and never began; return which one it is."""
    from segue.maestro.dependencies import acquire

    folder = StudyFolder(path, settings.name)
    file = str(path / os.path.basename(settings.specification))
    source = generated(settings, source_of(settings, file, str(path)))
    workflow = wiring.read_workflow(source, "maestro")
    acquire(workflow.context, keep=True)
    write_meta(folder, workflow, source)
    return store_run(folder, workflow, settings, source, link)
