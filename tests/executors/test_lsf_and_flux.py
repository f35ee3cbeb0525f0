"""LSF and Flux: what is asked for, what rare answers mean, on false systems."""

import time
from dataclasses import replace
from pathlib import Path

import pytest
from batches import QUICK
from places import gated, job, open_gate

from segue.executors import flux_text, lsf_text
from segue.executors.batch_answers import Refusal
from segue.executors.batch_program import refusal_of
from segue.executors.batch_request import OptionError
from segue.executors.batch_states import STATES
from segue.executors.flux import open_flux
from segue.executors.lsf import open_lsf
from segue.model.errors import ExecutorError
from segue.model.events import Ended
from segue.model.states import Cause
from segue.model.workflow import Output, Resources, Script
from segue.testing.executor_suite import Watcher
from segue.testing.false_batch import FLUX, LSF, FalseBatch

OPENERS = {"lsf": (open_lsf, LSF), "flux": (open_flux, FLUX)}


class System:
    """One false system with a watched executor on it."""

    def __init__(self, kind, tmp_path):
        opener, programs = OPENERS[kind]
        self.asking_fails = {"lsf": "bjobs.fails", "flux": "flux.jobs.fails"}[kind]
        self.submitting_fails = {"lsf": "bsub.fails", "flux": "flux.batch.fails"}[kind]
        self.trouble = ""
        self.cluster = FalseBatch(tmp_path / "cluster", programs)
        self.opener = lambda: opener(tmp_path / "state", settings=replace(QUICK, arrays=False))

    def open(self):
        self.watcher = Watcher(self.opener(), 30.0)

    def poll_until(self, happened):
        """Poll until it has happened; what cannot be asked is remembered as `trouble`."""
        deadline = time.monotonic() + 30
        while not happened():
            assert time.monotonic() < deadline, "it does not happen"
            try:
                self.watcher.heard += self.watcher.executor.poll({})
            except ExecutorError as error:
                self.trouble = str(error)
            time.sleep(0.01)

    def close(self):
        self.watcher.executor.close()
        self.cluster.close()


@pytest.fixture(params=OPENERS)
def system(request, tmp_path, monkeypatch):
    yield from opened(request.param, tmp_path, monkeypatch)


@pytest.fixture
def lsf(tmp_path, monkeypatch):
    yield from opened("lsf", tmp_path, monkeypatch)


@pytest.fixture
def flux(tmp_path, monkeypatch):
    yield from opened("flux", tmp_path, monkeypatch)


def opened(kind, tmp_path, monkeypatch):
    system = System(kind, tmp_path)
    monkeypatch.setenv("PATH", system.cluster.path)
    system.open()
    yield system
    system.close()


def headed(tmp_path, number, *lines, text="echo done", **fields):
    head = "\n".join(lines)
    script = Script(f"#!/bin/bash\n{head}\n\n{text}\n", file=f"s{number}.sh")
    return job(tmp_path, number, script, **fields)


# -- what is asked for ------------------------------------------------------------------------


def test_the_head_of_an_lsf_script_goes_to_bsub_without_what_is_ours(lsf, tmp_path):
    each = headed(
        tmp_path,
        0,
        *("#BSUB -nnodes 2", "#BSUB -q pbatch", "#BSUB -J fit", "#BSUB -o fit.%J.out"),
        "#BSUB -W 01:30",
        output=Output("fit.{job_id}.out", "fit.{job_id}.err"),
    )

    lsf.watcher.submit(each)
    end = lsf.watcher.end(each.key)

    [words] = lsf.cluster.calls("bsub")
    assert words[:10] == [
        *("-cwd", str(tmp_path), "-nnodes", "2", "-q", "pbatch", "-J", "fit", "-W", "01:30")
    ]
    assert "fit.%J.out" not in words
    assert end.cause is None
    assert (tmp_path / f"fit.{end.job_id}.out").read_text() == "done\n"


def test_a_nested_flux_job_is_a_batch_and_another_one_a_submit(flux, tmp_path):
    nested = headed(tmp_path, 0, "#flux: -N 2", "#flux: --conf=a.b=1", "#flux: --output=x.out")
    plain = headed(
        tmp_path,
        1,
        "#flux: -N 1",
        "#flux: --conf=a.b=1",
        options={"nested": False, "priority": "low"},
    )

    flux.watcher.submit(nested, plain)
    flux.watcher.ends([nested.key, plain.key])

    first, second = sorted(
        words for words in flux.cluster.calls("flux") if words[0] in ("batch", "submit")
    )
    assert first[:4] == ["batch", "-N", "2", "--conf=a.b=1"]
    assert "--output=x.out" not in first
    assert second[:4] == ["submit", "-N", "1", "--urgency=9"]


