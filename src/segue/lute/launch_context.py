"""Which run of which experiment a launch is for, and what its steps are told of that.

The electronic logbook starts launches with all of it in the environment; people give it on
the command line. Also owns the facts of the run that a launch can be told.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from segue.lute.submit import PSANA
from segue.model.errors import UserError

#: What the logbook's own jobs find in their environment.
_OF_THE_LOGBOOK: Final = ("Authorization", "EXPERIMENT", "RUN_NUM")
#: Variables that steps are told, if they are set, so that a resumed launch has them too.
_PASSED_ON: Final = ("ARP_ROOT_JOB_ID", "ARP_LOCATION", "JID_UPDATE_COUNTERS", "KRB5CCNAME")
#: Facts of the run: ``daq2=true run_type=DATA``.
FACTS_VARIABLE: Final = "SEGUE_FACTS"
#: What the original guesses of a run that it cannot learn anything of.
GUESSES: Final[Mapping[str, str]] = {"daq2": "true", "run_type": "UNKNOWN"}
#: Entries of PYTHONPATH with these in them are of psana 2, and break psana 1.
_OF_PSANA2: Final = ("conda2", "lcls2")


@dataclass(frozen=True, slots=True)
class Context:
    """The run of an experiment that a launch is for.

    `run` is empty for a launch by tag, which has many. `variables` are what all steps have
    in their environment; no secret is among them.
    """

    experiment: str
    run: str
    variables: Mapping[str, str]


def context_of(
    environment: Mapping[str, str], experiment: str, run: str, *, many: bool = False
) -> Context | None:
    """Return what a launch is for; None if that is said neither here nor there.

    Parameters
    ----------
    environment
        That of the launch. If it is complete, as in the logbook's jobs, it wins.
    experiment, run
        What the command line says; may be empty.
    many
        The launch is for the runs of a tag: no single run is needed, and none counts.

    Examples
    --------
    >>> context_of({}, "mfx1", "12", many=False).run
    '12'
    >>> job = {"Authorization": "x", "EXPERIMENT": "xcs2", "RUN_NUM": "7_2026-01-01"}
    >>> context_of(job, "mfx1", "12").run
    '7'
    >>> context_of({"EXPERIMENT": "xcs2"}, "", "12") is None
    True
    """
    needed = [name for name in _OF_THE_LOGBOOK if not (many and name == "RUN_NUM")]
    if all(environment.get(name) for name in needed):
        experiment, run = environment["EXPERIMENT"], environment.get("RUN_NUM", "")
    # The logbook's jobs are given the run's number and a time.
    run = "" if many else run.split("_")[0]
    if not experiment or not (run or many):
        return None
    variables = {"EXPERIMENT": experiment}
    if run:
        variables |= {"RUN_NUM": run, "RUN": run}
    variables |= {name: environment[name] for name in _PASSED_ON if environment.get(name)}
    variables["ARP_JOB_ID"] = environment.get("ARP_JOB_ID") or secrets.token_hex(12)
    return Context(experiment, run, variables)


def facts_of(environment: Mapping[str, str], given: Mapping[str, str]) -> dict[str, str]:
    """Return the facts that are known: from the command line, else from `SEGUE_FACTS`.

    Raises
    ------
    UserError
        If `SEGUE_FACTS` is not made of ``NAME=VALUE``.

    Examples
    --------
    >>> facts_of({"SEGUE_FACTS": "daq2=true, run_type=DARK"}, {"run_type": "DATA"})
    {'daq2': 'true', 'run_type': 'DATA'}
    """
    found = {}
    for word in environment.get(FACTS_VARIABLE, "").replace(",", " ").split():
        name, sign, value = word.partition("=")
        if not sign or not name:
            raise UserError(
                f"{FACTS_VARIABLE} holds {word!r}", "write it as 'daq2=true run_type=DATA'"
            )
        found[name] = value
    return found | dict(given)


def agreed(facts: Iterable[tuple[int, Mapping[str, Any]]]) -> dict[str, str]:
    """Return the facts that the logbook knows, and that are the same for all runs.

    Raises
    ------
    UserError
        If two runs differ in a fact: one graph cannot be for both.

    Examples
    --------
    >>> agreed([(1, {"daq2": True, "run_type": None}), (2, {"daq2": True})])
    {'daq2': 'true'}
    """
    found: dict[str, tuple[int, str]] = {}
    for run, known in facts:
        for name, value in known.items():
            if value is None:
                continue
            text = str(value).lower() if isinstance(value, bool) else str(value)
            first_run, first = found.setdefault(name, (run, text))
            if first != text:
                raise UserError(
                    f"the runs differ in {name}: it is {first!r} for run {first_run}, "
                    f"and {text!r} for run {run}",
                    f"give runs of one kind one tag, or say --set {name}=... for all of them",
                )
    return {name: value for name, (_, value) in found.items()}


def can_set_psana_up(environment: Mapping[str, str]) -> bool:
    """Tell whether there are two set-ups of psana here between which a launch must choose."""
    return any(
        Path(environment.get(variable, usual)).exists() for variable, usual in PSANA.values()
    )


def python_path(environment: Mapping[str, str], *, psana: int) -> str | None:
    """Return `PYTHONPATH` without what breaks psana 1; None if it can stay as it is.

    Examples
    --------
    >>> python_path({"PYTHONPATH": "/a:/opt/lcls2/lib"}, psana=1)
    '/a'
    >>> python_path({"PYTHONPATH": "/a:/opt/lcls2/lib"}, psana=2) is None
    True
    """
    entries = environment.get("PYTHONPATH", "").split(os.pathsep)
    kept = [entry for entry in entries if not any(mark in entry for mark in _OF_PSANA2)]
    return None if psana != 1 or kept == entries else os.pathsep.join(kept)
