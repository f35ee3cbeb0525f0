"""Workflows of several dialects that are good to look at: some end, some fail, some go on."""

import json

#: Prints as programs do: coloured, with a progress line, some of it to stderr.
_TALK = r"""
printf '\033[1mcalibrate\033[0m run 412, segment %s\n' "$1"
for step in 1 2 3 4; do printf '\rreading frames: %d %%' $((step * 25)); sleep 0.05; done; echo
printf '\033[32mok\033[0m  geometry   agipd-0412.geom\n\033[32mok\033[0m  dark       41.8 ADU\n'
printf '\033[33mwarning:\033[0m 3 of 512 panels masked\n' >&2
"""
_FIT = r"""
echo "fitting $1 with 18 parameters"; sleep 0.$((RANDOM % 7 + 1))
printf 'chi2/ndf = 1.%02d\n' $((RANDOM % 100))
"""


_PEAKS = "sleep 0.3; echo 1 2 3; [ $1 != 17 ] || { echo no beam >&2; exit 3; }"


def _shell(script, *arguments):
    return {"command": ["/bin/bash", "-c", script, "bash", *arguments]}


def reduction(seconds):
    """A beamtime's reduction: two fan-outs, one failing task, and a part that goes on."""
    segments = [f"{number:02d}" for number in range(24)]
    live = f"echo watching; for i in $(seq {seconds}); do echo frame $i; sleep 1; done"
    return {
        "tags": {"name": "reduce-0412", "experiment": "mfxl1038923", "shift": "night"},
        "parameters": {"SEGMENT": segments, "SAMPLE": ["lysozyme", "ferritin", "water"]},
        "tasks": {
            "transfer": {"job": _shell("echo 'copying 1.2 TiB'; sleep 0.4; echo done")},
            "calibrate": {"job": _shell(_TALK, "{{SEGMENT}}"), "parents": ["transfer"]},
            "find_peaks": {
                "job": _shell(_PEAKS, "{{SEGMENT}}"),
                "parents": ["calibrate"],
                "maxRetries": 1,
            },
            "fit": {"job": _shell(_FIT, "{{SAMPLE}}"), "parents": ["calibrate"]},
            "live_monitor": {"job": _shell(live), "parents": ["transfer"]},
            "merge": {"job": _shell("echo merging"), "parents": ["find_peaks"]},
            "report": {
                "job": _shell("echo the report"),
                "parents": ["merge", "fit", "live_monitor"],
            },
        },
    }  # fmt: skip


def many(count):
    """A sweep of many tasks; on the pool that does nothing it is done at once."""
    return {
        "tags": {"name": "sweep", "owner": "lcls"},
        "parameters": {"POINT": [str(number) for number in range(count)]},
        "tasks": {
            "prepare": {"job": {"command": ["/bin/true"]}},
            "simulate": {"job": {"command": ["/bin/true", "{{POINT}}"]}, "parents": ["prepare"]},
            "collect": {"job": {"command": ["/bin/true"]}, "parents": ["simulate"]},
        },
    }  # fmt: skip


def small(name, command="/bin/true", **tags):
    """A chain of three."""
    return {
        "tags": {"name": name, **tags},
        "tasks": {
            "pull": {"job": {"commandString": command}, "children": ["derive"]},
            "derive": {"job": {"command": ["/bin/echo", name]}, "children": ["publish"]},
            "publish": {"job": {"command": ["/bin/echo", "published"]}},
        },
    }


STUDY = """\
description:
  name: lammps-scan
  description: Scans temperature and pressure, then plots.

study:
  - name: equilibrate
    description: heats the box
    run:
      cmd: echo T=$(TEMPERATURE) P=$(PRESSURE); sleep 0.2
  - name: produce
    description: takes the trajectory
    run:
      cmd: echo producing in $(equilibrate.workspace); sleep 0.3
      depends: [equilibrate]
  - name: plot
    description: plots all
    run:
      cmd: echo plotting
      depends: [produce_*]

global.parameters:
  TEMPERATURE:
    values: [280, 300, 320, 280, 300, 320]
    label: T.%%
  PRESSURE:
    values: [1, 1, 1, 2, 2, 2]
    label: P.%%
"""

#: One letter too few in a need, and a placeholder without a value: problems at lines.
FAULTY = json.dumps(
    {
        "tag": "nightly",
        "tasks": {
            "pull": {"job": {"command": ["/bin/echo", "rows of {{DAY}}"]}},
            "clean": {"job": {"command": ["/bin/true"]}, "parents": ["pul"]},
            "load": {"job": {"commandString": "/bin/echo ok"}, "parents": ["clean"], "retries": 2},
        },
    },
    indent=2,
)
