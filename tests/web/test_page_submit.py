"""The view "submit", and a run watched from its first to its last task."""

import json
import re

from browsing import ROOT
from demo_runs import FAULTY, STUDY
from page_server import shell, wait_until
from playwright.sync_api import expect

DATA = ROOT / "tests" / "dialects" / "data"
LUTE_CONFIG = b"""\
%YAML 1.3
---
title: "A test"
experiment: "TEST123"
run: 12
date: "2026/11/21"
lute_version: 0.1
task_timeout: 600
work_dir: "/tmp"
...
---
Tester:
  float_var: 0.01
...
"""


def paste(page, text):
    page.get_by_label("The workflow's text").fill(text)


def test_problems_stand_at_their_lines_and_lead_there(open_page):
    page = open_page("/submit")

    paste(page, FAULTY)

    problems = page.get_by_role("list", name="Problems").get_by_role("listitem")
    expect(problems).to_have_count(3)
    expect(problems.nth(1)).to_contain_text("task 'pul' is not defined")
    expect(problems.nth(1)).to_contain_text("did you mean 'pull'?")
    expect(page.locator(".gutter .mark-error")).to_have_text(["8", "19", "29"])
    expect(page.get_by_role("button", name="Run")).to_be_disabled()
    page.get_by_role("button", name="line 19:9").click()
    assert page.evaluate("getSelection().toString()").strip() == '"pul"'


def test_a_problem_that_is_put_right_goes_away(open_page):
    page = open_page("/submit")
    paste(page, FAULTY)
    expect(page.get_by_text("Not yet: 3 problems")).to_be_visible()

    paste(page, json.dumps({"tag": "right", "tasks": {"a": {"job": shell("true")}}}))

    expect(page.get_by_text("right is fine: 1 task, dialect daggy")).to_be_visible()
    expect(page.get_by_role("list", name="Problems")).to_have_count(0)
    expect(page.get_by_role("button", name="Run")).to_be_enabled()


def test_a_pasted_workflow_is_previewed_run_and_watched_to_its_end(open_page, tmp_path):
    gate = tmp_path / "gate"
    document = {
        "tag": "watched",
        "tasks": {
            "first": {"job": shell(f"while [ ! -e {gate} ]; do sleep 0.05; done")},
            "second": {"job": shell("echo done"), "parents": ["first"]},
        },
    }
    page = open_page("/submit")
    paste(page, json.dumps(document, indent=2))
    preview = page.get_by_label("Preview of the graph")
    expect(preview.get_by_role("button", name="second 1 task")).to_be_visible()

    page.get_by_role("button", name="Run").click()

    expect(page).to_have_url(re.compile("/runs/watched-"))
    graph = page.get_by_label("Graph of the run")
    expect(graph.get_by_role("button", name="first running")).to_be_visible()
    gate.touch()
    expect(graph.get_by_role("button", name="second succeeded")).to_be_visible()
    expect(page.get_by_text("2 of 2 ended")).to_be_visible()
    expect(page.locator(".run-title").get_by_text("succeeded")).to_be_visible()


def test_a_file_can_be_dropped_and_others_go_along(open_page):
    page = open_page("/submit")
    page.get_by_text("Choose a file").locator("input").set_input_files(
        [
            {"name": "scan.yaml", "mimeType": "text/yaml", "buffer": STUDY.encode()},
            {"name": "config.yaml", "mimeType": "text/yaml", "buffer": b"a: 1\n"},
        ]
    )

    expect(page.get_by_text("lammps-scan is fine: 13 tasks, dialect maestro")).to_be_visible()
    expect(page.get_by_label("Name of the file")).to_have_value("scan.yaml")
    expect(page.locator(".file")).to_contain_text("config.yaml")


def test_a_lute_workflow_runs_with_the_configuration_that_came_along(open_page):
    page = open_page("/submit")
    paste(page, 'task_name: "Tester"\nslurm_params: ""\nnext: []\n')
    problems = page.get_by_role("list", name="Problems")
    expect(problems).to_contain_text("drop its configuration here")

    page.get_by_text("Add files").locator("input").set_input_files(
        {"name": "lute.yaml", "mimeType": "text/yaml", "buffer": LUTE_CONFIG}
    )

    expect(page.get_by_text("is fine: 1 task, dialect lute")).to_be_visible()
    expect(page.get_by_label("Which one configures a LUTE workflow")).to_have_value("lute.yaml")


def test_a_fact_that_is_missing_is_asked_for_by_its_field(open_page):
    page = open_page("/submit")

    paste(page, (DATA / "lute_shift.dag").read_text())

    problems = page.get_by_role("list", name="Problems")
    expect(problems).to_contain_text("say it with the fact run_type=DARK")


def test_a_verdict_comes_by_itself_once_the_server_answers_again(open_page):
    page = open_page("/submit")
    page.watch.expected = ["ERR_INTERNET_DISCONNECTED", "Failed to load resource"]
    expect(page.get_by_label("Dialect")).to_be_visible()
    page.context.set_offline(True)
    paste(page, json.dumps({"tag": "patient", "tasks": {"a": {"job": shell("true")}}}))
    expect(page.get_by_text("The server does not answer.")).to_be_visible()

    page.context.set_offline(False)

    expect(page.get_by_text("patient is fine: 1 task, dialect daggy")).to_be_visible()


def test_parameters_and_tags_go_with_the_document(open_page, server):
    page = open_page("/submit")
    paste(page, json.dumps({"tag": "tagged", "tasks": {"a": {"job": shell("true")}}}))
    page.get_by_role("button", name="Add a tag").click()
    page.get_by_label("Name of the tag").fill("shift")
    page.get_by_label("Value of the tag").fill("night")
    page.get_by_label("Begin paused").check()

    page.get_by_role("button", name="Run").click()

    expect(page.locator(".run-title")).to_contain_text("shift night")
    (run,) = server.runs(name=["tagged"])
    assert (run["tags"]["shift"], run["state"]) == ("night", "paused")
    page.get_by_role("button", name="Resume").click()
    wait_until(lambda: server.state(run["id"]) == "succeeded", "it goes on")


def test_a_document_that_was_run_can_be_submitted_again(open_page, server):
    run = server.submit({"tag": "again", "tasks": {"a": {"job": shell("true")}}}, path="x.json")
    page = open_page(f"/runs/{run}/definition")
    expect(page.get_by_text('"tag": "again"')).to_be_visible()

    page.get_by_role("button", name="Submit again").click()
    page.get_by_role("button", name="Run").click()

    expect(page.get_by_role("heading", name="again")).to_be_visible()
    wait_until(lambda: len(server.runs(name=["again"])) == 2, "there are two")


def test_after_a_lost_answer_it_can_be_run_again_and_is_one_run(open_page, server):
    page = open_page("/submit")
    page.watch.expected = ["ERR_FAILED"]
    paste(page, json.dumps({"tag": "lost", "tasks": {"a": {"job": shell("true")}}}))

    def lose_the_answer(route):
        route.fetch()
        route.abort()

    page.route(re.compile("/api/v2/runs$"), lose_the_answer, times=1)
    expect(page.get_by_text("is fine")).to_be_visible()
    page.get_by_role("button", name="Run").click()
    expect(page.get_by_role("alert")).to_contain_text("Run it again")

    page.get_by_role("button", name="Run").click()

    expect(page.get_by_role("heading", name="lost")).to_be_visible()
    assert len(server.runs(name=["lost"])) == 1
