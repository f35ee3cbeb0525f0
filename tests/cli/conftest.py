"""The program, in a folder of its own."""

import pytest
from commands import Segue
from maestro_program import Maestro


@pytest.fixture
def segue(tmp_path):
    program = Segue(tmp_path)
    yield program
    program.close()


@pytest.fixture
def maestro(tmp_path):
    program = Maestro(tmp_path)
    yield program
    program.close()
