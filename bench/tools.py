"""Small programs that the bench builds for itself, or stand-ins where there is no compiler."""

from __future__ import annotations

import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).parent


@dataclass(frozen=True)
class Tools:
    """How to call what is measured against.

    `floor` begins a command that starts processes and does nothing else; `stamp`, with
    a file's name behind it, writes the time into that file.
    """

    floor: list[str]
    stamp: list[str]
    make: str
    compiled: bool


def find_tools(folder: Path) -> Tools:
    """Build the programs into a folder.

    Raises
    ------
    FileNotFoundError
        If there is no make to compare with.
    """
    make = shutil.which("make")
    if make is None:
        raise FileNotFoundError("there is no make, and every figure is a ratio to it")
    compiler = shutil.which("cc")
    if compiler is None:
        write = 'date +%s%N > "$0"'
        floor = [sys.executable, "-S", str(HERE / "floor.py")]
        return Tools(floor, ["/bin/sh", "-c", write], make, compiled=False)
    for name in ("floor", "stamp"):
        source = str(HERE / f"{name}.c")
        subprocess.run([compiler, "-O2", "-o", str(folder / name), source], check=True)
    return Tools([str(folder / "floor")], [str(folder / "stamp")], make, compiled=True)
