"""What a run's file was read with, remembered so that an edited file is read the same way.

Kept as JSON with the run: the small things that a person has said, not what programs made
of them. What is left out is named, so that nobody takes the rest for all of it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final

from segue.model.errors import RefusedError
from segue.model.run import RunRecord
from segue.protocols.dialect import Source

#: Options that a program has made: they can be as large as a study, and are made anew.
_MADE: Final = frozenset({"generated_parameters"})


def reading_of(source: Source, **more: Any) -> dict[str, Any]:
    """Return what to remember of a source, and what the door wants to have remembered besides.

    Text, time and folders are not among it: the first two will be others, and the run has
    the folders.

    Examples
    --------
    >>> reading_of(Source("s.yaml", "text", parameters={"X": "1"}), pool="local")
    {'path': 's.yaml', 'facts': {}, 'parameters': {'X': '1'}, 'options': {}, 'pool': 'local'}
    """
    options = {name: value for name, value in source.options.items() if _is_small(name, value)}
    reading: dict[str, Any] = {
        "path": source.path,
        "facts": dict(source.facts),
        "parameters": dict(source.parameters),
        "options": options,
    }
    # What a generator makes is made again, where it is known which one did.
    again = _MADE if "pgen" in source.options else frozenset()
    left_out = sorted(source.options.keys() - options.keys() - again)
    if left_out:
        reading["left_out"] = left_out
    return reading | more


def _is_small(name: str, value: Any) -> bool:
    try:
        return name not in _MADE and bool(json.dumps(value))
    except (TypeError, ValueError):
        return False


def read_again(run: RunRecord, path: str, text: str, now: float) -> Source:
    """Return a source that is read as the run's own was, for the run's own workspace.

    Raises
    ------
    RefusedError
        If it is not known how that was read.
    """
    reading: Mapping[str, Any] = run.reading
    hint = f"say it anew: segue run FILE --reuse {run.id}, with the options that it needs"
    if not reading:
        raise RefusedError(f"it is not known what run {run.id} was read with", hint)
    if reading.get("left_out"):
        what = ", ".join(reading["left_out"])
        raise RefusedError(f"run {run.id} was read with what is not kept: {what}", hint)
    return Source(
        path=path,
        text=text,
        directory=run.directory,
        facts=reading.get("facts", {}),
        parameters=reading.get("parameters", {}),
        workspace=run.workspace,
        now=now,
        options=reading.get("options", {}),
    )
