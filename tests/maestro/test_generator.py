"""Parameters made by a user's Python file: run by itself, whatever it does."""

import errno
import os
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest

from segue.dialects.maestro import Maestro
from segue.maestro.generator import generate, generator_arguments
from segue.model.errors import UserError, WorkflowError
from segue.protocols.dialect import Source

HEAD = "from maestrowf.datastructures.core import ParameterGenerator\n"
STUDY = """\
description: {name: sweep, description: d}
env:
  variables: {SEED: 7, OUTPUT_PATH: out}
  labels: {HELLO: hello $(SEED)}
  dependencies:
    paths: [{name: DATA, path: /data}]
study:
- name: fit
  description: d
  run:
    cmd: fit $(X) $(X.label) $(X.name) $(Y)
"""


@pytest.fixture
def made(tmp_path):
    """Return what a generator with this body makes."""

    def made(body, arguments=None, env=None):
        path = tmp_path / "gen.py"
        path.write_text(HEAD + "def get_custom_generator(env, **kwargs):\n" + body)
        return generate(
            str(path), arguments or {}, env or {}, output_path="/out", spec_root="/spec"
        )

    return made


def test_columns_come_with_values_labels_and_names(made):
    parameters = made("""
    p = ParameterGenerator()
    p.add_parameter("X", [1, 2.5], "SIZE.%%", "size")
    p.add_parameter("Y", ["a", True], ["one", "two"])
    return p
""")

    assert parameters == [
        {
            "name": "X",
            "values": [1, 2.5],
            "labels": ["SIZE.1", "SIZE.2.5"],
            "names": ["size", "size"],
        },
        {"name": "Y", "values": ["a", True], "labels": ["one", "two"], "names": ["Y", "Y"]},
    ]


def test_the_default_label_is_the_name_and_the_value(made):
    body = "    p = ParameterGenerator(); p.add_parameter('X', '5'); return p"

    parameters = made(body)

    assert parameters[0]["labels"] == ["X.5"]


def test_arguments_and_the_env_reach_the_generator(made):
    body = """
    p = ParameterGenerator()
    found = [env.find("SEED").value, env.find("NONE"), kwargs["N"], kwargs["OUTPUT_PATH"]]
    p.add_parameter("X", [str(each) for each in [*found, kwargs["SPECROOT"].value]])
    return p
"""

    parameters = made(body, arguments={"N": "3"}, env={"SEED": 7})

    assert parameters[0]["values"] == ["7", "None", "3", "/out", "/spec"]


def test_values_of_odd_types_have_the_text_that_python_gives_them(made):
    parameters = made("""
    from fractions import Fraction
    from decimal import Decimal
    class Number:
        def item(self): return 4
        def __str__(self): return "4"
    class Narrow(Number):
        def __str__(self): return "0.1"
    p = ParameterGenerator()
    p.add_parameter("X", [Fraction(1, 3), Decimal("0.10"), float("inf"), None, Number(), Narrow()])
    return p
""")

    assert parameters[0]["values"] == ["1/3", "0.10", "inf", None, 4, "0.1"]


def test_a_class_of_ones_own_may_choose_the_combinations(made):
    parameters = made("""
    class Valid(ParameterGenerator):
        def get_combinations(self):
            for each in super().get_combinations():
                if each._params["$(X)"] != 2:
                    yield each
    p = Valid()
    p.add_parameter("X", [1, 2, 3])
    return p
""")

    assert parameters[0]["values"] == [1, 3]


def test_what_it_prints_goes_to_stderr(made, capfd):
    made("    print('sampling'); p = ParameterGenerator(); p.add_parameter('X', [1]); return p")

    assert capfd.readouterr() == ("", "sampling\n")


def test_modules_beside_the_file_can_be_imported_and_ours_are_not_in_the_way(made, tmp_path):
    (tmp_path / "generator.py").write_text("WHOSE = 'the user'")

    parameters = made("""
    import generator
    p = ParameterGenerator()
    p.add_parameter("X", [generator.WHOSE])
    return p
""")

    assert parameters[0]["values"] == ["the user"]


