"""Results of Tasks: written by several jobs at once, found as LUTE looks for them."""

import sqlite3
import subprocess
import sys

import pytest

from segue.lute.results import Execution, Step, latest_entry, write_execution
from segue.model.errors import OutsideError

NO_STEP = Step()


def execution(task="Fit", value=1, run=12, valid=True, step=NO_STEP, **parameters):
    return Execution(
        task=task,
        header={"title": "t", "experiment": "mfx1", "run": run, "task_timeout": 600},
        parameters={"value": value, **parameters},
        result={
            "task_status": "COMPLETED" if valid else "FAILED",
            "summary": "",
            "payload": f"/out/{value}",
            "impl_schemas": None,
        },
        valid=valid,
        environment={"LUTE_PATH": "/lute", "SLURM_JOB_ID": "5", "SECRET": "x"},
        communicators="pipe",
        step=step,
    )


def test_the_latest_valid_entry_of_the_run_is_found(tmp_path):
    for each in (
        execution(value=1),
        execution(value=2),
        execution(value=3, run=13),
        execution(value=4, valid=False),
    ):
        write_execution(tmp_path, each)

    assert latest_entry(tmp_path, "Fit", "value", run=12) == 2
    assert latest_entry(tmp_path, "Fit", "value") == 3
    assert latest_entry(tmp_path, "Fit", "value", valid_only=False) == 4
    assert latest_entry(tmp_path, "Fit", "result.payload", run=12) == "/out/2"


def test_two_branches_of_workflows_do_not_mix(tmp_path):
    write_execution(tmp_path, execution(value=1, step=Step("ours", "3", 1)))
    write_execution(tmp_path, execution(value=2, step=Step("theirs", "3", 1)))

    assert latest_entry(tmp_path, "Fit", "value", workflow_run="ours") == 1


def test_where_the_workflow_has_not_run_the_task_the_latest_of_all_counts(tmp_path):
    write_execution(tmp_path, execution(value=1))

    assert latest_entry(tmp_path, "Fit", "value", workflow_run="ours") == 1


@pytest.mark.parametrize(("task", "column"), [("Fit", "nothing"), ("Nobody", "value")])
def test_what_was_never_written_is_none(tmp_path, task, column):
    write_execution(tmp_path, execution())

    assert latest_entry(tmp_path, task, column) is None


def test_without_a_database_there_is_nothing_and_none_is_made(tmp_path):
    assert latest_entry(tmp_path, "Fit", "value") is None
    assert list(tmp_path.iterdir()) == []


def test_nested_parameters_have_columns_and_new_ones_are_added(tmp_path):
    write_execution(tmp_path, execution())
    write_execution(tmp_path, execution(deep={"list": [1, {"x": "y"}]}, long=list(range(1000))))

    assert latest_entry(tmp_path, "Fit", "deep.list[1].x") == "y"
    assert latest_entry(tmp_path, "Fit", "long").startswith("[0, 1, 2")


def test_names_of_any_kind_are_columns(tmp_path):
    odd = {'a"b; DROP TABLE x': 1, "Value": 2, "": 3}

    write_execution(tmp_path, execution())
    write_execution(tmp_path, execution(**odd))

    assert latest_entry(tmp_path, "Fit", 'a"b; DROP TABLE x') == 1


def test_the_tables_are_those_of_lute(tmp_path):
    write_execution(tmp_path, execution())

    with sqlite3.connect(tmp_path / "lute.db") as database:
        found = database.execute(
            'SELECT g.experiment, g.run, e.env, t."result.task_status", t.valid_flag FROM "Fit" t '
            "JOIN gen_cfg g ON g.id = t.gen_cfg_id JOIN exec_cfg e ON e.id = t.exec_cfg_id"
        ).fetchall()
    database.close()

    assert found == [("mfx1", "12", "LUTE_PATH=/lute;SLURM_JOB_ID=5", "COMPLETED", 1)]


def test_equal_headers_are_stored_once(tmp_path):
    write_execution(tmp_path, execution())
    write_execution(tmp_path, execution())

    with sqlite3.connect(tmp_path / "lute.db") as database:
        count = database.execute("SELECT count(*) FROM gen_cfg").fetchone()
    database.close()

    assert count == (1,)


def test_many_jobs_write_at_once_and_none_is_lost(tmp_path):
    program = (
        "import sys; sys.path.insert(0, sys.argv[2]); from test_results import *;"
        "[write_execution(sys.argv[1], execution(value=i)) for i in range(20)]"
    )
    command = [sys.executable, "-c", program, str(tmp_path), str(__file__).rpartition("/")[0]]

    jobs = [subprocess.Popen(command) for _ in range(4)]

    assert [job.wait() for job in jobs] == [0] * 4
    with sqlite3.connect(tmp_path / "lute.db") as database:
        count = database.execute("SELECT count(*) FROM segue_results").fetchone()
    database.close()
    assert count == (80,)


def test_a_work_directory_that_is_gone_is_told(tmp_path):
    with pytest.raises(OutsideError, match=r"lute.db cannot be used"):
        write_execution(tmp_path / "gone", execution())


def test_the_step_is_known_from_the_environment():
    assert Step.of({"SEGUE_JOB": "my.run.12.3"}) == Step("my.run", "12", 3)
    assert Step.of({}) == Step.of({"SEGUE_JOB": "nonsense"}) == Step()
