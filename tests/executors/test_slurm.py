"""The Slurm executor on a real cluster."""

import os
import signal
import subprocess
from contextlib import suppress
from pathlib import Path

import pytest
from batches import asked_for, headed, opened, watched
from places import gated, job, open_gate, pids_of, stdout_of, wait_for_death, wait_for_state

from segue.model.errors import ExecutorError
from segue.model.events import Queued, Returned, Started, Submitted
from segue.model.states import Cause
from segue.model.workflow import Argv, Container, Nothing, Output, Resources
from segue.protocols.executor import JobKey
from segue.testing.executor_suite import Watcher


@pytest.fixture(autouse=True)
def cluster(request):
    """The cluster, shared with other tests unless this one breaks it."""
    if "slurm_alone" not in request.fixturenames:
        request.getfixturevalue("slurm")


@pytest.fixture
def watcher(tmp_path):
    watcher = watched(tmp_path / "state")
    yield watcher
    watcher.executor.cancel(dict.fromkeys(watcher.executor._tracked, ""))
    watcher.executor.close()


def heir(watcher, tmp_path):
    """A new engine after the death of the one before."""
    watcher.executor.close()
    watcher.executor = opened(tmp_path / "state")
    return Watcher(watcher.executor)


def ask(job_id, field):
    """What squeue says of a job, in one of its formats."""
    command = ["squeue", "-h", "-t", "all", "-j", job_id, "-o", field]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


def control(job_id):
    """What scontrol shows of a job."""
    command = ["scontrol", "show", "job", job_id]
    text = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    return dict(word.split("=", 1) for word in text.split() if "=" in word)


def left_of(job_id):
    """Processes that carry the mark of a Slurm job."""
    mark = f"\0SLURM_JOB_ID={job_id}\0".encode()
    for path in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            if mark in b"\0" + (path / "environ").read_bytes():
                yield int(path.name)


def submitted_id(watcher, task):
    return watcher.first(Submitted, task.key).job_id


# What Slurm is asked for -------------------------------------------------------------


def test_a_header_is_kept_and_what_it_forgets_is_added(watcher, tmp_path):
    header = ("--nodes=1", "--partition=main", "--time=00:05:00", '--job-name="make_it"')
    resources = Resources(nodes=1, processes=4, cores_per_process=2)
    task = headed(tmp_path, 0, "echo $SLURM_NTASKS $SLURM_CPUS_PER_TASK", header,
                  resources=resources)  # fmt: skip
    watcher.submit(task)

    assert watcher.end(task.key).cause is None
    assert stdout_of(task) == "4 2\n"
    assert "#SBATCH --partition=main\n" in asked_for(task)
    shown = control(submitted_id(watcher, task))
    assert (shown["JobName"], shown["TimeLimit"], shown["Requeue"]) == ("make_it", "00:05:00", "0")


def test_resources_become_options_where_a_script_has_no_header(watcher, tmp_path):
    resources = Resources(nodes=2, processes=4, memory_mb=500, walltime_s=120, queue="short")
    task = job(tmp_path, 0, "echo $SLURM_JOB_NUM_NODES $SLURM_NTASKS", resources=resources)
    watcher.submit(task)

    assert watcher.end(task.key).cause is None
    assert stdout_of(task) == "2 4\n"
    shown = control(submitted_id(watcher, task))
    assert (shown["Partition"], shown["TimeLimit"], shown["JobName"]) == (
        "short", "00:02:00", "task")  # fmt: skip


def test_options_of_a_step_replace_all_others(watcher, tmp_path):
    options = {"slurm_params": "--partition=short -n3 --job-name=mine --output=log_%x_%J.out"}
    task = job(tmp_path, 0, "echo $SLURM_NTASKS; echo err >&2", options=options,
               resources=Resources(processes=1, queue="main"))  # fmt: skip
    watcher.submit(task)

    watcher.end(task.key)
    job_id = submitted_id(watcher, task)
    assert Path(tmp_path, f"log_mine_{job_id}.out").read_text() == "3\nerr\n"
    assert control(job_id)["Partition"] == "short"


def test_the_comment_begins_with_the_name_of_the_job(watcher, tmp_path):
    task = headed(tmp_path, 0, "true", ("--partition=main", '--comment "my | own words"'))
    watcher.submit(task)

    watcher.end(task.key)
    comment = ask(submitted_id(watcher, task), "%k")
    assert comment.startswith("r.0.1@")
    assert comment.endswith(" my | own words")


