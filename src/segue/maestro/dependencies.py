"""A study's dependencies, made ready before it starts: paths looked for, repositories cloned.

The dialect has read what there is to do into `Workflow.context` (`paths` and `git`); this
module does it. All that can be checked is checked before the first repository is cloned.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from segue.model.errors import OutsideError, Problem, UserError, WorkflowError, shorten
from segue.model.location import Place

#: How `git checkout` is told what to take, by the key of the study.
_CHECKOUTS: Final = {"tag": "tags/{}", "branch": "{}", "hash": "{}"}


def acquire(
    context: Mapping[str, Any],
    *,
    keep: bool = False,
    say: Callable[[str], None] = lambda message: None,
) -> None:
    """Make sure that all dependencies of a study are there.

    Parameters
    ----------
    context
        The context of the study's workflow.
    keep
        A clone that is there already, of the same repository, is kept as it is: for a
        study that goes on in its old directory. Otherwise whatever is there is refused.
    say
        Told what is being cloned.

    Raises
    ------
    WorkflowError
        With all paths that do not exist, targets that are taken, and checkouts that a
        repository does not have.
    OutsideError
        If a repository cannot be reached.
    """
    gits: Sequence[Mapping[str, Any]] = context.get("git", [])
    wanted = [each for each in gits if not (keep and _is_clone_of(each))]
    problems = [*_missing_paths(context.get("paths", [])), *_taken_targets(wanted)]
    if problems:
        raise WorkflowError(problems)
    if wanted and shutil.which("git") is None:
        hint = "install git, or clone it yourself and name it under env.dependencies.paths"
        raise UserError(f"the study needs {wanted[0]['url']}, and there is no git here", hint)
    for each in wanted:
        _check_connection(each)
    for each in wanted:
        say(f"cloning {each['url']} into {each['path']}")
        _clone(each)


def _missing_paths(paths: Sequence[Mapping[str, Any]]) -> list[Problem]:
    return [
        Problem(
            "missing_path",
            f"the path dependency {shorten(each['name'])!r} does not exist: {each['path']}",
            Place(*each["place"]),
            "a relative path is taken from the directory that the study is started in",
        )
        for each in paths
        if not os.path.exists(each["path"])
    ]


def _taken_targets(gits: Sequence[Mapping[str, Any]]) -> list[Problem]:
    return [
        Problem(
            "target_exists",
            f"{each['path']} is there already and is not an empty directory",
            Place(*each["place"]),
            "remove it, clone into another path, or name it under env.dependencies.paths",
        )
        for each in gits
        if not _is_free(Path(each["path"]))
    ]


def _is_free(target: Path) -> bool:
    if target.is_dir():
        return not any(target.iterdir())
    return not os.path.lexists(target)


def _is_clone_of(git: Mapping[str, Any]) -> bool:
    # Asked of the directory itself: git would look for a repository above it as well.
    if not Path(git["path"], ".git").exists():
        return False
    answer = _git(["config", "--get", "remote.origin.url"], git["path"])
    return answer.returncode == 0 and answer.stdout.strip() == git["url"]


def _check_connection(git: Mapping[str, Any]) -> None:
    # After `--`: an address that begins with '-' is no option.
    answer = _git(["ls-remote", "--heads", "--", git["url"]])
    if answer.returncode:
        message = (
            f"the git dependency {shorten(git['name'])!r} cannot be reached at "
            f"{shorten(git['url'], 200)}: {_reason(answer)}"
        )
        hint = "check the address, and that 'git ls-remote' works without a question"
        raise OutsideError(f"{Place(*git['place'])}: {message}", hint)


def _clone(git: Mapping[str, Any]) -> None:
    target = Path(git["path"])
    was_there = target.is_dir()
    done = False
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        answer = _git(["clone", "--quiet", "--", git["url"], str(target)])
        if answer.returncode:
            message = f"{Place(*git['place'])}: cannot clone {git['url']}: {_reason(answer)}"
            raise OutsideError(message, f"is there room, and may you write to {target.parent}?")
        for key, form in _CHECKOUTS.items():
            if key in git:
                _check_out(git, key, form.format(git[key]))
        done = True
    except OSError as error:
        message = f"{Place(*git['place'])}: cannot clone into {target}: {error.strerror}"
        raise OutsideError(message, "choose a path that you can write to") from error
    finally:
        if not done:
            # Half a clone would be in the way of the next start.
            _empty(target, remove=not was_there)


def _check_out(git: Mapping[str, Any], key: str, revision: str) -> None:
    answer = _git(["checkout", "--quiet", revision, "--"], git["path"])
    if answer.returncode:
        message = (
            f"the repository at {shorten(git['url'], 200)} has no {key} "
            f"{shorten(str(git[key]))!r}: {_reason(answer)}"
        )
        hint = f"'git ls-remote {shorten(git['url'], 200)}' lists what it has"
        raise WorkflowError([Problem("unknown_checkout", message, Place(*git["place"]), hint)])


def _empty(folder: Path, *, remove: bool) -> None:
    with contextlib.suppress(OSError):
        for each in folder.iterdir():
            if each.is_dir() and not each.is_symlink():
                shutil.rmtree(each)
            else:
                each.unlink()
        if remove:
            folder.rmdir()


def _git(words: Sequence[str], folder: str = "/") -> subprocess.CompletedProcess[str]:
    """Run git without questions; a password it cannot ask for is an error at once."""
    # GIT_DIR and its like, set by a hook that started us, would turn it to another repository.
    environment = {
        name: value
        for name, value in os.environ.items()
        if name not in ("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE")
    }
    environment |= {"GIT_TERMINAL_PROMPT": "0", "LC_ALL": "C"}
    return subprocess.run(
        ["git", *words],
        cwd=folder,
        env=environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        errors="replace",
        check=False,
    )


def _reason(answer: subprocess.CompletedProcess[str]) -> str:
    """Return git's own words, the last line that says something."""
    lines = [line for line in answer.stderr.splitlines() if line.strip()]
    telling = [line for line in lines if line.startswith(("fatal:", "error:"))]
    said = (telling or lines or [f"git ended with {answer.returncode}"])[0]
    return shorten(said.removeprefix("fatal: ").removeprefix("error: ").strip(), 300)
