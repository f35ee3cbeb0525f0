"""What LUTE's workflow files can have wrong: each fault with its exact line and column."""

from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from segue.dialects.lute import Lute
from segue.model.errors import Problem, Severity, WorkflowError
from segue.model.graph import check_graph
from segue.model.workflow import Workflow
from segue.protocols.dialect import Source

SHIFT = (Path(__file__).parent / "data" / "lute_shift.dag").read_text()
DAQ2 = {"daq2": "true", "run_type": "DATA"}


def problems_of(text: str, facts: dict[str, str] = DAQ2, **options: object) -> list[Problem]:
    """Return the errors of a text that must be refused."""
    with pytest.raises(WorkflowError) as caught:
        Lute().read(Source("flow.dag", text, facts=facts, options=options))
    return [each for each in caught.value.problems if each.severity is Severity.ERROR]


def outcome_of(source: Source) -> Workflow | tuple[Problem, ...]:
    """Return the workflow, or what is wrong with the text; no other exception passes."""
    try:
        return Lute().read(source)
    except WorkflowError as error:
        return error.problems


def step(body: str) -> str:
    """Return a file whose line 2, from column 3 on, is the body."""
    return f"!LUTE_DAG\n- {body}\n"


def sweep(matrix: str, more: str = "") -> str:
    """Return a file whose line 4, from column 17 on, is the parameter matrix."""
    return (
        f"!LUTE_DAG\n- !param_sweep\n  task_name: A\n  param_matrix: {matrix}\n  next: []\n{more}"
    )


def branch(body: str) -> str:
    """Return a file whose line 2, from column 3 on, is a branch."""
    return step("!branch_daq2 " + body)


A = "{task_name: A, next: []}"