def test_output_has_its_second_names_before_the_job_begins(watcher, tmp_path):
    task = job(tmp_path, 0, "echo out; echo err >&2", output=Output("a.out", "a.{job_id}.err"),
               resources=Resources(queue="main"), options={"slurm_params": "--hold"})  # fmt: skip
    watcher.submit(task)

    assert Path(tmp_path, "a.out").read_text() == ""
    job_id = submitted_id(watcher, task)
    subprocess.run(["scontrol", "release", job_id], check=True)
    watcher.end(task.key)
    assert Path(tmp_path, "a.out").read_text() == "out\n"
    assert Path(tmp_path, f"a.{job_id}.err").read_text() == "err\n"


def test_equal_names_of_output_are_one_file(watcher, tmp_path):
    tasks = [
        job(tmp_path, number, "echo out; echo err >&2; echo more",
            output=Output("log.{job_id}", "log.{job_id}"), options={"slurm_params": params})
        for number, params in enumerate(("", "--partition=main", "--error=apart.%J"))
    ]  # fmt: skip
    watcher.submit(*tasks)

    watcher.ends([task.key for task in tasks])
    logs = [Path(tmp_path, f"log.{submitted_id(watcher, task)}").read_text() for task in tasks]
    assert logs == [*["out\nerr\nmore\n"] * 2, "out\nmore\n"]
    assert Path(tasks[0].folder, "stderr").read_text() == ""
    assert Path(tmp_path, f"apart.{submitted_id(watcher, tasks[2])}").read_text() == "err\n"


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ("--partition=nope", "Invalid partition name"),
        ("--account=nope", "Invalid account"),
        ("--qos=nope", "Invalid qos"),
        ("--mem=1T", "node configuration is not available"),
        ("--time=soon", "Invalid --time specification"),
        ("--frobnicate", "no option --frobnicate"),
        ("--wrap=true", "the task says what is run"),
        ("--array=0-3", "write a sweep"),
        ("run.sh", "no option of sbatch"),
    ],
)
def test_what_slurm_will_never_take_is_refused_in_its_words(watcher, tmp_path, options, words):
    task = job(tmp_path, 0, "true", options={"slurm_params": options})
    watcher.submit(task)

    end = watcher.end(task.key)

    assert end.cause is Cause.REFUSED
    assert words in end.message


def test_a_container_is_refused_and_nothing_needs_no_job(watcher, tmp_path):
    watcher.submit(job(tmp_path, 0, Container("busybox")), job(tmp_path, 1, Nothing()))

    assert [watcher.heard[at].report.cause for at in (0, 1)] == [Cause.REFUSED, None]


def test_jobs_beyond_a_limit_wait_for_room(watcher, tmp_path):
    options = {"slurm_params": "--qos=small"}
    tasks = [job(tmp_path, number, "exit 0", options=options) for number in range(5)]
    watcher.submit(*tasks)

    assert {end.cause for end in watcher.ends([task.key for task in tasks])} == {None}
    assert watcher.executor._commands.calls["sbatch"] > len(tasks)


# What a job sees ---------------------------------------------------------------------


def test_a_job_finds_its_name_and_what_slurm_tells_it(watcher, tmp_path):
    task = job(tmp_path, 0, "echo $SEGUE_RUN $SEGUE_JOB $SEGUE_ATTEMPT ${SLURM_JOB_ID:+id}",
               clear_environment=True)  # fmt: skip
    watcher.submit(task)

    watcher.end(task.key)
    assert stdout_of(task) == "r r.0.1 1 id\n"


def test_a_signal_for_the_batch_shell_reaches_the_script(watcher, tmp_path):
    text = "trap 'echo got it; exit 7' USR1; echo $$ > pid.0; while :; do sleep 0.1; done"
    task = headed(tmp_path, 0, text, ("--partition=main",))
    watcher.submit(task)
    pids_of(tmp_path, 0)

    job_id = submitted_id(watcher, task)
    subprocess.run(["scancel", "--batch", "--signal=USR1", job_id], check=True)

    assert watcher.end(task.key).exit_code == 7
    assert stdout_of(task) == "got it\n"


def test_a_cancel_tells_a_script_once(watcher, tmp_path):
    text = (
        "trap 'echo told; ((n = 8990))' TERM; echo $$ > pid.0; "
        "for ((n = 0; n < 9000; n++)); do sleep 0.1; done"
    )
    task = headed(tmp_path, 0, text, ("--partition=main",))
    watcher.submit(task)
    (pid,) = pids_of(tmp_path, 0)

    watcher.executor.cancel({task.key: ""})

    assert watcher.end(task.key).cause is Cause.CANCELLED
    wait_for_death(pid)
    assert stdout_of(task) == "told\n"


