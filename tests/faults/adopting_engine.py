"""An engine that takes runs that nobody owns, so many at a time, until all have ended.

    python adopting_engine.py URL FOLDER AT_MOST

It does not look whether another engine's process lives, as one on another machine could
not: a run is free when its lease is over.
"""

import sys
import threading
from contextlib import suppress
from pathlib import Path

from segue import wiring
from segue.engine import recover
from segue.engine.engine import Engine
from segue.model.errors import RefusedError
from segue.model.states import RunState
from segue.protocols.clock import SystemClock

BEAT_S = 0.1


def main(url, folder, at_most):
    recover.certainly_dead = lambda lease: False
    store, clock = wiring.open_store(url), SystemClock()
    executors = wiring.open_executors(Path(folder) / "state", clock, slots=3, pools=())
    engine = Engine(store, executors, wiring.grow, clock, Path(folder) / "state")
    over = threading.Event()

    def beat():
        while not over.wait(BEAT_S):
            engine.scheduler.ring()

    beats = threading.Thread(target=beat)
    beats.start()
    while open_runs := store.runs(states=[RunState.RUNNING]):
        owned = engine.scheduler.runs
        for run in open_runs:
            if run.id not in owned and len(owned) < int(at_most):
                take(engine, run.id)
        engine.scheduler.turn()
    over.set()
    beats.join()
    engine.close()
    store.close()


def take(engine, run):
    with suppress(RefusedError):
        engine.take(run)


if __name__ == "__main__":
    main(*sys.argv[1:])
