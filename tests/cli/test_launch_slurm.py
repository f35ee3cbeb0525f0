"""`launch_slurm` on the local executor: which steps run, what its log says, how it ends."""

import json
import os
import re
import stat
import subprocess
import sys

import pytest
from launch_program import CASES, QUICK, SAMPLE, TEST, blocks

CHAIN = """\
!LUTE_DAG
task_name: WriteTester
next:
- task_name: ReadTester
  next: []
"""
ONE = "!LUTE_DAG\ntask_name: Scripter\nnext: []\n"


# Which steps run -----------------------------------------------------------------------


@pytest.mark.parametrize("verdict", ["maestro", "default"])
@pytest.mark.parametrize(("daq2", "throws", "runs", "skipped", "count"), CASES)
def test_the_sample_runs_the_steps_that_lute_would(
    launch, daq2, throws, runs, skipped, count, verdict
):
    launch.config(QUICK | {"Test": TEST | {"throw_error": throws}})
    launch.dag(SAMPLE)
    fails = verdict == "maestro" or throws

    done = launch("-W", "flow.dag", "--set", f"daq2={daq2}", "--verdict", verdict, code=int(fails))

    states = launch.segue.states()
    assert sorted(name for name in states if states[name] != "skipped") == runs
    assert sorted(name for name in states if states[name] == "skipped") == skipped
    assert f"FAILED [{count}]\n" in done.out
    last = done.out.splitlines()[-1]
    if fails:
        assert last == f"Exiting after workflow failed! [{count} succeeded]"
    else:
        assert last == "Exiting after workflow completed successfully."
    named = sorted((each.name, each.status) for each in blocks(done.out))
    ended = "FAILED" if throws else "COMPLETED"
    assert [each for each in named if each[0] == "Tester"] == [("Tester", ended)] * 2
    assert sum(status == "UPSTREAM_FAILED" for _, status in named) == len(skipped)


def test_first_steps_run_side_by_side(launch):
    gate = launch.gate()
    launch.scripted(f"subprocess.run(['/bin/sh', '-c', {gate.script()!r}])")
    launch.dag(
        "!LUTE_DAG\n- task_name: Scripter\n  next: []\n" * 1 + "- task_name: Scripter\n  next: []\n"
    )

    launched = launch.start("-W", "flow.dag", "-j", "2")
    first, second = gate.wait(), gate.wait()
    gate.open(2)

    assert launched.end() == 0
    assert first != second


# The log -------------------------------------------------------------------------------


def test_the_log_of_a_step_stands_below_its_heading_with_its_times(launch):
    launch.dag(CHAIN)

    done = launch("-W", "flow.dag")

    first, second = blocks(done.out)
    assert (first.name, first.status) == ("WriteTester", "COMPLETED")
    assert re.fullmatch(
        r"Processed 1 values!\nTime WriteTester spent:\n- Pending: \d+ s\n- Running: \d+ s\n",
        first.text,
    )
    assert "Successfully loaded data!" in second.text


def test_a_skipped_step_says_why_it_was_not_launched(launch):
    launch.dag("!LUTE_DAG\ntask_name: ReadTester\nnext:\n- task_name: Tester\n  next: []\n")

    done = launch("-W", "flow.dag", code=1)

    failed, skipped = blocks(done.out)
    assert (failed.name, failed.status) == ("ReadTester", "FAILED")
    assert "TestWriteOutput has written none" in failed.text
    assert "spent:" not in failed.text
    assert (skipped.name, skipped.status) == ("Tester", "UPSTREAM_FAILED")
    assert skipped.text.startswith("---- NOT LAUNCHING Tester ----\n")
    assert "ReadTester has ended as FAILED" in skipped.text


