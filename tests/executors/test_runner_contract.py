"""The executor on a real runner keeps the contract of all executors."""

import pytest
from farm import daemons, executor_on

from segue.testing.executor_suite import ExecutorSuite


class TestRunner(ExecutorSuite):
    @pytest.fixture
    def executor(self, tmp_path):
        # A job's environment begins with that of its runner, not with ours.
        environment = {"GOES": "1", "STAYS": "2"}
        with daemons(tmp_path / "farm", environment=environment) as runners:
            executor = executor_on(tmp_path / "state", runners)
            executor.again = lambda: executor_on(tmp_path / "state", runners)
            yield executor
            executor.close()

    def reopen(self, executor):
        return executor.again()
