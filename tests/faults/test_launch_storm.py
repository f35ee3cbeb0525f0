"""500 steps of a launch on a real Slurm whose controller and whose `squeue` fail meanwhile."""

import os
import shutil
import time
from collections import Counter

import pytest
from commands import wait_until
from launch_program import Launcher, blocks
from lute_checkout import make_checkout

#: A hundred instances, each followed by its own four steps.
CHAIN = """\
!LUTE_DAG
- !param_sweep
  task_name: Fitter
  param_matrix: {threshold: [%s]}
  next:
  - task_name: Tester
    next:
    - task_name: Tester
      next:
      - task_name: Tester
        next:
        - task_name: Merger
          next: []
"""
#: Counts each call, and fails while the file is there.
FALSE = """\
#!/bin/sh
echo {name} >> {folder}/calls
if [ -e {folder}/{name}.fails ]; then echo "{name}: error: unable to contact" >&2; exit 1; fi
exec {real} "$@"
"""
FAILING_S = 60.0


@pytest.fixture
def launch(slurm_alone, tmp_path):
    program = Launcher(tmp_path)
    (tmp_path / "bin").mkdir()
    for name in ("sbatch", "squeue", "sacct", "scancel"):
        script = tmp_path / "bin" / name
        script.write_text(FALSE.format(name=name, folder=tmp_path, real=shutil.which(name)))
        script.chmod(0o755)
    program.segue.environment["PATH"] = f"{tmp_path}/bin:{os.environ['PATH']}"
    yield program
    program.close()


def ended(launch):
    """How many steps the log of the launch has told the end of."""
    return sum(each.out.count("Providing logs for") for each in launch.segue._started)


@pytest.mark.slow
def test_nothing_is_lost_when_slurm_fails_in_the_middle(launch, slurm_alone, record_property):
    make_checkout(launch.folder)
    launch.dag(CHAIN % ", ".join(map(str, range(100))))
    launched = launch.start(
        *("-W", "flow.dag", "--lute-path", "LUTE", "--partition=main", "--mem=200"), local=False
    )

    wait_until(lambda: ended(launch) > 50, "some steps have ended")
    slurm_alone.stop_controller()
    (launch.folder / "squeue.fails").touch()
    failing_until = time.monotonic() + FAILING_S
    slurm_alone.SERVICE.up()
    while time.monotonic() < failing_until and launched.process.poll() is None:
        # How the world is for a while is what is tested: there is nothing to wait for.
        time.sleep(0.5)
    (launch.folder / "squeue.fails").unlink()
    code = launched.process.wait(600)

    counts = Counter(each.status for each in blocks(launched.out))
    calls = Counter((launch.folder / "calls").read_text().split())
    record_property("calls", dict(calls))
    assert (code, counts) == (0, {"COMPLETED": 500})
    assert "500 steps succeeded [500/500]" in launched.out
    attempts = launch.segue.json("status")["tasks"]
    ran = Counter(path.name.split("_")[0] for path in launch.folder.glob("*_r0012_*.out"))
    assert ran == {"Fitter": 100, "Tester": 300, "Merger": 100}
    assert all(each["state"] == "succeeded" for each in attempts)
    print(dict(calls))  # noqa: T201
