"""The common YAML reader: faults with places, bounds, duplicate keys, YAML 1.1 values."""

from __future__ import annotations

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from segue.dialects import yaml_text
from segue.dialects.yaml_text import compose, describe, mapping_items, place_of, plain, trap
from segue.model.errors import Problem, Severity


def composed(text: str) -> tuple[yaml.Node | None, list[Problem]]:
    problems: list[Problem] = []
    return compose(text, "f.yaml", problems), problems


@pytest.fixture(params=["CSafeLoader", "SafeLoader"])
def each_loader(request, monkeypatch):
    """Run the test with libyaml and without it."""
    loader = getattr(yaml, request.param, None)
    if loader is None:
        pytest.skip("this PyYAML has no libyaml")
    monkeypatch.setattr(yaml_text, "_LOADER", loader)


FAULTS = {
    "a tab as indentation": ("a:\n\tb: 1\n", "2:1", "tab"),
    "a tab after spaces were used": ("a:\n  b: 1\n\tc: 2\n", "3:1", "spaces"),
    "an open single quote": ("a: 'foo\nb: 2\n", "1:4", "closing quote"),
    "an open double quote": ('a: "foo\nb: 2\n', "1:4", "closing quote"),
    "an open list": ("a: [1, 2\nb: 3\n", "1:4", "close it"),
    "an open map": ("a: {b: 1\nc: 2\n", "1:4", "close it"),
    "two keys in a line": ("a: b: c\n", "1:5", "quotes"),
    "a key below a value": ("a: 1\n  b: 2\n", "2:4", "indent"),
    "a line without a colon": ("a: 1\nfoo\nb: 2\n", "3:1", "key: value"),
    "indentation between two levels": ("a:\n   b: 1\n  c: 2\n", "3:3", "indent"),
    "a list behind its key": ("a: - b\n", "1:4", "line of its own"),
    "an at sign": ("a: @foo\n", "1:4", "needs quotes"),
    "a glob": ("a: *.txt\n", "1:4", "needs quotes"),
    "an unknown alias": ("a: *foo\n", "1:4", "define it"),
    "an alias in its own anchor": ("a: &x [*x]\n", "1:8", "cannot hold itself"),
    "an anchor twice": ("a: &x 1\nb: &x 2\n", "2:4", "another name"),
    "two documents": ("a: 1\n---\nb: 2\n", "2:1", "split"),
    "text after the end": ("a: 1\n...\nb: 2\n", "3:1", "neighbours"),
    "nothing": ("", "1:1", "right file"),
    "comments alone": ("# a\n# b\n", "1:1", "right file"),
    "a zero byte": ("a: 1\nb: \0", "2:4", "escape"),
    "half a surrogate pair": ("a: \ud800", "1:4", "escape"),
    "lists in lists without end": ("[" * 100_000, "1:101", "needs that"),
    "a tag of an unknown family": ("a: !x!foo b\n", "1:4", "quotes"),
}


@pytest.mark.usefixtures("each_loader")
@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_has_its_place_and_a_hint(fault):
    text, place, hint = FAULTS[fault]

    node, problems = composed(text)

    assert node is None
    assert [str(problem.place) for problem in problems] == [f"f.yaml:{place}"]
    assert hint in problems[0].hint


def test_a_near_anchor_is_named():
    _, problems = composed("a: &common 1\nb: *comon\n")

    assert problems[0].hint == "did you mean 'common'?"


def test_aliases_of_aliases_are_counted_without_expanding_them():
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 10)}]" for i in range(1, 12)]

    node, problems = composed("\n".join(lines))

    assert node is None
    assert [(each.code, str(each.place)) for each in problems] == [
        ("yaml_alias_bomb", "f.yaml:6:45")
    ]


def test_a_hundred_levels_are_read_and_built():
    node, problems = composed("[" * 100 + "]" * 100)

    assert not problems
    assert str(plain(node)) == "[" * 100 + "]" * 100


@pytest.mark.usefixtures("each_loader")
def test_a_custom_tag_stays_on_its_node():
    node, _ = composed("a: !LUTE_DAG {x: 1}\n")

    assert [item.value.tag for item in mapping_items(node, "f.yaml", [])] == ["!LUTE_DAG"]


