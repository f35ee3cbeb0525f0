import json
from pathlib import Path

import pytest

from segue.dialects.daggy import Daggy
from segue.model.definition import task_from_json, task_to_json
from segue.model.errors import Severity, WorkflowError
from segue.model.graph import check_graph
from segue.model.location import Place
from segue.model.workflow import Argv, Generator, Resources, Retry, Task, Workflow
from segue.protocols.dialect import Source

DATA = Path(__file__).parent / "data"
CORPUS = Path(__file__).parents[2] / ".." / "shared" / "corpus" / "daggy"
needs_corpus = pytest.mark.skipif(not CORPUS.exists(), reason="the corpus is not here")


def read(document: object, **given: object) -> Workflow:
    text = document if isinstance(document, str) else json.dumps(document)
    return Daggy().read(Source("d.json", text, **given))  # type: ignore[arg-type]


def read_file(path: Path, **given: object) -> Workflow:
    return Daggy().read(Source(path.name, path.read_text(), **given))  # type: ignore[arg-type]


def with_job(**job: object) -> dict[str, object]:
    return {"tasks": {"a": {"job": {"command": ["x"], **job}}}}


def task_of(document: object, name: str = "a", **given: object) -> Task:
    return by_name(read(document, **given))[name]


def by_name(workflow: Workflow) -> dict[str, Task]:
    return {task.name: task for task in workflow.tasks}


def codes(workflow: Workflow) -> list[str]:
    return [problem.code for problem in workflow.warnings]


@pytest.fixture(scope="module")
def beamtime() -> Workflow:
    return read_file(DATA / "daggy_beamtime.json")


def test_a_document_tells_its_name_pool_and_tags(beamtime):
    assert beamtime.name == "beamtime"
    assert beamtime.dialect == "daggy"
    assert beamtime.pool == "night"
    assert beamtime.tags == {"name": "beamtime"}
    assert beamtime.context["pool_parameters"] == {"queue": "long"}


def test_the_instances_of_a_template_are_numbered_from_one(beamtime):
    assert list(by_name(beamtime)) == [
        "stage",
        "reduce_1",
        "reduce_2",
        "reduce_3",
        "merge_1",
        "merge_2",
        "merge_3",
        "report",
    ]
    assert by_name(beamtime)["reduce_2"].template == "reduce"
    assert by_name(beamtime)["reduce_2"].parameters == {"ROOT": "/data/beamtime", "SHOT": "002"}


def test_a_barrier_stands_where_many_wait_for_many(beamtime):
    tasks = by_name(beamtime)

    assert tasks["reduce_1"].needs == ("stage",)
    assert tasks["merge_3"].needs == ("barrier:reduce",)
    assert tasks["report"].needs == ("merge_1", "merge_2", "merge_3", "stage")
    (barrier,) = beamtime.barriers
    assert barrier.needs == ("reduce_1", "reduce_2", "reduce_3")
    assert check_graph(beamtime) == []


def test_a_command_string_is_filled_then_split_by_the_rules_of_a_shell(beamtime):
    assert by_name(beamtime)["reduce_1"].action == Argv(
        ("/usr/bin/env", "python3", "reduce.py", "--title", "shot 001", "/data/beamtime")
    )


def test_job_defaults_lie_under_each_job_and_null_deletes_them(beamtime):
    tasks = by_name(beamtime)

    assert tasks["stage"].environment == {"LANG": "C", "DEBUG": "1"}
    assert tasks["stage"].workdir == "/data/work"
    assert tasks["stage"].resources == Resources(processes=1, cores_per_process=2, memory_mb=500)
    # Null in an environment also takes the variable away from the engine's own.
    assert tasks["reduce_1"].environment == {"LANG": "C", "DEBUG": None, "SHOT": "001"}
    assert tasks["reduce_1"].resources == Resources(gpus=1, walltime_s=91, other={"licences": 2})
    assert tasks["reduce_1"].timeout_s == 90.5


def test_task_defaults_lie_under_each_task_and_null_deletes_them(beamtime):
    tasks = by_name(beamtime)

    assert tasks["stage"].retry == Retry(limit=1, delay_s=5.0)
    assert tasks["reduce_1"].retry == Retry(limit=3, delay_s=5.0)
    assert tasks["report"].retry == Retry(limit=1, delay_s=0.0)


