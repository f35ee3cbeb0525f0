import json
from collections.abc import Mapping
from pathlib import Path

import pytest

from segue.dialects.lute import Lute
from segue.model.definition import task_from_json, task_to_json
from segue.model.errors import WorkflowError
from segue.model.graph import check_graph
from segue.model.location import Place
from segue.model.workflow import ManagedTask, TriggerRule, Verdict, Workflow
from segue.protocols.dialect import Source

DATA = Path(__file__).parent / "data"
CORPUS = Path(__file__).parents[2] / ".." / "shared" / "corpus" / "lute"
needs_corpus = pytest.mark.skipif(not CORPUS.exists(), reason="the corpus is not here")
DAQ2 = {"daq2": "true", "run_type": "DATA"}
DAQ1 = {"daq2": "false", "run_type": "DATA"}


def read(text: str, facts: Mapping[str, str] = DAQ2, **options: object) -> Workflow:
    return Lute().read(Source("flow.dag", text, facts=facts, options=options))


def outline(workflow: Workflow) -> list[str]:
    """Return each task with what it waits for: ``child < parent``."""
    return [" < ".join((task.name, *task.needs)) for task in workflow.tasks]


def slurm_params(workflow: Workflow) -> list[str]:
    return [task.options.get("slurm_params", "") for task in workflow.tasks]


def codes(workflow: Workflow) -> list[str]:
    return [problem.code for problem in workflow.warnings]


def commands(workflow: Workflow) -> list[tuple[str, ...]]:
    return [task.action.command for task in workflow.tasks if isinstance(task.action, ManagedTask)]


@pytest.fixture(scope="module")
def shift() -> Workflow:
    return read((DATA / "lute_shift.dag").read_text())


def test_the_run_type_and_the_daq_choose_the_tasks(shift):
    assert outline(shift) == [
        "Producer2",
        "Fitter_0 < Producer2",
        "Reporter < Fitter_0",
        "Fitter_1 < Producer2",
        "Reporter-2 < Fitter_1",
        "Fitter_2 < Producer2",
        "Reporter-3 < Fitter_2",
        "Fitter_3 < Producer2",
        "Reporter-4 < Fitter_3",
        "Cleaner < Producer2",
        "Logger",
    ]
    assert check_graph(shift) == []
    assert shift.verdict is Verdict.DEFAULT


@pytest.mark.parametrize(
    ("facts", "first"),
    [
        (DAQ1, "Producer"),
        ({"daq2": "FALSE", "run_type": "CALIB"}, "Producer"),
        ({"run_type": "DARK"}, "PedestalMaker"),
    ],
)
def test_other_facts_choose_other_tasks(facts, first):
    workflow = read((DATA / "lute_shift.dag").read_text(), facts)

    assert workflow.tasks[0].name == first


def test_rules_are_kept(shift):
    rules = {task.template or task.name: task.trigger for task in shift.tasks}

    assert rules["Reporter"] is TriggerRule.ALWAYS
    assert rules["Cleaner"] is TriggerRule.ANY_FAILED
    assert rules["Fitter"] is TriggerRule.ALL_SUCCESS


def test_the_last_parameter_of_a_sweep_varies_fastest(shift):
    fitters = [task for task in shift.tasks if task.template == "Fitter"]

    assert [task.parameters for task in fitters] == [
        {"cores": 1, "mode": "fast"},
        {"cores": 1, "mode": "exact"},
        {"cores": 2, "mode": "fast"},
        {"cores": 2, "mode": "exact"},
    ]
    assert fitters[3].options == {"slurm_params": "--ntasks=02 --comment=exact"}


def test_each_task_knows_its_place_and_its_name_in_lute(shift):
    reporter = next(task for task in shift.tasks if task.name == "Reporter-3")

    assert reporter.place == Place("flow.dag", 19, 11)
    assert reporter.template == "Reporter"
    assert isinstance(reporter.action, ManagedTask)
    assert reporter.action.name == "Reporter"


def test_every_task_survives_the_store(shift):
    for task in shift.tasks:
        assert task_from_json(json.loads(json.dumps(task_to_json(task)))) == task


