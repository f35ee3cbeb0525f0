import sqlite3

import pytest
from engines import World
from runs import task

from segue.engine.commands import CommandKind
from segue.engine.recover import take_over
from segue.engine.scheduler import LEASE_S
from segue.model.errors import (
    ExecutorError,
    LeaseLostError,
    Problem,
    RefusedError,
    StoreError,
    WorkflowError,
)
from segue.model.states import Cause
from segue.model.workflow import Generator, Growth, Retry


@pytest.fixture
def world(tmp_path):
    world = World(tmp_path)
    yield world
    world.close()


def test_intent_is_stored_before_the_outside_is_touched(world):
    seen = []
    submit = world.outside.submit

    def look(jobs):
        seen.append(world.states())
        return submit(jobs)

    world.outside.submit = look
    world.submit(task("a"))
    world.take()

    world.turn()

    assert seen == [{"a": "submitting"}]


def test_a_run_goes_from_its_first_task_to_its_verdict(world):
    world.submit(task("a"), task("b", "a"))
    world.take()
    world.turn()

    world.outside.start(world.key("a"))
    world.outside.finish(world.key("a"))
    world.turn()
    world.outside.finish(world.key("b"))
    world.turn()

    assert world.states() == {"a": "succeeded", "b": "succeeded"}
    assert world.verdict() == "succeeded"
    assert world.scheduler.runs == {}


def test_the_end_of_a_task_and_the_start_of_the_next_are_one_transaction(world):
    commits = []
    commit_many = world.store.commit_many
    world.store.commit_many = lambda batch: (commits.append(len(batch)), commit_many(batch))
    world.submit(task("a"), task("b", "a"))
    world.take()
    world.turn()
    commits.clear()

    world.outside.finish(world.key("a"))
    world.turn()

    assert commits == [1]
    assert world.states() == {"a": "succeeded", "b": "submitting"}


def test_history_tells_the_whole_story_in_order(world):
    world.submit(task("a"))
    world.take()
    world.turn()
    world.outside.start(world.key("a"))
    world.turn()
    world.outside.finish(world.key("a"), exit_code=2)
    world.turn()

    lines = list(world.store.history("r"))

    assert [line.number for line in lines] == list(range(1, len(lines) + 1))
    steps = [(line.old, line.new, line.detail) for line in lines if line.kind == "step"]
    assert steps == [
        ("waiting", "ready", ""),
        ("ready", "submitting", ""),
        ("submitting", "running", ""),
        ("running", "failed", "exit_code"),
    ]


def test_counts_of_a_run_are_kept(world):
    world.submit(task("a"), task("b", "a"))
    world.take()
    world.turn()

    assert world.store.run("r").counts == {"submitting": 1, "waiting": 1}


def test_a_retry_becomes_ready_when_its_time_has_come(world):
    world.submit(task("a", retry=Retry(limit=1, delay_s=5.0)))
    world.take()
    world.turn()
    world.outside.finish(world.key("a"), exit_code=1)
    world.turn()
    assert world.states() == {"a": "waiting"}

    world.clock.advance(5.0)
    world.turn()

    assert world.states() == {"a": "submitting"}
    assert world.store.newest_history("r").attempt == 2


def test_only_as_many_jobs_are_handed_over_as_there_is_room_for(tmp_path):
    world = World(tmp_path, slots=2, ahead=1)
    world.submit(*(task(f"t{i}") for i in range(5)))
    world.take()
    world.turn()

    assert len(world.outside.place.handed_over) == 3
    world.outside.finish(world.key("t0"))
    world.turn()
    assert len(world.outside.place.handed_over) == 4
    world.close()


def test_a_task_of_higher_priority_does_not_wait_behind_jobs_that_have_not_begun(tmp_path):
    world = World(tmp_path, slots=1, ahead=2)
    low = [task(f"low{at}", priority=-1) for at in range(4)]
    world.submit(task("first"), *low, task("urgent", "first", priority=9))
    world.take()
    world.turn()
    assert world.states()["low0"] == world.states()["low1"] == "submitting"
    world.outside.start(world.key("low0"))
    world.outside.finish(world.key("first"))

    world.turns(4)

    assert [key.task for key in world.outside.place.waiting] == [world.key("urgent").task, 2]
    assert world.states()["low0"] == "running"
    world.close()


