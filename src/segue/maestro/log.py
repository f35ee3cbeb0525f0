"""What a study's commands say: to standard error and to the study's log file, line by line."""

from __future__ import annotations

import contextlib
import logging
import time
from collections.abc import Iterable
from pathlib import Path
from typing import IO, Final

#: The original's levels, from most to least.
DEBUG, INFO, WARNING, ERROR, CRITICAL = range(1, 6)
_NAMES: Final = {
    DEBUG: "DEBUG",
    INFO: "INFO",
    WARNING: "WARNING",
    ERROR: "ERROR",
    CRITICAL: "CRITICAL",
}


class StudyLog:
    """Writes lines ``[time: LEVEL] message`` from `level` on.

    Whatever becomes of the stream or the file, a study goes on: they are left alone then.
    """

    def __init__(self, stream: IO[str] | None, level: int = INFO) -> None:
        self.level = max(DEBUG, min(level, CRITICAL))
        self._stream = stream
        self._file: IO[str] | None = None

    def open(self, path: Path) -> None:
        """Write to this file as well, behind what it holds."""
        self.close()
        path.parent.mkdir(parents=True, exist_ok=True)
        self._file = path.open("a", encoding="utf-8", errors="backslashreplace")

    def close(self) -> None:
        """Let go of the file."""
        if self._file is not None:
            with contextlib.suppress(OSError):
                self._file.close()
            self._file = None

    def write(self, level: int, messages: Iterable[str]) -> None:
        """Write messages of one level that are known at the same time."""
        if level < self.level:
            return
        now = time.time()
        second = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(now))
        name = _NAMES.get(level, "INFO")
        listed = list(messages)
        if self._stream is not None and listed:
            head = f"[{second}: {name}] "
            self._stream = _written(self._stream, head, listed)
        if self._file is not None and listed:
            # The file has milliseconds, as the original's.
            head = f"[{second},{int(now % 1 * 1000):03d}: {name}] "
            self._file = _written(self._file, head, listed)

    def info(self, message: str) -> None:
        """Write what is good to know."""
        self.write(INFO, (message,))

    def warning(self, message: str) -> None:
        """Write what is odd."""
        self.write(WARNING, (message,))

    def error(self, message: str) -> None:
        """Write what has failed."""
        self.write(ERROR, (message,))


def _written(stream: IO[str], head: str, messages: Iterable[str]) -> IO[str] | None:
    """Write the messages; return the stream, or None when nobody takes them any more."""
    try:
        stream.write("".join(f"{head}{message}\n" for message in messages))
        stream.flush()
    except (OSError, ValueError):
        return None
    return stream


class LogBridge(logging.Handler):
    """Passes what the engine's modules log on to a study's log."""

    def __init__(self, log: StudyLog) -> None:
        super().__init__(logging.WARNING)
        self._log = log

    def emit(self, record: logging.LogRecord) -> None:
        """Write one record."""
        level = ERROR if record.levelno >= logging.ERROR else WARNING
        self._log.write(level, (record.getMessage(),))
