"""What a generator printed, read from its attempt's folder as more tasks of its run."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

from segue.engine.growth import fault, fit, regrow
from segue.engine.live_run import LiveRun
from segue.model.errors import WorkflowError
from segue.model.workflow import Growth, Task

#: What a generator may print at the most, in bytes.
MAX_GENERATOR_OUTPUT: Final = 64 * 2**20
#: So many problems of a generator's output are told.
PROBLEMS_TOLD: Final = 20

#: (dialect, output, task name, context, name -> template of all tasks) -> growth.
Grow = Callable[[str, str, str, Mapping[str, object], Mapping[str, str]], Growth]


def read_growth(run: LiveRun, position: int, folder: str, grow: Grow) -> Growth | str:
    """Return the tasks that a generator adds to the run, or why there are none.

    `folder` is that of the attempt that printed them.
    """
    task = run.task(position)
    assert task.generator is not None
    try:
        with Path(folder, "stdout").open("rb") as stream:
            output = stream.read(MAX_GENERATOR_OUTPUT + 1)
    except OSError as error:
        return f"the output of the generator cannot be read: {error}"
    if len(output) > MAX_GENERATOR_OUTPUT:
        return f"the generator printed more than {MAX_GENERATOR_OUTPUT} bytes"
    existing = {
        node.name: node.template or node.name
        for node in run.nodes
        if isinstance(node, Task) and node.generated_by != task.name
    }
    text = output.decode("utf-8", "replace")
    try:
        growth = grow(task.generator.dialect, text, task.name, run.record.context, existing)
    except WorkflowError as error:
        return _first_problems(error)
    growth = regrow(run, position, fit(run, position, growth))
    return fault(run, growth) or growth


def _first_problems(error: WorkflowError) -> str:
    """Return the first problems in words: the message is stored, and shown to people."""
    lines = [str(problem) for problem in error.problems[:PROBLEMS_TOLD]]
    more = len(error.problems) - PROBLEMS_TOLD
    return "\n".join([*lines, f"and {more} more problems"] if more > 0 else lines)