def test_a_job_without_a_head_asks_for_its_resources(system, tmp_path):
    resources = Resources(nodes=1, processes=4, queue="debug", walltime_s=90)
    each = job(tmp_path, 0, "true", resources=resources)

    system.watcher.submit(each)

    assert system.watcher.end(each.key).cause is None


@pytest.mark.parametrize("priority", ["sometimes", 2, -1])
def test_a_priority_that_is_none_is_refused(flux, tmp_path, priority):
    each = headed(tmp_path, 0, options={"priority": priority})

    flux.watcher.submit(each)

    end = flux.watcher.end(each.key)
    assert end.cause is Cause.REFUSED
    assert "neither 0 to 1" in end.message


@pytest.mark.parametrize(
    ("priority", "urgency"),
    [
        ("held", 0),
        ("Minimal", 1),
        ("LOW", 9),
        ("medium", 16),
        ("expedited", 31),
        (0.1, 4),
        ("1", 31),
    ],
)
def test_priorities_are_urgencies(priority, urgency):
    assert flux_text.urgency(priority) == urgency


@pytest.mark.parametrize(
    ("options_of", "line"),
    [
        (lsf_text.options_of, '#BSUB -J "fit[1-10]"'),
        (flux_text.options_of, "#flux: --cc=1-10"),
        (flux_text.options_of, "#flux: --bcc 1-10"),
        (flux_text.options_of, "#flux: --dry-run"),
    ],
)
def test_what_is_not_one_job_is_refused(tmp_path, options_of, line):
    with pytest.raises(OptionError, match="cannot be followed"):
        options_of(headed(tmp_path, 0, line, options={"nested": False}))


def test_an_interactive_lsf_job_is_refused(lsf, tmp_path):
    each = headed(tmp_path, 0, "#BSUB -Is")

    lsf.watcher.submit(each)

    assert lsf.watcher.end(each.key).cause is Cause.REFUSED


def test_a_quote_that_is_not_closed_is_told():
    with pytest.raises(OptionError, match="cannot be split"):
        lsf_text.options_of(headed(Path("/x"), 0, "#BSUB -J 'a"))


# -- answers ----------------------------------------------------------------------------------

ENDS = {
    "EXIT TERM_RUNLIMIT: job killed after reaching LSF run time limit": Cause.TIMED_OUT,
    "EXIT TERM_MEMLIMIT: job killed after reaching LSF memory usage limit": Cause.OUT_OF_MEMORY,
    "EXIT TERM_OWNER: job killed by owner": Cause.CANCELLED,
    "EXIT TERM_PREEMPT: job killed after preemption": Cause.PREEMPTED,
    "ZOMBI": Cause.NODE_FAILURE,
}


@pytest.mark.parametrize("said", ENDS)
def test_lsf_says_why_a_job_has_ended(lsf, tmp_path, said):
    lsf.cluster.switch_on("pending")
    lsf.cluster.switch_on("state", said)
    each = job(tmp_path, 0, "true")

    lsf.watcher.submit(each)

    assert lsf.watcher.end(each.key).cause is ENDS[said]


@pytest.mark.parametrize("result", ["TIMEOUT", "CANCELED"])
def test_flux_says_why_a_job_has_ended(flux, tmp_path, result):
    flux.cluster.switch_on("pending")
    flux.cluster.switch_on("state", f"INACTIVE {result}")
    each = job(tmp_path, 0, "true")

    flux.watcher.submit(each)

    expected = {"TIMEOUT": Cause.TIMED_OUT, "CANCELED": Cause.CANCELLED}[result]
    assert flux.watcher.end(each.key).cause is expected


@pytest.mark.parametrize("state", ["PSUSP", "USUSP", "SSUSP", "UNKWN", "PROV", "WAIT", "NEWWORD"])
def test_a_job_that_lives_in_any_way_is_no_failure(lsf, tmp_path, state):
    each = gated(tmp_path, 0)
    lsf.cluster.switch_on("state", state)

    lsf.watcher.submit(each)
    lsf.poll_until(lambda: len(lsf.cluster.calls("bjobs")) > 3)
    none = lsf.watcher.all(Ended, each.key)
    lsf.cluster.switch_off("state")
    open_gate(tmp_path, 0)

    assert none == []
    assert lsf.watcher.end(each.key).cause is None


