"""The routes of a runner, over real HTTP: orders, changes, output, ends."""

import os
import threading

import httpx
import pytest
from daemons import Gate, argv
from served import LIMIT_S, wait_until

from segue import __version__
from segue.model.states import Cause


def test_a_runner_says_what_it_has(daemons):
    daemon = daemons("here", "--cores", 3, "--memory-mb", 500, "--resource", "gpus=2")

    said = daemon.capacity()

    assert said["total"] == said["free"] == {"cores": 3, "memory_mb": 500, "gpus": 2}
    assert said["hostname"] == os.uname().nodename
    assert (said["version"], said["enforced"], said["running"]) == (__version__, True, 0)
    assert daemon.client.get("/ready").json() == {"ready": True}
    assert daemon.client.get("/v1/capacity").json() == {"cores": 3, "memory_mb": 500}


def test_a_job_is_taken_runs_and_ends(daemon):
    gate = Gate(daemon.folder)
    daemon.put("run-1.0.1", gate.script("echo out; echo err >&2; exit 3"), needs={"cores": 2})
    running = daemon.wait_for("run-1.0.1", "running")
    assert daemon.free()["cores"] == 2
    assert daemon.capacity()["running"] == 1

    gate.open()
    told = daemon.wait_for("run-1.0.1", "ended")

    assert (told.end.cause, told.end.exit_code) == (Cause.EXIT_CODE, 3)
    assert told.started_at == running.started_at
    assert told.job_id == running.job_id != ""
    assert (told.stdout_bytes, told.stderr_bytes) == (4, 4)
    assert daemon.output("run-1.0.1") == b"out\n"
    assert daemon.output("run-1.0.1", "stderr") == b"err\n"
    assert daemon.free()["cores"] == 4


def test_handing_over_twice_is_harmless(daemon):
    gate = Gate(daemon.folder)
    daemon.put("run-1.0.1", gate.script())
    gate.wait()

    daemon.put("run-1.0.1", gate.script(), status=200)

    gate.open()
    assert daemon.end_of("run-1.0.1").cause is None
    daemon.put("run-1.0.1", gate.script(), status=200)
    assert len(gate.wait()) == 1
    assert daemon.free()["cores"] == 4


def test_another_job_of_the_same_name_is_refused(daemon):
    daemon.put("run-1.0.1", "true")

    refused = daemon.put("run-1.0.1", "false", status=422)

    assert refused["code"] == "bad_job"
    assert "another job" in refused["message"]


def test_what_does_not_fit_is_not_taken(daemon):
    gate = Gate(daemon.folder)
    daemon.put("run-1.0.1", gate.script(), needs={"cores": 3, "memory_mb": 10})

    later = daemon.put("run-1.1.1", needs={"cores": 2}, status=409)
    never = daemon.put("run-1.2.1", needs={"cores": 5}, status=422)
    nowhere = daemon.put("run-1.3.1", needs={"gpus": 1}, status=422)

    assert later["code"] == "insufficient_capacity"
    assert (never["code"], nowhere["code"]) == ("too_large", "too_large")
    assert "cores 5" in never["message"]
    assert "cores 4" in never["hint"]
    assert daemon.told("run-1.1.1") is None
    gate.open()
    daemon.end_of("run-1.0.1")
    daemon.put("run-1.1.1", needs={"cores": 2})


def test_who_waits_hears_at_once(daemon):
    gate = Gate(daemon.folder)
    daemon.put("run-1.0.1", gate.script())
    daemon.wait_for("run-1.0.1", "running")
    number = daemon.changes().number
    heard = []
    waiting = threading.Thread(target=lambda: heard.append(ask(daemon, number)))
    waiting.start()

    gate.open()
    waiting.join(LIMIT_S)

    (told,) = heard[0]["tasks"]
    assert told["state"] == "ended"
    assert heard[0]["number"] > number


def ask(daemon, after, owner="engine-1", wait=LIMIT_S):
    query = {"owner": owner, "after": after, "wait": wait}
    return httpx.get(
        f"{daemon.url}/api/v1/tasks", params=query, timeout=2 * LIMIT_S, trust_env=False
    ).json()


