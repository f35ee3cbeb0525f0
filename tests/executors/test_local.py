"""What a job of the local executor is: its process, its ends, how it is stopped."""

import os
import resource
import signal
import stat
import time
from pathlib import Path

import pytest
from places import (
    alive,
    gated,
    job,
    keeper_pid,
    key,
    kill_keeper,
    open_gate,
    opened,
    pids_of,
    spools,
    stdout_of,
    wait_for_death,
)

from segue.model.events import Ended, Returned, Started, Submitted
from segue.model.states import Cause
from segue.model.workflow import Argv, Container, ManagedTask, Nothing, Output, Script


@pytest.fixture
def local(state):
    with opened(state) as watcher:
        yield watcher


def run(local, job):
    local.submit(job)
    return local.end(job.key)


# -- the process --------------------------------------------------------------------------


def test_a_job_has_a_session_of_its_own_and_nothing_ignored_or_blocked(local, tmp_path):
    command = "cat /proc/self/status; cut -d' ' -f5,6 /proc/$$/stat; echo $$; ls /proc/$$/fd"
    each = job(tmp_path, 0, command)

    run(local, each)

    text = stdout_of(each)
    masks = dict(line.split(":\t", 1) for line in text.splitlines() if line.startswith("Sig"))
    # Signals 32 and 33 are the C library's own; its posix_spawn always leaves them ignored.
    own = 0b11 << 31
    assert int(masks["SigIgn"], 16) & ~own == int(masks["SigBlk"], 16) == 0
    session, pid, *descriptors = text.splitlines()[-5:]
    assert session == f"{pid} {pid}"
    assert descriptors == ["0", "1", "2"]


def test_usage_holds_cpu_time_and_peak_memory(local, tmp_path):
    program = "b = b'x' * (64 << 20)\nfor i in range(3_000_000): pass"
    each = job(tmp_path, 0, Argv(("python3", "-c", program)))

    usage = run(local, each).usage

    assert usage.cpu_s > 0.02
    assert 64 << 20 < usage.peak_rss_bytes < 256 << 20


def test_an_end_has_the_times_of_start_and_end(local, tmp_path):
    before = time.time()

    end = run(local, job(tmp_path, 0, "sleep 0.1"))

    assert before <= end.started_at < end.started_at + 0.1 <= end.at <= time.time()


def test_ten_mebibytes_of_random_output_arrive_whole(local, tmp_path):
    each = job(tmp_path, 0, "head -c 10485760 /dev/urandom | tee copy; head -c 99 copy >&2")

    assert run(local, each).cause is None

    assert Path(each.folder, "stdout").read_bytes() == (tmp_path / "copy").read_bytes()
    assert Path(each.folder, "stderr").stat().st_size == 99


def test_a_job_knows_its_name(local, tmp_path):
    each = job(tmp_path, 3, "echo $SEGUE_JOB $SEGUE_RUN $SEGUE_ATTEMPT", run="my.run-x")

    run(local, each)

    assert stdout_of(each) == "my.run-x.3.1 my.run-x 1\n"


def test_a_program_is_looked_for_on_the_path_of_the_job(local, tmp_path):
    program = tmp_path / "bin" / "mine"
    program.parent.mkdir()
    program.write_text("#!/bin/sh\necho mine $1\n")
    program.chmod(0o755)
    each = job(tmp_path, 0, Argv(("mine", "x")), environment={"PATH": f"/none:{program.parent}"})

    run(local, each)

    assert stdout_of(each) == "mine x\n"


def test_a_relative_program_is_relative_to_the_working_directory(local, tmp_path):
    program = tmp_path / "there" / "mine"
    program.parent.mkdir()
    program.write_text("#!/bin/sh\npwd\n")
    program.chmod(0o755)
    each = job(tmp_path, 0, Argv(("./mine",)), workdir=str(program.parent))

    run(local, each)

    assert stdout_of(each) == f"{program.parent}\n"


@pytest.mark.parametrize(
    ("text", "shell", "printed"),
    [
        ("#!/bin/bash -e\nfalse\necho on\n", "/bin/sh", ""),
        ("#!/usr/bin/env python3\nimport sys\nprint(len(sys.argv))\n", "/bin/sh", "1\n"),
        ("shopt -q login_shell && echo login\n", "/bin/bash -l", "login\n"),
        ("echo no line end", "sh", "no line end\n"),
    ],
)
def test_a_script_runs_with_its_first_line_or_its_shell(local, tmp_path, text, shell, printed):
    each = job(tmp_path, 0, Script(text, shell))

    run(local, each)

    assert stdout_of(each) == printed
    script = Path(each.folder, "script")
    assert script.read_text() == text
    assert stat.S_IMODE(script.stat().st_mode) & 0o700 == 0o700