# Commands --------------------------------------------------------------------


def test_a_command_is_carried_out_and_marked_as_taken(world):
    world.submit(task("a"), task("b", "a"))
    world.take()
    world.turn()

    world.ask(CommandKind.CANCEL)
    world.turns()

    assert world.store.commands(["r"]) == []
    assert world.states() == {"a": "cancelled", "b": "cancelled"}
    assert world.verdict() == "cancelled"
    assert "command" in [line.kind for line in world.store.history("r")]


def test_a_pause_takes_back_what_has_not_begun(world):
    world.submit(task("a"), task("b"))
    world.take()
    world.turn()
    world.outside.start(world.key("a"))
    world.turn()

    world.ask(CommandKind.PAUSE)
    world.turns()

    assert world.states() == {"a": "running", "b": "ready"}
    assert list(world.store.attempts("r", [1])) == []
    world.ask(CommandKind.RESUME)
    world.turns()
    assert world.states() == {"a": "running", "b": "submitting"}


def test_a_command_that_was_written_while_no_engine_lived_is_taken_by_the_next(world):
    world.submit(task("a"))
    world.store.put_command("r", "cancel", {}, 1.0)

    world.take()
    world.turns()

    assert world.verdict() == "cancelled"


def test_a_draining_engine_starts_nothing(world):
    world.submit(task("a"))
    world.take()
    world.scheduler.draining = True

    world.turns()

    assert world.states() == {"a": "ready"}


# Generators ------------------------------------------------------------------


def printed(world, text: str, name: str = "gen") -> None:
    """Let a generator's job print something and end."""
    attempt = next(iter(world.store.attempts("r", [world.key(name).task])))
    folder = world.path / attempt.folder
    folder.mkdir(parents=True)
    (folder / "stdout").write_text(text)
    world.outside.finish(world.key(name))


def test_a_generator_and_its_tasks_are_stored_in_one_commit(world):
    world.submit(task("gen", generator=Generator("daggy")), task("report", "gen"))
    world.growth = Growth((task("new", "gen"),), late_needs=(("report", "new"),))
    world.take()
    world.turn()

    printed(world, "{}")
    world.turns(2)

    assert world.states() == {"gen": "succeeded", "report": "waiting", "new": "submitting"}
    report = next(s.node for s in world.store.nodes("r") if s.node.name == "report")
    assert report.needs == ("gen", "new")


def test_a_crash_between_the_end_of_a_generator_and_its_growth_loses_nothing(world):
    world.submit(task("gen", generator=Generator("daggy")))
    world.growth = Growth((task("new", "gen"),))
    world.take()
    world.turn()
    world.scheduler.dispatch.act, act = (lambda run, deeds: []), world.scheduler.dispatch.act
    printed(world, "{}")
    world.turn()
    assert world.states() == {"gen": "running"}
    del act

    world.crash()
    world.take()
    world.turns()

    assert world.states() == {"gen": "succeeded", "new": "submitting"}


def test_output_that_cannot_be_used_is_told_with_its_reason(world):
    world.submit(task("gen", generator=Generator("daggy")))
    world.growth = WorkflowError([])
    world.take()
    world.turn()

    printed(world, "garbage")
    world.turns(2)

    assert world.states() == {"gen": "failed"}
    assert next(iter(world.store.attempts("r"))).cause is Cause.BAD_OUTPUT


def test_a_generator_that_prints_thousands_of_faults_tells_the_first(world):
    world.submit(task("gen", generator=Generator("daggy")))
    world.growth = WorkflowError(Problem("x", f"fault {at}") for at in range(5000))
    world.take()
    world.turn()

    printed(world, "garbage")
    world.turns(2)

    message = next(iter(world.store.attempts("r"))).message
    assert message.splitlines()[0] == "fault 0"
    assert message.splitlines()[-1] == "and 4980 more problems"


