"""What is seen while a run runs: a live display on a terminal, plain lines elsewhere."""

from __future__ import annotations

import time
from collections import deque
from typing import IO, Any, Final, Protocol

from segue.engine.live_run import LiveRun
from segue.engine.scheduler import Turn
from segue.model.errors import shorten
from segue.model.run import AttemptRecord
from segue.model.states import FINAL, Cause, TaskState
from segue.model.times import clock_time, duration
from segue.model.workflow import Task

#: A display is drawn so often, in seconds; the loop is never made to wait for it.
REDRAW_S: Final = 0.1
#: When nothing happens, running tasks still grow older on the display: so often, in seconds.
BEAT_S: Final = 0.5
#: The rate is that of so many seconds gone by.
RATE_WINDOW_S: Final = 20.0
_RUNNING_SHOWN: Final = 8


class Progress(Protocol):
    """Is told what happens.

    `beat_s`: even when nothing happens it wants a `beat` so often, in seconds; 0: it does not.
    """

    beat_s: float

    def begin(self, run: LiveRun) -> None:
        """The run begins, or goes on."""
        ...

    def turned(self, turn: Turn) -> None:
        """A turn of the loop has been stored."""
        ...

    def say(self, message: str) -> None:
        """Show a message in words."""
        ...

    def beat(self) -> None:
        """Time has gone by: what shows times may show them anew."""
        ...

    def end(self) -> None:
        """Nothing more will come."""
        ...


def progress_for(stream: IO[str], *, quiet: bool) -> Progress:
    """Return the display that fits the stream."""
    if quiet:
        return Quiet(stream)
    return Live(stream) if stream.isatty() else Lines(stream)


class Silent:
    """Says nothing at all: nobody is there any more."""

    beat_s: float = 0.0

    def begin(self, run: LiveRun) -> None:
        """Say nothing."""

    def turned(self, turn: Turn) -> None:
        """Say nothing."""

    def say(self, message: str) -> None:
        """Say nothing."""

    def beat(self) -> None:
        """Say nothing."""

    def end(self) -> None:
        """Say nothing."""


class Quiet(Silent):
    """Says nothing but what it is told to."""

    def __init__(self, stream: IO[str]) -> None:
        self.stream = stream

    def say(self, message: str) -> None:
        """Print the message."""
        self.stream.write(f"segue: {message}\n")
        self.stream.flush()


class Lines(Quiet):
    """One line for each task that ends: readable in a log file."""

    def __init__(self, stream: IO[str]) -> None:
        super().__init__(stream)
        self.run: LiveRun | None = None

    def begin(self, run: LiveRun) -> None:
        """Name the run."""
        self.run = run
        self.stream.write(f"{heading(run)}\n")
        self.stream.flush()

    def turned(self, turn: Turn) -> None:
        """Print a line for each task that has ended."""
        lines = []
        for commit in turn.changed.values():
            for position, (_, record) in commit.steps.items():
                node = self.run.nodes[position] if self.run else None
                if record.state not in FINAL or not isinstance(node, Task):
                    continue
                if record.reused_from:
                    continue  # the run's first line has counted it
                attempt = commit.attempts.get((position, record.attempt))
                lines.append(end_line(node.name, record.state, record.cause, attempt))
        if lines:
            self.stream.write("".join(lines))
            self.stream.flush()


def heading(run: LiveRun) -> str:
    """Return the line that a run begins with."""
    number = sum(run.counts.values())
    left = number - run.counts[TaskState.SUCCEEDED]
    done = f", {number - left} of them done" if left < number else ""
    return f"run {run.record.id}: {number} tasks{done}, workspace {run.record.workspace}"


def end_line(
    name: str, state: TaskState, cause: Cause | None, attempt: AttemptRecord | None
) -> str:
    """Return what is said of a task that has ended."""
    parts = [f"{shorten(name, 100)}: {state.value}"]
    if attempt is None or attempt.ended_at is None:
        if cause is not None:
            parts.append(f"({cause.value.replace('_', ' ')})")
        return " ".join(parts) + "\n"
    if attempt.started_at is not None:
        parts.append(f"in {duration(attempt.ended_at - attempt.started_at)}")
    if state is TaskState.FAILED:
        parts.append(f"({failure(attempt)})")
    return " ".join(parts) + "\n"


