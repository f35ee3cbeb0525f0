"""Managed Tasks of several ranks, with a real MPI."""

import signal

import pytest
from lute_job import job_in, lives

THREE_CORES = {"SLURM_NPROCS": "3"}
WAITS = """
from world import Barrier, Get_rank
os.write(1, b"%d\\n" % os.getpid())
{0}
Barrier()
"""


@pytest.fixture
def job(tmp_path, mpi):
    job = job_in(tmp_path)
    job.environment |= mpi
    return job


def test_each_rank_says_where_it_runs_and_one_core_is_the_executors(job):
    code, output = job.run("MultiNodeCommunicationTester", {}, **THREE_CORES)

    assert code == 0, output
    assert {line[: len("rank 0 of 2")] for line in output.splitlines() if " on " in line} >= {
        "rank 0 of 2",
        "rank 1 of 2",
    }
    assert output.count("warning: there is no section") == 1
    name = "TestMultiNodeCommunication"
    assert job.stored(name) == "COMPLETED"
    assert job.stored(name, "result.summary") == "Heard of 2 ranks."


def test_a_rank_that_fails_ends_those_that_wait_for_it(job):
    text = WAITS.format("if Get_rank(): raise ValueError('rank one gives up')")

    code, output = job.run("Ranker", {"Ranks": {"code": text}}, **THREE_CORES)

    assert code == 255
    assert "ValueError: rank one gives up" in output
    assert job.stored("Ranks") == "FAILED"
    assert not any(lives(line) for line in output.splitlines() if line.isdigit())


def test_ranks_over_their_time_are_stopped(job):
    job.timeout_s = 5
    text = WAITS.format("time.sleep(1000)")

    code, output = job.run("Ranker", {"Ranks": {"code": text}}, **THREE_CORES)

    pids = [line for line in output.splitlines() if line.isdigit()]
    assert (code, len(pids)) == (255, 2), output
    assert not any(map(lives, pids))
    assert job.stored("Ranks") == "TIMEDOUT"


def test_whoever_stops_the_job_stops_all_ranks(job):
    text = WAITS.format("time.sleep(1000)")
    process = job.start("Ranker", {"Ranks": {"code": text}}, **THREE_CORES)
    pids = [process.stdout.readline().strip() for _ in range(2)]

    process.send_signal(signal.SIGTERM)
    output, _ = process.communicate(timeout=30)

    assert process.returncode == 255
    assert "Stopped by SIGTERM." in output
    assert not any(map(lives, pids))
    assert job.stored("Ranks") == "CANCELLED"
