"""The live display on a terminal: counts, running tasks, expected end; Ctrl-C from its keyboard."""

import re

import pytest
from commands import task, wait_until

CTRL_C = "\x03"


def plain(shown):
    """What was shown, without the signs that move the cursor and colour the text."""
    return re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", shown)


def test_the_display_shows_counts_and_running_tasks(segue):
    gate, last = segue.gate(), segue.gate("last")
    tasks = {
        "quick": task("exit 0"),
        "align": task(gate.script(), "quick"),
        "report": task(last.script(), "align"),
    }
    screen = segue.terminal("run", segue.write(tasks))
    gate.wait()

    screen.wait_for("align  ")

    assert "1/3" in plain(screen.shown)
    assert "1 running" in plain(screen.shown)
    assert "1 succeeded" in plain(screen.shown)
    gate.open()
    screen.wait_for("report  ")
    assert "2/3" in plain(screen.shown)
    last.open()
    assert screen.end() == 0


def test_the_display_names_the_expected_end_and_the_rate(segue):
    gate = segue.gate()
    tasks = {"quick": task("exit 0"), "slow": task(gate.script(), "quick")}
    screen = segue.terminal("run", segue.write(tasks))
    gate.wait()

    screen.wait_for("end about")

    assert re.search(r"\d/s, end about \d\d:\d\d", plain(screen.shown))
    gate.open()
    assert screen.end() == 0


def test_a_failure_is_shown_at_once_above_the_display(segue):
    gate = segue.gate()
    tasks = {"bad": task("exit 3"), "slow": task(gate.script())}
    screen = segue.terminal("run", segue.write(tasks), "-j", "2")
    gate.wait()

    screen.wait_for("bad: failed")

    gate.open()
    assert screen.end() == 1


def test_the_verdict_stays_when_the_display_goes(segue):
    screen = segue.terminal("run", segue.write({"a": task("exit 0")}))

    assert screen.end() == 0
    assert "succeeded" in plain(screen.shown).strip().splitlines()[-1]
    assert "\x1b[?25h" in screen.shown or "\x1b[?25l" not in screen.shown


def test_names_with_brackets_are_no_markup(segue):
    path = segue.folder / "study.yaml"
    path.write_text(
        "description: {name: '[bold]study[/red]', description: x}\n"
        "study:\n- {name: '[red]a[/bold]', description: x, run: {cmd: exit 1}}\n"
    )

    screen = segue.terminal("run", str(path))

    assert screen.end() in (1, 2)
    assert "[red]a" in screen.shown
    assert "Traceback" not in screen.shown


def test_ctrl_c_from_the_keyboard_drains_and_a_second_one_cancels(segue):
    gate = segue.gate()
    screen = segue.terminal("run", segue.write({"slow": task(gate.script())}))
    gate.wait()

    screen.press(CTRL_C)
    screen.wait_for("nothing more is started")
    screen.press(CTRL_C)

    assert screen.end() == 130
    assert segue.json("status")["state"] == "cancelled"


def test_closing_the_terminal_leaves_the_tasks_running(segue):
    gate = segue.gate()
    screen = segue.terminal("run", segue.write({"slow": task(gate.script())}))
    gate.wait()
    screen.wait_for("slow  ")

    screen.hang_up()

    screen.process.wait(30)
    assert segue.json("status")["state"] == "running"
    gate.open()
    segue("resume", segue.newest())
    assert segue.states() == {"slow": "succeeded"}


def test_status_on_a_terminal_has_colours_and_in_a_pipe_none(segue):
    segue("run", segue.write({"bad": task("exit 1")}), code=1)

    screen = segue.terminal("status")

    assert screen.end() == 0
    assert "\x1b[31m" in screen.shown
    assert "\x1b" not in segue("status").out


def test_a_running_task_grows_older_on_the_display_while_nothing_happens(segue):
    gate = segue.gate()
    screen = segue.terminal("run", segue.write({"slow": task(gate.script())}))
    gate.wait()

    screen.wait_for("slow  1.")

    gate.open()
    assert screen.end() == 0


def test_ctrl_c_while_it_waits_for_a_workflow_to_be_typed_ends_with_130(segue):
    screen = segue.terminal("run", "-")
    wait_until(lambda: len(segue.processes()) == 2, "the keeper starts while it reads")

    screen.press(CTRL_C)

    assert screen.end() == 130
    assert "Traceback" not in screen.shown
    assert segue.json("runs")["runs"] == []


@pytest.mark.parametrize("words", [["status", "--watch"], ["logs", "flow", "slow", "--follow"]])
def test_ctrl_c_closes_a_window_and_does_no_harm(segue, words):
    gate = segue.gate()
    running = segue.start("run", segue.write({"slow": task("echo begun; " + gate.script())}))
    gate.wait()
    screen = segue.terminal(*words)
    screen.wait_for("flow-" if words[0] == "status" else "begun")

    screen.press(CTRL_C)

    assert screen.end() == 130
    assert "Traceback" not in screen.shown
    gate.open()
    assert running.end() == 0
