"""Results as a table for people and as JSON for programs."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import sqlite3
import statistics
import subprocess
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from measure import Measured
from tools import Tools
from workloads import Figure, Workload

PROGRAMS = ("segue", "make", "floor")


@dataclass(frozen=True)
class Trial:
    """One repetition by one program."""

    measured: Measured
    first_task_s: float | None

    def value(self, quantity: str) -> float:
        """Return the quantity of that name."""
        if quantity == "first_task_s":
            assert self.first_task_s is not None
            return self.first_task_s
        number: float = getattr(self.measured, quantity)
        return number


@dataclass(frozen=True)
class Result:
    """All repetitions of a workload, by program."""

    workload: Workload
    trials: Mapping[str, list[Trial]]


@dataclass(frozen=True)
class Row:
    """A figure of each program: the median of its repetitions."""

    figure: Figure
    medians: Mapping[str, float]

    def times(self, program: str) -> float | None:
        """Return how many times the figure of another program ours is."""
        other = self.medians.get(program)
        return self.medians["segue"] / other if other else None

    @property
    def reached(self) -> bool | None:
        """Whether the target is met; None: there is none."""
        target = self.figure.target
        if target is None:
            return None
        reached = self.times("make") if target.times_make else self.medians["segue"]
        return reached is not None and reached <= target.at_most


def rows(results: Iterable[Result]) -> list[Row]:
    """Return a row for each figure."""
    return [
        Row(
            figure,
            {
                program: statistics.median(each.value(figure.quantity) for each in trials)
                for program, trials in result.trials.items()
            },
        )
        for result in results
        for figure in result.workload.figures
    ]


def table(found: Iterable[Row], *, judged: bool) -> str:
    """Return the rows as text; `judged`: with the verdict on each target."""
    heads = ["", *PROGRAMS, "x make", "x floor", "target", ""]
    lines = [
        [
            row.figure.title,
            *(_amount(row.figure, row.medians.get(program)) for program in PROGRAMS),
            _times(row.times("make")),
            _times(row.times("floor")),
            _target(row.figure),
            {True: "ok", False: "MISS", None: ""}[row.reached] if judged else "",
        ]
        for row in found
    ]
    widths = [max(len(line[at]) for line in [heads, *lines]) for at in range(len(heads))]
    shown = []
    for line in [heads, *lines]:
        cells = [line[0].ljust(widths[0])]
        cells += [cell.rjust(width) for cell, width in zip(line[1:], widths[1:], strict=True)]
        shown.append("  ".join(cells).rstrip())
    return "\n".join(shown)


def _amount(figure: Figure, value: float | None) -> str:
    if value is None:
        return "-"
    return f"{value / 1e6:.0f} MB" if figure.quantity.endswith("_bytes") else f"{value:.3f} s"


def _times(ratio: float | None) -> str:
    return "-" if ratio is None else f"{ratio:.2f}"


def _target(figure: Figure) -> str:
    if figure.target is None:
        return "-"
    if figure.target.times_make:
        return f"{figure.target.at_most:.1f} x make"
    return "< " + _amount(figure, figure.target.at_most)


def document(
    results: Iterable[Result], tools: Tools, repetitions: int, quick: bool
) -> dict[str, Any]:
    """Return everything that was measured, and on what."""
    listed = list(results)
    return {
        "machine": machine(),
        "versions": versions(tools),
        "repetitions": repetitions,
        "quick": quick,
        "figures": [
            {
                "title": row.figure.title,
                "quantity": row.figure.quantity,
                "medians": dict(row.medians),
                "times_make": row.times("make"),
                "times_floor": row.times("floor"),
                "target": row.figure.target and asdict(row.figure.target),
                "reached": row.reached,
            }
            for row in rows(listed)
        ],
        "workloads": [
            {
                "name": result.workload.name,
                "titles": [figure.title for figure in result.workload.figures],
                "trials": {
                    program: [
                        asdict(each.measured) | {"first_task_s": each.first_task_s}
                        for each in trials
                    ]
                    for program, trials in result.trials.items()
                },
            }
            for result in listed
        ],
    }


def other_cores(results: Iterable[Result]) -> float:
    """Return how many processors others kept busy meanwhile, in the median."""
    return statistics.median(
        trial.measured.other_cores
        for result in results
        for trials in result.trials.values()
        for trial in trials
    )


def machine() -> dict[str, Any]:
    """Return what the figures were measured on; no names."""
    model = ""
    with open("/proc/cpuinfo") as stream:
        for line in stream:
            if line.startswith("model name"):
                model = line.partition(":")[2].strip()
                break
    return {
        "processor": model or platform.machine(),
        "processors": len(os.sched_getaffinity(0)),
        "memory_bytes": os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"),
        "system": f"{platform.system()} {platform.release()}",
        "load_average": list(os.getloadavg()),
    }


def versions(tools: Tools) -> dict[str, str]:
    """Return the versions of what took part."""
    said = subprocess.run([tools.make, "--version"], capture_output=True, text=True, check=True)
    return {
        "segue": importlib.metadata.version("segue"),
        "python": platform.python_version(),
        "sqlite": sqlite3.sqlite_version,
        "make": said.stdout.partition("\n")[0],
        "floor": "C" if tools.compiled else "Python",
    }
