"""load_only.py: take the newest run over, as an engine does when it starts, and let it go."""

from __future__ import annotations

import gc

from segue import wiring
from segue.engine.engine import Engine
from segue.engine.service import Service
from segue.protocols.clock import SystemClock


def main() -> None:
    """Load the run, count its tasks, leave."""
    gc.set_threshold(100_000, 20, 100)  # as `segue.cli.main` does
    clock = SystemClock()
    state = wiring.state_directory()
    store = wiring.open_store()
    run = Service(store, clock).find_run().id
    engine = Engine(store, wiring.open_executors(state, clock), wiring.grow, clock, state)
    engine.take(run)
    print(len(engine.scheduler.runs[run].nodes))
    engine.close()


if __name__ == "__main__":
    main()
