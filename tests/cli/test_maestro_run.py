"""`maestro run` as a person uses it: folders, questions, exit codes, what is run."""

import json
import os
import subprocess
import sys

import pytest
import yaml
from commands import wait_until
from maestro_program import MAESTRO, step

ARCHIVE = """\
description:
  name: Build archive
  description: A simple archive building study

study:
  - name: generate
    description: creates some file
    run:
      cmd: |
        mkdir -p directory
        touch directory/file1.txt

  - name: build
    description: creates the tar file
    run:
      cmd: tar cvf archive.tar ../generate/directory
      depends: [generate]

  - name: compress
    description: compress the archive with gzip
    run:
      cmd: |
        ml gzip
        gzip -k $(compressoption) ../../build/archive.tar
      depends: [build]

global.parameters:
  compressoption:
    values: ['--fast', '--best']
    label: COPT.%%
"""


@pytest.fixture
def archive(maestro):
    path = maestro.folder / "buildarchive.yml"
    path.write_text(ARCHIVE)
    return path


# The study of the slides ---------------------------------------------------------


def test_the_archive_is_built_in_the_background(maestro, archive):
    out = maestro.launch(archive)

    # Both steps write one file, so one of them fails: the slides show it too.
    assert maestro.wait_until_ended() == "FAILURE"
    states = maestro.states()
    assert list(states) == [
        "generate", "build", "compress_COPT.--fast", "compress_COPT.--best",
    ]  # fmt: skip
    assert sorted(states.values()) == ["FAILED", "FINISHED", "FINISHED", "FINISHED"]
    assert (out / "build" / "archive.tar.gz").exists()


def test_one_after_another_the_table_is_that_of_the_slides(maestro, archive):
    maestro("run", "-y", "-fg", "-j", "1", "-o", "out", archive, code=2)

    shown = maestro("status", "--layout", "legacy", "out").out.splitlines()

    assert shown[3].split()[:2] == ["Step", "Name"]
    assert [(line.split()[0], line.split()[3]) for line in shown[5:9]] == [
        ("generate", "FINISHED"),
        ("build", "FINISHED"),
        ("compress_COPT.--fast", "FINISHED"),
        ("compress_COPT.--best", "FAILED"),
    ]


def test_the_folder_holds_what_users_know(maestro, archive):
    maestro("run", "-y", "-fg", "-j", "1", "-o", "out", archive, code=2)

    out, rows = maestro.folder / "out", maestro.rows()
    job = rows["compress_COPT.--best"]["job_id"]
    best = out / "compress" / "COPT.--best"
    assert sorted(os.listdir(best)) == [
        f"compress_COPT.--best.{job}.err",
        f"compress_COPT.--best.{job}.out",
        "compress_COPT.--best.sh",
    ]
    assert "already exists" in (best / f"compress_COPT.--best.{job}.err").read_text()
    assert (out / "buildarchive.yml").read_text() == ARCHIVE
    assert yaml.safe_load((out / "batch.info").read_text()) == {"type": "local"}
    assert sorted(os.listdir(out / "meta")) == [
        "environment.yaml", "metadata.yaml", "parameters.yaml",
    ]  # fmt: skip
    log = (out / "logs" / "Build archive.log").read_text()
    assert "step='generate' FINISHED attempt=1 job_id=" in log
    assert "has ended: FAILURE (3 FINISHED, 1 FAILED)" in log
    assert maestro.kept_rows() == maestro.states()


def test_the_settings_are_shown_before_the_question(maestro, archive):
    done = maestro("run", "-a", "3", "-t", "2", "--hashws", "-o", "out", archive, stdin="n\n")

    assert (
        "Submission attempts =       3\n"
        "Submission restart limit =  1\n"
        "Submission throttle limit = 2\n"
        "Use temporary directory =   False\n"
        "Hash workspaces =           True\n"
        "Dry run enabled =           False\n"
        f"Output path =               {maestro.folder}/out\n"
    ) in done.err


