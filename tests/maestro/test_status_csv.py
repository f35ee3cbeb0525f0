"""Files that the original has written, its faults too."""

from pathlib import Path

import pytest

from segue.maestro.layouts import flat, legacy
from segue.maestro.narrow import narrow
from segue.maestro.status_csv import csv_line, csv_text, parse_csv

ORIGINAL = (Path(__file__).parent / "data" / "original.csv").read_text()
CORPUS = Path(__file__).parents[3] / "shared" / "corpus" / "maestrowf" / "llnl-maestrowf"
REFERENCE = CORPUS / "tests" / "status" / "test_status_data"
beside_the_corpus = pytest.mark.skipif(
    not REFERENCE.exists(), reason="the corpus is not beside the checkout"
)


def lines(text):
    return [line.rstrip() for line in text.rstrip().splitlines()]


def test_a_row_that_commas_tore_apart_is_put_together():
    rows = parse_csv(ORIGINAL)

    assert [row.step_name for row in rows] == [
        "prepare", "solve_BC.left,wall.N.2", "solve_BC.right.N.3",
    ]  # fmt: skip
    torn = rows[1]
    assert (torn.job_id, torn.workspace, torn.state) == ("--", "solve/BC.left,wall.N.2", "FAILED")
    assert (torn.number_restarts, torn.params) == ("1", "BC:left,wall;N:2")


def test_what_makes_no_sense_is_left_out():
    text = "a,b\n\n,,,,\n" + ",".join("x" * 40) + "\n" + ORIGINAL

    assert parse_csv(text) == parse_csv(ORIGINAL)


@pytest.mark.parametrize("text", ["", "\n\n", "\0\0\0", "Step Name"])
def test_a_file_without_rows_has_none(text):
    assert parse_csv(text) == []


@beside_the_corpus
def test_a_file_of_the_original_is_written_as_it_was():
    text = (REFERENCE / "hello_bye_world.csv").read_text()

    assert csv_text(map(csv_line, parse_csv(text))) == text


@beside_the_corpus
@pytest.mark.parametrize(
    ("name", "made"),
    [
        ("flat", lambda rows: flat(rows, "Test Study Flat", 200)),
        ("narrow", lambda rows: narrow(rows, "Test Study Narrow", 200)),
    ],
)
def test_the_tables_are_those_of_the_original(name, made):
    rows = parse_csv((REFERENCE / "hello_bye_world.csv").read_text())
    expected = (REFERENCE / f"hello_bye_world_{name}_ref.txt").read_text()

    assert lines(made(rows)) == lines(expected)


def test_the_legacy_table_is_that_of_the_original():
    rows = parse_csv(ORIGINAL)[:1]

    shown = legacy(rows, "/study")

    assert lines(shown) == lines(
        "=" * 158 + "\n/study\n" + "=" * 158 + "\n"
        "Step Name      Job ID  Workspace    State     Run Time        Elapsed Time"
        "    Start Time           Submit Time          End Time               Number Restarts\n"
        "-----------  --------  -----------  --------  --------------  --------------"
        "  -------------------  -------------------  -------------------  -----------------\n"
        "prepare          4711  prepare      FINISHED  0d:00h:00m:04s  0d:00h:00m:05s"
        "  2024-03-01 08:15:02  2024-03-01 08:15:01  2024-03-01 08:15:06                  0\n"
        + "="
        * 158
    )