def test_nothing_to_run_ends_well_at_once(local, tmp_path):
    (answer,) = local.executor.submit([job(tmp_path, 0, Nothing())])

    assert answer.report.cause is None
    assert not spools(tmp_path / "state")


def test_a_title_of_100000_characters_harms_nobody(local, tmp_path):
    each = job(tmp_path, 0, "true")
    object.__setattr__(each, "title", "x" * 100_000)

    assert run(local, each).cause is None


# -- refusals -----------------------------------------------------------------------------


def refusals(tmp_path):
    (tmp_path / "plain").write_text("x")
    for name, text in [("lost", "#!/no/such/shell\n"), ("neither", "x = 1\n")]:
        (tmp_path / name).write_text(text)
        (tmp_path / name).chmod(0o755)
    script = Script("#!/no/such/shell\n")
    return [
        (job(tmp_path, 1, Argv(("no-such-program",))), "no program 'no-such-program' on the PATH"),
        (job(tmp_path, 2, Argv(("/no/such",))), "cannot start '/no/such': No such file"),
        (job(tmp_path, 3, Argv(("./plain",))), "cannot start './plain': Permission denied"),
        (job(tmp_path, 4, Argv(("./lost",))), "interpreter does not exist (#!/no/such/shell)"),
        (job(tmp_path, 5, Argv(("./neither",))), "neither a binary nor does it begin with '#!'"),
        (job(tmp_path, 6, Argv(("/tmp",))), "it is a directory"),
        (job(tmp_path, 7, Argv(())), "the command is empty"),
        (job(tmp_path, 8, Argv(("echo", "a\0b"))), "NUL"),
        (job(tmp_path, 9, Argv(("echo", "x" * 3_000_000))), "are too long"),
        (job(tmp_path, 10, "true", workdir=str(tmp_path / "plain")), "Not a directory"),
        (job(tmp_path, 11, "true", workdir=str(tmp_path / "plain" / "x")), "Not a directory"),
        (job(tmp_path, 12, "true", workdir="/proc/none"), "cannot enter the working directory"),
        (job(tmp_path, 13, Container("img:1")), "runs no containers (image 'img:1')"),
        (job(tmp_path, 14, ManagedTask("Smd")), "--lute-command"),
        (job(tmp_path, 15, script), "cannot start '/no/such/shell'"),
        (job(tmp_path, 16, "true", environment={"A=B": "x"}), "illegal environment variable"),
        (job(tmp_path, 17, "true", environment={"A": "x\0"}), "NUL"),
        (job(tmp_path, 18, "true", workdir="/tmp/\0"), "working directory"),
        (job(tmp_path, 19, "true", environment={"A": "\ud800"}), "surrogates"),
    ]


def test_what_can_never_start_is_refused_with_a_sentence(local, tmp_path):
    cases = refusals(tmp_path)
    after = job(tmp_path, 99, "true")

    local.submit(*(each for each, _ in cases), after)

    for each, words in cases:
        end = local.end(each.key)
        assert (end.cause, end.exit_code) == (Cause.REFUSED, None), end
        assert words in end.message
    assert local.end(after.key).cause is None


def test_a_managed_task_runs_its_command(local, tmp_path):
    each = job(tmp_path, 0, ManagedTask("Smd", ("/bin/echo", "Smd")))

    run(local, each)

    assert stdout_of(each) == "Smd\n"


def test_no_more_processes_is_a_trouble_that_may_pass(state, tmp_path):
    with opened(state) as local:
        run(local, job(tmp_path, 0, "true"))
        (spool,) = spools(state)
        pid = keeper_pid(spool)
        soft, hard = resource.prlimit(pid, resource.RLIMIT_NOFILE)
        resource.prlimit(pid, resource.RLIMIT_NOFILE, (4, hard))

        end = run(local, job(tmp_path, 1, "true"))

        assert end.cause is Cause.UNREACHABLE
        assert "Too many open files" in end.message
        resource.prlimit(pid, resource.RLIMIT_NOFILE, (soft, hard))
        assert run(local, job(tmp_path, 2, "true")).cause is None


def test_a_state_folder_that_cannot_be_made_is_unreachable(tmp_path):
    (tmp_path / "file").write_text("")
    with opened(tmp_path / "file" / "state") as local:
        end = run(local, job(tmp_path, 0, "true"))

    assert end.cause is Cause.UNREACHABLE
    assert "keeper" in end.message