def test_one_failed_question_changes_nothing(system, tmp_path):
    each = gated(tmp_path, 0)
    system.watcher.submit(each)
    system.cluster.switch_on(system.asking_fails, "daemon not responding")

    system.poll_until(lambda: "daemon not responding" in system.trouble)
    system.cluster.switch_off(system.asking_fails)
    open_gate(tmp_path, 0)

    assert system.watcher.end(each.key).cause is None


def test_a_submission_that_cannot_be_taken_now_may_pass(system, tmp_path):
    system.cluster.switch_on(system.submitting_fails, "Cannot connect to the daemon")
    each = job(tmp_path, 0, "true")

    system.watcher.submit(each)

    assert system.watcher.end(each.key).cause is Cause.UNREACHABLE


def test_a_submission_that_is_wrong_is_refused_in_the_systems_own_words(system, tmp_path):
    system.cluster.switch_on(system.submitting_fails, "nosuch: No such queue. Job not submitted.")
    each = job(tmp_path, 0, "true")

    system.watcher.submit(each)

    end = system.watcher.end(each.key)
    assert end.cause is Cause.REFUSED
    assert "No such queue" in end.message


def test_a_cancel_with_nothing_in_flight_asks_nobody(system):
    system.watcher.executor.cancel({})

    assert system.cluster.calls("bkill") == []
    assert system.cluster.calls("flux") == []


def test_many_jobs_are_asked_for_in_one_call(lsf, tmp_path):
    jobs = [gated(tmp_path, number) for number in range(20)]
    lsf.watcher.submit(*jobs)
    lsf.poll_until(lambda: bool(lsf.cluster.calls("bjobs")))
    for number in range(20):
        open_gate(tmp_path, number)

    ends = lsf.watcher.ends([each.key for each in jobs])

    assert [end.cause for end in ends] == [None] * 20
    assert len(lsf.cluster.calls("bjobs")[0]) == 4 + 20


def test_ids_of_many_digits_are_whole(lsf, tmp_path):
    each = job(tmp_path, 0, "true")

    lsf.watcher.submit(each)

    assert len(lsf.watcher.end(each.key).job_id) == 9


def test_each_word_that_they_are_translated_into_is_one_of_slurms():
    words = {*lsf_text.STATES.values(), *lsf_text.REASONS.values()}
    words |= {*flux_text.STATES.values(), *flux_text.RESULTS.values()}

    assert words <= STATES.keys()


@pytest.mark.parametrize(
    ("words", "refusal"),
    [
        ("Failed in an LSF library call: Communication time out", Refusal.UNSURE),
        ("flux-batch: ERROR: Connection reset by peer", Refusal.UNSURE),
        ("flux-submit: ERROR: Connection timed out", Refusal.UNSURE),
        ("Cannot connect to LSF. Request timed out. Job not submitted.", Refusal.NOT_NOW),
        ("LSF daemon not responding. Job not submitted.", Refusal.NOT_NOW),
        ("flux-batch: ERROR: Unable to connect to Flux: Connection refused", Refusal.NOT_NOW),
        ("Request from a non-LSF host rejected. Job not submitted.", Refusal.FOR_EVER),
        ("flux-batch: ERROR: queue debug is unknown", Refusal.FOR_EVER),
    ],
)
def test_words_of_a_submission_say_whether_it_may_have_come_through(words, refusal):
    assert refusal_of(words) is refusal


def test_what_lsf_says_without_a_reason_has_none():
    lines = ["7|EXIT|75|n1|-|r.0.1@abcdef12", "8|PEND|-|-|-|x", "9|PSUSP|-|-|-|x"]

    rows = lsf_text.read_bjobs("\n".join(lines)).rows

    assert (rows["7"].reason, rows["8"].reason, rows["9"].reason) == ("", "", "PSUSP")


def test_all_jobs_of_flux_are_listed_though_there_are_thousands():
    assert "--count=1000000" in flux_text.jobs_command([])
    assert flux_text.jobs_command(["f1"])[-1] == "f1"


def test_a_job_that_waits_in_flux_is_in_a_state_that_says_why():
    rows = flux_text.read_jobs("f1|DEPEND||-||fit\nf2|RUN||-|1|fit").rows

    assert (rows["f1"].state, rows["f1"].reason, rows["f2"].reason) == ("PENDING", "DEPEND", "")