# Exit codes ----------------------------------------------------------------------


@pytest.mark.parametrize(("cmd", "code"), [("exit 0", 0), ("exit 7", 2)])
def test_the_exit_code_in_the_foreground_is_the_verdict(maestro, cmd, code):
    maestro("run", "-y", "-fg", "-o", "out", maestro.write({"a": step(cmd)}), code=code)


def test_a_cancelled_study_ends_with_three(maestro):
    gate = maestro.gate()
    running = maestro.start(
        "run", "-y", "-fg", "-o", "out", maestro.write({"a": step(gate.script())})
    )
    gate.wait()

    maestro("cancel", "-y", "out")

    assert running.end() == 3


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["-a", "0"], "--attempts must be 1 or more"),
        (["-r", "-1"], "--rlimit must be 0 or more"),
        (["-t", "-1"], "--throttle must be 0 or more"),
        (["--pargs", "A:1"], "--pargs is for a generator"),
        (["--pgen", "none.py"], "none.py: there is no such file"),
    ],
)
def test_options_that_make_no_sense_are_said(maestro, words, said):
    done = maestro("run", "-y", *words, maestro.write({"a": step("true")}), code=1)

    assert said in done.err


def test_all_that_is_wrong_with_a_specification_is_said_at_once(maestro):
    path = maestro.folder / "bad.yaml"
    path.write_text("description: {name: x}\nstudy:\n- {name: a, run: {cmd: x, depends: [b]}}\n")

    done = maestro("run", "-y", path, code=1)

    assert f"{path}:1:14: description has no 'description'" in done.err
    assert "bad.yaml:3:" in done.err
    assert os.listdir(maestro.folder) == ["bad.yaml"]


def test_a_specification_that_is_not_there_is_said(maestro):
    assert "No such file" in maestro("run", "-y", "none.yaml", code=1).err


def test_yes_and_no_together_are_refused(maestro):
    maestro("run", "-y", "-n", "x.yaml", code=2)


def test_a_study_for_a_missing_batch_system_leaves_nothing(maestro):
    batch = {"type": "lsf", "host": "h", "bank": "b", "queue": "q"}
    spec = maestro.write({"a": step("true", nodes=1, walltime="00:10")}, batch=batch)

    maestro("run", "-y", "-o", "out", spec, code=1, PATH="/nowhere")

    assert not (maestro.folder / "out").exists()


# Questions -----------------------------------------------------------------------


@pytest.mark.parametrize("answer", ["n", "no", "", "maybe", "yess"])
def test_anything_but_yes_launches_nothing(maestro, answer):
    done = maestro("run", "-o", "out", maestro.write({"a": step("touch ran")}), stdin=f"{answer}\n")

    assert done.out == "Would you like to launch the study? [yn] Study launch aborted.\n"
    assert not maestro.segue.json("runs")["runs"]
    assert (maestro.folder / "out" / "study.yaml").exists()


@pytest.mark.parametrize("answer", ["y", "Y", "yes", "YES"])
def test_yes_launches(maestro, answer):
    done = maestro("run", "-o", "out", maestro.write({"a": step("true")}), stdin=f"{answer}\n")

    assert done.out.endswith("Study launched successfully.\n")
    assert maestro.wait_until_ended() == "FINISHED"


def test_no_answer_is_an_error_and_leaves_nothing(maestro):
    done = maestro("run", "-o", "out", maestro.write({"a": step("true")}), code=1)

    assert "nobody answers" in done.err
    assert not (maestro.folder / "out").exists()


def test_an_old_folder_stays_unless_the_user_says_otherwise(maestro):
    spec = maestro.write({"a": step("true")})
    (maestro.folder / "out").mkdir()
    (maestro.folder / "out" / "precious").touch()

    kept = maestro("run", "-o", "out", spec, stdin="n\n")

    assert "Output path already exists. Would you like to overwrite it? [yn] " in kept.out
    assert kept.out.endswith("Opting to quit -- not cleaning up old out path.\n")
    assert os.listdir(maestro.folder / "out") == ["precious"]

    gone = maestro("run", "-y", "-fg", "-o", "out", spec)

    assert "Cleaning up existing out path...\n" in gone.out
    assert not (maestro.folder / "out" / "precious").exists()


