"""What `launch_slurm` makes of a workflow: commands, environments, logs, copies of the config."""

import pytest

from segue.dialects.lute import Lute
from segue.lute.launch import Launch, prepared
from segue.lute.sweep_config import Instance
from segue.lute.sweeps import check_names, sweeps_of
from segue.model.errors import WorkflowError
from segue.protocols.dialect import Source

LAUNCH = Launch("/c.yaml", "mfx1", "12", "2026-01-02_03-04-05", variables={"RUN_NUM": "12"})
NAMES = {"Tester": "Test", "Fitter": "Fit"}


def read(text, **options):
    return Lute().read(Source("f.dag", f"!LUTE_DAG\n{text}", options=options))


def step(text="", launch=LAUNCH, **options):
    (task,) = prepared(read(f"task_name: Tester\n{text}next: []\n", **options), launch, {}).tasks
    return task


def with_(**changes):
    return Launch("/c.yaml", "mfx1", "12", "s", **changes)


def test_a_step_runs_our_executor_behind_the_set_up_of_psana():
    task = step(launch=with_(environment={"SEGUE_PSANA1": "/set up"}, debug=True))

    shell, flag, text = task.action.command
    assert (shell, flag) == ("/bin/bash", "-c")
    assert text.splitlines()[:2] == [
        "export LUTE_USE_TCP=1",
        "[ -r '/set up' ] && source '/set up'",
    ]
    assert text.endswith("-m segue.lute.run_task -c /c.yaml -t Tester --debug")


@pytest.mark.parametrize(
    ("psana", "params", "chosen"),
    [
        (1, "", "/one"),
        (2, "", "/two"),
        (2, "--psana1", "/one"),
        (1, "--psana2", "/two"),
        (1, "--psana2 --psana1", "/one"),
    ],
)
def test_a_step_may_say_itself_which_psana_it_takes(psana, params, chosen):
    environment = {"SEGUE_PSANA1": "/one", "SEGUE_PSANA2": "/two"}
    text = f"slurm_params: '--ntasks=2 {params}'\n"

    task = step(text, with_(psana=psana, environment=environment))

    assert f"source {chosen}\n" in task.action.command[2]
    assert task.options["slurm_params"].split() == ["--ntasks=2"]


def test_both_streams_go_into_one_log_named_as_lutes():
    output = step().output

    assert output.joined
    assert output.stdout == "Tester_mfx1_r0012_2026-01-02_03-04-05_{job_id}.out"


def test_the_sites_command_gets_slurms_arguments_as_they_are_written():
    launch = with_(site_submit=("submit", "-x"), psana=2, debug=True)

    task = step("slurm_params: --psana1 --ntasks=2\n", launch)

    words = "submit -x --taskname Tester --config /c.yaml --debug --psana2"
    assert task.options["site_submit"] == words.split()
    assert task.options["slurm_params"] == "--psana1 --ntasks=2"
    assert task.output is None


def test_quotes_that_are_not_closed_are_told_with_their_place():
    with pytest.raises(WorkflowError, match=r"f.dag:1:1: 'slurm_params' cannot be split"):
        step('slurm_params: "--comment=\'x"\n')


def test_arguments_are_merged_only_on_request():
    text = "slurm_params: --ntasks=2\n"

    replaced = step(text, slurm_args="--time=5").options
    merged = step(text, slurm_args="--time=5 --psana2", slurm_merge=True).options

    assert replaced == {"slurm_params": "--ntasks=2"}
    assert merged == {"slurm_params": "--ntasks=2", "slurm_defaults": "--time=5"}


# Sweeps ----------------------------------------------------------------------------------


def sweep(values, task="Fitter", below="[]"):
    return (
        f"- !param_sweep\n  task_name: {task}\n  param_matrix: {{x: {values}}}\n  next: {below}\n"
    )


def test_each_instance_has_a_section_under_the_name_of_its_task():
    found = sweeps_of(read(sweep([5, 6])), NAMES)

    assert found.copies == ((Instance("Fit", 0, {"x": 5}), Instance("Fit", 1, {"x": 6})),)
    assert found.copy_of == {"Fitter_0": 0, "Fitter_1": 0}


def test_sweeps_that_repeat_the_same_values_share_a_section():
    below = "[!param_sweep {task_name: Fitter, param_matrix: {x: [1, 2]}, next: []}]"

    found = sweeps_of(read(sweep([7, 8], task="Tester", below=below)), NAMES)

    assert [len(copy) for copy in found.copies] == [4]
    assert len(found.copy_of) == 6


def test_sweeps_that_differ_have_copies_of_their_own():
    found = sweeps_of(read(sweep([5, 6]) + sweep([7])), NAMES)

    assert [len(copy) for copy in found.copies] == [2, 1]
    assert found.copy_of["Fitter_0-2"] == 1


def test_a_sweep_over_an_unknown_task_is_told_with_its_place():
    with pytest.raises(WorkflowError, match=r"f.dag:2:3: .*'Fiter' runs") as caught:
        sweeps_of(read(sweep([1, 2], task="Fiter")), NAMES)

    assert caught.value.problems[0].hint == "did you mean 'Fitter'?"
    assert len(caught.value.problems) == 1


def test_an_instance_is_known_by_the_name_before_its_number():
    check_names(read(sweep([1, 2])), NAMES)

    with pytest.raises(WorkflowError, match="there is no managed Task 'Fit'"):
        check_names(read(sweep([1, 2], task="Fit")), NAMES)
