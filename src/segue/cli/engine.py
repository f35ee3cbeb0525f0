"""An engine in the foreground: its progress, its signals, its last word."""

from __future__ import annotations

import contextlib
import signal
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import FrameType
from typing import Any

import click

from segue.cli.common import EXIT_CODES, print_json
from segue.cli.progress import Progress, progress_for
from segue.engine.commands import CommandKind
from segue.engine.engine import Engine
from segue.model.run import RunRecord
from segue.model.states import FINAL_RUN
from segue.protocols.clock import Clock
from segue.protocols.executor import Executor
from segue.protocols.store import Store
from segue.wiring import grow


class Session:
    """Runs one run in this process, as `run`, `resume` and `retry` do."""

    def __init__(
        self,
        store: Store,
        executors: Mapping[str, Executor],
        state: Path,
        clock: Clock,
        *,
        as_json: bool = False,
    ) -> None:
        self.store = store
        self.as_json = as_json
        self.progress: Progress = progress_for(sys.stderr if as_json else sys.stdout, quiet=as_json)
        self.interrupts = 0
        self.leaving = ""
        self._cancel_asked = False
        self.engine = Engine(
            store,
            executors,
            grow,
            clock,
            state,
            on_turn=self.progress.turned,
            on_trouble=self._trouble,
        )

    def run(self, run: str, *, force: bool = False) -> int:
        """Drive the run to its end; return the exit code."""
        try:
            with self._signals():
                self.engine.take(run, force=force)
                live = self.engine.scheduler.runs[run]
                self.progress.begin(live)
                record = self.engine.run_to_end(run, lambda: self._stop(run))
        finally:
            self.progress.end()
            self.engine.close()
        return self._last_word(record)

    def _last_word(self, record: RunRecord) -> int:
        from segue.cli.show import show_end

        if self.as_json:
            from segue.engine.documents import run_document

            print_json(run_document(self.store, record))
        else:
            show_end(self.store, record)
        if record.state in FINAL_RUN:
            return EXIT_CODES[record.state]
        click.echo(
            f"left as it is; what runs goes on. Take it up again: segue resume {record.id}",
            err=True,
        )
        return 130 if self.interrupts else 0

    # Signals -----------------------------------------------------------------

    @contextlib.contextmanager
    def _signals(self) -> Iterator[None]:
        """Let signals speak to the loop, and give them back afterwards."""
        handlers: dict[int, Any] = {
            signal.SIGINT: self._interrupted,
            signal.SIGTERM: self._told_to_leave,
            signal.SIGHUP: self._told_to_leave,
        }
        before = {number: signal.signal(number, each) for number, each in handlers.items()}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def _interrupted(self, number: int, frame: FrameType | None) -> None:
        self.interrupts += 1
        self.engine.scheduler.ring()

    def _told_to_leave(self, number: int, frame: FrameType | None) -> None:
        self.leaving = signal.Signals(number).name
        self.engine.scheduler.ring()

    def _stop(self, run: str) -> bool:
        """Asked after each turn: whether to leave the loop before the run has ended."""
        scheduler = self.engine.scheduler
        if self.leaving:
            return True
        if self.interrupts and not scheduler.draining:
            scheduler.draining = True
            self.engine.dispatch.recall()
            living = len(scheduler.runs[run].in_flight) if run in scheduler.runs else 0
            self.progress.say(
                f"nothing more is started; {living} tasks are out. "
                "Ctrl-C again cancels the run; wait, and it can be resumed."
            )
        if self.interrupts > 1 and not self._cancel_asked:
            self._cancel_asked = True
            self.progress.say("cancelling the run")
            self.store.put_command(
                run,
                CommandKind.CANCEL.value,
                {"reason": "Ctrl-C"},
                self.engine.scheduler.clock.now(),
            )
            scheduler.ring()
        return scheduler.draining and not self._cancel_asked and self.engine.idle()

    def _trouble(self, message: str) -> None:
        self.progress.say(message)
