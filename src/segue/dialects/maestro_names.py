"""Names and directories of step instances (specification 2.3)."""

from __future__ import annotations

import string
from hashlib import blake2b
from typing import Final

#: What file systems take as one part of a path; the kept characters have one byte each.
PART_LIMIT: Final = 255
#: Room that a file's name leaves for what stands behind it: `.restart.slurm.sh`, `.<pid>.out`.
_ENDING_ROOM: Final = 40
_KEPT: Final = frozenset("-_.() " + string.ascii_letters + string.digits)


def sanitise(text: str) -> str:
    """Return the text as part of a path: other characters go, blanks become ``_``.

    Examples
    --------
    >>> sanitise("NAME.a/b c"), sanitise("See you, later")
    ('NAME.ab_c', 'See_you_later')
    """
    if text.isascii() and text.isalnum():
        return text
    return "".join(each for each in text if each in _KEPT).replace(" ", "_")


def fitting(part: str, limit: int = PART_LIMIT) -> str:
    """Return the part of a path, cut if it is longer than `limit`, and still its own.

    Examples
    --------
    >>> fitting("short"), fitting("x" * 300, limit=20)
    ('short', 'xxxxxxxxxxx~b12499e1')
    """
    if len(part) <= limit:
        return part
    return f"{part[: limit - 9]}~{blake2b(part.encode(), digest_size=4).hexdigest()}"


def file_name(nickname: str) -> str:
    """Return what the names of an instance's files begin with.

    Examples
    --------
    >>> file_name("run_DIR.a/b")
    'run_DIR.ab'
    """
    return fitting(sanitise(nickname), PART_LIMIT - _ENDING_ROOM)


def instance_name(step: str, label: str) -> str:
    """Return the name of the instance of a step with a label string, or the step's own.

    Examples
    --------
    >>> instance_name("sim", "SIZE.10"), instance_name("sim", "")
    ('sim_SIZE.10', 'sim')
    """
    return f"{step}_{label}" if label else step


def hashed_name(step: str, rank: int, count: int) -> str:
    """Return the short name of the instance, counted from 0, as ``--hashws`` gives it.

    Examples
    --------
    >>> hashed_name("sim", 3, 12)
    'sim_instance_03'
    """
    width = len(str(count - 1))
    return f"{step}_instance_{rank:0{width}d}"


def directory(step: str, part: str = "") -> str:
    """Return the workspace, relative to the study's directory.

    Examples
    --------
    >>> directory("sim", "SIZE.10"), directory("build")
    ('sim/SIZE.10', 'build')
    """
    outer, inner = fitting(sanitise(step)), fitting(sanitise(part))
    return f"{outer}/{inner}" if inner else outer


def why_unusable(path: str) -> str:
    """Return what makes a workspace unusable, or ``""``.

    Examples
    --------
    >>> why_unusable("sim/..")
    'it would lie outside of its own directory'
    """
    for part in path.split("/"):
        if not part:
            return "none of its characters may stand in a directory's name"
        if part in (".", ".."):
            return "it would lie outside of its own directory"
    return ""
