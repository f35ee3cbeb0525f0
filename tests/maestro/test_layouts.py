"""Tables on terminals of any width, with any text in them."""

import re

import pytest

from segue.maestro.layouts import flat, legacy
from segue.maestro.narrow import narrow
from segue.maestro.rows import Row
from segue.maestro.text_cells import width_of

ROW = Row(
    "simulate_TEMPERATURE.300.PRESSURE.101325", "4711", "simulate/TEMPERATURE.300.PRESSURE.101325",
    "FINISHED", "0d:00h:00m:04s", "0d:00h:00m:05s", "2024-03-01 08:15:02", "2024-03-01 08:15:01",
    "2024-03-01 08:15:06", "0", "TEMPERATURE:300;PRESSURE:101325",
)  # fmt: skip
LAYOUTS = [flat, narrow, lambda rows, title, width, **style: legacy(rows, title, **style)]
ESCAPES = re.compile(r"\x1b\[[0-9;]*m")


@pytest.mark.parametrize("width", [40, 80, 100, 120, 160, 199, 300])
def test_a_flat_table_fits_the_terminal_and_keeps_the_state_whole(width):
    shown = flat([ROW], "/study", width).splitlines()

    table = [line for line in shown if line[0] in "┏┃┡│└"]
    assert {len(line) for line in table} == {len(table[0])}
    assert len(table[0]) <= width
    assert any("FINISHED" in line for line in table)


def test_a_flat_table_says_what_it_has_no_room_for():
    shown = flat([ROW], "/study", 80)

    assert "no room for: Job ID" in shown or "no room for: Workspace" in shown
    assert "no room" not in flat([ROW], "/study", None)


def test_folded_text_is_all_there():
    shown = flat([ROW], "/study", 80)

    first = "".join(line.split("│")[1].strip() for line in shown.splitlines() if line[0] == "│")
    assert first == ROW.step_name


@pytest.mark.parametrize("width", [80, 100])
def test_a_narrow_table_fits_the_terminal(width):
    assert max(map(len, narrow([ROW], "/study", width).splitlines())) <= width


@pytest.mark.parametrize("layout", LAYOUTS)
def test_colours_change_nothing_but_colours(layout):
    plain = layout([ROW], "/study", 120)

    styled = layout([ROW], "/study", 120, styled=True)

    assert "\x1b[32m" in styled
    assert [line.rstrip() for line in ESCAPES.sub("", styled).splitlines()] == [
        line.rstrip() for line in plain.splitlines()
    ]


@pytest.mark.parametrize("layout", LAYOUTS)
def test_no_text_steers_the_terminal(layout):
    evil = ROW._replace(step_name="a\x1b[2Jb\nc", workspace="\x07", params="A:\x1b]0;x\x07")

    shown = layout([evil], "/st\x1budy", 120)

    assert not set(shown) & set("\x1b\x07\r")
    assert len(shown.splitlines()) == len(layout([ROW], "/study", 120).splitlines())


@pytest.mark.parametrize("layout", LAYOUTS)
def test_a_study_without_steps_has_a_table_without_rows(layout):
    assert "/study" in layout([], "/study", 80)


def test_wide_letters_are_counted_twice():
    shown = flat([ROW._replace(step_name="温度" * 20)], "/study", 100).splitlines()

    assert {width_of(line) for line in shown if line[0] == "│"} == {width_of(shown[1])}


def test_parameters_with_colons_are_whole():
    shown = narrow([ROW._replace(params="URL:http://x:80;N:3;M:4")], "/study", 100)

    assert " URL   http://x:80   N   3\n" in shown
    assert " M     4\n" in shown
