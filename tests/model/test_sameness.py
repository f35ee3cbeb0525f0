import pytest

from segue.model.sameness import same_action, without_directives
from segue.model.workflow import Argv, Container, ManagedTask, Nothing, Script


@pytest.mark.parametrize(
    "line",
    [
        "#SBATCH --time=01:00:00",
        "  #SBATCH -N 4",
        "#BSUB -q debug",
        "#flux: -N 2",
        "#PBS -l walltime=1:00",
        "#MAESTRO-INFO (flux adapter version) 0.49.0",
    ],
)
def test_how_much_and_where_is_no_matter(line):
    plain = "#!/bin/sh\n# fits\n\nfit\n"

    assert without_directives(f"#!/bin/sh\n# fits\n{line}\n\nfit\n") == plain


@pytest.mark.parametrize(
    "line",
    [
        "#SBATCH --array=1-9",
        "#SBATCH -a 1-9",
        "#SBATCH --chdir=/elsewhere",
        "#SBATCH --export=NONE",
        "#flux: --cwd=/elsewhere",
        "# SBATCH --time=5",
    ],
)
def test_what_is_done_matters_wherever_it_is_said(line):
    text = f"#!/bin/sh\n{line}\nfit\n"

    assert without_directives(text) == text


def test_behind_the_first_command_every_line_is_the_script_s():
    text = "cat > job <<EOF\n#SBATCH --time=5\nEOF\n"

    assert without_directives(text) == text


def test_a_script_of_comments_alone_is_its_head():
    assert without_directives("#!/bin/sh\n#SBATCH -N 4") == "#!/bin/sh\n"


def test_the_name_of_a_script_s_file_is_no_matter():
    assert same_action(Script("fit\n", file="fit.sh"), Script("fit\n", file="fit.slurm.sh"))


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (Script("fit\n", "/bin/sh"), Script("fit\n", "/bin/bash")),
        (Script("fit\n"), Argv(("fit",))),
        (Argv(("fit", "a")), Argv(("fit", "b"))),
        (ManagedTask("Fit", ("run",), "a.yaml"), ManagedTask("Fit", ("run",), "b.yaml")),
        (Container("image:1"), Container("image:2")),
        (Nothing(), None),
    ],
)
def test_other_actions_are_not_the_same(before, after):
    assert not same_action(before, after)
    assert same_action(before, before)