def test_places_count_from_one():
    node, _ = composed("a:\n  - b\n  - ä c\n")

    (item,) = mapping_items(node, "f.yaml", [])

    assert str(place_of(item.key_node, "f.yaml")) == "f.yaml:1:1"
    assert str(place_of(item.value.value[1], "f.yaml")) == "f.yaml:3:5"


@pytest.mark.parametrize(
    ("last_wins", "severity"), [(True, Severity.WARNING), (False, Severity.ERROR)]
)
def test_a_duplicate_key_is_reported_where_it_stands(last_wins, severity):
    node, problems = composed("a: 1\nb: 2\na: 3\n")

    items = list(mapping_items(node, "f.yaml", problems, last_wins=last_wins))

    assert [(item.key, item.value.value) for item in items] == [("a", "3"), ("b", "2")]
    assert [(each.code, each.severity, str(each.place)) for each in problems] == [
        ("duplicate_key", severity, "f.yaml:3:1")
    ]


def test_a_list_cannot_be_a_key():
    node, problems = composed("? [a]\n: b\n")

    assert list(mapping_items(node, "f.yaml", problems)) == []
    assert [each.code for each in problems] == ["bad_key"]


def test_merge_keys_are_resolved_and_own_keys_win():
    text = "x: &x {p: 1, q: 1}\ny: &y {q: 2, r: 2}\nz:\n  <<: [*x, *y]\n  r: 3\n"
    node, problems = composed(text)
    merged = list(mapping_items(node, "f.yaml", problems))[2].value

    items = {item.key: item.value.value for item in mapping_items(merged, "f.yaml", problems)}

    assert items == {"p": "1", "q": "1", "r": "3"}
    assert plain(node) == yaml.load(text, Loader=yaml.FullLoader)
    assert not problems


def test_a_merge_of_a_text_is_a_problem():
    node, problems = composed("a: 1\n<<: b\n")

    list(mapping_items(node, "f.yaml", problems))

    assert [(each.code, str(each.place)) for each in problems] == [("bad_merge", "f.yaml:2:5")]


@pytest.mark.parametrize(
    "text",
    [
        *("010", "08", "0x1F", "0b11", "1_000", "1:30", "12:30:45.5", "1e-3", "1.0e+3", ".inf"),
        *("yes", "No", "~", "", "2026-01-02", "2026-01-02 03:04:05", "'010'", "="),
        *("!!str 5", "!!binary aGk="),
    ],
)
def test_plain_builds_what_full_loader_builds(text):
    node, _ = composed(f"- {text}")

    # FullLoader has no answer for '='; the text is ours.
    expected = ["="] if text == "=" else yaml.load(f"- {text}", Loader=yaml.FullLoader)

    assert plain(node) == expected


@pytest.mark.parametrize(
    "text", ["2026-02-31", "0x_", "!!int x", "!!binary x", "!odd x", "0x" + "f" * 9000]
)
def test_plain_answers_with_the_text_where_full_loader_raises(text):
    node, _ = composed(f"- {text}")

    assert plain(node) == [text.split()[-1]]


@pytest.mark.parametrize(
    ("text", "meaning"),
    [("010", "8"), ("off", "false"), ("10:00", "600"), ("1_0", "10"), ("2026-01-02", "a date")],
)
def test_a_trap_is_told(text, meaning):
    node, _ = composed(text)

    assert meaning in trap(node)


@pytest.mark.parametrize(
    "text", ["10", "0", "1.5", "true", "abc", "'010'", "[1]", "~", "-3", "0.5"]
)
def test_a_value_that_means_what_it_says_is_no_trap(text):
    node, _ = composed(text)

    assert trap(node) == ""


def test_kinds_of_values_are_described_in_words():
    node, _ = composed("[[], {}, ~, yes, 1, 1.5, 2026-01-02, x]")

    words = [describe(each) for each in node.value]

    assert words == [
        *("a list", "a map", "null", "true or false", "a number", "a number", "a date", "a text")
    ]


@given(st.text(alphabet="ab:-[]{}&*!|>'\"#%@`?,\n\t <=~0", max_size=60))
def test_any_text_is_a_tree_or_a_problem(text):
    node, problems = composed(text)

    assert (node is None) == bool(problems)
    if node is not None:
        plain(node)
        list(mapping_items(node, "f.yaml", problems))
