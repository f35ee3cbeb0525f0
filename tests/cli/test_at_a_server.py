"""The same verbs at a server: what they print is what they print where the runs are kept."""

import json
import re

import pytest
from commands import task, wait_until


@pytest.fixture
def server(segue):
    """A server on the store that the command line uses too; returns its address."""
    started = segue.start("serve", "--port", "0")
    address = re.compile(r"http://127\.0\.0\.1:\d+")
    return wait_until(lambda: address.search(started.out), "it is there").group()


@pytest.fixture
def remote(segue, server):
    """Run a command at the server, with a store of its own that nobody may use."""

    def call(*words, code=0, **variables):
        elsewhere = {"SEGUE_SERVER": server, "SEGUE_STORE": "sqlite:///no/such/place.db"}
        return segue(*words, code=code, **(elsewhere | variables))

    return call


def document(said):
    return json.loads(said.out)


def timeless(value):
    """The value without times, which the two tell with other digits."""
    if isinstance(value, dict):
        return {
            name: timeless(each)
            for name, each in value.items()
            if name != "at" and not name.endswith("_at")
        }
    return [timeless(each) for each in value] if isinstance(value, list) else value


FAILING = {
    "good": task("echo fine"),
    "bad": task("echo oh no >&2; exit 3"),
    "behind": task("true", "bad"),
}


def test_a_run_is_sent_watched_and_judged(segue, remote):
    path = segue.write({"a": task("echo a"), "b": task("echo b", "a")})

    said = remote("run", path)

    assert "a: succeeded" in said.out
    assert "2 succeeded" in said.out.splitlines()[-1]
    assert segue.json("status")["state"] == "succeeded"


def test_a_failure_is_shown_with_its_last_words(segue, remote):
    said = remote("run", segue.write(FAILING), code=1)

    assert "bad: exit code 3" in said.out
    assert "    oh no" in said.out


def test_what_is_shown_is_what_is_shown_where_the_runs_are(segue, remote):
    remote("run", segue.write(FAILING), code=1)
    run = segue.newest()

    for words in (
        ["runs", "--json"],
        ["status", run, "--json"],
        ["status", "--state", "failed", "--json"],
        ["history", run, "--json"],
        ["history", run, "--task", "bad", "--json"],
        ["why", run, "behind", "--json"],
    ):
        assert timeless(document(remote(*words))) == timeless(document(segue(*words))), words
    for words in (
        ["runs"],
        ["why", run, "bad"],
        ["logs", run, "bad"],
        ["history", run],
        ["graph", run, "--format", "mermaid"],
    ):
        assert remote(*words)[1:] == segue(*words)[1:], words
    assert "exit code" in remote("status", run[:-2]).out


def test_a_wrong_name_is_answered_as_kindly(segue, remote):
    assert "no runs yet" in remote("status", code=2).err
    remote("run", segue.write(FAILING), code=1)
    run = segue.newest()

    assert "there is no run 'nobody'" in remote("status", "nobody", code=2).err
    assert "did you mean 'good'" in remote("why", run, "god", code=2).err
    assert "did you mean 'status'" in remote("statsu", code=2).err
    assert "not through a server" in remote("study", run, code=2).err


def test_a_document_with_faults_is_refused_with_its_places(segue, remote):
    path = segue.write({"a": task("true", "nobody")})

    for words in (["run", path], ["validate", path]):
        said = remote(*words, code=2)
        assert "flow.json:1:" in said.err
        assert "nobody" in said.err
    found = document(remote("validate", path, "--json", code=2))
    assert (found["ok"], found["problems"][0]["line"]) == (False, 1)
    good = segue.write({"a": task("true")})
    assert "a daggy workflow, 1 tasks" in remote("validate", good).out


def test_a_run_is_paused_held_changed_and_cancelled(segue, remote):
    gate = segue.gate()
    tasks = {"a": task(gate.script()), "b": task("echo b", "a"), "c": task("echo c", "a")}
    run = remote("run", segue.write(tasks), "--detach").out.strip()
    gate.wait()

    assert "is paused" in remote("pause", run).out
    assert "limit 3" in remote("update", run, "--limit", "3").out
    assert "holds 1 tasks" in remote("hold", run, "b").out
    assert "it is held" in remote("why", run, "b").out
    assert "'c' is not held" in remote("release", run, "c", code=2).err
    assert "goes on" in remote("resume", run).out
    gate.open()
    wait_until(lambda: segue.states(run)["c"] == "succeeded", "c ends")
    assert run in remote("release", run, "b").out
    wait_until(lambda: segue.json("status", run)["state"] == "succeeded", "the run ends")
    assert "has ended" in remote("cancel", run, code=2).err


def test_a_task_that_failed_is_retried_marked_done_and_forgotten(segue, remote):
    remote("run", segue.write(FAILING), code=1)
    run = segue.newest()

    remote("retry", run, "bad")
    wait_until(lambda: segue.json("status", run)["state"] == "failed", "it fails again")
    remote("mark-done", run, "bad", "--reason", "good enough")
    wait_until(lambda: segue.json("status", run)["state"] == "succeeded", "it goes on")
    remote("retry", run, "good", "--again")
    wait_until(lambda: segue.json("status", run)["state"] == "succeeded", "it is over again")
    attempts = {each["name"]: len(each["attempts"]) for each in segue.json("status", run)["tasks"]}
    assert attempts == {"good": 2, "bad": 2, "behind": 1}
    assert document(remote("delete", run, "-y", "--json")) == {"deleted": [run]}
    assert segue.json("runs") == {"runs": []}


def test_what_a_task_prints_is_followed_while_it_runs(segue, server):
    gate = segue.gate()
    path = segue.write({"a": task("echo first; " + gate.script("echo last"))})
    run = segue("run", path, "--detach", "--server", server).out.strip()
    gate.wait()

    follower = segue.start("logs", run, "a", "--follow", f"--server={server}")
    wait_until(lambda: "first" in follower.out, "the first line is there")
    gate.open()

    assert follower.end() == 0
    assert follower.out.splitlines() == ["first", "last"]


def test_a_server_that_is_not_there_is_said(segue):
    said = segue("runs", "--server", "http://127.0.0.1:9", code=3)

    assert "could not be reached" in said.err
    assert "is no address" in segue("runs", "--server", "localhost:1", code=2).err


def test_what_only_works_here_is_said(segue, remote):
    path = segue.write({"a": task("true")})

    assert "runs no Python" in remote("run", path, "--pgen", path, code=2).err