def test_priority_and_pool_are_those_of_the_job(beamtime):
    assert by_name(beamtime)["merge_1"].priority == -5
    assert by_name(beamtime)["merge_1"].pool == "fast"


def test_each_task_knows_its_place(beamtime):
    assert by_name(beamtime)["reduce_2"].place == Place("daggy_beamtime.json", 19, 5)


def test_every_task_survives_the_store(beamtime):
    for task in beamtime.tasks:
        assert task_from_json(json.loads(json.dumps(task_to_json(task)))) == task
    json.dumps(beamtime.context)


def test_a_large_text_is_read_without_places(monkeypatch):
    monkeypatch.setattr("segue.dialects.daggy._PLACES_UP_TO", 10)

    assert task_of(with_job()).place is None


@pytest.mark.parametrize(
    ("job", "resources"),
    [
        ({"cores": "4"}, Resources(processes=1, cores_per_process=4)),
        ({"minCPUs": 2, "cores": 3}, Resources(processes=1, cores_per_process=3)),
        ({"memoryMB": 10, "minMemoryMB": "20"}, Resources(memory_mb=20)),
        ({"minTmpDiskMB": 5.0}, Resources(disk_mb=5)),
        ({"timeLimitSeconds": "60"}, Resources(walltime_s=60)),
        ({"timeLimitSeconds": 0}, Resources()),
        ({"cores": 0}, Resources()),
        ({"resources": {"cores": 1, "memory_mb": 7, "fpga": 2}},
         Resources(processes=1, cores_per_process=1, memory_mb=7, other={"fpga": 2})),
    ],
)  # fmt: skip
def test_the_resource_fields_of_all_executors_become_one_request(job, resources):
    assert task_of(with_job(**job)).resources == resources


@pytest.mark.parametrize(
    ("job", "timeout_s"),
    [
        ({"timeout": 5}, 5),
        ({"timeout": "2.5"}, 2.5),
        ({"timeout": 0}, None),
        ({"timeLimitSeconds": 60}, 60),
        ({"timeout": 5, "timeLimitSeconds": 60}, 5),
    ],
)
def test_a_time_limit_is_enforced_and_zero_means_none(job, timeout_s):
    assert task_of(with_job(**job)).timeout_s == timeout_s


def test_fields_of_one_batch_system_are_handed_on_as_options():
    task = task_of(with_job(userID=1002, tmpDir="/scratch", logdir="/logs", user="eva"))

    assert task.options == {
        "userID": "1002",
        "tmpDir": "/scratch",
        "logdir": "/logs",
        "user": "eva",
    }


def test_a_token_is_not_kept():
    workflow = read(with_job(jwt_token="geheim"))

    assert codes(workflow) == ["secret_ignored"]
    assert "geheim" not in repr(workflow)


def test_an_environment_may_be_an_array_and_a_value_may_hold_an_equals_sign():
    workflow = read(with_job(environment=["A=1", "B=x=y", "C="]))

    assert workflow.tasks[0].environment == {"A": "1", "B": "x=y", "C": ""}
    assert codes(workflow) == ["old_form"]


def test_the_environment_can_be_cleared():
    assert task_of(with_job(clearEnvironment=True)).clear_environment


def test_a_task_that_gives_a_command_string_does_not_keep_the_command_of_the_defaults():
    document = {
        "jobDefaults": {"command": ["/bin/false"]},
        "tasks": {"a": {"job": {"commandString": "/bin/echo a  b"}}, "b": {"job": {}}},
    }

    tasks = by_name(read(document))

    assert tasks["a"].action == Argv(("/bin/echo", "a", "b"))
    assert tasks["b"].action == Argv(("/bin/false",))


def test_equal_commands_are_held_once():
    document = {"tasks": {name: {"job": {"command": ["/bin/true"]}} for name in "ab"}}

    first, second = read(document).tasks

    assert first.action is second.action


def test_a_generator_is_read_by_this_dialect_later():
    document = with_job()
    document["tasks"]["a"] |= {"isGenerator": True, "childrenInherit": True}  # type: ignore[index]

    assert task_of(document).generator == Generator("daggy", inherit_dependents=True)


