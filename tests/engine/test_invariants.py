"""All graphs, all orders of events: what must hold after each of them, holds.

`SEGUE_HYPOTHESIS=deep` draws 10,000 of them; `make test` does.
"""

import os

import pytest
from hypothesis import given, note, settings
from hypothesis import strategies as st
from runs import FINAL_STATES, Play, task
from runs import record as new_run

from segue.engine.decide import admit, decide, first_look
from segue.engine.live_run import LiveRun
from segue.model.events import (
    CancelRun,
    CancelTask,
    ClockSetBack,
    Ended,
    Grown,
    GrowthFailed,
    HoldTasks,
    MarkDone,
    PatchTasks,
    PauseRun,
    ReleaseTasks,
    ResumeRun,
    RetryTasks,
    Returned,
    Reused,
    ReusedTask,
    Started,
    Submitted,
    UpdateRun,
)
from segue.model.run import AttemptRecord
from segue.model.states import (
    COMMAND_STEPS,
    FINAL,
    OUTSIDE,
    STEPS,
    Cause,
    RunState,
    TaskState,
)
from segue.model.workflow import (
    Argv,
    Barrier,
    Generator,
    Growth,
    Nothing,
    Retry,
    Task,
    TriggerRule,
    Verdict,
)
from segue.testing.reference import blamed_on_failure, reusable, violations

RULES = st.sampled_from(TriggerRule)
RETRIES = st.builds(
    Retry,
    limit=st.integers(0, 2),
    delay_s=st.sampled_from([0.0, 0.0, 3.0]),
    infrastructure_limit=st.integers(0, 1),
    restart_limit=st.sampled_from([None, 0, 1]),
)


@st.composite
def dags(draw: st.DrawFn, most: int = 9) -> list[Task | Barrier]:
    """Draw tasks and barriers; each may need any that were drawn before it."""
    nodes: list[Task | Barrier] = []
    for number in range(draw(st.integers(0, most))):
        names = [node.name for node in nodes]
        needs = draw(st.lists(st.sampled_from(names), unique=True, max_size=4)) if names else []
        kind = draw(st.sampled_from(["task"] * 5 + ["barrier", "nothing", "generator"]))
        if kind == "barrier":
            nodes.append(Barrier(f"n{number}", tuple(needs), draw(st.booleans())))
            continue
        nodes.append(
            Task(
                f"n{number}",
                Nothing() if kind == "nothing" else Argv(("true",)),
                needs=tuple(needs),
                trigger=draw(RULES),
                retry=draw(RETRIES),
                restart=draw(st.sampled_from([None, Argv(("again",))])),
                priority=draw(st.integers(0, 2)),
                generator=Generator("daggy") if kind == "generator" else None,
            )
        )
    return nodes


