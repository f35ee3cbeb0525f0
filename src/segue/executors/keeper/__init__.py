"""The keeper: a small helper process that is the parent of all local task processes.

It learns their true exit codes, and it lives on when the engine is killed. The engine
talks to it over a Unix socket; `segue.executors.local` is the other end.

Its modules are written more plainly than the rest of the house, and import neither
`typing`, `dataclasses`, `enum` nor anything of Segue outside this folder: the process
starts in some 15 ms and stays small, which matters since the kernel counts the size of
the parent into the peak memory of each child (see `children`).

What lies in its spool folder, ``<state>/<host>/<keeper id>/``:

- ``lock``: held for life (flock). Free means: the keeper is dead.
- ``journal``: what it meant to do, did and saw, one JSON array a line (see `journal`).
- ``socket``: where it listens. The engine has bound it before the keeper exists.
- ``log``: what the keeper itself printed; empty unless something is wrong with it.

Over the socket go lines; each is a JSON array of messages, each message an array that
begins with its verb:

====================================  =====================================================
engine to keeper
====================================  =====================================================
``submit <job>``                      fields in the order of `children.Job.FIELDS`
``cancel name ...``                   TERM, and after the grace time KILL
``recall``                            give back all queued jobs of this connection
``adopt question name ...``           say what became of them; their reports come here now
``slots n``                           run so many at once from now on
``forget name ...``                   their ends are stored: drop what was kept
``lease seconds name ...``            stop them when it has not been said again by then
------------------------------------  -----------------------------------------------------
``submitted name at``                 it waits for a slot (told only when that lasts)
``started name at pid``               (not told for a job that ends within 20 ms)
``ended name at cause exit_code signal cpu_s peak_rss_bytes started_at message``
``returned name at``                  never began; the keeper has dropped it
``unknown name``                      answer to ``adopt``: the keeper never had it
``adopted question``                  all answers to this ``adopt`` have been given
====================================  =====================================================
"""
