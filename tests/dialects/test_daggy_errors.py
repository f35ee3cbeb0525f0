"""What Daggy documents can have wrong: each fault with its exact line and column."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from segue.dialects.daggy import Daggy
from segue.model.errors import Problem, Severity, WorkflowError
from segue.model.graph import check_graph
from segue.model.workflow import Workflow
from segue.protocols.dialect import Source

BEAMTIME = (Path(__file__).parent / "data" / "daggy_beamtime.json").read_text()


def problems_of(text: str, **given: object) -> list[Problem]:
    """Return the errors of a text that must be refused."""
    with pytest.raises(WorkflowError) as caught:
        Daggy().read(Source("d.json", text, **given))  # type: ignore[arg-type]
    return [each for each in caught.value.problems if each.severity is Severity.ERROR]


def outcome_of(source: Source) -> Workflow | tuple[Problem, ...]:
    """Return the workflow, or what is wrong with the text; no other exception passes."""
    try:
        return Daggy().read(source)
    except WorkflowError as error:
        return error.problems


def task(body: str, rest: str = "") -> str:
    """Return a document whose line 2, from column 8 on, is the body of the task `a`."""
    return '{"tasks": {\n  "a": ' + body + rest + "}}"


def job(body: str, rest: str = "") -> str:
    """Return a document whose line 2, from column 16 on, is the job of the task `a`."""
    return task('{"job": ' + body + "}", rest)


ECHO = '{"job": {"command": ["x"]}}'

FAULTS = [
    # (document, code, line:column, pointer, part of the message, part of the hint)
    ("[]", "wrong_type", "1:1", "", "not an array", ""),
    ('{"tag": "x"}', "no_tasks", "1:1", "", "no 'tasks'", "write"),
    ('{"tasks":\n {}}', "no_tasks", "2:2", "/tasks", "empty", ""),
    ('{"tasks":\n "x"}', "wrong_type", "2:2", "/tasks", "an object of tasks", ""),
    ('{"task": {}}', "unknown_field", "1:2", "/task", "'task'", "did you mean 'tasks'?"),
    (task("[]"), "wrong_type", "2:8", "/tasks/a", "not an array", ""),
    (task('{"jobb": {}}'), "unknown_field", "2:9", "/tasks/a/jobb", "'jobb'", "'job'"),
    (task('{"retries": 2}'), "unknown_field", "2:9", "/tasks/a/retries", "'retries'",
     "'maxRetries'"),
    (task("{}"), "no_command", "2:3", "/tasks/a", "no command", "commandString"),
    (job("{}"), "no_command", "2:3", "/tasks/a", "no command", "commandString"),
    (job("7"), "wrong_type", "2:16", "/tasks/a/job", "must be an object, not 7", ""),
    (job('{"comand": ["x"]}'), "unknown_field", "2:17", "/tasks/a/job/comand", "", "'command'"),
    (job('{"command": "x y"}'), "wrong_type", "2:28", "/tasks/a/job/command", "", "commandString"),
    (job('{"command": []}'), "empty_command", "2:28", "/tasks/a/job/command", "no program", ""),
    (job('{"command": [""]}'), "empty_command", "2:28", "/tasks/a/job/command", "", ""),
    (job('{"command": ["x", 7]}'), "wrong_type", "2:34", "/tasks/a/job/command/1", "", '"7"'),
    (job('{"commandString": "x \'y"}'), "bad_command_string", "2:34",
     "/tasks/a/job/commandString", "quote is not closed", ""),
    (job('{"commandString": " "}'), "empty_command", "2:34", "/tasks/a/job/commandString", "", ""),
    (job('{"command": ["x"], "commandString": "y"}'), "two_commands", "2:35",
     "/tasks/a/job/commandString", "both", "keep one"),
    (job('{"command": ["x"], "cores": "two"}'), "wrong_type", "2:44", "/tasks/a/job/cores",
     "'cores' must be a whole number from 0 on, not 'two'", ""),
    (job('{"command": ["x"], "cores": -1}'), "wrong_type", "2:44", "/tasks/a/job/cores", "", ""),
    (job('{"command": ["x"], "cores": true}'), "wrong_type", "2:44", "/tasks/a/job/cores",
     "not true", ""),
    (job('{"command": ["x"], "timeout": 1e999}'), "wrong_type", "2:46", "/tasks/a/job/timeout",
     "seconds", ""),
    (job('{"command": ["x"], "environment": ["A"]}'), "bad_environment", "2:51",
     "/tasks/a/job/environment/0", "'A'", ""),
    (job('{"command": ["x"], "environment": {"": "1"}}'), "bad_environment", "2:51",
     "/tasks/a/job/environment/", "''", ""),
    (job('{"command": ["x"], "environment": {"A": 1}}'), "wrong_type", "2:56",
     "/tasks/a/job/environment/A", "'A'", "null takes"),
    (job('{"command": ["x"], "workDir": ""}'), "wrong_type", "2:46", "/tasks/a/job/workDir",
     "not empty", ""),
    (job('{"command": ["x"], "resources": {"gpus": "x"}}'), "wrong_type", "2:57",
     "/tasks/a/job/resources/gpus", "whole number", ""),
    (task('{"job": {"command": ["x"]}, "parents": "b"}'), "wrong_type", "2:47",
     "/tasks/a/parents", "an array of strings", '["b"]'),
    (task('{"job": {"command": ["x"]}, "parents": ["b"]}'), "unknown_task", "2:48",
     "/tasks/a/parents/0", "'b' is not defined", ""),
    (task('{"job": {"command": ["x"]}, "children": ["bb"]}', ',\n"b": ' + ECHO), "unknown_task",
     "2:49", "/tasks/a/children/0", "'bb' is not defined", "did you mean 'b'?"),
    (task('{"job": {"command": ["x"]}, "children": ["a"]}'), "self_edge", "2:49",
     "/tasks/a/children/0", "waits for itself", "remove"),
    (task('{"job": {"command": ["x"]}, "name": "b"}'), "conflicting_name", "2:44",
     "/tasks/a/name", "'a' by its key and 'b' inside", ""),
    (task('{"job": {"command": ["x"]}, "isGenerator": "yes"}'), "wrong_type", "2:51",
     "/tasks/a/isGenerator", "true or false", ""),
    (task('{"job": {"command": ["x"]}, "maxRetries": 1.5}'), "wrong_type", "2:50",
     "/tasks/a/maxRetries", "whole number", ""),
    (task('{"job": {"command": ["x"]}, "command": ["y"]}'), "conflicting_fields", "2:36",
     "/tasks/a/command", "beside it", "keep one"),
    (task('{"job": {"command": ["x"]}, "details": {"command": ["y"]}}'), "conflicting_fields",
     "2:36", "/tasks/a/details", "'job' is given twice", "keep one"),
    (job('{"command": ["{{X}}"]}'), "unknown_placeholder", "2:29", "/tasks/a/job/command/0",
     "'X'", "--keep-unknown"),
    (job('{"command": ["{{X}"]}'), "bad_placeholder", "2:29", "/tasks/a/job/command/0",
     "not closed", "--keep-unknown"),
    ('{"tasks": {"a b":\n {"job": {"command": ["x"]}}}}', "bad_name", "1:12", "/tasks/a b",
     "'a b'", "letters"),
    ('{"tasks": {"barrier:a": {"job": {"command": ["x"]}}}}', "bad_name", "1:12",
     "/tasks/barrier:a", "Segue's own", ""),
    ('{"tasks": [{"name": "a", "job": {"command": ["x"]}},\n {"name": "a", '
     '"job": {"command": ["x"]}}]}', "duplicate_task", "2:2", "/tasks/1", "'a'", ""),
    ('{"tasks": [\n{"job": {"command": ["x"]}}]}', "no_name", "2:1", "/tasks/0", "'name'", ""),
    ('{"parameters": {"X": 1},\n "tasks": {"a": ' + ECHO + "}}", "wrong_type", "1:22",
     "/parameters/X", "'X' must be a string or an array of strings, not 1", '"1"'),
    ('{"parameters": {"X": ["1", 2]},\n "tasks": {"a": ' + ECHO + "}}", "wrong_type", "1:28",
     "/parameters/X/1", "not 2", '"2"'),
    ('{"parameters": {" X": "1"},\n "tasks": {"a": ' + ECHO + "}}", "bad_name", "1:17",
     "/parameters/ X", "parameter", ""),
    ('{"parameters": {"X": "1", "{{X}}": "2"},\n "tasks": {"a": ' + ECHO + "}}",
     "conflicting_fields", "1:27", "/parameters/{{X}}", "with braces and without", ""),
    ('{"parameters": {}, "taskParameters": {},\n "tasks": {"a": ' + ECHO + "}}",
     "ambiguous_parameters", "1:20", "/taskParameters", "both hold", "jobDefaults"),
    ('{"parameters": {"X": []},\n "tasks": {"a": {"job": {"command": ["{{X}}"]}}}}',
     "empty_parameter", "2:12", "/tasks/a", "'X' is an empty array", "allow_empty"),
    ('{"parameters": {"X": ["1", "2"]},\n "tasks": {"a": {"job": {"command": ["{{X}}"]}},\n'
     '"a_2": ' + ECHO + "}}", "name_collision", "2:12", "/tasks/a", "'a_2'", "rename"),
    ('{"jobDefaults": {"cores": "x"},\n "tasks": {"a": ' + ECHO + "}}", "wrong_type", "1:27",
     "/jobDefaults/cores", "'cores'", ""),
    ('{"jobDefaults": {"workDir": "{{X}}"},\n "tasks": {"a": ' + ECHO + "}}",
     "unknown_placeholder", "1:29", "/jobDefaults/workDir", "'X'", ""),
    ('{"jobDefaults": {"environment": {"A": "{{X}}"}},\n "tasks": {"a": {"job": '
     '{"command": ["x"], "environment": {"B": "2"}}}}}', "unknown_placeholder", "1:39",
     "/jobDefaults/environment/A", "'X'", ""),
    ('{"parameters": {"N": "x"},\n "tasks": {"a": {"job": {"command": ["x"], '
     '"cores": "{{N}}"}}}}', "wrong_type", "2:53", "/tasks/a/job/cores", "(in task 'a')", ""),
    ('{"taskDefaults": {"parents": []},\n "tasks": {"a": ' + ECHO + "}}", "unknown_field",
     "1:19", "/taskDefaults/parents", "'parents'", ""),
    ('{"tag": "x", "tags": {"name": "y"},\n "tasks": {"a": ' + ECHO + "}}",
     "conflicting_fields", "1:2", "/tag", "differ", ""),
    ('{"tags": {"name": 1},\n "tasks": {"a": ' + ECHO + "}}", "wrong_type", "1:19", "/tags/name",
     "a string", ""),
    ('{"pool": "x", "executionParameters": {"pool": "y"},\n "tasks": {"a": ' + ECHO + "}}",
     "conflicting_fields", "1:2", "/pool", "differ", ""),
    ('{"executionParameters": {"pol": "y"},\n "tasks": {"a": ' + ECHO + "}}", "unknown_field",
     "1:26", "/executionParameters/pol", "'pol'", "'pool'"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("text", "code", "place", "pointer", "said", "hint"),
    FAULTS,
    ids=[f"{fault[1]}-{number}" for number, fault in enumerate(FAULTS)],
)
def test_a_fault_is_told_with_its_place(text, code, place, pointer, said, hint):
    problems = problems_of(text)

    problem = next((each for each in problems if each.code == code), problems[0])
    assert (problem.code, str(problem.place)) == (code, f"d.json:{place}")
    assert problem.pointer == pointer
    assert said in problem.message
    assert hint in problem.hint


@pytest.mark.parametrize("fault", FAULTS, ids=[f"{f[1]}-{n}" for n, f in enumerate(FAULTS)])
def test_one_fault_is_one_error_save_where_it_leaves_the_job_without_a_command(fault):
    codes = {problem.code for problem in problems_of(fault[0])}

    assert codes - {"no_command", "no_tasks"} <= {fault[1]}


def test_all_errors_of_a_document_come_at_once_in_its_order():
    text = (
        '{"tasks": {\n'
        '  "a": {"job": {"command": ["{{X}}"]}, "parents": ["nobody"]},\n'
        '  "b": {"jobb": {}, "maxRetries": "x"},\n'
        '  "c": {"job": {"command": []}, "children": ["c"]},\n'
        '  "c": {"job": {"command": ["x"]}}}}'
    )

    told = [(problem.code, str(problem.place)) for problem in problems_of(text)]

    assert told == [
        ("unknown_placeholder", "d.json:2:29"),
        ("unknown_task", "d.json:2:52"),
        ("no_command", "d.json:3:3"),
        ("unknown_field", "d.json:3:9"),
        ("wrong_type", "d.json:3:35"),
        ("duplicate_key", "d.json:5:3"),
    ]


def test_a_cycle_is_told_as_one_path_in_the_order_of_running():
    text = json.dumps(
        {
            "tasks": {
                "before": {"job": {"command": ["x"]}, "children": ["a"]},
                "a": {"job": {"command": ["x"]}, "children": ["b"]},
                "b": {"job": {"command": ["x"]}, "children": ["c"]},
                "c": {"job": {"command": ["x"]}, "children": ["a"]},
            }
        }
    )

    (problem,) = problems_of(text)

    assert problem.code == "cycle"
    path = problem.message.partition(": ")[2].split(" -> ")
    assert path[0] == path[-1]
    assert sorted(path[:-1]) == ["a", "b", "c"]
    assert "".join(path[:-1]) in ("abc", "bca", "cab")


def test_a_very_long_cycle_is_shortened():
    tasks = {
        f"t{number}": {"job": {"command": ["x"]}, "parents": [f"t{(number + 1) % 5000}"]}
        for number in range(5000)
    }

    (problem,) = problems_of(json.dumps({"tasks": tasks}))

    assert "more ..." in problem.message
    assert len(problem.message) < 2000


@pytest.mark.parametrize("length", [256, 100_000])
def test_a_name_that_is_too_long_is_a_short_error(length):
    text = json.dumps({"tasks": {"n" * length: {"job": {"command": ["x"]}, "parents": ["n"]}}})

    name, unknown = problems_of(text)

    assert (name.code, unknown.code) == ("bad_name", "unknown_task")
    assert f"{length:,} characters" in name.message
    assert len(name.message) < 200


def test_an_instance_name_that_is_too_long_is_an_error():
    text = json.dumps(
        {
            "parameters": {"X": ["1", "2"]},
            "tasks": {"n" * 254: {"job": {"command": ["{{X}}"]}}},
        }
    )

    (problem,) = problems_of(text)

    assert problem.code == "bad_name"


def test_a_fault_that_all_instances_share_is_told_once():
    text = json.dumps(
        {
            "parameters": {"X": [str(number) for number in range(50)]},
            "tasks": {"a": {"job": {"commandString": "echo '{{X}}"}}},
        }
    )

    assert len(problems_of(text)) == 1


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"instance_naming": "reedme"}, "did you mean 'readme'?"),
        ({"strict_parameters": "perhaps"}, "neither true nor false"),
        ({"allow_empty": 7}, "neither true nor false"),
    ],
)
def test_an_option_that_means_nothing_is_refused(options, said):
    (problem,) = problems_of('{"tasks": {"a": ' + ECHO + "}}", options=options)

    assert problem.code == "bad_option"
    assert said in str(problem)


def test_many_faults_in_a_large_document_do_not_take_minutes(monkeypatch):
    compared = []
    original = __import__("segue.model.errors", fromlist=["did_you_mean"]).did_you_mean

    def counting(word, known):
        compared.append(len(known))
        return original(word, known)

    monkeypatch.setattr("segue.dialects.json_text.did_you_mean", counting)
    tasks = {
        f"t{number}": {"job": {"command": ["x"]}, "parents": [f"u{number}"]}
        for number in range(4000)
    }

    assert len(problems_of(json.dumps({"tasks": tasks}))) == 4000
    assert sum(compared) <= 100_000


REPLACEMENTS = [None, [], {}, "", 0, -1, 1.5, True, "x", ["x"], {"x": 1}, [[]], 10**400, [None]]


def places_in(value: object, pointer: tuple[str | int, ...] = ()) -> list[tuple[str | int, ...]]:
    inner: list[tuple[str | int, object]] = []
    if isinstance(value, dict):
        inner = list(value.items())
    elif isinstance(value, list):
        inner = list(enumerate(value))
    return [pointer] + [each for key, item in inner for each in places_in(item, (*pointer, key))]


def replaced(text: str, pointer: tuple[str | int, ...], value: object) -> object:
    document = json.loads(text)
    if not pointer:
        return value
    holder = document
    for part in pointer[:-1]:
        holder = holder[part]
    holder[pointer[-1]] = value
    return document


@pytest.mark.parametrize("pointer", places_in(json.loads(BEAMTIME)), ids=str)
def test_any_value_of_a_wrong_type_gives_problems_and_no_traceback(pointer):
    for value in REPLACEMENTS:
        text = json.dumps(replaced(BEAMTIME, pointer, value), indent=1)

        outcome = outcome_of(Source("d.json", text))

        if isinstance(outcome, Workflow):
            assert check_graph(outcome) == []
        else:
            assert all(problem.place for problem in outcome)
            assert Severity.ERROR in {problem.severity for problem in outcome}


words = st.sampled_from(
    ["tasks", "job", "command", "commandString", "environment", "parents", "children", "a", "b",
     "parameters", "jobDefaults", "taskDefaults", "details", "name", "tags", "tag", "retry", "X",
     "{{X}}", "x {{X}} 'y", "isGenerator", "resources", "cores", "maxRetries", "pool"]
)  # fmt: skip
documents = st.recursive(
    st.none() | st.booleans() | st.integers(-2, 10**20) | st.floats() | words | st.text(max_size=4),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(words, inner, max_size=5),
    max_leaves=25,
)


@given(documents, st.dictionaries(words, documents, max_size=3), st.booleans())
def test_random_documents_give_a_sound_workflow_or_problems(rest, tasks, strict):
    document = {"tasks": tasks, "parameters": {"X": ["1", "2"]}}
    if isinstance(rest, dict):
        document |= {key: value for key, value in rest.items() if key != "tasks"}

    outcome = outcome_of(
        Source("d.json", json.dumps(document), options={"strict_parameters": strict})
    )

    if isinstance(outcome, Workflow):
        assert check_graph(outcome) == []
        assert outcome.tasks
    else:
        assert Severity.ERROR in {problem.severity for problem in outcome}
