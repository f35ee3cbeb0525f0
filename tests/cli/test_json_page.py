"""Every document has exactly the keys that the page of JSON documents promises."""

import json
import re
from datetime import UTC, datetime
from pathlib import Path

import pytest
from commands import task

PAGE = (Path(__file__).parents[2] / "docs" / "reference" / "json.md").read_text()
TASKS = {
    "good": task("echo out"),
    "bad": task("kill -9 $$", "good"),
    "after": task("echo never", "bad"),
}


def section(title):
    """The part of the page below a heading that begins with the title."""
    parts = re.split(r"^## ", PAGE, flags=re.MULTILINE)
    return next(part for part in parts if part.startswith(title))


def tables(text):
    """For each table, the names in its first column."""
    found = []
    for lines in re.findall(r"(?:^\|.*\n)+", text, re.MULTILINE):
        cells = [line.split("|")[1] for line in lines.splitlines()[2:]]
        found.append({name for cell in cells for name in re.findall(r"`(\w+)`", cell)})
    return found


def names(text):
    """The names between quotes in a document that the page shows in one line."""
    return set(re.findall(r'"(\w+)"', text))


@pytest.fixture
def run(segue):
    """The document of a run whose tasks ended in three ways."""
    return segue.json("run", segue.write(TASKS), code=1)


def test_a_run_has_the_keys_of_the_page(run):
    of_run, of_task, of_attempt = tables(section("`segue run --json`"))

    assert set(run) == of_run
    for each in run["tasks"]:
        assert set(each) == of_task
        for attempt in each["attempts"]:
            assert set(attempt) == of_attempt


def test_the_values_of_a_run_are_what_the_page_says(segue, run):
    good, bad, after = run["tasks"]

    assert (run["workflow"], run["dialect"], run["state"]) == ("flow", "daggy", "failed")
    assert run["counts"] == {"succeeded": 1, "failed": 1, "skipped": 1}
    assert [each["name"] for each in run["tasks"]] == list(TASKS)
    assert (good["state"], good["cause"]) == ("succeeded", None)
    assert (bad["state"], bad["cause"]) == ("failed", "signal")
    assert (after["state"], after["cause"], after["attempts"]) == ("skipped", "upstream_failed", [])
    (first,), (killed,) = good["attempts"], bad["attempts"]
    assert (first["number"], first["exit_code"], first["signal"]) == (1, 0, None)
    assert (killed["exit_code"], killed["signal"]) == (None, 9)
    assert Path(first["stdout"]).read_text() == "out\n"
    assert Path(first["stderr"]).is_absolute()
    assert first["cpu_s"] > 0
    assert first["peak_rss_bytes"] > 100_000
    assert first["place"] == "local"


def test_times_are_in_utc_and_in_order(run):
    attempt = run["tasks"][0]["attempts"][0]
    texts = [
        run["created_at"], attempt["submitted_at"], attempt["started_at"], attempt["ended_at"],
        run["ended_at"],
    ]  # fmt: skip

    times = [datetime.fromisoformat(text) for text in texts]

    assert all(text.endswith("Z") for text in texts)
    assert times == sorted(times)
    assert abs((datetime.now(UTC) - times[0]).total_seconds()) < 600


def test_status_is_the_same_document(segue, run):
    assert segue.json("status", run["run"]) == run


def test_runs_have_the_keys_of_the_page(segue, run):
    document = segue.json("runs")

    promised = names(section("`segue runs --json`"))
    assert {"runs", *document["runs"][0]} == promised
    assert set(document) == {"runs"}


def test_problems_have_the_keys_of_the_page(segue):
    (segue.folder / "bad.json").write_text('{"tasks": {"a": {"jbo": 1}}}')

    document = segue.json("validate", "bad.json", code=2)

    promised = names(section("`segue validate --json`").splitlines()[2])
    assert {*document, *document["problems"][0]} == promised
    assert document["ok"] is False
    first = document["problems"][0]
    assert (first["severity"], first["path"], first["line"]) == ("error", "bad.json", 1)
    assert first["pointer"].startswith("/tasks/a")
    assert all(isinstance(each["column"], int) for each in document["problems"])


def test_a_good_file_has_no_errors(segue):
    document = segue.json("validate", segue.write(TASKS))

    assert document["ok"] is True
    assert [each for each in document["problems"] if each["severity"] == "error"] == []


