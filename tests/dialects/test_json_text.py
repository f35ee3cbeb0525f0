import json
import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from segue.dialects.json_text import (
    MAX_DEPTH,
    Findings,
    Pointer,
    parse_json,
    places_below,
    pointer_text,
)
from segue.model.errors import Problem, Severity, WorkflowError
from segue.model.location import Place


def problems_of(text: str) -> tuple[Problem, ...]:
    """Return what is wrong with the text, raised or collected."""
    findings = Findings("a.json", text)
    try:
        parse_json(findings)
    except WorkflowError as error:
        return error.problems
    return findings.problems()


def place_of(text: str, pointer: Pointer, *, at_key: bool = False) -> str:
    findings = Findings("a.json", text)
    findings.error("wrong", "wrong", pointer, at_key=at_key)
    return str(findings.problems()[0].place)


def test_a_clean_text_gives_its_value_and_no_problem():
    findings = Findings("a.json", '{"a": [1, "ü", null]}')

    value = parse_json(findings)

    assert value == {"a": [1, "ü", None]}
    assert findings.problems() == ()


@pytest.mark.parametrize(
    ("text", "place", "said", "hint"),
    [
        ("", "a.json:1:1", "empty", "{"),
        (" \n", "a.json:1:1", "empty", "{"),
        ('{"a": 1\n "b": 2}', "a.json:2:2", "delimiter", ""),
        ("{'a': 1}", "a.json:1:2", "double quotes", "double quotes"),
        ('{\n  // why\n  "a": 1}', "a.json:2:3", "not JSON", "no comments"),
        ('{"a": "x\ny"}', "a.json:1:9", "control character", "one line"),
        ('{"a": [1, 2', "a.json:1:12", "not JSON", "too early"),
        ('{"a": 1} {', "a.json:1:10", "extra data", ""),
        ('{"a": 1,\n "n": NaN}', "a.json:2:7", "NaN is not JSON", "write a number"),
        ('["NaN", -Infinity]', "a.json:1:9", "-Infinity is not JSON", "write a number"),
    ],
)
def test_a_syntax_error_has_its_place_and_often_a_hint(text, place, said, hint):
    (problem,) = problems_of(text)

    assert (problem.code, str(problem.place)) == ("syntax", place)
    assert said in problem.message
    assert hint in problem.hint


def test_a_comma_after_the_last_member_is_named():
    (problem,) = problems_of('{"a": 1,}')

    assert problem.place is not None
    assert problem.place.line == 1
    assert "comma" in problem.hint + problem.message


def test_a_key_given_twice_is_placed_at_its_second_occurrence():
    (problem,) = problems_of('{"a": {"x": 1,\n  "y": 2, "x": 3}}')

    assert problem.code == "duplicate_key"
    assert problem.pointer == "/a/x"
    assert str(problem.place) == "a.json:2:11"


def test_every_repetition_of_a_key_is_told():
    problems = problems_of('[{"a": 1, "a": 2, "a": 3},\n {"b": 1, "b": 1}]')

    assert [str(problem.place) for problem in problems] == [
        "a.json:1:11",
        "a.json:1:19",
        "a.json:2:11",
    ]


def test_a_key_spelt_with_an_escape_is_the_same_key():
    (problem,) = problems_of('{"a": 1, "\\u0061": 2}')

    assert str(problem.place) == "a.json:1:10"