FAULTS = [
    # (text, code, line:column, part of the message, part of the hint)
    ("", "yaml_empty", "1:1", "nothing", ""),
    ("!LUTE_DAG [1", "yaml_syntax", "1:11", "not closed", ""),
    ("!LUTE_DAG hello", "wrong_type", "1:1", "not a text", "task_name"),
    ("!LUTE_DGA\n- " + A, "unknown_tag", "1:1", "'!LUTE_DGA'", "did you mean '!LUTE_DAG'?"),
    ("!LUTE_DGA " + A, "unknown_tag", "1:1", "'!LUTE_DGA'", "did you mean '!LUTE_DAG'?"),
    ("!ALWAYS " + A, "bad_root", "1:1", "'!ALWAYS'", "!LUTE_DAG"),
    (step("hello"), "wrong_type", "2:3", "not a text", "- task_name: hello"),
    (step("12"), "wrong_type", "2:3", "not a number", ""),
    (step("{next: []}"), "missing_key", "2:3", "needs 'task_name'", "task_name: Tester"),
    (step("{task_name: [A], next: []}"), "wrong_type", "2:15", "a text, not a list", ""),
    (step("{task_name: 12, next: []}"), "wrong_type", "2:15", "a text, not a number", "quotes"),
    (step("{task_name: yes, next: []}"), "wrong_type", "2:15", "true or false", "quotes"),
    (step("{task_name: 'A B', next: []}"), "bad_name", "2:15", "'A B'", "letters"),
    (step("{task_name: " + "A" * 300 + ", next: []}"), "bad_name", "2:15", "AAA…", "255"),
    (step('{task_name: "A\\0", next: []}'), "bad_character", "2:15", "'task_name'", ""),
    (step("{task_name: A, slurm_params: [x], next: []}"), "wrong_type", "2:32", "not a list", ""),
    (step("{task_name: A, slurm_params: 4, next: []}"), "wrong_type", "2:32", "number", "quotes"),
    (step("{task_name: A, next: B}"), "wrong_type", "2:24", "not a text", "- task_name: B"),
    (step("{task_name: A, nxt: [], next: []}"), "unknown_key", "2:18", "'nxt'", "'next'"),
    (step("{task_name: A, zzzz: {}, next: []}"), "unknown_key", "2:18", "'zzzz'", "under 'next'"),
    (step("{task_name: A, [x]: 1, next: []}"), "bad_key", "2:18", "a list", ""),
    (step("{task_name: A, run_dependent: 3, next: []}"), "wrong_type", "2:33", "true or", ""),
    (step("!ALWAYSS " + A), "unknown_tag", "2:3", "'!ALWAYSS'", "did you mean '!ALWAYS'?"),
    (step("!run_typ " + A), "unknown_tag", "2:3", "'!run_typ'", "did you mean '!run_type'?"),
    (step("!LUTE_DAG " + A), "unknown_tag", "2:3", "cannot stand", "known tags"),
    (step("!ALWAYS [" + A + "]"), "unknown_tag", "2:3", "on a list", "one task"),
    (sweep("[1]"), "wrong_type", "4:17", "a map of lists, not a list", ""),
    (sweep("{a: 1}"), "wrong_type", "4:21", "'a' are a list, not a number", "a: [1]"),
    (sweep("{a: []}"), "empty_parameter", "4:21", "'a' is empty", ""),
    (sweep('{a: ["\\0"]}'), "bad_character", "4:22", "character", ""),
    (sweep("{a: [1], b: [1, 2]}", "  zip: true"), "unequal_lengths", "4:17", "a: 1, b: 2", ""),
    (sweep("{a: [1]}", "  zip: 7"), "wrong_type", "6:8", "'zip' is true or false", ""),
    (step("!param_sweep " + A), "missing_key", "2:3", "'param_matrix'", "param_matrix:"),
    (sweep("{" + ", ".join(f"p{number}: [1, 2]" for number in range(20)) + "}"),
     "too_many_tasks", "2:3", "1,048,576 tasks", "own copy"),
    (branch("{daq2: " + A + ", daq1: [], daq0: []}"), "bad_branch", "2:3", "'daq0'", ""),
    (branch("{daq_2: " + A + ", daq1: []}"), "bad_branch", "2:3", "'daq_2', 'daq1'", "'daq_2'"),
    (branch("{}"), "bad_branch", "2:3", "here are none", ""),
    (step("!branch_daq3 {daq3: [], x: []}"), "unknown_fact", "2:3", "'daq3'",
     "did you mean 'daq2'?"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("text", "code", "place", "said", "hint"),
    FAULTS,
    ids=[f"{fault[1]}-{number}" for number, fault in enumerate(FAULTS)],
)
def test_a_fault_is_told_with_its_place(text, code, place, said, hint):
    (problem,) = problems_of(text)

    assert (problem.code, str(problem.place)) == (code, f"flow.dag:{place}")
    assert said in problem.message
    assert hint in problem.hint


@pytest.mark.parametrize(
    ("facts", "code", "hint"),
    [
        ({}, "unknown_fact", "--set daq2=true or --set daq2=false"),
        ({"daq2": "perhaps"}, "bad_fact", "--set daq2=true or --set daq2=false"),
    ],
)
def test_a_branch_on_a_fact_that_is_not_known_is_never_guessed(facts, code, hint):
    (problem,) = problems_of(branch("{daq2: " + A + ", daq1: []}"), facts)

    assert (problem.code, str(problem.place)) == (code, "flow.dag:2:3")
    assert hint in problem.hint


def test_an_unknown_run_type_is_an_error_that_names_those_of_the_file():
    (problem,) = problems_of(step("!run_type {DARK: [], NOT_DARK: " + A + ", GEOM: []}"), {})

    assert (problem.code, str(problem.place)) == ("unknown_fact", "flow.dag:2:3")
    assert problem.hint == "say it with --set run_type=DARK or --set run_type=GEOM"


def test_a_fact_is_asked_for_only_where_it_is_needed():
    text = step("!run_type {DARK: !branch_daq2 {daq2: [], daq1: []}, DATA: " + A + "}")

    workflow = Lute().read(Source("flow.dag", text, facts={"run_type": "DATA"}))

    assert [task.name for task in workflow.tasks] == ["A"]


def test_a_fault_in_a_branch_that_is_not_chosen_is_told_too():
    (problem,) = problems_of(branch("{daq2: " + A + ", daq1: {next: []}}"))

    assert (problem.code, str(problem.place)) == ("missing_key", "flow.dag:2:55")


def test_all_errors_of_a_file_come_at_once_in_its_order():
    text = (
        "!LUTE_DAG\n- !ALWAY\n  next: []\n- task_name: A\n  slurm_params: {}\n"
        "  next:\n  - B\n- !branch_daq2 {daq2: [], daq1: []}\n"
    )

    assert [(each.code, str(each.place)) for each in problems_of(text, {})] == [
        ("unknown_tag", "flow.dag:2:3"),
        ("missing_key", "flow.dag:2:3"),
        ("wrong_type", "flow.dag:5:17"),
        ("wrong_type", "flow.dag:7:5"),
        ("unknown_fact", "flow.dag:8:3"),
    ]


@pytest.mark.parametrize(
    ("command", "said"),
    [
        ("prog -t {taskname}", "nothing is called '{taskname}'"),
        ("prog 'open", "cannot split"),
        ("prog {", "'{'"),
        ("prog {task_name.x}", "cannot fill '{task_name.x}'"),
    ],
)
def test_a_command_that_cannot_be_filled_is_refused_once(command, said):
    text = "!LUTE_DAG\n" + f"- {A}\n" * 3

    (problem,) = problems_of(text, lute_command=command)

    assert problem.code == "bad_option"
    assert said in problem.message
    assert problem.hint


@pytest.mark.parametrize(
    "text",
    [
        "!LUTE_DAG\n" + "[" * 100_000,
        "!LUTE_DAG\n" + "- {task_name: A, next: " * 5_000,
        "!LUTE_DAG\n- &a0 {task_name: A}\n"
        + "".join(
            f"- &a{number} {{task_name: A, next: [*a{number - 1}, *a{number - 1}]}}\n"
            for number in range(1, 40)
        ),
        "!LUTE_DAG\n- &a0 {task_name: A}\n"
        + "".join(f"- &a{n} {{task_name: A, next: [*a{n - 1}, *a{n - 1}]}}\n" for n in range(1, 16))
        + "- *a15\n- *a15\n- *a15\n- *a15\n",
        "!LUTE_DAG\n- &a [*a]\n",
    ],
    ids=["brackets", "steps", "aliases", "aliases within bounds", "itself"],
)
def test_a_text_made_to_exhaust_the_reader_is_refused(text):
    assert len(problems_of(text)) == 1


def nodes_of(node: yaml.Node) -> list[yaml.Node]:
    inner = []
    if isinstance(node, yaml.MappingNode):
        inner = [each for pair in node.value for each in pair]
    elif isinstance(node, yaml.SequenceNode):
        inner = node.value
    return [node] + [each for child in inner for each in nodes_of(child)]


REPLACEMENTS = [
    *("~", "[]", "{}", "''", "7", "x", "[[]]", "{a: b}", "!ALWAYS x", "!run_type {}"),
    *("2026-01-02", "*after", "!branch_ {}", "!param_sweep [~]", '"\\0"', "<<: x"),
]


@pytest.mark.parametrize("number", range(len(nodes_of(yaml.compose(SHIFT, yaml.SafeLoader)))))
def test_any_value_of_a_wrong_type_gives_problems_and_no_traceback(number):
    node = nodes_of(yaml.compose(SHIFT, yaml.SafeLoader))[number]
    for value in REPLACEMENTS:
        text = SHIFT[: node.start_mark.index] + value + " " + SHIFT[node.end_mark.index :]

        outcome = outcome_of(Source("flow.dag", text, facts=DAQ2))

        if isinstance(outcome, Workflow):
            assert check_graph(outcome) == []
        else:
            assert all(problem.place for problem in outcome)


words = st.sampled_from(
    ["task_name", "next", "slurm_params", "param_matrix", "zip", "daq2", "daq1", "DATA", "NOT_DARK",
     "A", "B", "{x}", "x", "run_dependent", "true"]
)  # fmt: skip
tags = st.sampled_from(
    ["", "", "", "!ALWAYS ", "!branch_daq2 ", "!run_type ", "!param_sweep ", "!LUTE_DAG ", "!x "]
)
texts = st.recursive(
    words | st.sampled_from(["~", "[]", "1", "'{x}'", "1.5"]),
    lambda inner: (
        st.tuples(tags, st.lists(inner, max_size=3)).map(lambda t: f"{t[0]}[{', '.join(t[1])}]")
        | st.tuples(tags, st.dictionaries(words.filter(str.isidentifier), inner, max_size=4)).map(
            lambda t: t[0] + "{" + ", ".join(f"{key}: {value}" for key, value in t[1].items()) + "}"
        )
        | inner.map(lambda text: f"{{task_name: A, next: [{text}]}}")
        | inner.map(
            lambda text: f"!param_sweep {{task_name: A, param_matrix: {{x: [{text}]}}, next: []}}"
        )
    ),
    max_leaves=20,
)


@given(texts, st.sampled_from([{}, DAQ2]))
def test_random_files_give_a_sound_workflow_or_problems_with_places(text, facts):
    outcome = outcome_of(Source("flow.dag", f"!LUTE_DAG\n- {text}\n", facts=facts))

    if isinstance(outcome, Workflow):
        assert check_graph(outcome) == []
    else:
        assert all(problem.place for problem in outcome)
        assert Severity.ERROR in {problem.severity for problem in outcome}
