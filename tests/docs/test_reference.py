"""Each command, option, state, cause and setting stands in the reference."""

import importlib.util
import re
from pathlib import Path

import pytest

from segue.model.run import HistoryRecord
from segue.model.states import Cause, RunState, TaskState

DOCS = Path(__file__).parents[2] / "docs"
SOURCES = Path(__file__).parents[2] / "src"


def test_the_page_of_commands_is_as_the_commands_are():
    spec = importlib.util.spec_from_file_location("make_cli_page", DOCS / "make_cli_page.py")
    maker = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(maker)

    assert maker.PAGE.read_text() == maker.page(), "run: python docs/make_cli_page.py"


@pytest.mark.parametrize("word", [*TaskState, *RunState, *Cause])
def test_every_state_and_cause_is_explained(word):
    assert f"| `{word.value}` |" in (DOCS / "reference" / "states.md").read_text()


def test_every_variable_that_is_read_is_listed():
    page = (DOCS / "reference" / "settings.md").read_text()
    read = set()
    for source in SOURCES.rglob("*.py"):
        read |= set(re.findall(r"\"(SEGUE_[A-Z_]+)\"", source.read_text()))

    assert read
    assert {name for name in read if f"`{name}`" not in page} - INTERNAL == set()


#: Read only by tests of the crash points, and by click for shell completion.
INTERNAL = {"SEGUE_CRASH_AT", "SEGUE_COMPLETE"}


def test_every_field_of_a_history_record_is_in_the_json_page():
    page = (DOCS / "reference" / "json.md").read_text()

    assert [name for name in HistoryRecord._fields if f'"{name}"' not in page] == []
