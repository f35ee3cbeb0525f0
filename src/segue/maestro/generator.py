"""Parameters made by a Python file of the user's (``--pgen``), run in a process of its own.

The user's code can hang, crash, print or change directories without harm to us. What it
answers replaces the study's `global.parameters`; the dialect reads it from
`Source.options["generated_parameters"]`.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from segue.model.errors import Problem, UserError, WorkflowError, shorten
from segue.model.location import Place

#: How long a generator may take, in seconds, unless `SEGUE_PGEN_TIMEOUT_S` says otherwise.
TIMEOUT_S: Final = 600.0
_PROGRAM: Final = Path(__file__).with_name("generator_process.py")


def generator_arguments(words: Sequence[str]) -> dict[str, str]:
    """Return the values of ``--pargs NAME:VALUE``; of a name given twice the last one counts.

    Raises
    ------
    UserError
        If a word holds no colon.

    Examples
    --------
    >>> generator_arguments(["SEED:7", " FILE : a:b "])
    {'SEED': '7', 'FILE': 'a:b'}
    """
    found = {}
    for word in words:
        name, colon, value = word.partition(":")
        if not colon:
            raise UserError(
                f"--pargs {shorten(word)!r} is not of the form NAME:VALUE",
                "put a colon between the name and the value",
            )
        found[name.strip()] = value.strip()
    return found


def generate(
    path: str,
    arguments: Mapping[str, str],
    env: Mapping[str, Any],
    *,
    output_path: str,
    spec_root: str,
) -> list[dict[str, Any]]:
    """Return the parameters that the file at `path` generates.

    Parameters
    ----------
    path
        The user's file, which defines ``get_custom_generator(env, **kwargs)``.
    arguments
        Handed over as keyword arguments, beside `OUTPUT_PATH` and `SPECROOT`.
    env
        Names and values of the study's `env`, for ``env.find(NAME)``.
    output_path
        The study's directory, handed over as text.
    spec_root
        The directory of the study's file, handed over as an object with a `value`.

    Returns
    -------
    list
        One object a parameter: its `name`, and `values`, `labels`, `names` of each combination.

    Raises
    ------
    WorkflowError
        If the file cannot be run, fails, or takes too long; with the line where it failed.
    """
    path = os.path.abspath(path)
    if not os.path.isfile(path):
        raise _wrong(path, 1, "cannot be read: there is no such file", "give a Python file")
    request = {
        "path": path,
        "arguments": dict(arguments),
        "env": dict(env),
        "output_path": output_path,
        "spec_root": spec_root,
    }
    with tempfile.TemporaryDirectory(prefix="segue-pgen-") as folder:
        request_file, answer_file = Path(folder, "request"), Path(folder, "answer")
        request_file.write_text(json.dumps(request), "utf-8")
        status = _run([_python(), str(_PROGRAM), str(request_file), str(answer_file)], path)
        try:
            answer = json.loads(answer_file.read_text("utf-8"))
        except (OSError, ValueError) as error:
            how = f"signal {-status}" if status < 0 else f"exit code {status}"
            message = f"the generator ended without an answer ({how})"
            hint = "it must return a ParameterGenerator; what it printed stands above"
            raise _wrong(path, 1, message, hint) from error
    if "error" in answer:
        raise _failed(path, answer["error"])
    parameters: list[dict[str, Any]] = answer["parameters"]
    return parameters


def _run(command: list[str], path: str) -> int:
    """Run the program, what it prints going to our stderr; return its exit status."""
    limit_s = _timeout_s()
    try:
        # A session of its own, so that what it has started can be stopped with it.
        child = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=2, start_new_session=True
        )
    except OSError as error:
        message = f"{command[0]} cannot be started: {error.strerror}"
        raise UserError(message, "SEGUE_PGEN_PYTHON names the Python for generators") from error
    try:
        return child.wait(limit_s)
    except subprocess.TimeoutExpired as error:
        message = f"the generator has not ended after {limit_s:g} s"
        hint = "SEGUE_PGEN_TIMEOUT_S=SECONDS gives it more time"
        raise _wrong(path, 1, message, hint) from error
    finally:
        if child.returncode is None:
            os.killpg(child.pid, signal.SIGKILL)
            child.wait()


def _python() -> str:
    return os.environ.get("SEGUE_PGEN_PYTHON") or sys.executable


def _timeout_s() -> float:
    given = os.environ.get("SEGUE_PGEN_TIMEOUT_S", "")
    try:
        limit_s = float(given) if given else TIMEOUT_S
    except ValueError:
        limit_s = 0.0
    if not 0 < limit_s < 1e9:
        raise UserError(
            f"SEGUE_PGEN_TIMEOUT_S is {shorten(given)!r}", "give a number of seconds above 0"
        )
    return limit_s


def _failed(path: str, error: Mapping[str, Any]) -> WorkflowError:
    hint = "its traceback stands above"
    if error["missing"]:
        hint = (
            f"install {error['missing']} for {_python()}, or let SEGUE_PGEN_PYTHON name "
            "a Python that has it"
        )
    message = f"the generator failed: {error['kind']}: {shorten(error['message'], 300)}"
    return _wrong(path, int(error["line"]), message, hint)


def _wrong(path: str, line: int, message: str, hint: str) -> WorkflowError:
    return WorkflowError([Problem("generator_failed", message, Place(path, line, 1), hint)])
