from importlib.metadata import entry_points

import pytest

from segue import wiring
from segue.model.errors import NotFoundError, UserError, WorkflowError
from segue.model.events import Returned
from segue.protocols.clock import SystemClock
from segue.protocols.executor import JobKey
from segue.testing.false_slurm import FalseSlurm


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


def test_a_pool_that_cannot_be_opened_here_has_a_reason(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))

    names = wiring.pool_names()

    assert names["local"] == ""
    assert names["slurm"] == "there is no sbatch on the PATH"


def test_a_wanted_pool_that_is_not_here_is_refused_with_something_to_try(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))

    with pytest.raises(UserError, match="sbatch") as caught:
        wiring.open_executors(tmp_path, SystemClock(), pools={"local", "slurm"})

    assert "--pool local" in caught.value.hint


def test_a_mistyped_pool_is_answered_with_the_nearest(tmp_path):
    with pytest.raises(UserError, match="did you mean 'slurm'"):
        wiring.open_executors(tmp_path, SystemClock(), pools={"slrum"})


def test_only_what_is_wanted_is_opened(monkeypatch, tmp_path):
    cluster = FalseSlurm(tmp_path / "slurm")
    monkeypatch.setenv("PATH", cluster.path)

    found = {}
    for pools in ((), ("slurm",)):
        executors = wiring.open_executors(tmp_path, SystemClock(), pools=pools)
        found[pools] = set(executors)
        for each in executors.values():
            each.close()

    assert found == {(): {"local"}, ("slurm",): {"local", "slurm"}}


def test_what_may_be_wanted_is_opened_when_it_is_used(monkeypatch, tmp_path):
    cluster = FalseSlurm(tmp_path / "slurm")
    monkeypatch.setenv("PATH", cluster.path)
    executors = wiring.open_executors(tmp_path, SystemClock())
    slurm = executors["slurm"]

    assert slurm.fileno() == -1
    answers = slurm.find({JobKey("r", 0, 1): ""})

    assert isinstance(answers[0].report, Returned)
    assert slurm.fileno() >= 0
    for each in executors.values():
        each.close()
