"""The LSF and Flux executors keep the contract of all executors, on false systems."""

from dataclasses import replace

import pytest

from segue.executors.batch_judge import Patience
from segue.executors.batch_settings import Settings
from segue.executors.flux import open_flux
from segue.executors.lsf import open_lsf
from segue.testing.executor_suite import ExecutorSuite
from segue.testing.false_batch import FLUX, LSF, FalseBatch

QUICK = Settings(poll_s=0.1, unsure_s=0.3, arrays=False, patience=Patience())


class BatchSuite(ExecutorSuite):
    opener = None
    programs = ()

    @pytest.fixture
    def executor(self, tmp_path, monkeypatch):
        cluster = FalseBatch(tmp_path / "cluster", self.programs)
        monkeypatch.setenv("PATH", cluster.path)
        executor = self.opener(tmp_path / "state")
        executor.place = tmp_path / "state"
        yield executor
        executor.close()
        cluster.close()

    def reopen(self, executor):
        return self.opener(executor.place)


class TestLsf(BatchSuite):
    programs = LSF

    def opener(self, state):
        return open_lsf(state, settings=replace(QUICK))


class TestFlux(BatchSuite):
    programs = FLUX

    def opener(self, state):
        return open_flux(state, settings=replace(QUICK))
