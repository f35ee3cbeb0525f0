"""Studies for LSF and Flux, from the file to the end, on false systems."""

import os

import pytest

from segue.testing.false_batch import FLUX, LSF, FalseBatch

STUDY = """\
description: {{name: batch, description: d}}
batch: {{type: {kind}, host: h, bank: b, queue: q}}
study:
- name: before
  description: runs here
  run: {{cmd: echo here > ../told}}
- name: fit
  description: runs there
  run:
    cmd: {cmd}
    depends: [before]
    nodes: 1
    procs: 2
    walltime: "00:10:00"
"""


@pytest.fixture(params=["lsf", "flux"])
def batch(request, tmp_path):
    cluster = FalseBatch(tmp_path / "cluster", {"lsf": LSF, "flux": FLUX}[request.param])
    cluster.kind = request.param
    yield cluster
    cluster.close()


def study(segue, batch, cmd):
    path = segue.folder / "study.yaml"
    path.write_text(STUDY.format(kind=batch.kind, cmd=cmd))
    return path


def test_a_study_runs_where_its_batch_block_says(segue, batch):
    file = study(segue, batch, "echo there >> ../told")

    done = segue("run", file, "--workspace", "ws", PATH=batch.path)

    [job] = batch.jobs()
    output = list((segue.folder / "ws" / "fit").glob("fit.*.out"))
    assert "2 succeeded" in done.out
    assert (segue.folder / "ws" / "told").read_text() == "here\nthere\n"
    assert len(output) == 1
    assert job["name"] == "fit"


def test_a_failure_there_fails_the_study(segue, batch):
    file = study(segue, batch, "exit 3")

    done = segue("run", file, "--workspace", "ws", code=1, PATH=batch.path)

    assert "exit code 3" in done.out + done.err


def test_a_cancel_ends_the_job(segue, batch):
    gate = segue.gate("fit")
    file = study(segue, batch, gate.script())
    segue("run", file, "--workspace", "ws", "--detach", PATH=batch.path)
    gate.wait()

    segue("cancel", PATH=batch.path)
    segue.wait_for_state("cancelled")

    assert [job["state"] for job in batch.jobs()] == ["ended"]


def test_without_its_programs_nothing_is_stored(segue, batch):
    file = study(segue, batch, "date")

    done = segue("run", file, "--workspace", "ws", code=2, PATH="/usr/bin:/bin")

    assert "on the PATH" in done.err
    assert "--pool local" in done.err
    assert not os.path.exists(segue.folder / "ws" / ".segue")


def test_the_head_of_a_flux_script_names_the_version_that_is_here(segue, tmp_path):
    cluster = FalseBatch(tmp_path / "flux", FLUX)
    cluster.kind = "flux"

    file = study(segue, cluster, "date")
    graph = segue("graph", "--level", "task", "--format", "json", file, PATH=cluster.path)

    assert "#MAESTRO-INFO (flux version) 0.62.0" in graph.out
