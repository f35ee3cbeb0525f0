"""The text of the wrapper that a batch system runs in place of the user's program. Pure.

The wrapper claims the attempt's ticket, runs the program in its directory with its
environment, passes signals on, enforces the task's timeout, and leaves an exit record
(see `batch_records`). It needs bash 4.2 and coreutils on the node, and no Python.

What begins with ``segue_`` are shell variables of its own: they are never exported, so
the program sees none of them.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from segue.executors.batch_records import CANNOT_BEGIN, REVOKED

_NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
#: Longer than any job, and every `sleep` can count so far.
_FOR_EVER_S: Final = 1_000_000_000
#: Passed on to the program.
_SIGNALS: Final = "HUP INT QUIT TERM USR1 USR2 XCPU"


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What a wrapper must know of its batch system.

    Attributes
    ----------
    job_id
        Shell text that becomes the job's id as our other commands know it.
    requeued
        Shell condition: the batch system has started this job before.
    node
        Shell text that becomes the name of the node.
    kept
        Glob of variables that a cleared environment keeps: the job's own facts,
        without which a launcher such as `srun` finds no allocation.
    before_program
        Further lines, run in the program's own process before it.
    """

    job_id: str
    requeued: str
    node: str
    kept: str
    before_program: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Work:
    """One attempt as the wrapper sees it; `command` is what is executed."""

    title: str
    ticket: str
    folder: str
    workdir: str
    command: tuple[str, ...]
    bell: str = ""
    environment: Mapping[str, str | None] | None = None
    clear_environment: bool = False
    timeout_s: float | None = None
    grace_s: float = 10.0


def wrapper_text(work: Work, where: Surroundings, header: Sequence[str] = ()) -> str:
    """Return the wrapper, with the lines of `header` (``#SBATCH ...``) at its top."""
    folder, ticket = shlex.quote(work.folder), shlex.quote(work.ticket)
    settings = [
        f"segue_folder={folder}",
        f"segue_ticket={ticket}",
        f"segue_bell={shlex.quote(work.bell)}",
        f"segue_grace={work.grace_s:g}",
        f"segue_job={where.job_id}",
        f"segue_node={where.node}",
        f"segue_requeued() {{ {where.requeued}; }}",
    ]
    return "\n".join(
        [
            "#!/bin/bash",
            *header,
            f"# Segue's wrapper: it runs {_one_line(work.title)} and writes down how that ends.",
            *settings,
            _BEGIN,
            *_program(work, where),
            *([] if work.timeout_s is None else [_CLOCK.format(timeout=f"{work.timeout_s:g}")]),
            _END,
        ]
    )


def _one_line(title: str) -> str:
    return "".join(sign if sign.isprintable() else "?" for sign in title)[:100]


def _program(work: Work, where: Surroundings) -> list[str]:
    """Return the lines of the program's own process."""
    words, lines = list(work.command), list(where.before_program)
    if work.clear_environment:
        lines.append(_CLEAR.format(kept=where.kept))
    odd = []
    for name, value in (work.environment or {}).items():
        if not _NAME.fullmatch(name):
            # A shell can neither set nor remove such a name; `env` can.
            odd += ["-u", name] if value is None else [f"{name}={value}"]
        elif value is None:
            lines.append(f"unset -v {name}")
        else:
            lines.append(f"export {name}={shlex.quote(value)}")
    if odd:
        removed = [word for at in range(len(odd)) if odd[at] == "-u" for word in odd[at : at + 2]]
        given = [word for word in odd if "=" in word]
        words = ["env", *removed, *given, *words]
    return [
        "(",
        f"trap - {_SIGNALS}",
        f"cd -- {shlex.quote(work.workdir)} || {{",
        '  : >"$segue_folder/nowhere.$segue_ticket"',
        f"  exit {CANNOT_BEGIN}",
        "}",
        *lines,
        # Looked for here: a failed `exec` ends this process, and 127 may be the program's own.
        f"type -P -- {shlex.quote(work.command[0])} >/dev/null ||",
        '  : >"$segue_folder/refused.$segue_ticket"',
        f"exec {shlex.join(words)}",
        ") </dev/null 2>&8 8>&- &",
        "segue_child=$!",
    ]


