"""Pools by name: executors with a limit of their own, and the one that runs nothing."""

import pytest
from test_fakes import TestFakeExecutor as FakeSuite

from segue import wiring
from segue.executors.limited import Limited
from segue.executors.noop import NoopExecutor
from segue.model.errors import UserError
from segue.model.events import Ended
from segue.model.pools import PoolSettings
from segue.model.workflow import Argv
from segue.protocols.clock import SystemClock
from segue.protocols.executor import Job, JobKey
from segue.testing.fake_clock import FakeClock
from segue.testing.fake_executor import FakeExecutor


def job(number: int) -> Job:
    return Job(JobKey("r", number, 1), "a", Argv(("/no/such",)), "/nowhere", "/nowhere")


class TestLimitedExecutor(FakeSuite):
    """A pool keeps the contract of the executor that it stands for."""

    @pytest.fixture
    def executor(self):
        inner = FakeExecutor(FakeClock(), slots=2)
        self._codes = {}
        executor = Limited(inner, "fast", 2)
        executor.inner = inner
        yield executor
        executor.close()

    def reopen(self, executor):
        again = Limited(executor.inner.reopen(), "fast", 2)
        again.inner = again._inner
        return again

    def let_begin(self, executor, job):
        super().let_begin(executor.inner, job)

    def let_end(self, executor, tmp_path, job):
        super().let_end(executor.inner, tmp_path, job)


def test_a_limit_is_the_most_that_a_pool_has_room_for():
    inner = FakeExecutor(FakeClock(), slots=8)

    assert Limited(inner, "few", 3).capabilities.slots == 3
    assert Limited(inner, "many", 99).capabilities.slots == 8
    assert Limited(NoopExecutor(), "some", 5).capabilities.slots == 5
    assert Limited(inner, "all", None).capabilities == inner.capabilities


def test_noop_lets_every_job_succeed_and_runs_nothing():
    executor = NoopExecutor(clock=lambda: 7.0)

    reports = [each.report for each in executor.submit([job(0), job(1)])]

    assert reports == [Ended(at, 1, 7.0, None, 0, started_at=7.0) for at in (0, 1)]


def test_noop_lets_those_succeed_that_a_dead_engine_has_left():
    executor = NoopExecutor(clock=lambda: 7.0)

    (report,) = executor.find({JobKey("r", 0, 1): ""})

    assert report.report == Ended(0, 1, 7.0, None, 0, started_at=7.0)


def opened(tmp_path, *pools: PoolSettings):
    return wiring.open_pools(tmp_path, SystemClock(), pools, slots=3)


def test_pools_are_opened_by_their_names_and_local_is_always_among_them(tmp_path):
    pools = opened(tmp_path, PoolSettings("fast", "local", 2), PoolSettings("dry", "noop", 9))

    assert {name: each.capabilities.slots for name, each in pools.items()} == {
        "local": 3, "fast": 2, "dry": 9,
    }  # fmt: skip
    for each in pools.values():
        each.close()


def test_a_pool_called_local_takes_the_place_of_ours(tmp_path):
    pools = opened(tmp_path, PoolSettings("local", "local", 1))

    assert [each.capabilities.slots for each in pools.values()] == [1]
    pools["local"].close()


@pytest.mark.parametrize(
    ("pool", "said"),
    [
        (PoolSettings("x", "lokal"), "there is no pool 'lokal'"),
        (PoolSettings("../x", "local"), "cannot be called"),
        (PoolSettings("x", "local", 0), "at least one job"),
    ],
)
def test_a_pool_that_cannot_be_is_refused(tmp_path, pool, said):
    with pytest.raises(UserError, match=said):
        opened(tmp_path, pool)
