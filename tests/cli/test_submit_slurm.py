"""`submit_slurm`: what reaches Slurm, seen by a false `sbatch` on the PATH."""

import os
import subprocess
import sys

import pytest

SBATCH = """\
#!/bin/sh
printf '%s\\n' "$@" > words
cat > script
[ -z "$REFUSE" ] || { echo "sbatch: error: $REFUSE" >&2; exit 1; }
echo "Submitted batch job 4711"
"""


@pytest.fixture
def submit(tmp_path):
    programs = tmp_path / "bin"
    programs.mkdir()
    (programs / "sbatch").write_text(SBATCH)
    (programs / "sbatch").chmod(0o755)

    def submit(*words, entry="main", **environment):
        names = ("EXPERIMENT", "RUN_NUM", "LUTE_PATH", "LUTE_USE_TCP")
        kept = {name: value for name, value in os.environ.items() if name not in names}
        kept["PATH"] = f"{programs}:{kept['PATH']}"
        code = f"import sys; from segue.cli.submit_slurm import {entry}; sys.exit({entry}())"
        return subprocess.run(
            [sys.executable, "-c", code, *words],
            cwd=tmp_path,
            env=kept | environment,
            capture_output=True,
            text=True,
            check=False,
        )

    return submit


def script(tmp_path):
    return (tmp_path / "script").read_text().splitlines()


def test_a_job_runs_the_managed_task_in_its_environment(submit, tmp_path):
    done = submit(
        *("-c", "c.yaml", "-t", "Tester", "-e", "mfx1", "-r", "12"),
        *("--partition=milano", "--account=lcls:mfx1", "--exclusive", "--comment=two words"),
    )

    lines = script(tmp_path)
    assert (done.returncode, done.stdout) == (0, "Submitted batch job 4711\n")
    assert lines[:5] == [
        "#!/bin/bash",
        "#SBATCH --partition=milano",
        "#SBATCH --account=lcls:mfx1",
        "#SBATCH --exclusive",
        "#SBATCH '--comment=two words'",
    ]
    assert lines[5].startswith("#SBATCH --output=Tester_mfx1_r0012_")
    assert lines[5].endswith("_%J.out")
    assert {"export EXPERIMENT=mfx1", "export RUN_NUM=12", "export RUN=12"} < set(lines)
    assert "export LUTE_USE_TCP=1" in lines
    assert lines[-1].endswith(f"-m segue.lute.run_task -c {tmp_path}/c.yaml -t Tester")


def test_experiment_and_run_come_from_the_job_of_the_logbook(submit, tmp_path):
    submit("-c", "c.yaml", "-t", "T", EXPERIMENT="xcs1", RUN_NUM="7_2026-01-01T00:00")

    assert {"export EXPERIMENT=xcs1", "export RUN_NUM=7"} < set(script(tmp_path))


def test_without_them_it_says_what_to_give(submit):
    done = submit("-c", "c.yaml", "-t", "T")

    assert done.returncode == 2
    assert "-e EXPERIMENT -r RUN" in done.stderr


@pytest.mark.parametrize("words", [["-N", "2"], ["--requeue"], ["--ntasks", "4"], ["x"]])
def test_other_forms_of_arguments_are_refused(submit, words):
    done = submit("-c", "c", "-t", "T", "-e", "x", "-r", "1", *words)

    assert done.returncode == 2
    assert "--name=value" in done.stderr


def test_the_older_command_lets_them_through(submit, tmp_path):
    submit("-c", "c", "-t", "T", "-e", "x", "-r", "1", "-N", "2", entry="lenient_main")

    assert (tmp_path / "words").read_text().splitlines() == ["-N", "2", "--job-name=T"]


@pytest.mark.parametrize(
    ("words", "psana"),
    [([], "/one"), (["--psana2"], "/two"), (["--psana1", "--psana2"], "/one")],
)
def test_the_set_up_of_psana_is_chosen(submit, tmp_path, words, psana):
    submit(
        *("-c", "c", "-t", "T", "-e", "x", "-r", "1", *words),
        SEGUE_PSANA1="/one",
        SEGUE_PSANA2="/two",
    )

    assert f"[ -r {psana} ] && source {psana}" in script(tmp_path)


@pytest.mark.parametrize(("debug", "flags"), [([], "-OB"), (["-d"], "-B")])
def test_the_tasks_of_a_lute_checkout_are_run(submit, tmp_path, debug, flags):
    submit("-c", "/c.yaml", "-t", "T", "-e", "x", "-r", "1", *debug, "--lute-path", "/lute")

    assert script(tmp_path)[-1] == f"python {flags} /lute/run_task.py -c /c.yaml -t T"
    assert "export LUTE_PATH=/lute" in script(tmp_path)


def test_sockets_instead_of_tcp_are_asked_for_by_a_zero(submit, tmp_path):
    submit("-c", "c", "-t", "T", "-e", "x", "-r", "1", LUTE_USE_TCP="0")

    assert "unset LUTE_USE_TCP" in script(tmp_path)


def test_what_slurm_says_against_it_is_told(submit):
    done = submit("-c", "c", "-t", "T", "-e", "x", "-r", "1", REFUSE="invalid partition specified")

    assert done.returncode == 1
    assert "sbatch refuses: sbatch: error: invalid partition specified" in done.stderr


def test_without_slurm_it_says_so(submit, tmp_path):
    done = submit("-c", "c", "-t", "T", "-e", "x", "-r", "1", PATH=str(tmp_path))

    assert done.returncode == 1
    assert "there is no sbatch on the PATH" in done.stderr
