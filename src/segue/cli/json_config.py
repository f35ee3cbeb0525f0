"""Config files in JSON, as the users of Daggy's daemons have them."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from segue.model.errors import Problem, UserError, WorkflowError, did_you_mean
from segue.model.location import Place
from segue.model.workflow import EMPTY

_WORDS: Final = {str: "a text", int: "a whole number", dict: "an object", list: "an array"}
#: A number lies in such a range unless something else is said: most are ports.
_RANGE: Final = (1, 65535)


class ConfigChecks:
    """Collects what is wrong with a config, with the places."""

    def __init__(self, path: str, text: str) -> None:
        self.path = path
        self.text = text
        self.problems: list[Problem] = []

    def fault(self, key: str, message: str, hint: str = "") -> None:
        """Remember what is wrong with the member of that name."""
        found = re.search(rf'"{re.escape(key)}"\s*:', self.text) if key else None
        before = self.text[: found.start()] if found else ""
        line = before.count("\n") + 1
        column = len(before) - (before.rfind("\n") + 1) + 1
        self.problems.append(Problem("bad_config", message, Place(self.path, line, column), hint))

    def kinds(
        self,
        said: Mapping[str, Any],
        kinds: Mapping[str, type],
        ranges: Mapping[str, tuple[int, int]] = EMPTY,
    ) -> None:
        """Check that only these members are there, of these types, with numbers in the ranges."""
        for key, value in said.items():
            if key not in kinds:
                hint = did_you_mean(key, list(kinds)) or f"there are: {', '.join(kinds)}"
                self.fault(key, f"{key!r} is no setting", hint)
            elif type(value) is not kinds[key]:
                self.fault(key, f"{key}: {value!r} is not {_WORDS[kinds[key]]}")
            elif isinstance(value, int) and not _is_within(value, ranges.get(key, _RANGE)):
                self.fault(key, f"{key}: {value} is out of range")
            elif isinstance(value, list) and not all(type(each) is str for each in value):
                self.fault(key, f"{key}: not all of it is text")

    def finish(self) -> None:
        """Raise `WorkflowError` with all that is wrong, if anything is."""
        if self.problems:
            raise WorkflowError(self.problems)


def host_of(said: Mapping[str, Any], loopback: str) -> str:
    """Return the address to listen at: `loopback` unless `ip` says another.

    A name would mean IPv4 or IPv6, as the machine likes; Daggy's users mean the former.
    """
    host: str = said.get("ip", loopback)
    return loopback if host == "localhost" else host


def _is_within(value: int, limits: tuple[int, int]) -> bool:
    return limits[0] <= value <= limits[1]


def read_config(path: str) -> tuple[dict[str, Any], ConfigChecks]:
    """Return what a config file says, and what collects its faults.

    Raises
    ------
    UserError
        If it cannot be read, or is no JSON.
    """
    try:
        text = Path(path).read_text(encoding="utf-8")
        said = json.loads(text)
    except OSError as error:
        raise UserError(f"{path} cannot be read: {error.strerror}") from error
    except json.JSONDecodeError as error:
        place = Place(path, error.lineno, error.colno)
        raise WorkflowError(
            [Problem("bad_json", f"this is no JSON: {error.msg}", place)]
        ) from error
    except (ValueError, RecursionError) as error:
        raise UserError(f"{path} is no JSON text") from error
    checks = ConfigChecks(path, text)
    if not isinstance(said, dict):
        checks.fault("", f"the config is an object, not {said!r}")
        said = {}
    return said, checks