def test_a_job_that_waits_is_cancelled(watcher, tmp_path):
    task = job(tmp_path, 0, "true", options={"slurm_params": "--hold"})
    watcher.submit(task)

    watcher.executor.cancel({task.key: ""})

    end = watcher.end(task.key)
    assert (end.cause, end.started_at) == (Cause.CANCELLED, None)


def test_why_a_job_waits_is_told_in_slurms_words(tmp_path):
    watcher = watched(tmp_path / "state", tell_after_s=0.0)
    task = job(tmp_path, 0, "true", options={"slurm_params": "--hold"})
    watcher.submit(task)

    said = watcher.first(Queued, task.key)

    assert said.message == "it waits in the queue: JobHeldUser"
    watcher.executor.cancel({task.key: ""})
    assert watcher.end(task.key).cause is Cause.CANCELLED
    watcher.executor.close()


def test_a_job_that_is_suspended_goes_on_when_it_is_resumed(watcher, tmp_path):
    task = gated(tmp_path, 0, exit_code=3)
    watcher.submit(task)
    job_id = watcher.first(Started, task.key).job_id
    (pid,) = pids_of(tmp_path, 0)
    subprocess.run(["scontrol", "suspend", job_id], check=True)
    wait_for_state(pid, "T")

    subprocess.run(["scontrol", "resume", job_id], check=True)
    wait_for_state(pid, "S")
    open_gate(tmp_path, 0)

    assert watcher.end(task.key).exit_code == 3


def test_what_outlives_its_script_is_stopped_with_it(watcher, tmp_path):
    task = job(tmp_path, 0, "sleep 1000 & echo $! > pid.0; exit 0")
    watcher.submit(task)

    assert watcher.end(task.key).cause is None
    (pid,) = pids_of(tmp_path, 0)
    wait_for_death(pid)


def test_a_job_over_its_memory_is_told_so(watcher, tmp_path):
    hungry = "import time; x = b'x' * 400_000_000; time.sleep(60)"
    task = job(tmp_path, 0, Argv(("python3", "-c", hungry)), resources=Resources(memory_mb=100))
    watcher.submit(task)

    assert watcher.end(task.key).cause is Cause.OUT_OF_MEMORY


# Arrays ------------------------------------------------------------------------------


def test_equal_jobs_go_out_as_one_array_and_are_jobs_of_their_own(watcher, tmp_path):
    tasks = [
        headed(tmp_path, number, f"echo {number} $SLURM_JOB_NAME ${{SLURM_ARRAY_TASK_ID-none}};"
               f" exit {number % 3}",
               ("--partition=main", f'--job-name="s_N.{number}"'))
        for number in range(20)
    ]  # fmt: skip
    watcher.submit(*tasks)
    ends = watcher.ends([task.key for task in tasks])

    assert [end.exit_code for end in ends] == [number % 3 for number in range(20)]
    ids = [submitted_id(watcher, task) for task in tasks]
    (array,) = {job_id.split("_")[0] for job_id in ids}
    assert ids == [f"{array}_{number}" for number in range(20)]
    for number in range(20):
        path = Path(tmp_path, f"s{number}.out")
        assert path.read_text() == f"{number} s_N.{number} none\n"


def test_one_element_is_cancelled_and_the_others_go_on(watcher, tmp_path):
    tasks = [gated(tmp_path, number) for number in range(8)]
    watcher.submit(*tasks)
    for task in tasks:
        watcher.first(Started, task.key)

    watcher.executor.cancel({tasks[3].key: ""})

    assert watcher.end(tasks[3].key).cause is Cause.CANCELLED
    for number in (0, 1, 2, 4, 5, 6, 7):
        open_gate(tmp_path, number)
        assert watcher.end(tasks[number].key).cause is None


def test_elements_are_found_after_a_crash(watcher, tmp_path):
    tasks = [gated(tmp_path, number, exit_code=number) for number in range(8)]
    watcher.submit(*tasks)
    watcher.first(Started, tasks[5].key)
    new = heir(watcher, tmp_path)

    answers = new.find(*(task.key for task in tasks))

    assert {type(answer) for answer in answers.values()} <= {Started, Submitted}
    for number in range(8):
        open_gate(tmp_path, number)
    assert [end.exit_code or 0 for end in new.ends([task.key for task in tasks])] == [*range(8)]


def held_array(watcher, tmp_path):
    """An array of which no element may begin: its tasks, and its id."""
    tasks = [
        job(tmp_path, number, "true", options={"slurm_params": "--hold"}) for number in range(8)
    ]
    watcher.submit(*tasks)
    (array,) = {submitted_id(watcher, task).split("_")[0] for task in tasks}
    return tasks, array


