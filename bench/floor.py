"""The same as floor.c, for machines without a C compiler."""

from __future__ import annotations

import os
import sys


def main(at_once: int, waves: list[int], command: list[str]) -> int:
    """Start the command wave after wave; return whether any has failed."""
    failed = 0
    for wave in waves:
        left, alive = wave, 0
        while left or alive:
            while left and alive < at_once:
                os.posix_spawn(command[0], command, os.environ)
                left, alive = left - 1, alive + 1
            failed |= os.waitpid(-1, 0)[1] != 0
            alive -= 1
    return failed


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]), [int(word) for word in sys.argv[2].split(",")], sys.argv[3:]))
