"""Script texts for the batch systems; what the golden files do not hold."""

from __future__ import annotations

import pytest

from segue.dialects.maestro import Maestro
from segue.dialects.maestro_launcher import LauncherError, launch
from segue.dialects.maestro_script import script_text
from segue.protocols.dialect import Source

SLURM = {"type": "slurm", "queue": "q", "bank": "b"}


def test_the_shell_of_the_batch_section_heads_a_local_script():
    assert script_text("x", {}, {"shell": "/bin/sh -e"}, "s", "d") == "#!/bin/sh -e\n\nx\n"


def test_lsf_ignores_the_shell():
    text = script_text("x", {}, {"type": "lsf", "shell": "/bin/zsh"}, "s", "d")

    assert text == "#!/bin/bash\n\nx\n"


def test_a_step_without_resources_gets_no_slurm_header():
    assert script_text("x", {}, SLURM, "s", "d") == "#!/bin/bash\n\nx\n"


def test_a_wall_time_for_lsf_is_rounded_up_to_minutes():
    run = {"nodes": 1, "procs": 1, "walltime": "01:00:30"}

    assert "#BSUB -W 01:01\n" in script_text("x", run, {"type": "lsf"}, "s", "d")


def test_a_launcher_names_only_what_the_step_has():
    assert launch("$(LAUNCHER) x", {"nodes": 2}, SLURM) == "srun -N 2 x"
    assert launch("$(LAUNCHER) x", {"procs": 2}, SLURM) == "srun -n 2 x"


def test_launchers_that_run_one_after_another_need_not_share_the_allocation():
    text = "$(LAUNCHER)[1n, 36p] a\n$(LAUNCHER)[2n, 36p] b"

    launched = launch(text, {"nodes": 2, "procs": 72}, SLURM)

    assert launched == "srun -n 36 -N 1 a\nsrun -n 36 -N 2 b"


def test_a_bracket_ends_at_its_own_end():
    text = "$(LAUNCHER)[1p] python -c 'print([1])'"

    assert launch(text, {"procs": 1}, SLURM) == "srun -n 1 python -c 'print([1])'"


@pytest.mark.parametrize(
    ("bracket", "message"),
    [
        ("[1n]", "names no processes"),
        ("[x]", "not of the form"),
        ("[]", "not of the form"),
        ("[3n, 1p]", "asks for 3 nodes, the step has 2"),
        ("[1, 9]", "asks for 9 procs, the step has 8"),
    ],
)
def test_a_bracket_that_cannot_be_met_is_refused(bracket, message):
    with pytest.raises(LauncherError, match=message):
        launch(f"$(LAUNCHER){bracket} x", {"nodes": 2, "procs": "8"}, SLURM)


def test_steps_without_resources_run_beside_the_batch_system():
    text = """
description: {name: t, description: t}
batch: {type: slurm, bank: b, queue: q, reservation: r}
study:
  - {name: a, description: d, run: {cmd: $(LAUNCHER) a}}
  - name: b
    description: d
    run: {cmd: $(LAUNCHER) b, nodes: 2, procs: 8, gpus: 1, walltime: "1:00:00", exclusive: true}
"""
    workflow = Maestro().read(Source("t.yaml", text, "/here"))
    local, scheduled = workflow.tasks

    assert (workflow.pool, local.pool, scheduled.pool) == ("slurm", "local", "")
    assert local.action.text == "#!/bin/bash\n\na\n"
    resources = scheduled.resources
    assert (resources.nodes, resources.processes, resources.gpus) == (2, 8, 1)
    assert (resources.queue, resources.account, resources.reservation) == ("q", "b", "r")
    assert (resources.walltime_s, resources.exclusive) == (3600, True)
    assert scheduled.options == {"walltime": "1:00:00", "exclusive": True}


def test_strictly_read_a_launcher_stays_where_maestro_leaves_it():
    slurm = {"type": "slurm", "bank": "b", "queue": "q"}
    both = "$(LAUNCHER)[1p] a; $(LAUNCHER) b"

    local = script_text("$(LAUNCHER) a", {}, {}, "s", "d", strict=True)
    scheduled = script_text(both, {"procs": 2}, slurm, "s", "d", strict=True)

    assert local.endswith("$(LAUNCHER) a\n")
    assert scheduled.endswith("srun -n 1 a; $(LAUNCHER) b\n")
