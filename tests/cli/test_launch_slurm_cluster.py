"""`launch_slurm` on a real Slurm cluster."""

import os
import re
import signal
import subprocess
import sys
from contextlib import suppress

import pytest
from commands import wait_for_death, wait_until
from launch_program import CASES, QUICK, SAMPLE, TEST, Launcher, blocks
from lute_checkout import make_checkout

ONE = "!LUTE_DAG\ntask_name: Scripter\n%snext: []\n"
#: A step at a gate; one behind it; one that only its failure would let run.
HELD = """\
!LUTE_DAG
task_name: Scripter
next:
- !ALL_FAILED
  task_name: SocketTester
  next: []
- task_name: Tester
  next: []
"""
SUBMIT = f"{sys.executable} -m segue.cli.submit_slurm"
SUBMIT_LAUNCH = [sys.executable, "-m", "segue.cli.submit_launch_slurm"]


@pytest.fixture
def launch(slurm, tmp_path):
    program = Launcher(tmp_path)
    yield program
    for attempt in _attempts(program):
        subprocess.run(["scancel", "--quiet", attempt["job_id"].split("_")[0]], check=False)
    program.close()


def _attempts(launch):
    with suppress(AssertionError):
        return [each for each in launch.attempts().values() if each["job_id"]]
    return []


def on_slurm(launch, *words, **options):
    return launch(*words, local=False, **options)


def state_of(job_id):
    """What squeue says of a job; empty when it does not know it any more."""
    return squeue(job_id, "%T")


def squeue(job_id, form):
    """What squeue says of a job, in this format."""
    words = ["squeue", "-h", "-t", "all", "-j", job_id, "-o", form]
    return subprocess.run(words, capture_output=True, text=True, check=False).stdout.strip()


def shown(job_id):
    """What scontrol shows of a job."""
    words = ["scontrol", "show", "job", job_id]
    text = subprocess.run(words, capture_output=True, text=True, check=True).stdout
    return dict(word.split("=", 1) for word in text.split() if "=" in word)


@pytest.fixture
def held(launch):
    """A launch whose first step stands at a gate, as a job of Slurm."""
    gate = launch.gate()
    launch.scripted(f"subprocess.run(['/bin/sh', '-c', {gate.script()!r}])")
    launch.dag(HELD)
    launched = launch.start("-W", "flow.dag", local=False)
    return gate, launched, gate.wait()


# The sample --------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize("verdict", ["maestro", "default"])
@pytest.mark.parametrize(("daq2", "throws", "runs", "skipped", "count"), CASES)
def test_the_sample_runs_the_steps_that_lute_would(
    launch, daq2, throws, runs, skipped, count, verdict
):
    launch.config(QUICK | {"Test": TEST | {"throw_error": throws}})
    launch.dag(SAMPLE)
    fails = verdict == "maestro" or throws

    words = ("-W", "flow.dag", "--set", f"daq2={daq2}", "--verdict", verdict)
    done = on_slurm(launch, *words, "--partition=main", code=int(fails))

    states = launch.segue.states()
    assert sorted(name for name in states if states[name] != "skipped") == runs
    assert sorted(name for name in states if states[name] == "skipped") == skipped
    assert f"FAILED [{count}]\n" in done.out
    how = f"failed! [{count} succeeded]" if fails else "completed successfully."
    assert done.out.endswith(f"Exiting after workflow {how}\n")


def test_first_steps_run_side_by_side(launch):
    gate = launch.gate()
    launch.scripted(f"subprocess.run(['/bin/sh', '-c', {gate.script()!r}])")
    launch.dag("!LUTE_DAG\n" + "- task_name: Scripter\n  next: []\n" * 2)

    launched = launch.start("-W", "flow.dag", local=False)
    first, second = gate.wait(), gate.wait()
    gate.open(2)

    assert launched.end() == 0
    assert first != second


# What Slurm is given -------------------------------------------------------------------------


def test_a_step_has_the_arguments_of_the_command_line_and_a_log_with_its_job_id(launch):
    launch.scripted("self.report(os.environ['SLURM_NTASKS'])")
    launch.dag(ONE % "")

    done = on_slurm(launch, "-W", "flow.dag", "--partition=short", "-n", "2")

    job_id = launch.attempts()["Scripter"]["job_id"]
    ((name, text),) = launch.logs().items()
    assert re.fullmatch(rf"Scripter_TST1_r0012_[-_\d]{{19}}_{job_id}\.out", name)
    assert text == "2\n"
    assert blocks(done.out)[0].text.startswith("2\nTime Scripter spent:\n- Pending: ")
    assert shown(job_id)["Partition"] == "short"


