"""Which rows a study's table has, and in which order."""

import json
from pathlib import Path

import pytest

from segue.dialects.maestro import Maestro
from segue.maestro.outline import make_outline, outline_from_text, outline_to_text
from segue.protocols.dialect import Source

STUDIES = json.loads((Path(__file__).parent / "data" / "rows.json").read_text())["studies"]
FUNNEL = """\
description: {name: funnel, description: d}
study:
- {name: draw, description: d, run: {cmd: echo $(N)}}
- {name: fit, description: d, run: {cmd: echo $(N), restart: again, depends: [draw_*]}}
global.parameters:
  N: {values: [1, 2, 3, 4, 5], label: N.%%}
"""


def outline_of(text):
    workflow = Maestro().read(Source("s.yaml", text, "/", workspace="/out"))
    return make_outline([*workflow.tasks, *workflow.barriers])


@pytest.mark.parametrize("number", range(len(STUDIES)))
def test_rows_come_in_the_order_of_the_original(number):
    study = STUDIES[number]

    outline = outline_of(study["study"])

    assert [outline.names[position] for position in outline.order] == study["rows"]


def test_a_barrier_is_no_row_and_leads_to_those_behind_it():
    outline = outline_of(FUNNEL)

    assert outline.tasks == 10 < len(outline.names)
    shown = [outline.names[position] for position in outline.order]
    assert shown == [f"{step}_N.{n}" for step in ("draw", "fit") for n in range(1, 6)]


def test_an_outline_comes_back_from_its_text():
    outline = outline_of(FUNNEL)

    assert outline_from_text(outline_to_text(outline)) == outline


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", '{"version": 99}', '{"version": 1}'])
def test_a_text_that_is_no_outline_is_none(text):
    assert outline_from_text(text) is None
