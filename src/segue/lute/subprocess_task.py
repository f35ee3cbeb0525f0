"""The process of a Task: checks its parameters, waits for the word to begin, runs, answers.

``python -m segue.lute.subprocess_task -t Test -c config.yaml`` tries a Task out by hand;
an Executor starts it the same way, with a channel (`segue.lute.channel`).
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import traceback
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from segue.lute.channel import Channel, connect
from segue.lute.config import read_config
from segue.lute.messages import Kind, Message, MessageError
from segue.lute.parameters import TaskParameters, missing_section, read_parameters
from segue.lute.registry import find_task
from segue.lute.result import TaskResult
from segue.lute.task import Task, staged_environment
from segue.model.errors import SegueError, UserError

FAILED: Final = 1
WRONG_INPUT: Final = 2


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one Task; return its exit code."""
    options = _parser().parse_args(arguments)
    channel = connect()
    try:
        task_class = find_task(options.task, os.environ)
        rank = _rank() if task_class.uses_mpi else 0
        parameters = _parameters(task_class, options, warns=rank == 0)
        if not _may_begin(channel, parameters, rank):
            return FAILED
        result = _run(task_class, parameters, channel)
        if result is not None and rank == 0:
            _answer(channel, result, parameters)
        return 0
    except SegueError as error:
        sys.stderr.write(f"{error}\n")
        _fail(channel, str(error))
        return WRONG_INPUT if isinstance(error, UserError) else FAILED
    except Exception as error:
        traceback.print_exc()
        _fail(channel, f"{type(error).__name__}: {error}")
        return FAILED


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="subprocess_task", description="Run one Task without its Executor."
    )
    parser.add_argument("-t", "--task", required=True, help="the name of the Task: Test")
    parser.add_argument("-c", "--config", required=True, help="the config YAML")
    parser.add_argument("--suffix", default="", help="of a sweep's instance: _0, _1 ...")
    parser.add_argument(
        "--values", default="{}", help="values that win over those of the section, as JSON"
    )
    return parser


def _parameters(
    task: type[Task[Any]], options: argparse.Namespace, *, warns: bool
) -> TaskParameters:
    config = read_file(options.config)
    section = task.name() + options.suffix
    if section not in config.sections:
        section = task.name()
    for warning in (*config.warnings, missing_section(config, section)):
        if warning is not None and warns:
            sys.stderr.write(f"{warning}\n")
    model = task.parameters_model
    return read_parameters(model, config, section, os.environ, read_values(options.values))


def read_values(text: str) -> dict[str, Any]:
    """Return the values of one instance of a sweep.

    Raises
    ------
    UserError
        If the text is no JSON object.

    Examples
    --------
    >>> read_values('{"num_arrays": 5}')
    {'num_arrays': 5}
    """
    try:
        values = json.loads(text)
    except ValueError as error:
        raise UserError(f"--values {text[:80]!r} is no JSON: {error}") from error
    if not isinstance(values, dict):
        raise UserError(f"--values {text[:80]!r} is no JSON object", "write '{\"name\": 1}'")
    return values


def read_file(path: str) -> Any:
    """Return the config in a file.

    Raises
    ------
    UserError
        If it cannot be read.
    """
    try:
        text = Path(path).read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
        raise UserError(f"the config {path} cannot be read: {reason}", "give it with -c") from error
    return read_config(text, path, os.environ)


def _rank() -> int:
    """Return the number of this process among those of its MPI Task."""
    from mpi4py import MPI  # type: ignore[import-not-found,unused-ignore]

    return int(MPI.COMM_WORLD.Get_rank())


def _barrier() -> None:
    from mpi4py import MPI  # type: ignore[import-not-found,unused-ignore]

    MPI.COMM_WORLD.Barrier()


def _may_begin(channel: Channel | None, parameters: TaskParameters, rank: int) -> bool:
    """Say that the Task has started, and wait until what comes before it is done."""
    if channel is None or rank:
        return True
    content = {
        "parameters": json.loads(parameters.model_dump_json()),
        "result": parameters.result_of_parameters(),
        "summary": parameters.result_summary,
        "impl_schemas": parameters.impl_schemas,
    }
    channel.send(Message(Kind.STARTED, content))
    return channel.wait_for(Kind.CONTINUE) is not None


def _run(
    task_class: type[Task[Any]], parameters: TaskParameters, channel: Channel | None
) -> TaskResult | None:
    if task_class.uses_mpi:
        _barrier()
    if parameters.run_directory is not None:
        try:
            os.chdir(parameters.run_directory)
        except OSError as error:
            message = f"cannot run in {parameters.run_directory}: {error.strerror}"
            raise UserError(message, "see run_directory of the Task's model") from error
    os.environ.update(staged_environment(os.environ))
    return task_class(parameters, channel).run()


def _answer(channel: Channel | None, result: TaskResult, parameters: TaskParameters) -> None:
    if channel is None:
        sys.stdout.write(f"{result.summary}\n")
        return
    try:
        channel.send(Message(Kind.RESULT, result.as_json()))
    except MessageError:
        # A result that is no JSON value is kept as the text that Python makes of it.
        values = result.as_json()
        values["payload"], values["summary"] = str(result.payload), str(result.summary)
        channel.send(Message(Kind.RESULT, values))


def _fail(channel: Channel | None, message: str) -> None:
    if channel is not None and channel.open:
        channel.send(Message(Kind.FAILED, message))


if __name__ == "__main__":
    sys.exit(main())
