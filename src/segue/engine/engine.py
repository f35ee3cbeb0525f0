"""An engine: a scheduler with its executors, its doorbell and its name."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from segue.engine.dispatch import Dispatch
from segue.engine.doorbell import Doorbell, bell_name, remove_stale
from segue.engine.output import Grow
from segue.engine.owner import owner_name
from segue.engine.recover import take_over
from segue.engine.scheduler import Scheduler, Turn
from segue.model.run import RunRecord
from segue.protocols.clock import Clock
from segue.protocols.executor import Executor
from segue.protocols.store import Store


class Engine:
    """Runs what it takes over, until told to stop."""

    def __init__(
        self,
        store: Store,
        executors: Mapping[str, Executor],
        grow: Grow,
        clock: Clock,
        state: Path,
        *,
        default_pool: str = "local",
        on_turn: Callable[[Turn], None] = lambda turn: None,
        on_trouble: Callable[[str], None] = lambda message: None,
    ) -> None:
        self.store = store
        self.owner = owner_name()
        self.dispatch = Dispatch(executors, default_pool, grow, clock)
        bells = state / "doorbells"
        remove_stale(bells)
        bell = Doorbell(bells / bell_name(f"{id(self):x}"))
        self.scheduler = Scheduler(
            store, self.dispatch, bell, clock, on_turn=on_turn, on_trouble=on_trouble
        )

    def take(self, run: str, *, force: bool = False, slots: int | None = None) -> None:
        """Own a run; see `take_over` for what may be refused."""
        take_over(self.store, self.scheduler, run, self.owner, force=force, slots=slots)

    def run_to_end(self, run: str, stop: Callable[[], bool] = lambda: False) -> RunRecord:
        """Turn the loop until the run has ended, or `stop` says so; return the run."""
        runs = self.scheduler.runs
        self.scheduler.run_until(lambda: run not in runs or stop())
        record = self.store.run(run)
        assert record is not None
        return record

    def idle(self, run: str, tasks: Sequence[str] | None = None) -> bool:
        """Tell whether no job of the tasks of a run is out; None: of any task of it."""
        live = self.scheduler.runs.get(run)
        if live is None or tasks is None:
            return live is None or not live.in_flight
        return live.in_flight.isdisjoint(live.index[task] for task in tasks)

    def close(self) -> None:
        """Let everything go; jobs that run go on, and can be taken over again."""
        self.scheduler.close()
