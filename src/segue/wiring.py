"""The only module that knows every concrete class: puts stores, executors and dialects in.

What we ship is found through the same names as what others add (entry points
``segue.dialects``, ``segue.executors``, ``segue.stores``); ours are also listed
here, because reading the entry points of a large installation takes longer than a
whole small run. A test holds the two lists together.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Mapping, Sequence
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from segue.model.errors import NotFoundError, Problem, UserError, WorkflowError, did_you_mean
from segue.model.location import Place
from segue.model.pools import PoolSettings, RunnerSettings
from segue.model.workflow import Growth, Workflow
from segue.protocols.clock import Clock
from segue.protocols.dialect import Dialect, Source
from segue.protocols.executor import Executor
from segue.protocols.store import Store

if TYPE_CHECKING:
    from segue.protocols.windows import Windows

#: In the order in which they are asked whether a text is theirs.
DIALECTS: Final[Mapping[str, str]] = {
    "daggy": "segue.dialects.daggy:Daggy",
    "lute": "segue.dialects.lute:Lute",
    "maestro": "segue.dialects.maestro:Maestro",
}
EXECUTORS: Final[Mapping[str, str]] = {
    "local": "segue.executors.local:open_local",
    "slurm": "segue.executors.slurm:open_slurm",
    "lsf": "segue.executors.lsf:open_lsf",
    "flux": "segue.executors.flux:open_flux",
    "runner": "segue.executors.runner:open_runner",
    "noop": "segue.executors.noop:open_noop",
}
#: What names the runners of a pool that nobody has set up.
RUNNERS: Final = "SEGUE_RUNNERS"
#: Programs without which a pool cannot be opened.
PROGRAMS: Final[Mapping[str, tuple[str, ...]]] = {
    "slurm": ("sbatch", "squeue", "scancel"),
    "lsf": ("bsub", "bjobs", "bkill"),
    "flux": ("flux",),
}
#: By the scheme of their URLs.
STORES: Final[Mapping[str, str]] = {
    "sqlite": "segue.store.sqlite:open_sqlite",
    "postgresql": "segue.store.postgres:open_postgres",
    "postgres": "segue.store.postgres:open_postgres",
    "redis": "segue.store.redis:open_redis",
    "rediss": "segue.store.redis:open_redis",
}
#: What reads them for windows; others are read whole.
WINDOWS: Final[Mapping[str, str]] = {
    "sqlite": "segue.store.sqlite_windows:open_windows",
    "postgresql": "segue.store.postgres_windows:open_windows",
    "postgres": "segue.store.postgres_windows:open_windows",
    "redis": "segue.store.redis_windows:open_windows",
    "rediss": "segue.store.redis_windows:open_windows",
}
#: The extra that brings the library of a store.
STORE_EXTRAS: Final[Mapping[str, str]] = {
    "postgresql": "postgres",
    "postgres": "postgres",
    "redis": "redis",
    "rediss": "redis",
}

#: A dialect that is so sure of a text is not doubted.
SURE: Final = 0.9
#: A workflow file may be so large, in bytes.
MAX_FILE_BYTES: Final = 256 * 2**20


def _load(path: str) -> Any:
    module, _, name = path.partition(":")
    return getattr(import_module(module), name)


def _added(group: str, ours: Mapping[str, str]) -> dict[str, Callable[[], Any]]:
    """Return what other packages have added to a group, by name."""
    from importlib.metadata import entry_points

    found = entry_points(group=f"segue.{group}")
    return {each.name: each.load for each in found if each.name not in ours}


# Dialects --------------------------------------------------------------------


def dialect_names() -> list[str]:
    """Return the names of all dialects."""
    return [*DIALECTS, *_added("dialects", DIALECTS)]


def dialect(name: str) -> Dialect:
    """Return the dialect of that name.

    Raises
    ------
    NotFoundError
        If there is none.
    """
    if name in DIALECTS:
        made: Dialect = _load(DIALECTS[name])()
        return made
    added = _added("dialects", DIALECTS)
    if name not in added:
        hint = did_you_mean(name, dialect_names()) or f"there are: {', '.join(dialect_names())}"
        raise NotFoundError(f"there is no dialect {name!r}", hint)
    return added[name]()()  # type: ignore[no-any-return]


def recognise(path: str, text: str) -> Dialect:
    """Return the dialect that the text is written in, judged by its content.

    Raises
    ------
    WorkflowError
        If no dialect knows the text.
    """
    best: tuple[float, Dialect | None] = (0.0, None)
    for name in DIALECTS:
        candidate = dialect(name)
        sureness = candidate.recognise(path, text)
        if sureness >= SURE:
            return candidate
        if sureness > best[0]:
            best = (sureness, candidate)
    for load in _added("dialects", DIALECTS).values():
        candidate = load()()
        sureness = candidate.recognise(path, text)
        if sureness > best[0]:
            best = (sureness, candidate)
    if best[1] is None:
        raise WorkflowError(
            [
                Problem(
                    "unknown_dialect",
                    "this is no workflow that Segue can read",
                    Place(path, 1, 1),
                    f"known are {', '.join(DIALECTS)}; --dialect says which one is meant",
                )
            ]
        )
    return best[1]


def read_text(path: str) -> str:
    """Return the text of a workflow file; ``-`` is standard input.

    Raises
    ------
    WorkflowError
        If it cannot be read, is too large, or is not UTF-8.
    """
    try:
        data = _read_bytes(path)
        return data.decode("utf-8-sig")
    except OSError as error:
        raise WorkflowError(
            [
                Problem(
                    "unreadable",
                    f"cannot be read: {error.strerror}",
                    Place(path, 1, 1),
                    "give the name of a workflow file that exists and that you can read",
                )
            ]
        ) from error
    except UnicodeDecodeError as error:
        before = data[: error.start]
        line = before.count(b"\n") + 1
        column = error.start - (before.rfind(b"\n") + 1) + 1
        raise WorkflowError(
            [
                Problem(
                    "not_utf8",
                    f"byte 0x{data[error.start]:02x} is not UTF-8 text",
                    Place(path, line, column),
                    "save the file as UTF-8",
                )
            ]
        ) from error


def _read_bytes(path: str) -> bytes:
    descriptor = os.dup(0) if path == "-" else os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    with os.fdopen(descriptor, "rb") as stream:
        # A pipe has no size and is read as far as we would go; a file is not read in vain.
        too_large = os.fstat(descriptor).st_size > MAX_FILE_BYTES
        data = b"" if too_large else stream.read(MAX_FILE_BYTES + 1)
    if too_large or len(data) > MAX_FILE_BYTES:
        raise WorkflowError(
            [
                Problem(
                    "too_large",
                    f"the file is larger than {MAX_FILE_BYTES // 2**20} MiB",
                    Place(path, 1, 1),
                    "a workflow is a description; let parameters multiply its tasks",
                )
            ]
        )
    return data


def read_workflow(source: Source, name: str = "") -> Workflow:
    """Return the workflow of a text, in the dialect named or recognised."""
    reader = dialect(name) if name else recognise(source.path, source.text)
    if source.options.get("pgen"):
        from segue.maestro.inputs import with_generated_parameters

        source = with_generated_parameters(source)
    if reader.name == "maestro" and "flux" in source.text:
        from segue.maestro.inputs import with_flux_version

        source = with_flux_version(source)
    return reader.read(source)


def grow(
    name: str, output: str, task: str, context: Mapping[str, Any], existing: Mapping[str, str]
) -> Growth:
    """Return the tasks that a generator printed, read by its dialect."""
    return dialect(name).grow(output, task, context, existing)


# Stores ----------------------------------------------------------------------


def default_store_url() -> str:
    """Return the place of this user's store: ``SEGUE_STORE``, else a file of the user's own."""
    given = os.environ.get("SEGUE_STORE", "")
    if given:
        return given if "://" in given else _sqlite_url(Path(given).expanduser().absolute())
    state = os.environ.get("XDG_STATE_HOME") or os.path.expanduser("~/.local/state")
    return _sqlite_url(Path(state, "segue", "segue.db"))


def _sqlite_url(path: Path) -> str:
    """Return the URL of an SQLite file, whatever signs its path holds."""
    return "sqlite://" + str(path).replace("%", "%25").replace("?", "%3F")


def open_store(url: str = "") -> Store:
    """Return the store that a URL names.

    Raises
    ------
    UserError
        If no store knows the URL.
    StoreError
        If it cannot be opened.
    """
    url = url or default_store_url()
    scheme = url.partition("://")[0].partition("+")[0]
    if scheme in STORES:
        store: Store = _load_store(scheme)(url)
        return store
    added = _added("stores", STORES)
    if scheme not in added:
        known = ", ".join(f"{name}://" for name in (*STORES, *added))
        raise UserError(f"no store knows {shown_url(url)!r}", f"known are: {known}")
    return added[scheme]()(url)  # type: ignore[no-any-return]


def open_windows(url: str = "") -> Windows:
    """Return windows on the store that a URL names, for one thread.

    Raises
    ------
    UserError
        If no store knows the URL.
    StoreError
        If it cannot be opened.
    """
    url = url or default_store_url()
    scheme = url.partition("://")[0].partition("+")[0]
    if scheme in WINDOWS:
        windows: Windows = _load(WINDOWS[scheme])(url)
        return windows
    from segue.store.plain_windows import PlainWindows

    return PlainWindows(open_store(url))


def _load_store(scheme: str) -> Callable[[str], Store]:
    try:
        return _load(STORES[scheme])  # type: ignore[no-any-return]
    except ImportError as error:
        if scheme not in STORE_EXTRAS:
            raise
        raise UserError(
            f"a store of the form {scheme}:// needs a library that is not there: {error}",
            f"install it: pip install 'segue[{STORE_EXTRAS[scheme]}]'",
        ) from error


def shown_url(url: str) -> str:
    """Return the URL of a store as people may read it: without its password."""
    from segue.store.server_url import shown  # regular expressions, which few runs need

    return shown(url)


def state_directory(url: str = "") -> Path:
    """Return the folder for what belongs to a store and is no data: spools and bells."""
    url = url or default_store_url()
    if url.startswith("sqlite://"):
        from segue.store.sqlite import path_of

        path = path_of(url).resolve()
        # Of the file itself, not of one of its names: two names must not make two spools.
        return path.with_name(path.name + ".d")
    state = os.environ.get("XDG_STATE_HOME") or os.path.expanduser("~/.local/state")
    # One for all servers: what lies there is named by runs, and the same server, called by
    # two names, must not make two spools.
    return Path(state, "segue", "servers")


# Executors -------------------------------------------------------------------


def pool_names() -> dict[str, str]:
    """Return all pools by name, each with the reason why it cannot be opened here, or ``""``."""
    return {name: _why_not(name) for name in (*EXECUTORS, *_added("executors", EXECUTORS))}


def _why_not(name: str) -> str:
    if name == "runner":
        return _why_no_runners()
    for program in PROGRAMS.get(name, ()):
        if not _is_on_path(program):
            return f"there is no {program} on the PATH"
    return ""


def _why_no_runners() -> str:
    if not os.environ.get(RUNNERS, "").strip():
        return f"{RUNNERS} names no runners"
    try:
        _check_runners()
    except UserError as error:
        return Exception.__str__(error)
    return ""


def _is_on_path(program: str) -> bool:
    # `shutil` would do; each start of a local run would pay for importing it.
    folders = os.environ.get("PATH", os.defpath).split(os.pathsep)
    return any(os.access(os.path.join(folder, program), os.X_OK) for folder in folders)


def open_executors(
    state: Path,
    clock: Clock,
    *,
    slots: int | None = None,
    pools: Collection[str] | None = None,
    at_once: Collection[str] = (),
) -> dict[str, Executor]:
    """Return the executors by the names of their pools; ``local`` is always there.

    `pools` are those that will be needed. None: whoever asks does not know, so all that
    can be had here are there, each opened when it is first used, those of `at_once` now.

    Raises
    ------
    UserError
        If one of `pools` cannot be opened here.
    """
    local: Executor = _load(EXECUTORS["local"])(state / "local", slots=slots)
    opened = {"local": local}
    try:
        if pools is None:
            for name in (*PROGRAMS, "runner", "noop"):
                if not _why_not(name):
                    how = _open_in if name in at_once else _later
                    opened[name] = how(name, state)
        else:
            for name in sorted(set(pools) - {"local", ""}):
                opened[name] = _open_in(name, state)
    except BaseException:
        for each in opened.values():
            each.close()
        raise
    return opened


def open_pools(
    state: Path, clock: Clock, pools: Sequence[PoolSettings], *, slots: int | None = None
) -> dict[str, Executor]:
    """Return executors by the names of the pools that somebody has set up.

    Where none is called ``local``, there is one more of that name, with `slots`: a workflow
    can ask for this machine whatever runs the rest of it.

    Raises
    ------
    UserError
        If a pool has a fault, or its executor is not known or cannot be had here.
    """
    named = {each.name: each for each in pools}
    for each in named.values():
        check_settings(each)
    opened: dict[str, Executor] = {}
    try:
        for each in ({"local": PoolSettings("local", "local", slots)} | named).values():
            opened[each.name] = _open_pool(each, state)
    except BaseException:
        for one in opened.values():
            one.close()
        raise
    return opened


def _open_pool(pool: PoolSettings, state: Path) -> Executor:
    # What an executor has by its own name keeps its place, so that jobs are found again.
    folder = state / pool.name if pool.name == pool.executor else state / "pools" / pool.name
    if pool.executor == "local":
        local: Executor = _load(EXECUTORS["local"])(folder, slots=pool.limit)
        return local
    from segue.executors.limited import Limited

    if pool.executor == "runner":
        # Opened at once: whoever looks wants to see the runners before the first job.
        from segue.executors.runner import open_runner

        return Limited(open_runner(folder, pool.runner), pool.name, pool.limit)
    from segue.executors.lazy import Lazy

    return Limited(Lazy(pool.name, lambda: _open(pool.executor, folder)), pool.name, pool.limit)


def check_settings(pool: PoolSettings) -> None:
    """Raise `UserError` if a pool that somebody has set up has a fault, or cannot be opened."""
    if pool.fault:
        raise UserError(pool.fault)
    if pool.runner is None:
        check_pool(pool.executor)
    else:
        _check_runners(pool.runner)


def _check_runners(settings: RunnerSettings | None = None) -> None:
    """Raise `UserError` if runners cannot be spoken to; those of the environment by default."""
    from segue.executors import runner_settings

    runner_settings.check_library()
    runner_settings.token_of(settings or runner_settings.settings_of(os.environ))


def check_pool(name: str) -> None:
    """Raise `UserError` if a pool is not known, or cannot be opened here."""
    if name not in (known := pool_names()):
        hint = did_you_mean(name, list(known)) or f"there are: {', '.join(known)}"
        raise UserError(f"there is no pool {name!r}", hint)
    if why := known[name]:
        hint = "go to a machine that can submit, or run it here with --pool local"
        if name == "runner":
            hint = f"name them: {RUNNERS}='http://host:2504 http://other:2504'"
            if os.environ.get(RUNNERS, "").strip():
                _check_runners()  # raises with what to do about it
        raise UserError(f"the pool {name!r} cannot be used here: {why}", hint)


def _open(name: str, folder: Path) -> Executor:
    check_pool(name)
    opener = _load(EXECUTORS[name]) if name in EXECUTORS else _added("executors", EXECUTORS)[name]()
    made: Executor = opener(folder)
    if made.capabilities.pushes:
        return made
    from segue.engine.watch import Watch  # threads, which local runs do without

    return Watch(made)


def _open_in(name: str, state: Path) -> Executor:
    return _open(name, state / name)


def _later(name: str, state: Path) -> Executor:
    from segue.executors.lazy import Lazy

    return Lazy(name, lambda: _open_in(name, state))
