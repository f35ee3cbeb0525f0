"""An engine in the foreground: its progress, its signals, its last word."""

from __future__ import annotations

import contextlib
import errno
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from types import FrameType
from typing import Any, Final

import click

from segue.cli.common import EXIT_CODES, print_json
from segue.cli.main import INTERRUPTED
from segue.cli.progress import Progress, Silent, progress_for
from segue.engine.commands import CommandKind
from segue.engine.engine import Engine
from segue.model.errors import OutsideError
from segue.model.run import RunRecord
from segue.model.states import FINAL_RUN, TaskState
from segue.protocols.clock import Clock
from segue.protocols.executor import Executor
from segue.protocols.store import Store
from segue.wiring import grow

#: Nobody reads what we show, or it has no room: no reason to end a run.
READER_IS_GONE: Final = (errno.EPIPE, errno.EIO, errno.ENOSPC, errno.EDQUOT)

#: Executors are given so long to say what they have taken back, in seconds.
RECALL_PATIENCE_S: Final = 1.0


class Session:
    """Runs one run in this process, as `run`, `resume` and `retry` do.

    `progress` shows what happens; by default what fits the stream.
    """

    def __init__(
        self,
        store: Store,
        executors: Mapping[str, Executor],
        state: Path,
        clock: Clock,
        *,
        as_json: bool = False,
        progress: Progress | None = None,
    ) -> None:
        self.store = store
        self.as_json = as_json
        self.progress: Progress = progress or progress_for(
            sys.stderr if as_json else sys.stdout, quiet=as_json
        )
        self.interrupts = 0
        self.leaving = ""
        #: What a run that is cancelled by a signal is told as the reason.
        self.cancel_reason = "Ctrl-C"
        self._cancel_asked = False
        self._drain_said = False
        self._recalled_at = 0.0
        self._waker: threading.Timer | None = None
        self.engine = Engine(
            store,
            executors,
            grow,
            clock,
            state,
            on_turn=lambda turn: self._show(lambda: self.progress.turned(turn)),
            on_trouble=self._say,
        )

    def run(self, run: str, *, force: bool = False, slots: int | None = None) -> int:
        """Drive the run to its end, and say how it ended; return the exit code."""
        return self._last_word(self.drive(run, force=force, slots=slots))

    def drive(self, run: str, *, force: bool = False, slots: int | None = None) -> RunRecord:
        """Drive the run to its end, or until told to leave; return it as it is then.

        `slots`, where given, is remembered with the run.
        """
        try:
            with self._signals(), self._beats():
                self.engine.take(run, force=force, slots=slots)
                live = self.engine.scheduler.runs[run]
                self._show(lambda: self.progress.begin(live))
                return self.engine.run_to_end(run, lambda: self._stop(run))
        finally:
            if self._waker is not None:
                # It must not ring a bell that is taken down.
                self._waker.cancel()
                self._waker.join()
            self._show(lambda: self.progress.end())
            self.engine.close()

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
        """Turn the loop now and then, for a display that shows how time goes by."""
        beat_s = self.progress.beat_s
        if not beat_s:
            yield
            return
        over = threading.Event()

        def beat() -> None:
            while not over.wait(beat_s):
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
            self._recalled_at = time.monotonic()
            self._waker = threading.Timer(RECALL_PATIENCE_S, scheduler.ring)
            self._waker.daemon = True
            self._waker.start()
        if scheduler.draining and not self._drain_said and self._recalled(run):
            self._drain_said = True
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
                {"reason": self.cancel_reason},
                self.engine.scheduler.clock.now(),
            )
            scheduler.ring()
        return scheduler.draining and not self._cancel_asked and self.engine.idle(run)

    def _recalled(self, run: str) -> bool:
        """Tell whether what was held ahead has come back, or will not come soon."""
        live = self.engine.scheduler.runs.get(run)
        if live is None or self.interrupts > 1:
            return True
        begun = all(live.records[at].state is TaskState.RUNNING for at in live.in_flight)
        return begun or time.monotonic() >= self._recalled_at + RECALL_PATIENCE_S

    def _say(self, message: str) -> None:
        self._show(lambda: self.progress.say(message))
