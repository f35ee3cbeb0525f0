"""Whether a task still does what it did: which parts of its definition matter to its results.

What matters is *what* is run and where its files are; not how much of a machine is asked
for, nor how often it is tried. Files that a task reads are not looked at.
"""

from __future__ import annotations

import re
from typing import Final

from segue.model.workflow import Action, Script, Task

#: Lines at the head of a script that speak to a batch system, not to the shell.
DIRECTIVES: Final = ("#SBATCH", "#BSUB", "#flux:", "#FLUX:", "#PBS", "#MAESTRO-INFO")
#: What such a line can say that is no matter of how much or where: it decides what is done.
_SAYS_WHAT: Final = re.compile(r"--(?:array|chdir|cwd|env|export|export-file|input)\b|\s-[aDi]\b")
#: Fields of a task that matter as they are. `trigger` decides whether it runs at all.
_PLAIN: Final = (
    "environment", "clear_environment", "parameters", "trigger", "generator", "workers",
)  # fmt: skip


def differences(before: Task, after: Task, *, restarted: bool = False) -> list[str]:
    r"""Return the names of the fields whose difference can change what the task does.

    `restarted`: the restart script had its part in what `before` did. Needs and workdir
    are not compared: what they mean depends on the run.

    Examples
    --------
    >>> from dataclasses import replace
    >>> from segue.model.workflow import Resources, Retry
    >>> fit = Task("fit", Script("#SBATCH --time=5\nfit A\n"))
    >>> longer = replace(fit, action=Script("#SBATCH --time=9\nfit A\n"))
    >>> differences(fit, replace(longer, resources=Resources(nodes=2), retry=Retry(3)))
    []
    >>> differences(fit, replace(fit, action=Script("fit B\n"), parameters={"X": 1}))
    ['action', 'parameters']
    """
    changed = [] if same_action(before.action, after.action) else ["action"]
    if restarted and not same_action(before.restart, after.restart):
        changed.append("restart")
    changed += [name for name in _PLAIN if getattr(before, name) != getattr(after, name)]
    return changed


def same_action(before: Action | None, after: Action | None) -> bool:
    """Tell whether two actions do the same; the name that a script's file has is no matter."""
    if isinstance(before, Script) and isinstance(after, Script):
        same_text = without_directives(before.text) == without_directives(after.text)
        return before.shell == after.shell and same_text
    return before == after


def without_directives(text: str) -> str:
    r"""Return a script without the lines at its head that only a batch system reads.

    Batch systems stop reading at the first line that is neither empty nor a comment. What
    comes behind is the shell's, whatever it looks like.

    Examples
    --------
    >>> without_directives("#!/bin/sh\n#SBATCH -N 4\n\nrun\n#SBATCH -N 8\n")
    '#!/bin/sh\n\nrun\n#SBATCH -N 8\n'
    >>> without_directives("#SBATCH --array=1-9\nrun\n")
    '#SBATCH --array=1-9\nrun\n'
    """
    lines = text.splitlines(keepends=True)
    for number, line in enumerate(lines):
        if line.strip() and not line.lstrip().startswith("#"):
            head, rest = lines[:number], lines[number:]
            break
    else:
        head, rest = lines, []
    return "".join([line for line in head if not _is_how(line)] + rest)


def _is_how(line: str) -> bool:
    return line.lstrip().startswith(DIRECTIVES) and not _SAYS_WHAT.search(line)
