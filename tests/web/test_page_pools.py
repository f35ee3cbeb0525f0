"""Pools, and the runners behind one: answered here, as a test has no farm of machines."""

import pytest
from browsing import serious_findings, sideways_px
from playwright.sync_api import expect

POOL = {
    "name": "farm", "executor": "runner", "default": False, "limit": None,
    "running": 3, "submitted": 1, "ready": 2, "problem": None,
}  # fmt: skip
HERE = {
    "url": "http://node-1:2504", "hostname": "node-1", "reachable": True, "said": "",
    "total": {"cores": 8, "memory_mb": 16384}, "free": {"cores": 2, "memory_mb": 4096},
    "running": 3, "enforced": True, "version": "1.0",
}  # fmt: skip
AWAY = HERE | {
    "url": "http://node-2:2504", "hostname": "node-2", "reachable": False,
    "said": "<b>connection refused</b>", "running": 2, "enforced": False,
}  # fmt: skip
NEVER = AWAY | {
    "url": "http://a-machine-with-a-rather-long-name.of.an-institute.example:2504",
    "hostname": "", "total": {}, "free": {}, "running": 0, "version": "",
}  # fmt: skip


@pytest.fixture
def farm(open_page):
    """Opens the view with a pool whose runners are those of `found`, which a test may change."""

    def open_(found, **options):
        page = open_page("/submit", **options)
        page.route("**/api/v2/pools", lambda route: route.fulfill(json={"pools": [POOL]}))
        page.route(
            "**/api/v2/pools/farm/runners",
            lambda route: route.fulfill(json={"pool": "farm", "waiting": 4, "runners": found}),
        )
        page.get_by_role("link", name="Pools").click()
        return page

    return open_


def runner(page, name):
    return page.locator(".runner").filter(has_text=name)


def test_each_runner_tells_what_is_taken_of_it(farm):
    page = farm([HERE])

    expect(page.get_by_role("img", name="cores: 6 of 8")).to_be_visible()
    expect(page.get_by_role("img", name="memory: 12.0 GiB of 16.0 GiB")).to_be_visible()
    expect(runner(page, "node-1")).to_contain_text("3 tasks running")
    expect(runner(page, "node-1")).to_contain_text("memory limits enforced")
    expect(page.get_by_label("Runners of farm")).to_contain_text("4 wait for room")


def test_one_that_does_not_answer_is_marked_and_says_why(farm):
    page = farm([HERE, AWAY, NEVER])

    expect(page.get_by_label("Runners of farm")).to_contain_text("2 not reachable")
    expect(runner(page, "node-2")).to_contain_text("<b>connection refused</b>")
    expect(runner(page, "node-2")).to_contain_text("2 tasks running when it was last heard")
    expect(runner(page, "rather-long-name")).to_contain_text("not reachable")
    expect(runner(page, "node-1")).not_to_contain_text("not reachable")


def test_it_is_renewed_by_itself(farm):
    found = [AWAY]
    page = farm(found)
    expect(runner(page, "node-2")).to_contain_text("not reachable")

    found[:] = [AWAY | {"reachable": True, "said": "", "running": 5}]

    expect(runner(page, "node-2")).to_contain_text("5 tasks running")
    expect(page.get_by_text("not reachable")).to_have_count(0)


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1400, 360])
def test_it_can_be_read_by_everybody_on_every_screen(farm, scheme, width):
    page = farm(
        [HERE, AWAY, NEVER],
        color_scheme=scheme,
        reduced_motion="reduce",
        viewport={"width": width, "height": 800},
    )
    expect(page.locator(".runner")).to_have_count(3)

    assert sideways_px(page) == 0
    assert serious_findings(page) == []
