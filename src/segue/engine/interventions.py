"""What a person does to single tasks: hold, release, mark done, change what they do. Pure."""

from __future__ import annotations

from dataclasses import replace

from segue.engine.draft import Draft
from segue.engine.orders import answer_again, go_on, skipped_behind
from segue.engine.retry import shortened
from segue.engine.settle import answer_needs, settle
from segue.model.events import HoldTasks, MarkDone, PatchTasks, ReleaseTasks
from segue.model.run import TaskRecord
from segue.model.states import FINAL, FINAL_RUN, OUTSIDE, TaskState
from segue.model.workflow import Task


def hold(draft: Draft, event: HoldTasks) -> None:
    """Keep tasks from starting; what is out already, or has ended, stays as it is."""
    for position in event.tasks:
        node, record = draft.node(position), draft.record(position)
        if not isinstance(node, Task):
            continue
        if record.state in FINAL or record.state in OUTSIDE:
            draft.remarks.append(f"{node.name} is not held: it is {record.state}")
        elif record.state is TaskState.READY:
            _wait_again(draft, position, "held")
            draft.keep(position, draft.record(position)._replace(held=True))
        else:
            draft.keep(position, record._replace(held=True))


def release(draft: Draft, event: ReleaseTasks) -> None:
    """Let tasks start again that were held."""
    for position in event.tasks:
        node, record = draft.node(position), draft.record(position)
        if not record.held or not isinstance(node, Task):
            continue
        record = record._replace(held=False)
        # The clock may have gone back while it was held.
        draft.keep(position, shortened(node, record, draft.now))
        if answer_needs(draft, position):
            settle(draft, position)


def mark_done(draft: Draft, event: MarkDone) -> None:
    """Let tasks count as done that have not succeeded; who waits for them goes on."""
    done: set[int] = set()
    for position in event.tasks:
        record = draft.record(position)
        if record.state is TaskState.SUCCEEDED or not isinstance(draft.node(position), Task):
            continue
        if record.state in OUTSIDE:
            draft.remarks.append(f"{draft.node(position).name} is not marked done: it is out now")
            continue
        if record.state is TaskState.READY:
            _wait_again(draft, position, "marked done")
        succeeded = record._replace(state=TaskState.SUCCEEDED, cause=None, not_before=0.0)
        draft.step(position, succeeded, None, f"marked done: {event.reason}")
        done.add(position)
    skipped = skipped_behind(draft, done)
    for position in sorted(skipped):
        draft.step(position, TaskRecord(attempt=draft.record(position).attempt), None, "retry")
    if done and (skipped or draft.run.state in FINAL_RUN):
        go_on(draft)
    answer_again(draft, done | skipped)


def patch(draft: Draft, event: PatchTasks) -> None:
    """Change what tasks do from their next attempt on; the graph stays as it is."""
    for position, wanted in event.tasks.items():
        node, record = draft.node(position), draft.record(position)
        if not isinstance(node, Task):
            continue
        if record.state in OUTSIDE or record.state is TaskState.SUCCEEDED:
            draft.remarks.append(f"{node.name} is not changed: it is {record.state}")
            continue
        draft.patched[position] = replace(
            wanted,
            name=node.name,
            template=node.template,
            needs=node.needs,
            trigger=node.trigger,
            generator=node.generator,
        )
        draft.remarks.append(f"{node.name} has a new definition")
        if record.state is TaskState.READY:
            # Its place among the ready ones may be another now.
            _wait_again(draft, position, "changed")
            if answer_needs(draft, position):
                settle(draft, position)


def _wait_again(draft: Draft, position: int, detail: str) -> None:
    """Let a ready task wait for nothing but its needs, as they stand now."""
    record = draft.record(position)
    draft.step(position, record._replace(state=TaskState.WAITING, not_before=0.0), None, detail)
    draft.recount(position)