@pytest.mark.parametrize("opening", ["[", '{"a":', '[{"a":'])
def test_a_text_nested_without_end_is_a_problem_and_no_traceback(opening):
    (problem,) = problems_of(opening * 200_000)

    assert problem.code == "too_deep"
    levels = opening.count("[") + opening.count("{")
    assert problem.place is not None
    assert problem.place.column <= len(opening) * (MAX_DEPTH // levels + 1)


def test_a_number_too_long_to_be_read_is_a_problem():
    (problem,) = problems_of('{"a":\n ' + "9" * 5000 + "}")

    assert (problem.code, str(problem.place)) == ("number_too_long", "a.json:2:2")


@pytest.mark.parametrize("string", ['"a\\u0000b"', '"\\ud800"', '"\ud800"'])
def test_strings_that_no_command_can_take_are_problems(string):
    (problem,) = problems_of('{"x":\n  ["\\u00fc", ' + string + "]}")

    assert (problem.code, str(problem.place)) == ("bad_character", "a.json:2:14")


def test_a_surrogate_pair_and_an_escaped_backslash_are_no_problem():
    assert problems_of('["\\ud83d\\ude00", "\\\\u0000"]') == ()


def test_a_text_over_the_limit_is_refused_before_it_is_read(monkeypatch):
    monkeypatch.setattr("segue.dialects.json_text.MAX_CHARACTERS", 10)

    (problem,) = problems_of('{"a": "bcdefgh"}')

    assert problem.code == "too_large"
    assert "16 characters" in problem.message


def test_a_byte_order_mark_is_passed_over_and_counts_no_column():
    assert problems_of('\ufeff{"a": 1}') == ()
    assert place_of('\ufeff{"a": 1}', ("a",)) == "a.json:1:7"


def test_a_pointer_to_a_key_and_to_its_value_are_two_places():
    text = '{"a":\n   {"b": 1}}'

    assert place_of(text, ("a", "b"), at_key=True) == "a.json:2:5"
    assert place_of(text, ("a", "b")) == "a.json:2:10"


def test_a_pointer_to_what_is_not_there_is_placed_at_what_stands_above():
    assert place_of('{"a": [0, {"b": 1}]}', ("a", 1, "c", 0)) == "a.json:1:11"


def test_of_a_key_given_twice_the_last_value_is_the_one_that_was_read():
    findings = Findings("a.json", '{"a": 1, "a": 2}')
    parse_json(findings)
    findings.error("wrong", "2 is wrong", ("a",))

    places = {problem.message: str(problem.place) for problem in findings.problems()}

    assert places["2 is wrong"] == "a.json:1:15"


def test_equal_warnings_are_told_once_with_their_number():
    findings = Findings("a.json", "[1,\n2,\n3]")
    for index in range(3):
        findings.warning("old", "old form", (index,))

    (problem,) = findings.problems()

    assert problem.severity is Severity.WARNING
    assert problem.message == "old form (and 2 more of this kind)"
    assert str(problem.place) == "a.json:1:2"


def test_problems_come_in_the_order_of_the_text():
    findings = Findings("a.json", "[1,\n2,\n3]")
    for index in (2, 0, 1):
        findings.error("wrong", str(index), (index,))

    assert [problem.message for problem in findings.problems()] == ["0", "1", "2"]


def test_hints_stop_when_they_would_cost_too_much():
    findings = Findings("a.json", "[]")
    known = [f"task{number}" for number in range(4000)]

    hints = [findings.nearest("task17x", known) for _ in range(30)]

    assert hints[0] == "did you mean 'task17'?"
    assert hints[-1] == ""


def test_the_members_of_an_array_have_places_too():
    assert places_below("a.json", '{"tasks": [\n {}, {}]}', ("tasks",)) == {
        0: Place("a.json", 2, 2),
        1: Place("a.json", 2, 6),
    }


json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**9), 10**9)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=6),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=4), inner, max_size=4)
    ),
    max_leaves=12,
)


class Marked:
    """Writes a value as JSON with random white space and notes where each value begins."""

    def __init__(self, draw):
        self.draw = draw
        self.text = ""
        self.places: dict[Pointer, tuple[int, int]] = {}

    def space(self):
        self.text += self.draw(st.text(alphabet=" \n\t", max_size=2))

    def here(self) -> tuple[int, int]:
        return self.text.count("\n") + 1, len(self.text) - self.text.rfind("\n")

    def write(self, value, pointer: Pointer = ()):
        self.space()
        self.places[pointer] = self.here()
        if isinstance(value, dict):
            self.text += "{"
            for number, (key, item) in enumerate(value.items()):
                self.text += "," if number else ""
                self.space()
                self.text += json.dumps(key, ensure_ascii=self.draw(st.booleans()))
                self.space()
                self.text += ":"
                self.write(item, (*pointer, key))
            self.text += "}"
        elif isinstance(value, list):
            self.text += "["
            for number, item in enumerate(value):
                self.text += "," if number else ""
                self.write(item, (*pointer, number))
            self.text += "]"
        else:
            self.text += json.dumps(value, ensure_ascii=self.draw(st.booleans()))
        self.space()


@given(st.data())
def test_every_value_is_found_however_the_text_is_laid_out(data):
    marked = Marked(data.draw)
    marked.write(data.draw(json_values))
    findings = Findings("a.json", marked.text)
    for pointer in marked.places:
        findings.error("here", pointer_text(pointer), pointer)

    found = {(problem.pointer, problem.place) for problem in findings.problems()}

    assert found == {
        (pointer_text(pointer), Place("a.json", *place)) for pointer, place in marked.places.items()
    }


@given(st.text(alphabet=string.printable + '{}[]":,\\', max_size=60))
def test_any_text_gives_a_value_or_problems_with_places(text):
    problems = problems_of(text)

    if problems:
        assert all(problem.place for problem in problems)
    else:
        assert parse_json(Findings("a.json", text)) == json.loads(text)
