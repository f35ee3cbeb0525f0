"""Facts, tokens and tags of launches, from a logbook over real HTTP."""

import json

import pytest
from launch_program import SAMPLE
from servers import serving

RUN_TYPE = """\
!LUTE_DAG
- !run_type
  DARK: {task_name: SocketTester, next: []}
  NOT_DARK: {task_name: Tester, next: []}
"""
TAGGED = """\
!LUTE_DAG
task_name: Scripter
next:
- task_name: Scripter
  run_dependent: false
  next: []
"""


#: A Kerberos cache of ada@EXAMPLE.ORG without tickets; one that is no cache crashes curl.
EMPTY_CACHE = bytes.fromhex("0504 0000 00000001 00000001 0000000b") + b"EXAMPLE.ORG\0\0\0\3ada"


@pytest.fixture
def logbook(launch):
    """A logbook that the launches of this test ask, with tokens for whoever holds one."""
    with serving() as server:
        launch.segue.environment["SEGUE_LOGBOOK_URL"] = f"http://{server.address}"
        launch.segue.environment["Authorization"] = "Bearer mine"
        yield server


def says(server, path, value):
    server.answers["GET", f"/TST1/ws/{path}"] = (200, json.dumps({"value": value}))


def run(number, kind="DATA", daq2=True):
    return f"runs/{number}", {"type": kind, "params": {"DAQ/drp/x" if daq2 else "DAQ x": 1}}


@pytest.mark.parametrize(("daq2", "steps"), [(True, 4), (False, 5)])
def test_a_branch_asks_the_logbook(launch, logbook, daq2, steps):
    says(logbook, *run(12, daq2=daq2))
    launch.dag(SAMPLE)

    done = launch("-W", "flow.dag", "--dry-run")

    assert f"{steps} steps with daq2={str(daq2).lower()}, run_type=DATA" in done.out
    assert [each[3]["Authorization"] for each in logbook.heard] == ["Bearer mine"]


def test_a_file_without_branches_asks_nobody(launch, logbook):
    launch.dag("!LUTE_DAG\ntask_name: Tester\nnext: []\n")

    launch("-W", "flow.dag", "--dry-run")

    assert logbook.heard == []


@pytest.mark.parametrize(
    ("words", "variables", "task"),
    [
        ([], {}, "SocketTester"),
        (["--type", "DATA"], {}, "Tester"),
        (["--set", "run_type=DATA"], {}, "Tester"),
        ([], {"SEGUE_FACTS": "run_type=DATA"}, "Tester"),
        (["--set", "run_type=DARK"], {"SEGUE_FACTS": "run_type=DATA"}, "SocketTester"),
    ],
)
def test_what_is_said_wins_over_what_the_logbook_knows(launch, logbook, words, variables, task):
    says(logbook, *run(12, kind="DARK"))
    launch.dag(RUN_TYPE)

    done = launch("-W", "flow.dag", "--dry-run", *words, **variables)

    assert f"\n{task}\n" in done.out


def test_what_nobody_knows_is_an_error_and_a_guess_only_on_request(launch, logbook):
    logbook.answers["GET", "/TST1/ws/runs/12"] = (500, "")
    launch.dag(RUN_TYPE + SAMPLE.removeprefix("!LUTE_DAG\n"))

    refused = launch("-W", "flow.dag", code=2)
    guessed = launch("-W", "flow.dag", "--dry-run", "--guess")

    assert "does not answer: HTTP Error 500" in refused.err
    assert "--set daq2=true" in refused.err
    assert "--set run_type=" in refused.err
    assert "5 steps with daq2=true, run_type=UNKNOWN" in guessed.out


def test_a_token_is_had_for_a_ticket(launch, logbook):
    del launch.segue.environment["Authorization"]
    (launch.folder / "ticket").write_bytes(EMPTY_CACHE)
    token = "generate_arp_token?token_lifetime=480"
    logbook.answers["GET", f"/TST1/ws/{token}"] = (200, json.dumps({"value": "for a ticket"}))
    says(logbook, *run(12))
    launch.dag(SAMPLE)

    launch(*("-W", "flow.dag", "--dry-run"), local=False, KRB5CCNAME=f"FILE:{launch.folder}/ticket")

    assert logbook.heard[-1][3]["Authorization"] == "Bearer for a ticket"


