"""Dependencies of a study: what must be there, and what is cloned, with a real git."""

import subprocess
from pathlib import Path

import pytest

from segue.dialects.maestro import Maestro
from segue.maestro.dependencies import acquire
from segue.model.errors import OutsideError, UserError, WorkflowError
from segue.protocols.dialect import Source

PLACE = ["study.yaml", 7, 3]


def git(folder, *words):
    subprocess.run(
        ["git", "-c", "user.name=Ada", "-c", "user.email=ada@example.org", *words],
        cwd=folder,
        check=True,
        capture_output=True,
    )


@pytest.fixture
def repository(tmp_path):
    """A repository with two commits: the first is tagged v1, the branch `next` has the second."""
    folder = tmp_path / "origin"
    folder.mkdir()
    git(folder, "init", "--quiet", "--initial-branch=main")
    for number, name in enumerate(("v1", "v2")):
        (folder / "version").write_text(name)
        git(folder, "add", "version")
        git(folder, "commit", "--quiet", "--message", name)
        git(folder, "tag", name)
        if number == 0:
            git(folder, "branch", "first")
    return folder


def dependency(repository, target, **checkout):
    return {
        "name": "CODE",
        "path": str(target),
        "url": str(repository),
        **checkout,
        "place": PLACE,
    }


@pytest.mark.parametrize(
    ("checkout", "version"),
    [({}, "v2"), ({"tag": "v1"}, "v1"), ({"branch": "first"}, "v1"), ({"branch": "main"}, "v2")],
)
def test_a_repository_is_cloned_at_what_was_asked_for(repository, tmp_path, checkout, version):
    target = tmp_path / "deep" / "CODE"

    acquire({"git": [dependency(repository, target, **checkout)]})

    assert (target / "version").read_text() == version


def test_a_commit_is_checked_out_by_its_hash(repository, tmp_path):
    first = subprocess.run(
        ["git", "rev-parse", "v1"], cwd=repository, capture_output=True, text=True, check=True
    ).stdout.strip()

    acquire({"git": [dependency(repository, tmp_path / "CODE", hash=first[:12])]})

    assert (tmp_path / "CODE" / "version").read_text() == "v1"


def test_what_is_cloned_is_said(repository, tmp_path):
    said = []

    acquire({"git": [dependency(repository, tmp_path / "CODE")]}, say=said.append)

    assert said == [f"cloning {repository} into {tmp_path / 'CODE'}"]


def test_an_unknown_tag_is_refused_and_leaves_nothing_behind(repository, tmp_path):
    target = tmp_path / "CODE"

    with pytest.raises(WorkflowError) as caught:
        acquire({"git": [dependency(repository, target, tag="v9")]})

    [problem] = caught.value.problems
    assert "has no tag 'v9'" in problem.message
    assert str(problem.place) == "study.yaml:7:3"
    assert "ls-remote" in problem.hint
    assert not target.exists()


def test_an_empty_directory_is_a_fine_target_and_stays_when_cloning_fails(repository, tmp_path):
    target = tmp_path / "CODE"
    target.mkdir()

    with pytest.raises(WorkflowError):
        acquire({"git": [dependency(repository, target, tag="v9")]})
    empty = list(target.iterdir()) == []
    acquire({"git": [dependency(repository, target)]})

    assert empty
    assert (target / "version").exists()


def test_an_address_without_a_repository_is_told_before_anything_is_cloned(repository, tmp_path):
    good = dependency(repository, tmp_path / "GOOD")
    bad = dependency(tmp_path / "nothing", tmp_path / "BAD")

    with pytest.raises(OutsideError, match=r"study.yaml:7:3: .*cannot be reached") as caught:
        acquire({"git": [good, bad]})

    assert "ls-remote" in caught.value.hint
    assert not (tmp_path / "GOOD").exists()


def test_an_address_that_looks_like_an_option_is_none(tmp_path):
    evil = dependency(f"--upload-pack=touch {tmp_path / 'pwned'}", tmp_path / "CODE")

    with pytest.raises(OutsideError, match="cannot be reached"):
        acquire({"git": [evil]})

    assert not (tmp_path / "pwned").exists()


def test_a_target_that_is_taken_is_refused(repository, tmp_path):
    target = tmp_path / "CODE"
    target.mkdir()
    (target / "mine").write_text("precious")

    with pytest.raises(WorkflowError, match="is there already"):
        acquire({"git": [dependency(repository, target)]})

    assert (target / "mine").read_text() == "precious"


def test_a_study_that_goes_on_keeps_its_clone(repository, tmp_path):
    context = {"git": [dependency(repository, tmp_path / "CODE")]}
    acquire(context)
    (tmp_path / "CODE" / "built").write_text("by a step")

    acquire(context, keep=True)

    assert (tmp_path / "CODE" / "built").exists()


def test_a_clone_of_something_else_is_not_kept(repository, tmp_path):
    acquire({"git": [dependency(repository, tmp_path / "CODE")]})
    other = dependency("/another/repository", tmp_path / "CODE")

    with pytest.raises(WorkflowError, match="is there already"):
        acquire({"git": [other]}, keep=True)


def test_without_git_the_study_is_refused(repository, tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))

    with pytest.raises(UserError, match="there is no git here"):
        acquire({"git": [dependency(repository, tmp_path / "CODE")]})


def test_all_paths_that_are_missing_are_told_at_once(tmp_path):
    there = {"name": "HERE", "path": str(tmp_path), "place": PLACE}
    missing = [
        {"name": name, "path": f"/no/such/{name}", "place": ["study.yaml", line, 5]}
        for line, name in enumerate(("A", "B"), start=3)
    ]

    with pytest.raises(WorkflowError) as caught:
        acquire({"paths": [there, *missing]})

    assert [str(each.place) for each in caught.value.problems] == [
        "study.yaml:3:5",
        "study.yaml:4:5",
    ]
    assert "'A' does not exist: /no/such/A" in str(caught.value)


def test_a_study_is_read_into_what_is_acquired(repository, tmp_path):
    text = f"""\
description: {{name: s, description: d}}
env:
  variables: {{WHERE: {tmp_path}/clones}}
  dependencies:
    git: [{{name: CODE, path: $(WHERE), url: {repository}, tag: v1}}]
study:
- {{name: a, description: d, run: {{cmd: cat $(CODE)/version}}}}
"""
    source = Source(
        path="study.yaml", text=text, directory="/", facts={}, parameters={}, workspace="/o", now=0
    )
    workflow = Maestro().read(source)

    acquire(workflow.context)

    target = Path(tmp_path, "clones", "CODE")
    assert (target / "version").read_text() == "v1"
    assert f"cat {target}/version" in workflow.tasks[0].action.text