def test_log_files_are_named_as_lutes_and_hold_both_streams(launch):
    launch.scripted("self.report('out'); print('err', file=sys.stderr)")
    launch.dag(ONE)

    launch("-W", "flow.dag")

    ((name, text),) = launch.logs().items()
    pid = launch.attempts()["Scripter"]["job_id"].rpartition(":")[2]
    assert re.fullmatch(
        rf"Scripter_TST1_r0012_\d{{4}}(-\d\d){{2}}_\d\d(-\d\d){{2}}_{pid}\.out", name
    )
    assert sorted(text.splitlines()) == ["err", "out"]


def test_unbuffered_lines_come_while_the_step_runs_and_only_once(launch):
    gate = launch.gate()
    launch.scripted(f"self.report('a line'); subprocess.run(['/bin/sh', '-c', {gate.script()!r}])")
    launch.dag(ONE)

    launched = launch.start("-W", "flow.dag", "--unbuffered")
    gate.wait()
    launched.wait_for("[Logs from **Scripter**]\x1b[0m\na line\n")
    gate.open()

    assert launched.end() == 0
    assert launched.out.count("a line") == 1
    assert "Providing logs for Scripter [Exited as: COMPLETED]" in launched.out


def test_a_task_that_has_timed_out_is_told_so(launch):
    launch.config(QUICK | {"Script": {"code": "time.sleep(60)"}}, task_timeout=1)
    launch.dag(ONE)

    done = launch("-W", "flow.dag", code=1)

    assert [each.status for each in blocks(done.out)] == ["TIMEDOUT"]


# What steps are given --------------------------------------------------------------------


def environment_seen(launch):
    """The environment of the Task of the last launch, which has written it down."""
    return json.loads((launch.folder / "seen").read_text())


@pytest.fixture
def seeing(launch):
    launch.scripted("import json; json.dump(dict(os.environ), open('seen', 'w'))")
    launch.dag(ONE)
    return launch


def test_steps_are_told_experiment_run_and_server(seeing):
    seeing("-W", "flow.dag", "-d", JID_UPDATE_COUNTERS="")

    seen = environment_seen(seeing)
    told = {name: seen[name] for name in ("EXPERIMENT", "RUN_NUM", "RUN", "LUTE_USE_TCP")}
    assert told == {"EXPERIMENT": "TST1", "RUN_NUM": "12", "RUN": "12", "LUTE_USE_TCP": "1"}
    assert seen["LUTE_MANAGER_URL"].startswith("127.0.0.1:")
    assert len(seen["SEGUE_MANAGER_TOKEN"]) == 32
    assert re.fullmatch("[0-9a-f]{24}", seen["ARP_JOB_ID"])


def test_the_environment_of_the_logbooks_job_wins(seeing):
    seeing(
        *("-W", "flow.dag"),
        Authorization="Bearer secret",
        EXPERIMENT="mfx2",
        RUN_NUM="7_2026-11-21T10:00",
        ARP_JOB_ID="arp",
    )

    seen = environment_seen(seeing)
    told = [seen[name] for name in ("EXPERIMENT", "RUN_NUM", "ARP_JOB_ID", "Authorization")]
    assert told == ["mfx2", "7", "arp", "Bearer secret"]
    assert next(iter(seeing.logs())).startswith("Scripter_mfx2_r0007_")


def test_no_secret_is_stored(seeing):
    seeing("-W", "flow.dag", Authorization="Bearer secret-of-mine")

    token = environment_seen(seeing)["SEGUE_MANAGER_TOKEN"]
    files = [path for path in seeing.folder.rglob("*") if path.is_file() and path.name != "seen"]
    holding = [
        path.name
        for path in files
        if b"secret-of-mine" in (data := path.read_bytes()) or token.encode() in data
    ]
    # The results of Tasks hold LUTE_* and SLURM_* variables, and no others.
    assert holding == []


@pytest.mark.parametrize("run", [(), ("-e", "TST1"), ("-r", "3")])
def test_without_experiment_or_run_it_ends_as_the_original(launch, run):
    launch.dag(ONE)

    done = launch("-W", "flow.dag", run=run, code=255)

    assert "-e EXPERIMENT -r RUN" in done.err


