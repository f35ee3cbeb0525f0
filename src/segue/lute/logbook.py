"""What the electronic logbook knows of runs: their type, their DAQ, their tags.

Asked over HTTP at an address that can be chosen (`SEGUE_LOGBOOK_URL`), with the token that
the job was given. Nothing is guessed: what the logbook does not say is an error, or None
where the caller can do without.
"""

from __future__ import annotations

import json
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from segue.model.errors import OutsideError, shorten

URL_VARIABLE: Final = "SEGUE_LOGBOOK_URL"
#: The logbook of LCLS, for jobs that hold a token.
DEFAULT_URL: Final = "https://pswww.slac.stanford.edu/ws-jwt/lgbk/lgbk"
REQUEST_LIMIT_S: Final = 20.0
_ANSWER_LIMIT_BYTES: Final = 64 * 2**20
#: Detectors of the second data acquisition system are named in the run's parameters.
_DAQ2_MARK: Final = "/drp/"


@dataclass(frozen=True, slots=True)
class RunFacts:
    """What branches of a workflow ask: None is what the logbook does not say."""

    run_type: str | None = None
    is_daq2: bool | None = None


class Logbook:
    """The logbook of one experiment."""

    def __init__(self, experiment: str, environment: Mapping[str, str]) -> None:
        base = environment.get(URL_VARIABLE) or DEFAULT_URL
        self._base = f"{base.rstrip('/')}/{urllib.parse.quote(experiment)}/ws"
        self._authorization = environment.get("Authorization", "")

    def run_facts(self, run: int | str) -> RunFacts:
        """Return the facts of a run.

        Raises
        ------
        OutsideError
            If the logbook does not answer, or answers with something else.
        """
        value = self._get(f"runs/{urllib.parse.quote(str(run))}")
        if not isinstance(value, dict):
            return RunFacts()
        kind, parameters = value.get("type"), value.get("params")
        is_daq2 = None
        if isinstance(parameters, dict) and parameters:
            is_daq2 = any(_DAQ2_MARK in str(name) for name in parameters)
        return RunFacts(kind if isinstance(kind, str) and kind else None, is_daq2)

    def runs_with_tag(self, tag: str) -> list[int]:
        """Return the numbers of the runs that carry the tag, in order.

        Raises
        ------
        OutsideError
            If the logbook does not answer, or answers with something else.
        """
        query = urllib.parse.urlencode({"tag": tag})
        return _numbers(self._get(f"get_runs_with_tag?{query}"))

    def runs_of_sample(self, sample: str) -> list[int]:
        """Return the numbers of the runs of the sample, in order.

        Raises
        ------
        OutsideError
            If the logbook does not answer, or answers with something else.
        """
        found = self._get("runs")
        documents = found if isinstance(found, list) else []
        return _numbers(
            [each for each in documents if isinstance(each, dict) and each.get("sample") == sample]
        )

    def _get(self, path: str) -> Any:
        """Return the ``value`` of the logbook's answer."""
        url = f"{self._base}/{path}"
        headers = {"Authorization": self._authorization} if self._authorization else {}
        try:
            request = urllib.request.Request(url, headers=headers)
            with urllib.request.urlopen(request, timeout=REQUEST_LIMIT_S) as answer:
                data = answer.read(_ANSWER_LIMIT_BYTES)
            document = json.loads(data)
        except (urllib.error.URLError, OSError, ValueError) as error:
            if isinstance(error, urllib.error.HTTPError):
                error.close()  # it is the connection as well
            hint = "say the facts yourself, or name another logbook with SEGUE_LOGBOOK_URL"
            raise OutsideError(f"the logbook at {url} does not answer: {error}", hint) from error
        if not isinstance(document, dict) or not document.get("success", True):
            said = shorten(str(document), 200)
            raise OutsideError(f"the logbook at {url} has refused: {said}", "is the token valid?")
        return document.get("value")


def _numbers(found: Any) -> list[int]:
    """Return run numbers, whether the answer holds numbers or documents with one."""
    numbers = set()
    for each in found if isinstance(found, list) else []:
        number = each.get("num", each.get("run_num")) if isinstance(each, dict) else each
        if isinstance(number, int) or (isinstance(number, str) and number.isdecimal()):
            numbers.add(int(number))
    return sorted(numbers)
