"""The rows of a study in each state, and the file that is made of them."""

import pytest

from segue.maestro.outline import Outline, make_outline
from segue.maestro.rows import HEADER, STATE_WORDS, WORDS, Row
from segue.maestro.status_csv import csv_line, parse_csv
from segue.maestro.table import StudyTable
from segue.model.run import AttemptRecord, TaskRecord
from segue.model.states import Cause, TaskState
from segue.model.workflow import Barrier, Nothing, Script, Task

NOON = 1_700_000_000.0


def outline(*tasks, barriers=()):
    return make_outline([*tasks, *barriers])


def step(name, *needs, **fields):
    return Task(name, Nothing(), needs=needs, workdir=name, **fields)


def attempt(position, number=1, state=TaskState.RUNNING, **fields):
    return AttemptRecord(position, number, state, "local", "/x", **fields)


def only_row(record, *attempts, now=NOON + 100, **fields):
    table = StudyTable(outline(step("a", **fields)), [record], attempts)
    return table.row(0, now)


@pytest.mark.parametrize("state", TaskState)
def test_every_state_has_a_word_of_maestro(state):
    assert WORDS[state] in STATE_WORDS


@pytest.mark.parametrize(
    ("cause", "restart", "word"),
    [
        (Cause.EXIT_CODE, False, "FAILED"),
        (Cause.OUT_OF_MEMORY, False, "FAILED"),
        (Cause.TIMED_OUT, False, "TIMEDOUT"),
        (Cause.TIMED_OUT, True, "FAILED"),
        (Cause.NODE_FAILURE, False, "HWFAILURE"),
        (Cause.LOST, False, "HWFAILURE"),
    ],
)
def test_a_failure_has_the_word_of_its_cause(cause, restart, word):
    record = TaskRecord(TaskState.FAILED, 1, cause)

    assert only_row(record, restart=Script("x") if restart else None).state == word


def test_a_step_that_has_not_begun_has_neither_times_nor_a_job():
    row = only_row(TaskRecord())

    assert row == Row(
        "a", "--", "a", "INITIALIZED", "--:--:--", "--:--:--", "--", "--", "--", "0", ""
    )


def test_a_running_step_shows_how_long_it_has_run():
    running = attempt(0, submitted_at=NOON - 5, started_at=NOON, job_id="keeper:4711")

    row = only_row(TaskRecord(TaskState.RUNNING, 1), running, now=NOON + 3661)

    assert (row.run_time, row.elapsed_time) == ("0d:01h:01m:01s", "0d:01h:01m:06s")
    assert (row.job_id, row.end_time) == ("4711", "--")


def test_the_time_of_a_step_counts_all_its_tries():
    first = attempt(0, submitted_at=NOON, started_at=NOON, ended_at=NOON + 2, job_id="k:1")
    second = attempt(0, 2, submitted_at=NOON + 4, started_at=NOON + 4, ended_at=NOON + 7)

    row = only_row(TaskRecord(TaskState.FAILED, 2, Cause.EXIT_CODE), first, second)

    assert row.run_time == "0d:00h:00m:07s"
    assert row.job_id == "1"  # the newest that is known


def test_restarts_are_counted():
    assert only_row(TaskRecord(TaskState.RUNNING, 3, restarts=2)).number_restarts == "2"


def test_a_job_of_a_batch_system_has_its_whole_id():
    job = AttemptRecord(0, 1, TaskState.RUNNING, "slurm", "/x", job_id="12_3")

    assert only_row(TaskRecord(TaskState.RUNNING, 1), job).job_id == "12_3"


# Skipped -------------------------------------------------------------------------

SKIPPED = TaskRecord(TaskState.SKIPPED, cause=Cause.UPSTREAM_FAILED)


def test_what_is_skipped_behind_a_failure_has_failed_when_that_did():
    chain = outline(step("a"), step("b", "a"), step("c", "b"))
    failed = TaskRecord(TaskState.FAILED, 1, Cause.EXIT_CODE)

    table = StudyTable(chain, [failed, SKIPPED, SKIPPED], [attempt(0, ended_at=NOON)])

    rows = table.rows(NOON + 9)
    assert [row.state for row in rows] == ["FAILED"] * 3
    assert len({row.end_time for row in rows}) == 1
    assert table.counts() == {"FAILED": 3}


def test_what_is_skipped_behind_a_cancel_is_cancelled_through_barriers_too():
    nodes = outline(step("a"), step("b"), step("c", "all"), barriers=[Barrier("all", ("a", "b"))])
    cancelled = TaskRecord(TaskState.CANCELLED, cause=Cause.CANCELLED)
    fine = TaskRecord(TaskState.SUCCEEDED, 1)

    table = StudyTable(nodes, [cancelled, fine, SKIPPED, SKIPPED])

    assert table.row(2, NOON).state == "CANCELLED"


def test_what_is_run_again_is_no_longer_skipped():
    pair = outline(step("a"), step("b", "a"))
    table = StudyTable(pair, [TaskRecord(TaskState.FAILED, 1, Cause.EXIT_CODE), SKIPPED])
    table.rows(NOON)

    table.note_record(0, TaskRecord(TaskState.CANCELLED, 1, Cause.CANCELLED))

    assert table.row(1, NOON).state == "CANCELLED"


# The file ------------------------------------------------------------------------


def test_only_what_has_changed_is_written_anew():
    table = StudyTable(outline(step("a"), step("b", "a")))
    table.csv(NOON)
    assert not table.changed

    table.note_record(1, TaskRecord(TaskState.SUCCEEDED, 1))

    assert table.changed
    assert [row.state for row in parse_csv(table.csv(NOON))] == ["INITIALIZED", "FINISHED"]


def test_what_runs_grows_older():
    table = StudyTable(outline(step("a")), [TaskRecord(TaskState.RUNNING, 1)])
    table.note_attempt(attempt(0, started_at=NOON, submitted_at=NOON))
    table.csv(NOON)

    table.grow_older()

    assert parse_csv(table.csv(NOON + 60))[0].run_time == "0d:00h:01m:00s"


def test_rows_are_chosen_by_their_state():
    table = StudyTable(outline(step("a"), step("b")), [TaskRecord(), TaskRecord(TaskState.READY)])
    table.note_record(0, TaskRecord(TaskState.SUCCEEDED, 1))

    assert [row.step_name for row in table.rows(NOON, ["FINISHED"])] == ["a"]


def test_the_file_has_the_form_of_the_original():
    table = StudyTable(outline(step("a", parameters={"N": 1, "M": "x"})))

    text = table.csv(NOON)

    assert text == (
        "Step Name,Job ID,Workspace,State,Run Time,Elapsed Time,Start Time,Submit Time,End Time,"
        "Number Restarts,Params\n"
        "a,--,a,INITIALIZED,--:--:--,--:--:--,--,--,--,0,N:1;M:x"
    )


@pytest.mark.parametrize("name", ["a,b", 'a"b', "a\nb", ",", '","', "a\r\nb"])
def test_any_value_comes_back_from_the_file(name):
    values = ["x"] * len(HEADER)
    values[0] = values[-1] = name
    row = Row(*values)

    assert parse_csv(f"head\n{csv_line(row)}"[5:]) == [row]


def test_an_empty_study_has_an_empty_table():
    table = StudyTable(Outline([], [], [], [], [], []))

    assert parse_csv(table.csv(NOON)) == []
