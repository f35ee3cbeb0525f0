"""One run and its tasks."""

import pytest
from page_server import shell, wait_until
from playwright.sync_api import expect


def until(gate):
    return f"until [ -e {gate} ]; do sleep 0.05; done"


@pytest.fixture(scope="module")
def fan(server):
    """A run that has ended: a fan of four with one failure, retried once, and what lies behind."""
    run = server.submit(
        {
            "tag": "fan",
            "parameters": {"N": ["1", "2", "3", "4"]},
            "tasks": {
                "begin": {"job": shell("echo begin")},
                "part": {
                    "job": shell(
                        "echo part {{N}}; [ {{N}} != 3 ] || { echo no beam >&2; exit 5; }"
                    ),
                    "parents": ["begin"],
                    "maxRetries": 1,
                },
                "end": {"job": shell("true"), "parents": ["part"]},
            },
        },
        path="fan.json",
    )
    wait_until(lambda: server.state(run) == "failed", "it fails")
    return run


def panel(page):
    return page.locator("aside.panel")


def log(page):
    return page.locator(".log-text")


def test_a_template_opens_into_its_tasks_and_a_task_into_its_panel(open_page, fan):
    page = open_page(f"/runs/{fan}")
    graph = page.get_by_label("Graph of the run")

    graph.get_by_role("button", name="part 4 of 4 ended 1 failed, 3 succeeded").click()
    graph.get_by_role("button", name="part_3 failed").click()

    expect(panel(page).get_by_role("heading", name="part_3")).to_be_visible()
    expect(panel(page)).to_contain_text("exit code 5")
    expect(panel(page).get_by_role("link", name="end")).to_be_visible()
    page.go_back()
    expect(panel(page)).to_have_count(0)
    page.get_by_role("button", name="Fold all").click()
    expect(
        graph.get_by_role("button", name="part 4 of 4 ended 1 failed, 3 succeeded")
    ).to_be_visible()


def test_a_failed_task_tells_why_and_shows_each_attempt_s_output(open_page, fan):
    page = open_page(f"/runs/{fan}/tasks/part_3")

    expect(panel(page).locator(".why")).to_contain_text("failed")
    expect(log(page)).to_contain_text("no beam")
    page.get_by_role("tab", name="stdout").click()
    expect(log(page)).to_contain_text("part 3")
    page.get_by_role("tab", name="stderr").click()
    panel(page).get_by_role("button", name="1 failed").click()
    expect(page.get_by_label("stderr of attempt 1")).to_contain_text("no beam")
    page.get_by_role("tab", name="executor-log").click()
    expect(log(page)).not_to_be_empty()


def test_tasks_are_filtered_by_pattern_and_state(open_page, fan):
    page = open_page(f"/runs/{fan}/tasks")
    lines = page.locator("table.tasks tbody tr")
    expect(lines).to_have_count(6)

    page.get_by_role("searchbox").fill("part_[34]")
    expect(lines).to_have_count(2)
    page.get_by_role("button", name="failed 1").click()

    expect(lines).to_have_count(1)
    expect(lines).to_contain_text(["part_3"])


def test_the_keys_j_k_and_enter_walk_through_tasks(open_page, server, fan):
    page = open_page(f"/runs/{fan}/tasks?sort=name")
    expect(page.locator("table.tasks tbody tr")).to_have_count(6)

    for key in ("j", "j", "Enter"):
        page.keyboard.press(key)

    expect(page).to_have_url(f"{server.url}/runs/{fan}/tasks/end?sort=name")
    page.keyboard.press("j")
    expect(panel(page).get_by_role("heading", name="part_1")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page).to_have_url(f"{server.url}/runs/{fan}/tasks?sort=name")
    page.keyboard.press("5")
    expect(page).to_have_url(f"{server.url}/runs/{fan}/history")


def test_a_log_is_read_while_its_task_writes_it(open_page, server, tmp_path):
    gate = tmp_path / "gate"
    script = f"printf '\\033[31mred\\033[0m start\\n'; {until(gate)}; echo '<b>the end</b>'"
    run = server.submit({"tag": "live", "tasks": {"a": {"job": shell(script)}}})
    page = open_page(f"/runs/{run}/tasks/a")

    expect(log(page)).to_contain_text("red start")
    expect(log(page).locator(".ansi-1")).to_have_text("red")
    expect(panel(page).get_by_text("following")).to_be_visible()
    gate.touch()

    expect(log(page)).to_contain_text("<b>the end</b>")
    expect(panel(page).locator(".panel-head")).to_contain_text("succeeded")
    expect(panel(page).get_by_text("2 lines")).to_be_visible()


