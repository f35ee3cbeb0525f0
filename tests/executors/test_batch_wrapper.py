"""The wrapper on its own, as a batch system starts it."""

import os
import signal
import subprocess
from pathlib import Path

import pytest
from places import alive, pids_of, wait_for_death, wait_for_state

from segue.executors import batch_files
from segue.executors.batch_wrapper import Work, wrapper_text
from segue.executors.slurm_request import SURROUNDINGS


@pytest.fixture
def started(tmp_path):
    """Starts the wrapper of a shell text; whatever is left of it is killed afterwards."""
    processes = []

    def start(text, environment=None, **fields):
        fields.setdefault("workdir", str(tmp_path))
        command = fields.pop("command", ("/bin/bash", "-c", text))
        fields["environment"] = fields.pop("variables", None)
        work = Work(title="t", ticket="7", folder=str(tmp_path), command=command,
                    bell=str(tmp_path / "bell"), **fields)  # fmt: skip
        (tmp_path / "job").write_text(wrapper_text(work, SURROUNDINGS))
        with (tmp_path / "out").open("w") as out, (tmp_path / "err").open("w") as err:
            process = subprocess.Popen(
                ["/bin/bash", str(tmp_path / "job")],
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=err,
                start_new_session=True,
                env=os.environ | {"SLURM_JOB_ID": "71"} | (environment or {}),
            )
        processes.append(process)
        return processes[-1]

    yield start
    for process in processes:
        for pid in session_of(process.pid):
            os.kill(pid, signal.SIGKILL)
        process.wait()


def session_of(leader):
    found = []
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = path.read_text().rsplit(")", 1)[1].split()
        except OSError:
            continue
        if int(fields[3]) == leader and fields[0] != "Z":
            found.append(int(path.parent.name))
    return found


def ended(process, tmp_path):
    """The exit record once the wrapper has ended."""
    process.wait(timeout=30)
    return batch_files.exit_of(str(tmp_path), "7")


@pytest.mark.parametrize("code", [0, 3, 127, 139, 255])
def test_an_exit_code_is_no_signal_whatever_it_is(started, tmp_path, code):
    process = started(f"exit {code}")

    record = ended(process, tmp_path)

    assert (record.code, record.signal, record.refused) == (code, None, False)
    assert process.returncode == code


@pytest.mark.parametrize("number", [1, 2, 9, 11, 15])
def test_a_signal_is_told_apart_from_an_exit_code(started, tmp_path, number):
    record = ended(started(f"kill -{number} $$"), tmp_path)

    assert record.signal == number


def test_what_the_shell_says_of_its_child_is_not_in_the_programs_stderr(started, tmp_path):
    ended(started("echo own >&2; kill -9 $$"), tmp_path)

    assert (tmp_path / "err").read_text() == "own\n"


@pytest.mark.parametrize("name", ["TERM", "USR1", "USR2", "HUP", "INT"])
def test_a_signal_for_the_wrapper_alone_is_passed_on_once(started, tmp_path, name):
    text = f"trap 'echo got' {name}; echo $$ > pid.0; for i in 1 2 3 4; do sleep 0.1; done; exit 6"
    process = started(text)
    pids_of(tmp_path, 0)

    os.kill(process.pid, getattr(signal, f"SIG{name}"))

    assert ended(process, tmp_path).code == 6
    assert (tmp_path / "out").read_text() == "got\n"


def test_a_signal_for_all_processes_is_not_passed_on_again(started, tmp_path):
    text = "trap 'echo got' TERM; echo $$ > pid.0; for i in 1 2 3 4; do sleep 0.1; done; exit 6"
    process = started(text)
    pids_of(tmp_path, 0)

    for pid in session_of(process.pid):
        os.kill(pid, signal.SIGTERM)

    assert ended(process, tmp_path).code == 6
    assert (tmp_path / "out").read_text() == "got\n"


def test_being_told_to_end_stands_in_the_record(started, tmp_path):
    process = started("trap 'exit 0' TERM; echo $$ > pid.0; while :; do sleep 0.1; done")
    pids_of(tmp_path, 0)

    os.kill(process.pid, signal.SIGTERM)

    record = ended(process, tmp_path)
    assert (record.code, record.told_to_end, record.conclusive) == (0, True, False)


def test_a_stopped_program_has_not_ended(started, tmp_path):
    process = started("echo $$ > pid.0; sleep 0.2; exit 3")
    (pid,) = pids_of(tmp_path, 0)
    os.kill(pid, signal.SIGSTOP)
    wait_for_state(pid, "T")

    os.kill(pid, signal.SIGCONT)

    assert ended(process, tmp_path).code == 3


