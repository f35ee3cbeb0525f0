"""The keeper's entry: `python -I -S -c START <root> <spool> <slots> <grace>`.

Descriptors 3 and 4 are the bound listening socket and the locked lock file.
"""

import gc
import os
import signal
import socket
import sys

from segue.executors.keeper.loop import Keeper

LISTENER, LOCK = 3, 4


def main() -> None:
    """Be the keeper until nothing is left to keep."""
    spool, slots, grace_s = sys.argv[2], int(sys.argv[3]), float(sys.argv[4])
    for descriptor in (LISTENER, LOCK):
        os.set_inheritable(descriptor, False)
    # Whoever reads from the engine's pipes waits for their last holder. It must not be us.
    os.closerange(LOCK + 1, os.sysconf("SC_OPEN_MAX"))
    _reset_signals()
    # Nothing here makes cycles, and a pause of the collector would delay a start.
    gc.disable()
    listener = socket.socket(fileno=LISTENER)
    listener.setblocking(False)
    keeper = Keeper(spool, listener, slots, grace_s)
    keeper.journal.head()
    keeper.run()
    if not keeper.ended:
        _remove(spool)


def _reset_signals() -> None:
    """Give children what a shell would: defaults, nothing ignored, nothing blocked.

    What would kill us (a terminal's signals, a file that grows over its limit) goes to a
    handler instead: handlers do not outlive an exec, so no spawn has to reset anything.
    """
    signal.pthread_sigmask(signal.SIG_SETMASK, ())
    for number in signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP}:
        if signal.getsignal(number) in (signal.SIG_IGN, signal.default_int_handler):
            signal.signal(number, signal.SIG_DFL)
    for number in (signal.SIGINT, signal.SIGHUP, signal.SIGQUIT, signal.SIGXFSZ):
        signal.signal(number, lambda number, frame: None)


def _remove(spool: str) -> None:
    """Remove our folder: every result has been taken. The lock goes last."""
    try:
        for name in ("journal", "log", "lock"):
            os.unlink(f"{spool}/{name}")
        os.rmdir(spool)
    except OSError:
        pass  # somebody else tidies too, or has put something there
