"""The Redis store, as Daggy had one: for those who run a Redis server anyway.

Documents are RedisJSON where the server has it, else JSON texts in plain hashes; a store
keeps the form that it was begun with. Scripts on the server check and write each turn as
one. What it promises is what Redis promises: `docs/reference/stores.md` says it plainly.
"""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

from segue.model.access import Token
from segue.model.errors import NotFoundError, RefusedError, StoreError
from segue.model.run import HistoryRecord, Lease, Node, RunRecord, TaskRecord
from segue.protocols.store import (
    Commit,
    Request,
    StoredCommand,
)
from segue.store import redis_rows as documents
from segue.store.deletion import check_deletable
from segue.store.doubt import ConnectionLostError, Doubts, new_turn
from segue.store.redis_documents import (
    Command,
    Documents,
    HashDocuments,
    JsonDocuments,
    hash_commands,
)
from segue.store.redis_reading import RedisReading
from segue.store.redis_session import Session
from segue.store.rows import step_rows, way_rows
from segue.store.server_clock import ServerClock
from segue.store.server_url import shown, take_option

log = logging.getLogger("segue.store")

VERSION: Final = 1
_FORMS: Final[Mapping[str, type[Documents]]] = {"hash": HashDocuments, "json": JsonDocuments}


def open_redis(url: str) -> RedisStore:
    """Return the store that a URL names: ``redis://host:6379/0?prefix=segue``."""
    rest, prefix = take_option(url, "prefix", "segue")
    return RedisStore(rest, prefix)


