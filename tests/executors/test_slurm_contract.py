"""The Slurm executor keeps the contract of all executors, on a real and a false Slurm."""

import pytest
from batches import opened

from segue.executors.batch_judge import Patience
from segue.testing.executor_suite import ExecutorSuite
from segue.testing.false_slurm import FalseSlurm


class SlurmSuite(ExecutorSuite):
    @pytest.fixture
    def executor(self, tmp_path, cluster):
        executor = opened(tmp_path / "state", patience=Patience())
        executor.place = tmp_path / "state"
        yield executor
        executor.close()

    def reopen(self, executor):
        return opened(executor.place, patience=Patience())


class TestSlurm(SlurmSuite):
    @pytest.fixture
    def cluster(self, slurm):
        return slurm


class TestFalseSlurm(SlurmSuite):
    @pytest.fixture
    def cluster(self, tmp_path, monkeypatch):
        cluster = FalseSlurm(tmp_path / "slurm")
        monkeypatch.setenv("PATH", cluster.path)
        yield cluster
        cluster.close()
