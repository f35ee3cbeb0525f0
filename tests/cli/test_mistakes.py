"""Every mistake of a user is answered in words, with an exit code, and without a traceback."""

import json
import os
import shutil
import socket
import sqlite3
import subprocess

import pytest
from commands import PROGRAM, task, wait_until

GOOD = {"a": task("exit 0")}


@pytest.fixture
def good(segue):
    return segue.write(GOOD, "good.json")


@pytest.fixture
def ended(segue, good):
    """The name of a run that has ended."""
    return segue.json("run", good)["run"]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["rum"], "did you mean 'run'?"),
        (["kill", "my-run"], "here it is 'segue cancel'"),
        (["frobnicate"], "'segue --help' lists them"),
        (["--frobnicate"], "No such option"),
        (["run"], "Missing argument 'FILE'"),
        (["run", "good.json", "more"], "unexpected extra argument"),
        (["run", "good.json", "--jbos", "2"], "No such option"),
        (["run", "good.json", "-j", "0"], "0 is not in the range"),
        (["run", "good.json", "-j", "many"], "'many' is not a valid integer"),
        (["run", "good.json", "--limit", "-1"], "-1 is not in the range"),
        (["run", "good.json", "-p", "A"], "'A' is not of the form NAME=VALUE"),
        (["run", "good.json", "-p", "=1"], "'=1' is not of the form NAME=VALUE"),
        (["run", "good.json", "-p", "A=1", "-p", "A=2"], "-p gives 'A' twice"),
        (["run", "good.json", "-p", "A=1"], "-p A: the file has no such parameter"),
        (["run", "good.json", "--set", "daq2"], "'daq2' is not of the form NAME=VALUE"),
        (["run", "good.json", "--set", "a=1", "--set", "a=1"], "--set gives 'a' twice"),
        (["run", "good.json", "--dialect", "dagy"], "did you mean 'daggy'?"),
        (["run", "good.json", "--dialect", "zzz"], "there are: daggy, lute, maestro"),
        (["run", "good.json", "--pool", "locl"], "did you mean 'local'?"),
        (["run", "good.json", "--pool", "nowhere"], "there are: local"),
        (["run", "good.json", "--workspace", "good.json"], "the workspace"),
        (["run", "good.json", "--workspace", "good.json/below"], "--workspace DIR"),
        (["run", "good.json", "--slurm-args", "'open"], "--slurm-args"),
        (["run", "missing.json"], "missing.json:1:1: cannot be read: No such file"),
        (["run", "."], "cannot be read: Is a directory"),
        (["run", ""], "cannot be read"),
        (["run", "good.json/below"], "cannot be read: Not a directory"),
        (["validate", "missing.json"], "cannot be read: No such file"),
        (["validate", "."], "cannot be read: Is a directory"),
        (["graph", "."], "cannot be read: Is a directory"),
        (["graph", "good.json", "--format", "png"], "'png' is not one of"),
        (["graph", "good.json", "--level", "step"], "'step' is not one of"),
        (["runs", "--state", "done"], "'done' is not one of"),
        (["runs", "-n", "-1"], "-1 is not in the range"),
        (["status", "nobody"], "there is no run 'nobody'"),
        (["status", "--state", "done"], "'done' is not one of"),
        (["logs"], "Missing argument"),
        (["logs", "nobody", "a"], "there is no run 'nobody'"),
        (["why", "nobody", "a"], "there is no run 'nobody'"),
        (["why", "nobody"], "Missing argument"),
        (["history", "nobody"], "there is no run 'nobody'"),
        (["cancel", "nobody"], "there is no run 'nobody'"),
        (["retry", "nobody"], "there is no run 'nobody'"),
        (["pause", "nobody"], "there is no run 'nobody'"),
        (["resume", "nobody"], "there is no run 'nobody'"),
        (["resume"], "there are no runs yet"),
        (["cancel"], "there are no runs yet"),
        (["doctor", "--completion", "tcsh"], "'tcsh' is not one of"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else None,
)
def test_a_mistake_is_answered_with_2_and_a_next_thing_to_try(segue, good, words, said):
    done = segue(*words, code=2)

    assert said in done.err
    assert done.out == ""


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["logs", "RUN", "b"], "has no task 'b'"),
        (["logs", "RUN", "a", "--attempt", "2"], "there are: 1"),
        (["logs", "RUN", "a", "--attempt", "0"], "0 is not in the range"),
        (["why", "RUN", "b"], "'segue status RUN' lists the tasks"),
        (["history", "RUN", "--task", "b"], "has no task 'b'"),
        (["cancel", "RUN"], "has ended already: succeeded"),
        (["cancel", "RUN", "b"], "has no task 'b'"),
        (["pause", "RUN"], "has ended already: succeeded"),
        (["retry", "RUN"], "nothing to retry"),
        (["retry", "RUN", "b"], "has no task 'b'"),
        (["retry", "RUN", "--detach"], "nothing to retry"),
        (["status", "RUNX"], "did you mean 'RUN'?"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else None,
)
def test_a_mistake_about_a_run_is_answered_with_2(segue, ended, words, said):
    done = segue(*(word.replace("RUN", ended) for word in words), code=2)

    assert said.replace("RUN", ended) in done.err
    assert done.out == ""