@pytest.mark.parametrize("signals", [("TSTP",), ("TSTP", "STOP"), ("STOP",)])
@pytest.mark.parametrize("order", [1, -1])
def test_a_job_that_is_suspended_goes_on_when_it_is_resumed(started, tmp_path, signals, order):
    process = started("echo $$ > pid.0; read -r _ < gate; exit 3")
    os.mkfifo(tmp_path / "gate")
    (pid,) = pids_of(tmp_path, 0)
    # As Slurm does it: each process of the job is told, one after the other.
    for name in signals:
        for each in session_of(process.pid)[::order]:
            os.kill(each, getattr(signal, f"SIG{name}"))
    wait_for_state(pid, "T")

    for each in session_of(process.pid)[::order]:
        os.kill(each, signal.SIGCONT)
    wait_for_state(pid, "S")
    ended_early = process.poll() is not None
    (tmp_path / "gate").write_text("go\n")

    assert not ended_early
    assert ended(process, tmp_path).code == 3


def test_a_timeout_stops_the_program_and_its_children(started, tmp_path):
    text = "sleep 1000 & echo $! > pid.0; echo $$ > pid.1; wait"
    process = started(text, timeout_s=0.3, grace_s=5.0)

    record = ended(process, tmp_path)

    assert record.timed_out
    wait_for_death(pids_of(tmp_path, 0)[0])


def test_a_program_that_will_not_end_at_its_timeout_is_killed(started, tmp_path):
    process = started("trap '' TERM; while :; do sleep 0.1; done", timeout_s=0.2, grace_s=0.2)

    record = ended(process, tmp_path)

    assert (record.timed_out, record.signal) == (True, signal.SIGKILL)


def test_nothing_of_the_job_is_left(started, tmp_path):
    process = started("sleep 1000 & echo $! > pid.0", timeout_s=500.0)
    ended(process, tmp_path)

    (child,) = pids_of(tmp_path, 0)
    wait_for_death(child)
    assert not alive(child)
    for pid in session_of(process.pid):
        wait_for_death(pid)


def test_a_ticket_is_taken_once(started, tmp_path):
    ended(started("echo ran"), tmp_path)
    (tmp_path / "exit.7").unlink()

    process = started("echo ran twice")

    assert ended(process, tmp_path) is None
    assert (tmp_path / "out").read_text() == ""


def test_a_submission_taken_back_does_not_begin(started, tmp_path):
    assert batch_files.revoke(str(tmp_path), "7")

    process = started("echo ran")

    assert ended(process, tmp_path) is None
    assert (process.returncode, (tmp_path / "out").read_text()) == (0, "")


def test_what_has_begun_cannot_be_taken_back(started, tmp_path):
    ended(started("true"), tmp_path)

    assert not batch_files.revoke(str(tmp_path), "7")


def test_a_job_that_slurm_runs_again_begins_again(started, tmp_path):
    ended(started("exit 3"), tmp_path)

    process = started("exit 4", environment={"SLURM_RESTART_COUNT": "1"})

    assert ended(process, tmp_path).code == 4


def test_a_program_that_is_not_there_is_told_apart_from_its_exit_code(started, tmp_path):
    record = ended(started("", command=("no-such-program",)), tmp_path)

    assert (record.refused, record.code) == (True, 127)


def test_a_directory_that_is_not_there_is_said(started, tmp_path):
    record = ended(started("true", workdir="/no/such/folder"), tmp_path)

    assert (record.nowhere, record.conclusive) == (True, True)


def test_variables_with_odd_names_and_values_arrive(started, tmp_path, monkeypatch):
    variables = {"A": 'it\'s\n"$HOME" `x`', "B-C": "odd", "GOES": None}
    text = 'printf "%s|%s|%s" "$A" "$(printenv B-C)" "${GOES-gone}"'
    ended(started(text, environment={"GOES": "1"}, clear_environment=False), tmp_path)
    for path in tmp_path.glob("*.7"):
        path.unlink()

    work = Work("t", "7", str(tmp_path), str(tmp_path), ("/bin/bash", "-c", text),
                environment=variables)  # fmt: skip
    done = subprocess.run(
        ["/bin/bash", "-c", wrapper_text(work, SURROUNDINGS)], capture_output=True, text=True,
        check=True, env=os.environ | {"GOES": "1", "SLURM_JOB_ID": "1"},
    )  # fmt: skip

    assert done.stdout == variables["A"] + "|odd|gone"


def test_the_wrapper_leaves_no_variable_of_its_own_in_the_program(started, tmp_path):
    ended(started("env"), tmp_path)

    assert "segue_" not in (tmp_path / "out").read_text()


def test_the_bell_is_rung_at_begin_and_end(started, tmp_path):
    ended(started("true"), tmp_path)

    assert {path.name for path in tmp_path.glob("bell.*")} == {"bell.begun", "bell.ended"}


def test_a_bell_that_is_not_there_stops_nothing(started, tmp_path):
    work = Work("t", "7", str(tmp_path), str(tmp_path), ("true",), bell="/no/such/bell")

    done = subprocess.run(["/bin/bash", "-c", wrapper_text(work, SURROUNDINGS)],
                          capture_output=True, check=False)  # fmt: skip

    assert (done.returncode, done.stderr) == (0, b"")