@pytest.mark.parametrize(("merge", "partition", "minutes"), [
    ([], "main", "00:03:00"),
    (["--merge"], "short", "00:03:00"),
])  # fmt: skip
def test_slurm_params_replace_or_are_merged(launch, merge, partition, minutes):
    launch.scripted("pass")
    launch.dag(ONE % 'slurm_params: "--time=3 --psana2"\n')

    on_slurm(launch, "-W", "flow.dag", *merge, "--partition=short", "--time=5")

    job = shown(launch.attempts()["Scripter"]["job_id"])
    assert (job["Partition"], job["TimeLimit"]) == (partition, minutes)


def test_the_instances_of_a_sweep_are_one_array(launch):
    values = list(range(1, 10))
    launch.dag(
        "!LUTE_DAG\n- !param_sweep\n  task_name: SocketTester\n"
        f"  param_matrix: {{num_arrays: {values}}}\n  next: []\n"
    )

    done = on_slurm(launch, "-W", "flow.dag")

    ids = {name: each["job_id"] for name, each in launch.attempts().items()}
    assert len({job_id.split("_")[0] for job_id in ids.values()}) == 1
    assert all("_" in job_id for job_id in ids.values())
    assert sorted(each.text.count("Sending") for each in blocks(done.out)) == values


def test_what_slurm_refuses_is_told_and_not_tried_again(launch):
    launch.scripted("pass")
    launch.dag(ONE % "")

    done = on_slurm(launch, "-W", "flow.dag", "--partition=none", code=1)

    (block,) = blocks(done.out)
    assert block.status == "SUBPROCESS_FAILED"
    assert "Invalid partition" in block.text
    assert launch.attempts()["Scripter"]["number"] == 1


# Stopping, and going on ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 1), (signal.SIGHUP, 1)]
)
def test_a_signal_cancels_the_jobs(launch, held, number, code):
    _, launched, pid = held
    job_id = launch.attempts()["Scripter"]["job_id"]

    launched.signal(number)

    assert launched.end() == code
    wait_for_death(pid)
    wait_until(lambda: state_of(job_id) in ("CANCELLED", "FAILED", ""), "the job has ended")
    assert [each.status for each in blocks(launched.out)] == ["CANCELLED"] * 3
    assert launched.out.endswith("[0/3 succeeded]\n")


def test_a_launch_that_was_killed_goes_on_and_no_job_runs_twice(launch, held):
    gate, launched, _ = held
    job_id = launch.attempts()["Scripter"]["job_id"]
    launched.process.kill()
    launched.process.wait()

    again = launch.resume(launch.segue.newest())
    again.wait_for("3 steps")
    gate.open()

    assert again.end() == 0
    assert launch.attempts()["Scripter"]["job_id"] == job_id
    assert len(list(launch.folder.glob("Scripter_*.out"))) == 1
    assert launch.segue.states()["Tester"] == "succeeded"


# Other ways to run a Task ----------------------------------------------------------------------


def test_tasks_of_a_checkout_report_without_a_token_and_sweeps_know_their_names(launch):
    checkout = make_checkout(launch.folder)
    launch.dag(
        "!LUTE_DAG\ntask_name: Tester\nnext:\n- !param_sweep\n  task_name: Fitter\n"
        "  param_matrix: {threshold: [1, 2]}\n  next: []\n"
    )

    done = on_slurm(launch, "-W", "flow.dag", "--lute-path", checkout, "--unbuffered")

    assert "[Logs from **Fitter_1**]\x1b[0m\nFitter_1 has begun\n" in done.out
    assert "3 steps succeeded [3/3]" in done.out
    logs = "".join(launch.logs().values())
    assert "Tester with config.yaml in run 12\n" in logs
    assert "Fitter_0 with config_expanded.yaml in run 12\n" in logs


def test_equal_steps_of_a_checkout_are_told_apart_although_they_are_one_array(launch):
    make_checkout(launch.folder)
    launch.segue.environment["ENDS_AS"] = "TIMEDOUT"
    launch.dag("!LUTE_DAG\n" + "- task_name: Tester\n  next: []\n" * 10)

    done = on_slurm(launch, "-W", "flow.dag", "--lute-path", "LUTE", code=1)

    ids = [each["job_id"] for each in launch.attempts().values()]
    assert all("_" in job_id for job_id in ids)
    # What the exit code does not say is heard of the right job.
    assert [each.status for each in blocks(done.out)] == ["TIMEDOUT"] * 10


def test_an_unknown_task_of_a_checkout_is_told(launch):
    checkout = make_checkout(launch.folder)
    launch.dag("!LUTE_DAG\ntask_name: Fit\nnext: []\n")

    done = on_slurm(launch, "-W", "flow.dag", "--lute-path", checkout, code=2)

    assert "workflows call it Fitter" in done.err