def test_the_form_of_airflow_has_no_tag():
    workflow = read("task_name: A\nnext:\n- task_name: B\n  next: []\n")

    assert outline(workflow) == ["A", "B < A"]
    assert workflow.name == "flow"
    assert codes(workflow) == []


def test_slurm_params_of_a_step_replace_the_arguments_of_the_launcher():
    text = (
        '!LUTE_DAG\n- {task_name: A, slurm_params: "--x=1", next: []}\n- {task_name: B, next: []}\n'
    )

    assert slurm_params(read(text, slurm_args=("--a=1", "--b"))) == ["--x=1", "--a=1 --b"]
    assert slurm_params(read(text, slurm_args="--c")) == ["--x=1", "--c"]
    assert slurm_params(read(text)) == ["--x=1", ""]


def test_braces_in_slurm_params_mean_something_only_in_a_sweep():
    text = '!LUTE_DAG {task_name: A, slurm_params: "--x={y}", next: []}'

    assert slurm_params(read(text)) == ["--x={y}"]


def test_a_template_that_cannot_be_filled_is_used_raw_with_a_warning():
    workflow = read(
        "!LUTE_DAG\n- !param_sweep\n  task_name: A\n  param_matrix: {n: [1, 2]}\n"
        '  slurm_params: "--x={m}"\n  next: []\n'
    )

    assert slurm_params(workflow) == ["--x={m}"] * 2
    assert codes(workflow) == ["raw_template"]


@pytest.mark.parametrize(
    "template", ["{n.__class__}", "{n!r}", "{n:999999999}", "{", "{n[0]}", "{}", "{n:z}"]
)
def test_a_template_reaches_neither_into_objects_nor_for_all_memory(template):
    workflow = read(
        "!LUTE_DAG\n- !param_sweep\n  task_name: A\n  param_matrix: {n: [1]}\n"
        f'  slurm_params: "{template}"\n  next: []\n'
    )

    assert slurm_params(workflow) == [template]


def test_a_template_that_becomes_too_long_is_used_raw():
    workflow = read(
        f"!LUTE_DAG\n- !param_sweep\n  task_name: A\n  param_matrix: {{n: [{'x' * 10_000}]}}\n"
        '  slurm_params: "{n}{n}{n}"\n  next: []\n'
    )

    assert slurm_params(workflow) == ["{n}{n}{n}"]
    assert codes(workflow) == ["raw_template"]


def test_a_template_reaches_into_lists_and_maps():
    workflow = read(
        "!LUTE_DAG\n- !param_sweep\n  task_name: A\n"
        "  param_matrix: {c: [{d: 0.5}], l: [[x, y]]}\n"
        '  slurm_params: "{c[d]:.2f} {l[1]} {{}}"\n  next: []\n'
    )

    assert slurm_params(workflow) == ["0.50 y {}"]


def test_a_zipped_sweep_takes_the_lists_side_by_side():
    workflow = read(
        "!LUTE_DAG\n- !param_sweep\n  task_name: A\n  zip: true\n"
        "  param_matrix: {a: [1, 2], b: [x, y]}\n  next: []\n"
    )

    assert [task.parameters for task in workflow.tasks] == [
        {"a": 1, "b": "x"},
        {"a": 2, "b": "y"},
    ]


def test_a_sweep_over_nothing_is_one_task():
    text = "!LUTE_DAG\n- !param_sweep {task_name: A, param_matrix: {}, zip: true, next: []}"

    assert outline(read(text)) == ["A_0"]


def test_values_of_a_sweep_are_what_json_can_hold():
    workflow = read(
        "!LUTE_DAG\n- !param_sweep\n  task_name: A\n"
        "  param_matrix: {a: [2026-01-02, .inf, {1: x}, ~, 0x10, 'no']}\n  next: []\n"
    )

    values = [task.parameters["a"] for task in workflow.tasks]
    assert values == ["2026-01-02", "inf", {"1": "x"}, None, 16, "no"]
    json.dumps(values, allow_nan=False)


def test_a_sweep_may_stand_where_lute_itself_would_fail():
    sweep = "!param_sweep {task_name: B, param_matrix: {x: [1]}, next: []}"
    text = f"!LUTE_DAG\ntask_name: A\nnext: {sweep}\n"

    assert outline(read(text)) == ["A", "B_0 < A"]


