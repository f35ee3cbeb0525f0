"""What is said to Slurm and what its answers mean, as values."""

import pytest
from places import job

from segue.executors.batch_answers import Refusal
from segue.executors.batch_outbox import id_of
from segue.executors.batch_request import OptionError
from segue.executors.batch_states import STATES, meaning_of
from segue.executors.slurm_options import header_options, parse_options
from segue.executors.slurm_request import _mended, grouped, request_of, single_command
from segue.executors.slurm_settings import settings_of
from segue.executors.slurm_text import read_sacct, read_squeue, refusal_of, squeue_command
from segue.model.errors import UserError
from segue.model.workflow import Output, Resources, Script

#: As Slurm 22.05.8 has said it.
SQUEUE = (
    "71                              FAILED                  768             n1"
    + " " * 62
    + "1795256429                  1795256430                  NonZeroExitCode"
    + " " * 33
    + "2       "
    + "r.0.1@0a1b2c3d4e5f my | own ü\n"
    + "2_3                             PENDING                 0               n/a"
    + " " * 61
    + "N/A                         N/A                         JobArrayTaskLimit"
    + " " * 31
    + "0       "
    + "(null)\n"
)


def test_a_line_of_squeue_is_read_by_the_width_of_its_fields():
    rows = read_squeue(SQUEUE).rows

    first = rows["71"]
    assert (first.state, first.ended_with, first.node) == ("FAILED", (3, 0), "n1")
    assert (first.restarts, rows["2_3"].restarts) == (2, 0)
    assert (first.start, first.end, first.ticket) == (1795256429, 1795256430, "0a1b2c3d4e5f")
    assert (rows["2_3"].node, rows["2_3"].start, rows["2_3"].comment) == ("", None, "")


@pytest.mark.parametrize("line", ["71", "what?", "71                              ", "x" * 500])
def test_a_line_that_is_none_is_told_and_no_other_is_lost(line):
    listing = read_squeue(f"{line}\n{SQUEUE}")

    assert listing.unreadable == (line,)
    assert set(listing.rows) == {"71", "2_3"}


def test_very_many_jobs_are_not_listed_one_by_one():
    few = squeue_command(["7", "9_1", "9_2"], "1000")
    many = squeue_command([str(number) for number in range(5000)], "1000")

    assert "--jobs=7,9" in few
    assert "--user=1000" in many
    assert len(" ".join(many)) < 1000


def test_elements_that_sacct_shows_together_are_the_row_of_their_array():
    text = "2_[2-3,7%2]|PENDING|0:0|Unknown|Unknown|00:00:00||None assigned\n"

    assert {job_id: row.state for job_id, row in read_sacct(text).rows.items()} == {"2": "PENDING"}


def test_steps_in_the_answer_of_sacct_are_no_jobs():
    assert read_sacct("2_1.batch|X|0:0|1|2||3M|n\n").rows == {}


@pytest.mark.parametrize(
    ("words", "refusal"),
    [
        ("Batch job submission failed: Socket timed out on send/recv operation", Refusal.UNSURE),
        ("Batch job submission failed: Zero Bytes were transmitted or received", Refusal.UNSURE),
        ("QOSMaxSubmitJobPerUserLimit\nJob violates accounting/QOS policy", Refusal.LIMIT),
        ("AssocMaxSubmitJobLimit\nJob violates accounting/QOS policy", Refusal.LIMIT),
        ("Batch job submission failed: Resource temporarily unavailable", Refusal.LIMIT),
        ("Unable to contact slurm controller (connect failure)", Refusal.NOT_NOW),
        ("Could not establish a configuration source", Refusal.NOT_NOW),
        ("QOSMaxWallDurationPerJobLimit\nJob violates accounting/QOS policy", Refusal.FOR_EVER),
        ("Batch job submission failed: Invalid partition name specified", Refusal.FOR_EVER),
        ("Requested node configuration is not available", Refusal.FOR_EVER),
        ("unrecognized option '--frob'", Refusal.FOR_EVER),
    ],
)
def test_words_of_sbatch_say_whether_it_may_pass(words, refusal):
    assert refusal_of(f"sbatch: error: {words}") is refusal


@pytest.mark.parametrize("state", STATES)
def test_every_state_is_known_in_each_way_that_slurm_writes_it(state):
    assert meaning_of(state) == meaning_of(f"{state} by 0") == STATES[state]


# Options -----------------------------------------------------------------------------


def test_options_are_read_as_getopt_reads_them():
    options = parse_options(
        ["--ntasks=2", "--part=x", "-c", "4", "-Hn8", "--exclusive=user", "--comment", "a b"]
    )

    assert [(option.name, option.value) for option in options] == [
        ("ntasks", "2"), ("partition", "x"), ("cpus-per-task", "4"), ("hold", None),
        ("ntasks", "8"), ("exclusive", "user"), ("comment", "a b"),
    ]  # fmt: skip


