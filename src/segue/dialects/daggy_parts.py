"""What the model makes of a Daggy job whose placeholders have been filled.

Owns how the fields of all executors become one command, one request for resources
and one set of options, and how a command string is split. Knows no parameters.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

from segue.dialects.daggy_job import Job
from segue.dialects.json_fields import BAD, Reader, read_seconds, read_signed, read_whole
from segue.dialects.json_text import Findings, Pointer
from segue.model.errors import shorten
from segue.model.workflow import EMPTY, NO_RESOURCES, Action, Argv, Resources

#: Fields whose value is for one batch system alone: handed on as they are.
_OPTIONS: Final = ("userID", "user", "tmpDir", "logdir")


class JobParts(NamedTuple):
    """What the model makes of one job: the fields of a `Task` that come from it."""

    action: Action
    workdir: str | None = None
    timeout_s: float | None = None
    resources: Resources = NO_RESOURCES
    priority: int = 0
    options: Mapping[str, Any] = EMPTY
    environment: Mapping[str, str | None] = EMPTY
    clear_environment: bool = False
    pool: str = ""


@dataclass(slots=True)
class JobBuilder:
    """Turns jobs whose placeholders have been filled into parts of tasks.

    Equal commands, resources and options become one object: 100,000 tasks that
    run one program hold its command once.
    """

    findings: Findings
    _commands: dict[tuple[str, ...], JobParts] = field(default_factory=dict)
    _resources_known: dict[Any, Resources] = field(default_factory=dict)
    _options_known: dict[Any, dict[str, Any]] = field(default_factory=dict)

    def parts(self, job: Job, task: str, place_of: Callable[[str], Pointer]) -> JobParts | None:
        """Return the parts of `job`; None after an error, which `place_of` a field places."""
        plain = self._command(job, task, place_of)
        if plain is None or len(job) == 1:
            return plain
        numbers = self._numbers(job, task, place_of)
        if numbers is None:
            return None
        limit = numbers.get("timeLimitSeconds") or None
        return JobParts(
            action=plain.action,
            workdir=job.get("workDir"),
            # To Daggy a time of 0 means "no limit".
            timeout_s=numbers.get("timeout") or limit,
            resources=self._resources(numbers, limit),
            priority=numbers.get("priority", 0),
            options=self._options(job),
            environment=job.get("environment") or EMPTY,
            clear_environment=job.get("clearEnvironment", False),
            pool=job.get("pool", ""),
        )

    def _command(self, job: Job, task: str, place_of: Callable[[str], Pointer]) -> JobParts | None:
        if "command" in job:
            words = tuple(job["command"])
            if "commandString" in job:
                message = f"task {shorten(task)!r} has both 'command' and 'commandString'"
                self.findings.error(
                    "two_commands", message, place_of("commandString"), "keep one", at_key=True
                )
                return None
            name = "command"
        elif "commandString" in job:
            name = "commandString"
            try:
                words = split_command(job[name])
            except ValueError as error:
                message = f"cannot split {shorten(job[name])!r} into words: {error}"
                self.findings.error("bad_command_string", message, place_of(name))
                return None
        else:
            message = f"task {shorten(task)!r} has no command"
            hint = 'give its job a "command": ["program", "argument"] or a "commandString"'
            self.findings.error("no_command", message, place_of(""), hint, at_key=True)
            return None
        if not words or not words[0]:
            message = f"the command of {shorten(task)!r} names no program"
            self.findings.error("empty_command", message, place_of(name))
            return None
        known = self._commands.get(words)
        if known is None:
            known = self._commands[words] = JobParts(Argv(words))
        return known

    def _numbers(
        self, job: Job, task: str, place_of: Callable[[str], Pointer]
    ) -> dict[str, Any] | None:
        """Return the numeric fields as numbers, those that came from parameters too."""
        numbers: dict[str, Any] = {}
        for name in _NUMERIC:
            if name in job:
                numbers[name] = self._number(job[name], _NUMERIC[name], name, task, place_of)
        for name, value in job.get("resources", EMPTY).items():
            numbers[f"resources/{name}"] = self._number(
                value, read_whole, "resources", task, place_of
            )
        return None if BAD in numbers.values() else numbers

    def _number(
        self,
        value: Any,
        reader: Reader,
        name: str,
        task: str,
        place_of: Callable[[str], Pointer],
    ) -> Any:
        if type(value) is not str:
            return value
        scratch = Findings("", "")
        number = reader(value, (name,), scratch)
        if number is BAD:
            said = scratch.found[0].problem.message
            self.findings.error("wrong_type", f"{said} (in task {shorten(task)!r})", place_of(name))
        return number

    def _resources(self, numbers: Mapping[str, Any], limit: float | None) -> Resources:
        """Return what the three executors' fields ask for: the larger one of two."""
        asked = {
            name.removeprefix("resources/"): value
            for name, value in numbers.items()
            if name.startswith("resources/")
        }
        cores = _largest(numbers, "cores", "minCPUs", "resources/cores")
        memory = _largest(numbers, "memoryMB", "minMemoryMB", "resources/memoryMB")
        other = {name: asked[name] for name in asked if name not in ("cores", "memoryMB", "gpus")}
        disk = numbers.get("minTmpDiskMB")
        key = (cores, memory, asked.get("gpus"), disk, limit, *other.items())
        known = self._resources_known.get(key)
        if known is None:
            known = Resources(
                # Daggy's tasks are one process each; its cores are those of the process.
                processes=1 if cores else None,
                cores_per_process=cores or None,
                gpus=asked.get("gpus"),
                memory_mb=memory,
                disk_mb=disk,
                walltime_s=math.ceil(limit) if limit else None,
                other=other or EMPTY,
            )
            self._resources_known[key] = known
        return known

    def _options(self, job: Job) -> Mapping[str, Any]:
        options: dict[str, Any] = {name: job[name] for name in _OPTIONS if name in job}
        if not options:
            return EMPTY
        return self._options_known.setdefault(tuple(options.items()), options)