def test_of_a_long_log_the_end_comes_first_and_the_start_on_request(open_page, server):
    run = server.submit({"tag": "long", "tasks": {"a": {"job": shell("seq 100000")}}})
    wait_until(lambda: server.state(run) == "succeeded", "it ends")
    page = open_page(f"/runs/{run}/tasks/a")

    expect(log(page)).to_contain_text("100000")
    expect(panel(page)).to_contain_text("before this are not shown")
    page.get_by_role("button", name="Load from the start").click()

    expect(panel(page).get_by_text("the first 20,000 lines")).to_be_visible()
    expect(panel(page)).to_contain_text("This is the beginning of 575 KiB")
    expect(log(page).locator(".log-line").first).to_have_text("1")
    expect(log(page).locator(".log-line").last).to_have_text("20000")


def test_a_task_is_killed_after_a_question_and_requeued_changed(open_page, server, tmp_path):
    run = server.submit({"tag": "stuck", "tasks": {"a": {"job": shell("sleep 600")}}})
    wait_until(lambda: server.task(run, "a")["state"] == "running", "it runs")
    page = open_page(f"/runs/{run}/tasks/a")

    panel(page).get_by_role("button", name="Kill").click()
    page.get_by_role("dialog").get_by_role("button", name="Kill the task").click()
    expect(panel(page).locator(".panel-head")).to_contain_text("cancelled")
    panel(page).get_by_role("button", name="Requeue").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_text("Change it first").click()
    dialog.get_by_label("Command").fill("/bin/sh\n-c\necho changed to $WHAT")
    dialog.get_by_label("Environment").fill("WHAT=something short")
    dialog.get_by_role("button", name="Requeue").click()

    expect(log(page)).to_contain_text("changed to something short")
    wait_until(lambda: server.state(run) == "succeeded", "it ends well")
    assert server.task(run, "a")["attempts"] == 2


def test_a_task_is_held_and_released(open_page, server, tmp_path):
    gate = tmp_path / "gate"
    run = server.submit(
        {
            "tag": "holding",
            "tasks": {
                "a": {"job": shell(until(gate))},
                "b": {"job": shell("true"), "parents": ["a"]},
            },
        }
    )
    page = open_page(f"/runs/{run}/tasks/b")

    panel(page).get_by_role("button", name="Hold").click()
    expect(panel(page).locator(".panel-head")).to_contain_text("held")
    gate.touch()
    wait_until(lambda: server.task(run, "a")["state"] == "succeeded", "a ends")
    assert server.task(run, "b")["state"] in ("waiting", "ready")
    panel(page).get_by_role("button", name="Release").click()

    expect(panel(page).locator(".panel-head")).to_contain_text("succeeded")


def test_a_failed_task_is_marked_completed_with_a_reason(open_page, server):
    run = server.submit(
        {
            "tag": "forgiven",
            "tasks": {
                "a": {"job": shell("exit 1")},
                "b": {"job": shell("true"), "parents": ["a"]},
            },
        }
    )
    wait_until(lambda: server.state(run) == "failed", "it fails")
    page = open_page(f"/runs/{run}/tasks/a")

    panel(page).get_by_role("button", name="Mark completed").click()
    dialog = page.get_by_role("dialog")
    expect(dialog.get_by_role("button", name="Mark completed")).to_be_disabled()
    dialog.get_by_label("Reason").fill("done by hand")
    dialog.get_by_role("button", name="Mark completed").click()

    expect(panel(page).locator(".panel-head")).to_contain_text("succeeded")
    wait_until(lambda: server.state(run) == "succeeded", "what lies behind has run")


def test_ticked_tasks_are_requeued_together(open_page, server):
    tasks = {name: {"job": shell(f"test -e {server.folder}/{name}")} for name in "xyz"}
    run = server.submit({"tag": "ticked", "tasks": tasks})
    wait_until(lambda: server.state(run) == "failed", "all fail")
    for name in "xy":
        (server.folder / name).touch()
    page = open_page(f"/runs/{run}/tasks")

    page.get_by_label("Tick x").check()
    page.get_by_label("Tick y").check()
    page.get_by_label("Ticked tasks").get_by_role("button", name="Requeue 2").click()
    page.get_by_role("dialog").get_by_role("button", name="Requeue").click()

    expect(page.get_by_role("button", name="succeeded 2")).to_be_visible()
    assert server.task(run, "z")["attempts"] == 1


