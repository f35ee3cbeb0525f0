"""Tasks, places and stores that misbehave: a clear error or a correct result, and it goes on."""

import contextlib
import os
import signal
import sqlite3
import subprocess
from pathlib import Path

import pytest
from chaos import all_pids, daggy, mounted, proc, shell, tasks_of, wait_until


def ends(status):
    """What became of each task: state, cause, exit code, signal of its last attempt."""
    found = {}
    for name, task in tasks_of(status).items():
        last = task["attempts"][-1]
        found[name] = (task["state"], task["cause"], last["exit_code"], last["signal"])
    return found


def only_task(status, name):
    return tasks_of(status)[name]["attempts"][-1]


# What tasks print --------------------------------------------------------------------


def test_ten_mebibytes_of_random_bytes_are_kept_and_shown_as_they_are(place):
    content = daggy(noise="head -c 10485760 /dev/urandom | tee copy; head -c 99999 copy >&2")
    content["tasks"]["noise"]["job"]["workDir"] = str(place.folder)

    status = place.run(content).json

    noise = (place.folder / "copy").read_bytes()
    assert len(noise) == 10 * 2**20
    attempt = only_task(status, "noise")
    assert Path(attempt["stdout"]).read_bytes() == noise
    assert Path(attempt["stderr"]).read_bytes() == noise[:99999]
    # Its standard error comes out of ours, so nothing of it stands in between.
    assert place.segue("logs", status["run"], "noise").stdout == noise


def test_a_million_lines_are_kept(place):
    status = place.run(daggy(lines="seq 1000000")).json

    expected = "".join(f"{number}\n" for number in range(1, 1_000_001)).encode()
    assert Path(only_task(status, "lines")["stdout"]).read_bytes() == expected
    assert place.segue("logs", status["run"], "lines").stdout == expected


# How tasks end -----------------------------------------------------------------------


def test_a_task_ends_with_its_own_process_whatever_holds_its_output(place):
    content = daggy(
        daemon="setsid sleep 55 & exit 3",
        background="sleep 55 & exit 0",
        deaf="exec <&- >&- 2>&-; exit 4",
        shot="kill -SEGV $$",
        stopped="(sleep 0.2; kill -CONT $$) & kill -STOP $$; exit 6",
    )

    answer = place.run(content, limit_s=20)

    assert ends(answer.json) == {
        "daemon": ("failed", "exit_code", 3, None),
        "background": ("succeeded", None, 0, None),
        "deaf": ("failed", "exit_code", 4, None),
        "shot": ("failed", "signal", None, signal.SIGSEGV),
        "stopped": ("failed", "exit_code", 6, None),
    }
    assert answer.took_s < 20


def test_what_cannot_be_started_is_refused_in_words_and_the_rest_goes_on(place):
    (place.folder / "text").write_text("no program")
    (place.folder / "text").chmod(0o755)
    (place.folder / "lost").write_text("#!/no/such/shell\n")
    (place.folder / "lost").chmod(0o755)
    commands = {
        "missing": ["/no/such/program"],
        "unknown": ["no-such-program"],
        "folder": ["/"],
        "text": [str(place.folder / "text")],
        "lost": [str(place.folder / "lost")],
        "unfit": ["/etc/passwd"],
        "huge": ["/bin/echo", *["x" * 100_000] * 30],
    }
    content = {"tasks": {name: {"job": {"command": each}} for name, each in commands.items()}}
    content["tasks"]["good"] = shell("exit 0")

    answer = place.run(content)

    tasks = tasks_of(answer.json)
    assert tasks.pop("good")["state"] == "succeeded"
    for task in tasks.values():
        (attempt,) = task["attempts"]
        assert (task["state"], task["cause"]) == ("failed", "refused"), task
        assert attempt["message"]
        assert len(attempt["message"]) < 500
    assert "Traceback" not in answer.stderr


@pytest.mark.slow
def test_a_task_that_ignores_term_is_killed_with_all_it_has_started(place):
    deaf = "trap '' TERM; echo $$; sleep 300 & setsid sleep 300 & while :; do sleep 1; done"
    content = daggy(timed=deaf, asked=deaf)
    content["tasks"]["timed"]["job"]["timeout"] = 1
    engine = place.start("run", place.file(content), "--workspace", place.workspace)
    run = place.wait_for_run()
    place.wait_for_task(run, "asked", "running")

    place.segue("cancel", run, "asked")

    assert engine.end().code == 1
    status = place.status(run)
    assert ends(status)["timed"][:2] == ("failed", "timed_out")
    assert ends(status)["asked"][:2] == ("cancelled", "cancelled")
    assert not place.task_processes(run)


def test_a_cancelled_run_leaves_none_of_fifty_grandchildren_behind(place):
    children = """
for n in $(seq 25); do sleep 300 & done
for n in $(seq 15); do setsid sleep 300 & done
for n in $(seq 10); do (sh -c 'sleep 300; true' &) ; done
touch ready
wait
"""
    content = daggy(parent=children)
    content["tasks"]["parent"]["job"]["workDir"] = str(place.folder)
    engine = place.start("run", place.file(content), "--workspace", place.workspace)
    wait_until((place.folder / "ready").exists, "all children have been started")
    run = place.wait_for_run()
    assert len(place.task_processes(run)) >= 50

    place.segue("cancel", run)

    assert engine.end().code == 130
    assert not place.task_processes(run)


