"""What is measured: for each workload its files, its commands, its figures and their targets."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from inputs import write_daggy, write_makefile
from shapes import Node, chain, fan, layers, waves
from tools import HERE, Tools

TRUE: Final = ["/bin/true"]
_FILES: Final = ("workflow.json", "Makefile")


@dataclass(frozen=True)
class Target:
    """A figure should be at most this, or at most this many times that of make."""

    at_most: float
    times_make: bool = False


@dataclass(frozen=True)
class Figure:
    """A number that a workload yields: `quantity` is a field of `Measured`, or `first_task_s`."""

    title: str
    quantity: str = "wall_s"
    target: Target | None = None


@dataclass(frozen=True)
class Workload:
    """Commands that do the same work, each run in a folder that holds nothing else.

    commands
        By the name of the program: `segue`, `make`, `floor`.
    prepare
        Writes what the commands read; is called once, with an empty folder that stays.
    keeps_store
        Whether Segue uses the store that `prepare` has made, and not a fresh one.
    sample
        Whether to look at the memory of all processes while they run.
    """

    name: str
    figures: tuple[Figure, ...]
    commands: Mapping[str, list[str]]
    prepare: Callable[[Path], None] = field(repr=False)
    keeps_store: bool = False
    sample: bool = False


@dataclass(frozen=True)
class Sizes:
    """How many tasks."""

    fan: int = 1_000
    chain: int = 200
    large: int = 10_000
    huge: int = 100_000


QUICK: Final = Sizes(fan=100, chain=20, large=1_000, huge=10_000)


def segue() -> str:
    """Return the path of the command that is measured."""
    return str(Path(sys.executable).with_name("segue"))


def store_environment(folder: Path) -> dict[str, str]:
    """Return an environment whose store lies in the folder.

    Python's own variables are left out: they may forbid its cache or its buffers, and
    we measure what a user has who has set none of them.
    """
    kept = {name: text for name, text in os.environ.items() if not name.startswith("PYTHON")}
    return kept | {"SEGUE_STORE": str(folder / "segue.db")}


def all_workloads(tools: Tools, inputs: Path, sizes: Sizes) -> list[Workload]:
    """Return every workload; its files will lie in a folder of its name below `inputs`."""
    return [
        _help(),
        *_running(tools, inputs, sizes),
        *_reading(tools, inputs, sizes),
        _cold_start(tools, inputs),
        *_memory(tools, inputs, sizes),
        _again(tools, inputs, sizes),
    ]


def _script(name: str) -> list[str]:
    return [sys.executable, str(HERE / name)]


def _writes(nodes: Callable[[], Iterable[Node]], command: list[str]) -> Callable[[Path], None]:
    def prepare(folder: Path) -> None:
        write_daggy(folder / _FILES[0], nodes(), command)
        write_makefile(folder / _FILES[1], nodes(), command)

    return prepare


def _compared(tools: Tools, folder: Path, jobs: int, floor: list[str]) -> dict[str, list[str]]:
    """Return the commands that run the files of a folder, so many tasks at once."""
    return {
        "segue": [segue(), "run", "-j", str(jobs), str(folder / _FILES[0])],
        "make": [tools.make, "-s", f"-j{jobs}", "-f", str(folder / _FILES[1])],
        "floor": [*tools.floor, str(jobs), *floor],
    }


def _help() -> Workload:
    commands = {"segue": [segue(), "--help"], "floor": [sys.executable, "-c", "pass"]}
    figure = Figure("W0  segue --help (floor: an empty Python)", target=Target(0.15))
    return Workload("W0", (figure,), commands, lambda folder: None)


def _running(tools: Tools, inputs: Path, sizes: Sizes) -> list[Workload]:
    fan_title = f"{sizes.fan:,} independent tasks, %d at a time"
    wanted: list[tuple[str, str, Callable[[], Iterable[Node]], int, str, float | None]] = [
        ("W1-2", fan_title % 2, lambda: fan(sizes.fan), 2, str(sizes.fan), 2.0),
        ("W1-8", fan_title % 8, lambda: fan(sizes.fan), 8, str(sizes.fan), None),
        ("W2", f"chain of {sizes.chain}", lambda: chain(sizes.chain), 2,
         ",".join(["1"] * sizes.chain), 3.0),
        ("W3", f"10 layers of {sizes.fan // 10}, joined", lambda: layers(sizes.fan), 2,
         waves(sizes.fan), 2.5),
    ]  # fmt: skip
    return [
        Workload(
            name,
            (Figure(f"{name[:2]}  {title}", target=Target(limit, True) if limit else None),),
            _compared(tools, inputs / name, jobs, [sizes_of_waves, *TRUE]),
            _writes(nodes, TRUE),
        )
        for name, title, nodes, jobs, sizes_of_waves, limit in wanted
    ]


def _reading(tools: Tools, inputs: Path, sizes: Sizes) -> list[Workload]:
    found = []
    for tasks in (sizes.large, sizes.huge):
        folder = inputs / f"W4-{tasks}"
        file = str(folder / _FILES[0])
        limit = Target(5.0) if tasks == sizes.huge else None
        looks = [tools.make, "-n", "-f", str(folder / _FILES[1])]
        plan = {
            "segue": [segue(), "run", "--plan", file],
            "make": looks,
            "floor": [*_script("read_floor.py"), file],
        }
        store = {
            "segue": [*_script("store_only.py"), file],
            "make": looks,
            "floor": [*_script("read_floor.py"), file, "store"],
        }
        prepare = _writes(lambda tasks=tasks: layers(tasks), TRUE)  # type: ignore[misc]
        found += [
            Workload(folder.name, (Figure(f"W4  read, check {tasks:,}"),), plan, prepare),
            Workload(
                folder.name,
                (Figure(f"W4  read, check, store {tasks:,}", target=limit),),
                store,
                prepare,
            ),
        ]
    return found


def _cold_start(tools: Tools, inputs: Path) -> Workload:
    folder = inputs / "W6"
    command = [*tools.stamp, "first"]  # relative: to the folder of the repetition
    figures = (
        Figure("W6  cold start: one task, whole process", target=Target(0.5)),
        Figure("W6  cold start: until the first task", "first_task_s", Target(0.5)),
    )
    commands = _compared(tools, folder, 1, ["1", *command])
    return Workload("W6", figures, commands, _writes(lambda: fan(1), command))


def _memory(tools: Tools, inputs: Path, sizes: Sizes) -> list[Workload]:
    large, stored = inputs / "W7-run", inputs / "W7-store"
    limit = Target(400e6)

    def prepare_stored_run(folder: Path) -> None:
        write_daggy(folder / _FILES[0], layers(sizes.huge), TRUE)
        _call([*_script("store_only.py"), str(folder / _FILES[0])], folder)

    return [
        Workload(
            "W7-run",
            (
                Figure(f"W7  {sizes.large:,} tasks run, peak memory", "tree_bytes"),
                Figure(f"W7  {sizes.large:,} tasks run, 2 at a time"),
            ),
            _compared(tools, large, 2, [str(sizes.large), *TRUE]),
            _writes(lambda: fan(sizes.large), TRUE),
            sample=True,
        ),
        Workload(
            "W7-store",
            (Figure(f"W7  {sizes.huge:,} tasks stored, peak memory", "tree_bytes", limit),),
            {
                "segue": [*_script("store_only.py"), str(stored / _FILES[0])],
                "make": [tools.make, "-n", "-f", str(stored / _FILES[1])],
            },
            _writes(lambda: layers(sizes.huge), TRUE),
            sample=True,
        ),
        Workload(
            "W7-load",
            (
                Figure(f"W7  {sizes.huge:,} tasks taken over, peak memory", "tree_bytes", limit),
                Figure(f"W7  {sizes.huge:,} tasks taken over"),
            ),
            {"segue": _script("load_only.py")},
            prepare_stored_run,
            keeps_store=True,
            sample=True,
        ),
    ]


def _again(tools: Tools, inputs: Path, sizes: Sizes) -> Workload:
    folder = inputs / "W8"

    def prepare(folder: Path) -> None:
        write_daggy(folder / _FILES[0], fan(sizes.large), TRUE)
        _call([segue(), "run", "-j", "2", str(folder / _FILES[0])], folder)
        # The files that this leaves are what make will look at.
        write_makefile(folder / _FILES[1], fan(sizes.large), TRUE, files=True)
        _call([tools.make, "-s", "-j2"], folder)

    commands = {
        "segue": [segue(), "resume", "workflow"],
        "make": [tools.make, "-s", "-j2", "-C", str(folder)],
    }
    figure = Figure(f"W8  {sizes.large:,} tasks again, when all is done")
    return Workload("W8", (figure,), commands, prepare, keeps_store=True)


def _call(command: list[str], folder: Path) -> None:
    done = subprocess.run(
        command,
        cwd=folder,
        env=store_environment(folder),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        check=False,
    )
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)} failed in {folder}")