def test_ticked_tasks_are_held_released_and_marked_by_one_request_each(open_page, server, tmp_path):
    gate = tmp_path / "gate"
    tasks = {name: {"job": shell("exit 1"), "parents": ["first"]} for name in "xyz"}
    first = {"job": shell(until(gate))}
    run = server.submit({"tag": "together", "tasks": {"first": first, **tasks}})
    page = open_page(f"/runs/{run}/tasks?name=^[xyz]$")
    asked = []
    page.on("request", lambda request: asked.append(request.url.rpartition("/")[2]))
    ticked = page.get_by_label("Ticked tasks")

    page.get_by_label("Tick all that are shown").check()
    ticked.get_by_role("button", name="Hold 3").click()
    expect(page.get_by_text("3 tasks are held.")).to_be_visible()
    page.get_by_label("Tick all that are shown").check()
    ticked.get_by_role("button", name="Release 3").click()
    expect(page.get_by_text("3 tasks are released.")).to_be_visible()
    gate.touch()
    expect(page.get_by_role("button", name="failed 3")).to_be_visible()
    page.get_by_label("Tick all that are shown").check()
    ticked.get_by_role("button", name="Mark completed 3").click()
    page.get_by_role("dialog").get_by_label("Reason").fill("looked at by hand")
    page.get_by_role("dialog").get_by_role("button", name="Mark completed").click()

    expect(page.get_by_role("button", name="succeeded 3")).to_be_visible()
    changes = [each for each in asked if each.startswith("tasks:")]
    assert changes == ["tasks:hold", "tasks:release", "tasks:markCompleted"]


def test_a_count_leads_to_the_tasks_that_it_counts(open_page, server, fan):
    page = open_page(f"/runs/{fan}")

    page.locator(".run-head").get_by_role("link", name="1 failed").click()

    expect(page).to_have_url(f"{server.url}/runs/{fan}/tasks?state=failed")
    expect(page.locator("table.tasks tbody tr")).to_have_count(1)


def test_the_timeline_has_a_table_of_the_same(open_page, fan):
    page = open_page(f"/runs/{fan}/timeline")

    page.get_by_text("The same as a table").click()
    expect(page.locator(".as-table tbody tr")).to_have_count(6)
    page.get_by_role("button", name="by template").click()
    page.get_by_text("The same as a table").click()

    expect(page.locator(".as-table tbody tr").first).to_contain_text("begin")


def test_a_click_on_a_bar_opens_its_task(open_page, fan):
    page = open_page(f"/runs/{fan}/timeline")

    page.locator(".time-box canvas").click(position={"x": 40, "y": 24 + 11})

    expect(panel(page).get_by_role("heading", name="begin")).to_be_visible()


def test_plots_tell_their_end_in_words(open_page, fan):
    page = open_page(f"/runs/{fan}/plots")

    expect(page.get_by_role("img", name="Tasks by state; at the end: 4 succeeded")).to_be_visible()
    expect(page.get_by_role("img", name="Ends per second")).to_be_visible()


def test_the_history_is_read_line_by_line(open_page, fan):
    page = open_page(f"/runs/{fan}/history")

    expect(page.locator("table.lines tbody tr").first).to_contain_text("running")
    expect(page.get_by_role("link", name="part_3 (attempt 2)").first).to_be_visible()


def test_a_run_that_has_ended_can_be_deleted(open_page, server):
    run = server.submit({"tag": "useless", "tasks": {"a": {"job": shell("true")}}})
    wait_until(lambda: server.state(run) == "succeeded", "it ends")
    page = open_page(f"/runs/{run}")

    page.get_by_role("button", name="Delete").click()
    page.get_by_role("dialog").get_by_role("button", name="Delete").click()

    expect(page).to_have_url(f"{server.url}/")
    assert server.runs(name=["^useless$"]) == []


def test_a_run_that_is_deleted_elsewhere_is_gone_here_too(open_page, server):
    run = server.submit({"tag": "brief", "tasks": {"a": {"job": shell("true")}}})
    wait_until(lambda: server.state(run) == "succeeded", "it ends")
    page = open_page(f"/runs/{run}/tasks/a")
    page.watch.expected = ["404"]
    expect(panel(page).get_by_text("Nothing was written.")).to_be_visible()
    other = open_page(f"/runs/{run}")

    other.get_by_role("button", name="Delete").click()
    other.get_by_role("dialog").get_by_role("button", name="Delete").click()

    expect(page.get_by_role("heading", name=f"The run {run} was deleted")).to_be_visible()
    expect(panel(page)).to_have_count(0)


def test_what_keeps_a_run_from_going_on_stands_on_top(open_page, fan):
    page = open_page("/")

    def stranded(route):
        answer = route.fetch()
        said = {"state": "running", "endedAt": None, "problem": "it needs the pool 'night'"}
        route.fulfill(response=answer, json={**answer.json(), **said})

    page.route("**/api/v2/runs/*/events*", lambda route: route.abort())
    page.route(f"**/api/v2/runs/{fan}", stranded)
    page.watch.expected = ["ERR_FAILED"]
    page.goto(f"{page.url}runs/{fan}")

    expect(page.locator(".obstacle")).to_contain_text("it needs the pool 'night'")
    expect(page.locator(".run-head")).to_contain_text("cannot go on")


def test_a_run_that_is_not_there_is_told(open_page):
    page = open_page("/runs/nothing-here")
    page.watch.expected = ["404"]

    expect(page.get_by_role("heading", name="There is no run nothing-here")).to_be_visible()