def test_many_wait_and_nobody_else_is_kept_waiting(daemon):
    daemon.put("run-1.0.1", Gate(daemon.folder).script())
    daemon.wait_for("run-1.0.1", "running")
    number = daemon.changes().number
    waiting = [threading.Thread(target=ask, args=(daemon, number)) for _ in range(40)]
    for each in waiting:
        each.start()

    assert daemon.told("run-1.0.1").state == "running"
    assert daemon.stop("run-1.0.1") == 202

    for each in waiting:
        each.join(LIMIT_S)
    assert not any(each.is_alive() for each in waiting)


def test_room_that_another_engine_frees_is_heard(daemon):
    gate = Gate(daemon.folder)
    daemon.put("run-1.0.1", gate.script(), needs={"cores": 4})
    daemon.wait_for("run-1.0.1", "running")
    heard = []
    waiting = threading.Thread(target=lambda: heard.append(ask(daemon, 0, "engine-2")))
    waiting.start()
    gate.wait()

    gate.open()
    waiting.join(LIMIT_S)

    assert heard[0]["tasks"] == []
    assert heard[0]["capacity"]["free"]["cores"] == 4


def test_each_owner_hears_of_its_own_jobs_and_may_take_over_those_of_another(daemon):
    daemon.put("run-1.0.1")
    daemon.put("run-2.0.1", owner="engine-2")
    daemon.end_of("run-1.0.1")
    daemon.end_of("run-2.0.1")
    assert {told.name for told in daemon.changes().tasks} == {"run-1.0.1"}

    found = daemon.find("run-1.0.1", "run-9.0.1", owner="engine-2")

    assert found.keys() == {"run-1.0.1"}
    both = daemon.changes(owner="engine-2")
    assert {told.name for told in both.tasks} == {"run-1.0.1", "run-2.0.1"}
    assert not daemon.changes().tasks
    assert not daemon.changes(both.number, owner="engine-2").tasks


def test_a_number_of_an_earlier_life_is_taken_for_none(daemon):
    daemon.put("run-1.0.1")
    daemon.end_of("run-1.0.1")

    assert len(daemon.changes(after=10**6).tasks) == 1


def test_output_is_read_from_anywhere_while_it_grows(daemon):
    gate = Gate(daemon.folder)
    daemon.put("run-1.0.1", f"printf 'a\\000b\\377'; {gate.script('printf more')}")
    gate.wait()

    assert daemon.output("run-1.0.1") == b"a\0b\xff"
    assert daemon.output("run-1.0.1", offset=2, limit=1) == b"b"
    assert daemon.output("run-1.0.1", offset=4) == b""
    assert daemon.told("run-1.0.1").stdout_bytes == 4

    gate.open()
    daemon.end_of("run-1.0.1")
    assert daemon.output("run-1.0.1", offset=4) == b"more"
    assert daemon.output("run-1.0.1", offset=10**15) == b""


def test_ten_mebibytes_of_anything_come_through(daemon):
    content = os.urandom(10 * 2**20)
    (daemon.folder / "content").write_bytes(content)
    daemon.put("run-1.0.1", f"cat {daemon.folder}/content")
    size = daemon.wait_for("run-1.0.1", "ended").stdout_bytes

    got = b""
    while piece := daemon.output("run-1.0.1", offset=len(got)):
        got += piece

    assert size == len(content)
    assert got == content


def test_output_that_was_replaced_by_a_link_or_a_pipe_is_not_followed(daemon):
    secret = daemon.folder / "secret"
    secret.write_text("secret")
    attempt = f"{daemon.spool}/jobs/run-1.0.1/attempt"
    replaced = f"ln -sf {secret} {attempt}/stdout; rm {attempt}/stderr; mkfifo {attempt}/stderr"
    daemon.put("run-1.0.1", replaced)
    daemon.end_of("run-1.0.1")

    assert daemon.output("run-1.0.1") == b""
    assert daemon.output("run-1.0.1", "stderr") == b""


def test_what_is_acknowledged_is_forgotten_with_its_folder(daemon):
    gate = Gate(daemon.folder)
    daemon.put("run-1.0.1")
    daemon.put("run-1.1.1", gate.script())
    daemon.end_of("run-1.0.1")
    gate.wait()

    assert daemon.ack("run-1.0.1", "run-1.1.1", "run-7.0.1") == 1

    assert daemon.told("run-1.0.1") is None
    assert os.listdir(daemon.spool / "jobs") == ["run-1.1.1"]
    daemon.wait_for("run-1.1.1", "running")
    # An order that was long on its way does not run it again.
    assert daemon.put("run-1.0.1", status=422)["code"] == "bad_job"


