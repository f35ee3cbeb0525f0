"""Runs the programs of a batch system: without a shell, with a time limit."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from segue.model.errors import ExecutorError


class Answer(NamedTuple):
    """What a program said; `code` is its exit code."""

    code: int
    output: str
    errors: str

    @property
    def said(self) -> str:
        """The last words on stderr, or on stdout if there are none, in one line."""
        text = self.errors.strip() or self.output.strip()
        return " ".join(line.strip() for line in text.splitlines()[-3:]) or "it said nothing"


class NoAnswerError(ExecutorError):
    """The program was begun and did not answer in time: what it was asked may be done or not."""


def run(
    words: Sequence[str],
    *,
    limit_s: float,
    environment: Mapping[str, str] | None = None,
    workdir: str | None = None,
) -> Answer:
    """Run a program to its end and return what it said.

    Raises
    ------
    NoAnswerError
        If it takes longer than `limit_s` seconds; it is killed then.
    ExecutorError
        If it cannot be started.
    """
    program = os.path.basename(words[0])
    try:
        done = subprocess.run(
            words,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=limit_s,
            env=environment,
            cwd=workdir,
            # A Ctrl-C in our terminal is for us, not for a submission on its way.
            start_new_session=True,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise NoAnswerError(f"{program} has not answered for {limit_s:g} s") from error
    except (OSError, ValueError) as error:
        hint = f"is {program} on the PATH of this process?"
        reason = error.strerror if isinstance(error, OSError) else str(error)
        raise ExecutorError(f"{program} cannot be run: {reason}", hint) from error
    return Answer(
        done.returncode,
        done.stdout.decode("utf-8", "replace"),
        done.stderr.decode("utf-8", "replace"),
    )