# Where tasks run ---------------------------------------------------------------------


def test_environment_values_arrive_byte_for_byte(place):
    value = "one\ntwo\n\n\tthree = 'four' \"five\" $SIX `seven` \\n é 😀 \x1b[0m"
    content = daggy(tell='printf %s "$VALUE"; printf %s "$LONG" | wc -c >&2')
    content["tasks"]["tell"]["job"]["environment"] = {"VALUE": value, "LONG": "x" * 100_000}

    status = place.run(content).json

    attempt = only_task(status, "tell")
    assert Path(attempt["stdout"]).read_text() == value
    assert Path(attempt["stderr"]).read_text().strip() == "100000"


def test_a_working_directory_may_vanish(place):
    folder = place.folder / "work"
    (place.folder / "file").touch()
    content = daggy(
        vanish="rm -rf ../work; exit 7", after="pwd; exit 8", again="pwd", under="true", loop="true"
    )
    (place.folder / "loop").symlink_to("loop")
    for name in ("vanish", "after", "again"):
        content["tasks"][name]["job"]["workDir"] = str(folder)
    content["tasks"]["under"]["job"]["workDir"] = str(place.folder / "file" / "x")
    content["tasks"]["loop"]["job"]["workDir"] = str(place.folder / "loop" / "x")

    status = place.run(content, "-j", "1").json

    assert ends(status)["vanish"] == ("failed", "exit_code", 7, None)
    assert ends(status)["after"] == ("failed", "exit_code", 8, None)
    assert Path(only_task(status, "again")["stdout"]).read_text() == f"{folder}\n"
    for name in ("under", "loop"):
        assert ends(status)[name][:2] == ("failed", "refused")
        assert "cannot enter the working directory" in only_task(status, name)["message"]


@pytest.mark.parametrize("workspace", ["{folder}/file/x", "{folder}/file", "/proc/nothing"])
def test_a_workspace_that_cannot_be_is_refused(place, workspace):
    (place.folder / "file").touch()
    file = place.file(daggy(one="true"))

    answer = place.segue(
        "run", file, "--workspace", workspace.format(folder=place.folder)
    ).refused()

    assert "the workspace" in answer
    assert "--workspace DIR" in answer
    assert not place.newest_run()


def test_a_workspace_that_cannot_be_written_is_refused(place, tmp_path):
    with mounted(tmp_path / "disk", "1m") as disk:
        (disk / "there").mkdir()
        subprocess.run(["mount", "-o", "remount,ro", disk], check=True)
        file = place.file(daggy(one="true"))

        for workspace in (disk / "there", disk / "new"):
            text = place.segue("run", file, "--workspace", workspace).refused()
            assert "--workspace DIR" in text
        assert not place.newest_run()


def test_a_workspace_that_becomes_read_only_fails_its_tasks_in_words(place, tmp_path):
    with mounted(tmp_path / "disk", "1m") as disk:
        os.mkfifo(place.folder / "gate")
        content = daggy(first=f"read x < {place.folder}/gate", second="true")
        content["tasks"]["second"]["parents"] = ["first"]
        engine = place.start("run", place.file(content), "--workspace", disk / "work")
        run = place.wait_for_run()
        place.wait_for_task(run, "first", "running")
        # The disk itself is busy, since a task has its output open; a mount above it is not.
        with contextlib.ExitStack() as stack:
            stack.callback(subprocess.run, ["umount", disk / "work"], check=False)
            subprocess.run(["mount", "--bind", disk / "work", disk / "work"], check=True)
            subprocess.run(["mount", "-o", "remount,bind,ro", disk / "work"], check=True)
            (place.folder / "gate").write_text("go\n")

            assert engine.end().code == 1

        last = only_task(place.status(run), "second")
        assert last["cause"] == "refused"
        assert "Read-only file system" in last["message"]


# The store ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("store", "expected"),
    [
        ("{folder}/text", "is not a database"),
        ("{folder}", "unable to open"),
        ("{folder}/text/x.db", "cannot be made"),
        ("/proc/x/y.db", "cannot be made"),
        ("/dev/null", ""),
    ],
)
def test_a_store_that_cannot_be_is_refused(place, store, expected):
    (place.folder / "text").write_text("no database at all\n" * 100)
    file = place.file(daggy(one="true"))
    place.store = Path(store.format(folder=place.folder))

    for command in (["run", file], ["runs"], ["status"], ["resume", "x"]):
        text = place.segue(*command).refused(3)
        assert expected in text
        assert "hint: " in text


@pytest.fixture
def gated(place):
    """A run whose first task waits for its gate; then some more follow."""
    gate = place.folder / "gate"
    os.mkfifo(gate)
    content = daggy(first=f"read x < {gate}")
    log = place.folder / "log"
    for number in range(10):
        command = f"echo {number} >> {log}; exit {number}"
        content["tasks"][f"t{number}"] = shell(command, parents=["first"])
    engine = place.start("run", place.file(content), "--workspace", place.workspace, "--json")
    run = place.wait_for_run()
    place.wait_for_task(run, "first", "running")
    return place, run, engine, gate, log


