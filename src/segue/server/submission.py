"""From the body of a request to a stored run: reading, checking, and a folder for it.

Nothing that a request says leads out of the folder of its run: names of files are plain
names, and what the document wants to be read beside it is among the files that came.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import re
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from typing import Any, Final

from pydantic import ValidationError

from segue.engine.reading import reading_of
from segue.engine.service import check_pools, new_run_id
from segue.model.errors import Problem, RefusedError, Severity, UserError, WorkflowError
from segue.model.location import Place
from segue.model.run import HistoryRecord, RunRecord
from segue.model.states import RunState
from segue.model.workflow import ManagedTask, Workflow
from segue.protocols.dialect import Source
from segue.protocols.windows import RunQuery, RunRow
from segue.server.bodies import Envelope
from segue.server.desk import Desk
from segue.server.problems import ApiError
from segue.server.settings import Parts, ServerSettings
from segue.server.shapes import WARNINGS_KEPT, kept_warning

#: Settings of dialects that a request may say; others would read files of this machine.
OPTIONS: Final = frozenset(
    {
        "hashws",
        "instance_naming",
        "strict_maestro",
        "strict_parameters",
        "allow_empty",
        "slurm_args",
        "lute_command",
        "config",
    }
)
#: As the command line calls them.
_OTHER_NAMES: Final = {"lute_config": "config"}
_FILE_NAME: Final = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.+=,@ -]{0,199}")
#: A place of those that hold state, which a file of a request must not take.
_OWN: Final = ".segue"


@dataclass(frozen=True, slots=True)
class Order:
    """What is to be run: an envelope, how it came, and who sent it."""

    envelope: Envelope
    media_type: str
    body_digest: str
    user: str | None = None
    key: str = ""


def order_of(
    body: bytes, media_type: str, query: Mapping[str, Any], *, user: str | None, key: str
) -> Order:
    """Return the order that a request holds.

    Raises
    ------
    ApiError
        If the body is an envelope of a wrong shape.
    WorkflowError
        If it is no UTF-8 text.
    """
    digest = hashlib.sha256(json.dumps(query, sort_keys=True).encode() + b"\0" + body).hexdigest()
    envelope = _envelope(body, media_type) or Envelope(document=_text(body, str(query["path"])))
    wanted = {name: value for name, value in query.items() if value not in ("", None)}
    envelope = envelope.model_copy(update=wanted)
    envelope.path = _plain_name(envelope.path or _default_name(envelope.document), "path")
    for name in envelope.files:
        _plain_name(name, "files")
    return Order(envelope, media_type, digest, user, key)


def _envelope(body: bytes, media_type: str) -> Envelope | None:
    if media_type not in ("application/json", "") or b'"document"' not in body:
        return None
    try:
        found = json.loads(body)
    except (ValueError, RecursionError):
        return None  # the dialect says what is wrong with it
    if not isinstance(found, dict) or "document" not in found or "tasks" in found:
        return None
    try:
        return Envelope.model_validate(found)
    except ValidationError as error:
        problems = [
            Problem(
                str(each["type"]),
                ": ".join(filter(None, (".".join(map(str, each["loc"])), each["msg"]))),
                pointer="".join(f"/{part}" for part in each["loc"]),
            )
            for each in error.errors()
        ]
        raise ApiError(422, problems[0].message, problems=problems) from error


def _text(body: bytes, path: str) -> str:
    try:
        return body.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        before = body[: error.start]
        line = before.count(b"\n") + 1
        column = error.start - (before.rfind(b"\n") + 1) + 1
        place = Place(path or "document", line, column)
        message = f"byte 0x{body[error.start]:02x} is not UTF-8 text"
        raise WorkflowError([Problem("not_utf8", message, place, "send UTF-8")]) from error


def _default_name(document: str) -> str:
    return "dag.json" if document.lstrip().startswith("{") else "workflow.yaml"


def _plain_name(name: str, member: str) -> str:
    """Return the name, which leads to no other folder.

    Raises
    ------
    ApiError
        If it does.
    """
    if PurePosixPath(name).name != name or not _FILE_NAME.fullmatch(name) or name == _OWN:
        raise ApiError(
            422,
            f"{member}: {name[:80]!r} is no plain name of a file",
            code="bad_file_name",
            hint="letters, digits and _ . + = , @ - in at most 200 signs, without folders",
        )
    return name


# Reading -----------------------------------------------------------------------


def read(order: Order, parts: Parts, workspace: str) -> tuple[Workflow, Source]:
    """Return the workflow of an order, read for a workspace, and the source it was read from.

    An empty workspace: that will be known later; the order is read as if it were none.

    Raises
    ------
    WorkflowError
        If the document has faults.
    ApiError
        If the order asks for what a server does not do.
    """
    envelope = order.envelope
    source = Source(
        path=envelope.path,
        text=envelope.document,
        directory=workspace or "/",
        facts={name: _word(value) for name, value in envelope.facts.items()},
        parameters={name: _parameter(value) for name, value in envelope.parameters.items()},
        workspace=workspace,
        now=parts.clock.now(),
        options=_options(envelope, parts, workspace),
    )
    if envelope.dialect and envelope.dialect not in parts.dialects:
        raise ApiError(
            422,
            f"there is no dialect {envelope.dialect!r}",
            code="unknown_dialect",
            hint=f"there are: {', '.join(parts.dialects)}",
        )
    workflow = parts.read(source, envelope.dialect)
    _check_runnable(workflow)
    if envelope.name:
        workflow = replace(workflow, name=envelope.name)
    return workflow, source


def _word(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _parameter(value: object) -> str:
    return json.dumps(value) if isinstance(value, list) else _word(value)


def _options(envelope: Envelope, parts: Parts, workspace: str) -> dict[str, Any]:
    chosen = {_OTHER_NAMES.get(name, name): value for name, value in envelope.options.items()}
    if "pgen" in chosen or "pargs" in chosen:
        raise ApiError(
            422,
            "pgen: a server runs no Python of its users while it reads",
            code="refused_option",
            hint="run the generator with 'segue run --pgen FILE', or send its parameters",
        )
    unknown = sorted(chosen.keys() - OPTIONS)
    if unknown:
        raise ApiError(
            422,
            f"options: {unknown[0]!r} cannot be said to a server",
            code="refused_option",
            hint=f"there are: {', '.join(sorted(OPTIONS))}",
        )
    config = chosen.pop("config", "")
    if config:
        if not isinstance(config, str) or config not in envelope.files:
            raise ApiError(
                422,
                f"options: the config {str(config)[:80]!r} is not among the files",
                code="refused_option",
                hint='send it: {"files": {"config.yaml": "..."}}',
            )
        chosen["config"] = os.path.join(workspace or "/", str(config))
        chosen.setdefault("lute_command", parts.lute_command)
    if "slurm_args" in chosen:
        chosen["slurm_args"] = tuple(map(str, _as_list(chosen["slurm_args"])))
    return chosen


def _as_list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else str(value).split()


def _check_runnable(workflow: Workflow) -> None:
    for task in workflow.tasks:
        if isinstance(task.action, ManagedTask) and not task.action.command:
            raise WorkflowError(
                [
                    Problem(
                        "no_command",
                        f"step {task.name!r} is a managed Task, and nothing says how to run one",
                        task.place,
                        'send a config: {"files": {"config.yaml": "..."}, '
                        '"options": {"config": "config.yaml"}}, or options.lute_command',
                    )
                ]
            )


# Storing -----------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Taken:
    """A run that is stored; `again`: it was so before, with the same key and body."""

    record: RunRecord
    task_count: int
    again: bool


def word_of_key(key: str, user: str | None) -> str:
    """Return the word that the id of a run ends with which a key of a user stands for.

    Examples
    --------
    >>> word_of_key("nightly-7", "ann")
    'ba981a17eb0f67ad'
    """
    return hashlib.sha256(f"{user or ''}\0{key}".encode()).hexdigest()[:16]


def run_of_key(desk: Desk, key: str, user: str | None) -> RunRow | None:
    """Return the run that was made with a key of a user; None: there is none."""
    word = f"-{word_of_key(key, user)}"
    found = desk.windows.runs(RunQuery(pattern=f"{word}$"))
    return next((row for row in found if row.record.id.endswith(word)), None)


def stored_before(desk: Desk, order: Order) -> Taken | None:
    """Return the run that this order has made before; None: it is new.

    Raises
    ------
    ApiError
        If another body has come with the same key.
    """
    if not order.key:
        return None
    row = run_of_key(desk, order.key, order.user)
    if row is None:
        return None
    if row.record.reading.get("body_digest") != order.body_digest:
        raise ApiError(
            409,
            f"the key {order.key[:80]!r} came with another body before",
            code="key_used",
            hint=f"it made run {row.record.id}; take a new key for a new run",
        )
    return Taken(row.record, sum(row.record.counts.values()), again=True)


def take(desk: Desk, order: Order, parts: Parts, settings: ServerSettings) -> Taken:
    """Store the run of an order, with a folder of its own below the server's.

    Raises
    ------
    WorkflowError
        If the document has faults.
    ApiError
        If it cannot be taken; RefusedError, if it asks for a pool that is not here.
    """
    before = stored_before(desk, order)
    if before is not None:
        return before
    workflow, source = read(order, parts, "")
    word = word_of_key(order.key, order.user) if order.key else ""
    run = new_run_id(workflow.name, word)
    workspace = settings.workspace / run
    if workflow.workspace or "config" in source.options:
        # It writes into its workspace the paths that it is read with.
        workflow, source = read(order, parts, str(workspace))
    source = replace(source, directory=str(workspace), workspace=str(workspace))
    check_wanted_pools(workflow, order, settings)
    _make_folder(workspace, order)
    try:
        parts.prepare(workflow)
        record = _record(desk, order, workflow, source, run)
        created = HistoryRecord(
            1, record.created_at, "run", new=record.state.value, detail=record.source
        )
        desk.store.create_run(record, [*workflow.tasks, *workflow.barriers], created)
    except BaseException:
        again = _stored_after_all(desk, order, run)
        if again is not None:
            return again
        shutil.rmtree(workspace, ignore_errors=True)
        raise
    return Taken(record, len(workflow.tasks), again=False)


def _stored_after_all(desk: Desk, order: Order, run: str) -> Taken | None:
    """Return the run that is there although storing it has failed; None: it is not there.

    Two servers may have been given the same key in the same moment, or the store has done
    it and its answer was lost: then the run needs its folder. Where the store cannot say,
    the folder stays.
    """
    if order.key:
        return stored_before(desk, order)
    row = desk.windows.run(run)
    return Taken(row.record, sum(row.record.counts.values()), again=False) if row else None


def check_wanted_pools(workflow: Workflow, order: Order, settings: ServerSettings) -> None:
    """Raise `ApiError` if a pool is asked for that is not here."""
    pools = {each.name for each in settings.pools}
    try:
        check_pools(workflow.tasks, order.envelope.pool or workflow.pool, pools)
    except RefusedError as error:
        message = Exception.__str__(error)
        raise ApiError(422, message, code="unknown_pool", hint=error.hint) from error


def _record(desk: Desk, order: Order, workflow: Workflow, source: Source, run: str) -> RunRecord:
    envelope = order.envelope
    warnings = [kept_warning(each) for each in workflow.warnings[:WARNINGS_KEPT]]
    more = {
        "pool": envelope.pool,
        "spec": {"file": envelope.path, "media_type": _spec_type(order)},
        "body_digest": order.body_digest,
        "submitted_by": order.user,
        "warnings": warnings,
    }
    record = desk.service.new_record(
        workflow,
        run=run,
        source=envelope.path,
        directory=source.directory,
        workspace=source.workspace,
        pool=envelope.pool,
        limit=envelope.limit,
        reading=reading_of(source, **more),
    )
    return replace(
        record,
        priority=envelope.priority,
        tags={**workflow.tags, **envelope.tags},
        state=RunState.PAUSED if envelope.paused else record.state,
    )


def _spec_type(order: Order) -> str:
    return "application/json" if order.envelope.document.lstrip()[:1] == "{" else "application/yaml"


def _make_folder(workspace: Path, order: Order) -> None:
    """Make the folder of a run, with the document and the files that came with it."""
    try:
        workspace.mkdir(parents=True, exist_ok=bool(order.key))
        for name, text in {
            **order.envelope.files,
            order.envelope.path: order.envelope.document,
        }.items():
            (workspace / name).write_text(text, encoding="utf-8", errors="surrogatepass")
    except OSError as error:
        with contextlib.suppress(OSError):
            workspace.rmdir()
        raise UserError(
            f"the folder of the run cannot be made: {error.strerror}",
            "see whether the server's workspace can be written, and has room",
        ) from error


def warnings_of(workflow: Workflow) -> list[Problem]:
    """Return what is allowed but was hardly meant."""
    return [each for each in workflow.warnings if each.severity is Severity.WARNING]
