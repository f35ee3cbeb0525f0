"""What plots are made of: bins of time, from rows that the store has counted. Pure."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import accumulate
from typing import Final

from segue.model.states import FINAL, TaskState
from segue.protocols.windows import Span, StepCount, TemplateCount
from segue.server.documents import moment
from segue.server.picture_documents import Progress, TemplateBars

#: The width of the finest slices, in seconds; others are twice as wide as the next finer.
FINEST_S: Final = 0.125
#: A run is remembered in so many slices at the most, before these become wider.
SLICES_KEPT: Final = 4096
#: The rate of ends is taken over so many seconds.
RATE_OVER_S: Final = 15.0


def width_for(length_s: float, slices: int) -> float:
    """Return the width of slices, of which `slices` or fewer hold so long a time.

    Examples
    --------
    >>> width_for(100.0, 200), width_for(0.0, 200)
    (1.0, 0.125)
    """
    wanted = max(length_s, FINEST_S) / max(1, slices - 1)
    return FINEST_S * 2.0 ** max(0, math.ceil(math.log2(wanted / FINEST_S)))


@dataclass
class Steps:
    """The steps of a run, counted by slices of time; read on as the history grows."""

    width_s: float = FINEST_S
    last: int = 0
    counts: Counter[tuple[int, TaskState, TaskState]] = field(default_factory=Counter)

    def add(self, steps: Iterable[StepCount], last: int) -> None:
        """Take in what was counted behind `last`, in slices of `width_s`."""
        for step in steps:
            self.counts[step.slice, step.old, step.new] += step.number
        self.last = last

    def fit(self, begin: float, end: float) -> None:
        """Widen the slices until the time fits into what is kept."""
        while (end - begin) / self.width_s > SLICES_KEPT:
            self.width_s *= 2
            wider: Counter[tuple[int, TaskState, TaskState]] = Counter()
            for (at, old, new), number in self.counts.items():
                wider[at // 2, old, new] += number
            self.counts = wider


def progress(
    steps: Steps, counts: Mapping[str, int], begin: float, end: float, bins: int, now: float
) -> Progress:
    """Return how a run came along from `begin` to `end`; `counts` is how it stands at `end`."""
    width_s = max(width_for(end - begin, bins), steps.width_s)
    factor = round(width_s / steps.width_s)
    first = math.floor(begin / width_s)
    number = min(bins, math.floor(end / width_s) - first + 1)
    changes: dict[TaskState, list[int]] = defaultdict(lambda: [0] * number)
    ended, failed = [0] * number, [0] * number
    for (at, old, new), many in steps.counts.items():
        bin_ = min(max(at // factor - first, 0), number - 1)
        changes[old][bin_] -= many
        changes[new][bin_] += many
        if new in FINAL:
            ended[bin_] += many
            failed[bin_] += many if new is TaskState.FAILED else 0
    states = {}
    for state in TaskState:
        series = _backwards(changes[state], counts.get(state.value, 0))
        if any(series):
            states[state] = series
    rate = _rate(steps, now)
    left = sum(many for state, many in counts.items() if TaskState(state) not in FINAL)
    done = not left
    return Progress(
        begin=moment(first * width_s),
        end=moment((first + number) * width_s),
        bin_seconds=width_s,
        states=states,
        ended=ended,
        failed=failed,
        rate_per_second=round(rate, 3),
        estimated_end_at=moment(now + left / rate) if rate and not done else None,
    )


def _backwards(changes: Sequence[int], last: int) -> list[int]:
    """Return the numbers at the end of each bin, from the last of them and the changes."""
    behind = accumulate(reversed(changes[1:]), initial=0)
    return [max(0, last - change) for change in behind][::-1]


def _rate(steps: Steps, now: float) -> float:
    since = math.floor((now - RATE_OVER_S) / steps.width_s)
    ends = [
        (at, many) for (at, _, new), many in steps.counts.items() if new in FINAL and at >= since
    ]
    if not ends:
        return 0.0
    first = min(at for at, _ in ends) * steps.width_s
    return sum(many for _, many in ends) / max(1.0, now - first)


def template_bars(
    spans: Sequence[Span],
    counts: Sequence[TemplateCount],
    width_s: float,
    begin: float,
    end: float,
) -> list[TemplateBars]:
    """Return how many attempts of each template waited and ran in each slice of time.

    An attempt counts in every slice that it touches; what has not ended goes on to `end`.
    """
    first = math.floor(begin / width_s)
    number = math.floor(end / width_s) - first + 1
    by_template: dict[str, list[Span]] = defaultdict(list)
    for span in spans:
        by_template[span.template].append(span)
    tasks: Counter[str] = Counter()
    order: dict[str, int] = {}
    for count in counts:
        tasks[count.template] += count.number
        order[count.template] = min(count.first, order.get(count.template, count.first))
    return [
        _template_bars(name, tasks[name], by_template[name], first, number, width_s)
        for name in sorted(order, key=lambda name: order[name])
    ]


def _template_bars(
    name: str, tasks: int, spans: Sequence[Span], first: int, number: int, width_s: float
) -> TemplateBars:
    waiting, running = [0] * (number + 1), [0] * (number + 1)
    ended, failed = [0] * number, [0] * number
    last = number - 1

    def fill(series: list[int], begin: int | None, end: int | None, many: int) -> None:
        if begin is None:
            return
        low = min(max(begin - first, 0), last)
        high = min(max((last if end is None else end - first), low), last)
        series[low] += many
        series[high + 1] -= many

    for span in spans:
        gone = span.started if span.started is not None else span.ended
        fill(waiting, span.submitted, gone, span.number)
        fill(running, span.started, span.ended, span.number)
        if span.ended is not None:
            at = min(max(span.ended - first, 0), last)
            ended[at] += span.number
            failed[at] += span.number if span.failed else 0
    starts = [span.started for span in spans if span.started is not None]
    ends = [span.ended for span in spans if span.ended is not None]
    return TemplateBars(
        template=name,
        tasks=tasks,
        first_started_at=moment(min(starts) * width_s) if starts else None,
        last_ended_at=moment((max(ends) + 1) * width_s) if ends else None,
        waiting=list(accumulate(waiting[:-1])),
        running=list(accumulate(running[:-1])),
        failed=failed,
        ended=ended,
    )
