"""The program, in a folder of its own."""

import pytest
from commands import Segue


@pytest.fixture
def segue(tmp_path):
    program = Segue(tmp_path)
    yield program
    program.close()
