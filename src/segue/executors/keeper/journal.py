"""The keeper's journal: an append-only file that says what the keeper did.

One JSON array a line:

- ``["keeper", version, boot, pid, at]``: the first line. `boot` changes with each start of
  the machine or container, so it tells whether processes of that time can still live.
- ``["intent", name, at]``: before the process exists.
- ``["start", name, at, pid, ticks_before, ticks_after]``: clock ticks since the machine's
  start, taken around the spawn. The process's own start time (field 22 of
  ``/proc/<pid>/stat``) lies between them, which guards against a pid used anew. Taking
  the clock twice costs far less than reading that file for each task.
- ``["end", name, at, cause, exit_code, signal, cpu_s, peak_rss_bytes, started_at, message]``
- ``["forget", name, ...]``: the engine has stored these ends.

It is not synced to disk: it must outlive processes, not the machine.
"""

import json
import os
import time

VERSION = 1

#: `json.dumps` with separators makes a new encoder each time, which costs more than encoding.
_encode = json.JSONEncoder(separators=(",", ":")).encode


class Journal:
    """Appends lines, one write for all that were added since the last.

    A write that fails loses nothing: the lines stay in memory, and the next `flush`
    goes on at the byte where this one stopped, so that no line is ever torn in the
    middle of the file.
    """

    def __init__(self, path: str) -> None:
        self.path = path
        self.pending = bytearray()
        self.size = 0
        self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o644)

    def add(self, *record: object) -> None:
        """Remember a line for the next `flush`."""
        self.pending += _encode(record).encode() + b"\n"

    def flush(self) -> OSError | None:
        """Write all that is pending; return None, or the error that kept it from the file."""
        try:
            while self.pending:
                written = os.write(self._file, self.pending)
                self.size += written
                del self.pending[:written]
        except OSError as error:
            return error
        return None

    def head(self) -> None:
        """Add the first line, which says whose journal this is, and of which boot."""
        self.add("keeper", VERSION, boot_id(), os.getpid(), time.time())

    def start_over(self) -> None:
        """Empty the file but for its first line: all else that it held is forgotten."""
        os.ftruncate(self._file, 0)
        self.size = 0
        self.head()
        self.flush()


def boot_id() -> str:
    """Return what changes when the machine, or the container we are in, starts anew."""
    with open("/proc/sys/kernel/random/boot_id") as file:
        boot = file.read().strip()
    return f"{boot} {os.readlink('/proc/self/ns/pid')}"