FAULTS = {
    "an exception": ("    x = 1\n    raise KeyError('N')", 4, "KeyError: 'N'", "traceback"),
    "lists of different lengths": (
        "    p = ParameterGenerator()\n    p.add_parameter('X', [1])\n"
        "    p.add_parameter('Y', [1, 2])",
        5,
        "'Y' has 2 values, but the others have 1",
        "traceback",
    ),
    "a module that is not there": (
        "    import no_such_module_at_all",
        3,
        "No module named 'no_such_module_at_all'",
        "SEGUE_PGEN_PYTHON",
    ),
    "nothing returned": ("    pass", 1, "must return a ParameterGenerator, not NoneType", ""),
    "another token": (
        "    p = ParameterGenerator(token='@')\n    p.add_parameter('X', [1])\n    return p",
        1,
        "the token is '@'",
        "",
    ),
    "an exit": ("    import sys\n    sys.exit('no')", 4, "SystemExit: no", "traceback"),
    "a syntax error": ("    return (", 3, "SyntaxError", "traceback"),
    "a crash": (
        "    import os, signal\n    os.kill(os.getpid(), signal.SIGKILL)",
        1,
        "without an answer (signal 9)",
        "",
    ),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_is_told_with_its_place(made, fault, tmp_path, capfd):
    body, line, message, hint = FAULTS[fault]

    with pytest.raises(WorkflowError) as caught:
        made(body)

    [problem] = caught.value.problems
    assert message in problem.message
    assert (problem.place.path, problem.place.line) == (str(tmp_path / "gen.py"), line)
    assert hint in problem.hint
    capfd.readouterr()


def test_a_generator_that_hangs_is_stopped_with_all_that_it_started(made, monkeypatch, tmp_path):
    monkeypatch.setenv("SEGUE_PGEN_TIMEOUT_S", "0.5")
    gate = tmp_path / "gate"
    body = f"""
    import os, subprocess
    os.mkfifo({str(gate)!r})
    subprocess.Popen(["sh", "-c", "exec 3<>{gate}; sleep 1000"]).wait()
"""

    with pytest.raises(WorkflowError, match=r"has not ended after 0\.5 s"):
        made(body)

    until = time.monotonic() + 10
    while has_reader(gate):
        assert time.monotonic() < until, "what it started lives on"
        os.sched_yield()


def has_reader(fifo):
    try:
        os.close(os.open(fifo, os.O_WRONLY | os.O_NONBLOCK))
    except OSError as error:
        return error.errno != errno.ENXIO
    return True


def test_a_file_that_is_not_there_is_told():
    with pytest.raises(WorkflowError, match="no such file"):
        generate("/no/such/gen.py", {}, {}, output_path="/out", spec_root="/spec")


def test_a_python_that_is_not_there_is_told(made, monkeypatch):
    monkeypatch.setenv("SEGUE_PGEN_PYTHON", "/no/such/python")

    with pytest.raises(UserError, match="SEGUE_PGEN_PYTHON names"):
        made("    return ParameterGenerator()")


def test_the_process_needs_nothing_of_segue(tmp_path):
    program = Path(generate.__code__.co_filename).with_name("generator_process.py")
    code = f"import sys, runpy; sys.argv = ['x', 'y', 'z']; runpy.run_path({str(program)!r})"

    subprocess.run([sys.executable, "-S", "-I", "-c", code], check=True)


def test_an_argument_without_a_colon_is_refused():
    with pytest.raises(UserError, match="NAME:VALUE"):
        generator_arguments(["SEED=7"])


# -- in the study ---------------------------------------------------------------------------


def source(**options):
    return Source(
        path="study.yaml",
        text=STUDY,
        directory="/home/ada",
        facts={},
        parameters={},
        workspace="/out",
        now=0.0,
        options=options,
    )


def test_generated_parameters_multiply_the_steps_of_a_study():
    generated = [
        {"name": "X", "values": [1, 2], "labels": ["one", "two"], "names": ["size", "size"]},
        {"name": "Y", "values": ["a", "b"], "labels": ["Y.a", "Y.b"], "names": ["Y", "Y"]},
    ]

    workflow = Maestro().read(source(generated_parameters=generated))

    found = {task.name: task.action.text.splitlines()[-1] for task in workflow.tasks}
    assert found == {"fit_one.Y.a": "fit 1 one size a", "fit_two.Y.b": "fit 2 two size b"}
    assert workflow.tasks[1].parameters == {"X": 2, "Y": "b"}


def test_generated_parameters_replace_those_of_the_study():
    text = STUDY + "global.parameters:\n  Z: {values: [1], label: Z.%%}\n"
    generated = [{"name": "X", "values": [1], "labels": ["one"], "names": ["X"]}]

    workflow = Maestro().read(replace(source(generated_parameters=generated), text=text))

    assert [task.name for task in workflow.tasks] == ["fit_one"]


@pytest.mark.parametrize(
    ("column", "message"),
    [
        ({"name": "X", "values": [1], "labels": [""], "names": ["X"]}, "is empty"),
        ({"name": "", "values": [1], "labels": ["x"], "names": ["X"]}, "cannot be written"),
    ],
)
def test_generated_parameters_that_no_step_can_use_are_refused(column, message):
    with pytest.raises(WorkflowError, match=message):
        Maestro().read(source(generated_parameters=[column]))


def test_the_env_is_known_before_the_study_is_expanded():
    found = Maestro().environment(source())

    assert found == {
        "SEED": 7,
        "OUTPUT_PATH": "out",
        "HELLO": "hello $(SEED)",
        "DATA": "/data",
    }