@pytest.mark.parametrize(
    ("document", "name"),
    [
        ({"tag": "night"}, "night"),
        ({"tags": {"name": "day"}}, "day"),
        ({"tag": "", "tags": {"user": "eva"}}, "d"),
        ({}, "d"),
    ],
)
def test_a_run_is_called_by_its_tag_else_by_its_file(document, name):
    assert read(document | with_job()).name == name


@pytest.mark.parametrize(
    ("document", "warning"),
    [
        ({"taskParameters": {"X": "1"}, **with_job(workDir="{{X}}")}, "'taskParameters'"),
        ({"job": {"X": "1"}, **with_job(workDir="{{X}}")}, "'job'"),
        ({"tasks": {"a": {"details": {"command": ["x"]}}}}, "'details'"),
        ({"tasks": {"a": {"job": {"command": ["x"]}, "retry": 5}}}, "'retry'"),
        ({"tasks": {"a": {"job": {"command": ["x"]}, "max_retries": 5}}}, "'max_retries'"),
        ({"tasks": {"a": {"job": {"command": ["x"]}, "is_generator": True}}}, "'is_generator'"),
        ({"tasks": {"a": {"command": ["x"]}}}, "'command' beside the job"),
        ({"tasks": {"a": {"commandString": "x y"}}}, "'commandString' beside the job"),
        ({"tasks": [{"name": "a", "job": {"command": ["x"]}}]}, "array of tasks"),
        (with_job(memory_mb=1), "'memory_mb'"),
        (with_job(min_cpus=1), "'min_cpus'"),
        (with_job(min_memory_mb=1), "'min_memory_mb'"),
        (with_job(min_tmp_disk_mb=1), "'min_tmp_disk_mb'"),
        (with_job(time_limit_seconds=1), "'time_limit_seconds'"),
        ({"tags": ["x"], **with_job()}, "'tags'"),
    ],
)
def test_an_older_spelling_is_read_with_a_warning_that_has_a_place(document, warning):
    (problem,) = read(document).warnings

    assert problem.severity is Severity.WARNING
    assert warning in problem.message
    assert problem.place is not None
    assert problem.hint


def test_an_older_spelling_means_the_same_as_the_new_one():
    new = {"tasks": {"a": {"job": {"command": ["x"], "memoryMB": 1}, "maxRetries": 2}}}
    old = {"tasks": [{"class": "a", "command": ["x"], "job": {"memory_mb": "1"}, "max_retries": 2}]}

    assert task_of(old).action == task_of(new).action
    assert task_of(old).resources == task_of(new).resources
    assert task_of(old).retry == task_of(new).retry


def test_an_inner_name_equal_to_the_key_is_no_matter():
    assert codes(read({"tasks": {"a": {"name": "a", "job": {"command": ["x"]}}}})) == []


def test_null_counts_as_not_given():
    document = {
        "parameters": None,
        "jobDefaults": None,
        "taskDefaults": None,
        "tag": None,
        "executionParameters": None,
        "tasks": {"a": {"job": {"command": ["x"], "cores": None}, "parents": None, "retry": None}},
    }

    assert task_of(document).needs == ()


def test_several_tasks_without_an_edge_are_worth_a_warning():
    document = {"tasks": {name: {"job": {"command": [name]}} for name in "abc"}}

    (problem,) = read(document).warnings

    assert problem.code == "no_edges"
    assert "3 tasks, 0 edges" in problem.message


def test_a_parameter_that_nothing_uses_is_worth_a_warning_at_its_place():
    text = (
        '{"parameters": {"X": "1",\n "Y": "2"},\n "tasks": {"a": {"job": {"command": ["{{X}}"]}}}}'
    )

    (problem,) = read(text).warnings

    assert (problem.code, str(problem.place)) == ("unused_parameter", "d.json:2:2")


def test_a_generator_may_use_any_parameter_later():
    document = {
        "parameters": {"X": "1"},
        "tasks": {"a": {"job": {"command": ["x"]}, "isGenerator": True}},
    }

    assert codes(read(document)) == []