def test_an_instance_of_a_sweep_reads_its_values_from_a_copy_of_the_config(launch):
    launch.dag(
        "!LUTE_DAG\n- !param_sweep\n  task_name: SocketTester\n"
        "  param_matrix: {num_arrays: [1, 3]}\n"
        "  next: [{task_name: Scripter, next: []}]\n"
    )
    launch.scripted("import glob; self.report(' '.join(glob.glob('segue-runs/*/.segue/*/*.yaml')))")

    done = launch("-W", "flow.dag")

    sent = {each.name: each.text.count("Sending") for each in blocks(done.out)}
    assert (sent["SocketTester_0"], sent["SocketTester_1"]) == (1, 3)
    assert "/config_expanded.yaml" in done.out
    assert not list(launch.own_folder().glob("*.yaml"))


def test_two_sweeps_of_one_task_do_not_share_a_copy(launch):
    sweep = "- !param_sweep\n  task_name: SocketTester\n  next: []\n"
    sweep += "  param_matrix: {num_arrays: [%s]}\n"
    launch.dag("!LUTE_DAG\n" + sweep % "1, 2" + sweep % "4, 5")

    done = launch("-W", "flow.dag")

    assert sorted(each.text.count("Sending") for each in blocks(done.out)) == [1, 2, 4, 5]


def test_a_retried_instance_still_finds_its_config(launch):
    launch.dag(
        "!LUTE_DAG\n- !param_sweep\n  task_name: Scripter\n  param_matrix:\n"
        "    code: [\"assert os.path.exists('ready')\"]\n  next: []\n"
    )
    launch("-W", "flow.dag", code=1)
    (launch.folder / "ready").touch()

    launch.segue("retry")

    assert launch.segue.states() == {"Scripter_0": "succeeded"}


# Wrong input -----------------------------------------------------------------------------


def wrong(launch, *words, **variables):
    """What it says about words that it cannot work with; nothing may have been stored."""
    done = launch(*words, code=2, **variables)
    assert launch.segue.json("runs")["runs"] == []
    return done.err


def test_an_unknown_managed_task_is_told_with_its_place(launch):
    launch.dag("!LUTE_DAG\ntask_name: Testre\nnext:\n- task_name: Test\n  next: []\n")

    said = wrong(launch, "-W", "flow.dag")

    assert "flow.dag:1:1: there is no managed Task 'Testre'\n  hint: did you mean 'Tester'?" in said
    assert "flow.dag:4:3: there is no managed Task 'Test'" in said
    assert "workflows call it Tester" in said


def test_an_unknown_fact_names_the_option(launch):
    launch.dag(SAMPLE)

    assert "--set daq2=true or --set daq2=false" in wrong(launch, "-W", "flow.dag")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["-W", "none.dag"], "none.dag:1:1: cannot be read"),
        ([], "no workflow is given"),
        (["-W", "flow.dag", "-c", "none.yaml"], "there is no config 'none.yaml'"),
        (["-W", "flow.dag", "--set", "daq2"], "not of the form NAME=VALUE"),
        (["-W", "flow.dag", "--bind", "127.0.0.1:http"], "is no address with a port"),
        (["-W", "flow.dag", "--lute-path", "none"], "is no checkout of LUTE"),
        (["-W", "flow.dag", "--site-submit", "x"], "exclude each other"),
        (["-W", "flow.dag", "--force"], "--force is for a launch that goes on"),
    ],
)
def test_wrong_words_are_told(launch, words, said):
    launch.dag(ONE)

    assert said in launch(*words, code=2).err


def test_a_broken_config_is_told_before_anything_runs(launch):
    (launch.folder / "config.yaml").write_text("run: 1\n")
    launch.dag(ONE)

    assert "two documents" in wrong(launch, "-W", "flow.dag")