# -- order and room -----------------------------------------------------------------------


def test_jobs_start_in_the_order_of_their_submission(state, tmp_path):
    with opened(state, slots=1) as local:
        jobs = [job(tmp_path, number, f"echo {number} >> order") for number in range(20)]
        local.submit(*jobs[:7])
        local.submit(*jobs[7:])
        local.ends([each.key for each in jobs])

    assert (tmp_path / "order").read_text().split() == [str(number) for number in range(20)]


def test_never_more_run_at_once_than_there_are_slots(state, tmp_path):
    command = "echo + >> log; sleep 0.02; echo - >> log"
    with opened(state, slots=3) as local:
        jobs = [job(tmp_path, number, command) for number in range(15)]
        local.submit(*jobs)
        local.ends([each.key for each in jobs])

    levels, level = [], 0
    for sign in (tmp_path / "log").read_text().split():
        level += 1 if sign == "+" else -1
        levels.append(level)
    assert max(levels) <= 3


def test_a_job_that_waits_for_a_slot_is_told_to_be_submitted(state, tmp_path):
    with opened(state, slots=1) as local:
        first, second = gated(tmp_path, 0), gated(tmp_path, 1)
        local.submit(first, second)

        local.first(Submitted, second.key)

        open_gate(tmp_path, 0)
        local.first(Started, second.key)
        open_gate(tmp_path, 1)
        assert local.end(second.key).cause is None


# -- stopping -----------------------------------------------------------------------------


def test_a_cancelled_job_gets_term_and_may_tidy_up(local, tmp_path):
    each = gated(tmp_path, 0, before="trap 'echo tidied; exit 7' TERM;")
    local.submit(each)
    local.first(Started, each.key)

    local.executor.cancel({each.key: ""})

    end = local.end(each.key)
    assert (end.cause, end.exit_code) == (Cause.CANCELLED, 7)
    assert stdout_of(each) == "tidied\n"


def test_a_job_that_ignores_term_is_killed(state, tmp_path):
    with opened(state, grace_s=0.1) as local:
        each = job(tmp_path, 0, "trap '' TERM; while :; do sleep 0.01; done", timeout_s=0.1)

        end = run(local, each)

    assert (end.cause, end.signal) == (Cause.TIMED_OUT, signal.SIGKILL)


def test_a_stopped_process_hears_term(local, tmp_path):
    each = job(tmp_path, 0, "kill -STOP $$", timeout_s=0.1)

    end = run(local, each)

    assert (end.cause, end.signal) == (Cause.TIMED_OUT, signal.SIGTERM)


STUBBORN = "sh -c 'trap \"\" TERM; echo $$ > pid.9; exec sleep 1000' &"
STRAGGLERS = {
    "in the group": STUBBORN,
    "in its own group": f"timeout -s KILL 1000 {STUBBORN}",
    "in its own session": f"setsid {STUBBORN}",
    "without environment": f"env -i {STUBBORN}",
}


@pytest.mark.parametrize("straggler", STRAGGLERS.values(), ids=STRAGGLERS)
def test_what_a_job_started_ends_before_the_job_is_said_to_have_ended(state, tmp_path, straggler):
    with opened(state, grace_s=0.2) as local:
        os.mkfifo(tmp_path / "ready")
        each = job(tmp_path, 0, f"{straggler} while [ ! -s pid.9 ]; do :; done; : > ready; wait")
        local.submit(each)
        (tmp_path / "ready").read_text()
        (straggler_pid,) = pids_of(tmp_path, 9)

        local.executor.cancel({each.key: ""})

        assert local.end(each.key).cause is Cause.CANCELLED
        assert not alive(straggler_pid)


def test_an_end_that_came_before_the_cancel_is_the_end(local, tmp_path):
    each = gated(tmp_path, 0, exit_code=0)
    local.submit(each)
    local.first(Started, each.key)
    (pid,) = pids_of(tmp_path, 0)
    (spool,) = spools(local.executor._state_dir)
    # While the keeper sleeps, the job ends and the cancel arrives.
    kill_keeper(spool, signal.SIGSTOP)
    open_gate(tmp_path, 0)
    wait_for_death(pid)
    local.executor.cancel({each.key: ""})

    kill_keeper(spool, signal.SIGCONT)

    end = local.end(each.key)
    assert (end.cause, end.exit_code) == (None, 0)


def test_cancelling_twice_is_cancelling_once(local, tmp_path):
    each = gated(tmp_path, 0)
    local.submit(each)
    local.first(Started, each.key)

    local.executor.cancel({each.key: ""})
    local.executor.cancel({each.key: ""})

    local.end(each.key)
    run(local, job(tmp_path, 1, "true"))
    assert len(local.all(Ended, each.key)) == 1


