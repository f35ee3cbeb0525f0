"""The graphs that are measured: what each task is called, and what it needs.

Every program gets the same graph, in its own language; see `inputs`.
"""

from __future__ import annotations

from collections.abc import Iterator

Node = tuple[str, list[str]]


def fan(tasks: int) -> Iterator[Node]:
    """Yield tasks that need nothing."""
    for number in range(tasks):
        yield f"t{number}", []


def chain(tasks: int) -> Iterator[Node]:
    """Yield tasks that each need the one before."""
    for number in range(tasks):
        yield f"t{number}", [f"t{number - 1}"] if number else []


def layers(tasks: int, depth: int = 10) -> Iterator[Node]:
    """Yield `depth` layers; a join task needs all of a layer, and all of the next need it."""
    join: list[str] = []
    for layer in range(depth):
        names = [f"t{layer}x{number}" for number in range(tasks // depth)]
        for name in names:
            yield name, join
        join = [f"join{layer}"]
        yield join[0], names


def waves(tasks: int, depth: int = 10) -> str:
    """Return the layers as the floor program reads them: sizes of waves, one after another."""
    return ",".join(f"{tasks // depth},1" for _ in range(depth))