def test_a_generator_without_an_output_file_fails_clearly(world):
    world.submit(task("gen", generator=Generator("daggy")))
    world.take()
    world.turn()

    world.outside.finish(world.key("gen"))
    world.turns(2)

    assert "cannot be read" in next(iter(world.store.attempts("r"))).message


# The outside and the store fail ----------------------------------------------


def test_a_store_that_cannot_be_written_stops_the_deeds_not_the_engine(world):
    world.submit(task("a"), task("b", "a"))
    world.take()
    commit_many = world.store.commit_many

    def full(batch):
        raise StoreError("database or disk is full")

    world.store.commit_many = full
    world.turn()
    world.turn()
    assert world.outside.place.handed_over == []
    assert len(world.troubles) == 1

    world.store.commit_many = commit_many
    world.clock.advance(10.0)
    world.turn()

    assert world.outside.place.handed_over == [world.key("a")]
    assert world.states() == {"a": "submitting", "b": "waiting"}


def test_what_ended_while_the_store_was_full_is_written_later(world):
    world.submit(task("a"))
    world.take()
    world.turn()
    commit_many = world.store.commit_many
    world.store.commit_many = lambda batch: (_ for _ in ()).throw(StoreError("full"))
    world.outside.finish(world.key("a"))
    world.turns()
    assert world.states() == {"a": "submitting"}

    world.store.commit_many = commit_many
    world.clock.advance(10.0)
    world.turn()

    assert world.verdict() == "succeeded"


def test_a_real_sqlite_error_is_a_store_error(world):
    world.submit(task("a"))
    world.take()
    with sqlite3.connect(world.path / "segue.db") as base:
        base.execute("DROP TABLE history")
    base.close()

    world.turn()

    assert "history" in world.troubles[0]


def test_an_executor_that_cannot_be_reached_is_tried_again(world):
    world.submit(task("a"))
    world.take()
    submit = world.outside.submit
    world.outside.submit = lambda jobs: (_ for _ in ()).throw(ExecutorError("no answer"))
    world.turns(2)
    assert world.states() == {"a": "waiting"}

    world.outside.submit = submit
    world.clock.advance(1.0)
    world.turn()

    assert world.states() == {"a": "submitting"}
    assert [a.cause for a in world.store.attempts("r")] == [Cause.UNREACHABLE, None]


def test_an_engine_that_has_lost_its_lease_writes_nothing_and_stops(world):
    world.submit(task("a"))
    world.take()
    world.turn()
    world.clock.advance(60.0)
    other = World(world.path)
    other.clock.advance(60.0)
    other.take()

    world.outside.finish(world.key("a"), exit_code=1)
    world.turn()

    assert world.scheduler.runs == {}
    assert world.states() == {"a": "submitting"}
    other.close()


def test_a_lease_is_renewed_in_time(world):
    world.submit(task("a"))
    world.take()
    for _ in range(10):
        world.clock.advance(6.0)
        world.turn()

    assert world.store.lease("r").until > world.clock.now()
    world.store.renew([world.store.lease("r")], world.clock.now() + 1)


# Crashes ---------------------------------------------------------------------


def test_what_runs_is_adopted_by_the_next_engine(world):
    world.submit(task("a"), task("b", "a"))
    world.take()
    world.turn()
    world.outside.start(world.key("a"))

    world.crash()
    world.take()
    world.turns(2)
    assert world.states() == {"a": "running", "b": "waiting"}
    world.outside.finish(world.key("a"))
    world.turn()

    assert world.states() == {"a": "succeeded", "b": "submitting"}
    assert world.outside.place.handed_over.count(world.key("a")) == 1


def test_an_end_that_nobody_saw_is_found(world):
    world.submit(task("a"))
    world.take()
    world.turn()
    world.outside.finish(world.key("a"), exit_code=7)

    world.crash()
    world.take()
    world.turns(2)

    assert world.states() == {"a": "failed"}
    assert next(iter(world.store.attempts("r"))).exit_code == 7