def test_elements_that_are_cancelled_before_they_begin_have_ended(watcher, tmp_path):
    tasks, array = held_array(watcher, tmp_path)
    # One by one: Slurm then shows the array's own id in place of each element's.
    subprocess.run(["scancel", *(f"{array}_{number}" for number in range(8))], check=True)

    ends = watcher.ends([task.key for task in tasks])

    assert {end.cause for end in ends} == {Cause.CANCELLED}


def test_elements_that_were_cancelled_while_nobody_looked_are_found(watcher, tmp_path):
    tasks, array = held_array(watcher, tmp_path)
    subprocess.run(["scancel", *(f"{array}_{number}" for number in range(8))], check=True)
    new = heir(watcher, tmp_path)

    answers = new.find(*(task.key for task in tasks))

    assert {answer.cause for answer in answers.values()} == {Cause.CANCELLED}


def test_elements_of_which_slurm_keeps_no_trace_were_cancelled(watcher, tmp_path):
    tasks = [gated(tmp_path, number, options={"slurm_params": "--hold"}) for number in range(8)]
    watcher.submit(*tasks)
    array = submitted_id(watcher, tasks[0]).split("_")[0]
    watcher.executor.cancel({task.key: "" for task in tasks[:4]})
    # The record of what waits becomes that of the last element to begin.
    subprocess.run(["scontrol", "release", array], check=True)
    for number in range(4, 8):
        pids_of(tmp_path, number)

    causes = {end.cause for end in watcher.ends([task.key for task in tasks[:4]])}

    assert causes == {Cause.CANCELLED}
    for number in range(4, 8):
        open_gate(tmp_path, number)
        assert watcher.end(tasks[number].key).cause is None


def test_jobs_that_differ_are_no_array(watcher, tmp_path):
    tasks = [job(tmp_path, number, "true", resources=Resources(processes=1 + number % 2))
             for number in range(10)]  # fmt: skip
    watcher.submit(*tasks)

    watcher.ends([task.key for task in tasks])
    assert not any("_" in submitted_id(watcher, task) for task in tasks)


# Speed -------------------------------------------------------------------------------


def test_the_bell_tells_of_an_end_before_slurm_is_asked(tmp_path):
    watcher = watched(tmp_path / "state", poll_s=3600.0)
    executor = watcher.executor
    task = job(tmp_path, 0, "exit 0")
    watcher.submit(task)

    watcher._next = lambda left_s: executor.poll({}) if executor.due_s() == 0 else []
    watcher.end(task.key)
    executor.close()

    assert "squeue" not in executor._commands.calls


def test_a_hint_tells_of_an_end_where_the_bell_is_not_heard(tmp_path):
    watcher = watched(tmp_path / "state", poll_s=3600.0)
    executor = watcher.executor
    task = job(tmp_path, 0, "exit 0")
    watcher.submit(task)
    executor._bells._seen.clear()
    watcher._next = lambda left_s: executor.poll({}) if executor.due_s() == 0 else []
    watcher.until(lambda: list(Path(task.folder).glob("begun.*")))

    executor.hint([task.key])

    watcher.end(task.key)
    executor.close()
    assert "squeue" not in executor._commands.calls


def test_a_hint_about_a_stranger_changes_nothing(watcher, tmp_path):
    watcher.executor.hint([JobKey("r", 5, 1)])

    assert watcher.executor.due_s() == float("inf")


# After a crash -----------------------------------------------------------------------


def test_a_job_whose_id_was_never_written_is_found_by_its_ticket(watcher, tmp_path):
    task = job(tmp_path, 0, "exit 4", options={"slurm_params": "--hold"})
    watcher.submit(task)
    job_id = submitted_id(watcher, task)
    journal = watcher.executor._journal.path
    new = heir(watcher, tmp_path)
    lines = journal.read_text().splitlines()
    journal.write_text("\n".join(line for line in lines if '["id"' not in line) + "\n")

    answer = new.find(task.key)[task.key]

    assert (type(answer), answer.job_id) == (Submitted, job_id)
    subprocess.run(["scontrol", "release", job_id], check=True)
    assert new.end(task.key).exit_code == 4


def test_a_submission_that_was_taken_back_never_runs(watcher, tmp_path):
    task = job(tmp_path, 0, "touch ran", options={"slurm_params": "--hold"})
    watcher.submit(task)
    job_id = submitted_id(watcher, task)
    assert watcher.executor._tracked[task.key].take_back()

    subprocess.run(["scontrol", "release", job_id], check=True)
    watcher.until(lambda: ask(job_id, "%T") == "COMPLETED")

    assert not Path(tmp_path, "ran").exists()


