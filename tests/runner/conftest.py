"""Runners in folders of their own, of which nothing is left."""

import pytest
from daemons import Daemon


@pytest.fixture
def daemons(tmp_path):
    """Starts runners; `daemons("a", "--cores", 2)` is one in a folder of that name."""
    made = []

    def start(name, *words, **options):
        folder = tmp_path / name
        folder.mkdir(exist_ok=True)
        daemon = Daemon(folder, *words, **options)
        made.append(daemon)
        return daemon.start()

    yield start
    for each in made:
        each.close()


@pytest.fixture
def daemon(daemons):
    """A runner of four cores and 1,000 MB."""
    return daemons("runner", "--cores", 4, "--memory-mb", 1000)
