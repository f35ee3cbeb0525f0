"""What a server is told at its start, and the parts that the wiring puts in."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from segue.engine.output import Grow
from segue.engine.scheduler import Turn
from segue.model.run import RunRecord
from segue.model.workflow import Workflow
from segue.protocols.clock import Clock
from segue.protocols.dialect import Source
from segue.protocols.executor import Executor
from segue.protocols.store import Store
from segue.protocols.windows import Windows

#: The port of `segue serve`.
DEFAULT_PORT: Final = 8450
#: A body may be so large, in bytes: large graphs are the point.
BODY_LIMIT_BYTES: Final = 64 * 2**20
#: Threads that read and write the store for requests.
WORKERS: Final = 8
MOST_WORKERS: Final = 64


@dataclass(frozen=True, slots=True)
class PoolShown:
    """A pool as the server was told of it: the kind of its executor, and its limits.

    `limit` is how many tasks may be out in it at once; None: as many as its executor takes.
    `problem` says why it cannot be used here, if it cannot.
    """

    name: str
    executor: str
    limit: int | None = None
    problem: str = ""


@dataclass(frozen=True, slots=True)
class ServerSettings:
    """What holds for the whole life of a server.

    Attributes
    ----------
    store
        URL of the store as people may read it: without its password.
    workspace
        The folder below which each submitted run gets a folder of its own.
    state
        The folder for bells and spools.
    pools
        The pools that runs may ask for; the first is the default one.
    cors_origins
        Other origins whose pages may use this server; ``*`` is every one.
    assets
        The folder of the page; None: the one that comes with Segue.
    """

    host: str
    port: int
    store: str
    workspace: Path
    state: Path
    pools: tuple[PoolShown, ...]
    body_limit_bytes: int = BODY_LIMIT_BYTES
    cors_origins: tuple[str, ...] = ()
    assets: Path | None = None
    workers: int = WORKERS

    @property
    def default_pool(self) -> str:
        """The pool of runs that ask for none."""
        return self.pools[0].name


@dataclass(frozen=True, slots=True)
class Parts:
    """The concrete things that a server works with; only the wiring knows their classes.

    Attributes
    ----------
    open_store, open_windows
        Called once by each thread that needs one.
    open_executors
        Called by the engine's own thread.
    read
        Reads a source as a dialect of that name, or as the one that recognises it.
    prepare
        Looks for what a workflow needs before it can run, and raises what is missing.
    may_adopt
        Whether a run that another door has started may be driven from here.
    lute_command
        The template of the command that runs our own managed Tasks.
    on_turn
        Called by the engine's thread with each turn that it has stored.
    """

    open_store: Callable[[], Store]
    open_windows: Callable[[], Windows]
    open_executors: Callable[[], Mapping[str, Executor]]
    read: Callable[[Source, str], Workflow]
    grow: Grow
    clock: Clock
    dialects: tuple[str, ...]
    prepare: Callable[[Workflow], None]
    may_adopt: Callable[[RunRecord], bool]
    lute_command: str = ""
    on_turn: Callable[[Turn], None] = lambda turn: None