def test_the_sites_own_command_submits_and_its_job_is_followed(launch):
    launch.dag(
        "!LUTE_DAG\ntask_name: Tester\nslurm_params: --partition=short --psana1\n"
        "next: [{task_name: ReadTester, next: []}]\n"
    )

    words = ("-W", "flow.dag", "--site-submit", SUBMIT, "--comment=mine")
    done = on_slurm(launch, *words, "--partition=main", code=1)

    attempts = launch.attempts()
    first, second = shown(attempts["Tester"]["job_id"]), shown(attempts["ReadTester"]["job_id"])
    assert (first["Partition"], second["Partition"]) == ("short", "main")
    # By its comment a job is found whose id was lost.
    assert re.fullmatch(r"\S+\.0\.1@[0-9a-f]{12}", first["Comment"])
    comment = squeue(attempts["ReadTester"]["job_id"], "%k")
    assert re.fullmatch(r"\S+\.1\.1@[0-9a-f]{12} mine", comment)
    ended = {each.name: each for each in blocks(done.out)}
    assert ended["Tester"].status == "COMPLETED"
    assert ended["Tester"].text.startswith("Test message 0\n")
    assert ended["ReadTester"].status == "FAILED"
    assert "TestWriteOutput has written none" in ended["ReadTester"].text


def test_a_job_of_the_sites_command_is_found_again_after_a_crash(launch):
    gate = launch.gate()
    launch.scripted(f"self.report('here'); subprocess.run(['/bin/sh', '-c', {gate.script()!r}])")
    launch.dag(ONE % "")
    launched = launch.start("-W", "flow.dag", "--site-submit", SUBMIT, local=False)
    gate.wait()
    wait_until(lambda: _attempts(launch), "its job id is stored")
    job_id = launch.attempts()["Scripter"]["job_id"]
    launched.process.kill()
    launched.process.wait()

    again = launch.resume(launch.segue.newest())
    again.wait_for("1 steps")
    gate.open()

    assert again.end() == 0
    assert launch.attempts()["Scripter"]["job_id"] == job_id
    assert "[Exited as: COMPLETED]\n" in again.out
    assert "\nhere\n" in again.out


def test_what_the_sites_command_refuses_is_told_in_its_words(launch):
    launch.dag("!LUTE_DAG\ntask_name: Tester\nnext: []\n")

    words = ("-W", "flow.dag", "--site-submit", SUBMIT, "-N", "2")
    done = on_slurm(launch, *words, code=1)

    (block,) = blocks(done.out)
    assert block.status == "SUBPROCESS_FAILED"
    assert "'-N' is not of the form --name=value" in block.text


# As a job of its own -----------------------------------------------------------------------------


def submitted(launch, *words, **variables):
    """Submit a launch; return its job id."""
    program = launch.folder / "launch_slurm"
    program.write_text(f'#!/bin/sh\nexec {sys.executable} -m segue.cli.launch_slurm "$@"\n')
    program.chmod(0o755)
    done = subprocess.run(
        [*SUBMIT_LAUNCH, program, *launch.words(*words, local=False)[3:]],
        cwd=launch.folder,
        env=launch.segue.environment | variables,
        capture_output=True,
        text=True,
        check=True,
    )
    return re.fullmatch(r"Submitted batch job (\d+)\n", done.stdout)[1]


def test_a_launch_runs_as_a_job_of_one_core_with_its_own_ticket(launch):
    launch.scripted("self.report(os.environ['KRB5CCNAME'])")
    launch.dag(ONE % "")
    (launch.folder / "ticket").write_bytes(b"a ticket")

    job_id = submitted(
        launch, "-W", "flow.dag", "--partition=short",
        KRB5CCNAME=f"FILE:{launch.folder}/ticket", HOME=str(launch.folder),
    )  # fmt: skip
    log = launch.folder / f"slurm-{job_id}.out"
    wait_until(lambda: log.exists() and "Exiting after" in log.read_text(), "the launch ends")

    text = log.read_text()
    assert text.endswith("Exiting after workflow completed successfully.\n")
    cache = re.search(r"FILE:(\S+/\.tmp_cache/kerbcache_[0-9a-f]{16})\n", text)[1]
    assert (shown(job_id)["Partition"], shown(job_id)["NumCPUs"]) == ("short", "1")
    wait_until(lambda: state_of(job_id) == "COMPLETED", "its job ends")
    assert not os.path.exists(cache)


def test_cancelling_the_job_of_a_launch_cancels_its_steps(launch):
    gate = launch.gate()
    launch.scripted(f"subprocess.run(['/bin/sh', '-c', {gate.script()!r}])")
    launch.dag(HELD)
    job_id = submitted(launch, "-W", "flow.dag")
    pid = gate.wait()

    subprocess.run(["scancel", job_id], check=True)

    wait_for_death(pid)
    wait_until(lambda: launch.segue.json("status")["state"] == "cancelled", "the run is cancelled")
    assert set(launch.segue.states().values()) == {"cancelled"}
