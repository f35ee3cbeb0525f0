"""The options of sbatch: which there are, and which a user's own may not be. Pure.

Users give options verbatim: in the ``#SBATCH`` lines of a script, and as `slurm_params`
of a LUTE step. Most pass through as they are. A few belong to us, because a job that has
them could not be followed (`OWNED`).
"""

from __future__ import annotations

import getpass
import re
import shlex
from collections.abc import Iterable, Sequence
from typing import Final, NamedTuple

from segue.executors.batch_request import OptionError

#: Long options without a value, and those whose value is optional (only after ``=``).
#: Source: sbatch --help of Slurm 22.05 and the manual of 24.11.
_FLAGS: Final = frozenset(
    {
        "contiguous", "disable-stdout-job-summary", "exclusive", "get-user-env", "help",
        "hold", "ignore-pbs", "nice", "no-kill", "no-requeue", "overcommit",
        "oversubscribe", "parsable", "propagate", "quiet", "reboot", "requeue", "share",
        "spread-job", "stepmgr", "test-only", "usage", "use-min-nodes", "verbose",
        "version", "wait",
    }
)  # fmt: skip
_VALUED: Final = frozenset(
    {
        "account", "acctg-freq", "array", "batch", "bb", "bbf", "begin", "chdir", "cluster",
        "cluster-constraint", "clusters", "comment", "constraint", "container",
        "container-id", "core-spec", "cores-per-socket", "cpu-freq", "cpus-per-gpu",
        "cpus-per-task", "deadline", "delay-boot", "dependency", "distribution", "error",
        "exclude", "export", "export-file", "extra", "extra-node-info", "gid", "gpu-bind",
        "gpu-freq", "gpus", "gpus-per-node", "gpus-per-socket", "gpus-per-task", "gres",
        "gres-flags", "hint", "input", "job-name", "kill-on-invalid-dep", "licenses",
        "mail-type", "mail-user", "mcs-label", "mem", "mem-bind", "mem-per-cpu",
        "mem-per-gpu", "mincpus", "network", "nodefile", "nodelist", "nodes", "ntasks",
        "ntasks-per-core", "ntasks-per-gpu", "ntasks-per-node", "ntasks-per-socket",
        "open-mode", "output", "partition", "power", "prefer", "priority", "profile", "qos",
        "reservation", "resv-ports", "segment", "signal", "sockets-per-node", "switches",
        "thread-spec", "threads-per-core", "time", "time-min", "tmp", "tres-bind",
        "tres-per-task", "uid", "wckey", "wrap", "workdir",
    }
)  # fmt: skip
_SHORT: Final = {
    "a": "array", "A": "account", "b": "begin", "B": "extra-node-info", "c": "cpus-per-task",
    "C": "constraint", "d": "dependency", "D": "chdir", "e": "error", "F": "nodefile",
    "G": "gpus", "h": "help", "H": "hold", "i": "input", "J": "job-name", "k": "no-kill",
    "L": "licenses", "m": "distribution", "M": "clusters", "n": "ntasks", "N": "nodes",
    "o": "output", "O": "overcommit", "p": "partition", "q": "qos", "Q": "quiet",
    "s": "oversubscribe", "S": "core-spec", "t": "time", "v": "verbose", "V": "version",
    "w": "nodelist", "W": "wait", "x": "exclude",
}  # fmt: skip
#: Options that would break what we promise, and what to do instead.
OWNED: Final = {
    "array": "write a sweep: each instance is a task of its own, and equal ones go out as an array",
    "chdir": "a task runs in its own directory",
    "clusters": "set SLURM_CONF to the other cluster's configuration for the whole run",
    "cluster": "set SLURM_CONF to the other cluster's configuration for the whole run",
    "gid": "start segue as the user who shall own the jobs",
    "help": "leave it out",
    "parsable": "leave it out",
    "requeue": "retries are counted here: leave it out",
    "test-only": "'segue run --plan' shows what would run",
    "uid": "start segue as the user who shall own the jobs",
    "usage": "leave it out",
    "version": "leave it out",
    "wait": "segue waits for the job by itself",
    "workdir": "a task runs in its own directory",
    "wrap": "the task says what is run",
}
#: Options whose values we take over and give ourselves.
TAKEN: Final = ("comment", "error", "job-name", "output")

_PATTERN: Final = re.compile(r"%(\d*)([a-zA-Z%])")


class Option(NamedTuple):
    """One option of a command line; `words` is how it was written."""

    name: str
    value: str | None
    words: tuple[str, ...]


def parse_options(words: Sequence[str]) -> tuple[Option, ...]:
    """Return the options in the words, as getopt would find them.

    Raises
    ------
    OptionError
        If a word is no option, is not known, or has no value behind it.

    Examples
    --------
    >>> [option[:2] for option in parse_options(["-n4", "--part=main", "-t", "5", "--exclusive"])]
    [('ntasks', '4'), ('partition', 'main'), ('time', '5'), ('exclusive', None)]
    """
    options = []
    rest = list(words)
    while rest:
        word = rest.pop(0)
        if word.startswith("--") and len(word) > 2:
            options.append(_long(word, rest))
        elif word.startswith("-") and len(word) > 1 and word != "--":
            options += _short(word, rest)
        else:
            raise OptionError(f"{word!r} is no option of sbatch; the task says what is run")
    return tuple(options)


