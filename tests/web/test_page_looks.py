"""Light and dark, wide and narrow: every view can be read by everybody."""

import pytest
from browsing import serious_findings, sideways_px
from demo_runs import FAULTY
from page_server import shell, wait_until
from playwright.sync_api import expect

#: The address of each view, and something that is there once it is drawn.
VIEWS = {
    "runs": ("/", "table.runs tbody tr"),
    "graph": ("/runs/{run}", ".template-box"),
    "opened graph": ("/runs/{run}?open=part", ".task-box"),
    "tasks": ("/runs/{run}/tasks", "table.tasks tbody tr"),
    "task": ("/runs/{run}/tasks/part_3?log=stderr", ".log-line"),
    "timeline": ("/runs/{run}/timeline", ".time-box canvas"),
    "plots": ("/runs/{run}/plots", ".plot svg path"),
    "history": ("/runs/{run}/history", "table.lines tbody tr"),
    "definition": ("/runs/{run}/definition", ".numbered li"),
    "submit": ("/submit", ".editor"),
    "pools": ("/pools", ".pool"),
}


@pytest.fixture(scope="module")
def run(server):
    """A run with long names, a failure and a warning, that has ended."""
    run = server.submit(
        {
            "tags": {"name": "a-workflow-with-a-rather-long-name", "experiment": "mfxl1038923"},
            "parameters": {"N": ["1", "2", "3"]},
            "tasks": {
                "part": {"job": shell("echo {{N}} >&2; [ {{N}} != 3 ]")},
                "all_of_them_together/with:a@long-name": {
                    "job": shell("true"),
                    "parents": ["part"],
                },
            },
        },
        path="looks.json",
    )
    wait_until(lambda: server.state(run) == "failed", "it fails")
    return run


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("view", VIEWS)
def test_axe_finds_nothing_serious(open_page, run, view, scheme):
    path, sign = VIEWS[view]
    page = open_page(path.format(run=run), color_scheme=scheme, reduced_motion="reduce")
    expect(page.locator(sign).first).to_be_visible()

    assert serious_findings(page) == []


@pytest.mark.parametrize("view", VIEWS)
def test_a_phone_never_scrolls_sideways(open_page, run, view):
    path, sign = VIEWS[view]
    page = open_page(path.format(run=run), viewport={"width": 360, "height": 740})
    expect(page.locator(sign).first).to_be_visible()

    assert sideways_px(page) == 0


def test_names_of_hundreds_of_signs_push_nothing_out_of_sight(open_page, server):
    long = "n" * 250
    run = server.submit({"tags": {"name": long, "k" * 90: "v" * 300}, "tasks": {
        long: {"job": shell("true")}}})  # fmt: skip
    for path in (f"/?name=^{long[:20]}", f"/runs/{run}", f"/runs/{run}/tasks/{long}"):
        for width in (1400, 360):
            page = open_page(path, viewport={"width": width, "height": 740})
            expect(page.get_by_text(long[:30]).first).to_be_visible()
            assert sideways_px(page) == 0, (path, width)


def test_dialogs_and_problems_are_read_by_everybody_too(open_page, run):
    page = open_page("/submit", reduced_motion="reduce")
    page.get_by_label("The workflow's text").fill(FAULTY)
    expect(page.get_by_text("Not yet: 3 problems")).to_be_visible()
    page.get_by_role("button", name="Add a parameter").click()
    assert serious_findings(page) == []

    page.goto(page.url.replace("/submit", f"/runs/{run}/tasks/part_3"))
    page.locator(".panel").get_by_role("button", name="Requeue").click()
    page.get_by_text("Change it first").click()

    assert serious_findings(page) == []


def test_the_page_follows_the_system_until_somebody_chooses(open_page, run):
    page = open_page("/", color_scheme="dark")
    ground = "getComputedStyle(document.documentElement).backgroundColor"
    dark = page.evaluate(ground)

    page.get_by_role("button", name="Theme: as the system").click()
    assert page.evaluate(ground) != dark
    page.reload()
    expect(page.get_by_role("button", name="Theme: light")).to_be_visible()
    page.get_by_role("button", name="Theme: light").click()

    assert page.evaluate(ground) == dark


def test_on_a_phone_a_task_is_the_whole_page_and_closes_again(open_page, run):
    page = open_page(f"/runs/{run}/tasks", viewport={"width": 360, "height": 740})

    page.get_by_role("link", name="part_3").click()
    expect(page.locator(".panel .log-text")).to_be_visible()
    expect(page.locator("table.tasks")).to_be_hidden()
    page.get_by_role("button", name="Close the task").click()

    expect(page.locator("table.tasks")).to_be_visible()