_NUMERIC: Final[dict[str, Reader]] = {
    "timeout": read_seconds,
    "timeLimitSeconds": read_seconds,
    "cores": read_whole,
    "memoryMB": read_whole,
    "minCPUs": read_whole,
    "minMemoryMB": read_whole,
    "minTmpDiskMB": read_whole,
    "priority": read_signed,
}


def _largest(numbers: Mapping[str, Any], *names: str) -> Any:
    return max((numbers[name] for name in names if name in numbers), default=None)


def split_command(text: str) -> tuple[str, ...]:
    """Return the words of a command string, split by the quoting rules of a POSIX shell.

    As `shlex.split`, which takes the square of a word's length: hours for one
    quoted word of ten million characters.

    Raises
    ------
    ValueError
        If a quote is not closed, or nothing stands behind the last backslash.

    Examples
    --------
    >>> split_command('/bin/echo "two words" one')
    ('/bin/echo', 'two words', 'one')
    """
    words: list[str] = []
    parts: list[str] = []
    end = 0
    for match in _PIECE.finditer(text):
        if match.start() != end:
            break
        end = match.end()
        if match.lastgroup == "blank":
            if parts:
                words.append("".join(parts))
                parts = []
        elif match.lastgroup == "double":
            parts.append(_ESCAPE_IN_QUOTES.sub(r"\1", match["double"]))
        else:
            parts.append(match[match.lastgroup or 0])
    if end != len(text):
        if text[end] == "\\":
            raise ValueError("nothing stands behind the last backslash")
        raise ValueError("a quote is not closed")
    if parts:
        words.append("".join(parts))
    return tuple(words)


_PIECE: Final = re.compile(
    r"""(?P<blank>[ \t\r\n]++)
      | (?P<plain>[^ \t\r\n'"\\]++)
      | '(?P<single>[^']*+)'
      | "(?P<double>(?:[^"\\]++|\\.)*+)"
      | \\(?P<escaped>.)""",
    re.VERBOSE | re.DOTALL,
)
#: Inside double quotes a backslash takes the meaning of these two only.
_ESCAPE_IN_QUOTES: Final = re.compile(r"""\\(["\\])""")