class RedisStore(RedisReading):
    """Fulfils `segue.protocols.store.Store` on a Redis server. Not shared between threads.

    All keys begin with `prefix`, so that several stores can share a server. `clock` is this
    machine's; it is compared with the server's.
    """

    def __init__(
        self, url: str, prefix: str = "segue", clock: Callable[[], float] = time.time
    ) -> None:
        super().__init__(Session(url), prefix)
        self._doubts = Doubts()
        self._clock = ServerClock(self._server_time, clock)
        try:
            self._documents = self._open()
        except BaseException:
            self._session.close()
            raise

    def _open(self) -> Documents:
        meta = f"{self._prefix}:meta"
        if not self._session.ask("EXISTS", meta):
            form = "json" if self._session.has_json() else "hash"
            # Whoever is first chooses; the others read what was chosen.
            self._session.call("HSETNX", meta, "form", form)
            self._session.call("HSETNX", meta, "version", VERSION)
        form, version = self._session.ask("HMGET", meta, "form", "version")
        name = shown(self._session.url)
        if int(version or VERSION) > VERSION or form not in _FORMS:
            raise StoreError(
                f"{name} was written by a newer Segue",
                "update Segue, or give another store with SEGUE_STORE",
            )
        if form == "json" and not self._session.has_json():
            raise StoreError(
                f"{name} holds RedisJSON documents, which this server does not know",
                "start the server with the RedisJSON module, as it was when the store was begun",
            )
        self._check_server(name)
        self._session.call("SADD", f"{self._prefix}:steps", *(f"{a}>{b}" for a, b in step_rows()))
        self._session.call("SADD", f"{self._prefix}:ways", *(f"{a}>{b}" for a, b in way_rows()))
        return _FORMS[form]()

    def _check_server(self, name: str) -> None:
        memory = self._session.facts("memory")
        policy = str(memory.get("maxmemory_policy", ""))
        if int(memory.get("maxmemory", 0)) and policy.startswith("allkeys"):
            raise StoreError(
                f"{name} throws keys away when its memory is full ({policy})",
                "set maxmemory-policy to noeviction, or use another server",
            )
        if self._session.facts("persistence").get("aof_enabled") == 0:
            log.warning("%s keeps no append-only file: a restart may lose what it holds", name)

    def _server_time(self) -> float:
        seconds, microseconds = self._session.ask("TIME")
        return int(seconds) + int(microseconds) / 1e6

    # Writing -----------------------------------------------------------------

    def create_run(
        self,
        run: RunRecord,
        nodes: Sequence[Node],
        history: HistoryRecord,
        requests: Sequence[Request] = (),
    ) -> None:
        """Store a new run with its tasks and barriers, all waiting, and requests with it."""
        for each in requests:
            if each.run != run.id:
                self._check(each.run)
        number = self._session.call("INCR", f"{self._prefix}:numbers")
        new = documents.record_text(TaskRecord())
        make = self._documents.create
        key = self._key(run.id)
        texts: dict[str | int, str] = {
            at: documents.node_text(node) for at, node in enumerate(nodes)
        }
        commands: list[Command] = [
            *make(key, {"run": documents.run_text(run)}),
            *make(f"{key}:nodes", texts),
            *make(f"{key}:records", dict.fromkeys(texts, new)),
            *make(f"{key}:attempts", {}),
            *hash_commands(f"{key}:names", {node.name: at for at, node in enumerate(nodes)}),
            ("RPUSH", f"{key}:history", documents.history_text(history)),
            ("ZADD", f"{self._prefix}:runs", number, run.id),
            ("ZADD", f"{self._prefix}:workspace:{run.workspace}", number, run.id),
        ]
        commands += [self._put(self._next_command(), each) for each in requests]
        try:
            self._session.together(commands, absent=key)
        except KeyError as error:
            raise RefusedError(f"run {run.id!r} exists already") from error
        self._known.add(run.id)

    def commit(self, commit: Commit, lease: Lease) -> None:
        """Write what one turn of the loop changed in one run."""
        self.commit_many([(commit, lease)])

    def commit_many(self, commits: Sequence[tuple[Commit, Lease]]) -> None:
        """Write the changes of several runs as one.

        Raises
        ------
        ConnectionLostError
            If the server was lost. Whether it has stored the changes is found out before
            the next commit, which may then hold the same changes again.
        """
        try:
            self._send(commits)
        except ConnectionLostError:
            # A server that was only started anew is there again.
            self._send(commits)

    def _send(self, commits: Sequence[tuple[Commit, Lease]]) -> None:
        self._doubts.settle(self._newest_turn)
        turn = new_turn()
        words: documents.Words = [self._prefix, self._documents.form, turn, len(commits)]
        for commit, lease in self._doubts.to_store(commits):
            words += documents.commit_words(commit, lease, self._new_definitions(commit))
        try:
            self._session.script("commit", (), words)
        except ConnectionLostError:
            self._doubts.begin(turn, commits)
            raise
        self._doubts.stored(commits)

    def _newest_turn(self, run: str) -> str:
        return self._session.ask("HGET", self._key(run, "lease"), "turn") or ""

    def _new_definitions(self, commit: Commit) -> dict[int, str]:
        """Return the documents of nodes that were patched, or that generators gave new needs."""
        if not commit.late_needs and not commit.patched:
            return {}
        positions = sorted({position for position, _ in commit.late_needs})
        found = self._some(commit.run, "nodes", positions)
        return documents.new_definitions(commit, dict(zip(positions, found, strict=True)))

    def delete_run(self, run: str) -> None:
        """Remove a run that has ended, and all that is known of it."""
        self._check(run)
        record = self.run(run)
        if record is None:
            raise NotFoundError(f"there is no run {run!r}")
        check_deletable(record, self.lease(run), self._clock.from_server(self._server_time()))
        key = self._key(run)
        parts = ("nodes", "records", "attempts", "names", "history", "tried", "commands", "lease")
        self._session.together(
            [
                ("ZREM", f"{self._prefix}:runs", run),
                ("ZREM", f"{self._prefix}:workspace:{record.workspace}", run),
                ("DEL", key, *(f"{key}:{part}" for part in parts)),
            ]
        )
        self._known.discard(run)

    # Tokens ------------------------------------------------------------------

    def put_token(self, token: Token) -> None:
        """Keep a token; one with the same id is replaced."""
        text = documents.token_text(token)
        self._session.call("HSET", f"{self._prefix}:tokens", token.id, text)

    def tokens(self) -> Sequence[Token]:
        """Return all tokens, oldest first."""
        found = self._session.ask("HVALS", f"{self._prefix}:tokens")
        return sorted(map(documents.token_of, found), key=lambda one: (one.created_at, one.id))

    def remove_token(self, token: str) -> bool:
        """Remove the token of that id; return whether there was one."""
        return bool(self._session.call("HDEL", f"{self._prefix}:tokens", token))

    # Leases ------------------------------------------------------------------

    def acquire(self, lease: Lease, now: float, dead: Lease | None = None) -> Lease | None:
        """Return the lease with its new epoch, or None while another owner's is in force."""
        self._check(lease.run)
        epoch = self._session.script(
            "acquire",
            [self._key(lease.run, "lease")],
            [
                lease.owner,
                repr(self._clock.to_server(lease.until)),
                lease.host,
                lease.process_id,
                lease.doorbell,
                repr(self._clock.to_server(now)),
                dead.owner if dead else "",
                dead.epoch if dead else 0,
            ],
        )
        return replace(lease, epoch=int(epoch)) if epoch else None

    def renew(self, leases: Sequence[Lease], until: float) -> None:
        """Extend the leases; one that was lost raises `LeaseLostError`."""
        self._extend(leases, self._clock.to_server(until))

    def release(self, lease: Lease) -> None:
        """Give the lease up, if it is still ours."""
        newest = self.lease(lease.run)
        if newest is not None and (newest.owner, newest.epoch) == (lease.owner, lease.epoch):
            self._extend([lease], 0.0)

    def _extend(self, leases: Sequence[Lease], until: float) -> None:
        keys = [self._key(lease.run, "lease") for lease in leases]
        held = [word for lease in leases for word in (lease.owner, lease.epoch)]
        self._session.script("extend", keys, [repr(until), *held])

    def lease(self, run: str) -> Lease | None:
        """Return the newest lease of the run; after a release `until` is 0."""
        self._check(run)
        found = self._session.ask("HGETALL", self._key(run, "lease"))
        if not found:
            return None
        return Lease(
            run,
            found["owner"],
            int(found["epoch"]),
            self._clock.from_server(float(found["until"])),
            found["host"],
            int(found["process_id"]),
            found["doorbell"],
        )

    # Commands ----------------------------------------------------------------

    def put_command(self, run: str, kind: str, argument: Mapping[str, Any], at: float) -> int:
        """Store a request for the engine that owns, or will own, the run; return its id."""
        self._check(run)
        number = self._next_command()
        self._session.call(*self._put(number, Request(run, kind, argument, at)))
        return number

    def _next_command(self) -> int:
        return int(self._session.call("INCR", f"{self._prefix}:commands"))

    def _put(self, number: int, request: Request) -> Command:
        return ("HSET", self._key(request.run, "commands"), number, documents.command_text(request))

    def commands(self, runs: Sequence[str]) -> Sequence[StoredCommand]:
        """Return the requests that have not been taken, oldest first."""
        for run in runs:
            self._check(run)
        answers = self._session.ask_all([("HGETALL", self._key(run, "commands")) for run in runs])
        return sorted(
            StoredCommand(int(number), run, **json.loads(text))
            for run, answer in zip(runs, answers, strict=True)
            for number, text in answer.items()
        )

    def close(self) -> None:
        """Let go of the connection."""
        self._session.close()