def test_a_keeper_that_is_asked_to_end_starts_nothing_more(state, tmp_path):
    with opened(state, slots=1) as local:
        first, second = gated(tmp_path, 0), gated(tmp_path, 1)
        local.submit(first, second)
        local.first(Started, first.key)
        (spool,) = spools(state)

        kill_keeper(spool, signal.SIGTERM)

        local.first(Returned, second.key)
        open_gate(tmp_path, 0)
        assert local.end(first.key).cause is None


def test_many_cancels_at_once_end_all(state, tmp_path):
    with opened(state, slots=8) as local:
        jobs = [gated(tmp_path, number) for number in range(8)]
        local.submit(*jobs)
        for each in jobs:
            local.first(Started, each.key)

        local.executor.cancel({each.key: "" for each in jobs})

        ends = local.ends([key(number) for number in range(8)])
    assert {end.cause for end in ends} == {Cause.CANCELLED}


# -- files in the working directory ---------------------------------------------------------


def test_a_named_script_lies_and_runs_in_the_working_directory(local, tmp_path):
    script = Script('#!/bin/sh\necho "$0"', "/bin/sh", "fit.sh")
    each = job(tmp_path, 0, script, workdir=str(tmp_path / "fit"))

    run(local, each)

    path = tmp_path / "fit" / "fit.sh"
    assert stdout_of(each) == f"{path}\n"
    assert path.read_text() == script.text
    assert path.stat().st_mode & stat.S_IXUSR


def test_a_script_is_not_written_through_a_link_that_has_its_name(local, tmp_path):
    foreign = tmp_path / "foreign"
    foreign.write_text("precious")
    (tmp_path / "fit.sh").symlink_to(foreign)

    run(local, job(tmp_path, 0, Script("#!/bin/sh\n", "/bin/sh", "fit.sh")))

    assert foreign.read_text() == "precious"


def test_output_has_its_second_name_while_the_job_runs(local, tmp_path):
    names = Output("fit.{job_id}.out", "fit.{job_id}.err")
    each = gated(tmp_path, 0, before="echo so far;", output=names)

    local.submit(each)
    [pid] = pids_of(tmp_path, 0)
    local.first(Started, each.key)
    live = (tmp_path / f"fit.{pid}.out").read_text()
    open_gate(tmp_path, 0)
    local.end(each.key)

    assert live == "so far\n"
    assert (tmp_path / f"fit.{pid}.err").samefile(Path(each.folder, "stderr"))


def test_equal_names_of_output_are_one_file(local, tmp_path):
    names = Output("fit.{job_id}.log", "fit.{job_id}.log")
    each = job(tmp_path, 0, "echo out; echo err >&2; echo more", output=names)
    local.submit(each)

    end = local.end(each.key)

    pid = end.job_id.rpartition(":")[2]
    assert (tmp_path / f"fit.{pid}.log").read_text() == "out\nerr\nmore\n"
    assert Path(each.folder, "stdout").read_text() == "out\nerr\nmore\n"
    assert Path(each.folder, "stderr").read_text() == ""


def test_the_end_of_a_short_job_tells_the_process_that_its_output_is_named_after(local, tmp_path):
    names = Output("fit.{job_id}.out", "fit.{job_id}.err")

    end = run(local, job(tmp_path, 0, "exit 3", output=names))

    assert (tmp_path / f"fit.{end.job_id.rpartition(':')[2]}.out").exists()


def test_a_second_name_that_is_taken_goes_to_the_newest_attempt(local, tmp_path):
    (tmp_path / "fit.out").write_text("of an earlier attempt")
    each = job(tmp_path, 0, "echo new", output=Output("fit.out", "no/such/folder/fit.err"))

    end = run(local, each)

    assert end.cause is None
    assert (tmp_path / "fit.out").read_text() == "new\n"


def test_a_job_that_is_ended_with_the_machine_is_lost_and_has_not_failed(local, tmp_path, state):
    each = gated(tmp_path, 0)
    local.submit(each)
    [pid] = pids_of(tmp_path, 0)
    [spool] = spools(state)

    kill_keeper(spool, signal.SIGTERM)
    local.submit(job(tmp_path, 1, "true"))
    local.first(Returned, key(1))
    os.kill(pid, signal.SIGTERM)

    end = local.end(each.key)
    assert (end.cause, end.signal) == (Cause.LOST, signal.SIGTERM)
