"""Several programs, several names, one moment: what happens at once must not mix."""

import os
import shutil
import signal

import pytest
from commands import alive, task, wait_until

from segue.model.run import HistoryRecord
from segue.store.sqlite import open_sqlite
from segue.testing.store_suite import example_run

STUDY = """\
description:
  name: two at once
  description: says where it works
study:
  - name: here
    description: writes into its own workspace
    run:
      cmd: pwd > where.txt
"""


def test_a_store_under_two_names_runs_nothing_twice(segue):
    gate = segue.gate()
    tasks = {"first": task(f"echo ran >> starts.txt; {gate.script()}")}
    engine = segue.start("run", segue.write(tasks), "-j", "1")
    gate.wait()
    engine.signal(signal.SIGKILL)
    engine.process.wait()
    alias = segue.folder / "alias.db"
    alias.symlink_to(segue.folder / "segue.db")
    segue.environment["SEGUE_STORE"] = str(alias)
    heir = segue.start("resume", segue.newest())
    heir.wait_for("run ")

    gate.open()

    assert heir.end() == 0
    assert (segue.folder / "starts.txt").read_text() == "ran\n"


def test_a_running_job_whose_spool_is_gone_is_lost_and_run_again(segue):
    gate = segue.gate()
    engine = segue.start("run", segue.write({"first": task(gate.script())}), "-j", "1")
    pid = gate.wait()
    wait_until(lambda: "running" in segue.states().values(), "the store has its start")
    engine.signal(signal.SIGKILL)
    engine.process.wait()
    gate.open()
    wait_until(lambda: not alive(pid), "the task has ended")
    wait_until(lambda: not segue.processes(), "the keeper has ended")
    shutil.rmtree(segue.folder / "segue.db.d")
    gate.open(2)

    done = segue.json("resume", segue.newest())

    causes = [each["cause"] for each in done["tasks"][0]["attempts"]]
    assert causes == ["lost", None]


def test_studies_that_start_in_one_second_have_workspaces_of_their_own(segue):
    (segue.folder / "study.yaml").write_text(STUDY)

    engines = [segue.start("run", "study.yaml") for _ in range(4)]

    assert [engine.end() for engine in engines] == [0] * 4
    workspaces = {segue.json("status", each["run"])["workspace"] for each in
                  segue.json("runs")["runs"]}  # fmt: skip
    assert len(workspaces) == 4
    for workspace in workspaces:
        with open(os.path.join(workspace, "here", "where.txt")) as stream:
            assert stream.read().strip() == os.path.join(workspace, "here")


def test_what_nohup_wants_ignored_stays_ignored(segue):
    gate = segue.gate()
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        engine = segue.start("run", segue.write({"first": task(gate.script())}))
    finally:
        signal.signal(signal.SIGHUP, before)
    gate.wait()

    engine.signal(signal.SIGHUP)
    gate.open()

    assert engine.end() == 0


def test_a_detached_run_has_its_engine_when_the_command_returns(segue):
    gate = segue.gate()
    tasks = {"first": task(gate.script()), "second": task("true", "first")}
    path = segue.write(tasks)
    segue("run", "--detach", path)

    segue("pause")

    gate.open()
    wait_until(lambda: segue.states()["first"] == "succeeded", "the first task has ended")
    assert segue.json("status")["state"] == "paused"
    segue("resume")
    segue.wait_for_state("succeeded")


@pytest.mark.parametrize(("words", "number"), [([], 25), (["-n", "3"], 3), (["-n", "0"], 25)])
def test_a_number_of_runs_is_a_number_of_runs(segue, words, number):
    store = open_sqlite(segue.store)
    for at in range(25):
        store.create_run(example_run(f"run-{at}"), [], HistoryRecord(1, 0.0, "run"))
    store.close()

    assert len(segue.json("runs", *words)["runs"]) == number
