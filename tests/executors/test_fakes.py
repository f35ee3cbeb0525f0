"""The fakes keep the contracts of what they stand for."""

from pathlib import Path

import pytest

from segue.model.events import Returned, Started
from segue.model.workflow import Nothing
from segue.protocols.executor import JobKey
from segue.testing.executor_suite import ExecutorSuite, Watcher
from segue.testing.fake_clock import FakeClock
from segue.testing.fake_executor import FakeExecutor


class TestFakeExecutor(ExecutorSuite):
    runs_programs = False

    @pytest.fixture
    def executor(self):
        executor = FakeExecutor(FakeClock(), slots=2)
        self._codes = {}
        yield executor
        executor.close()

    def reopen(self, executor):
        return executor.reopen()

    def job_that_ends(self, tmp_path, number, exit_code=0):
        job = self.job(tmp_path, number, Nothing())
        self._codes[job.key] = (exit_code, True)
        return job

    def job_that_waits(self, tmp_path, number, exit_code=0):
        job = self.job(tmp_path, number, Nothing())
        self._codes[job.key] = (exit_code, False)
        return job

    def let_begin(self, executor, job):
        executor.start(job.key)
        exit_code, at_once = self._codes[job.key]
        if at_once:
            executor.finish(job.key, exit_code)

    def let_end(self, executor, tmp_path, job):
        executor.finish(job.key, self._codes[job.key][0])


def test_nothing_happens_until_the_test_says_so():
    executor = FakeExecutor(FakeClock(now=10.0))
    suite = ExecutorSuite()
    job = suite.job(Path("/nowhere"), 0, Nothing())
    watcher = Watcher(executor)
    watcher.submit(job)

    assert not executor.collect()
    executor.start(job.key, node="n1")
    assert executor.collect() == [("suite", Started(0, 1, 10.0, "fake:suite.0.1", "n1"))]
    executor.close()


def test_a_report_can_come_late_and_twice():
    executor = FakeExecutor()
    key = JobKey("r", 0, 1)
    report = (key.run, Returned(0, 1, 1.0))
    executor.repeat(report)
    executor.repeat(report)

    assert executor.collect() == [report, report]
    executor.close()


def test_time_stands_still_and_never_goes_back():
    clock = FakeClock(now=5.0)

    assert clock.now() == clock.now() == 5.0
    with pytest.raises(ValueError, match="back"):
        clock.advance(-1)
