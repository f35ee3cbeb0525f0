"""Bells that killed engines have left, and those of the living."""

import os
import socket
import subprocess

import pytest

from segue.engine.doorbell import Doorbell, bell_name, remove_stale, ring


@pytest.fixture
def dead_process():
    """The id of a process that is no more."""
    process = subprocess.Popen(["/bin/true"])
    process.wait()
    return process.pid


def test_bells_of_killed_engines_are_removed(tmp_path, dead_process):
    os.mkfifo(tmp_path / f"{socket.gethostname()}-{dead_process}-1")
    os.mkfifo(tmp_path / f"{dead_process}-7f0c")  # as the release before named them

    remove_stale(tmp_path)

    assert os.listdir(tmp_path) == []


def test_the_bell_of_a_living_engine_stays(tmp_path):
    bell = Doorbell(tmp_path / bell_name("1"))

    remove_stale(tmp_path)

    assert ring(bell.address)
    bell.close()
    assert os.listdir(tmp_path) == []


def test_a_bell_that_somebody_listens_to_stays_whoever_made_it(tmp_path, dead_process):
    bell = Doorbell(tmp_path / f"{socket.gethostname()}-{dead_process}-1")

    remove_stale(tmp_path)

    assert ring(bell.address)
    bell.close()


@pytest.mark.parametrize("name", ["elsewhere-{}-1", "notes.txt"])
def test_what_is_not_of_this_machine_stays(tmp_path, dead_process, name):
    os.mkfifo(tmp_path / name.format(dead_process))

    remove_stale(tmp_path)

    assert len(os.listdir(tmp_path)) == 1


def test_a_file_that_is_no_bell_stays(tmp_path, dead_process):
    (tmp_path / f"{socket.gethostname()}-{dead_process}-1").write_text("mine")

    remove_stale(tmp_path)

    assert len(os.listdir(tmp_path)) == 1


def test_a_folder_that_is_not_there_has_no_bells(tmp_path):
    remove_stale(tmp_path / "nowhere")

    assert os.listdir(tmp_path) == []
