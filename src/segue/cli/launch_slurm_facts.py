"""Facts of the run that a workflow asks for: given, or had from the logbook; never guessed.

The logbook is asked only when the file has a branch that needs it, or when there are two
set-ups of psana to choose between.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

from segue import wiring
from segue.lute.launch_context import GUESSES, Context, agreed, can_set_psana_up
from segue.lute.logbook import URL_VARIABLE, Logbook
from segue.lute.token import AUTHORIZATION, has_ticket, token_for
from segue.model.errors import OutsideError, Severity, WorkflowError
from segue.model.workflow import Workflow
from segue.protocols.dialect import Source

UNKNOWN_FACT: Final = "unknown_fact"


class FactFinder:
    """Reads a workflow with the facts that it takes."""

    def __init__(self, context: Context, *, may_ask_for_token: bool) -> None:
        self._context = context
        self._may_ask_for_token = may_ask_for_token
        self._runs: Sequence[int | str] = ()
        #: What the logbook has said; None while it has not been asked.
        self._known: dict[str, str] | None = None
        self._has_asked_for_token = False

    def read(
        self, source: Source, runs: Sequence[int | str], *, guess: bool
    ) -> tuple[Workflow, dict[str, str]]:
        """Return the workflow, and the facts that it was read with.

        Raises
        ------
        WorkflowError
            With all that is wrong with the file, unknown facts included.
        """
        self._runs = runs
        facts = dict(source.facts)
        try:
            return wiring.read_workflow(source, "lute"), facts
        except WorkflowError as error:
            if not _only_facts(error):
                raise
        facts = {**(GUESSES if guess else {}), **self._asked(), **facts}
        return wiring.read_workflow(replace(source, facts=facts), "lute"), facts

    def psana(self, facts: Mapping[str, str]) -> int:
        """Return which psana fits the run: 2 for the second DAQ, else 1."""
        daq2 = facts.get("daq2")
        if daq2 is None and can_set_psana_up(os.environ) and self._can_ask():
            daq2 = self._asked().get("daq2")
        return 2 if (daq2 or "").lower() == "true" else 1

    def _can_ask(self) -> bool:
        given = os.environ.get(AUTHORIZATION) or os.environ.get(URL_VARIABLE)
        return bool(given) or has_ticket(os.environ)

    def get_token(self) -> None:
        """Get a token for a ticket, if there is none; jobs find it in their environment.

        What goes wrong is told: jobs can do without, and so can who gives the facts.
        """
        if os.environ.get(AUTHORIZATION) or not has_ticket(os.environ):
            return
        if not self._may_ask_for_token or self._has_asked_for_token:
            return
        self._has_asked_for_token = True
        try:
            os.environ[AUTHORIZATION] = token_for(self._context.experiment, os.environ)
        except OutsideError as error:
            _warn(error)

    def _asked(self) -> dict[str, str]:
        """Return what the logbook knows; what goes wrong is told, for the facts can be given."""
        if self._known is None:
            self.get_token()
            try:
                self._known = agreed(self._answers())
            except OutsideError as error:
                _warn(error)
                self._known = {}
        return self._known

    def _answers(self) -> Iterator[tuple[int, dict[str, Any]]]:
        logbook = Logbook(self._context.experiment, os.environ)
        for run in self._runs:
            found = logbook.run_facts(run)
            known = {"daq2": found.is_daq2, "run_type": found.run_type}
            yield (int(run) if str(run).isdecimal() else 0), known


def _warn(error: OutsideError) -> None:
    sys.stderr.write(f"launch_slurm: warning: {error}\n")


def _only_facts(error: WorkflowError) -> bool:
    errors = [each for each in error.problems if each.severity is Severity.ERROR]
    return all(each.code == UNKNOWN_FACT for each in errors)
