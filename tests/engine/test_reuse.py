"""Edit and resume: what an edited workflow takes over, and why the rest runs."""

from dataclasses import replace
from pathlib import Path

import pytest
from engines import World
from hypothesis import given, settings
from hypothesis import strategies as st
from runs import TRUE, record, task
from test_invariants import GRAPHS, dags

from segue.engine.commands import CommandKind
from segue.engine.reuse import Earlier, earlier_run, make_plan, needs_marks
from segue.model.errors import RefusedError
from segue.model.run import TaskRecord
from segue.model.states import Cause, TaskState
from segue.model.workflow import (
    Argv,
    Barrier,
    Generator,
    Growth,
    Resources,
    Retry,
    Script,
    Task,
    TriggerRule,
    Workflow,
)
from segue.protocols.store import StoredNode

OK = TaskState.SUCCEEDED


def earlier(*nodes, states=None, restarted=(), **changes):
    """A run that has ended; each node succeeded unless `states` says otherwise."""
    stored = {
        node.name: StoredNode(at, node, TaskRecord((states or {}).get(node.name, OK), 1))
        for at, node in enumerate(nodes)
    }
    marks = dict(zip(stored, needs_marks(nodes), strict=True))
    where = {node.name: at for at, node in enumerate(nodes)}
    folders = {at: f"/w/{name}.1" for name, at in where.items()}
    return Earlier(
        record(id="old", **changes), stored, marks, frozenset(where[n] for n in restarted), folders
    )


def plan(before, *nodes, gone=(), growths=None, hopeful=False, **changes):
    """Why each task of the edited workflow runs; empty where it is taken over."""
    made = make_plan(
        record(id="new", **changes),
        nodes,
        before,
        read_growth=lambda run, at, folder: (growths or {})[run.nodes[at].name],
        is_there=lambda path: path not in gone,
        hopeful=hopeful,
    )
    return {each.name: reason for each, reason in made.tasks}


# What holds ------------------------------------------------------------------


def test_a_workflow_that_was_not_edited_is_taken_over_whole():
    nodes = [task("a"), task("b", "a"), task("c", "a", "b")]

    assert plan(earlier(*nodes), *nodes) == {"a": "", "b": "", "c": ""}


def test_what_changed_runs_and_so_does_what_needs_it():
    before = earlier(task("a"), task("b", "a"), task("c", "b"), task("d"))
    edited = replace(task("b", "a"), action=Argv(("/bin/false",)))

    assert plan(before, task("a"), edited, task("c", "b"), task("d")) == {
        "a": "",
        "b": "changed: action",
        "c": "needs 'b', which runs",
        "d": "",
    }


def test_a_task_that_is_new_runs():
    assert plan(earlier(task("a")), task("a"), task("b", "a")) == {"a": "", "b": "new"}


@pytest.mark.parametrize(
    ("state", "said"),
    [
        (TaskState.FAILED, "failed before"),
        (TaskState.CANCELLED, "was cancelled before"),
        (TaskState.SKIPPED, "was skipped before"),
        (TaskState.WAITING, "had not ended"),
        (TaskState.RUNNING, "had not ended"),
    ],
)
def test_what_did_not_succeed_runs(state, said):
    assert plan(earlier(task("a"), states={"a": state}), task("a")) == {"a": said}


def test_what_is_out_can_be_judged_as_if_it_had_ended_well():
    before = earlier(task("a"), task("b", "a"), states={"a": TaskState.RUNNING})

    assert plan(before, task("a"), hopeful=True) == {"a": ""}