class World:
    """A run, and an outside that answers in any order, late, twice, or with lies of old."""

    def __init__(self, nodes: list[Task | Barrier], data: st.DataObject) -> None:
        self.data = data
        verdict = data.draw(st.sampled_from(Verdict))
        limit = data.draw(st.sampled_from([0, 0, 1, 3]))
        self.play = Play(*nodes, verdict=verdict, limit=limit)
        self.ended_well: dict[int, int] = {}
        self.past: list[object] = []
        self.grown = 0
        self.kept_out = 0
        self.check()

    def check(self) -> None:
        run = self.play.run
        note(f"{self.play.story[-4:]} {self.play.states}")
        assert list(violations(run)) == []
        for position, record in enumerate(run.records):
            # Not the other way round: a skip by rule is said as soon as it is certain,
            # and another need may fail after that.
            if record.state is TaskState.SKIPPED and record.cause is Cause.UPSTREAM_FAILED:
                assert blamed_on_failure(run, position)
        for position, attempt in self.ended_well.items():
            assert run.records[position].state is TaskState.SUCCEEDED
            assert run.records[position].attempt == attempt
        # What is out when a limit is lowered stays out, and nothing joins it.
        self.kept_out = min(self.kept_out, len(run.in_flight))
        if run.record.limit:
            assert len(run.in_flight) <= max(run.record.limit, self.kept_out)

    def tell(self, event: object) -> None:
        if isinstance(event, UpdateRun):
            self.kept_out = len(self.play.run.in_flight)
        before = list(self.play.run.records)
        decision = self.play.tell(event)  # type: ignore[arg-type]
        for step in decision.steps:
            assert (step.old, step.new) in STEPS | COMMAND_STEPS
            if step.new is TaskState.SUCCEEDED:
                self.ended_well[step.task] = step.attempt
            elif step.old is TaskState.SUCCEEDED:
                assert isinstance(event, RetryTasks)
                assert event.force
                self.ended_well.pop(step.task, None)
        ended = [at for at, record in enumerate(before) if record.state in FINAL]
        if not isinstance(event, RetryTasks | MarkDone):
            assert all(self.play.run.records[at] == before[at] for at in ended)
        self.past.append(event)
        self.check()

    def some_event(self) -> object:
        """Draw an event of a job: of a living attempt most often, else of any."""
        run, draw = self.play.run, self.data.draw
        living = sorted(run.in_flight)
        if living and draw(st.integers(0, 9)):
            task_at = draw(st.sampled_from(living))
            attempt = run.records[task_at].attempt
        else:
            task_at = draw(st.integers(0, max(0, len(run.nodes) - 1)))
            attempt = draw(st.integers(0, 4))
        now = self.play.now
        ended = run.attempts.get(task_at)
        if ended is not None and ended.ended_at is not None and draw(st.booleans()):
            return self.some_growth(task_at, attempt)
        kinds = [
            Submitted(task_at, attempt, now, "7"),
            Started(task_at, attempt, now, "7"),
            Ended(task_at, attempt, now, None, 0),
            Ended(task_at, attempt, now, None, 0),
            Ended(task_at, attempt, now, draw(st.sampled_from(CAUSES))),
            Returned(task_at, attempt, now),
        ]
        return draw(st.sampled_from(kinds))

    def some_growth(self, task_at: int, attempt: int) -> object:
        run, draw = self.play.run, self.data.draw
        name = run.nodes[task_at].name
        if not draw(st.integers(0, 3)):
            return GrowthFailed(task_at, attempt, self.play.now, "no")
        self.grown += 1
        new = f"g{self.grown}"
        others = draw(st.lists(st.sampled_from(sorted(run.index)), unique=True, max_size=2))
        needs = (name, *(other for other in others if other != name))
        tasks = (
            task(f"{new}a", *needs, trigger=draw(RULES)),
            task(f"{new}b", name, f"{new}a", generator=draw(GENERATORS)),
        )
        # A late need must not close a circle, so it goes to what nothing new hangs on.
        before = [n for n in run.index if n != name and not reaches(run, n, set(needs))]
        late = (
            draw(st.lists(st.sampled_from(sorted(before)), unique=True, max_size=2))
            if before
            else []
        )
        growth = Growth(tasks, late_needs=tuple((old, f"{new}b") for old in late))
        return Grown(task_at, attempt, self.play.now, growth)

    def some_command(self) -> object:
        run, draw, now = self.play.run, self.data.draw, self.play.now
        at = draw(st.integers(0, len(run.nodes) - 1))
        return draw(
            st.sampled_from(
                [CancelTask(at, now), RetryTasks((at,), now), RetryTasks((), now),
                 RetryTasks((at,), now, force=True), HoldTasks((at,), now),
                 ReleaseTasks((at,), now), MarkDone((at,), now), self.some_patch(at),
                 PauseRun(now), ResumeRun(now), ResumeRun(now), CancelRun(now), ClockSetBack(now),
                 UpdateRun(now, draw(LIMITS), draw(LIMITS)), reused(range(len(run.nodes)), now)]
            )
        )  # fmt: skip

    def some_patch(self, at: int) -> PatchTasks:
        changes = {"priority": self.data.draw(st.integers(0, 2)), "retry": self.data.draw(RETRIES)}
        return PatchTasks({at: task("new", **changes)}, self.play.now)


LIMITS = st.sampled_from([None, 0, 1, 3])


def reused(positions, now=0.0):
    """Tasks that an earlier run has done, in one attempt each."""
    attempts = [
        AttemptRecord(at, 1, TaskState.SUCCEEDED, "local", f"/old/{at}") for at in positions
    ]
    return Reused(tuple(ReusedTask(each.task, "old", (each,)) for each in attempts), now)


#: So many graphs are drawn for each property.
GRAPHS = 10_000 if os.environ.get("SEGUE_HYPOTHESIS") == "deep" else 100

GENERATORS = st.sampled_from([None, None, Generator("daggy")])
CAUSES = [
    Cause.EXIT_CODE, Cause.SIGNAL, Cause.TIMED_OUT, Cause.LOST, Cause.UNREACHABLE, Cause.REFUSED,
]  # fmt: skip


def reaches(run, name: str, goals: set[str]) -> bool:
    """Tell whether one of the goals needs `name`, near or far."""
    todo, seen = list(goals), set()
    while todo:
        node = todo.pop()
        if node == name:
            return True
        if node not in seen:
            seen.add(node)
            todo += run.nodes[run.index[node]].needs
    return False