def test_a_name_of_a_template_is_answered_with_its_tasks(segue):
    path = segue.write({"t": task(": {{N}}")}, parameters={"N": ["1", "2"]})
    run = segue.json("run", path)["run"]

    assert "name one of its tasks: t_1, t_2" in segue("logs", run, "t", code=2).err


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"\x7fELF\x02\x01\x01\x00\x00\xff\xfe", "is not UTF-8"),
        (b'{"tasks": {}}\xff', "byte 0xff is not UTF-8"),
        (b"\x00\x00\x00", "bad:1:1"),
        (b"", "bad:1:1"),
        (b"\n\n\n", "bad:"),
        (b"hello", "bad:1:1"),
        (b"{", "bad:1:"),
        (b'{"tasks": ', "bad:1:"),
        (b"[]", "bad:1:1"),
        (b"null", "bad:1:1"),
        (b"study: [", "bad:"),
        (b"study: &a [*a]", "bad:"),
        (b"[" * 100_000, "bad:"),
        (b'{"a":' * 100_000, "bad:"),
        (b"study: " + b"[" * 10_000, "bad:"),
        ('{"tasks": \u2028'.encode("utf-16"), "is not UTF-8"),
    ],
    ids=range(16),
)
def test_what_is_no_workflow_is_refused_with_a_place(segue, content, said):
    (segue.folder / "bad").write_bytes(content)

    for command in ("run", "validate", "graph"):
        assert said in segue(command, "bad", code=2).err
    assert segue.json("validate", "bad", code=2)["ok"] is False


def test_validate_as_json_is_json_even_for_a_file_that_is_missing(segue):
    answer = segue.json("validate", "missing.json", code=2)

    assert answer["problems"][0]["code"] == "unreadable"
    assert answer["problems"][0]["path"] == "missing.json"


def test_standard_input_that_is_closed_is_no_workflow(segue):
    assert "-:1:1" in segue("validate", "-", code=2).err


def test_a_socket_is_no_workflow(segue, monkeypatch):
    monkeypatch.chdir(segue.folder)
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind("socket")

        assert "cannot be read" in segue("run", "socket", code=2).err


# The store -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("url", "code", "said"),
    [
        ("oracle://host/base", 2, "no store knows 'oracle://host/base'"),
        ("sqlite://", 2, "sqlite:///home/me/segue.db"),
        ("sqlite:///tmp/x.db?colour=red", 2, "colour"),
        ("sqlite:///tmp/x.db?synchronous=perhaps", 2, "synchronous"),
        ("sqlite://{folder}", 3, "{folder}"),
        ("sqlite://{folder}/good.json", 3, "good.json"),
        ("sqlite://{folder}/good.json/below.db", 3, "good.json"),
        ("{folder}", 3, "{folder}"),
    ],
)
@pytest.mark.parametrize("words", [["run", "good.json"], ["runs"]], ids=["run", "runs"])
def test_a_store_that_cannot_be_is_told_so(segue, good, words, url, code, said):
    url, said = (text.replace("{folder}", str(segue.folder)) for text in (url, said))

    done = segue(*words, code=code, SEGUE_STORE=url)

    assert said in done.err


def test_a_store_of_a_newer_segue_is_left_alone(segue, ended):
    base = sqlite3.connect(segue.folder / "segue.db")
    base.execute("PRAGMA user_version = 999")
    base.close()

    assert "newer Segue" in segue("runs", code=3).err