def graph_of(segue, *words):
    return json.loads(segue("graph", *words, "--format", "json").out)


def test_the_graph_by_task_has_the_keys_of_the_page(segue, run):
    text = section("`segue graph --level task --format json`")
    (of_task,) = tables(text)

    of_file = graph_of(segue, "flow.json", "--level", "task")
    of_run = graph_of(segue, run["run"], "--level", "task")

    assert set(of_file) == {"workflow", "dialect", "tasks"}
    assert {key for each in of_file["tasks"] for key in each} == of_task - {"state"}
    assert {key for each in of_run["tasks"] for key in each} == of_task


def test_the_graph_with_barriers_has_them(segue):
    numbers = {"N": ["1", "2", "3"]}
    path = segue.write({"a": task(": {{N}}"), "b": task(": {{N}}", "a")}, parameters=numbers)

    document = graph_of(segue, path, "--level", "task")

    (barrier,) = document["barriers"]
    assert set(barrier) == {"name", "needs"}
    assert barrier["needs"] == ["a_1", "a_2", "a_3"]
    assert document["tasks"][-1]["needs"] == [barrier["name"]]
    assert barrier["name"].startswith("barrier:")


def test_the_graph_by_template_has_the_keys_of_the_page(segue):
    promised = names(section("`segue graph --level task --format json`").split("With `--level")[1])

    of_file = graph_of(segue, segue.write(TASKS))
    segue("run", "flow.json", code=1)
    of_run = graph_of(segue, segue.newest())

    assert {*of_file, *of_file["templates"][0]} == promised - {"states"}
    assert {*of_run, *of_run["templates"][0]} == promised


def test_a_plan_has_the_keys_of_the_graph(segue):
    plan = segue.json("run", segue.write(TASKS), "--plan")

    assert {"workflow", "dialect", "tasks"} <= set(plan)


def test_a_plan_of_reuse_has_the_keys_of_the_page(segue, run):
    text = section("`segue run --reuse RUN --plan --json`")
    more = set(re.findall(r"`(\w+)`", text.split("\n", 1)[1])) - {"null"}
    (of_task,) = tables(section("`segue graph --level task --format json`"))

    plan = segue.json("retry", run["run"], "--edited", "--plan")

    assert set(plan) == {"workflow", "dialect", "tasks", "workspace", "continues"}
    for each in plan["tasks"]:
        assert set(each) == (of_task - {"state"}) | {"taken_over", "reason"}
    assert more == {"workspace", "continues", "taken_over", "reason"}


def test_runs_that_are_taken_up_have_the_keys_of_the_page(segue):
    gate = segue.gate()
    engine = segue.start("run", segue.write({"a": task(gate.script())}))
    gate.wait()
    engine.process.kill()
    engine.process.wait()

    document = segue.json("resume", "--all")

    assert {*document, *document["runs"][0]} == names(section("`segue resume --all --json`"))
    gate.open()


def test_a_study_has_the_keys_of_the_page(segue):
    segue("run", segue.write({"a": task(": {{X}}")}, parameters={"X": ["1"]}))

    document = segue.json("study", "table")

    assert {*document, *document["tasks"][0]} == names(section("`segue study table --json`"))


def test_why_has_the_keys_of_the_page(segue, run):
    assert set(segue.json("why", run["run"], "after")) == names(section("`segue why --json`"))


def test_history_has_the_keys_of_the_page(segue, run):
    document = segue.json("history", run["run"])

    text = section("`segue history --json`")
    for each in document["history"]:
        assert {*document, *each} == names(text.splitlines()[2])
        assert f"`{each['kind']}`" in text


def test_an_answer_of_another_engine_has_the_keys_of_the_page(segue):
    gate = segue.gate()
    segue.start("run", segue.write({"a": task(gate.script())}))
    gate.wait()
    promised = names(section("`cancel`, `retry`, `pause`, `resume`, `update`"))

    for command in (["update", "--limit", "3"], ["pause"], ["resume"], ["cancel"]):
        answer = segue.json(*command)
        assert set(answer) == promised
        assert set(answer["counts"]) == {"running"} or command == ["cancel"]


def test_a_retry_that_runs_here_prints_the_document_of_a_run(segue, run):
    (of_run, *_) = tables(section("`segue run --json`"))

    assert set(segue.json("retry", run["run"], code=1)) == of_run
