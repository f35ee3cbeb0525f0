"""Launches of many steps on a real Slurm that fails meanwhile, or that are stopped themselves."""

import os
import shutil
import signal
import subprocess
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


def on_node(node):
    """How many jobs run on a node."""
    words = ["squeue", "-h", "--states=running", f"--nodelist={node}", "--array", "-o", "%i"]
    return len(subprocess.run(words, capture_output=True, text=True, check=True).stdout.split())


def in_queue():
    """The jobs that wait or run."""
    words = ["squeue", "-h", "--states=pending,running,suspended", "-o", "%i"]
    return subprocess.run(words, capture_output=True, text=True, check=True).stdout.split()


@pytest.mark.slow
def test_nodes_that_die_cost_attempts_and_no_step(launch, slurm_alone):
    make_checkout(launch.folder)
    launch.segue.environment["PAUSE_S"] = "2"
    launch.dag(CHAIN % ", ".join(map(str, range(30))))
    launched = launch.start(
        *("-W", "flow.dag", "--lute-path", "LUTE", "--partition=main", "--mem=200"), local=False
    )

    wait_until(lambda: ended(launch) > 20 and on_node("n2") > 2, "all nodes have work")
    # The first loses its daemon alone: its jobs live on, and Slurm may call them dead.
    slurm_alone.daemon("slurmd.n1").stop(signal.SIGKILL)
    slurm_alone.kill_node("n2")
    slurm_alone.SERVICE.up()
    code = launched.process.wait(300)

    counts = Counter(each.status for each in blocks(launched.out))
    tasks = launch.segue.json("status")["tasks"]
    again = [attempt["cause"] for each in tasks for attempt in each["attempts"][:-1]]
    bad = [each["attempts"] for each in tasks if each["state"] not in ("succeeded", "skipped")]
    assert bad == []
    assert (code, counts) == (0, {"COMPLETED": 150})
    assert set(again) == {"node_failure"}
    # Each job has a log of its own, so nothing ran that the run does not know of.
    assert len(launch.logs()) == len(tasks) + len(again)


@pytest.mark.slow
@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGHUP, 1)])
def test_a_signal_leaves_nothing_in_the_queue(launch, slurm_alone, number, code):
    make_checkout(launch.folder)
    launch.segue.environment["PAUSE_S"] = "1000"
    launch.dag(CHAIN % ", ".join(map(str, range(30))))
    # Four jobs fill a node: of one array some run, and some wait.
    launched = launch.start(
        *("-W", "flow.dag", "--lute-path", "LUTE", "--partition=main", "--mem=2000"), local=False
    )
    wait_until(lambda: on_node("n1") and on_node("n4"), "all nodes have work")

    launched.signal(number)

    assert launched.process.wait(240) == code
    assert in_queue() == []
    tasks = launch.segue.json("status")["tasks"]
    assert {each["state"] for each in tasks} == {"cancelled"}
    assert {attempt["cause"] for each in tasks for attempt in each["attempts"]} == {"cancelled"}
