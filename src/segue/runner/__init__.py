"""The runner: a daemon that runs single jobs for engines on other machines.

What it says to them is in `segue.protocols.runner`. The jobs themselves are run by the
local executor, whose keepers outlive the daemon; so the daemon keeps books:

- ``capacity``: what this machine has.
- ``spool``: the folders in which orders and ends are kept, so that a restart finds them.
- ``book``: whose job is in which state, and what is still free. Pure but for a lock.
- ``labour``: the one thread that owns the executor, and does what is ordered.
- ``memory``: how much a job takes with all its processes.
- ``service``: what can be asked of a runner, without HTTP.
- ``door``, ``routes``, ``app``: HTTP.
"""