def test_jobs_of_two_stores_with_the_same_names_do_not_mix(tmp_path):
    stores = []
    for number, word in enumerate(("one", "two")):
        (tmp_path / word).mkdir()
        stores.append(watched(tmp_path / word / "state"))
        stores[-1].task = job(tmp_path / word, 0, f"exit {number + 1}")
        stores[-1].submit(stores[-1].task)

    codes = [store.end(store.task.key).exit_code for store in stores]

    assert codes == [1, 2]
    for store in stores:
        store.executor.close()


def test_a_forgotten_job_leaves_no_journal(watcher, tmp_path):
    task = job(tmp_path, 0, "true")
    watcher.submit(task)
    watcher.end(task.key)

    watcher.executor.forget([task.key])
    watcher.executor.close()

    assert os.listdir(tmp_path / "state") == []


def test_what_was_never_handed_over_is_returned_without_asking(watcher, tmp_path):
    task = job(tmp_path, 0, "true")

    assert isinstance(watcher.find(task.key)[task.key], Returned)
    assert not watcher.executor._commands.calls


# When the cluster fails --------------------------------------------------------------


@pytest.mark.slow
def test_a_restart_of_the_controller_costs_no_job(slurm_alone, watcher, tmp_path):
    running, waiting = gated(tmp_path, 0, exit_code=3), gated(tmp_path, 1)
    watcher.submit(running)
    watcher.first(Started, running.key)

    slurm_alone.stop_controller()
    try:
        with pytest.raises(ExecutorError):
            watcher.executor._commands.list_jobs()
        watcher.submit(waiting)
        open_gate(tmp_path, 0)
    finally:
        slurm_alone.SERVICE.up()

    assert watcher.end(running.key).exit_code == 3
    assert watcher.end(waiting.key).cause is Cause.UNREACHABLE


@pytest.mark.slow
def test_a_job_over_its_time_limit_has_timed_out(tmp_path):
    watcher = watched(tmp_path / "state", limit_s=150.0)
    text = "trap 'echo told; exit 0' TERM; while :; do sleep 0.1; done"
    task = headed(tmp_path, 0, text, ("--partition=main", "--time=1"))
    watcher.submit(task)

    end = watcher.end(task.key)
    watcher.executor.close()

    assert (end.cause, end.exit_code) == (Cause.TIMED_OUT, 0)
    assert stdout_of(task) == "told\n"


def test_a_job_that_gives_way_to_another_was_preempted(slurm_alone, watcher, tmp_path):
    whole_node = "--nodelist=n4 --exclusive --mem=0"
    task = gated(tmp_path, 0, options={"slurm_params": f"--partition=spare {whole_node}"})
    watcher.submit(task)
    watcher.first(Started, task.key)

    words = ["sbatch", "--parsable", "--partition=main", *whole_node.split(), "--wrap=true"]
    subprocess.run([*words, "-o", "/dev/null"], check=True, capture_output=True)

    end = watcher.end(task.key)
    assert (end.cause, end.message) == (Cause.PREEMPTED, "its nodes were given to another job")
    for pid in pids_of(tmp_path, 0):
        wait_for_death(pid)


@pytest.mark.slow
def test_a_dead_node_is_told_as_node_failure(slurm_alone, watcher, tmp_path):
    task = job(tmp_path, 0, "sleep 1000", options={"slurm_params": "--nodelist=n4"})
    watcher.submit(task)
    watcher.first(Started, task.key)

    try:
        slurm_alone.kill_node("n4")
        end = watcher.end(task.key)
    finally:
        slurm_alone.SERVICE.up()

    assert end.cause is Cause.NODE_FAILURE


def test_a_killed_wrapper_leaves_slurms_word(watcher, tmp_path):
    # $PPID is the keeper, and its parent the wrapper that Slurm has started.
    task = job(tmp_path, 0, "ps -o ppid= $PPID > pid.0; exec sleep 1000")
    watcher.submit(task)
    (wrapper,) = pids_of(tmp_path, 0)

    os.kill(wrapper, signal.SIGKILL)

    end = watcher.end(task.key)
    # Slurm without cgroups, as here, does not see to what is left.
    for pid in left_of(submitted_id(watcher, task)):
        os.kill(pid, signal.SIGKILL)
    assert (end.cause, end.signal) == (Cause.SIGNAL, signal.SIGKILL)
