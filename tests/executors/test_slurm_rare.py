"""What a Slurm does once a year, done by a false one."""

import logging
import shutil
from pathlib import Path

import pytest
from batches import headed, opened, watched
from places import gated, job, open_gate, pids_of

from segue.executors.slurm_commands import SlurmCommands
from segue.model.errors import ExecutorError
from segue.model.events import Ended, Queued, Returned, Started, Submitted
from segue.model.states import Cause
from segue.testing.executor_suite import Watcher
from segue.testing.false_slurm import FalseSlurm


@pytest.fixture
def cluster(tmp_path, monkeypatch):
    cluster = FalseSlurm(tmp_path / "slurm")
    monkeypatch.setenv("PATH", cluster.path)
    yield cluster
    cluster.close()


@pytest.fixture
def watcher(tmp_path, cluster):
    watcher = watched(tmp_path / "state", limit_s=30.0)
    yield watcher
    watcher.executor.close()


def running(watcher, tmp_path, number=0, **fields):
    """A job that runs; it ends when its gate is opened."""
    task = gated(tmp_path, number, **fields)
    watcher.submit(task)
    pids_of(tmp_path, number)
    watcher.first(Started, task.key)
    return task


def job_id(watcher, task):
    return watcher.first(Submitted, task.key).job_id


def ask_now(watcher):
    """Ask Slurm at once; the times between polls are not what is tested."""
    watcher.executor._ask_at = 0.0
    watcher._hear(watcher.executor.poll({}))


# States ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "state",
    ["CONFIGURING", "SUSPENDED", "REQUEUED", "REQUEUE_HOLD", "SPECIAL_EXIT", "STOPPED",
     "SIGNALING", "RESIZING", "COMPLETING", "STAGE_OUT", "PENDING", "ON_HOLIDAY"],
)  # fmt: skip
def test_a_job_in_a_state_that_is_no_end_lives(watcher, cluster, tmp_path, state):
    task = running(watcher, tmp_path, exit_code=3)
    cluster.switch_on(f"state.{job_id(watcher, task)}", state)

    for _ in range(3):
        ask_now(watcher)

    assert not watcher.all(Ended, task.key)
    cluster.switch_off(f"state.{job_id(watcher, task)}")
    open_gate(tmp_path, 0)
    assert watcher.end(task.key).exit_code == 3


@pytest.mark.parametrize(
    ("state", "cause"),
    [
        ("PREEMPTED", Cause.PREEMPTED),
        ("NODE_FAIL", Cause.NODE_FAILURE),
        ("BOOT_FAIL", Cause.NODE_FAILURE),
        ("OUT_OF_MEMORY", Cause.OUT_OF_MEMORY),
        ("TIMEOUT", Cause.TIMED_OUT),
        ("DEADLINE", Cause.TIMED_OUT),
        ("CANCELLED by 0", Cause.CANCELLED),
    ],
)
def test_an_end_that_slurm_gives_a_cause_for_has_that_cause(
    watcher, cluster, tmp_path, state, cause
):
    task = running(watcher, tmp_path)
    cluster.switch_on(f"state.{job_id(watcher, task)}", state)

    assert watcher.end(task.key).cause is cause


def test_why_a_job_waits_is_told_in_slurms_words_by_the_question_that_is_asked_anyway(
    tmp_path, cluster
):
    watcher = watched(tmp_path / "state", limit_s=30.0, tell_after_s=0.0, tell_every_s=0.0)
    cluster.switch_on("pending")
    cluster.switch_on("reason.1", "Priority")
    task = gated(tmp_path, 0)
    watcher.submit(task)

    said = watcher.first(Queued, task.key).message
    cluster.switch_on("reason.1", "QOSMaxJobsPerUserLimit")
    watcher.until(lambda: len(watcher.all(Queued, task.key)) > 1)
    cluster.start_pending()
    watcher.first(Started, task.key)
    open_gate(tmp_path, 0)

    assert watcher.end(task.key).cause is None
    assert said == "it waits in the queue: Priority"
    assert [each.message.rpartition(" ")[2] for each in watcher.all(Queued, task.key)] == [
        *("Priority", "QOSMaxJobsPerUserLimit")
    ]
    watcher.executor.close()


