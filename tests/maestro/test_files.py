"""The files of a study's folder."""

import os
import stat

import pytest
import yaml

from segue.maestro.files import (
    FileRequests,
    Link,
    Settings,
    StudyFolder,
    parse_update,
    read_link,
    read_settings,
    update_text,
    write_file,
    write_link,
    write_settings,
)
from segue.model.errors import UserError

SETTINGS = Settings(
    "Build archive", "/specs/build.yaml", "/home/me", "/specs", attempts=3, jobs=2,
    generator_arguments=("A:1", "B:2"),
)  # fmt: skip


def test_settings_come_back(tmp_path):
    write_settings(StudyFolder(tmp_path, SETTINGS.name), SETTINGS)

    assert read_settings(tmp_path) == SETTINGS
    assert (tmp_path / "Build_archive.study.json").exists()


@pytest.mark.parametrize("names", [[], ["a.study.json", "b.study.json"]])
def test_a_folder_without_or_with_several_settings_is_corrupted(tmp_path, names):
    for name in names:
        (tmp_path / name).write_text("{}")

    with pytest.raises(UserError, match="Corrupted study directory found"):
        read_settings(tmp_path)


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"name": "x"}', "\0"])
def test_settings_that_are_not_whole_are_said(tmp_path, text):
    (tmp_path / "x.study.json").write_text(text)

    with pytest.raises(UserError, match=r"x\.study\.json"):
        read_settings(tmp_path)


def test_a_link_comes_back(tmp_path):
    assert read_link(tmp_path) is None

    write_link(tmp_path, Link("run-1", "sqlite:///s.db", "x"))

    assert read_link(tmp_path) == Link("run-1", "sqlite:///s.db", "x")


def test_a_file_is_replaced_whole_and_nothing_is_left_beside_it(tmp_path):
    path = tmp_path / "status.csv"
    write_file(path, "old")
    with path.open() as reader:
        write_file(path, "new")

        assert reader.read() == "old"
    assert os.listdir(tmp_path) == ["status.csv"]


def test_a_file_can_be_read_by_whom_the_umask_lets(tmp_path):
    before = os.umask(0o027)
    try:
        write_file(tmp_path / "x", "")
    finally:
        os.umask(before)

    assert stat.S_IMODE((tmp_path / "x").stat().st_mode) == 0o640


def test_names_become_file_names(tmp_path):
    folder = StudyFolder(tmp_path, "a/b c")

    assert folder.output.name == "a_b_c.txt"
    assert folder.log.name == "a_b c.log"
    assert len(StudyFolder(tmp_path, "ä" * 400).settings.name.encode()) < 256


# Requests ------------------------------------------------------------------------


def test_a_cancel_is_asked_for_once(tmp_path):
    (tmp_path / ".cancel.lock").touch()
    requests = FileRequests(tmp_path)

    asked = requests.cancelled()
    requests.done(cancel=True)

    assert asked
    assert not requests.cancelled()


def test_an_update_is_taken_once(tmp_path):
    (tmp_path / ".study.update.lock").write_text("rlimit: 0\nsleep: null\nthrottle: 3\n")
    requests = FileRequests(tmp_path)

    asked = requests.update()
    requests.done(update=True)

    assert asked == {"rlimit": 0, "throttle": 3}
    assert requests.update() == {}


@pytest.mark.parametrize(
    "text", ["throttle: -1", "throttle: x", "rlimit: 1.5", "sleep: true", "x", "[", ""]
)
def test_an_update_that_makes_no_sense_is_said(text):
    with pytest.raises(UserError, match=r"\.study\.update\.lock"):
        parse_update(text)


def test_an_update_for_the_original_is_as_the_original_writes_it():
    text = update_text({"throttle": 0})

    assert yaml.safe_load(text) == {"rlimit": None, "sleep": None, "throttle": 0}
