"""An engine on a real SQLite store, a fake outside and a clock that stands still."""

from pathlib import Path

from segue.engine.commands import CommandKind
from segue.engine.dispatch import Dispatch
from segue.engine.doorbell import Doorbell
from segue.engine.recover import take_over
from segue.engine.scheduler import Scheduler
from segue.engine.service import Service
from segue.model.workflow import Growth, Workflow
from segue.protocols.executor import JobKey
from segue.store.sqlite import SqliteStore
from segue.testing.fake_clock import FakeClock
from segue.testing.fake_executor import FakeExecutor


class World:
    """One store and one outside; engines come and go (`crash`)."""

    def __init__(self, path: Path, *, slots: int | None = None, ahead: int = 0) -> None:
        self.path = path
        self.clock = FakeClock(1000.0)
        self.outside = FakeExecutor(self.clock, slots=slots, ahead=ahead)
        self.growth = Growth(())
        self.engines = 0
        self.troubles: list[str] = []
        self._open()

    def _open(self) -> None:
        self.engines += 1
        self.store = SqliteStore(self.path / "segue.db")
        self.service = Service(self.store, self.clock)
        dispatch = Dispatch({"local": self.outside}, "local", self.grow, self.clock)
        bell = Doorbell(self.path / f"bell-{self.engines}")
        self.scheduler = Scheduler(
            self.store, dispatch, bell, self.clock, on_trouble=self.troubles.append
        )

    def grow(self, dialect, output, task, context, existing):
        if isinstance(self.growth, Exception):
            raise self.growth
        return self.growth

    def submit(self, *tasks, name: str = "r", **changes) -> str:
        workflow = Workflow("w", "daggy", tuple(tasks), **changes)
        self.service.submit(workflow, run=name, source="f", directory="/", workspace=str(self.path))
        return name

    def take(self, run: str = "r") -> None:
        take_over(self.store, self.scheduler, run, f"owner-{self.engines}")

    def turn(self) -> None:
        self.scheduler.turn(wait=False)

    def turns(self, number: int = 4) -> None:
        for _ in range(number):
            self.turn()

    def crash(self) -> None:
        """Lose the engine without a word; another one waits until its lease is over."""
        self.store.close()
        self.scheduler.doorbell.close()
        self.clock.advance(60.0)
        old, self.outside = self.outside, self.outside.reopen()
        old.close()
        self._open()

    def key(self, name: str, attempt: int = 1, run: str = "r") -> JobKey:
        position = next(s.position for s in self.store.nodes(run) if s.node.name == name)
        return JobKey(run, position, attempt)

    def ask(self, kind: CommandKind, run: str = "r", **argument) -> None:
        self.store.put_command(run, kind.value, argument, self.clock.now())
        self.scheduler.ring()
        self.scheduler._rung = True

    def states(self, run: str = "r") -> dict[str, str]:
        return {each.node.name: each.record.state.value for each in self.store.nodes(run)}

    def verdict(self, run: str = "r") -> str:
        return self.store.run(run).state.value

    def close(self) -> None:
        self.scheduler.close()
        self.store.close()
