import pytest
from runs import record

from segue.engine.reading import read_again, reading_of
from segue.model.errors import RefusedError
from segue.protocols.dialect import Source

SOURCE = Source(
    "study.yaml",
    "old text",
    directory="/here",
    facts={"daq2": "true"},
    parameters={"X": "1"},
    workspace="/w",
    now=5.0,
    options={"hashws": True, "slurm_args": ("--ntasks=4",), "spec_root": "/specs"},
)


def test_an_edited_file_is_read_as_the_file_before_was():
    run = record(directory="/here", workspace="/w", reading=reading_of(SOURCE))

    again = read_again(run, "/here/study.yaml", "new text", 9.0)

    assert (again.text, again.now) == ("new text", 9.0)
    for name in ("directory", "facts", "parameters", "workspace", "options"):
        assert getattr(again, name) == getattr(SOURCE, name)


def test_what_a_door_wants_to_have_remembered_is():
    assert reading_of(SOURCE, limit=3)["limit"] == 3


@pytest.mark.parametrize(
    "options", [{"generated_parameters": [{"name": "X"}]}, {"thing": object()}]
)
def test_what_is_not_kept_is_not_taken_for_nothing(options):
    run = record(reading=reading_of(Source("s", "text", options=options)))

    with pytest.raises(RefusedError, match=rf"not kept: {next(iter(options))}"):
        read_again(run, "s", "text", 0.0)


def test_a_run_of_an_older_segue_is_not_read_with_a_guess():
    with pytest.raises(RefusedError, match="segue run FILE --reuse r"):
        read_again(record(), "s", "text", 0.0)
