"""Fixtures for tests of faults."""

import pytest
from chaos import Place


@pytest.fixture
def place(tmp_path):
    made = Place(tmp_path / "place")
    yield made
    made.close()
