"""`segue validate` and `segue graph`: looking at a file, or at the graph of a run."""

import json

import pytest
from commands import task

DIAMOND = {
    "top": task("exit 0"),
    "left": task("exit 0", "top"),
    "right": task("exit 1", "top"),
    "end": task("exit 0", "left", "right"),
}
FAULTY = """{"tasks": {
  "a": {"job": {"command": ["/bin/true"]}, "parents": ["spilt"]},
  "split": {"job": {"comand": ["/bin/true"]}}
}}
"""
STUDY = """\
description: {name: two sizes, description: two sizes}
study:
  - name: make
    description: makes
    run: {cmd: "echo $(SIZE)"}
  - name: join
    description: joins
    run: {cmd: "echo done", depends: [make_*]}
global.parameters:
  SIZE: {values: [1, 2], label: SIZE.%%}
"""


@pytest.fixture
def diamond(segue):
    return segue.write(DIAMOND, "diamond.json")


def test_a_good_file_is_named_with_its_dialect_and_its_tasks(segue, diamond):
    done = segue("validate", diamond)

    assert done.out == f"{diamond}: a daggy workflow, 4 tasks\n"
    assert done.err == ""


def test_all_faults_are_told_at_once_each_with_its_place(segue):
    (segue.folder / "faulty.json").write_text(FAULTY)

    done = segue("validate", "faulty.json", code=2)

    assert "faulty.json:2:" in done.err
    assert "'spilt'" in done.err
    assert "did you mean 'split'?" in done.err
    assert "faulty.json:3:" in done.err
    assert "'comand'" in done.err
    assert "did you mean 'command'?" in done.err
    assert done.out == ""


def test_the_number_of_errors_stands_below_them(segue):
    (segue.folder / "faulty.json").write_text(FAULTY)
    problems = segue.json("validate", "faulty.json", code=2)["problems"]
    number = sum(each["severity"] == "error" for each in problems)

    done = segue("validate", "faulty.json", code=2)

    assert done.err.splitlines()[-1] == f"faulty.json: {number} errors"


def test_a_run_of_a_faulty_file_shows_the_same_and_stores_nothing(segue):
    (segue.folder / "faulty.json").write_text(FAULTY)

    done = segue("run", "faulty.json", code=2)

    assert "faulty.json:2:" in done.err
    assert "faulty.json:3:" in done.err
    assert segue.json("runs")["runs"] == []
    assert not (segue.folder / "segue-runs").exists()


def test_standard_input_is_validated(segue):
    done = segue("validate", "-", stdin=json.dumps({"tasks": DIAMOND}))

    assert done.out == "-: a daggy workflow, 4 tasks\n"


def test_a_fault_in_standard_input_has_a_place(segue):
    assert "-:2:" in segue("validate", "-", stdin=FAULTY, code=2).err


def test_the_dialect_is_recognised_by_content(segue):
    (segue.folder / "odd.txt").write_text(STUDY)

    assert segue.json("validate", "odd.txt")["dialect"] == "maestro"


def test_a_forced_dialect_judges_the_file(segue, diamond):
    answer = segue.json("validate", diamond, "--dialect", "maestro", code=2)

    assert answer["dialect"] == "maestro"
    assert answer["ok"] is False


def test_an_empty_file_is_no_workflow(segue):
    (segue.folder / "empty").write_text("")

    assert segue.json("validate", "empty", code=2)["ok"] is False


# The graph -----------------------------------------------------------------------


def test_a_graph_as_text_names_every_task(segue, diamond):
    shown = segue("graph", diamond, "--level", "task").out

    assert all(name in shown for name in DIAMOND)


def test_a_graph_as_json_by_task(segue, diamond):
    document = json.loads(segue("graph", diamond, "--level", "task", "--format", "json").out)

    assert {each["name"]: each["needs"] for each in document["tasks"]} == {
        "top": [],
        "left": ["top"],
        "right": ["top"],
        "end": ["left", "right"],
    }


def test_a_graph_by_template_counts_its_tasks(segue):
    (segue.folder / "study.yaml").write_text(STUDY)

    document = json.loads(segue("graph", "study.yaml", "--format", "json").out)

    assert [(each["name"], each["tasks"]) for each in document["templates"]] == [
        ("make", 2),
        ("join", 1),
    ]


def test_a_graph_by_task_holds_the_exact_script(segue):
    (segue.folder / "study.yaml").write_text(STUDY)

    shown = segue("graph", "study.yaml", "--level", "task", "--format", "json").out

    tasks = json.loads(shown)["tasks"]
    assert [each["params"] for each in tasks] == [{"SIZE": 1}, {"SIZE": 2}, {}]
    assert "echo 1" in tasks[0]["script"]


@pytest.mark.parametrize("level", ["template", "task"])
def test_a_graph_for_mermaid(segue, diamond, level):
    lines = segue("graph", diamond, "--format", "mermaid", "--level", level).out.splitlines()

    assert lines[0].startswith(("graph", "flowchart"))
    assert sum("-->" in line for line in lines) == 4


@pytest.mark.parametrize("level", ["template", "task"])
def test_a_graph_for_dot(segue, diamond, level):
    shown = segue("graph", diamond, "--format", "dot", "--level", level).out

    assert shown.startswith("digraph")
    assert shown.count("->") == 4
    assert shown.rstrip().endswith("}")


def test_a_graph_of_standard_input(segue):
    assert "left" in segue("graph", "-", stdin=json.dumps({"tasks": DIAMOND})).out


def test_the_graph_of_a_run_has_the_states_of_its_tasks(segue, diamond):
    segue("run", diamond, code=1)

    document = json.loads(segue("graph", segue.newest(), "--level", "task", "--format", "json").out)

    assert {each["name"]: each["state"] for each in document["tasks"]} == {
        "top": "succeeded",
        "left": "succeeded",
        "right": "failed",
        "end": "skipped",
    }


@pytest.mark.parametrize("level", ["template", "task"])
@pytest.mark.parametrize("form", ["text", "json", "mermaid", "dot"])
def test_the_graph_of_a_run_is_drawn_in_every_way(segue, diamond, form, level):
    segue("run", diamond, code=1)

    assert "right" in segue("graph", segue.newest(), "--format", form, "--level", level).out


def test_a_run_is_found_by_the_beginning_of_its_name(segue, diamond):
    segue("run", diamond, code=1)

    assert "right" in segue("graph", "diam").out


def test_a_file_wins_over_a_run_of_that_name(segue, diamond):
    segue("run", diamond, code=1)
    (segue.folder / "diamond").write_text(json.dumps({"tasks": {"alone": task("exit 0")}}))

    assert "alone" in segue("graph", "diamond").out


def test_a_target_that_is_neither_file_nor_run_is_told_so(segue):
    done = segue("graph", "nothing", code=2)

    assert "neither a file nor a run 'nothing'" in done.err


def test_a_graph_with_names_that_need_quotes_stays_a_graph(segue):
    path = segue.write({"a-b.c:d": task("exit 0"), "e@f": task("exit 0", "a-b.c:d")})

    assert '"a-b.c:d"' in segue("graph", path, "--format", "dot").out
    assert "a-b.c:d" in segue("graph", path, "--format", "mermaid").out
