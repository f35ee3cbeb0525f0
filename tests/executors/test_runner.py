"""The executor on real runners: what waits, what is lost and found, what is fetched."""

import json
import os
import sys
from pathlib import Path

import pytest
from farm import LONG_S, daemons, executor_on, processes_of, until, watched
from places import alive, gated, job, key, open_gate, pids_of, stdout_of, wait_for_death

from segue import wiring
from segue.executors.runner_journal import Journal, Note
from segue.model.errors import ExecutorError, UserError
from segue.model.events import Ended, Returned, Started, Submitted
from segue.model.pools import PoolSettings, RunnerSettings
from segue.model.states import Cause
from segue.model.workflow import Container, Nothing, Resources
from segue.protocols.executor import JobKey
from segue.testing.executor_suite import Watcher

CORES2 = Resources(processes=2)


@pytest.fixture
def runner(tmp_path):
    with daemons(tmp_path / "farm") as made:
        yield made[0]


@pytest.fixture
def pair(tmp_path):
    with daemons(tmp_path / "farm", 2, cores=1) as made:
        yield made


@pytest.fixture
def state(tmp_path):
    return tmp_path / "state"


def full(watcher, tmp_path, count=2):
    """Fill the runner with jobs that wait."""
    held = [gated(tmp_path, number) for number in range(count)]
    watcher.submit(*held)
    for each in held:
        watcher.first(Started, each.key)
    return held


# The line ---------------------------------------------------------------------------------


def test_what_finds_no_room_waits_and_runs_when_there_is_some(tmp_path, state, runner):
    with watched(state, [runner]) as watcher:
        full(watcher, tmp_path)
        last = job(tmp_path, 5, "echo at last")
        watcher.submit(last)
        watcher.until(lambda: watcher.executor.runners().runners[0].free["cores"] == 0)

        assert watcher.executor.runners().waiting == 1
        assert watcher.all(Submitted, last.key)
        assert not watcher.all(Started, last.key)
        open_gate(tmp_path, 0)
        assert watcher.end(last.key).cause is None
        open_gate(tmp_path, 1)
        watcher.end(key(1))

    assert stdout_of(last) == "at last\n"


def test_what_waits_can_be_cancelled_and_recalled(tmp_path, state, runner):
    with watched(state, [runner]) as watcher:
        full(watcher, tmp_path)
        watcher.submit(job(tmp_path, 5, "true"), job(tmp_path, 6, "true"))

        watcher.executor.cancel({key(5): ""})
        watcher.executor.recall()

        assert watcher.end(key(5)).cause is Cause.CANCELLED
        assert watcher.first(Returned, key(6))
        assert watcher.executor.runners().waiting == 0
        watcher.executor.cancel({key(0): "", key(1): ""})
        assert {end.cause for end in watcher.ends([key(0), key(1)])} == {Cause.CANCELLED}


def test_what_was_recalled_can_be_submitted_again_by_its_name(tmp_path, state, runner):
    with watched(state, [runner]) as watcher:
        full(watcher, tmp_path)
        again = job(tmp_path, 5, "echo once >> log")
        watcher.submit(again)
        watcher.executor.recall()
        watcher.first(Returned, again.key)

        watcher.submit(again)
        open_gate(tmp_path, 0)
        open_gate(tmp_path, 1)

        assert watcher.end(again.key).cause is None
    assert (tmp_path / "log").read_text() == "once\n"


def test_what_no_runner_can_hold_is_refused_with_the_largest(tmp_path, state, pair):
    with watched(state, pair) as watcher:
        large = job(tmp_path, 0, "true", resources=Resources(processes=64, memory_mb=10))
        watcher.submit(large)

        end = watcher.end(large.key)

    assert end.cause is Cause.REFUSED
    assert "64 cores" in end.message
    assert "1 cores, 4000 MB of memory" in end.message


def test_while_a_runner_is_not_known_yet_what_is_too_large_waits(tmp_path, state, runner):
    with daemons(tmp_path / "more", cores=8) as (larger,):
        larger.end()
        with watched(state, [runner, larger]) as watcher:
            large = job(tmp_path, 0, "true", resources=Resources(processes=8))
            watcher.submit(large)
            watcher.until(lambda: watcher.executor.runners().runners[0].reachable)
            assert watcher.executor.runners().waiting == 1

            larger.start()

            assert watcher.end(large.key).cause is None