def test_intent_without_a_job_is_given_out_again_under_the_same_number(world):
    world.submit(task("a"))
    world.take()
    world.scheduler.dispatch.act = lambda run, deeds: []  # the crash comes before the deed
    world.turn()
    assert world.states() == {"a": "submitting"}

    world.crash()
    world.take()
    world.turns(2)

    assert world.outside.place.handed_over == [world.key("a", attempt=1)]


def test_an_outside_that_cannot_be_asked_is_asked_again(world):
    world.submit(task("a"))
    world.take()
    world.turn()
    world.crash()
    world.outside.place.unreachable = ExecutorError("no answer")
    world.take()
    world.turns(2)
    assert world.states() == {"a": "submitting"}

    world.outside.place.unreachable = None
    world.outside.finish(world.key("a"))
    world.clock.advance(10.0)
    world.turns(2)

    assert world.states() == {"a": "succeeded"}


def test_a_cancel_that_the_old_engine_did_not_live_to_send_is_sent(world):
    world.submit(task("a"))
    world.take()
    world.turn()
    world.outside.start(world.key("a"))
    world.turn()
    world.scheduler.dispatch.act = lambda run, deeds: []
    world.ask(CommandKind.CANCEL)
    world.turn()

    world.crash()
    world.take()
    world.turns()

    assert world.states() == {"a": "cancelled"}
    assert world.verdict() == "cancelled"


def test_a_late_write_of_a_dead_engine_is_refused(world):
    world.submit(task("a"))
    world.take()
    world.turn()
    lease = world.store.lease("r")
    world.crash()
    world.take()

    with pytest.raises(LeaseLostError):
        world.store.renew([lease], 9e9)


# Limits and clocks -----------------------------------------------------------


def test_an_update_changes_the_limits_and_stands_in_the_history(world):
    world.submit(task("a"), task("b"), limit=1)
    world.take()
    world.turn()
    assert sorted(world.states().values()) == ["ready", "submitting"]

    world.ask(CommandKind.UPDATE, limit=2, restart_limit=0)
    world.turn()

    record = world.store.run("r")
    assert (record.limit, record.restart_limit) == (2, 0)
    assert world.states() == {"a": "submitting", "b": "submitting"}
    commands = [line.detail for line in world.store.history("r") if line.kind == "command"]
    assert commands == ["update limit 2 restart limit 0"]


@pytest.mark.parametrize("wrong", [-1, "3", True, 1.5, None])
def test_a_number_that_is_no_limit_changes_nothing(world, wrong):
    world.submit(task("a"), limit=4)
    world.take()

    world.ask(CommandKind.UPDATE, limit=wrong)
    world.turn()

    assert world.store.run("r").limit == 4


def test_a_clock_that_goes_back_prolongs_no_retry(world):
    world.submit(task("a", retry=Retry(limit=1, delay_s=30.0)))
    world.take()
    world.turn()
    world.outside.finish(world.key("a"), exit_code=1)
    world.turn()

    world.clock.set_back(900.0)
    world.turn()

    assert world.scheduler.runs["r"].next_time() == world.clock.now() + 30.0
    world.clock.advance(30.0)
    world.turn()
    assert world.states() == {"a": "submitting"}


def test_a_clock_that_goes_back_does_not_let_leases_run_out(world):
    world.submit(task("a"))
    world.take()
    world.turn()

    world.clock.set_back(900.0)
    world.turn()

    assert world.store.lease("r").until == world.clock.now() + LEASE_S


def test_the_number_of_tasks_at_once_is_remembered_when_it_is_said(world):
    world.submit(task("a"))
    take_over(world.store, world.scheduler, "r", "owner", slots=3)
    world.turn()

    assert world.store.run("r").slots == 3


def test_a_run_that_needs_a_pool_which_is_not_here_is_not_taken(world):
    world.submit(task("a", pool="slurm"))

    with pytest.raises(RefusedError, match="needs the pool 'slurm'"):
        world.take()

    assert not world.service.has_engine("r")


def test_an_engine_that_starts_nothing_takes_it_all_the_same(world):
    world.submit(task("a", pool="slurm"))
    world.scheduler.draining = True

    world.take()

    assert world.service.has_engine("r")
