"""Writes one graph as a Daggy document and as a makefile."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path

from shapes import Node


def write_daggy(path: Path, nodes: Iterable[Node], command: list[str]) -> None:
    """Write a document of one task a node, every one with the same command."""
    tasks: dict[str, dict[str, object]] = {}
    for name, needs in nodes:
        tasks[name] = {"job": {"command": command}}
        if needs:
            tasks[name]["parents"] = needs
    path.write_text(json.dumps({"tasks": tasks}))


def write_makefile(
    path: Path, nodes: Iterable[Node], command: list[str], *, files: bool = False
) -> None:
    """Write a makefile; with `files` each task leaves one, so that make sees what is done."""
    listed = list(nodes)
    everything = " ".join(name for name, _ in listed)
    # Without these make looks for implicit rules for each of the targets.
    lines = ["MAKEFLAGS += -rR", ".SUFFIXES:", f"all: {everything}"]
    if not files:
        lines.insert(2, f".PHONY: all {everything}")
    recipe = " ".join(command) + (" && touch $@" if files else "")
    for name, needs in listed:
        lines += [f"{name}: {' '.join(needs)}".rstrip(), f"\t@{recipe}"]
    path.write_text("\n".join(lines) + "\n")
