"""Measures Segue beside make and beside a bare loop that starts processes.

Exit code 0: everything was measured, whatever came out; 1: something could not be run.
"""

from __future__ import annotations

import argparse
import compileall
import json
import shutil
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import segue
from measure import MeasureError, disturbed, measure, wait_for_quiet
from report import Result, Trial, document, other_cores, rows, table
from tools import HERE, Tools, find_tools
from workloads import QUICK, Sizes, Workload, all_workloads, store_environment


def main(words: Sequence[str] | None = None) -> int:
    """Measure what is asked for; return the exit code."""
    options = read_options(words)
    place = Path(tempfile.mkdtemp(prefix="segue-bench-", dir=options.place))
    try:
        # As pip does when it installs; from a checkout nothing is compiled before its first use.
        compileall.compile_dir(str(Path(segue.__file__).parent), quiet=2)
        tools = find_tools(place)
        wanted = chosen(all_workloads(tools, place, options.sizes), options.only)
        results = [
            run_workload(workload, place, number, options.repetitions, options.patience)
            for number, workload in enumerate(wanted)
        ]
    except (MeasureError, OSError, RuntimeError) as error:
        print(f"bench: {error}", file=sys.stderr)
        return 1
    finally:
        shutil.rmtree(place, ignore_errors=True)
    print(table(rows(results), judged=not options.quick))
    others = other_cores(results)
    print(
        f"\nMedians of {options.repetitions}. Others kept {others:.2f} processors busy meanwhile."
    )
    print(f"All numbers: {write_results(results, tools, options)}")
    return 0


def read_options(words: Sequence[str] | None) -> argparse.Namespace:
    """Return the options; `sizes` follows from them."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", default="", metavar="W1,W2", help="measure only these workloads")
    parser.add_argument("--repetitions", type=int, default=0, metavar="N", help="default: 5")
    parser.add_argument(
        "--quick", action="store_true", help="a tenth of the tasks, once: does the bench work?"
    )
    parser.add_argument(
        "--patience", type=int, default=0, metavar="N",
        help="wait for a quiet machine, and do again what others disturb, up to N times each",
    )  # fmt: skip
    parser.add_argument(
        "--place", metavar="DIR", help="measure below this folder (default: TMPDIR, else /tmp)"
    )
    options = parser.parse_args(words)
    options.repetitions = options.repetitions or (1 if options.quick else 5)
    options.sizes = QUICK if options.quick else Sizes()
    return options


def chosen(workloads: Sequence[Workload], only: str) -> list[Workload]:
    """Return the workloads named: `W1` means `W1-2` and `W1-8`.

    Raises
    ------
    RuntimeError
        If a name fits none.
    """
    if not only:
        return list(workloads)
    names = [name.strip().upper() for name in only.split(",")]
    known = {each.name.partition("-")[0] for each in workloads} | {each.name for each in workloads}
    for name in names:
        if name not in {each.upper() for each in known}:
            raise RuntimeError(f"there is no workload {name!r}: {', '.join(sorted(known))}")
    return [
        each
        for each in workloads
        if each.name.upper() in names or each.name.partition("-")[0] in names
    ]


def run_workload(
    workload: Workload, place: Path, number: int, repetitions: int, patience: int
) -> Result:
    """Run each command of a workload so often, in turn.

    A repetition that others have disturbed is done again, up to `patience` times.
    """
    inputs = place / workload.name
    if not inputs.exists():
        inputs.mkdir()
        workload.prepare(inputs)
    trials: dict[str, list[Trial]] = {program: [] for program in workload.commands}
    for repetition in range(repetitions):
        for program, command in workload.commands.items():
            say_on_terminal(f"{workload.name} {repetition + 1}/{repetitions} {program}")
            for attempt in range(patience + 1):
                if patience:
                    wait_for_quiet()
                folder = place / f"{number}-{repetition}-{program}-{attempt}"
                folder.mkdir()
                store = store_environment(inputs if workload.keeps_store else folder)
                measured = measure(command, folder, store, sample=workload.sample)
                if not disturbed(measured):
                    break
            trials[program].append(Trial(measured, first_task_s(folder, measured.started_at_ns)))
    say_on_terminal("")
    return Result(workload, trials)


def say_on_terminal(words: str) -> None:
    """Show what is being measured now, where somebody looks."""
    if sys.stderr.isatty():
        print(f"\r{words:40}\r", end="", file=sys.stderr, flush=True)


def first_task_s(folder: Path, started_at_ns: int) -> float | None:
    """Return when the first task began, in seconds after the command; None: it left no stamp."""
    stamp = folder / "first"
    return (int(stamp.read_text()) - started_at_ns) / 1e9 if stamp.exists() else None


def write_results(results: Sequence[Result], tools: Tools, options: argparse.Namespace) -> Path:
    """Write all numbers to a new file in bench/results, and return it."""
    folder = HERE / "results"
    folder.mkdir(exist_ok=True)
    path = folder / f"{time.strftime('%Y-%m-%dT%H%M%S')}.json"
    found = document(results, tools, options.repetitions, options.quick)
    path.write_text(json.dumps(found, indent=1) + "\n")
    return path.relative_to(HERE.parent)


if __name__ == "__main__":
    sys.exit(main())
