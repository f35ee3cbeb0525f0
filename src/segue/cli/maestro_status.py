"""`maestro status`: tables of studies, from the store, and fast.

Nothing slow is imported here: a table of 10,000 steps is shown in less time than the
original takes to start.
"""

from __future__ import annotations

import argparse
import contextlib
import gc
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple

from segue.cli.maestro import FAILED
from segue.maestro.files import STATUS, read_link
from segue.maestro.layouts import flat, legacy
from segue.maestro.narrow import narrow
from segue.maestro.rows import HEADER, STATE_WORDS, VERDICTS, Row
from segue.maestro.status_csv import parse_csv
from segue.model.errors import UserError, did_you_mean

#: A watching window looks so often, in seconds.
WATCH_S: Final = 1.0
NOTHING: Final = (
    "\nNo status to report -- the Maestro study in this path either unexpectedly crashed or "
    "the path does not contain a Maestro study."
)


class View(NamedTuple):
    """One study as it is shown: its rows, its verdict, and what to say besides."""

    path: str
    rows: Sequence[Row]
    verdict: str = ""
    run: str = ""
    conducted: bool = False
    remark: str = ""


def status(options: argparse.Namespace) -> int:
    """Show the studies; return the exit code: 1 if a directory holds none."""
    gc.disable()  # thousands of rows, and no cycles: collecting would find nothing
    words = _wanted(options.state)
    paths = [Path(each).absolute() for each in options.directory]
    while True:
        views = [(path, _view(path, words)) for path in paths]
        if options.watch and not options.json and sys.stdout.isatty():
            sys.stdout.write("\x1b[H\x1b[2J\x1b[3J")
        ended = all(view is None or view.verdict != "RUNNING" for _, view in views)
        if not options.watch or ended or not options.json:
            _show(views, options)
        if not options.watch or ended:
            return FAILED if any(view is None for _, view in views) else 0
        time.sleep(WATCH_S)


def _wanted(given: Sequence[str]) -> list[str]:
    words = [word.upper() for each in given for word in each.split(",") if word]
    for word in words:
        if word not in STATE_WORDS:
            hint = did_you_mean(word, STATE_WORDS) or f"there are: {', '.join(STATE_WORDS)}"
            raise UserError(f"--state {word}: there is no such state", hint)
    return words


# What there is -------------------------------------------------------------------


def _view(path: Path, words: Sequence[str]) -> View | None:
    """Return what the store says of the study, or else what its status.csv said last."""
    remark = ""
    if read_link(path) is not None:
        from segue.cli.maestro_study import NoStudyError, open_study

        try:
            study = open_study(path)
        except NoStudyError as error:
            remark = f"{error}\nshown is what status.csv said last"
        else:
            with contextlib.closing(study.service.store):
                return _stored(path, study, words)
    try:
        text = (path / STATUS).read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None
    rows = [row for row in parse_csv(text) if not words or row.state in words]
    return View(str(path), rows, remark=remark)


def _stored(path: Path, study: Any, words: Sequence[str]) -> View:
    from segue.maestro.table import StudyTable
    from segue.model.states import FINAL_RUN

    store, run = study.service.store, study.run
    outline = _outline(study)
    records = [record for _, record in store.records(run.id)]
    table = StudyTable(outline, records, store.attempts(run.id))
    conducted = study.conducted
    remark = ""
    if run.state not in FINAL_RUN and not conducted:
        remark = (
            f"no conductor is alive and the study in {path} has not ended; "
            f"it goes on with: conductor {path}"
        )
    rows = table.rows(time.time(), words)
    return View(str(path), rows, VERDICTS[run.state][0], run.id, conducted, remark)


def _outline(study: Any) -> Any:
    """Return the outline kept beside the study, or made anew from the store."""
    from segue.maestro.outline import make_outline, outline_from_text

    with contextlib.suppress(OSError):
        outline = outline_from_text(study.folder.outline(study.run.id).read_text(encoding="utf-8"))
        if outline is not None:
            return outline
    return make_outline([each.node for each in study.service.store.nodes(study.run.id)])


# What is shown -------------------------------------------------------------------


def _show(views: Sequence[tuple[Path, View | None]], options: argparse.Namespace) -> None:
    if options.json:
        _print_json(views)
    else:
        _page("".join(_text(view, options) for _, view in views), options)
    sys.stdout.flush()
    for _, view in views:
        if view is not None and view.remark:
            sys.stderr.write(f"maestro: {view.remark}\n")


def _text(view: View | None, options: argparse.Namespace) -> str:
    if view is None:
        return NOTHING + "\n"
    terminal = sys.stdout.isatty()
    styled = terminal and not options.disable_theme and "NO_COLOR" not in os.environ
    width = None
    if terminal or "COLUMNS" in os.environ:
        width = shutil.get_terminal_size((80, 24)).columns
    if options.layout == "legacy":
        return legacy(view.rows, view.path, styled=styled) + "\n"
    layout = narrow if options.layout == "narrow" else flat
    return layout(view.rows, view.path, width, styled=styled)


def _page(text: str, options: argparse.Namespace) -> None:
    """Print the text, on a terminal through the user's pager where it does not fit."""
    paged = sys.stdout.isatty() and not options.disable_pager and not options.watch
    if paged and text.count("\n") >= shutil.get_terminal_size((80, 24)).lines:
        pager = os.environ.get("MANPAGER") or os.environ.get("PAGER") or "less -R"
        try:
            subprocess.run(pager, shell=True, input=text, text=True, check=False)
        except (OSError, KeyboardInterrupt):
            return
        return
    sys.stdout.write(text)


def _print_json(views: Sequence[tuple[Path, View | None]]) -> None:
    import json

    names = [name.lower().replace(" ", "_") for name in HEADER]
    studies = [
        {"directory": str(path), "found": False}
        if view is None
        else {
            "directory": view.path,
            "found": True,
            "run": view.run or None,
            "state": view.verdict or None,
            "conductor": view.conducted,
            "steps": [dict(zip(names, row, strict=True)) for row in view.rows],
        }
        for path, view in views
    ]
    # In one line: with indents 10,000 steps would take longer than everything else.
    sys.stdout.write(json.dumps({"studies": studies}) + "\n")
