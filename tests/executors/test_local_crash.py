"""Kill the engine, the keeper, or both: nothing that ended is lost, nothing runs twice."""

import os
import signal

import pytest
from places import (
    EngineProcess,
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

from segue.executors import local_spool
from segue.executors.local import LocalExecutor
from segue.model.errors import ExecutorError
from segue.model.events import Ended, Returned, Started
from segue.model.states import Cause


def gate_command(tmp_path, number, exit_code=0, before=""):
    os.mkfifo(tmp_path / f"gate.{number}")
    return f"{before} echo $$ >> pid.{number}; read x < gate.{number}; exit {exit_code}"


def kill_both(engine, spool):
    """Kill the engine first: while it lives, it tidies up after its keeper at once."""
    engine.kill()
    kill_keeper(spool)


def wait_for_keepers(state):
    """Wait until no keeper lives."""
    for spool in spools(state):
        assert local_spool.wait_until_free(spool, 30.0)


# -- the engine dies ----------------------------------------------------------------------


def test_jobs_outlive_the_engine_and_their_exit_codes_are_learnt(state, tmp_path):
    jobs = [(number, gate_command(tmp_path, number, 40 + number)) for number in range(5)]
    engine = EngineProcess(tmp_path, state, jobs)
    engine.wait_for("Started", 2)
    engine.kill()

    with opened(state) as heir:
        answers = heir.find(*(key(number) for number in range(5)))

        kinds = [type(answers[key(number)]) for number in range(5)]
        assert kinds == [Started, Started, Returned, Returned, Returned]
        assert all(alive(*pids_of(tmp_path, number)) for number in (0, 1))
        for number in (0, 1):
            open_gate(tmp_path, number)
            assert heir.end(key(number)).exit_code == 40 + number
        assert not (tmp_path / "pid.2").exists()


def test_a_queue_goes_on_without_an_engine_and_its_results_are_kept(state, tmp_path):
    jobs = [(0, gate_command(tmp_path, 0)), *((n, f"echo {n}; exit {n}") for n in range(1, 9))]
    engine = EngineProcess(tmp_path, state, jobs, slots=1)
    engine.wait_for("Started", 1)
    engine.kill()
    open_gate(tmp_path, 0)
    wait_for_keepers(state)

    with opened(state) as heir:
        answers = heir.find(*(key(number) for number in range(9)))

    assert [answers[key(number)].exit_code for number in range(9)] == list(range(9))
    assert all(answers[key(number)].usage.cpu_s is not None for number in range(9))


def test_a_timeout_is_kept_without_an_engine(state, tmp_path):
    with opened(state) as first:
        first.submit(job(tmp_path, 0, "while :; do sleep 0.01; done", timeout_s=0.3))
        first.first(Started, key(0))
    wait_for_keepers(state)

    with opened(state) as heir:
        assert heir.find(key(0))[key(0)].cause is Cause.TIMED_OUT


def test_what_the_dead_engine_had_sent_is_known_before_its_heir_is_answered(state, tmp_path):
    first = LocalExecutor(state, 1, 5.0)
    first.submit([gated(tmp_path, 0)])
    (spool,) = spools(state)
    # The keeper sleeps while the engine sends its last words and dies.
    kill_keeper(spool, signal.SIGSTOP)
    first.submit([job(tmp_path, 1, "true")])
    first.close()
    kill_keeper(spool, signal.SIGCONT)

    with opened(state) as heir:
        answers = heir.find(key(0), key(1))
        assert isinstance(answers[key(1)], Returned)
        heir.executor.cancel({key(0): ""})
        assert heir.end(key(0)).cause is Cause.CANCELLED


def test_an_engine_that_was_given_up_for_dead_cannot_start_what_was_returned(state, tmp_path):
    with opened(state) as late, opened(state) as heir:
        late.submit(gated(tmp_path, 0))
        late.first(Started, key(0))
        assert isinstance(heir.find(key(1))[key(1)], Returned)

        late.submit(job(tmp_path, 1, "echo late >> ran"), job(tmp_path, 2, "true"))
        late.end(key(2))

        heir.submit(job(tmp_path, 1, "echo heir >> ran"))
        heir.end(key(1))
        assert (tmp_path / "ran").read_text() == "heir\n"
        open_gate(tmp_path, 0)


def test_adopted_jobs_take_their_share_of_the_slots(state, tmp_path):
    engine = EngineProcess(tmp_path, state, [(0, gate_command(tmp_path, 0))])
    engine.wait_for("Started", 1)
    engine.kill()

    with opened(state, slots=2) as heir:
        heir.find(key(0))
        second, third = gated(tmp_path, 1), gated(tmp_path, 2)
        heir.submit(second, third)
        heir.first(Started, second.key)
        assert not heir.all(Started, third.key)

        open_gate(tmp_path, 0)

        heir.first(Started, third.key)
        assert not heir.all(Ended, second.key)
        open_gate(tmp_path, 1)
        open_gate(tmp_path, 2)
        heir.ends([second.key, third.key])


def test_two_runs_share_a_state_folder_and_do_not_disturb_each_other(state, tmp_path):
    with opened(state) as server:
        jobs = [gated(tmp_path, 0, 3, run="a"), gated(tmp_path, 1, 4, run="b")]
        server.submit(*jobs)
        for each in jobs:
            server.first(Started, each.key)
    (spool,) = spools(state)

    with opened(state) as heir_a:
        assert isinstance(heir_a.find(key(0, "a"))[key(0, "a")], Started)
        open_gate(tmp_path, 1)
        open_gate(tmp_path, 0)
        assert heir_a.end(key(0, "a")).exit_code == 3
        heir_a.executor.forget([key(0, "a")])
    wait_for_keepers(state)
    with opened(state) as heir_b:
        assert heir_b.find(key(1, "b"))[key(1, "b")].exit_code == 4
        assert spool.exists()
        heir_b.executor.forget([key(1, "b")])
    assert not spool.exists()


def test_one_engine_adopts_from_several_keepers(state, tmp_path):
    for number in range(3):
        engine = EngineProcess(tmp_path, state, [(number, gate_command(tmp_path, number, number))])
        engine.wait_for("Started", 1)
        engine.kill()

    with opened(state) as heir:
        answers = heir.find(key(0), key(1), key(2), key(3))
        assert [type(answers[key(n)]) for n in range(4)] == [Started, Started, Started, Returned]
        for number in (2, 0, 1):
            open_gate(tmp_path, number)
            assert heir.end(key(number)).exit_code == number


# -- the keeper dies ----------------------------------------------------------------------


def test_when_the_keeper_is_killed_its_engine_learns_it_at_once(state, tmp_path):
    with opened(state) as local:
        done, *running = job(tmp_path, 0, "exit 6"), gated(tmp_path, 1), gated(tmp_path, 2)
        queued = gated(tmp_path, 3)
        local.submit(done, *running, queued)
        for each in running:
            local.first(Started, each.key)
        pids = pids_of(tmp_path, 1) + pids_of(tmp_path, 2)
        (spool,) = spools(state)

        kill_keeper(spool)

        assert [local.end(each.key).cause for each in running] == [Cause.LOST] * 2
        assert local.end(done.key).exit_code == 6
        assert local.first(Returned, queued.key)
        assert not any(alive(pid) for pid in pids)
        # The next job finds a new keeper.
        local.submit(job(tmp_path, 4, "exit 7"))
        assert local.end(key(4)).exit_code == 7
        local.executor.forget([key(number) for number in (0, 1, 2)])
        assert not spool.exists()


def test_an_end_that_the_engine_has_not_read_is_read_from_the_journal(state, tmp_path):
    with opened(state) as local:
        local.submit(gated(tmp_path, 0, 9))
        local.first(Started, key(0))
        (spool,) = spools(state)
        (pid,) = pids_of(tmp_path, 0)
        open_gate(tmp_path, 0)
        wait_for_death(pid)
        while b'"end"' not in (spool / "journal").read_bytes():
            os.sched_yield()

        kill_keeper(spool)

        assert local.end(key(0)).exit_code == 9
        assert len(local.all(Ended, key(0))) == 1


def test_an_adopted_keeper_that_dies_is_no_other_than_ones_own(state, tmp_path):
    engine = EngineProcess(tmp_path, state, [(0, gate_command(tmp_path, 0))])
    engine.wait_for("Started", 1)
    engine.kill()
    (spool,) = spools(state)
    with opened(state) as heir:
        heir.find(key(0))

        kill_keeper(spool)

        assert heir.end(key(0)).cause is Cause.LOST
        assert not alive(*pids_of(tmp_path, 0))


def test_a_keeper_that_cannot_start_is_said_so(state, tmp_path, monkeypatch):
    monkeypatch.setattr("segue.executors.local_link._START", "raise SystemExit('no room here')")
    with opened(state) as local:
        local.submit(job(tmp_path, 0, "true"))

        end = local.end(key(0))

    assert end.cause is Cause.UNREACHABLE
    assert "no room here" in end.message


def test_a_keeper_that_lives_and_does_not_answer_is_asked_again_later(state, tmp_path, monkeypatch):
    monkeypatch.setattr("segue.executors.local.ANSWER_LIMIT_S", 0.05)
    engine = EngineProcess(tmp_path, state, [(0, gate_command(tmp_path, 0, 2))])
    engine.wait_for("Started", 1)
    engine.kill()
    (spool,) = spools(state)
    kill_keeper(spool, signal.SIGSTOP)
    with opened(state) as heir:
        with pytest.raises(ExecutorError, match="does not answer"):
            heir.find(key(0))
        # Nor does the late answer to one question pass for that to another.
        with pytest.raises(ExecutorError, match="does not answer"):
            heir.find(key(1))
        monkeypatch.setattr("segue.executors.local.ANSWER_LIMIT_S", 30.0)
        kill_keeper(spool, signal.SIGCONT)

        assert isinstance(heir.find(key(0))[key(0)], Started)

        open_gate(tmp_path, 0)
        assert heir.end(key(0)).exit_code == 2


# -- both die -----------------------------------------------------------------------------


def test_when_both_are_killed_the_rest_is_stopped_and_lost(state, tmp_path):
    child = "setsid sh -c 'echo $$ > pid.8; exec sleep 1000' & while [ ! -s pid.8 ]; do :; done;"
    jobs = [(0, "exit 6"), (1, gate_command(tmp_path, 1, before=child)), (2, "sleep 1000")]
    jobs += [(3, "true")]
    engine = EngineProcess(tmp_path, state, jobs)
    engine.wait_for("Started", 2)
    (spool,) = spools(state)
    pids = pids_of(tmp_path, 1) + pids_of(tmp_path, 8)
    kill_both(engine, spool)
    assert all(alive(pid) for pid in pids)

    with opened(state) as heir:
        answers = heir.find(*(key(number) for number in range(5)))

        assert answers[key(0)].exit_code == 6
        assert [answers[key(n)].cause for n in (1, 2)] == [Cause.LOST] * 2
        assert answers[key(1)].started_at
        assert [type(answers[key(n)]) for n in (3, 4)] == [Returned] * 2
        assert not any(alive(pid) for pid in pids)
        heir.executor.forget([key(number) for number in range(3)])
    assert not spool.exists()


def test_what_is_found_twice_is_answered_alike(state, tmp_path):
    engine = EngineProcess(tmp_path, state, [(0, "exit 6"), (1, gate_command(tmp_path, 1))])
    engine.wait_for("Started", 1)
    engine.wait_for("Ended", 1)
    (spool,) = spools(state)
    kill_both(engine, spool)

    for _ in range(2):
        with opened(state) as heir:
            answers = heir.find(key(0), key(1))

            assert answers[key(0)].exit_code == 6
            assert answers[key(1)].cause is Cause.LOST


def test_a_job_whose_spool_is_gone_is_found_by_its_environment(state, tmp_path):
    engine = EngineProcess(tmp_path, state, [(0, gate_command(tmp_path, 0))])
    engine.wait_for("Started", 1)
    (spool,) = spools(state)
    kill_both(engine, spool)
    local_spool.remove(spool)

    with opened(state) as heir:
        answers = heir.find(key(0), key(1))

    assert answers[key(0)].cause is Cause.LOST
    assert isinstance(answers[key(1)], Returned)
    assert not alive(*pids_of(tmp_path, 0))


@pytest.mark.parametrize(
    ("point", "outcomes"),
    [
        ("after intent", [Cause.LOST, Returned]),
        ("after spawn", [Cause.LOST, Returned]),
        ("after reap", [Cause.LOST, Returned]),
    ],
)
def test_a_crash_of_the_keeper_at_this_point_runs_nothing_twice(
    state, tmp_path, monkeypatch, point, outcomes
):
    monkeypatch.setenv("SEGUE_CRASH_AT", f"keeper: {point}")
    with opened(state, slots=1) as local:
        local.submit(job(tmp_path, 0, "echo >> ran"), job(tmp_path, 1, "echo >> ran"))
        local.until(lambda: len(local.heard) >= 2)
        monkeypatch.delenv("SEGUE_CRASH_AT")

    assert local.end(key(0)).cause is outcomes[0]
    assert local.first(Returned, key(1))
    runs = (tmp_path / "ran").read_text().count("\n") if (tmp_path / "ran").exists() else 0
    assert runs <= (0 if point == "after intent" else 1)


def test_kills_at_many_moments_lose_no_end_and_run_nothing_twice(state, tmp_path):
    """Three engines in a row are killed after ever more reports; a fourth finishes."""
    total = 60
    command = "echo $SEGUE_JOB >> ran; exit $(( $$ % 2 ))"
    ended, todo = {}, list(range(total))
    for reports in (1, 7, 19):
        engine = EngineProcess(tmp_path, state, [(number, command) for number in todo])
        engine.wait_for("Ended", reports)
        engine.kill()
        with opened(state) as heir:
            answers = heir.find(*(key(number) for number in todo))
            started = [each for each, answer in answers.items() if isinstance(answer, Started)]
            ended |= {each: answer for each, answer in answers.items() if isinstance(answer, Ended)}
            ended |= {each: heir.end(each) for each in started}
            heir.executor.forget(list(ended))
            todo = [each.task for each, a in answers.items() if isinstance(a, Returned)]
    with opened(state) as last:
        last.submit(*(job(tmp_path, number, command) for number in todo))
        ended |= {key(number): last.end(key(number)) for number in todo}

    ran = (tmp_path / "ran").read_text().split()
    assert sorted(ran) == sorted(key(number).name for number in range(total))
    assert len(ended) == total
    assert {end.exit_code for end in ended.values()} <= {0, 1}


# -- what is kept, and for how long -------------------------------------------------------


def test_a_forgotten_spool_is_removed_with_the_keeper(state, tmp_path):
    with opened(state) as local:
        local.submit(job(tmp_path, 0, "true"))
        local.end(key(0))
        (spool,) = spools(state)
        pid = keeper_pid(spool)
        local.executor.forget([key(0)])
    wait_for_death(pid)

    assert not spool.exists()


def test_a_spool_with_results_that_nobody_took_is_kept(state, tmp_path):
    with opened(state) as local:
        local.submit(job(tmp_path, 0, "exit 3"))
        local.end(key(0))
        (spool,) = spools(state)
        pid = keeper_pid(spool)
    wait_for_death(pid)

    with opened(state) as heir:
        heir.executor.prestart()
        assert heir.find(key(0))[key(0)].exit_code == 3
        assert spool.exists()


def test_a_machine_started_anew_makes_jobs_lost_not_returned(state, tmp_path, monkeypatch):
    engine = EngineProcess(tmp_path, state, [(0, "exit 6"), (1, gate_command(tmp_path, 1))])
    engine.wait_for("Started", 1)
    engine.wait_for("Ended", 1)
    (spool,) = spools(state)
    kill_both(engine, spool)
    os.kill(*pids_of(tmp_path, 1), signal.SIGKILL)
    for module in ("local", "local_spool"):
        monkeypatch.setattr(f"segue.executors.{module}.boot_id", lambda: "another boot")

    with opened(state) as heir:
        answers = heir.find(key(0), key(1), key(2), key(2, "other"))

    assert answers[key(0)].exit_code == 6
    # Job 2 may have begun: the last lines of the journal may be missing.
    assert [answers[key(number)].cause for number in (1, 2)] == [Cause.LOST] * 2
    assert isinstance(answers[key(2, "other")], Returned)


def test_jobs_that_a_keeper_of_another_machine_holds_are_not_given_out(state, tmp_path):
    engine = EngineProcess(tmp_path, state, [(0, gate_command(tmp_path, 0))])
    engine.wait_for("Started", 1)
    engine.kill()
    (spool,) = spools(state)
    elsewhere = state / "elsewhere"
    (state / os.uname().nodename).rename(elsewhere)
    (elsewhere / spool.name / "socket").unlink()

    with opened(state) as heir, pytest.raises(ExecutorError, match="elsewhere"):
        heir.find(key(0))

    open_gate(tmp_path, 0)
    assert local_spool.wait_until_free(elsewhere / spool.name, 30.0)


def test_a_state_folder_of_any_depth_will_do(tmp_path):
    state = tmp_path.joinpath(*["x" * 60] * 4)
    engine = EngineProcess(tmp_path, state, [(0, gate_command(tmp_path, 0, 5))])
    engine.wait_for("Started", 1)
    engine.kill()

    with opened(state) as heir:
        heir.find(key(0))
        open_gate(tmp_path, 0)
        assert heir.end(key(0)).exit_code == 5
        again = job(tmp_path, 1, "echo here")
        heir.submit(again)
        heir.end(again.key)
        assert stdout_of(again) == "here\n"