#: A job that was taken back ends with 0 for its batch system: nobody waits for it.
_BEGIN: Final = f"""\
segue_now() {{
  segue_at=$EPOCHREALTIME
  [ -n "$segue_at" ] || printf -v segue_at '%(%s)T' -1
}}
segue_begun=$segue_folder/begun.$segue_ticket
segue_now
set -C
if ! {{ printf '%s %s %s\\n' "$segue_job" "$segue_node" "$segue_at" >"$segue_begun"; }} 2>/dev/null
then
  if [ ! -e "$segue_begun" ]; then
    printf 'segue: %s cannot be written on %s\\n' "$segue_folder" "$segue_node" >&2
    exit {CANNOT_BEGIN}
  fi
  segue_first=
  read -r segue_first <"$segue_begun"
  if [ "$segue_first" = {REVOKED} ]; then exit 0; fi
  if [ -n "$segue_first" ]; then
    segue_requeued || exit 0
    rm -f "$segue_folder"/{{exit,code,timeout}}."$segue_ticket"
    printf '%s %s %s\\n' "$segue_job" "$segue_node" "$segue_at" >|"$segue_begun"
  fi
fi
set +C
if [ -n "$segue_bell" ]; then : >"$segue_bell.begun"; fi 2>/dev/null
segue_exit=$segue_folder/exit.$segue_ticket
# From here on the shell speaks into the record; descriptor 8 is the program's stderr.
exec 8>&2 2>>"$segue_begun"
# With job control each of these has a process group of its own.
set -m
sleep {_FOR_EVER_S} </dev/null >/dev/null 2>&1 8>&- &
segue_sentinel=$!
disown
segue_keeper= segue_heard= segue_words=- segue_note= segue_clock=
# A cancel goes to every process of the job, the sentinel too: then the program has had it
# already. A signal for this shell alone is meant for the program.
segue_pass() {{
  set -m
  segue_heard=1
  if [ "$1" = TERM ]; then segue_words=$segue_words,told; fi
  (
  sleep 0.05
  kill -0 "$segue_sentinel" || exit
  {{ read -r _; read -r segue_child; }} <"$segue_begun"
  kill -s "$1" "$segue_child"
  ) </dev/null >/dev/null 2>&1 8>&- &
  disown
  set +m
}}
for segue_signal in {_SIGNALS}; do
  trap "segue_pass $segue_signal" "$segue_signal"
done
# The keeper waits for the program and hears no signal: a trap that interrupts a wait can
# cost the shell the code of the child that it waits for.
(
trap '' {_SIGNALS}
set -m"""

_CLEAR: Final = """\
for segue_name in $(compgen -e); do
  case $segue_name in
    {kept}) ;;
    *) unset -v "$segue_name" ;;
  esac
done"""

_CLOCK: Final = """\
(
sleep {timeout} || exit
: >"$segue_folder/timeout.$segue_ticket"
kill -s TERM -- "-$segue_child"
sleep "$segue_grace"
kill -s KILL -- "-$segue_child"
) </dev/null >/dev/null 2>&1 8>&- &
segue_clock=$!
disown"""

_END: Final = """\
exec 8>&-
printf '%s\\n' "$segue_child" >>"$segue_begun"
wait "$segue_child"
segue_code=$?
if kill -0 "$segue_child" 2>/dev/null; then
  # Stopped, not ended: with job control that ends a wait, and SIGTSTP a loop around it too.
  set +m
  wait "$segue_child"
  segue_code=$?
  set -m
fi
# What the program has left behind ends with it, as a batch system would see to.
kill -s KILL -- "-$segue_child" "-$segue_sentinel" ${segue_clock:+"-$segue_clock"} 2>/dev/null
printf '%s\\n' "$segue_code" >"$segue_folder/code.$segue_ticket"
exit "$segue_code"
) </dev/null &
segue_keeper=$!
exec 8>&-
# A keeper that is suspended with the whole job has not ended; see there.
set +m
while :; do
  segue_heard=
  wait "$segue_keeper"
  segue_code=$?
  if [ -s "$segue_folder/code.$segue_ticket" ]; then break; fi
  if [ -n "$segue_heard" ]; then continue; fi
  kill -0 "$segue_keeper" 2>/dev/null || break
  sleep 0.1
done
set -m
# Whoever told us to end has done so by now.
for segue_signal in HUP INT QUIT TERM USR1 USR2 XCPU; do trap '' "$segue_signal"; done
if [ -s "$segue_folder/code.$segue_ticket" ]; then
  read -r segue_code <"$segue_folder/code.$segue_ticket"
fi
# With job control the shell has said of a child that a signal has ended it.
{ read -r _; read -r _; read -r segue_note; } <"$segue_begun"
if [ -n "$segue_note" ] && [ "$segue_code" -gt 128 ]; then segue_words=$segue_words,killed; fi
for segue_word in timeout refused nowhere; do
  if [ -e "$segue_folder/$segue_word.$segue_ticket" ]; then segue_words=$segue_words,$segue_word; fi
done
segue_now
{ printf '%s %s %s\\n' "$segue_code" "$segue_at" "$segue_words"; times; } >"$segue_exit.new" &&
  mv -f "$segue_exit.new" "$segue_exit"
if [ -n "$segue_bell" ]; then : >"$segue_bell.ended"; fi 2>/dev/null
exit "$segue_code"
"""
