"""The list of all runs."""

import re

import pytest
from page_server import shell, wait_until
from playwright.sync_api import expect


@pytest.fixture(scope="module")
def runs(server):
    """Three runs: one that ended well, one that failed, one that is paused; their ids by name."""
    found = {
        "alpha": server.submit(
            {"tags": {"name": "alpha", "beam": "on"}, "tasks": {"a": {"job": shell("true")}}}
        ),
        "beta": server.submit({"tag": "beta", "tasks": {"a": {"job": shell("exit 3")}}}),
        "gamma": server.submit(
            {"tag": "gamma", "tasks": {"a": {"job": shell("true")}}}, paused=True
        ),
    }
    wait_until(lambda: server.state(found["alpha"]) == "succeeded", "alpha ends")
    wait_until(lambda: server.state(found["beta"]) == "failed", "beta fails")
    return found


def rows(page):
    return page.locator("table.runs tbody tr")


def names(page):
    return page.locator("table.runs .name")


def test_each_run_is_a_line_with_its_state_and_counts(open_page, runs):
    page = open_page("/")

    expect(rows(page)).to_have_count(3)
    beta = rows(page).filter(has_text="beta")
    expect(beta).to_contain_text("failed")
    expect(beta.get_by_role("img")).to_have_attribute("aria-label", "1 failed")
    expect(page.get_by_text("live", exact=True)).to_be_visible()
    expect(page.get_by_role("button", name="failed 1")).to_be_visible()


def test_a_pattern_filters_by_name_and_by_tag_and_stands_in_the_address(open_page, runs):
    page = open_page("/")
    search = page.get_by_role("searchbox")

    search.fill("^(alpha|beta)$")
    expect(rows(page)).to_have_count(2)
    search.fill("beam=o.")
    expect(names(page)).to_have_text(["alpha"])

    expect(page).to_have_url(re.compile("name=beam"))
    page.reload()
    expect(search).to_have_value("beam=o.")
    expect(names(page)).to_have_text(["alpha"])


def test_a_bad_pattern_is_said_beside_the_field_and_the_list_stays(open_page, runs):
    page = open_page("/")
    page.watch.expected = ["400"]
    expect(rows(page)).to_have_count(3)

    page.get_by_role("searchbox").fill("(")

    expect(page.locator(".field-fault")).to_be_visible()
    expect(page.get_by_role("searchbox")).to_have_attribute("aria-invalid", "true")
    expect(rows(page)).to_have_count(3)


def test_states_are_toggled_and_counted(open_page, runs):
    page = open_page("/")

    page.get_by_role("button", name="paused 1").click()
    expect(names(page)).to_have_text(["gamma"])
    page.get_by_role("button", name="failed 1").click()

    expect(rows(page)).to_have_count(2)
    expect(page).to_have_url(re.compile("state=paused&state=failed"))


def test_the_time_of_the_start_filters(open_page, runs):
    page = open_page("/")

    page.get_by_label("Started").select_option("in the last hour")
    expect(rows(page)).to_have_count(3)
    page.get_by_label("Started").select_option("between …")
    page.get_by_label("Started before").fill("2020-01-01T00:00")

    expect(page.get_by_text("No run fits the filter")).to_be_visible()
    page.get_by_role("button", name="Show all runs").click()
    expect(rows(page)).to_have_count(3)


def test_a_column_s_head_sorts(open_page, runs):
    page = open_page("/")

    page.get_by_role("button", name="Run", exact=True).click()

    expect(names(page)).to_have_text(["alpha", "beta", "gamma"])
    expect(page.get_by_role("columnheader", name="Run")).to_have_attribute("aria-sort", "ascending")
    page.get_by_role("button", name="Run", exact=True).click()
    expect(names(page)).to_have_text(["gamma", "beta", "alpha"])
    expect(page).to_have_url(re.compile("sort=-workflow"))