def test_names_that_repeat_are_numbered_and_collide_with_none():
    names = ["A", "A", "A-2", "A_0", "A"]
    text = "!LUTE_DAG\n" + "".join(f"- {{task_name: {name}, next: []}}\n" for name in names)

    workflow = read(text)

    assert [task.name for task in workflow.tasks] == ["A", "A-3", "A-2", "A_0", "A-4"]
    assert [task.template for task in workflow.tasks] == ["", "A", "", "", "A"]


def test_lists_in_lists_count_as_if_written_out():
    text = (
        "!LUTE_DAG\n- [[{task_name: A, next: []}], []]\n"
        "- {task_name: B, next: [[{task_name: C, next: []}]]}\n"
    )

    assert outline(read(text)) == ["A", "B", "C < B"]


def test_run_types_add_up_in_the_order_of_the_file():
    text = (
        "!LUTE_DAG\n- !run_type\n  NOT_DARK: {task_name: A, next: []}\n"
        "  DATA: [{task_name: B, next: []}]\n  data: {task_name: C, next: []}\n"
        "  NOT_DATA: {task_name: D, next: []}\n"
    )

    assert outline(read(text)) == ["A", "B"]


def test_the_rule_of_a_first_task_is_kept_and_told_to_be_ignored():
    workflow = read("!LUTE_DAG\n- !ALL_FAILED {task_name: A, next: []}")

    assert workflow.tasks[0].trigger is TriggerRule.ALL_FAILED
    assert codes(workflow) == ["rule_ignored"]


def test_a_rule_inside_a_branch_counts_with_a_warning():
    text = (
        "!LUTE_DAG\ntask_name: A\nnext:\n- !branch_daq2\n"
        "  daq2: !{rule} {{task_name: B, next: []}}\n  daq1: {{task_name: C, next: []}}\n"
    )

    workflow = read(text.format(rule="ALL_FAILED"))

    assert workflow.tasks[1].trigger is TriggerRule.ALL_FAILED
    assert [(each.code, str(each.place)) for each in workflow.warnings] == [
        ("rule_in_branch", "flow.dag:5:9")
    ]
    assert codes(read(text.format(rule="ANY_SUCCESS"))) == []
    assert codes(read(text.format(rule="ALL_FAILED"), DAQ1)) == []


@pytest.mark.parametrize(
    ("text", "facts", "code", "place"),
    [
        ("!LUTE_DAG\n- task_name: A", DAQ2, "no_next", "2:3"),
        ("!LUTE_DAG\n- task_name: A\n  next:", DAQ2, "no_next", "3:8"),
        ("!LUTE_DAG\n- {task_name: A, next: [], note: x}", DAQ2, "unknown_key", "2:28"),
        ("- {task_name: A, next: []}", DAQ2, "no_root_tag", "1:1"),
        ("!LUTE_DAG\n- {task_name: B, task_name: A, next: []}", DAQ2, "duplicate_key", "2:18"),
        ("!LUTE_DAG\n- {task_name: A, next: []}\n- !branch_daq2 {daq2: {task_name: A, next: []}}",
         DAQ1, "no_branch", "3:3"),
        ("!LUTE_DAG\n- {task_name: A, next: []}\n- !run_type {DARK: []}", DAQ2, "no_branch", "3:3"),
        ("!LUTE_DAG []", DAQ2, "no_tasks", "1:1"),
    ],
)  # fmt: skip
def test_what_was_hardly_meant_is_a_warning_with_its_place(text, facts, code, place):
    (problem,) = read(text, facts).warnings

    assert (problem.code, str(problem.place)) == (code, f"flow.dag:{place}")


def test_what_an_alias_repeats_is_told_once():
    text = "!LUTE_DAG\n- &a {task_name: A}\n- *a\n- *a\n"

    workflow = read(text)

    assert outline(workflow) == ["A", "A-2", "A-3"]
    assert codes(workflow) == ["no_next"]