def failure(attempt: AttemptRecord) -> str:
    """Return in words how an attempt failed."""
    if attempt.message:
        return attempt.message.partition("\n")[0]
    if attempt.cause is Cause.EXIT_CODE:
        return f"exit code {attempt.exit_code}"
    if attempt.cause is Cause.SIGNAL:
        return f"signal {attempt.signal}"
    return str(attempt.cause or "unknown").replace("_", " ")


class Live:
    """Counts, rate, running tasks and expected end, drawn over themselves."""

    beat_s: float = BEAT_S

    def __init__(self, stream: IO[str]) -> None:
        from rich.console import Console
        from rich.live import Live as RichLive

        self.console = Console(file=stream)
        self._live = RichLive(console=self.console, auto_refresh=False, transient=True)
        self.run: LiveRun | None = None
        self._ends: deque[float] = deque()
        self._drawn_at = 0.0
        self._started_at = time.monotonic()

    def begin(self, run: LiveRun) -> None:
        """Name the run and start to draw."""
        self.run = run
        self.console.print(heading(run), highlight=False, soft_wrap=True)
        self._live.start()
        self._draw()

    def turned(self, turn: Turn) -> None:
        """Note what has ended; draw if it is time."""
        now = time.monotonic()
        for commit in turn.changed.values():
            for position, (_, record) in commit.steps.items():
                if record.state not in FINAL or record.reused_from:
                    continue
                self._ends.append(now)
                node = self.run.nodes[position] if self.run else None
                if record.state is TaskState.FAILED and isinstance(node, Task):
                    attempt = commit.attempts.get((position, record.attempt))
                    line = end_line(node.name, record.state, record.cause, attempt)
                    self.console.print(line.rstrip(), style="red", highlight=False, markup=False)
        self.beat()

    def beat(self) -> None:
        """Draw if it is time."""
        if time.monotonic() - self._drawn_at >= REDRAW_S:
            self._draw()

    def say(self, message: str) -> None:
        """Print the message above the display."""
        self.console.print(message, style="yellow", highlight=False, markup=False)

    def end(self) -> None:
        """Take the display away."""
        if self._live.is_started:
            self._live.stop()

    def _draw(self) -> None:
        if self.run is None:
            return
        self._drawn_at = time.monotonic()
        self._live.update(self._picture(self.run), refresh=True)

    def _picture(self, run: LiveRun) -> Any:
        from rich.console import Group
        from rich.progress_bar import ProgressBar
        from rich.table import Table
        from rich.text import Text

        total = sum(run.counts.values())
        ended = sum(run.counts[state] for state in FINAL)
        bar = Table.grid(padding=(0, 1))
        bar.add_row(
            ProgressBar(total=max(1, total), completed=ended, width=30),
            f"{ended}/{total}",
            self._speed(total - ended),
        )
        counts = Text("  ".join(f"{n} {state.value}" for state, n in run.counts.items() if n))
        lines: list[Any] = [bar, counts]
        for position in sorted(run.in_flight)[:_RUNNING_SHOWN]:
            attempt = run.attempts.get(position)
            if attempt is None or attempt.started_at is None:
                continue
            name = shorten(run.nodes[position].name, 60)
            lines.append(
                Text(f"  {name}  {duration(time.time() - attempt.started_at)}", style="cyan")
            )
        return Group(*lines)

    def _speed(self, left: int) -> str:
        now = time.monotonic()
        while self._ends and self._ends[0] < now - RATE_WINDOW_S:
            self._ends.popleft()
        window = min(RATE_WINDOW_S, now - self._started_at)
        if not self._ends or window <= 0:
            return ""
        rate = len(self._ends) / window
        end = clock_time(time.time() + left / rate)
        return f"{rate:.1f}/s, end about {end}" if left else f"{rate:.1f}/s"
