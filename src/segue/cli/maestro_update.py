"""`maestro update`: changes what a running study was launched with."""

from __future__ import annotations

import argparse
import contextlib
import sys
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Final

from segue.cli.maestro import FAILED
from segue.cli.maestro_study import NoStudyError, Study, answer, open_study, print_line
from segue.engine.commands import CommandKind
from segue.maestro.files import (
    UPDATE_LOCK,
    is_original,
    read_settings,
    update_text,
    write_file,
    write_settings,
)
from segue.model.errors import OutsideError, UserError
from segue.model.states import FINAL_RUN

#: What can be changed, with the question of the menu.
_PROMPTS: Final = {
    "rlimit": "Enter new restart limit [Integer, 0 = unlimited]\n> ",
    "throttle": "Enter new throttle limit [Integer, 0 = no throttling]\n> ",
    "sleep": "Enter new sleep duration for Conductor [Integer, seconds]\n> ",
}
_MENU: Final = (
    "Choose study configuration to update, or done/quit to finish/abort\n"
    " [rlimit/throttle/sleep/done/quit]\n> "
)


def update(options: argparse.Namespace) -> int:
    """Update the studies; return the exit code: 1 if any of them could not be."""
    values = {name: getattr(options, name) for name in _PROMPTS}
    problems = [_misfit(name, given, options.directory) for name, given in values.items()]
    if any(problems):
        sys.stderr.write("".join(f"ERROR: {problem}\n" for problem in problems if problem))
        print_line("Aborting study update.")
        return FAILED
    code = 0
    for number, directory in enumerate(options.directory):
        if not Path(directory).is_dir():
            path = Path(directory).absolute()
            print_line(f"'{path}' is not a directory; skipping update for this study.")
            code = FAILED
            continue
        print_line(f"Updating study at '{directory}'")
        chosen = {
            name: given[number if len(given) > 1 else 0] for name, given in values.items() if given
        }
        try:
            _update(directory, chosen if any(values.values()) else _ask())
        except (UserError, OutsideError) as error:
            sys.stderr.write(f"ERROR: {error}\n")
            code = FAILED
    return code


def _misfit(name: str, given: list[int], directories: list[str]) -> str:
    """Return what is wrong with the values of one option, or an empty text."""
    if any(value < 0 for value in given):
        return f"{name} must be 0 or more, not {min(given)}"
    if len(given) > 1 and len(given) != len(directories):
        return (
            f"{name} is incompatible with directory: {name} must have either 1 value (same value "
            "for all directories) or the same number of values as study directories."
        )
    return ""


def _ask() -> Mapping[str, int] | None:
    """Return what is chosen from the menu; None when it is left without a change."""
    chosen: dict[str, int] = {}
    while True:
        word = answer(_MENU).lower()
        if word == "quit":
            return None
        if word == "done":
            return chosen
        if word in _PROMPTS:
            chosen[word] = _number(_PROMPTS[word])
        else:
            print_line("Please select one of the available options")


def _number(prompt: str) -> int:
    while True:
        word = answer(prompt)
        if word.isascii() and word.isdecimal() and len(word) < 10:
            return int(word)
        print_line("Please enter a valid integer number")


def _update(directory: str, chosen: Mapping[str, int] | None) -> None:
    if chosen is None:
        print_line(f"Discarding updates to study at '{directory}'")
        return
    if not chosen:
        print_line(
            f"No new study config settings provided, skipping update of study at '{directory}'"
        )
        return
    path = Path(directory).absolute()
    try:
        study = open_study(path)
    except NoStudyError:
        if not is_original(path):
            raise
        target = Path(directory, UPDATE_LOCK)
        print_line(f"Writing updated study config to '{target}'")
        write_file(target, update_text(chosen))
        return
    with contextlib.closing(study.service.store):
        if study.run.state in FINAL_RUN:
            raise UserError(f"the study at '{directory}' has ended: there is nothing to update")
        _apply(study, chosen)
        print_line(f"Updated {_shown(chosen.items())} of study at '{directory}'")
        if not study.conducted:
            sys.stderr.write(f"no conductor is alive; it counts from: conductor {path}\n")


def _apply(study: Study, chosen: Mapping[str, int]) -> None:
    from segue.cli.maestro_conduct import update_argument

    argument = update_argument(chosen.get("throttle"), chosen.get("rlimit"))
    if argument:
        study.service.ask(study.run, CommandKind.UPDATE, argument)
    if "sleep" in chosen:
        settings = read_settings(study.folder.path)
        write_settings(study.folder, replace(settings, sleeptime_s=chosen["sleep"]))


def _shown(items: Iterable[tuple[str, int]]) -> str:
    return ", ".join(f"{name} = {value}" for name, value in items)
