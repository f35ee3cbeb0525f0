"""`segue study table`: a row a task, a column a parameter."""

import csv
import io

import pytest
from commands import task


@pytest.fixture
def run(segue):
    """A run with parameters that are hard to print, and a task without any."""
    path = segue.write(
        {
            "sim": task(": '{{X}}' {{state}}"),
            "fit": task(": '{{Y}}'", "sim"),
            "plain": task(":", "fit"),
        },
        parameters={"X": ["1", 'a "b", c'], "state": ["x"], "Y": ["two\nlines"]},
    )
    return segue.json("run", path)["run"]


def rows(text):
    return list(csv.DictReader(io.StringIO(text, newline="")))


def test_csv_has_a_column_for_each_parameter_in_order_of_appearance(segue, run):
    out = segue("study", "table", run, "--csv").out

    assert out.splitlines()[0] == "task,template,state,workspace,X,parameter:state,Y"
    found = rows(out)
    assert [(row["task"], row["X"], row["Y"]) for row in found] == [
        ("sim_1", "1", ""),
        ("sim_2", 'a "b", c', ""),
        ("fit", "", "two\nlines"),
    ]
    assert {row["state"] for row in found} == {"succeeded"}
    assert {row["workspace"] for row in found} == {str(segue.folder)}


def test_json_holds_the_values_as_they_are(segue, run):
    document = segue.json("study", "table", run)

    assert (document["run"], document["parameters"]) == (run, ["X", "state", "Y"])
    assert document["tasks"][1] == {
        "task": "sim_2",
        "template": "sim",
        "state": "succeeded",
        "workspace": str(segue.folder),
        "parameters": {"X": 'a "b", c', "state": "x"},
    }


def test_the_plain_table_has_one_line_a_task(segue, run):
    lines = segue("study", "table").out.splitlines()

    assert lines[0].split() == [
        "task",
        "template",
        "state",
        "workspace",
        "X",
        "parameter:state",
        "Y",
    ]
    assert len(lines) == 4


def test_a_run_without_parameters_says_so(segue):
    run = segue.json("run", segue.write({"a": task(":")}))["run"]

    assert segue("study", "table", run).out == f"no task of run {run} has parameters\n"
    assert segue("study", "table", run, "--csv").out == "task,template,state,workspace\n"


def test_a_study_of_maestro_shows_its_workspaces(segue):
    (segue.folder / "s.yaml").write_text(
        "description: {name: s, description: d}\n"
        "study: [{name: sim, description: d, run: {cmd: 'echo $(SIZE)'}}]\n"
        "global.parameters: {SIZE: {values: [10, 2.5], label: SIZE.%%}}\n"
    )
    run = segue.json("run", "s.yaml")

    found = rows(segue("study", "table", "--csv").out)

    assert [(row["task"], row["SIZE"]) for row in found] == [
        ("sim_SIZE.10", "10"),
        ("sim_SIZE.2.5", "2.5"),
    ]
    assert found[0]["workspace"] == f"{run['workspace']}/sim/SIZE.10"