@pytest.mark.parametrize(
    "changes",
    [
        {"retry": Retry(limit=9, delay_s=5.0)},
        {"resources": Resources(nodes=4, walltime_s=7200)},
        {"options": {"walltime": "02:00:00"}},
        {"timeout_s": 9.0},
        {"priority": 3},
        {"pool": "slurm"},
        {"description": "other words"},
        {"restart": Argv(("again",))},
    ],
)
def test_what_says_how_and_not_what_changes_nothing(changes):
    assert plan(earlier(task("a")), replace(task("a"), **changes)) == {"a": ""}


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"environment": {"A": "1"}}, "environment"),
        ({"clear_environment": True}, "clear_environment"),
        ({"parameters": {"X": 2}}, "parameters"),
        ({"workdir": "elsewhere"}, "workdir"),
        ({"trigger": TriggerRule.ALWAYS}, "trigger"),
        ({"generator": Generator("daggy")}, "generator"),
    ],
)
def test_what_says_what_lets_the_task_run_again(changes, said):
    assert plan(earlier(task("a")), replace(task("a"), **changes)) == {"a": f"changed: {said}"}


def test_a_restart_that_has_run_counts():
    before = earlier(task("a", restart=Argv(("again",))), restarted=["a"])

    assert plan(before, task("a", restart=Argv(("other",)))) == {"a": "changed: restart"}


def test_lines_for_the_batch_system_do_not_count():
    text = "#!/bin/bash\n#SBATCH --time={}\n\nsrun fit\n"
    before = earlier(replace(task("a"), action=Script(text.format(10), file="a.sh")))

    after = replace(task("a"), action=Script(text.format(20), file="a.slurm.sh"))

    assert plan(before, after) == {"a": ""}


def test_another_folder_to_run_in_counts_where_a_task_has_none_of_its_own():
    before = earlier(task("a"), task("b", workdir="b"), directory="/here")

    assert plan(before, task("a"), task("b", workdir="b"), directory="/there") == {
        "a": "changed: workdir",
        "b": "",
    }


def test_a_task_whose_own_folder_is_gone_runs():
    nodes = [task("a", workdir="a"), task("b", workdir="b")]

    assert plan(earlier(*nodes), *nodes, gone=["/w/b"]) == {
        "a": "",
        "b": "its folder is gone: /w/b",
    }


# Needs -----------------------------------------------------------------------


@pytest.mark.parametrize("needs", [(), ("a",), ("a", "b", "d")])
def test_other_needs_let_a_task_run_again(needs):
    others = [task("a"), task("b"), task("d")]

    assert plan(earlier(*others, task("c", "a", "b")), *others, task("c", *needs))["c"] == (
        "changed: needs"
    )


def test_the_order_of_needs_does_not_count():
    before = earlier(task("a"), task("b"), task("c", "a", "b"))

    assert plan(before, task("a"), task("b"), task("c", "b", "a"))["c"] == ""


def test_a_barrier_that_comes_with_one_more_dependent_changes_nothing():
    before = earlier(task("a"), task("b"), task("c", "a", "b"))
    barrier = Barrier("barrier:a", ("a", "b"))

    found = plan(
        before, task("a"), task("b"), task("c", "barrier:a"), task("d", "barrier:a"), barrier
    )

    assert found == {"a": "", "b": "", "c": "", "d": "new"}


def test_a_task_behind_a_barrier_names_the_task_that_runs():
    nodes = [task("a"), task("b"), Barrier("all", ("a", "b")), task("c", "all")]

    assert plan(earlier(*nodes, states={"b": TaskState.FAILED}), *nodes)["c"] == (
        "needs 'b', which runs"
    )


# Generators ------------------------------------------------------------------


def generator(name, *needs, **changes):
    return task(name, *needs, generator=Generator("daggy"), **changes)


def test_a_generator_is_taken_over_with_what_it_grew():
    before = earlier(generator("g"), task("end", "g", "g1"), task("g1", "g"))
    growth = Growth((task("g1", "g"),), late_needs=(("end", "g1"),))

    found = plan(before, generator("g"), task("end", "g"), growths={"g": growth})

    assert found == {"g": "", "end": "", "g1": ""}


def test_what_a_generator_grew_runs_when_it_failed_before():
    before = earlier(generator("g"), task("g1", "g"), states={"g1": TaskState.FAILED})

    found = plan(before, generator("g"), growths={"g": Growth((task("g1", "g"),))})

    assert found == {"g": "", "g1": "failed before"}