def test_a_path_is_a_store_too(segue, good):
    segue("run", good, SEGUE_STORE="deep/own.db")

    assert (segue.folder / "deep" / "own.db").exists()
    assert len(segue.json("runs", SEGUE_STORE="deep/own.db")["runs"]) == 1


def test_a_detached_run_finds_a_store_that_is_named_by_a_relative_path(segue, good):
    segue("run", good, "--detach", SEGUE_STORE="deep/own.db")

    def ended():
        runs = segue.json("runs", SEGUE_STORE="deep/own.db")["runs"]
        return runs[0]["state"] == "succeeded"

    wait_until(ended, "the detached run ends")


def test_without_a_home_and_without_a_store_everything_still_works(segue, good):
    place = {"SEGUE_STORE": "", "XDG_STATE_HOME": str(segue.folder / "state")}

    segue("run", good, **place)

    assert len(segue.json("runs", **place)["runs"]) == 1
    assert (segue.folder / "state" / "segue" / "segue.db").exists()


def test_an_error_is_told_on_standard_error_also_with_json(segue):
    done = segue("status", "nobody", "--json", code=2)

    assert done.out == ""
    assert "there is no run 'nobody'" in done.err


def test_names_of_100_000_signs_are_cut_in_messages(segue, ended):
    done = segue("why", ended, "x" * 100_000, code=2)

    assert len(done.err) < 1000


def test_a_plan_of_a_faulty_file_is_refused(segue):
    (segue.folder / "bad.json").write_text(json.dumps({"tasks": {"a": {}}}))

    assert "bad.json:1:" in segue("run", "bad.json", "--plan", code=2).err


def test_a_folder_that_is_gone_is_told(segue, good):
    script = f"mkdir gone && cd gone && rmdir ../gone && exec {' '.join(PROGRAM)} run {good}"

    done = subprocess.run(
        ["/bin/sh", "-c", script],
        cwd=segue.folder, env=segue.environment, capture_output=True, text=True, check=False,
    )  # fmt: skip

    assert "Traceback" not in done.stderr
    assert "the current folder" in done.stderr
    assert done.returncode == 2


def test_a_file_name_that_is_no_text_is_shown_all_the_same(segue, good):
    odd = os.fsdecode(b"\xffodd.json")
    (segue.folder / odd).write_text(json.dumps({"tasks": GOOD}))
    (segue.folder / ("bad" + odd)).write_text("{")

    assert "odd.json: a daggy workflow" in segue("validate", odd).out
    assert "odd.json:1:" in segue("validate", "bad" + odd, code=2).err
    assert segue.json("validate", "bad" + odd, code=2)["ok"] is False


def test_names_that_are_no_text_cannot_be_stored_and_are_refused(segue, good):
    odd = os.fsdecode(b"\xffodd.json")
    (segue.folder / odd).write_text(json.dumps({"tasks": GOOD}))

    for words in (["run", odd], ["run", good, "--workspace", odd + ".d"]):
        assert "is not UTF-8 text" in segue(*words, code=2).err


def test_names_beyond_ascii_are_shown_where_only_ascii_is_known(segue):
    (segue.folder / "study.yaml").write_text(
        "description: {name: größe, description: x}\n"
        "study:\n- {name: müller, description: x, run: {cmd: exit 0}}\n"
    )

    segue("run", "study.yaml", PYTHONIOENCODING="ascii", LC_ALL="C")

    assert "ller" in segue("status", PYTHONIOENCODING="ascii").out
    assert segue.json("status", PYTHONIOENCODING="ascii")["tasks"][0]["name"] == "müller"


def test_logs_whose_files_are_gone_are_told(segue, ended):
    shutil.rmtree(segue.folder / "segue-runs")

    done = segue("logs", ended, "a", code=2)

    assert "is gone" in done.err
    assert str(segue.folder) in done.err


def test_more_jobs_than_anybody_needs_are_no_mistake(segue, good):
    segue("run", good, "-j", "1000000")


def test_a_workspace_may_be_used_by_many_runs(segue, good):
    for _ in range(2):
        segue("run", good, "--workspace", "shared")

    assert segue.json("runs")["runs"][0]["state"] == "succeeded"
