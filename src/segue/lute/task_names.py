"""Which Task a managed Task runs: of our own registry, or of a checkout of LUTE.

Workflows name managed Tasks (`Tester`), configs have a section for each Task (`Test`). Of a
checkout only the text of its `managed_tasks.py` is read: to import it takes its environment.
"""

from __future__ import annotations

import ast
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from segue.model.errors import UserError

#: Where a checkout has its managed Tasks.
_MODULE: Final = "lute/managed_tasks.py"


def own_names(environment: Mapping[str, str]) -> dict[str, str]:
    """Return the Task's name for each managed Task that our Executors can run.

    Raises
    ------
    UserError
        If a module of Tasks cannot be used, or what they need is not installed.
    """
    try:
        from segue.lute.registry import managed_tasks
    except ImportError as error:
        raise UserError(
            f"managed Tasks need a package that is not installed: {error.name}",
            "pip install 'segue[lute]', or run those of a LUTE checkout with --lute-path",
        ) from error
    return {name: each.task.name() for name, each in managed_tasks(environment).items()}


def names_of_checkout(lute_path: str) -> dict[str, str]:
    """Return the Task's name for each managed Task of a checkout of LUTE.

    Raises
    ------
    UserError
        If there is no checkout, or its managed Tasks cannot be read.
    """
    path = Path(lute_path, _MODULE)
    try:
        return names_in(path.read_text("utf-8"))
    except OSError as error:
        raise UserError(
            f"{lute_path} is no checkout of LUTE: {path} cannot be read ({error.strerror})",
            "--lute-path names the folder that holds run_task.py",
        ) from error
    except (SyntaxError, ValueError) as error:
        raise UserError(f"{path} is not Python that can be read: {error}") from error


def names_in(text: str) -> dict[str, str]:
    r"""Return the Task's name for each managed Task in the text of a module.

    A managed Task is a variable that is assigned a call whose first argument, or
    `task_name`, is a text: ``Tester: Executor = Executor("Test")``.

    Raises
    ------
    SyntaxError
        If the text is not Python.

    Examples
    --------
    >>> names_in('A: Executor = Executor("RunA")\nB = MPIExecutor(task_name="RunB")\nA.x(1)\n')
    {'A': 'RunA', 'B': 'RunB'}
    """
    found = {}
    for statement in ast.parse(text).body:
        match statement:
            case ast.AnnAssign(target=ast.Name(id=name), value=ast.Call() as call):
                task = _task_of(call)
            case ast.Assign(targets=[ast.Name(id=name)], value=ast.Call() as call):
                task = _task_of(call)
            case _:
                continue
        if task:
            found[name] = task
    return found


def _task_of(call: ast.Call) -> str:
    named = [word.value for word in call.keywords if word.arg == "task_name"]
    for value in (*call.args[:1], *named):
        if isinstance(value, ast.Constant) and isinstance(value.value, str):
            return value.value
    return ""