def test_two_engines_on_one_runner_never_run_more_than_it_has(tmp_path, runner):
    script = "mkdir running.$$; ls -d running.* | wc -l >> counts; sleep 0.05; rmdir running.$$"
    with (
        watched(tmp_path / "state a", [runner]) as first,
        watched(tmp_path / "state b", [runner]) as second,
    ):
        jobs = {
            each: [job(tmp_path, number, script, run=run) for number in range(10)]
            for each, run in ((first, "a"), (second, "b"))
        }
        for watcher, wanted in jobs.items():
            watcher.submit(*wanted)
        ends = [end for each in jobs for end in each.ends([every.key for every in jobs[each]])]

    assert {end.cause for end in ends} == {None}
    counts = [int(line) for line in (tmp_path / "counts").read_text().split()]
    assert len(counts) == 20
    assert max(counts) <= 2


def test_jobs_without_a_process_need_no_runner(tmp_path, state):
    with watched(state, ["http://127.0.0.1:9"]) as watcher:
        watcher.submit(job(tmp_path, 0, Nothing()), job(tmp_path, 1, Container("image", ())))

        assert watcher.end(key(0)).cause is None
        assert watcher.end(key(1)).cause is Cause.REFUSED


# Output -----------------------------------------------------------------------------------


def test_output_comes_whole_and_byte_by_byte(tmp_path, state, runner):
    (tmp_path / "data").write_bytes(os.urandom(10 * 2**20 + 17))
    with watched(state, [runner]) as watcher:
        copy = job(tmp_path, 0, "cat data; cat data >&2")
        watcher.submit(copy)

        assert watcher.end(copy.key).cause is None

    for stream in ("stdout", "stderr"):
        assert Path(copy.folder, stream).read_bytes() == (tmp_path / "data").read_bytes()


def test_output_can_be_read_while_the_job_runs(tmp_path, state, runner):
    with watched(state, [runner]) as watcher:
        talker = gated(tmp_path, 0, before="echo early;")
        watcher.submit(talker)
        watcher.until(lambda: Path(talker.folder, "stdout").exists())

        watcher.first(Started, talker.key)
        until_there(watcher, Path(talker.folder, "stdout"), "early\n")

        assert not watcher.all(Ended, talker.key)
        open_gate(tmp_path, 0)
        watcher.end(talker.key)


def until_there(watcher, path, text):
    """Wait for output, taking in what comes meanwhile."""

    def there():
        watcher.executor.collect()
        return path.read_text() == text

    until(there, f"{text!r} in {path}")


def test_output_goes_on_where_an_engine_that_was_killed_has_stopped(tmp_path, state, runner):
    first = executor_on(state, [runner])
    talker = gated(tmp_path, 0, before="echo early;")
    watcher = Watcher(first)
    watcher.submit(talker)
    watcher.first(Started, talker.key)
    until_there(watcher, Path(talker.folder, "stdout"), "early\n")
    first.close()
    with watched(state, [runner]) as heir:
        assert isinstance(heir.find(talker.key)[talker.key], Started)
        open_gate(tmp_path, 0)

        assert heir.end(talker.key).cause is None

    assert stdout_of(talker) == "early\n"


def test_what_cannot_be_written_here_is_said_with_the_end(tmp_path, state, runner):
    with watched(state, [runner]) as watcher:
        script = "read x < gate; head -c 100000 /dev/zero; echo whole >&2"
        os.mkfifo(tmp_path / "gate")
        talker = job(tmp_path, 0, script)
        watcher.submit(talker)
        watcher.first(Started, talker.key)
        Path(talker.folder, "stdout").unlink()
        Path(talker.folder, "stdout").mkdir()

        (tmp_path / "gate").write_text("go\n")
        end = watcher.end(talker.key)

    assert end.cause is None
    assert "stdout cannot be written: Is a directory" in end.message


# Runners that die -------------------------------------------------------------------------


def test_a_runner_that_is_killed_and_comes_back_goes_on_with_its_jobs(tmp_path, state, runner):
    with watched(state, [runner]) as watcher:
        full(watcher, tmp_path, 1)
        runner.end()
        watcher.until(lambda: not watcher.executor.runners().runners[0].reachable)
        runner.start()
        open_gate(tmp_path, 0)

        assert watcher.end(key(0)).cause is None
        assert len(watcher.all(Started, key(0))) == 1
    assert len(pids_of(tmp_path, 0)) == 1


