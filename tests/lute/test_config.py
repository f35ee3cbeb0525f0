"""The config file of LUTE's Tasks: what is put where, and what is said of surprises."""

from pathlib import Path

import pytest

from segue.lute.config import read_config
from segue.model.errors import WorkflowError

CONFIGS = Path(__file__).parents[3] / "shared" / "corpus" / "lute" / "configs"
HEADER = "title: t\nexperiment: mfx123\nrun: 12\n---\n"


def sections(text, **environment):
    return read_config(HEADER + text, "c.yaml", environment).sections


def warnings(text, **environment):
    config = read_config(HEADER + text, "c.yaml", environment)
    return [(each.code, each.place.line) for each in config.warnings]


@pytest.mark.skipif(not CONFIGS.exists(), reason="the corpus is not beside the checkout")
def test_the_example_of_the_corpus_is_filled_in():
    path = CONFIGS / "test_var_subs.yaml"

    config = read_config(path.read_text(), str(path), {"EXPERIMENT": "mfx9", "RUN": "7"})

    assert config.header["run"] == 12
    assert config.sections["NonExistentTask"] == {
        "test_sub": "/path/to/TestYAMLSubs/file_r0012.input",
        "test_env_sub": "/path/to/mfx9/file.input",
        "test_nested": {
            "a": "outfile_12_one.out",
            "b": {"c": "outfile_12_two.out", "d": "USE ME!"},
        },
        "test_fmt": 12,
        "test_env_fmt": 7,
    }


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("'{{ run }}'", 12),
        ("'r{{ run:04d }}'", "r0012"),
        ("'{{run}}-{{ experiment }}'", "12-mfx123"),
        ("'{{ Other.deep.key }}!'", "found!"),
        ("'{{ $HUTCH }}/x'", "mfx/x"),
        ("'{{ $NUMBER:03d }}x'", "005x"),
        ("'plain {text} }}'", "plain {text} }}"),
        ("'1e5'", 100000.0),
        ("12", 12),
        ("['{{ run }}']", ["{{ run }}"]),
        ("~", None),
    ],
)
def test_a_value_comes_out_as_lute_makes_it(written, expected):
    text = f"Other: {{deep: {{key: found}}}}\nTask: {{value: {written}}}"

    found = sections(text, HUTCH="mfx", NUMBER="5")

    assert found["Task"]["value"] == expected


def test_a_section_wins_over_the_header():
    assert sections("run: 99\nTask: {value: 'r{{ run }}'}")["Task"] == {"value": "r99"}


def test_a_value_above_is_used_as_filled_in_and_one_below_as_it_is_written():
    text = """\
A: {one: "r{{ run }}"}
B: {above: "{{ A.one }}", below: "{{ C.one }}"}
C: {one: "s{{ run }}"}
"""

    assert sections(text)["B"] == {"above": "r12", "below": "s{{ run }}"}
    assert warnings(text) == [("unfilled_reference", 6)]


@pytest.mark.parametrize(
    ("text", "warning"),
    [
        ("T: {v: '007'}", "text_to_number"),
        ("T: {v: 'nan'}", "text_to_number"),
        ("T: {v: '{{ run:04d }}'}", "text_to_number"),
        ("T: {v: '{{ $NO_SUCH }}'}", "unset_variable"),
        ("T: {v: [[['{{ run }}']]]}", "list_not_entered"),
    ],
)
def test_a_surprise_is_a_warning_with_its_place(text, warning):
    assert warnings(text) == [(warning, 5)]


FAULTS = {
    "a reference to nothing": (
        HEADER + "T:\n  v: '{{ runn }}'",
        "c.yaml:6:6: there is no 'runn' in this file",
        "did you mean 'run'?",
    ),
    "a format that does not fit": (
        HEADER + "T: {v: '{{ experiment:04d }}'}",
        "c.yaml:5:8: {{ experiment:04d }} cannot be written",
        "as in Python",
    ),
    "one document": ("title: t\n", "c.yaml:1:1: a config has two documents", "'---'"),
    "a list for the sections": (HEADER + "- a\n", "c.yaml:5:1: the second document", "key: value"),
    "broken YAML": (HEADER + "T: {v: [}", "c.yaml:5:9: the YAML is broken", "quotes"),
    "a tag of Python's": (HEADER + "T: !!python/name:os.system", "c.yaml:5:4", "quotes"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_is_told_with_its_place_and_a_hint(fault):
    text, message, hint = FAULTS[fault]

    with pytest.raises(WorkflowError) as caught:
        read_config(text, "c.yaml", {})

    assert message in str(caught.value)
    assert hint in str(caught.value)


def test_all_references_to_nothing_are_told_at_once():
    with pytest.raises(WorkflowError) as caught:
        sections("T: {a: '{{ x }}', b: '{{ y }}'}")

    assert len(caught.value.problems) == 2


def test_an_alias_of_a_map_in_itself_ends():
    assert "T" in sections("T: &t {v: '{{ run }}', me: *t}")


def test_the_place_of_a_value_is_known():
    config = read_config(HEADER + "T:\n  deep:\n    key: 1\n", "c.yaml", {})

    assert str(config.place(1, "T", "deep", "key")) == "c.yaml:7:10"
    assert str(config.place(1, "T", "missing")) == "c.yaml:6:3"
