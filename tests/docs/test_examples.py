"""The examples in the documentation do what the documentation says.

A page's blocks are played in order in one empty folder. A block with a `title` is a
file. In a `console` block each line after `$ ` is run, and the lines below it are what
must come out; `…` stands for anything.
"""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGES = [*sorted((ROOT / "docs").rglob("*.md")), ROOT / "README.md"]
BLOCK = re.compile(r"^```(\w+)([^\n]*)\n(.*?)^```", re.MULTILINE | re.DOTALL)
TITLE = re.compile(r'title="([^"]+)"')


def plays(page: Path) -> bool:
    return "```console" in page.read_text(encoding="utf-8")


def expected_pattern(lines: list[str]) -> re.Pattern[str]:
    """Lines in any order would hide faults, so the order counts; `…` matches anything."""
    text = "\n".join(line.rstrip() for line in lines)
    return re.compile(".*".join(re.escape(part) for part in text.split("…")))


@pytest.mark.parametrize("page", list(filter(plays, PAGES)), ids=lambda page: page.stem)
def test_the_examples_of_a_page_run_as_shown(page, tmp_path):
    shutil.copytree(ROOT / "examples", tmp_path / "examples")
    environment = os.environ | {
        "SEGUE_STORE": f"sqlite://{tmp_path}/segue.db",
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
    }
    for language, rest, body in BLOCK.findall(page.read_text(encoding="utf-8")):
        if title := TITLE.search(rest):
            (tmp_path / title.group(1)).write_text(body)
        if language == "console":
            for command, expected in commands(body):
                shown = subprocess.run(
                    command, shell=True, cwd=tmp_path, env=environment, text=True,
                    stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False,
                ).stdout  # fmt: skip
                lines = "\n".join(sorted_if_parallel(shown.splitlines(), expected))
                assert expected_pattern(expected).fullmatch(lines), f"$ {command}\n{shown}"


def sorted_if_parallel(shown: list[str], expected: list[str]) -> list[str]:
    """Tasks that run side by side may end in any order: put them in the page's."""
    order = {line.split(":")[0]: at for at, line in enumerate(expected) if ": " in line}
    at = {number: order.get(line.split(":")[0]) for number, line in enumerate(shown)}
    known = [number for number in at if at[number] is not None]
    arranged = sorted(known, key=lambda number: at[number])
    result = [line.rstrip() for line in shown]
    for place, number in zip(known, arranged, strict=True):
        result[place] = shown[number].rstrip()
    return result


def commands(body: str) -> list[tuple[str, list[str]]]:
    found: list[tuple[str, list[str]]] = []
    for line in body.splitlines():
        if line.startswith("$ "):
            found.append((line[2:], []))
        else:
            found[-1][1].append(line)
    return found
