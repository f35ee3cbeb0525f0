"""The local executor keeps the contract of all executors."""

import pytest

from segue.executors.local import open_local
from segue.testing.executor_suite import ExecutorSuite


class TestLocal(ExecutorSuite):
    @pytest.fixture
    def executor(self, state):
        executor = open_local(state, slots=2, grace_s=5.0)
        yield executor
        executor.close()

    def reopen(self, executor):
        return open_local(executor._state_dir, slots=2, grace_s=5.0)