def test_jobs_of_a_runner_without_power_are_given_up_when_their_lease_is_over(
    tmp_path, state, pair
):
    with watched(state, pair, lease_s=1.0, margin_s=1.0) as watcher:
        full(watcher, tmp_path)
        first = next(each for each in pair if list(processes_of(str(each.spool))))
        first.lose_power()

        watcher.until(lambda: any(watcher.all(Ended, key(number)) for number in (0, 1)))
        (lost,) = [number for number in (0, 1) if watcher.all(Ended, key(number))]
        end = watcher.end(key(lost))

        assert end.cause is Cause.NODE_FAILURE
        assert first.url in end.message
        open_gate(tmp_path, 1 - lost)
        assert watcher.end(key(1 - lost)).cause is None


def test_a_runner_that_hangs_holds_nobody_up(tmp_path, state, pair):
    with watched(state, pair) as watcher:
        watcher.until(lambda: all(each.reachable for each in watcher.executor.runners().runners))
        pair[0].pause()
        jobs = [job(tmp_path, number, "true") for number in range(6)]
        watcher.submit(*jobs)

        watcher.until(lambda: sum(bool(watcher.all(Ended, each.key)) for each in jobs) >= 5)
        pair[0].go_on()

        assert {end.cause for end in watcher.ends([each.key for each in jobs])} == {None}


def test_the_lease_ends_what_nobody_asks_for(tmp_path, state, runner):
    executor = executor_on(state, [runner], lease_s=1.0)
    watcher = Watcher(executor)
    full(watcher, tmp_path, 1)
    (pid,) = pids_of(tmp_path, 0)
    executor.close()

    wait_for_death(pid)

    with watched(state, [runner]) as heir:
        heir.find(key(0))
        assert heir.end(key(0)).cause is Cause.LOST


def test_what_a_runner_has_lost_is_lost(tmp_path, state, runner):
    with watched(state, [runner]) as watcher:
        full(watcher, tmp_path, 1)
        runner.lose_power()
        runner.spool.rename(tmp_path / "elsewhere")
        runner.start()

        end = watcher.end(key(0))

    assert end.cause is Cause.LOST
    assert "does not know it" in end.message


# After a crash of the engine --------------------------------------------------------------


def test_what_had_not_been_given_away_is_returned_though_a_runner_is_away(tmp_path, state, runner):
    with watched(state, [runner]) as watcher:
        full(watcher, tmp_path)
        watcher.submit(job(tmp_path, 5, "true"))
        runner.end()
    with watched(state, [runner]) as heir:
        answers = heir.find(key(0), key(5))
        assert isinstance(answers[key(5)], Returned)
        assert isinstance(answers[key(0)], Submitted)

        runner.start()
        open_gate(tmp_path, 0)
        open_gate(tmp_path, 1)

        assert heir.end(key(0)).cause is None


def test_of_what_nothing_is_written_all_runners_are_asked(tmp_path, state, pair):
    with watched(state, pair) as watcher:
        full(watcher, tmp_path)
    (state / "journal").unlink()
    with watched(state, pair) as heir:
        answers = heir.find(key(0), key(1), key(2))

        assert [type(answers[key(number)]) for number in range(3)] == [Started, Started, Returned]
        heir.executor.cancel({key(0): "", key(1): ""})
        assert {end.cause for end in heir.ends([key(0), key(1)])} == {Cause.CANCELLED}


def test_while_a_runner_is_silent_nobody_says_what_it_may_have(tmp_path, state, pair):
    with watched(state, pair, lease_s=1.0, margin_s=0.5) as watcher:
        pair[0].lose_power()
        with pytest.raises(ExecutorError, match=pair[0].url):
            watcher.find(key(0))

        def answered():
            try:
                return watcher.find(key(0))
            except ExecutorError:
                return None

        answer = until(answered, "it is given up")[key(0)]

    assert answer.cause is Cause.NODE_FAILURE


def test_jobs_of_a_runner_that_the_pool_names_no_more_are_followed(tmp_path, state, pair):
    with watched(state, pair[:1]) as watcher:
        full(watcher, tmp_path, 1)
    with watched(state, pair[1:]) as heir:
        assert isinstance(heir.find(key(0))[key(0)], Started)
        assert [each.url for each in heir.executor.runners().runners] == [pair[1].url]

        open_gate(tmp_path, 0)

        assert heir.end(key(0)).cause is None