def test_what_happens_elsewhere_is_seen_at_once(open_page, server, runs, tmp_path):
    page = open_page("/?name=^late$")
    expect(page.get_by_text("No run fits the filter")).to_be_visible()
    expect(page.get_by_text("live", exact=True)).to_be_visible()
    gate = tmp_path / "gate"

    server.submit(
        {"tag": "late", "tasks": {"a": {"job": shell(f"until [ -e {gate} ]; do sleep 0.05; done")}}}
    )

    expect(rows(page)).to_contain_text(["running"])
    gate.touch()
    expect(rows(page)).to_contain_text(["succeeded"])


def test_a_run_is_paused_killed_and_requeued_from_the_list(open_page, server):
    run = server.submit({"tag": "handled", "tasks": {"a": {"job": shell("sleep 600")}}})
    wait_until(lambda: server.task(run, "a")["state"] == "running", "it runs")
    page = open_page("/?name=^handled$")

    page.get_by_role("button", name="Pause", exact=True).click()
    expect(rows(page)).to_contain_text(["paused"])
    page.get_by_role("button", name="Resume").click()
    expect(rows(page)).to_contain_text(["running"])
    page.get_by_role("button", name="Kill").click()
    dialog = page.get_by_role("dialog")
    expect(dialog).to_contain_text("1 task under way will be stopped")
    dialog.get_by_label("Reason").fill("wrong detector")
    dialog.get_by_role("button", name="Kill the run").click()
    expect(rows(page)).to_contain_text(["cancelled"])
    page.get_by_role("button", name="Requeue failed").click()
    page.get_by_role("dialog").get_by_role("button", name="Requeue").click()

    expect(rows(page)).to_contain_text(["running"])


def test_nothing_is_killed_by_a_dialog_that_is_left(open_page, server):
    run = server.submit({"tag": "spared", "tasks": {"a": {"job": shell("sleep 600")}}})
    page = open_page("/?name=^spared$")

    page.get_by_role("button", name="Kill").click()
    page.keyboard.press("Escape")

    expect(page.get_by_role("dialog")).to_have_count(0)
    assert server.state(run) == "running"


def test_what_cannot_be_taken_back_begins_at_the_way_out(open_page, server):
    run = server.submit({"tag": "kept", "tasks": {"a": {"job": shell("sleep 600")}}})
    page = open_page(f"/runs/{run}")
    page.get_by_role("button", name="Kill").focus()

    page.keyboard.press("Enter")

    expect(page.get_by_role("button", name="Leave it")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.get_by_role("dialog")).to_have_count(0)
    assert server.state(run) == "running"


def test_the_keyboard_leads_everywhere(open_page, server, runs):
    page = open_page("/?sort=workflow&name=alpha|beta|gamma")
    expect(rows(page)).to_have_count(3)

    page.keyboard.press("?")
    expect(page.get_by_role("dialog", name="Keys")).to_be_visible()
    page.keyboard.press("Escape")
    page.keyboard.press("/")
    expect(page.get_by_role("searchbox")).to_be_focused()
    page.keyboard.press("Escape")
    for key in "jjk":
        page.keyboard.press(key)
    expect(page.locator("tr.marked")).to_contain_text("alpha")
    page.keyboard.press("Enter")
    expect(page).to_have_url(f"{server.url}/runs/{runs['alpha']}")
    for keys, path in (("gs", "/submit"), ("gp", "/pools"), ("gr", "/")):
        page.keyboard.type(keys)
        expect(page).to_have_url(server.url + path)


def test_a_server_that_is_gone_is_told_not_shown_as_no_runs(open_page, server, runs):
    page = open_page("/pools")
    page.watch.expected = ["Failed to load resource", "ERR_"]
    # Without events nothing is fetched anew but by the person.
    page.route("**/api/v2/events", lambda route: route.abort())
    page.goto(server.url + "/")
    expect(rows(page).first).to_be_visible()
    expect(page.get_by_text("reconnecting")).to_be_visible()

    page.route("**/api/v2/runs?**", lambda route: route.abort())
    page.get_by_role("button", name="failed 1").click()

    expect(page.get_by_role("alert")).to_contain_text("The server does not answer.")
    expect(rows(page).first).to_be_visible()
    page.unroute("**/api/v2/runs?**")
    page.get_by_role("button", name="Try again").click()
    expect(names(page)).to_have_text(["beta"])
