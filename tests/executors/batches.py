"""Help for tests of executors of batch systems."""

from dataclasses import replace
from pathlib import Path

from places import job

from segue.executors.batch_judge import Patience
from segue.executors.batch_settings import Settings
from segue.executors.slurm import open_slurm
from segue.model.workflow import Output, Script
from segue.testing.executor_suite import Watcher

#: Quick: these tests wait for what they ask for.
QUICK = Settings(poll_s=0.1, unsure_s=0.3, patience=Patience(settle_s=0.5, lost_after_s=0.3))


def opened(state, **settings):
    """An executor on Slurm, whichever is on the PATH."""
    return open_slurm(Path(state), settings=replace(QUICK, **settings))


def watched(state, limit_s=60.0, **settings):
    """A watcher of a new executor; close it by `watcher.executor.close`."""
    return Watcher(opened(state, **settings), limit_s)


def headed(tmp_path, number, text, header=(), **fields):
    """A job whose script has a header of its own, as Maestro writes them."""
    lines = "\n".join(f"#SBATCH {line}" for line in header)
    script = Script(f"#!/bin/bash\n{lines}\n\n{text}\n", file=f"s{number}.slurm.sh")
    fields.setdefault("output", Output(f"s{number}.out", f"s{number}.err"))
    return job(tmp_path, number, script, **fields)


def asked_for(job):
    """The wrapper that was handed over for a job."""
    return Path(job.folder, "job").read_text()
