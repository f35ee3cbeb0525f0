"""`runs`, `status`, `logs`, `why`, `history`: windows on the store."""

import pytest
from commands import task, wait_until

MIXED = {
    "good": task("echo out; echo err >&2"),
    "bad": task("echo it hurts >&2; exit 3", "good"),
    "after": task("echo never", "bad"),
    "far": task("echo never", "after"),
}


@pytest.fixture
def mixed(segue):
    """A run of tasks that ended in three ways."""
    segue("run", segue.write(MIXED, "mixed.json"), code=1)
    return segue.newest()


# runs ----------------------------------------------------------------------------


def test_without_runs_the_list_says_how_to_start_one(segue):
    assert "segue run FILE" in segue("runs").out


def test_runs_are_listed_newest_first(segue):
    path = segue.write({"a": task("exit 0")})
    names = [segue.json("run", path)["run"] for _ in range(3)]

    listed = [line.split()[0] for line in segue("runs").out.splitlines()[1:]]

    assert listed == names[::-1]
    assert [each["run"] for each in segue.json("runs")["runs"]] == names[::-1]


def test_so_many_runs_are_listed(segue):
    path = segue.write({"a": task("exit 0")})
    names = [segue.json("run", path)["run"] for _ in range(3)]

    assert [each["run"] for each in segue.json("runs", "-n", "2")["runs"]] == names[:0:-1]
    assert len(segue("runs", "-n", "0").out.splitlines()) == 4


def test_runs_are_listed_by_state(segue, mixed):
    segue("run", segue.write({"a": task("exit 0")}))

    assert [each["run"] for each in segue.json("runs", "--state", "failed")["runs"]] == [mixed]
    assert segue.json("runs", "--state", "paused")["runs"] == []
    both = segue.json("runs", "--state", "failed", "--state", "succeeded")["runs"]
    assert len(both) == 2


# status --------------------------------------------------------------------------


def test_status_shows_each_task_with_its_state_and_cause(segue, mixed):
    shown = segue("status", mixed).out

    assert f"{mixed}: mixed (daggy), failed" in shown
    assert "1 succeeded, 1 failed, 2 skipped" in shown
    rows = {line.split()[0]: line.split()[1:] for line in shown.splitlines() if "  " in line}
    assert rows["bad"][:3] == ["failed", "exit", "code"]
    assert rows["after"][:3] == ["skipped", "upstream", "failed"]


def test_status_without_a_run_is_that_of_the_newest(segue, mixed):
    assert segue("status").out.startswith(mixed)
    assert segue.json("status")["run"] == mixed


def test_status_of_some_tasks(segue, mixed):
    document = segue.json("status", mixed, "--state", "failed")

    assert [each["name"] for each in document["tasks"]] == ["bad"]
    assert "good" not in segue("status", mixed, "--state", "failed").out


def test_many_tasks_are_shown_as_templates(segue):
    numbers = [str(number) for number in range(100)]
    path = segue.write({"t": task(": {{N}}")}, parameters={"N": numbers})
    segue("run", path)

    shown = segue("status").out

    assert "100 succeeded" in shown
    assert "t_77" not in shown
    assert "t_77" in segue("status", "--all").out


def test_a_run_is_found_by_the_unique_beginning_of_its_name(segue, mixed):
    assert segue.json("status", "mix")["run"] == mixed


def test_a_beginning_that_fits_two_runs_names_them(segue, mixed):
    segue("run", str(segue.folder / "mixed.json"), code=1)

    done = segue("status", "mixed", code=2)

    assert mixed in done.err
    assert "2 runs" in done.err


def test_status_watches_until_the_run_has_ended(segue):
    gate = segue.gate()
    running = segue.start("run", segue.write({"slow": task(gate.script())}))
    gate.wait()

    watching = segue.start("status", segue.newest(), "--watch")

    watching.wait_for("running")
    gate.open()
    assert running.end() == 0
    assert watching.end() == 0
    assert "succeeded" in watching.out.splitlines()[-1]


def test_status_as_json_waits_for_the_end_with_watch(segue):
    gate = segue.gate()
    segue.start("run", segue.write({"slow": task(gate.script())}))
    gate.wait()

    watching = segue.start("status", segue.newest(), "--watch", "--json")

    gate.open()
    assert watching.end() == 0
    assert '"state": "succeeded"' in watching.out


# logs ----------------------------------------------------------------------------


def test_logs_keep_the_two_streams_apart(segue, mixed):
    done = segue("logs", mixed, "good")

    assert (done.out, done.err) == ("out\n", "err\n")