def test_a_state_that_nobody_knows_is_told_once(watcher, cluster, tmp_path, caplog):
    task = running(watcher, tmp_path)
    cluster.switch_on(f"state.{job_id(watcher, task)}", "ON_HOLIDAY")

    with caplog.at_level(logging.WARNING, "segue.batch"):
        for _ in range(3):
            ask_now(watcher)

    assert [record.getMessage().count("ON_HOLIDAY") for record in caplog.records] == [1]


def test_a_program_that_ended_well_has_ended_though_slurm_still_cleans_up(
    watcher, cluster, tmp_path
):
    task = running(watcher, tmp_path)
    cluster.switch_on(f"state.{job_id(watcher, task)}", "COMPLETING")
    open_gate(tmp_path, 0)

    assert watcher.end(task.key).cause is None


# Questions without answers -----------------------------------------------------------


def test_a_poll_that_fails_changes_nothing(watcher, cluster, tmp_path):
    task = running(watcher, tmp_path, exit_code=2)
    cluster.switch_on("squeue.fails", "slurm_load_jobs error: Unable to contact slurm controller")
    watcher.executor._ask_at = 0.0

    with pytest.raises(ExecutorError, match="Unable to contact"):
        watcher.executor.poll({})

    cluster.switch_off("squeue.fails")
    open_gate(tmp_path, 0)
    assert watcher.end(task.key).exit_code == 2


def test_an_end_is_told_by_the_bell_while_squeue_fails(watcher, cluster, tmp_path):
    task = running(watcher, tmp_path)
    cluster.switch_on("squeue.fails", "no")
    open_gate(tmp_path, 0)

    def told():
        if watcher.executor.due_s() == 0:
            watcher._hear(watcher.executor.poll({}))
        return bool(watcher.all(Ended, task.key))

    watcher.executor._ask_at = float("inf")
    watcher._next = lambda left_s: []
    watcher.until(told)


def test_a_line_that_cannot_be_read_costs_only_its_job(watcher, cluster, tmp_path):
    first, second = running(watcher, tmp_path, 0), running(watcher, tmp_path, 1)
    cluster.switch_on("squeue.garbled", job_id(watcher, first))
    cluster.switch_on(f"state.{job_id(watcher, second)}", "PREEMPTED")

    assert watcher.end(second.key).cause is Cause.PREEMPTED
    assert not watcher.all(Ended, first.key)
    open_gate(tmp_path, 0)
    assert watcher.end(first.key).cause is None


def test_a_job_that_squeue_has_dropped_has_the_end_that_sacct_knows(watcher, cluster, tmp_path):
    task = running(watcher, tmp_path)
    number = job_id(watcher, task)
    cluster.switch_on(f"accounted.{number}", "CANCELLED+")
    cluster.switch_on("squeue.hidden", number)

    end = watcher.end(task.key)

    assert (end.cause, end.usage.peak_rss_bytes) == (Cause.CANCELLED, 4 * 2**20)


@pytest.mark.parametrize("trouble", ["missing", "disabled"])
def test_without_accounts_the_exit_record_speaks(watcher, cluster, tmp_path, monkeypatch, trouble):
    if trouble == "missing":
        cluster.remove_program("sacct")
        monkeypatch.setenv("PATH", f"{cluster.folder}/bin:{tools(tmp_path)}")
    else:
        cluster.switch_on("sacct.disabled")
    task = running(watcher, tmp_path, exit_code=6)
    cluster.switch_on("squeue.hidden", job_id(watcher, task))
    # Longer than this test has patience for: only the record can end it.
    watcher.executor._settings = opened(
        tmp_path / "other", patience=watcher.executor._settings.patience._replace(lost_after_s=99)
    )._settings
    open_gate(tmp_path, 0)

    assert watcher.end(task.key).exit_code == 6


def tools(tmp_path):
    """A folder with what jobs need and no Slurm, whatever else this machine has."""
    folder = tmp_path / "tools"
    folder.mkdir()
    for name in ("bash", "mv", "rm", "sleep"):
        (folder / name).symlink_to(shutil.which(name))
    return folder


def test_a_job_with_a_record_ends_by_it_though_nobody_can_be_asked(watcher, cluster, tmp_path):
    task = running(watcher, tmp_path, exit_code=6)
    cluster.switch_on("squeue.hidden", job_id(watcher, task))
    cluster.switch_on("sacct.fails", "slurmdbd is down")
    open_gate(tmp_path, 0)

    assert watcher.end(task.key).exit_code == 6