def test_the_folder_of_a_running_study_is_not_removed(maestro):
    gate = maestro.gate()
    spec = maestro.write({"a": step(gate.script())})
    maestro.launch(spec)
    gate.wait()

    done = maestro("run", "-y", "-o", "out", spec, code=1)

    assert "is running" in done.err
    gate.open()
    assert maestro.wait_until_ended() == "FINISHED"


@pytest.mark.parametrize("out", [".", "..", "/"])
def test_what_holds_more_than_a_study_is_never_removed(maestro, out):
    spec = maestro.write({"a": step("true")})

    done = maestro("run", "-y", "-o", out, spec, code=1)

    assert "is not removed" in done.err
    assert spec.exists()


def test_a_file_in_the_place_of_the_folder_stays(maestro):
    spec = maestro.write({"a": step("true")})

    done = maestro("run", "-y", "-o", spec.name, spec, code=1)

    assert "is no directory" in done.err
    assert spec.exists()


# Where ---------------------------------------------------------------------------


def test_without_a_place_the_folder_has_name_and_time(maestro):
    spec = maestro.write(
        {"a": step("true")}, name="my study", env={"variables": {"OUTPUT_PATH": "s o"}}
    )

    maestro("run", "-y", "-fg", spec)

    (made,) = os.listdir(maestro.folder / "s o")
    assert made.startswith("my_study_20")
    assert len(made) == len("my_study_20240101-120000")


def test_studies_of_one_second_have_folders_of_their_own(maestro):
    spec = maestro.write({"a": step("true")})

    started = [maestro.start("run", "--dry", "-fg", spec) for _ in range(4)]

    assert [each.end() for each in started] == [0] * 4
    made = [each for each in os.listdir(maestro.folder) if each.startswith("study_20")]
    assert len(made) == 4


def test_a_path_with_blanks_works_in_the_background(maestro):
    maestro.launch(maestro.write({"a": step("touch 'it ran'")}), out="a b/c  d")

    assert maestro.wait_until_ended("a b/c  d") == "FINISHED"
    assert (maestro.folder / "a b/c  d/a/it ran").exists()


def test_a_missing_dependency_is_said_and_leaves_nothing(maestro):
    env = {"dependencies": {"paths": [{"name": "DATA", "path": "none.txt"}]}}
    spec = maestro.write({"a": step("cat $(DATA)")}, env=env)

    done = maestro("run", "-y", "-o", "out", spec, code=1)

    assert "none.txt" in done.err
    assert not (maestro.folder / "out").exists()


def test_a_conductor_that_cannot_start_is_told(maestro):
    (maestro.folder / "sitecustomize.py").write_text(
        "import os, sys\n"
        "if 'segue.cli.conductor' in sys.orig_argv:\n"
        "    os.write(2, b'no room')\n"
        "    os._exit(1)\n"
    )
    spec = maestro.write({"a": step("true")})

    done = maestro("run", "-y", "-o", "out", spec, code=1, PYTHONPATH=str(maestro.folder))

    assert "Study launched" not in done.out
    assert "no room" in done.err
    assert "conductor" in done.err


def test_the_study_outlives_the_terminal(maestro):
    gate = maestro.gate()
    maestro.launch(maestro.write({"a": step(gate.script())}))
    gate.wait()

    (number,) = maestro.conductors()

    assert os.getsid(number) == number
    gate.open()
    assert maestro.wait_until_ended() == "FINISHED"


# What is run ---------------------------------------------------------------------


def test_attempts_are_tries_of_a_step(maestro):
    cmd = "test -e tried && exit 0; touch tried; exit 1"
    spec = maestro.write({"a": step(cmd)})

    maestro("run", "-y", "-fg", "-a", "2", "-o", "out", spec)

    assert maestro.segue.json("status")["tasks"][0]["attempts"][1]["number"] == 2