def test_a_generator_whose_output_cannot_be_read_again_runs():
    before = earlier(generator("g"), task("end", "g"))

    found = plan(before, generator("g"), task("end", "g"), growths={"g": "no such file\nmore"})

    assert found == {
        "g": "it cannot be grown again: no such file",
        "end": "needs 'g', which runs",
    }


def test_a_generator_that_was_grown_is_grown_again():
    before = earlier(generator("g"), generator("g1", "g"), task("g2", "g1"))
    growths = {"g": Growth((generator("g1", "g"),)), "g1": Growth((task("g2", "g1"),))}

    assert plan(before, generator("g"), growths=growths) == {"g": "", "g1": "", "g2": ""}


def test_a_generator_that_comes_to_need_what_runs_adds_nothing_now():
    """Its growth would be there twice, when it has run again."""
    before = earlier(
        generator("g"), generator("h", "g1"), task("g1", "g"), task("h1", "h"),
        states={"g1": TaskState.FAILED},
    )  # fmt: skip
    growths = {
        "g": Growth((task("g1", "g"),), late_needs=(("h", "g1"),)),
        "h": Growth((task("h1", "h"),)),
    }

    found = plan(before, generator("g"), generator("h"), growths=growths)

    assert found == {"g": "", "h": "needs 'g1', which runs", "g1": "failed before"}


# All graphs ------------------------------------------------------------------


@settings(max_examples=GRAPHS)
@given(dags(), st.data())
def test_what_is_taken_over_is_just_what_can_be(nodes, data):
    """Held against a slow rule that looks at each task and all behind it anew."""
    tasks = [node for node in nodes if isinstance(node, Task)]
    nodes = [replace(n, generator=None) if isinstance(n, Task) else n for n in nodes]
    names = st.sampled_from([each.name for each in tasks]) if tasks else st.nothing()
    bad = data.draw(st.sets(names) if tasks else st.just(set()))
    edited = data.draw(st.sets(names) if tasks else st.just(set()))
    fresh = data.draw(st.sets(names) if tasks else st.just(set()))
    before = earlier(
        *[node for node in nodes if node.name not in fresh],
        states=dict.fromkeys(bad, TaskState.FAILED),
    )
    after = [replace(n, action=Argv(("edited",))) if n.name in edited else n for n in nodes]

    found = make_plan(
        record(id="new"), after, before, read_growth=lambda *_: "none", is_there=lambda _: True
    )

    by_name = {node.name: node for node in after}

    def holds(name):
        good = isinstance(by_name[name], Barrier) or name not in bad | edited | fresh
        return good and all(map(holds, by_name[name].needs))

    assert {each.name for each in tasks if holds(each.name)} == set(found.reused)
    assert found.nodes == tuple(after)


# A store, an engine ----------------------------------------------------------


@pytest.fixture
def world(tmp_path):
    world = World(tmp_path)
    yield world
    world.close()


def workflow(*tasks, **changes):
    return Workflow("w", "daggy", tuple(tasks), **changes)


def continued(world, *tasks, run="new", old="r"):
    """Store an edited run; return the tasks that it takes over."""
    service = world.service
    new = service.new_record(
        workflow(*tasks), run=run, source="f", directory="/", workspace=str(world.path)
    )
    plan = service.plan_reuse(new, workflow(*tasks), service.find_run(old), world.grow)
    service.continue_run(new, plan)
    return plan.reused


def ran(world, *ends, run="r"):
    """Let tasks run to their ends, one after the other."""
    for name, code in ends:
        world.turn()
        key = world.key(name, run=run)
        world.outside.start(key)
        world.outside.finish(key, exit_code=code)
        world.turn()


@pytest.fixture
def failed(world):
    """A run in which `a` succeeded and `b` failed."""
    world.submit(task("a"), task("b", "a"))
    world.take()
    ran(world, ("a", 0), ("b", 1))
    assert world.verdict() == "failed"
    return world