def test_a_job_that_nobody_knows_is_lost_and_stopped(watcher, cluster, tmp_path):
    task = running(watcher, tmp_path)
    number = job_id(watcher, task)
    cluster.switch_on("squeue.hidden", number)
    cluster.switch_on("sacct.hidden", number)

    end = watcher.end(task.key)

    assert (end.cause, number in end.message) == (Cause.LOST, True)
    assert cluster.calls("scancel") == [["--quiet", number]]


# Submissions -------------------------------------------------------------------------


def impatient(monkeypatch, tmp_path):
    """An executor whose sbatch may take a second."""
    monkeypatch.setattr(SlurmCommands.__init__, "__kwdefaults__",
                        {"sbatch_limit_s": 1.0, "ask_limit_s": 60.0})  # fmt: skip
    return watched(tmp_path / "state", limit_s=30.0, unsure_s=30.0)


def test_a_job_whose_submission_was_not_answered_is_found_by_its_ticket(
    monkeypatch, cluster, tmp_path
):
    watcher = impatient(monkeypatch, tmp_path)
    cluster.switch_on("sbatch.silent")
    task = job(tmp_path, 0, "exit 5")
    watcher.submit(task)

    assert watcher.end(task.key).exit_code == 5
    assert len(cluster.jobs()) == 1
    watcher.executor.close()


@pytest.mark.parametrize(
    ("said", "cause"),
    [
        ("error: Batch job submission failed: Unable to contact slurm controller",
         Cause.UNREACHABLE),
        ("error: Batch job submission failed: Invalid partition name specified", Cause.REFUSED),
    ],
)  # fmt: skip
def test_what_sbatch_says_decides_whether_it_is_tried_again(
    watcher, cluster, tmp_path, said, cause
):
    cluster.switch_on("sbatch.fails", said)
    task = job(tmp_path, 0, "true")
    watcher.submit(task)

    end = watcher.end(task.key)

    assert end.cause is cause
    assert said.removeprefix("error: ") in end.message


def test_a_submission_that_may_have_come_through_and_has_not_is_taken_back(
    watcher, cluster, tmp_path
):
    cluster.switch_on("sbatch.fails", "error: Socket timed out on send/recv operation")
    task = job(tmp_path, 0, "true")
    watcher.submit(task)

    assert watcher.end(task.key).cause is Cause.UNREACHABLE
    (record,) = Path(task.folder).glob("begun.*")
    assert record.read_text() == "revoked\n"


def test_a_job_that_never_said_its_id_ends_by_its_record(watcher, cluster, tmp_path):
    cluster.switch_on("sbatch.fails", "error: Socket timed out on send/recv operation")
    task = job(tmp_path, 0, "true")
    watcher.submit(task)
    ticket = watcher.executor._tracked[task.key].intent.ticket
    # As a wrapper leaves them on a disk that was full when it began.
    Path(task.folder, f"begun.{ticket}").write_text("")
    Path(task.folder, f"exit.{ticket}").write_text("3 12.5 -\n")

    end = watcher.end(task.key)

    assert (end.cause, end.exit_code) == (Cause.EXIT_CODE, 3)


def test_an_array_beyond_a_limit_goes_out_in_parts(watcher, cluster, tmp_path):
    cluster.switch_on("limit", "10")
    tasks = [headed(tmp_path, number, "exit 0", ("--partition=main",)) for number in range(16)]
    watcher.submit(*tasks)

    assert {end.cause for end in watcher.ends([task.key for task in tasks])} == {None}
    assert any("--array=0-7" in words for words in cluster.calls("sbatch"))


def test_arrays_can_be_switched_off(cluster, tmp_path):
    watcher = watched(tmp_path / "state", arrays=False)
    tasks = [job(tmp_path, number, "true") for number in range(10)]
    watcher.submit(*tasks)
    watcher.ends([task.key for task in tasks])
    watcher.executor.close()

    assert len(cluster.calls("sbatch")) == 10
    assert not cluster.calls("scontrol")


def test_what_has_not_gone_out_is_recalled(watcher, cluster, tmp_path):
    tasks = [job(tmp_path, number, "true", resources=resources_of(number)) for number in range(40)]
    watcher.submit(*tasks)

    watcher.executor.recall()
    over = (Ended, Returned)
    watcher.until(lambda: sum(isinstance(each.report, over) for each in watcher.heard) == 40)

    returned = [task for task in tasks if watcher.all(Returned, task.key)]
    assert len(returned) == 8
    assert len(cluster.jobs()) == 32


# Cancels -----------------------------------------------------------------------------