def test_throttle_is_how_many_run_at_once(maestro):
    gate = maestro.gate()
    spec = maestro.write({"a": step(gate.script("true $(N)"))}, {"N": [1, 2, 3]})
    maestro.launch("-t", "1", "-j", "4", spec)

    for _ in range(3):
        gate.wait()
        assert list(maestro.states().values()).count("RUNNING") <= 1
        assert not gate.reached
        gate.open()

    assert maestro.wait_until_ended() == "FINISHED"


def test_a_dry_run_runs_nothing_and_stores_nothing(maestro):
    spec = maestro.write({"a": step("touch ran"), "b": step("true", "a")})

    done = maestro("run", "--dry", "-o", "out", spec)

    assert done.out == "Study launched successfully.\n"
    assert maestro.kept_rows() == {"a": "DRYRUN", "b": "DRYRUN"}
    assert os.listdir(maestro.folder / "out" / "a") == ["a.sh"]
    assert maestro.segue.json("runs")["runs"] == []
    assert "was a dry run" in maestro.conductor("out", code=1).err


def test_scripts_can_lie_in_a_temporary_folder(maestro):
    (maestro.folder / "tmp").mkdir()
    spec = maestro.write({"a": step("echo $0 > where")})

    maestro("run", "-y", "-fg", "--usetmp", "-o", "out", spec, TMPDIR=str(maestro.folder / "tmp"))

    assert not (maestro.folder / "out" / "a" / "a.sh").exists()
    assert "segue-maestro-" in (maestro.folder / "out" / "a" / "where").read_text()
    assert os.listdir(maestro.folder / "tmp") == []


def test_workspaces_can_have_short_names(maestro):
    spec = maestro.write({"a": step("true $(N)")}, {"N": [1, 2]})

    maestro("run", "-y", "-fg", "--hashws", "-o", "out", spec)

    assert sorted(os.listdir(maestro.folder / "out" / "a")) == ["a_instance_0", "a_instance_1"]


def test_a_generator_makes_the_parameters(maestro):
    (maestro.folder / "gen.py").write_text(
        "from maestrowf.datastructures.core import ParameterGenerator\n"
        "def get_custom_generator(env, **kwargs):\n"
        "    made = ParameterGenerator()\n"
        "    made.add_parameter('N', list(range(int(kwargs['COUNT']))), 'N.%%')\n"
        "    return made\n"
    )
    spec = maestro.write({"a": step("echo $(N)")})

    maestro("run", "-y", "-fg", "-p", "gen.py", "--pargs", "COUNT:3", "-o", "out", spec)

    assert list(maestro.states()) == ["a_N.0", "a_N.1", "a_N.2"]
    assert (maestro.folder / "out" / "gen.py").exists()
    told = yaml.safe_load((maestro.folder / "out" / "meta" / "parameters.yaml").read_text())
    assert list(told) == ["N.0", "N.1", "N.2"]


# What killed the original --------------------------------------------------------


def test_labels_of_any_kind_harm_nothing(maestro):
    values = ["a/b", "x" * 300, "1,5", 'say "hi"', "ü", "a;b:c"]
    spec = maestro.write({"a": step("echo '$(N)'"), "b": step("true", "a_*")}, {"N": values})

    maestro("run", "-y", "-fg", "-o", "out", spec)

    assert set(maestro.kept_rows()) == {f"a_N.{value}" for value in values} | {"b"}
    assert maestro.kept_rows() == maestro.states()
    for layout in ("flat", "narrow", "legacy"):
        assert "a_N.1,5" in maestro("status", "--layout", layout, "out", COLUMNS="400").out


def test_output_that_is_no_text_harms_nothing(maestro):
    spec = maestro.write({"a": step(r"printf '\377\376\0'")})

    maestro("run", "-y", "-fg", "-o", "out", spec)

    (printed,) = (maestro.folder / "out" / "a").glob("*.out")
    assert printed.read_bytes() == b"\xff\xfe\0"