@pytest.mark.parametrize(
    ("text", "sure"),
    [
        ('{"tasks": {', 0.9),
        ('\ufeff \n{"tag": "x", "tasks" : {"a": broken', 0.9),
        ('{"tasks": [{"name": "a", "job": {}}]}', 0.5),
        ('{"tasks": [{"task_image": "x"}]}', 0.1),
        ('{"server": {"port": 2503}}', 0.0),
        ("description:\n  name: x\n", 0.0),
        ("", 0.0),
    ],
)
def test_a_text_is_recognised_by_its_content(text, sure):
    assert Daggy().recognise("anything.txt", text) == sure


@needs_corpus
@pytest.mark.parametrize(
    ("name", "tasks", "edges", "warnings"),
    [
        ("seed/01_two_tasks.json", 2, 1, []),
        ("seed/02_scalar_parameters.json", 1, 0, []),
        ("seed/03_array_parameter.json", 5, 6, []),
        ("seed/04_array_parameter_legacy_job_block.json", 5, 6, ["old_spelling"]),
        ("seed/05_generator.json", 2, 1, []),
        ("seed/06_slurm_defaults.json", 1, 0, ["old_form"]),
        ("seed/07_runner.json", 1, 0, ["old_form"]),
        ("daggyr/basic_job.json", 2, 0, ["old_spelling"]),
        ("daggyr/ssh_job.json", 2, 0, ["old_form", "old_form", "old_spelling", "old_spelling"]),
        ("daggyr/agent_job.json", 1, 0, ["unused_parameter", "old_spelling", "old_spelling"]),
    ],
)
def test_a_document_of_the_corpus_is_read(name, tasks, edges, warnings):
    workflow = read_file(CORPUS / name)

    assert len(workflow.tasks) == tasks
    assert sum(len(task.needs) for task in workflow.tasks) == edges
    assert codes(workflow) == warnings
    assert check_graph(workflow) == []
    assert Daggy().recognise(name, (CORPUS / name).read_text()) >= 0.5


@needs_corpus
def test_two_spellings_of_one_document_of_the_corpus_are_one_graph():
    new = read_file(CORPUS / "seed/03_array_parameter.json")
    old = read_file(CORPUS / "seed/04_array_parameter_legacy_job_block.json")

    assert {task.name: set(task.needs) for task in new.tasks} == {
        task.name: set(task.needs) for task in old.tasks
    }


@needs_corpus
def test_the_slurm_sample_of_the_corpus_asks_for_what_it_says():
    (task,) = read_file(CORPUS / "seed/06_slurm_defaults.json").tasks

    assert task.action == Argv(("/bin/echo", "two words", "one"))
    assert task.resources == Resources(
        processes=1, cores_per_process=1, memory_mb=100, disk_mb=1, walltime_s=100
    )
    assert (task.priority, task.workdir) == (100, "/tmp/")
    assert task.options == {"userID": "1002", "tmpDir": "/tmp/"}


@needs_corpus
@pytest.mark.parametrize(
    ("name", "code", "place"),
    [
        ("ambiguous_parameters", "ambiguous_parameters", "1:28"),
        ("conflicting_retry", "conflicting_fields", "1:65"),
        ("cycle", "cycle", "1:12"),
        ("duplicate_key", "duplicate_key", "1:54"),
        ("unknown_child", "unknown_task", "1:66"),
        ("unknown_placeholder", "unknown_placeholder", "1:51"),
    ],
)
def test_a_faulty_document_of_the_corpus_is_refused_at_its_fault(name, code, place):
    with pytest.raises(WorkflowError) as caught:
        read_file(CORPUS / "errors" / f"{name}.json")

    errors = [each for each in caught.value.problems if each.severity is Severity.ERROR]
    assert [(each.code, str(each.place)) for each in errors] == [(code, f"{name}.json:{place}")]


@needs_corpus
@pytest.mark.parametrize("name", ["agent_agent", "agent_server", "basic_server", "ssh_server"])
def test_a_server_configuration_of_the_corpus_is_no_workflow(name):
    path = CORPUS / "daggyr" / f"{name}.json"

    assert Daggy().recognise(path.name, path.read_text()) == 0.0
    with pytest.raises(WorkflowError, match="the document has no 'tasks'"):
        read_file(path)
