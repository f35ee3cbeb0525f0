from importlib.metadata import entry_points

import pytest

from segue import wiring
from segue.model.errors import NotFoundError, UserError, WorkflowError


@pytest.mark.parametrize(
    ("group", "ours"),
    [
        ("dialects", wiring.DIALECTS),
        ("executors", wiring.EXECUTORS),
        ("stores", wiring.STORES),
    ],
)
def test_what_is_ours_is_also_an_entry_point(group, ours):
    found = {each.name: each.value for each in entry_points(group=f"segue.{group}")}

    assert found == dict(ours)


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ('{"tasks": {}}', "daggy"),
        ("!LUTE_DAG\n- task_name: A\n  next: []\n", "lute"),
        ("task_name: A\nnext: []\n", "lute"),
        ("description:\n  name: x\nstudy: []\n", "maestro"),
    ],
)
def test_a_text_is_recognised_by_its_content(text, name):
    assert wiring.recognise("file", text).name == name


def test_a_text_that_nobody_knows_is_told_so_with_the_dialects_that_are_known():
    with pytest.raises(WorkflowError) as caught:
        wiring.recognise("notes.txt", "these are my notes")

    (problem,) = caught.value.problems
    assert str(problem.place) == "notes.txt:1:1"
    assert "daggy, lute, maestro" in problem.hint


def test_a_mistyped_dialect_is_answered_with_the_nearest():
    with pytest.raises(NotFoundError, match="did you mean 'maestro'"):
        wiring.dialect("maestor")


def test_bytes_that_are_no_text_have_a_place(tmp_path):
    path = tmp_path / "x.json"
    path.write_bytes(b'{"a":\n "\xff"}')

    with pytest.raises(WorkflowError) as caught:
        wiring.read_text(str(path))

    assert str(caught.value.problems[0].place) == f"{path}:2:3"


def test_a_byte_order_mark_is_passed_over(tmp_path):
    path = tmp_path / "x.json"
    path.write_bytes(b"\xef\xbb\xbf{}")

    assert wiring.read_text(str(path)) == "{}"


def test_the_store_of_a_plain_path_is_sqlite(monkeypatch, tmp_path):
    monkeypatch.setenv("SEGUE_STORE", str(tmp_path / "x.db"))

    assert wiring.default_store_url() == f"sqlite://{tmp_path}/x.db"
    assert wiring.state_directory() == tmp_path / "x.db.d"


def test_without_a_setting_the_store_is_the_users_own(monkeypatch, tmp_path):
    monkeypatch.delenv("SEGUE_STORE", raising=False)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))

    assert wiring.default_store_url() == f"sqlite://{tmp_path}/segue/segue.db"


def test_an_unknown_store_is_told_with_those_that_are_known():
    with pytest.raises(UserError, match="sqlite://"):
        wiring.open_store("oracle://host/db")
