"""What `submit_launch_slurm.sh` hands to sbatch: a job of one core that runs the launch. Pure.

The launch must not lose its Kerberos ticket when the person who submitted it logs out, and
must not share the copy with another launch, which would remove it when it ends.
"""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from typing import Final

#: Options of the launch that its own job is to have as well, by their short forms.
_SHARED: Final = {"-p": "partition", "-A": "account"}


def shared_options(words: Sequence[str]) -> list[str]:
    """Return partition and account as they stand among the arguments of the launch.

    Examples
    --------
    >>> shared_options(["-c", "c.yaml", "--account=lcls:x", "--ntasks=9", "-p", "milano"])
    ['--partition=milano', '--account=lcls:x']
    """
    found = {}
    for at, word in enumerate(words):
        name, sign, value = word.partition("=")
        name = _SHARED.get(name, name.removeprefix("--") if name.startswith("--") else "")
        if name not in _SHARED.values():
            continue
        if not sign:
            value = words[at + 1] if at + 1 < len(words) else ""
        if value:
            found[name] = value
    return [f"--{name}={found[name]}" for name in _SHARED.values() if name in found]


def launch_script(words: Sequence[str], cache: str = "") -> str:
    """Return the script of the job that runs the launch.

    Parameters
    ----------
    words
        The launch script and its arguments.
    cache
        A copy of the Kerberos cache that is the launch's own: removed when it ends.
    """
    lines = ["#!/bin/bash"]
    if cache:
        lines.append(f"export KRB5CCNAME={shlex.quote(f'FILE:{cache}')}")
        lines.append(f"trap {shlex.quote(f'rm -f {shlex.quote(cache)}')} EXIT")
    # The launch is told too when the job is to end, and cancels its jobs. Without a trap
    # this shell would be gone at once, and the launch with it.
    lines += ["trap : TERM INT", f"{shlex.join(words)} &", "launch=$!"]
    lines += ["wait $launch", "code=$?"]
    # A signal ends a wait, not the launch.
    lines += ["while kill -0 $launch 2>/dev/null; do wait $launch; code=$?; done", "exit $code"]
    return "\n".join(lines) + "\n"
