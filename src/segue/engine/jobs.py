"""From a task's attempt to the job that an executor gets. Pure."""

from __future__ import annotations

import os.path

from segue.engine.live_run import LiveRun
from segue.model.run import AttemptRecord, RunRecord
from segue.model.workflow import Task
from segue.protocols.executor import Job, JobKey


def job_of(run: LiveRun, attempt: AttemptRecord) -> Job:
    """Return the job for an attempt: paths made absolute, action or restart chosen."""
    task = run.task(attempt.task)
    action = task.action
    if attempt.restarted and task.restart is not None:
        action = task.restart
    return Job(
        key=JobKey(run.record.id, attempt.task, attempt.number),
        title=task.name,
        action=action,
        folder=attempt.folder,
        workdir=work_directory(run, attempt.task),
        environment=task.environment,
        clear_environment=task.clear_environment,
        timeout_s=task.timeout_s,
        resources=task.resources,
        options=task.options,
        output=task.output,
    )


def work_directory(run: LiveRun, position: int) -> str:
    """Return the absolute path that a task runs in."""
    return task_directory(run.record, run.task(position))


def task_directory(run: RunRecord, task: Task) -> str:
    """Return the absolute path that a task of the run runs in."""
    if task.workdir is None:
        return run.directory
    return os.path.normpath(os.path.join(run.workspace, task.workdir))