@pytest.mark.parametrize(
    ("option", "expected"), [("--stdout", ("out\n", "")), ("--stderr", ("", "err\n"))]
)
def test_logs_of_one_stream(segue, mixed, option, expected):
    done = segue("logs", mixed, "good", option)

    assert (done.out, done.err) == expected


def test_logs_are_byte_for_byte(segue):
    path = segue.write({"bytes": task(r"printf '\000\377\r\n'; head -c 3000000 /dev/zero")})
    segue("run", path)
    started = segue.start("logs", segue.newest(), "bytes")

    assert started.end() == 0

    assert started.out_path.read_bytes() == b"\0\xff\r\n" + bytes(3_000_000)


def test_logs_of_an_attempt(segue):
    path = segue.write({"again": task('echo "try $SEGUE_ATTEMPT"; exit 1', maxRetries=1)})
    segue("run", path, code=1)
    run = segue.newest()

    assert segue("logs", run, "again").out == "try 2\n"
    assert segue("logs", run, "again", "--attempt", "1").out == "try 1\n"
    assert "there are: 1, 2" in segue("logs", run, "again", "--attempt", "3", code=2).err


def test_logs_follow_until_the_attempt_has_ended(segue):
    gate = segue.gate()
    path = segue.write({"slow": task("echo before; " + gate.script("echo after"))})
    running = segue.start("run", path)
    gate.wait()

    following = segue.start("logs", segue.newest(), "slow", "--follow")

    following.wait_for("before")
    assert following.process.poll() is None
    gate.open()
    assert following.end() == 0
    assert following.out == "before\nafter\n"
    assert running.end() == 0


def test_logs_of_a_task_that_has_not_started_lead_to_why(segue, mixed):
    assert f"segue why {mixed} after" in segue("logs", mixed, "after", code=2).err


# why -----------------------------------------------------------------------------


def test_why_of_tasks_that_have_ended(segue, mixed):
    assert "it has succeeded" in segue("why", mixed, "good").out
    assert "exit code 3" in segue("why", mixed, "bad").out
    after = segue("why", mixed, "after").out
    assert "it was skipped" in after
    assert "bad" in after


def test_why_leads_to_the_root(segue, mixed):
    answer = segue.json("why", mixed, "far")

    assert any("bad" in reason for reason in answer["reasons"])
    assert f"segue why {mixed} bad" in answer["try"]


def test_why_of_tasks_on_their_way(segue):
    gate = segue.gate()
    tasks = {
        "running": task(gate.script()),
        "waiting": task("exit 0", "running"),
        "ready": task("exit 0"),
    }
    segue.start("run", segue.write(tasks), "--limit", "1")
    gate.wait()
    run = segue.newest()

    wait_until(
        lambda: "it has been running for" in segue("why", run, "running").out, "it is said to run"
    )
    assert "it waits for 1 of its 1 needs" in segue("why", run, "waiting").out
    ready = segue("why", run, "ready").out
    assert "as soon as there is room" in ready
    assert "at most 1 be out at once" in ready


def test_why_says_that_no_engine_owns_the_run(segue):
    gate = segue.gate()
    running = segue.start("run", segue.write({"a": task(gate.script()), "b": task(":", "a")}))
    gate.wait()
    running.process.kill()
    running.process.wait()

    answer = segue.json("why", segue.newest(), "b")

    assert any("no engine" in reason for reason in answer["reasons"])
    assert f"segue resume {answer['run']}" in answer["try"]
    assert "(no engine)" in segue("runs").out
    assert "take it up: segue resume" in segue("status").out


# history -------------------------------------------------------------------------


def test_history_tells_every_step_in_order_without_gaps(segue, mixed):
    story = segue.json("history", mixed)["history"]

    assert [each["number"] for each in story] == list(range(1, len(story) + 1))
    assert [each["at"] for each in story] == sorted(each["at"] for each in story)
    steps = [each["new"] for each in story if each["kind"] == "step" and each["task"] == "good"]
    assert steps[-1] == "succeeded"
    assert story[0]["kind"] == story[-1]["kind"] == "run"


def test_history_is_readable(segue, mixed):
    lines = segue("history", mixed).out.splitlines()

    assert any("bad #1" in line and "failed" in line for line in lines)
    assert any("after" in line and "waiting -> skipped" in line for line in lines)


def test_history_of_one_task(segue, mixed):
    story = segue.json("history", mixed, "--task", "bad")["history"]

    assert {each["task"] for each in story} == {"bad"}
    assert "good" not in segue("history", mixed, "--task", "bad").out
