"""A runner that is stopped, killed and started again: nothing is lost, and nothing runs twice."""

import os
import shutil
import signal
import subprocess

from daemons import Gate
from places import wait_for_death
from served import LIMIT_S, wait_until

from segue.model.states import Cause


def test_a_runner_that_is_killed_adopts_what_runs_and_knows_what_has_ended(daemon):
    running, ending = Gate(daemon.folder, "running"), Gate(daemon.folder, "ending")
    daemon.put("run-1.0.1", running.script("echo done; exit 7"))
    daemon.put("run-1.1.1", ending.script("exit 5"))
    daemon.put("run-1.2.1", "exit 4")
    daemon.end_of("run-1.2.1")
    before = daemon.wait_for("run-1.0.1", "running")
    daemon.wait_for("run-1.1.1", "running")
    boot_id = daemon.capacity()["boot_id"]

    daemon.end()
    pids = ending.wait()
    ending.open()
    wait_for_death(*pids)
    daemon.start()

    assert daemon.capacity()["boot_id"] != boot_id
    assert daemon.end_of("run-1.1.1").exit_code == 5
    assert daemon.end_of("run-1.2.1").exit_code == 4
    after = daemon.wait_for("run-1.0.1", "running")
    assert (after.job_id, after.started_at) == (before.job_id, before.started_at)
    assert daemon.free()["cores"] == 3
    daemon.put("run-1.0.1", running.script("echo done; exit 7"), status=200)
    running.open()
    assert daemon.end_of("run-1.0.1").exit_code == 7
    assert daemon.output("run-1.0.1") == b"done\n"
    assert len(running.wait()) == len(ending.wait()) == 1
    assert {told.name for told in daemon.changes().tasks} == {f"run-1.{n}.1" for n in range(3)}


def test_a_runner_that_is_killed_again_and_again_runs_each_job_once(daemon):
    ran = daemon.folder / "ran"
    names = [f"run-1.{number}.1" for number in range(12)]
    for round_number in range(4):
        for number in range(3):
            name = names[3 * round_number + number]
            daemon.put(name, f"echo {name} >> {ran}; sleep 0.1", needs={})
        daemon.end()
        daemon.start()

    ends = {name: daemon.end_of(name) for name in names}

    assert {end.cause for end in ends.values()} == {None}
    assert sorted(ran.read_text().split()) == sorted(names)
    assert daemon.ack(*names) == len(names)


def test_an_order_that_was_kept_and_not_begun_is_begun_by_the_next_runner(daemon):
    # Its keeper never heard of it: as if the runner had died between the two.
    daemon.put("run-1.0.1", "echo hello")
    daemon.end_of("run-1.0.1")
    daemon.end(signal.SIGTERM)
    for pid in daemon.keepers():
        wait_for_death(pid)
    job = daemon.spool / "jobs" / "run-1.0.1"
    (job / "end").unlink()
    shutil.rmtree(daemon.spool / "keepers")

    daemon.start()

    assert daemon.end_of("run-1.0.1").cause is None
    assert daemon.output("run-1.0.1") == b"hello\n"


def test_an_order_whose_engine_has_given_it_up_is_not_begun(daemon):
    daemon.put("run-1.0.1", "true", lease_s=0.5)
    daemon.end_of("run-1.0.1")
    daemon.end(signal.SIGTERM)
    shutil.rmtree(daemon.spool / "keepers")
    job = daemon.spool / "jobs" / "run-1.0.1"
    (job / "end").unlink()
    written = (job / "order").stat().st_mtime
    wait_until(lambda: _now() > written + 1, "the lease is over")

    daemon.start()

    assert daemon.wait_for("run-1.0.1", "returned").end is None
    assert daemon.free()["cores"] == 4
    # It stays so, until somebody hands it over again.
    daemon.end()
    daemon.start()
    assert daemon.told("run-1.0.1").state == "returned"
    daemon.put("run-1.0.1", "true")
    assert daemon.end_of("run-1.0.1").cause is None


def _now():
    return float(subprocess.run(["date", "+%s.%N"], capture_output=True, check=True).stdout)


def test_the_new_owner_of_a_job_is_known_after_a_restart(daemon):
    daemon.put("run-1.0.1")
    daemon.end_of("run-1.0.1")
    daemon.find("run-1.0.1", owner="engine-2")

    daemon.end()
    daemon.start()

    assert [told.name for told in daemon.changes(owner="engine-2").tasks] == ["run-1.0.1"]
    assert not daemon.changes().tasks


def test_a_job_that_was_being_stopped_when_the_runner_died_is_stopped(daemon):
    gate = Gate(daemon.folder)
    daemon.put("run-1.0.1", gate.script())
    gate.wait()
    daemon.end()
    # As if it had died between writing this down and doing it.
    (daemon.spool / "jobs" / "run-1.0.1" / "stop").write_text('["cancelled", ""]')

    daemon.start()

    assert daemon.end_of("run-1.0.1").cause is Cause.CANCELLED
    assert not daemon.processes()


def test_a_job_whose_keeper_was_killed_is_lost_and_nothing_of_it_is_left(daemon):
    gate = Gate(daemon.folder)
    daemon.put("run-1.0.1", gate.script())
    (pid,) = gate.wait()

    for keeper in daemon.keepers():
        os.kill(keeper, signal.SIGKILL)

    assert daemon.end_of("run-1.0.1").cause is Cause.LOST
    wait_for_death(pid)
    daemon.put("run-1.1.1", "exit 3")
    assert daemon.end_of("run-1.1.1").exit_code == 3


def test_a_runner_that_is_asked_to_end_lets_its_jobs_go_on(daemon):
    gate = Gate(daemon.folder)
    daemon.put("run-1.0.1", gate.script("exit 9"))
    (pid,) = gate.wait()

    assert daemon.end(signal.SIGTERM) == 0

    assert "Traceback" not in daemon.said()
    assert os.path.exists(f"/proc/{pid}")
    daemon.start()
    gate.open()
    assert daemon.end_of("run-1.0.1").exit_code == 9
    assert daemon.end(signal.SIGINT) == 0


def test_a_spool_has_one_runner(daemon):
    second = subprocess.run(
        [*daemon.program],
        capture_output=True,
        text=True,
        timeout=LIMIT_S,
        check=False,
        env=daemon.environment,
    )

    assert second.returncode == 2
    assert "another runner uses the spool" in second.stderr
    assert "--spool" in second.stderr
    assert daemon.client.get("/ready").status_code == 200


def test_what_cannot_be_written_down_is_not_taken(daemon):
    jobs = daemon.spool / "jobs"
    jobs.rename(daemon.spool / "away")

    refused = daemon.put("run-1.0.1", "true", status=503)

    assert refused["code"] == "cannot_store"
    assert daemon.told("run-1.0.1") is None
    (daemon.spool / "away").rename(jobs)
    assert daemon.free()["cores"] == 4
    daemon.put("run-1.0.1", "exit 3")
    assert daemon.end_of("run-1.0.1").exit_code == 3