def test_what_was_stored_is_forgotten_by_the_runner_also_after_it_was_away(tmp_path, state, runner):
    with watched(state, [runner]) as watcher:
        done = job(tmp_path, 0, "true")
        watcher.submit(done)
        watcher.end(done.key)
        runner.end()
        watcher.until(lambda: not watcher.executor.runners().runners[0].reachable)

        watcher.executor.forget([done.key])
        assert kept_by(runner)
        runner.start()

        until(lambda: watcher.executor.collect() or not kept_by(runner), "it is forgotten")
    journal = Journal(state)
    assert journal.read() == {}
    journal.close()


def test_what_lives_on_a_runner_that_was_given_up_is_stopped_when_it_is_back(
    tmp_path, state, runner
):
    # As on a machine that was frozen with its clocks: there no lease is over.
    with watched(state, [runner], margin_s=1.0 - LONG_S) as watcher:
        full(watcher, tmp_path, 1)
        (pid,) = pids_of(tmp_path, 0)
        runner.pause()
        assert watcher.end(key(0)).cause is Cause.NODE_FAILURE
        watcher.executor.forget([key(0)])

        runner.go_on()

        until(lambda: watcher.executor.collect() or not alive(pid), "it is stopped")
        until(lambda: watcher.executor.collect() or not kept_by(runner), "it is forgotten")


def test_what_a_runner_has_forgotten_is_not_kept_here(tmp_path, state, runner):
    with watched(state, [runner]) as watcher:
        watcher.until(lambda: watcher.executor.runners().runners[0].reachable)
    journal = Journal(state)
    journal.give({"r.0.1": Note(runner.url, "/f", {}, 9.0, 1e12)})
    journal.end(["r.0.1"])
    with watched(state, [runner]) as watcher:
        until(lambda: watcher.executor.collect() or not journal.read(), "it is forgotten")
    journal.close()


def kept_by(runner):
    """Names of jobs in the spool of a runner."""
    return [path for path in runner.spool.rglob("*") if "r.0.1" in path.name]


# The journal ------------------------------------------------------------------------------


def test_the_journal_knows_after_a_crash_to_whom_jobs_were_given(tmp_path):
    journal = Journal(tmp_path)
    note = Note("http://a", "/f", {"cores": 2}, 9.0, 1e12)
    journal.line(["r.0.1", "r.1.1", "r.2.1"])
    journal.give({"r.0.1": note, "r.1.1": note})
    journal.end(["r.0.1"])
    journal.gone(["r.1.1"])
    with open(journal.path, "a") as file:
        file.write('["give","r.9.1"')  # torn by a crash

    other = Journal(tmp_path)
    journal.line(["r.3.1"])

    assert other.read() == {"r.0.1": note._replace(ended=True), "r.2.1": Note(), "r.3.1": Note()}
    lines = [json.loads(line) for line in other.path.read_text().split("\n") if line]
    assert len(lines) == 4
    journal.close()
    other.close()


def test_a_journal_of_many_jobs_that_are_gone_stays_small(tmp_path, monkeypatch):
    monkeypatch.setattr("segue.executors.runner_journal.SPARE_LINES", 10)
    journal, other = Journal(tmp_path), Journal(tmp_path)
    for number in range(50):
        journal.line([f"r.{number}.1"])
        other.gone([f"r.{number}.1"])
    journal.line(["r.99.1"])

    assert list(other.read()) == ["r.99.1"]
    assert len(journal.path.read_text().splitlines()) < 60
    journal.close()
    other.close()


def test_one_owner_a_folder(tmp_path, state, runner):
    executors = [executor_on(state, [runner]), executor_on(state, [runner])]

    assert executors[0]._owner == executors[1]._owner == (state / "owner").read_text()
    for each in executors:
        each.close()


def test_a_job_of_another_run_is_none_of_ours(state, runner):
    with watched(state, [runner]) as watcher:
        watcher.executor.cancel({JobKey("other", 1, 1): ""})
        watcher.executor.forget([JobKey("other", 1, 1)])

        assert not watcher.executor.collect()


def test_without_the_library_it_is_said_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "httpx", None)
    monkeypatch.setenv("SEGUE_RUNNERS", "http://a:2504")

    for check in (
        lambda: wiring.check_pool("runner"),
        lambda: wiring.check_settings(
            PoolSettings("farm", "runner", runner=RunnerSettings(("http://a:2504",)))
        ),
    ):
        with pytest.raises(UserError) as caught:
            check()
        assert "segue[client]" in caught.value.hint