def test_only_what_changed_is_handed_to_the_executor(failed):
    continued(failed, task("a"), task("b", "a", priority=1))
    failed.outside.place.handed_over.clear()
    failed.take("new")

    ran(failed, ("b", 0), run="new")

    assert [key.name for key in failed.outside.place.handed_over] == ["new.1.1"]
    assert failed.states("new") == {"a": "succeeded", "b": "succeeded"}
    assert failed.verdict("new") == "succeeded"


def test_attempts_and_story_of_what_was_taken_over_are_known_in_the_new_run(failed):
    continued(failed, task("z"), task("a"), task("b", "a"))
    failed.take("new")
    failed.turn()

    (before,) = failed.store.attempts("r", [0])
    (after,) = failed.store.attempts("new", [1])
    assert after == before._replace(task=1)
    steps = [each.detail for each in failed.store.history("new") if each.task == 1]
    assert steps == ["taken over from r"]
    assert [each.record.reused_from for each in failed.store.nodes("new")] == ["", "r", ""]


def test_what_was_taken_over_twice_names_the_run_that_ran_it(failed):
    continued(failed, task("a"), task("b", "a"))
    failed.take("new")
    ran(failed, ("b", 0), run="new")

    continued(failed, task("a"), task("b", "a"), task("c", "b"), run="newer", old="new")
    failed.take("newer")
    failed.turn()

    assert [each.record.reused_from for each in failed.store.nodes("newer")] == ["r", "new", ""]
    assert failed.store.run("newer").continues == "new"


def test_a_generator_that_is_taken_over_brings_its_tasks(world):
    world.submit(generator("g", workdir="g"), task("end", "g"))
    Path(world.path, "g").mkdir()
    world.take()
    world.growth = Growth((task("g1", "g"),), late_needs=(("end", "g1"),))
    world.turn()
    folder = Path(next(world.store.attempts("r", [0])).folder)
    folder.mkdir(parents=True)
    (folder / "stdout").touch()
    ran(world, ("g", 0), ("g1", 0), ("end", 1))

    reused = continued(world, generator("g", workdir="g"), task("end", "g"))

    assert reused == ["g", "g1"]
    world.take("new")
    world.turn()
    assert world.states("new") == {"g": "succeeded", "end": "submitting", "g1": "succeeded"}


def test_a_run_that_has_not_ended_is_closed_by_the_one_that_continues_it(world):
    world.submit(task("a"), task("b", "a"))
    world.take()
    ran(world, ("a", 0))
    world.ask(CommandKind.PAUSE)
    world.turns()

    assert continued(world, task("a"), task("b", "a")) == ["a"]
    world.scheduler.ring()
    world.scheduler.turn()

    assert world.verdict() == "cancelled"
    assert world.states() == {"a": "succeeded", "b": "cancelled"}
    steps = [each.detail for each in world.store.history("r") if each.new == "cancelled"]
    assert steps[0] == "cancelled: continued as new"


def test_a_run_without_an_engine_keeps_the_wish_for_its_end(world):
    world.submit(task("a"))
    continued(world, task("a"))

    (command,) = world.store.commands(["r"])

    assert (command.kind, command.argument) == ("cancel", {"reason": "continued as new"})
    world.take()
    world.turn()
    assert world.verdict() == "cancelled"
    details = [each.detail for each in world.store.history("r") if each.kind == "command"]
    assert details == ["cancel (continued as new)"]


def test_a_run_in_whose_workspace_another_has_written_since_cannot_be_reused(failed):
    continued(failed, task("a"))

    with pytest.raises(RefusedError, match="new has written"):
        failed.service.check_reusable(failed.store.run("r"))
    failed.service.check_reusable(failed.store.run("new"))


def test_an_earlier_run_is_read_with_what_its_attempts_were(failed):
    found = earlier_run(failed.store, failed.store.run("r"))

    assert {name: each.record.state.value for name, each in found.stored.items()} == {
        "a": "succeeded",
        "b": "failed",
    }
    assert found.stored["b"].record.cause is Cause.EXIT_CODE
    assert found.folders[0].endswith("/r/a.1")
    assert found.stored["a"].node.action == TRUE
