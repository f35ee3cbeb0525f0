"""The program, in a folder of its own."""

import pytest
from commands import Segue
from launch_program import Launcher
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


@pytest.fixture
def launch(tmp_path):
    program = Launcher(tmp_path)
    yield program
    program.close()