@pytest.mark.parametrize("words", [["-c"], ["--nodes"], ["--ntasks-per=3"], ["-y"], ["--", "x"]])
def test_what_is_no_option_is_said(words):
    with pytest.raises(OptionError):
        parse_options(words)


@pytest.mark.parametrize(
    "option", ["--wrap=x", "-a0-3", "--array=1", "-W", "--parsa", "-D/x", "--requeue", "-M other"]
)
def test_options_that_are_ours_are_refused_with_something_to_do(tmp_path, option):
    task = job(tmp_path, 0, "true", options={"slurm_params": option})

    with pytest.raises(OptionError, match=";"):
        request_of(task)


def test_a_name_with_a_field_that_means_nothing_is_refused(tmp_path):
    task = job(tmp_path, 0, "true", options={"slurm_params": "-o x.%a"})

    with pytest.raises(OptionError, match="%a"):
        request_of(task)


# Requests ----------------------------------------------------------------------------


def with_header(tmp_path, number, *lines, **fields):
    text = "\n".join(["#!/bin/bash", *(f"#SBATCH {line}" for line in lines), "", "true", ""])
    return job(tmp_path, number, Script(text), **fields)


def test_what_is_ours_stands_behind_what_is_the_users(tmp_path):
    task = job(tmp_path, 0, "true", options={"slurm_params": "--partition=a --comment='b c'"})

    words = single_command(request_of(task), "0a1b2c")

    assert words[:3] == ["sbatch", "--parsable", "--partition=a"]
    assert "--comment=r.0.1@0a1b2c b c" in words
    assert words[-2:] == ["--no-requeue", f"{task.folder}/job"]


def test_a_header_that_asks_for_tasks_is_left_alone(tmp_path):
    resources = Resources(processes=4, cores_per_process=2)
    task = with_header(tmp_path, 0, "--ntasks=3", "-c 5", resources=resources)

    assert request_of(task).arguments == ()


def test_a_header_with_an_array_is_refused(tmp_path):
    with pytest.raises(OptionError, match="array"):
        request_of(with_header(tmp_path, 0, "--array=0-3"))


def test_output_without_error_holds_both(tmp_path):
    request = request_of(with_header(tmp_path, 0, "--output=x_%j.log"))

    assert (request.output, request.joined) == ({"stdout": "x_{job_id}.log"}, True)
    assert not [word for word in single_command(request, "0a1b2c") if word.startswith("--error")]


def test_the_output_of_a_dialect_wins_over_a_header(tmp_path):
    task = with_header(tmp_path, 0, '--output="s.out"', output=Output("a.out", "a.err"))

    assert request_of(task).output == {"stdout": "a.out", "stderr": "a.err"}


def test_paths_with_percents_are_no_patterns(tmp_path):
    folder = tmp_path / "100%j"
    task = job(folder, 0, "true")

    assert f"--output={tmp_path}/100%%j/r.0.1/stdout" in single_command(request_of(task), "0a1b")


def test_only_names_output_and_comments_may_differ_in_an_array(tmp_path):
    alike = [
        with_header(tmp_path, number, "--nodes=1", f"--job-name=s{number}", f'--output="{number}"',
                    f'--comment "{number}"', output=Output("o", "e"))
        for number in range(10)
    ]  # fmt: skip
    other = with_header(tmp_path, 10, "--nodes=2", output=Output("o", "e"))
    requests = [request_of(task) for task in [*alike, other]]

    groups = grouped(requests, arrays=True, at_most=1000)

    assert [len(group) for group in groups] == [10, 1]
    assert len(grouped(requests, arrays=False, at_most=1000)) == 11


def test_arrays_are_no_larger_than_the_cluster_takes(tmp_path):
    requests = [request_of(job(tmp_path, number, "true")) for number in range(20)]

    groups = grouped(requests, arrays=True, at_most=9)

    assert [len(group) for group in groups] == [9, 9, 1, 1]


def test_an_element_is_named_by_its_place():
    assert [id_of("7", place) for place in (None, 0, 12)] == ["7", "7_0", "7_12"]


# Settings ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "variables",
    [{"SEGUE_SLURM_POLL_S": "often"}, {"SEGUE_SLURM_POLL_S": "0"}, {"SEGUE_SLURM_ARRAYS": "no"}],
)
def test_a_setting_that_is_none_is_a_mistake_of_the_user(variables):
    with pytest.raises(UserError, match=next(iter(variables))):
        settings_of(variables)


def test_settings_are_read():
    settings = settings_of({"SEGUE_SLURM_POLL_S": "7.5", "SEGUE_SLURM_ARRAYS": "off"})

    assert (settings.poll_s, settings.arrays) == (7.5, False)
    assert settings_of({}).arrays


def test_fewer_processes_than_nodes_are_left_to_the_header():
    header = header_options(["#SBATCH --nodes=2"])

    assert _mended(Resources(nodes=2, processes=1), header) == []
    assert _mended(Resources(nodes=2, processes=2), header) == ["--ntasks=2"]