@pytest.mark.slow
def test_much_output_takes_no_memory(maestro):
    spec = maestro.write({"a": step("head -c 300000000 /dev/zero")})

    done = maestro.measured("run", "-y", "-fg", "-o", "out", spec)

    peak_kb = int(done.err.splitlines()[-1])
    assert peak_kb < 150_000


def test_a_step_can_be_read_while_it_runs(maestro):
    gate = maestro.gate()
    maestro.launch(maestro.write({"a": step(f"echo early; {gate.script('echo late')}")}))
    gate.wait()

    # The file bears the number of the process, which the conductor has to hear of first.
    logs = wait_until(lambda: list((maestro.folder / "out" / "a").glob("*.out")), "it has a log")

    assert [log.read_text() for log in logs] == ["early\n"]
    gate.open()
    assert maestro.wait_until_ended() == "FINISHED"


def test_no_secret_of_the_environment_is_written(maestro):
    spec = maestro.write({"a": step("true")})

    maestro("run", "-y", "-fg", "-o", "out", spec, AWS_SECRET_ACCESS_KEY="hunter2-hunter2")

    told = yaml.safe_load((maestro.folder / "out" / "meta" / "environment.yaml").read_text())
    assert told["PATH"] == maestro.environment["PATH"]
    for path in (maestro.folder / "out").rglob("*"):
        assert not path.is_file() or b"hunter2" not in path.read_bytes()


def test_the_table_is_kept_while_a_study_runs(maestro):
    gate = maestro.gate()
    maestro.launch(maestro.write({"a": step("true"), "b": step(gate.script(), "a")}))
    gate.wait()

    wait_until(
        lambda: maestro.kept_rows() == {"a": "FINISHED", "b": "RUNNING"}, "status.csv tells it"
    )

    gate.open()
    assert maestro.wait_until_ended() == "FINISHED"


# The command line ----------------------------------------------------------------


def test_the_version_begins_as_the_original(maestro):
    from segue import __version__

    assert maestro("--version").out == f"maestro 1.2.1\nSegue {__version__}\n"
    assert maestro("-v").out.startswith("maestro 1.2.1\n")


def test_without_a_command_help_is_shown(maestro):
    assert maestro().out.startswith("usage: maestro [-h] [-l LOGPATH] [-d DEBUG_LVL] [-c] [-v]")


@pytest.mark.parametrize("command", ["run", "status", "cancel", "update"])
def test_every_command_has_help(maestro, command):
    assert maestro(command, "--help").out.startswith(f"usage: maestro {command} [-h]")


def test_long_options_can_be_cut_off(maestro):
    spec = maestro.write({"a": step("true")})

    maestro("-d", "4", "run", "--auto", "-fg", "-o", "out", spec, code=2)  # yes or no?
    done = maestro("-d", "4", "-l", "/nowhere", "-c", "run", "--autoy", "-fg", "-o", "out", spec)

    assert done.err == ""


def test_help_loads_nothing_heavy():
    program = (
        "import sys, json, atexit\n"
        "atexit.register(lambda: json.dump(list(sys.modules), sys.stderr))\n"
        "from segue.cli.maestro import main\nmain(['--help'])\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )

    assert (
        set(json.loads(done.stderr)) & {"yaml", "click", "rich", "sqlite3", "segue.engine"} == set()
    )


def test_a_reader_that_leaves_is_no_error(maestro):
    reader, writer = os.pipe()
    os.close(reader)
    maestro("run", "-y", "-fg", "-o", "out", maestro.write({"a": step("true")}))

    done = subprocess.run(
        [*MAESTRO, "status", "out"], cwd=maestro.folder, env=maestro.environment,
        stdout=writer, stderr=subprocess.PIPE, check=False,
    )  # fmt: skip
    os.close(writer)

    assert (done.returncode, done.stderr) == (0, b"")
