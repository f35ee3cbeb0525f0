"""Whole runs on a real Slurm cluster, by the real program."""

import os
import subprocess

import pytest
from commands import Segue, wait_until

#: Maestro's form; `use` reads what `make` has written, `here` runs on this machine.
STUDY = """\
description: {name: small, description: a small study}
batch: {type: slurm, host: x, bank: svc, queue: main}
study:
  - name: make
    description: makes something
    run:
      cmd: |
        echo "tasks: $SLURM_NTASKS" > made.txt
      nodes: 1
      procs: 4
      walltime: "00:05:00"
  - name: use
    description: uses it
    run:
      cmd: |
        cat $(make.workspace)/made.txt
        $(LAUNCHER) echo "size $(SIZE)"
        CMD
      depends: [make]
      procs: 2
      walltime: "00:05:00"
  - name: here
    description: needs no batch system
    run:
      cmd: cat $(use.workspace)/*/*.out
      depends: [use_*]
global.parameters:
  SIZE: {values: [10, 20], label: SIZE.%%}
"""


@pytest.fixture
def segue(tmp_path):
    program = Segue(tmp_path)
    yield program
    program.close()


def write_study(folder, command="true"):
    path = folder / "study.yaml"
    path.write_text(STUDY.replace("CMD", command))
    return str(path)


def test_a_study_runs_on_slurm_and_on_this_machine(slurm, segue, tmp_path):
    segue("run", write_study(tmp_path))

    (workspace,) = tmp_path.glob("small_*")
    (here,) = (workspace / "here").glob("here.*.out")
    sizes = ["size 10", "size 10", "size 20", "size 20"]
    assert sorted(here.read_text().splitlines()) == [*sizes, "tasks: 4", "tasks: 4"]
    assert (workspace / "make" / "make.slurm.sh").exists()
    assert (workspace / "use" / "SIZE.10" / "use_SIZE.10.out").exists()


def test_a_run_goes_on_after_its_engine_was_killed(slurm, segue, tmp_path):
    gates = [tmp_path / f"gate.{size}" for size in (10, 20)]
    for gate in gates:
        os.mkfifo(gate)
    wait = f"echo x >> {tmp_path}/count; read line < {tmp_path}/gate.$(SIZE)"
    engine = segue.start("run", write_study(tmp_path, wait))
    wait_until(lambda: lines_of(tmp_path / "count") == 2, "both jobs run")
    engine.close()

    heir = segue.start("resume", segue.newest())
    for gate in gates:
        gate.write_text("go\n")

    assert heir.end() == 0
    assert lines_of(tmp_path / "count") == 2


def test_a_cancelled_run_leaves_nothing_in_the_queue(slurm, segue, tmp_path):
    engine = segue.start("run", write_study(tmp_path, f"echo x >> {tmp_path}/count; sleep 1000"))
    wait_until(lambda: lines_of(tmp_path / "count") == 2, "both jobs run")
    run = segue.newest()

    segue("cancel", run)
    engine.end()

    assert segue.json("status", run, code=None)["state"] == "cancelled"
    command = ["squeue", "-h", "-t", "pending,running", "-o", "%k"]
    listed = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert run not in listed


def test_without_slurm_nothing_is_stored_and_there_is_something_to_try(segue, tmp_path):
    done = segue("run", write_study(tmp_path), code=2, PATH=str(tmp_path))

    assert "'slurm'" in done.err
    assert "--pool" in done.err
    assert segue.json("runs")["runs"] == []


def lines_of(path):
    return len(path.read_text().splitlines()) if path.exists() else 0
