"""Files that are made to break a reader: each is refused, in words, fast and in little memory."""

import json
import os
import threading

import pytest
from chaos import daggy

GOOD = daggy(one="true")
LONG = "n" * 100_000
#: What reading nothing costs on any machine, and what a refusal may cost more.
LITTLE_MB = 150


def bomb(levels=12):
    """Return lines of YAML, each nine times the one above: billion laughs."""
    yield "a0: &a0 [x, x, x, x, x, x, x, x, x]"
    for level in range(1, levels):
        yield f"a{level}: &a{level} [{', '.join([f'*a{level - 1}'] * 9)}]"


def study(name="pack", extra=""):
    return f"""\
description:
  name: study
  description: made to harm
{extra}study:
  - name: {name}
    description: a step
    run:
      cmd: echo hi
"""


BOMB_IN_STUDY = study(extra="env:\n  variables:\n" + "".join(f"    {line}\n" for line in bomb()))

REFUSED = {
    "random bytes": (bytes([0x84, *range(256)]) * 50, "1:1: byte 0x84 is not UTF-8"),
    "a program": (b"\x7fELF\2\1\1" + bytes(1000), "1:1: "),
    "nothing": (b"", "1:1: "),
    "spaces": (b" \n" * 1000, "1:1: "),
    "zeroes": (bytes(100_000), "1:1: "),
    "NUL in JSON": (b'{"tasks": {\n "a": {"job": {"command": ["a\0"]}}}}', "2:30: "),
    "NUL as escape": (json.dumps(daggy(a="echo \0")).encode(), ":1:55: "),
    "NUL in YAML": (study("a\0b").encode(), ":5:12: "),
    "NUL as escape in YAML": (study('"a\\0b"').encode(), ":5:11: "),
    "invalid UTF-8": ('{\n "é": "\xff"}'.encode("latin-1"), ":2:3: byte 0xe9"),
    "invalid UTF-8 behind valid": ('{\n "é": "'.encode() + b'\xff"}', ":2:9: byte 0xff"),
    "a cut off character": ('{"tasks": "é'.encode()[:-1], ":1:12: byte 0xc3"),
    "UTF-16": (json.dumps(GOOD).encode("utf-16"), ":1:1: byte 0xff"),
    "no tasks": (b'{"tasks": {}}', "1:11: 'tasks' is empty"),
    "arrays nested deep": (b'{"tasks": ' + b"[" * 100_000 + b"]" * 100_000 + b"}", ":1:"),
    "objects nested deep": (b'{"tasks":' * 100_000 + b"1" + b"}" * 100_000, ":1:"),
    "objects without an end": (b'{"tasks":' * 100_000, ":1:"),
    "YAML nested deep": (study(extra="x: " + "[" * 100_000 + "\n").encode(), ":4:103: "),
    "YAML indented deep": (
        study(extra="".join(f"{' ' * depth}x:\n" for depth in range(1500))).encode(),
        " nested more than ",
    ),
    "a YAML bomb": ("\n".join(bomb()).encode(), "1:1: "),
    "a YAML bomb in a study": (BOMB_IN_STUDY.encode(), "aliases make more than"),
    "an alias in itself": (study(extra="env: &a\n  variables: [*a]\n").encode(), ":5:15: "),
    "a long number": (b'{"tasks": {"a": {"maxRetries": ' + b"9" * 100_000 + b"}}}", ":1:"),
    "a long name": (json.dumps(daggy(**{LONG: "true"})).encode(), "has 100,000 characters"),
    "a long name of a need": (
        json.dumps({"tasks": {"a": {"job": {"command": ["true"]}, "parents": [LONG]}}}).encode(),
        "is not defined",
    ),
    "a long name in a study": (study(LONG).encode(), "may have 4,096"),
    "a long name in LUTE": (
        f"!LUTE_DAG\ntask_name: {LONG}\nslurm_params: ''\nnext: []\n".encode(),
        "2:12: ",
    ),
    "a long name for a parameter": (
        json.dumps(daggy(a="echo {{" + LONG + "}}")).encode(),
        "no parameter is called",
    ),
}


@pytest.mark.parametrize("what", REFUSED)
def test_a_hostile_file_is_refused(place, what):
    content, expected = REFUSED[what]
    file = place.file(content)

    answer = place.measured("validate", file, limit_s=20)

    assert expected in answer.refused().replace("flow.json:", ":"), answer.stderr[:2000]
    assert len(answer.stderr) < 2000
    assert answer.took_s < 5, "a refusal is fast"
    assert answer.peak_mb < LITTLE_MB


@pytest.mark.parametrize("dialect", ["daggy", "lute", "maestro"])
@pytest.mark.parametrize("what", ["a YAML bomb", "YAML nested deep", "zeroes", "a program"])
def test_a_dialect_that_was_asked_for_refuses_it_too(place, what, dialect):
    file = place.file(REFUSED[what][0])

    place.measured("validate", "--dialect", dialect, file, limit_s=20).refused()


@pytest.mark.parametrize("command", ["run", "validate", "graph"])
@pytest.mark.parametrize("what", ["random bytes", "no tasks", "a YAML bomb in a study"])
def test_every_command_that_reads_refuses_it(place, command, what):
    content, expected = REFUSED[what]
    file = place.file(content)

    assert expected in place.segue(command, file).refused().replace("flow.json:", ":")
    assert not place.newest_run()


def test_a_file_of_a_gigabyte_is_refused_unread(place):
    file = place.file(b"")
    os.truncate(file, 1 << 30)

    answer = place.measured("run", file)

    assert "larger than 256 MiB" in answer.refused()
    assert answer.peak_mb < LITTLE_MB
    assert answer.took_s < 5, "under a second on an idle machine"


@pytest.mark.parametrize("file", ["/dev/zero", "/dev/null", "/proc/self/mem", "/", "/nowhere"])
def test_what_is_no_file_is_refused(place, file):
    answer = place.segue("validate", file, limit_s=20)

    assert f"{file}:1:1: " in answer.refused()
    assert "hint: " in answer.stderr


def test_a_named_pipe_is_read_when_somebody_writes_to_it(place):
    pipe = place.folder / "pipe"
    os.mkfifo(pipe)
    engine = place.start("run", pipe, "--workspace", place.workspace, "--json")
    writer = threading.Thread(target=pipe.write_text, args=[json.dumps(GOOD)])
    writer.start()

    answer = engine.end()
    writer.join()

    assert answer.json["state"] == "succeeded"


def test_a_name_as_long_as_a_folder_may_be_runs(place):
    file = place.file(study("n" * 200), "study.yaml")

    assert place.run(file).json["tasks"][0]["state"] == "succeeded"
