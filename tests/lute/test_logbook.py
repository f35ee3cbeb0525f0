"""Facts of a run from the electronic logbook, over real HTTP."""

import json

import pytest

from segue.lute.logbook import Logbook, RunFacts
from segue.model.errors import OutsideError


@pytest.fixture
def logbook(server):
    environment = {"SEGUE_LOGBOOK_URL": f"http://{server.address}/", "Authorization": "Bearer x"}
    return Logbook("mfx1", environment)


def says(server, path, value, status=200):
    server.answers["GET", f"/mfx1/ws/{path}"] = (status, json.dumps(value))


@pytest.mark.parametrize(
    ("document", "facts"),
    [
        ({"type": "DATA", "params": {"DAQ/drp/jungfrau": 1}}, RunFacts("DATA", True)),
        ({"type": "DARK", "params": {"DAQ Detectors": 1}}, RunFacts("DARK", False)),
        ({"type": "", "params": {}}, RunFacts(None, None)),
        ({"type": 5, "params": [1]}, RunFacts(None, None)),
        ({}, RunFacts(None, None)),
        (None, RunFacts(None, None)),
    ],
)
def test_type_and_daq_are_what_the_logbook_says_and_else_unknown(logbook, server, document, facts):
    says(server, "runs/12", {"success": True, "value": document})

    assert logbook.run_facts(12) == facts
    assert server.heard[0][3]["Authorization"] == "Bearer x"


@pytest.mark.parametrize("found", [[3, 1, 2], ["3", "1", "2"], [{"num": n} for n in (1, 2, 3)]])
def test_runs_of_a_tag_come_in_order(logbook, server, found):
    says(server, "get_runs_with_tag?tag=lyso+A%2F1", {"success": True, "value": found})

    assert logbook.runs_with_tag("lyso A/1") == [1, 2, 3]


def test_runs_of_a_sample_are_those_that_name_it(logbook, server):
    runs = [{"num": 2, "sample": "a"}, {"num": 1, "sample": "a"}, {"num": 3}, "x"]
    says(server, "runs", {"success": True, "value": runs})

    assert logbook.runs_of_sample("a") == [1, 2]


@pytest.mark.parametrize(
    ("status", "value", "message"),
    [
        (500, {}, "does not answer: HTTP Error 500"),
        (401, {}, "does not answer: HTTP Error 401"),
        (200, [1], "has refused"),
        (200, {"success": False, "errormsg": "no such run"}, "no such run"),
    ],
)
def test_a_logbook_that_refuses_is_told_with_what_to_do(logbook, server, status, value, message):
    says(server, "runs/12", value, status)

    with pytest.raises(OutsideError, match=message) as caught:
        logbook.run_facts(12)

    assert caught.value.hint


def test_an_answer_that_is_no_json_is_told(logbook, server):
    server.answers["GET", "/mfx1/ws/runs/12"] = (200, "<html>")

    with pytest.raises(OutsideError, match="does not answer"):
        logbook.run_facts(12)


def test_a_logbook_that_is_not_there_is_told():
    with pytest.raises(OutsideError, match="does not answer"):
        Logbook("x", {"SEGUE_LOGBOOK_URL": "http://127.0.0.1:1"}).run_facts(1)