@settings(max_examples=GRAPHS)
@given(dags(), st.data())
def test_every_invariant_holds_after_every_event(nodes, data):
    world = World(nodes, data)
    for _ in range(data.draw(st.integers(0, 40))):
        world.play.now += data.draw(st.sampled_from([0.0, 1.0, 5.0]))
        choice = data.draw(st.integers(0, 19))
        if choice < 7:
            world.play.admit(room=data.draw(st.integers(0, 3)))
            world.check()
        elif choice < 16 and world.play.run.nodes:
            world.tell(world.some_event())
        elif choice == 16:
            world.tell(None)
        elif choice == 17 and world.past:
            world.tell(data.draw(st.sampled_from(world.past)))
        elif world.play.run.nodes and choice == 18:
            world.tell(world.some_command())
        world.check()


@settings(max_examples=GRAPHS)
@given(dags(), st.data())
def test_every_run_ends_when_every_job_does(nodes, data):
    world = World(nodes, data)
    play = world.play
    for _ in range(10_000):
        if play.run.record.state is not RunState.RUNNING:
            break
        play.now += 100.0
        world.tell(None)
        play.admit()
        world.check()
        for position in sorted(play.run.in_flight):
            attempt = play.run.records[position].attempt
            cause = data.draw(st.sampled_from([None, None, *CAUSES]))
            world.tell(Ended(position, attempt, play.now, cause))
            if position in play.run.attempts:
                world.tell(Grown(position, attempt, play.now, Growth(())))

    assert play.run.record.state in (RunState.SUCCEEDED, RunState.FAILED)
    assert {record.state for record in play.run.records} <= FINAL_STATES


@settings(max_examples=GRAPHS)
@given(dags(), st.data())
def test_just_what_holds_is_taken_over_and_never_runs(nodes, data):
    """The slow reference says what can be taken over; the rest runs as it always would."""
    tasks = [at for at, node in enumerate(nodes) if isinstance(node, Task)]
    wanted = data.draw(st.sets(st.sampled_from(tasks))) if tasks else set()
    run = LiveRun(new_run(), nodes)
    expected = reusable(run, wanted)

    run.apply(decide(run, reused(sorted(wanted)), 0.0))
    run.apply(first_look(run, 0.0))

    assert {at for at, each in enumerate(run.records) if each.reused_from} == expected
    assert list(violations(run)) == []
    started = set()
    for _ in range(1000):
        if run.record.state is not RunState.RUNNING:
            break
        run.apply(admit(run, "", "fake", 9, 0.0))
        started |= run.in_flight
        position = min(run.in_flight)
        attempt = run.records[position].attempt
        cause = data.draw(st.sampled_from([None, Cause.REFUSED]))
        run.apply(decide(run, Ended(position, attempt, 0.0, cause), 0.0))
        if position in run.attempts:
            run.apply(decide(run, Grown(position, attempt, 0.0, Growth(())), 0.0))
        assert list(violations(run)) == []
    assert run.record.state in (RunState.SUCCEEDED, RunState.FAILED)
    assert not started & expected


@settings(max_examples=GRAPHS)
@given(dags(), st.data())
def test_a_task_starts_only_after_needs_that_let_it(nodes, data):
    """Without commands and retries, whatever starts had its rule met by final states."""
    play = Play(*nodes)
    while started := play.admit():
        for name in started:
            ends = [play.state(need) for need in play.run.nodes[play.at(name)].needs]
            if play.run.task(play.at(name)).trigger is TriggerRule.ALL_SUCCESS:
                assert set(ends) <= {"succeeded"}
        position = data.draw(st.sampled_from(sorted(play.run.in_flight)))
        cause = data.draw(st.sampled_from([None, None, Cause.REFUSED]))
        play.tell(Ended(position, play.run.records[position].attempt, 1.0, cause))
        if position in play.run.attempts:
            play.tell(Grown(position, 1, 1.0, Growth(())))


@settings(max_examples=GRAPHS)
@given(dags(), st.data())
def test_decide_changes_nothing_and_says_the_same_twice(nodes, data):
    world = World(nodes, data)
    world.play.admit()
    if not world.play.run.nodes:
        return
    event = world.some_event()
    run = world.play.run
    before = (list(run.records), list(run.tallies), dict(run.attempts), run.record)

    first = decide(run, event, 1.0)
    second = decide(run, event, 1.0)

    assert first == second
    assert before == (list(run.records), list(run.tallies), dict(run.attempts), run.record)


@pytest.mark.parametrize("state", sorted(OUTSIDE))
def test_every_living_state_has_a_step_to_every_end(state):
    for end in (TaskState.SUCCEEDED, TaskState.FAILED, TaskState.CANCELLED):
        assert (state, end) in STEPS