def check_all_ran_once(status, log):
    assert sorted(log.read_text().split()) == [str(number) for number in range(10)]
    codes = {name: end[2] for name, end in ends(status).items()}
    assert codes == {"first": 0} | {f"t{number}": number for number in range(10)}


def test_a_store_that_another_process_holds_for_long(gated):
    place, run, engine, gate, log = gated
    with contextlib.closing(sqlite3.connect(place.store)) as other:
        other.execute("BEGIN EXCLUSIVE")
        gate.write_text("go\n")
        assert place.status(run)["state"] == "running", "the store can be read meanwhile"
        assert engine.lives_for(3.0)
        other.execute("ROLLBACK")

    assert engine.end().code == 1
    check_all_ran_once(place.status(run), log)


def test_a_store_whose_file_is_deleted_under_the_engine(gated):
    """What is deleted is gone; the engine still ends the run, and says how."""
    place, run, engine, gate, log = gated
    for path in place.folder.glob("segue.db*"):
        if path.is_file():
            path.unlink()

    gate.write_text("go\n")

    ended = engine.end()
    assert "Traceback" not in ended.stderr
    assert ended.code == 1
    check_all_ran_once(ended.json, log)
    assert "there is no run" in place.segue("status", run).refused()


def overwrite(path):
    with path.open("r+b") as file:
        file.write(b"garbage!" * (path.stat().st_size // 8))


HARM = {
    "database overwritten": (overwrite, ["segue.db"]),
    "journal overwritten": (overwrite, ["segue.db-wal"]),
    "both overwritten": (overwrite, ["segue.db", "segue.db-wal"]),
    "database emptied": (lambda path: os.truncate(path, 0), ["segue.db"]),
    "database cut": (lambda path: os.truncate(path, 5000), ["segue.db"]),
    "journal emptied": (lambda path: os.truncate(path, 0), ["segue.db-wal"]),
    "journal deleted": (Path.unlink, ["segue.db-wal"]),
}


@pytest.mark.parametrize("harm", HARM)
def test_a_store_that_is_harmed_under_the_engine(gated, harm):
    """The engine ends the run from what it knows, or says what is wrong and leaves when told."""
    place, run, engine, gate, log = gated
    do, names = HARM[harm]
    for name in names:
        do(place.folder / name)

    gate.write_text("go\n")
    wait_until(lambda: "failed: " in engine.said or engine.process.poll() is not None, "its word")
    engine.send(signal.SIGTERM)

    ended = engine.end()
    assert "Traceback" not in ended.stderr, ended.stderr
    if ended.code == 1:
        check_all_ran_once(ended.json, log)
    else:
        assert ended.code == 3, ended
        assert "hint: " in ended.stderr
    for command in (["status", run], ["runs"], ["why", run, "first"], ["history", run], ["doctor"]):
        looked = place.segue(*command)
        assert looked.code in (0, 2, 3), looked
        assert "Traceback" not in looked.stderr, looked.stderr


# The clock ---------------------------------------------------------------------------

#: Found by Python at its start, before anything of Segue.
SHIFTED_CLOCK = """
import os, time
real = time.time
def shifted():
    try:
        with open({path!r}) as file:
            return real() + float(file.read() or 0)
    except OSError:
        return real()
time.time = shifted
"""


@pytest.mark.parametrize("jump_s", [3600, -3600, 400 * 86400])
def test_the_clock_may_jump_while_a_run_runs(place, jump_s, monkeypatch):
    clock = place.folder / "clock"
    (place.folder / "sitecustomize.py").write_text(SHIFTED_CLOCK.format(path=str(clock)))
    path = os.pathsep.join([str(place.folder), os.environ.get("PYTHONPATH", "")])
    monkeypatch.setenv("PYTHONPATH", path.rstrip(os.pathsep))
    gate = place.folder / "gate"
    os.mkfifo(gate)
    content = daggy(first=f"read x < {gate}", second="exit 2")
    content["tasks"]["second"] |= {
        "parents": ["first"],
        "maxRetries": 1,
        "retryIntervalSeconds": 0.2,
    }
    engine = place.start("run", place.file(content), "--workspace", place.workspace)
    run = place.wait_for_run()
    place.wait_for_task(run, "first", "running")

    clock.write_text(str(jump_s))
    gate.write_text("go\n")

    assert engine.end().code == 1
    tasks = tasks_of(place.status(run))
    assert [len(tasks[name]["attempts"]) for name in ("first", "second")] == [1, 2]


def test_no_engine_and_no_keeper_stays_when_a_run_has_ended(place):
    place.run(daggy(one="true", two="exit 1"))

    wait_until(lambda: not place.keepers(), "the keeper ends by itself")
    assert not place.held_locks()
    marker = os.fsencode(f"sqlite://{place.store}")
    assert not [pid for pid in all_pids() if marker in proc(pid, "environ") and pid != os.getpid()]
