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


@pytest.fixture(scope="session")
def postgres_service():
    """A real PostgreSQL server; its URL."""
    import postgres as server

    return _started(server.SERVICE)["SEGUE_TEST_POSTGRES"]


@pytest.fixture
def postgres_url(postgres_service):
    """An empty schema in a real PostgreSQL, as the URL of a store."""
    import psycopg

    schema = f"test_{os.urandom(6).hex()}"
    with psycopg.connect(postgres_service, autocommit=True) as base:
        base.execute(f"CREATE SCHEMA {schema}")
        yield f"{postgres_service}?options=-csearch_path%3D{schema}"
        base.execute(f"DROP SCHEMA {schema} CASCADE")


@pytest.fixture(scope="session")
def mpi():
    """A real MPI: the variables that it wants to have on a test machine."""
    from mpi import SERVICE

    return _started(SERVICE)


@pytest.fixture(scope="session")
def redis_service():
    """Real Redis servers, with and without RedisJSON: the variables that lead to them."""
    import redis_server

    return _started(redis_server.SERVICE)


@pytest.fixture
def redis_url(redis_service):
    """A prefix of its own on a real Redis, as the URL of a store."""
    with _prefix(redis_service["SEGUE_TEST_REDIS"]) as url:
        yield url


@pytest.fixture
def redis_json_url(redis_service):
    """The same on a Redis with RedisJSON."""
    with _prefix(redis_service["SEGUE_TEST_REDIS_JSON"]) as url:
        yield url


@contextmanager
def _prefix(server):
    import redis

    prefix = f"test-{os.urandom(6).hex()}"
    yield f"{server}?prefix={prefix}"
    with redis.Redis.from_url(server) as client:
        for key in client.scan_iter(f"{prefix}:*"):
            client.delete(key)


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
