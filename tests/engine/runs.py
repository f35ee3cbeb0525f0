"""Small runs for the engine's tests."""

from segue.engine.decide import admit, decide, first_look
from segue.engine.live_run import Decision, LiveRun
from segue.model.events import Ended, Event, Started
from segue.model.run import RunRecord
from segue.model.states import Cause, RunState, TaskState
from segue.model.workflow import Argv, Barrier, Task, Verdict

TRUE = Argv(("/bin/true",))


def record(**changes) -> RunRecord:
    values = {
        "id": "r", "workflow": "w", "dialect": "daggy", "state": RunState.RUNNING, "source": "f",
        "directory": "/", "workspace": "/w", "created_at": 0.0,
    }  # fmt: skip
    return RunRecord(**(values | changes))


def task(name: str, *needs: str, **changes) -> Task:
    return Task(name, TRUE, needs=needs, **changes)


class Play:
    """A run that is told what happens, and applies what follows."""

    def __init__(self, *nodes: Task | Barrier, verdict: Verdict = Verdict.DEFAULT, **changes):
        self.run = LiveRun(record(verdict=verdict, **changes), nodes)
        self.story: list[tuple[str, str, str]] = []
        self.deeds = []
        self.remarks: list[str] = []
        self.now = 0.0
        self.take(first_look(self.run, 0.0))

    def take(self, decision: Decision) -> Decision:
        self.run.apply(decision)
        for step in decision.steps:
            name = self.run.nodes[step.task].name
            self.story.append((name, step.old.value, step.new.value))
        self.deeds += decision.deeds
        self.remarks += decision.remarks
        return decision

    def tell(self, event: Event | None, now: float | None = None) -> Decision:
        self.now = self.now if now is None else now
        return self.take(decide(self.run, event, self.now))

    def admit(self, room: int = 1000, pool: str = "") -> list[str]:
        decision = self.take(admit(self.run, pool, "fake", room, self.now))
        return [self.run.nodes[step.task].name for step in decision.steps]

    def at(self, name: str) -> int:
        return self.run.index[name]

    def attempt(self, name: str) -> int:
        return self.run.records[self.at(name)].attempt

    def started(self, name: str) -> Decision:
        return self.tell(Started(self.at(name), self.attempt(name), self.now, "1"))

    def ended(self, name: str, cause: Cause | None = None, **fields) -> Decision:
        if cause is None:
            fields.setdefault("exit_code", 0)
        return self.tell(Ended(self.at(name), self.attempt(name), self.now, cause, **fields))

    def state(self, name: str) -> str:
        return self.run.records[self.at(name)].state.value

    def cause(self, name: str) -> Cause | None:
        return self.run.records[self.at(name)].cause

    @property
    def states(self) -> dict[str, str]:
        return {node.name: self.state(node.name) for node in self.run.nodes}

    @property
    def verdict(self) -> str:
        return self.run.record.state.value


FINAL_STATES = {
    TaskState.SUCCEEDED, TaskState.FAILED, TaskState.SKIPPED, TaskState.CANCELLED,
}  # fmt: skip
