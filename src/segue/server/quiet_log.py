"""A log that can be read: what is told over and over is told now and then, with its number."""

from __future__ import annotations

import logging
import time
from collections import OrderedDict
from collections.abc import Callable
from typing import Final

#: The same line is told so often at the most, in seconds.
AGAIN_S: Final = 60.0
#: So many lines are remembered.
LINES_KEPT: Final = 1000
#: What uvicorn says of a client that asks for a WebSocket is no use to an operator.
_OF_NO_USE: Final = ("Unsupported upgrade request.", "No supported WebSocket library detected.")


class Seldom(logging.Filter):
    """Lets a line pass that has not just been told; the next one says how many were left out.

    Lines with a traceback always pass.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__()
        self._clock = clock
        self._told: OrderedDict[tuple[str, str], tuple[float, int]] = OrderedDict()

    def filter(self, record: logging.LogRecord) -> bool:
        """Tell whether the record is to be told."""
        line = record.getMessage()
        if line.startswith(_OF_NO_USE):
            return False
        if record.exc_info or record.levelno < logging.WARNING:
            return True
        key, now = (record.name, line), self._clock()
        told_at, left_out = self._told.pop(key, (float("-inf"), 0))
        passes = now >= told_at + AGAIN_S
        self._told[key] = (now, 0) if passes else (told_at, left_out + 1)
        while len(self._told) > LINES_KEPT:
            self._told.popitem(last=False)
        if passes and left_out:
            record.msg, record.args = f"{line} ({left_out} more times before)", ()
        return passes
