"""What is loaded for a command, its help, completion, and a reader that leaves early."""

import json
import os
import subprocess
import sys

import pytest
from commands import PROGRAM, task

from segue.cli.main import COMMANDS

#: Loading any of these costs more than `--help` may take.
HEAVY = {"yaml", "rich", "sqlite3", "psutil", "segue.engine", "segue.store", "segue.executors"}


def loaded_by(segue, *words):
    """The modules that a command has loaded when it ends."""
    program = (
        "import sys, json, atexit\n"
        "atexit.register(lambda: json.dump(list(sys.modules), sys.stderr))\n"
        "from segue.cli.main import main\n"
        f"main({list(words)!r})\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        env=segue.environment, cwd=segue.folder, capture_output=True, text=True, check=True,
    )  # fmt: skip
    return set(json.loads(done.stderr))


@pytest.mark.parametrize("words", [["--help"], ["--version"], ["run", "--help"]])
def test_help_loads_nothing_heavy(segue, words):
    assert loaded_by(segue, *words) & HEAVY == set()


def test_a_run_loads_neither_yaml_nor_rich_where_it_needs_none(segue):
    path = segue.write({"a": task("exit 0")})

    assert loaded_by(segue, "run", path) & {"yaml", "rich", "psutil"} == set()


def test_help_lists_every_command_and_the_exit_codes(segue):
    shown = segue("--help").out

    assert all(f"\n  {name} " in shown for name in COMMANDS)
    assert "130 cancelled by the user" in " ".join(shown.split())


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_help(segue, name):
    assert segue(name, "--help").out.startswith(f"Usage: segue {name}")


@pytest.mark.parametrize("option", ["-h", "--help"])
def test_help_has_two_names(segue, option):
    assert segue(option).out.startswith("Usage: segue")


def test_without_words_it_shows_how_it_is_used(segue):
    done = segue(code=None)

    assert "Usage: segue" in done.out + done.err


def test_the_version_is_told(segue):
    from segue import __version__

    assert segue("--version").out == f"segue {__version__}\n"


# Completion ----------------------------------------------------------------------


def complete(segue, *words):
    line = {"COMP_WORDS": " ".join(words), "COMP_CWORD": str(len(words) - 1)}
    done = segue(_SEGUE_COMPLETE="bash_complete", **line)
    return [line.partition(",")[2] for line in done.out.splitlines() if line]


def test_commands_are_completed(segue):
    assert complete(segue, "segue", "re") == ["retry", "release", "resume"]


def test_options_are_completed(segue):
    assert "--workspace" in complete(segue, "segue", "run", "--w")


def test_runs_are_completed(segue):
    run = segue.json("run", segue.write({"a": task("exit 0")}))["run"]

    assert complete(segue, "segue", "status", "fl") == [run]


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_a_script_for_the_shell_is_printed(segue, shell):
    assert "_SEGUE_COMPLETE" in segue(_SEGUE_COMPLETE=f"{shell}_source").out
    assert "_SEGUE_COMPLETE" in segue("doctor", "--completion", shell).out


def test_completion_never_speaks_of_errors(segue):
    segue.store = "sqlite:///proc/nowhere/segue.db"
    segue.environment["SEGUE_STORE"] = segue.store

    assert complete(segue, "segue", "status", "") == []


# A reader that leaves ------------------------------------------------------------


def into_a_closed_pipe(segue, *words):
    """Run a command whose standard output nobody reads; return exit code and errors."""
    reader, writer = os.pipe()
    os.close(reader)
    try:
        done = subprocess.run(
            [*PROGRAM, *words],
            cwd=segue.folder,
            env=segue.environment,
            stdin=subprocess.DEVNULL,
            stdout=writer,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
    finally:
        os.close(writer)
    return done.returncode, done.stderr


@pytest.mark.parametrize(
    "words",
    [
        ["runs"], ["runs", "--json"], ["status"], ["status", "--json"], ["history"],
        ["graph", "flow.json"], ["logs", "flow", "a"], ["why", "flow", "a"], ["doctor"],
        ["validate", "flow.json"], ["run", "flow.json", "--plan"], ["--help"], ["--version"],
    ],
    ids=" ".join,
)  # fmt: skip
def test_a_reader_that_leaves_is_no_error(segue, words):
    segue("run", segue.write({"a": task("echo hello")}))

    code, said = into_a_closed_pipe(segue, *words)

    assert said == ""
    assert code == 0


@pytest.mark.parametrize(("script", "verdict"), [("exit 0", 0), ("exit 1", 1)])
@pytest.mark.parametrize("options", [[], ["--json"]])
def test_a_run_goes_on_when_its_reader_leaves(segue, script, verdict, options):
    path = segue.write({"a": task(script), "b": task("echo b", "a")})

    code, said = into_a_closed_pipe(segue, "run", path, *options)

    assert said == ""
    assert code == verdict
    assert segue.states()["a"] == ("failed" if verdict else "succeeded")
    assert segue.json("status")["state"] == ("failed" if verdict else "succeeded")


def test_a_full_disk_behind_standard_output_is_told_without_a_traceback(segue):
    segue("run", segue.write({"a": task("echo hello")}))
    with open("/dev/full", "w") as full:
        done = subprocess.run(
            [*PROGRAM, "status", "--json"],
            cwd=segue.folder, env=segue.environment,
            stdout=full, stderr=subprocess.PIPE, text=True, check=False,
        )  # fmt: skip

    assert "No space left on device" in done.stderr
    assert "Traceback" not in done.stderr
    assert done.returncode == 3


@pytest.mark.parametrize("closed", ["<&-", ">&-", "2>&-", "<&- >&- 2>&-"])
def test_closed_standard_streams_harm_nothing(segue, closed):
    path = segue.write({"a": task("echo hello")})

    done = subprocess.run(
        ["/bin/sh", "-c", f"exec {' '.join(PROGRAM)} run {path} {closed}"],
        cwd=segue.folder, env=segue.environment, capture_output=True, text=True, check=False,
    )  # fmt: skip

    assert (done.returncode, done.stderr) == (0, "")
    assert segue.json("status")["state"] == "succeeded"
    assert segue("logs", segue.newest(), "a").out == "hello\n"
