"""The electronic logbook: counters, run parameters and plots that Tasks leave there.

All of it is posted over HTTP, where the job's environment says where: `JID_UPDATE_COUNTERS`
is the address of the counters, `SEGUE_ELOG_URL` that of the logbook. Nothing is posted, and
nothing fails, where they are not set.
"""

from __future__ import annotations

import json
import logging
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from segue.lute.result import SummaryPlots

log = logging.getLogger("segue.lute.elog")

COUNTERS_VARIABLE: Final = "JID_UPDATE_COUNTERS"
URL_VARIABLE: Final = "SEGUE_ELOG_URL"
TOKEN_VARIABLE: Final = "Authorization"
#: Where the pages of plots lie: hutch and experiment are put in.
PLOTS_VARIABLE: Final = "SEGUE_ELOG_PLOTS"
DEFAULT_PLOTS: Final = "/sdf/data/lcls/ds/{hutch}/{experiment}/stats/summary"
REQUEST_LIMIT_S: Final = 10.0
_ANSWER_LIMIT: Final = 2**20


class Elog:
    """The logbook of one run of an experiment."""

    def __init__(self, experiment: str, run: int | str, environment: Mapping[str, str]) -> None:
        self._experiment = experiment
        self._run = run
        self._environment = environment

    def post_summary(self, summary: Any) -> list[str]:
        """Leave a Task's summary in the logbook; return what could not be done, in words.

        A map of names and values becomes counters of the job and parameters of the run;
        plots become pages. Anything else is for the database alone.
        """
        parts = (
            summary if isinstance(summary, Sequence) and not isinstance(summary, str) else [summary]
        )
        troubles = []
        for part in parts:
            if isinstance(part, SummaryPlots):
                troubles.append(self._write_plots(part))
            elif isinstance(part, Mapping):
                troubles += [self._post_counters(part), self._post_parameters(part)]
        return [each for each in troubles if each]

    def _post_counters(self, values: Mapping[str, Any]) -> str:
        url = self._environment.get(COUNTERS_VARIABLE, "")
        if not url:
            return ""
        counters = self._counters_so_far(url) | {str(key): value for key, value in values.items()}
        body = [{"key": key, "value": str(value)} for key, value in counters.items()]
        return self._post(url, body)[1]

    def _counters_so_far(self, url: str) -> dict[str, Any]:
        """Return the counters that are there: posting replaces them all."""
        base = self._environment.get(URL_VARIABLE, "")
        job = self._environment.get("ARP_ROOT_JOB_ID", "")
        if not base or not job:
            return {}
        document = {
            "_id": job,
            "experiment": self._experiment,
            "run_num": str(self._run),
            "user": self._environment.get("USER", ""),
        }
        answer, _ = self._post(f"{base.rstrip('/')}/{self._experiment}/get_counters", document)
        found = answer.get("value") if isinstance(answer, dict) else None
        if not isinstance(found, list):
            return {}
        return {
            str(each["key"]): each.get("value")
            for each in found
            if isinstance(each, dict) and "key" in each
        }

    def _post_parameters(self, values: Mapping[str, Any]) -> str:
        base = self._environment.get(URL_VARIABLE, "")
        if not base:
            return ""
        run = urllib.parse.quote(str(self._run))
        experiment = urllib.parse.quote(self._experiment)
        url = f"{base.rstrip('/')}/run_control/{experiment}/ws/add_run_params?run_num={run}"
        return self._post(url, {str(key): value for key, value in values.items()})[1]

    def _write_plots(self, plots: SummaryPlots) -> str:
        form = self._environment.get(PLOTS_VARIABLE, DEFAULT_PLOTS)
        root = form.replace("{hutch}", self._experiment[:3])
        root = root.replace("{experiment}", self._experiment)
        # A name is one or more folders below the root, and never leads out of it.
        parts = [part for part in plots.display_name.split("/") if part not in ("", ".", "..")]
        path = Path(root, *(parts or ["summary"]), "report.html")
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(plots.html, "utf-8")
        except OSError as error:
            return f"the plots cannot be written to {path}: {error.strerror}"
        return ""

    def _post(self, url: str, body: Any) -> tuple[Any, str]:
        """Return the answer, and what went wrong, if anything."""
        headers = {"Content-Type": "application/json"}
        if self._environment.get(TOKEN_VARIABLE):
            headers["Authorization"] = self._environment[TOKEN_VARIABLE]
        try:
            request = urllib.request.Request(url, json.dumps(body, default=str).encode(), headers)
            with urllib.request.urlopen(request, timeout=REQUEST_LIMIT_S) as answer:
                return json.loads(answer.read(_ANSWER_LIMIT) or b"null"), ""
        except (urllib.error.URLError, OSError, ValueError) as error:
            return None, f"the logbook at {url} has not taken it: {error}"