def _long(word: str, rest: list[str]) -> Option:
    given, equals, value = word[2:].partition("=")
    name = _full_name(given)
    if name in _FLAGS or equals:
        return Option(name, value if equals else None, (word,))
    if not rest:
        raise OptionError(f"--{name} needs a value")
    value = rest.pop(0)
    return Option(name, value, (word, value))


def _short(word: str, rest: list[str]) -> list[Option]:
    options = []
    letters = word[1:]
    while letters:
        letter, letters = letters[0], letters[1:]
        name = _SHORT.get(letter)
        if name is None:
            raise OptionError(f"sbatch has no option -{letter}")
        if name in _FLAGS:
            options.append(Option(name, None, (f"-{letter}",)))
            continue
        if not letters and not rest:
            raise OptionError(f"-{letter} needs a value")
        value = letters or rest.pop(0)
        options.append(Option(name, value, (f"-{letter}", value)))
        break
    return options


def _full_name(given: str) -> str:
    """Return the option of that name or unique beginning of one, as getopt does."""
    known = _FLAGS | _VALUED
    if given in known:
        return given
    found = [name for name in known if name.startswith(given)]
    if len(found) == 1:
        return found[0]
    said = f"it may be {', '.join(f'--{name}' for name in sorted(found))}" if found else ""
    raise OptionError(f"sbatch has no option --{given}" + (f": {said}" if said else ""))


def check_owned(options: Iterable[Option]) -> None:
    """Raise `OptionError` for an option that is ours alone."""
    for option in options:
        if option.name in OWNED:
            shown = " ".join(option.words)
            raise OptionError(f"{shown!r} cannot be passed on to sbatch; {OWNED[option.name]}")


#: Options of which Slurm takes only one.
_EITHER: Final = ("mem", "mem-per-cpu", "mem-per-gpu")


def merged(defaults: Sequence[Option], own: Sequence[Option]) -> tuple[Option, ...]:
    """Return `own` options, before them those of the defaults that they do not give.

    Examples
    --------
    >>> defaults = parse_options(["--partition=main", "-n4", "--mem=2G"])
    >>> own = parse_options(["--ntasks=8", "--mem-per-cpu=1G"])
    >>> [option.words for option in merged(defaults, own)]
    [('--partition=main',), ('--ntasks=8',), ('--mem-per-cpu=1G',)]
    """
    given = {_kind(option) for option in own}
    return (*(option for option in defaults if _kind(option) not in given), *own)


def _kind(option: Option) -> str:
    return _EITHER[0] if option.name in _EITHER else option.name


def header_lines(text: str) -> tuple[str, ...]:
    r"""Return the ``#SBATCH`` lines that sbatch would read: those before the first command.

    Examples
    --------
    >>> header_lines("#!/bin/sh\n#SBATCH -n 4\n\n# x\n#SBATCH -N 1\ntrue\n#SBATCH -p x\n")
    ('#SBATCH -n 4', '#SBATCH -N 1')
    """
    lines = []
    for line in text.splitlines():
        if line.startswith("#SBATCH"):
            lines.append(line)
        elif line.strip() and not line.startswith("#"):
            break
    return tuple(lines)


def header_options(lines: Iterable[str]) -> tuple[Option, ...]:
    """Return the options in ``#SBATCH`` lines; what follows a ``#`` is a comment.

    A line that we cannot read passes as it is: sbatch will say what is wrong with it.
    """
    options: list[Option] = []
    for line in lines:
        try:
            options += parse_options(shlex.split(line.removeprefix("#SBATCH"), comments=True))
        except (OptionError, ValueError):
            continue
    return tuple(options)


def value_of(options: Iterable[Option], name: str) -> str:
    """Return the last value of that option; empty without one."""
    values = [option.value or "" for option in options if option.name == name]
    return values[-1] if values else ""


def output_name(pattern: str, job_name: str) -> str:
    """Return a pattern of --output as a name in which ``{job_id}`` stands for the job's id.

    Raises
    ------
    OptionError
        If the pattern holds a field that has no meaning for a job of ours.

    Examples
    --------
    >>> output_name("slurm-%J_%x.out", "fit"), output_name("100%%", "fit")
    ('slurm-{job_id}_fit.out', '100%')
    """
    if pattern.startswith("\\"):
        return pattern[1:]
    return _PATTERN.sub(lambda match: _field(match, pattern, job_name), pattern)


def _field(match: re.Match[str], pattern: str, job_name: str) -> str:
    match match[2]:
        case "%":
            return "%"
        case "j" | "J" | "A":
            return "{job_id}"
        case "x":
            return job_name.replace("/", "_")
        case "u":
            return getpass.getuser()
        case other:
            raise OptionError(f"%{other} in the name {pattern!r} has no meaning here; %j has")


def escaped(path: str) -> str:
    """Return a path as --output takes it literally.

    Examples
    --------
    >>> escaped("/work/100%/out")
    '/work/100%%/out'
    """
    return path.replace("%", "%%")
