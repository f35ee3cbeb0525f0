"""The Slurm executor: jobs through sbatch, watched by squeue, sacct and records of their own."""

from __future__ import annotations

import os
from pathlib import Path

from segue.executors.batch_executor import BatchExecutor
from segue.executors.batch_settings import Settings
from segue.executors.slurm_commands import SlurmCommands
from segue.executors.slurm_settings import settings_of


def open_slurm(state_dir: Path, *, settings: Settings | None = None) -> BatchExecutor:
    """Return a Slurm executor that keeps its journals under `state_dir`.

    Raises
    ------
    UserError
        If a setting in the environment is not one.
    """
    return BatchExecutor("slurm", state_dir, SlurmCommands(), settings or settings_of(os.environ))