def test_many_jobs_are_cancelled_in_one_call(watcher, cluster, tmp_path):
    tasks = [running(watcher, tmp_path, number) for number in range(5)]

    watcher.executor.cancel({task.key: "" for task in tasks})

    assert {end.cause for end in watcher.ends([task.key for task in tasks])} == {Cause.CANCELLED}
    assert len(cluster.calls("scancel")) == 1


def test_a_cancel_that_fails_is_tried_again(watcher, cluster, tmp_path):
    task = running(watcher, tmp_path)
    cluster.switch_on("scancel.fails", "Unable to contact slurm controller")
    with pytest.raises(ExecutorError, match="scancel"):
        watcher.executor.cancel({task.key: ""})
    cluster.switch_off("scancel.fails")

    assert watcher.end(task.key).cause is Cause.CANCELLED


# After a crash -----------------------------------------------------------------------


def test_a_crash_before_sbatch_gives_the_job_back(watcher, cluster, tmp_path, monkeypatch):
    monkeypatch.setattr(SlurmCommands, "submit", crash)
    task = job(tmp_path, 0, "true")
    with pytest.raises(CrashError):
        watcher.submit(task)
    monkeypatch.undo()
    monkeypatch.setenv("PATH", cluster.path)
    heir = Watcher(opened(tmp_path / "state"))

    assert isinstance(heir.find(task.key)[task.key], Returned)
    heir.executor.close()


def test_a_crash_after_sbatch_does_not_submit_twice(watcher, cluster, tmp_path, monkeypatch):
    cluster.switch_on("pending")
    submit = SlurmCommands.submit
    monkeypatch.setattr(SlurmCommands, "submit", lambda *words: crash(submit(*words)))
    task = job(tmp_path, 0, "exit 3")
    with pytest.raises(CrashError):
        watcher.submit(task)
    heir = Watcher(opened(tmp_path / "state"))

    answer = heir.find(task.key)[task.key]

    assert (type(answer), answer.job_id) == (Submitted, cluster.jobs()[0]["id"])
    cluster.start_pending()
    assert heir.end(task.key).exit_code == 3
    heir.executor.close()


def test_a_job_that_comes_late_after_it_was_given_back_does_nothing(
    watcher, cluster, tmp_path, monkeypatch
):
    """The controller was slow: the job appears after the heir has looked for it."""
    cluster.switch_on("pending")
    submit = SlurmCommands.submit
    monkeypatch.setattr(SlurmCommands, "submit", lambda *words: crash(submit(*words)))
    task = job(tmp_path, 0, "touch ran")
    with pytest.raises(CrashError):
        watcher.submit(task)
    cluster.switch_on("squeue.hidden", cluster.jobs()[0]["id"])
    heir = Watcher(opened(tmp_path / "state"))
    assert isinstance(heir.find(task.key)[task.key], Returned)

    cluster.start_pending()
    heir.until(lambda: cluster.jobs()[0]["state"] == "COMPLETED")

    assert not Path(tmp_path, "ran").exists()
    heir.executor.close()


def test_a_find_that_slurm_does_not_answer_is_asked_again_later(watcher, cluster, tmp_path):
    task = running(watcher, tmp_path)
    watcher.executor.close()
    heir = Watcher(opened(tmp_path / "state"))
    cluster.switch_on("squeue.fails", "Unable to contact slurm controller")
    with pytest.raises(ExecutorError):
        heir.executor.find({task.key: ""})
    cluster.switch_off("squeue.fails")

    assert isinstance(heir.find(task.key)[task.key], Started)
    open_gate(tmp_path, 0)
    assert heir.end(task.key).cause is None
    watcher.executor = heir.executor


def test_a_job_is_found_by_its_id_when_the_journal_is_gone(watcher, cluster, tmp_path):
    task = running(watcher, tmp_path, exit_code=4)
    number = job_id(watcher, task)
    heir = Watcher(opened(tmp_path / "another state"))

    (answer,) = heir.executor.find({task.key: number})

    assert isinstance(answer.report, Started)
    open_gate(tmp_path, 0)
    assert heir.end(task.key).exit_code == 4
    heir.executor.close()


class CrashError(BaseException):
    """The engine dies here."""


def crash(*words):
    raise CrashError


def resources_of(number):
    """A resource that differs, so that no two jobs are elements of one array."""
    from segue.model.workflow import Resources

    return Resources(memory_mb=100 + number)