def test_the_command_is_split_before_it_is_filled():
    workflow = read(
        "!LUTE_DAG\n- {task_name: A, next: []}\n"
        "- !param_sweep {task_name: B, param_matrix: {n: [x y]}, next: []}\n",
        lute_command="prog -t {task_name} '{config}' {rule} --i={index} {{}}",
        config="my config.yaml",
    )

    assert commands(workflow) == [
        ("prog", "-t", "A", "my config.yaml", "ALL_SUCCESS", "--i=", "{}"),
        ("prog", "-t", "B_0", "my config.yaml", "ALL_SUCCESS", "--i=0", "{}"),
    ]
    assert {task.action.config for task in workflow.tasks} == {"my config.yaml"}  # type: ignore[union-attr]


def test_the_command_may_hold_the_values_of_a_sweep():
    text = "!LUTE_DAG\n- !param_sweep {task_name: B, param_matrix: {n: [x y]}, next: []}"

    assert commands(read(text, lute_command="p {n}")) == [("p", "x y")]


def test_without_a_command_there_is_a_graph_all_the_same():
    assert commands(read("!LUTE_DAG {task_name: A, next: []}")) == [()]


def test_a_generator_is_no_part_of_this_dialect():
    with pytest.raises(WorkflowError, match="no tasks that add tasks"):
        Lute().grow("{}", "a", {}, {})


@pytest.mark.parametrize(
    ("text", "sure"),
    [
        ("!LUTE_DAG\n- x", 1.0),
        ("%YAML 1.3\n---\n!LUTE_DAG\n", 1.0),
        ("# a comment\n--- !LUTE_DAG\n", 1.0),
        ("task_name: A\nnext: []\n", 0.8),
        ('{"task_name": "A", "next": []}', 0.8),
        ("!LUTE_DGA\n- task_name: A\n  next: []\n", 0.8),
        ("description:\n  name: x\nstudy:\n- name: a\n", 0.0),
        ('{"tasks": {"a": {}}}', 0.0),
        ("", 0.0),
    ],
)
def test_a_text_is_recognised_by_its_content(text, sure):
    assert Lute().recognise("anything", text) == sure


def tree(workflow: Workflow) -> list[dict[str, object]]:
    """Return the tasks as the trees that the corpus expects."""
    nodes: dict[str, dict[str, object]] = {}
    roots: list[dict[str, object]] = []
    for task in workflow.tasks:
        assert isinstance(task.action, ManagedTask)
        node: dict[str, object] = {
            "task": task.action.name,
            "rule": task.trigger.name,
            "slurm": task.options["slurm_params"],
            "next": [],
        }
        if task.parameters:
            node["params"] = dict(task.parameters)
        nodes[task.name] = node
        siblings = nodes[task.needs[0]]["next"] if task.needs else roots
        assert isinstance(siblings, list)
        siblings.append(node)
    return roots


def expected_cases() -> list[tuple[str, str, dict[str, object]]]:
    if not CORPUS.exists():
        return []
    expected = json.loads((CORPUS / "expected_parse.json").read_text())
    return [
        (name, case, result)
        for name, cases in expected.items()
        if (CORPUS / name).exists()
        for case, result in cases.items()
        if case not in ("tagged", "error")
    ]


@needs_corpus
@pytest.mark.parametrize(("name", "case", "expected"), expected_cases())
def test_a_file_of_the_corpus_becomes_the_expected_tree(name, case, expected):
    facts = dict(pair.split("=") for pair in case.split(","))
    text = (CORPUS / name).read_text()

    workflow = read(text, facts, slurm_args=("--partition=P", "--account=A"))

    assert tree(workflow) == expected["roots"]
    assert len(workflow.tasks) == expected["steps"]
    assert check_graph(workflow) == []
    assert Lute().recognise(name, text) >= 0.8


@needs_corpus
def test_every_workflow_of_the_corpus_has_an_expected_tree():
    files = {
        str(path.relative_to(CORPUS))
        for pattern in ("**/*.dag", "**/dag.yaml", "docs/*.yaml")
        for path in CORPUS.glob(pattern)
    }

    assert files - {"invalid/docs_chain_broken.yaml"} == {name for name, _, _ in expected_cases()}


@needs_corpus
@pytest.mark.parametrize("path", sorted(CORPUS.glob("invalid/*")), ids=lambda path: path.name)
def test_an_invalid_file_of_the_corpus_is_refused_with_a_place(path):
    with pytest.raises(WorkflowError) as caught:
        read(path.read_text())

    assert all(problem.place for problem in caught.value.problems)