# Many runs -------------------------------------------------------------------------------


@pytest.fixture
def tagged(launch, logbook):
    says(logbook, "get_runs_with_tag?tag=lyso", [7, 3, 5])
    launch.scripted(
        "self.report(' '.join(str(os.environ.get(name)) for name in ('RUN_NUM', 'TAG', 'SAMPLE')))"
    )
    launch.dag(TAGGED)
    return launch


def test_the_runs_of_a_tag_are_one_workflow_with_one_end(tagged):
    done = tagged("-W", "flow.dag", "--tag", "lyso", run=("-e", "TST1"))

    said = [line for line in done.out.splitlines() if line[:1].isdigit() and "steps" not in line]
    assert sorted(said[:3]) == ["3 None None", "5 None None", "7 None None"]
    assert said[3] == "3 lyso None"
    assert "4 steps succeeded [4/4]" in done.out
    runs = {name.split("_")[2] for name in tagged.logs()}
    assert runs == {"r0003", "r0005", "r0007"}


def test_a_sample_is_looked_for_among_all_runs(tagged, logbook):
    says(logbook, "runs", [{"num": 4, "sample": "s1"}, {"num": 9, "sample": "other"}])

    done = tagged("-W", "flow.dag", "--sample", "s1", run=("-e", "TST1"))

    assert "4 None s1" in done.out
    assert "2 steps succeeded [2/2]" in done.out


def test_the_run_of_the_logbooks_job_is_not_taken_for_all_runs(tagged):
    done = tagged(*("-W", "flow.dag", "--tag", "lyso"), run=(), EXPERIMENT="TST1", RUN_NUM="99")

    assert "7 None None" in done.out
    assert "_r0099_" not in "".join(tagged.logs())


def test_a_tag_without_runs_is_told(launch, logbook):
    says(logbook, "get_runs_with_tag?tag=none", [])
    launch.dag(TAGGED)

    done = launch("-W", "flow.dag", "--tag", "none", run=("-e", "TST1"), code=2)

    assert "has no run of the tag 'none'" in done.err


def test_runs_that_differ_in_a_fact_are_not_one_workflow(launch, logbook):
    says(logbook, "get_runs_with_tag?tag=mixed", [1, 2])
    says(logbook, *run(1, kind="DARK"))
    says(logbook, *run(2, kind="DATA"))
    launch.dag(RUN_TYPE)

    done = launch("-W", "flow.dag", "--tag", "mixed", run=("-e", "TST1"), code=2)

    assert "the runs differ in run_type: it is 'DARK' for run 1, and 'DATA' for run 2" in done.err


def test_so_many_runs_are_worked_on_at_once(launch, logbook):
    says(logbook, "get_runs_with_tag?tag=lyso", [1, 2])
    gate = launch.gate()
    launch.scripted(f"subprocess.run(['/bin/sh', '-c', {gate.script()!r}])")
    launch.dag("!LUTE_DAG\ntask_name: Scripter\nnext: []\n")

    words = ("-W", "flow.dag", "--tag", "lyso", "--max-concurrent-runs", "1", "-j", "2")
    launched = launch.start(*words, run=("-e", "TST1"))
    gate.wait()
    waiting = launch.segue.states()
    gate.open(2)

    assert waiting == {"Scripter@r0001": "running", "Scripter@r0002": "waiting"}
    assert launched.end() == 0


def test_a_dry_run_says_which_run_another_waits_for(launch, logbook):
    says(logbook, "get_runs_with_tag?tag=lyso", [1, 2])
    launch.dag("!LUTE_DAG\ntask_name: Tester\nnext: []\n")

    words = ("-W", "flow.dag", "--tag", "lyso", "--max-concurrent-runs", "1", "--dry-run")
    done = launch(*words, run=("-e", "TST1"))

    (line,) = (line for line in done.out.splitlines() if line.startswith("Tester@r0002"))
    assert line.split(maxsplit=2)[2] == "r0001 has ended"
