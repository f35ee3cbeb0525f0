"""Settings for the whole suite."""

import fcntl
import os
import sys
from contextlib import contextmanager
from pathlib import Path

import pytest
from hypothesis import settings

# Helpers of one folder are imported by name, as `from runs import Play`.
for folder in Path(__file__).parent.iterdir():
    if folder.is_dir():
        sys.path.insert(0, str(folder))

settings.register_profile("segue", max_examples=100, deadline=None)
settings.load_profile("segue")


@pytest.fixture(scope="session")
def slurm_service():
    """A real Slurm cluster, in reach of what this process starts; its module in `services`."""
    import slurm as cluster

    with _variables(_started(cluster.SERVICE)):
        yield cluster


@pytest.fixture
def slurm(slurm_service):
    """The cluster, which other tests may use at the same time."""
    with _held("slurm", fcntl.LOCK_SH):
        yield slurm_service


@pytest.fixture
def slurm_alone(slurm_service):
    """The cluster for a test that breaks it: no other test uses it meanwhile."""
    with _held("slurm", fcntl.LOCK_EX):
        yield slurm_service
        slurm_service.SERVICE.up()


def _started(service):
    """Start a service; where that cannot be, skip, but fail in CI."""
    from service import ServiceError

    try:
        return service.up()
    except ServiceError as error:
        if os.environ.get("CI") == "true":
            pytest.fail(f"{service.name}: {error}", pytrace=False)
        pytest.skip(f"{service.name}: {error}")


@contextmanager
def _variables(variables):
    before = {name: os.environ.get(name) for name in variables}
    os.environ.update(variables)
    yield
    for name, value in before.items():
        os.environ.pop(name) if value is None else os.environ.update({name: value})


@contextmanager
def _held(name, kind):
    """Hold a lock on the use of a service, shared or alone; test workers are processes."""
    from service import STATE

    with (STATE / name / ".in-use").open("a") as lock:
        fcntl.flock(lock, kind)
        yield
