"""An engine in the foreground: its progress, its signals, its last word."""

from __future__ import annotations

import contextlib
import errno
import signal
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from types import FrameType
from typing import Any, Final

import click

from segue.cli.common import EXIT_CODES, print_json
from segue.cli.main import INTERRUPTED
from segue.cli.progress import BEAT_S, Live, Progress, Silent, progress_for
from segue.engine.commands import CommandKind
from segue.engine.engine import Engine
from segue.model.errors import OutsideError
from segue.model.run import RunRecord
from segue.model.states import FINAL_RUN
from segue.protocols.clock import Clock
from segue.protocols.executor import Executor
from segue.protocols.store import Store
from segue.wiring import grow

#: Nobody reads what we show, or it has no room: no reason to end a run.
READER_IS_GONE: Final = (errno.EPIPE, errno.EIO, errno.ENOSPC, errno.EDQUOT)


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
            on_turn=lambda turn: self._show(lambda: self.progress.turned(turn)),
            on_trouble=self._say,
        )

    def run(self, run: str, *, force: bool = False) -> int:
        """Drive the run to its end; return the exit code."""
        try:
            with self._signals(), self._beats():
                self.engine.take(run, force=force)
                live = self.engine.scheduler.runs[run]
                self._show(lambda: self.progress.begin(live))
                record = self.engine.run_to_end(run, lambda: self._stop(run))
        finally:
            self._show(lambda: self.progress.end())
            self.engine.close()
        return self._last_word(record)

    def _last_word(self, record: RunRecord) -> int:
        self._show(lambda: self._show_end(record))
        if record.state in FINAL_RUN:
            return EXIT_CODES[record.state]
        # Neither success nor failure: whoever waits for the run must not go on.
        return INTERRUPTED if self.interrupts or self.leaving else OutsideError.exit_code

    def _show_end(self, record: RunRecord) -> None:
        from segue.cli.show import show_end

        if self.as_json:
            from segue.engine.documents import run_document

            print_json(run_document(self.store, record))
        else:
            show_end(self.store, record)
        if record.state in FINAL_RUN:
            return
        if self.interrupts or self.leaving:
            said = f"left as it is; what runs goes on. Take it up again: segue resume {record.id}"
        else:
            said = f"another engine has taken it over; watch it: segue status {record.id} --watch"
        click.echo(said, err=True)

    # What is seen --------------------------------------------------------------

    def _show(self, show: Callable[[], None]) -> None:
        """Show something; a run does not end because its reader has left."""
        try:
            show()
        except OSError as error:
            if error.errno not in READER_IS_GONE:
                raise
            self.progress = Silent()

    @contextlib.contextmanager
    def _beats(self) -> Iterator[None]:
        """Turn the loop now and then, so that a live display shows how time goes by."""
        if not isinstance(self.progress, Live):
            yield
            return
        over = threading.Event()

        def beat() -> None:
            while not over.wait(BEAT_S):
                self.engine.scheduler.ring()

        beats = threading.Thread(target=beat, daemon=True)
        beats.start()
        try:
            yield
        finally:
            over.set()
            beats.join()

    # Signals -----------------------------------------------------------------

    @contextlib.contextmanager
    def _signals(self) -> Iterator[None]:
        """Let signals speak to the loop, and give them back afterwards."""
        handlers: dict[int, Any] = {
            signal.SIGINT: self._interrupted,
            signal.SIGTERM: self._told_to_leave,
            signal.SIGHUP: self._told_to_leave,
        }
        # What whoever started us wants ignored stays so: `nohup`, jobs in the background.
        heard = [each for each in handlers if signal.getsignal(each) is not signal.SIG_IGN]
        before = {number: signal.signal(number, handlers[number]) for number in heard}
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
        self._show(lambda: self.progress.beat())
        if self.leaving:
            return True
        if self.interrupts and not scheduler.draining:
            scheduler.draining = True
            self.engine.dispatch.recall()
            living = len(scheduler.runs[run].in_flight) if run in scheduler.runs else 0
            self._say(
                f"nothing more is started; {living} tasks are out. "
                "Ctrl-C again cancels the run; wait, and it can be resumed."
            )
        if self.interrupts > 1 and not self._cancel_asked:
            self._cancel_asked = True
            self._say("cancelling the run")
            self.store.put_command(
                run,
                CommandKind.CANCEL.value,
                {"reason": "Ctrl-C"},
                self.engine.scheduler.clock.now(),
            )
            scheduler.ring()
        return scheduler.draining and not self._cancel_asked and self.engine.idle(run)

    def _say(self, message: str) -> None:
        self._show(lambda: self.progress.say(message))