def test_a_job_is_stopped_with_all_that_it_started(daemon):
    gate = Gate(daemon.folder)
    daemon.put("run-1.0.1", f"setsid sleep 600 & sleep 600 & {gate.script()}")
    gate.wait()
    wait_until(lambda: len(daemon.processes()) >= 3, "its children run")

    assert daemon.stop("run-1.0.1") == 202

    assert daemon.end_of("run-1.0.1").cause is Cause.CANCELLED
    assert not daemon.processes()
    assert daemon.stop("run-1.0.1") == 202
    assert daemon.stop("run-7.0.1") == 404


def test_a_job_gets_its_folder_variables_time_and_names_of_output(daemon):
    daemon.put(
        "run-1.0.1",
        "pwd; echo $COLOUR $SEGUE_RUN ${HOME-none}",
        workdir=str(daemon.folder / "new" / "folder"),
        environment={"COLOUR": "red", "HOME": None},
        output=["out.{job_id}", "err"],
    )
    daemon.put("run-1.1.1", "sleep 600", timeout_s=0.2)
    end = daemon.end_of("run-1.0.1")

    assert end.cause is None
    said = f"{daemon.folder}/new/folder\nred run-1 none\n"
    assert daemon.output("run-1.0.1").decode() == said
    pid = end.job_id.rpartition(":")[2]
    assert (daemon.folder / "new" / "folder" / f"out.{pid}").read_text() == said
    assert daemon.end_of("run-1.1.1").cause is Cause.TIMED_OUT


def test_a_script_runs_under_its_name(daemon):
    action = {"kind": "script", "text": "#!/bin/sh\necho $0\n", "file": "make.sh"}
    daemon.put("run-1.0.1", action)
    daemon.end_of("run-1.0.1")

    assert daemon.output("run-1.0.1").decode() == f"{daemon.work}/make.sh\n"


@pytest.mark.parametrize(
    ("action", "workdir", "said"),
    [
        (argv("true"), "/proc/nowhere/at/all", "working directory"),
        (argv("no-such-program"), "/tmp", "no-such-program"),
        ({"kind": "container", "image": "image:1"}, "/tmp", "runs no containers"),
    ],
)
def test_what_cannot_begin_is_refused_with_the_name_of_the_host(daemon, action, workdir, said):
    daemon.put("run-1.0.1", action, workdir=workdir)

    end = daemon.end_of("run-1.0.1")

    assert end.cause is Cause.REFUSED
    assert os.uname().nodename in end.message
    assert said in end.message
    assert daemon.free()["cores"] == 4


def test_two_engines_that_race_for_the_last_core_get_it_once(daemons):
    daemon = daemons("small", "--cores", 2)
    gate = Gate(daemon.folder)
    begin = threading.Barrier(8)
    answers = []

    def give(number):
        order = daemon.order(gate.script(), owner=f"engine-{number % 2}")
        with httpx.Client(base_url=daemon.url, timeout=LIMIT_S, trust_env=False) as client:
            client.get("/ready")
            begin.wait(LIMIT_S)
            answer = client.put(f"/api/v1/tasks/run-1.{number}.1", json=order)
        answers.append(answer.status_code)

    racing = [threading.Thread(target=give, args=(number,)) for number in range(8)]
    for each in racing:
        each.start()
    for each in racing:
        each.join(LIMIT_S)

    assert sorted(answers) == [202] * 2 + [409] * 6
    assert daemon.capacity()["running"] == 2
    wait_until(lambda: len(gate.wait()) == 2, "both run")


def test_one_job_handed_over_by_many_at_once_runs_once(daemon):
    gate = Gate(daemon.folder)
    begin = threading.Barrier(8)
    answers = []

    def give():
        with httpx.Client(base_url=daemon.url, timeout=LIMIT_S, trust_env=False) as client:
            begin.wait(LIMIT_S)
            order = daemon.order(gate.script())
            answers.append(client.put("/api/v1/tasks/run-1.0.1", json=order).status_code)

    racing = [threading.Thread(target=give) for _ in range(8)]
    for each in racing:
        each.start()
    for each in racing:
        each.join(LIMIT_S)

    assert sorted(answers) == [200] * 7 + [202]
    gate.wait()
    gate.open()
    daemon.end_of("run-1.0.1")
    assert len(gate.wait()) == 1
