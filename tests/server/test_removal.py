"""Deleting a run: everything of it goes, and nothing of any other."""

import shutil
from pathlib import Path

import pytest
from served import Server, daggy, wait_until


@pytest.fixture
def server(tmp_path):
    with Server(tmp_path / "home", "--workspace", tmp_path / "first") as server:
        yield server


def deleted(server, run):
    """Delete the run as soon as its engine has let it go; the last answer."""
    path = f"/api/v2/runs/{run}"
    in_hands = lambda answer: "in the hands of" in answer.text  # noqa: E731
    return wait_until(
        lambda: None if in_hands(answer := server.client.delete(path)) else answer, "it is deleted"
    )


def ended(server, document):
    run = server.submit(document)
    return run, Path(server.wait_for(run)["workspace"])


def test_what_no_attempt_speaks_of_goes_too(server):
    run, folder = ended(server, daggy(a="mkdir -p deep/er && touch deep/er/file"))
    stray = folder / ".segue" / run / "b.7"
    stray.mkdir(parents=True)
    (stray / "stdout").touch()

    answer = deleted(server, run)

    assert answer.status_code == 204
    assert not folder.exists()


def test_a_folder_goes_although_the_server_makes_new_ones_elsewhere(server, tmp_path):
    run, folder = ended(server, daggy(a="true"))
    server.stop()
    server.words = ("--workspace", tmp_path / "second")

    with server:
        assert server.client.get(f"/api/v2/runs/{run}/spec").status_code == 200
        assert deleted(server, run).status_code == 204

    assert not folder.exists()
    shutil.rmtree(tmp_path / "second", ignore_errors=True)


def test_a_folder_in_which_another_run_goes_on_is_kept_for_it(server):
    run, folder = ended(server, daggy(a="touch kept", b="exit 1"))
    edited = folder / "dag.json"
    edited.write_text(edited.read_text().replace("exit 1", "true"))
    said = server.segue("retry", run, edited, "--edited")
    newer = server.get("/runs", sort="-createdAt")["runs"][0]["id"]
    assert newer != run, said.stderr

    refused = deleted(server, run)
    assert refused.status_code == 409
    assert refused.json()["hint"] == f"delete {newer} first"
    assert (folder / "kept").exists()

    assert deleted(server, newer).status_code == 204
    assert (folder / "kept").exists()
    assert not (folder / ".segue" / newer).exists()
    assert deleted(server, run).status_code == 204
    assert not folder.exists()


def test_what_a_shell_has_started_keeps_its_files(server):
    flow = server.folder / "own.json"
    flow.write_text('{"tasks": {"a": {"job": {"command": ["touch", "mine"]}}}}')
    server.segue("run", flow)
    run = server.get("/runs")["runs"][0]["id"]
    attempts = Path(server.run(run)["workspace"]) / ".segue" / run
    assert attempts.exists()

    assert deleted(server, run).status_code == 204
    assert flow.exists()
    assert attempts.exists()