def test_a_dry_run_shows_the_steps_and_stores_nothing(launch):
    launch.dag(SAMPLE)

    done = launch("-W", "flow.dag", "--set", "daq2=true", "--dry-run", "--partition=p")

    assert "4 steps with daq2=true" in done.out
    assert re.search(r"^SocketTester +!ALL_FAILED +Tester +--partition=p$", done.out, re.M)
    assert launch.segue.json("runs")["runs"] == []
    assert not (launch.folder / "segue-runs").exists()


# The Server ------------------------------------------------------------------------------


def test_a_client_from_outside_reports_through_the_server(launch):
    gate = launch.gate()
    launch.scripted(
        "open('told', 'w').write(os.environ['LUTE_MANAGER_URL'] + ' ' + "
        "os.environ['SEGUE_MANAGER_TOKEN']); "
        f"subprocess.run(['/bin/sh', '-c', {gate.script()!r}])"
    )
    launch.dag(ONE)
    launched = launch.start("-W", "flow.dag", "--unbuffered")
    gate.wait()
    address, token = (launch.folder / "told").read_text().split()
    client = """
import http.client, json, sys
def ask(method, path, **body):
    connection = http.client.HTTPConnection(sys.argv[1])
    connection.request(method, path, json.dumps(body), {"Authorization": f"Bearer {sys.argv[2]}"})
    return connection.getresponse().read().decode()
ask("POST", "/log", managed_task="Outside", message="hello", orig_job_id="9")
ask("POST", "/status", managed_task="Outside", status="COMPLETED", orig_job_id="9")
print(ask("GET", "/tasks"))
"""

    said = subprocess.run(
        [sys.executable, "-c", client, address, token], capture_output=True, text=True, check=True
    ).stdout
    launched.wait_for("[Logs from **Outside**]")
    gate.open()

    # It is no job of ours, so its word ends nothing.
    assert launched.end() == 0
    shown = json.loads(said)["managed_tasks"]
    assert [(each["name"], each["status"]) for each in shown] == [("Scripter", "RUNNING")]


def test_the_place_of_the_server_is_for_its_user_alone_and_goes_with_the_run(launch):
    gate = launch.gate()
    launch.scripted(f"subprocess.run(['/bin/sh', '-c', {gate.script()!r}])")
    launch.dag(ONE)
    launched = launch.start("-W", "flow.dag")
    gate.wait()

    file = launch.own_folder() / "server.json"

    assert stat.S_IMODE(os.stat(file).st_mode) == 0o600
    gate.open()
    assert launched.end() == 0
    assert not file.exists()


def test_a_port_can_be_asked_for(launch, unused_port):
    launch.scripted("self.report(os.environ['LUTE_MANAGER_URL'])")
    launch.dag(ONE)

    done = launch("-W", "flow.dag", "--bind", f"127.0.0.1:{unused_port}")

    assert f"127.0.0.1:{unused_port}\n" in done.out


@pytest.fixture
def unused_port():
    import socket

    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


# Other doors -----------------------------------------------------------------------------


def test_segue_run_runs_our_managed_tasks_with_a_config_alone(launch):
    launch.dag(
        "!LUTE_DAG\ntask_name: Tester\nnext:\n- !param_sweep\n  task_name: SocketTester\n"
        "  param_matrix: {num_arrays: [1, 3]}\n  next: []\n"
    )

    launch.segue("run", "flow.dag", "--lute-config", "config.yaml")

    logs = [launch.segue("logs", "", f"SocketTester_{number}").out for number in (0, 1)]
    assert [log.count("Sending") for log in logs] == [1, 3]


def test_an_edited_file_is_launched_anew(launch):
    launch.scripted("sys.exit(3)")
    launch.dag(ONE)
    launch("-W", "flow.dag", code=1)

    refused = launch.segue("retry", "--edited", code=2)

    assert "was launched by launch_slurm" in refused.err
    assert "launch the edited file anew" in refused.err
    assert f"segue retry {launch.segue.newest()}" in refused.err
