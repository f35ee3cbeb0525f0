"""What can be read of runs in Redis. Changes nothing."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Final

from segue.model.errors import NotFoundError
from segue.model.run import AttemptRecord, HistoryRecord, RunRecord, TaskRecord
from segue.model.states import RunState
from segue.protocols.store import ALL_TASKS, StoredNode, TaskFilter
from segue.store import redis_rows as documents
from segue.store.redis_documents import CHUNK, Documents
from segue.store.redis_session import Session

#: Where many runs are looked through, so many are read at once.
RUNS_AT_ONCE: Final = 200


class RedisReading:
    """The reading half of `segue.store.redis.RedisStore`.

    `_documents` is the form that the store was begun with; opening finds it out.
    """

    _documents: Documents

    def __init__(self, session: Session, prefix: str) -> None:
        self._session = session
        self._prefix = prefix
        self._known: set[str] = set()

    # Names of keys -----------------------------------------------------------------

    def _key(self, run: str, part: str = "") -> str:
        return f"{self._prefix}:run:{run}" + (f":{part}" if part else "")

    def _check(self, run: str) -> None:
        if run not in self._known:
            if not self._session.ask("EXISTS", self._key(run)):
                raise NotFoundError(f"there is no run {run!r}")
            self._known.add(run)

    # Reading -----------------------------------------------------------------

    def _some(self, run: str, part: str, wanted: Sequence[str | int]) -> list[Any]:
        """Return documents of a run by their fields; None where there is none."""
        found: list[Any] = []
        for at in range(0, len(wanted), CHUNK):
            chunk = wanted[at : at + CHUNK]
            answer = self._session.ask(*self._documents.some(self._key(run, part), chunk))
            found += self._documents.from_some(answer, chunk)
        return found

    def run(self, run: str) -> RunRecord | None:
        """Return the run, or None."""
        return next(iter(self._run_records([run])), None)

    def _run_records(self, runs: Sequence[str]) -> list[RunRecord]:
        commands = [self._documents.some(self._key(run), ["run"]) for run in runs]
        found = [
            self._documents.from_some(answer, ["run"])[0] if answer else None
            for answer in self._session.ask_all(commands)
        ]
        return [documents.run_record(value) for value in found if value is not None]

    def find_runs(self, prefix: str) -> Sequence[str]:
        """Return the ids that begin with `prefix`, newest first."""
        return [run for run in self._ids(f"{self._prefix}:runs") if run.startswith(prefix)]

    def numbers(self) -> dict[str, int]:
        """Return the number of each run, counted from 1 in the order of creation."""
        found = self._session.ask("ZRANGE", f"{self._prefix}:runs", 0, -1, "WITHSCORES")
        return {run: int(number) for run, number in found}

    def _ids(self, key: str, limit: int = 0) -> list[str]:
        found: list[str] = self._session.ask("ZREVRANGE", key, 0, limit - 1)
        return found

    def runs(
        self, *, states: Sequence[RunState] = (), workspace: str = "", limit: int = 0
    ) -> Sequence[RunRecord]:
        """Return runs, newest first."""
        key = f"{self._prefix}:workspace:{workspace}" if workspace else f"{self._prefix}:runs"
        ids = self._ids(key, 0 if states else limit)
        found: list[RunRecord] = []
        for at in range(0, len(ids), RUNS_AT_ONCE):
            some = self._run_records(ids[at : at + RUNS_AT_ONCE])
            found += [run for run in some if not states or run.state in states]
            if limit and len(found) >= limit:
                return found[:limit]
        return found

    def nodes(self, run: str, wanted: TaskFilter = ALL_TASKS) -> Iterator[StoredNode]:
        """Yield tasks and barriers in the order of their positions."""
        self._check(run)
        found = 0
        for stored in self._all_nodes(run, wanted):
            if stored.position > wanted.after and documents.is_wanted(
                stored.node, stored.record, wanted
            ):
                yield stored
                found += 1
                if found == wanted.limit:
                    return

    def _all_nodes(self, run: str, wanted: TaskFilter) -> Iterator[StoredNode]:
        """Yield what may be wanted: all as of one moment, or page by page where pages are."""
        if not (wanted.names or wanted.limit):
            both = [self._documents.every(self._key(run, part)) for part in ("nodes", "records")]
            nodes, records = map(self._documents.from_every, self._session.ask_all(both))
            positions = sorted(map(int, nodes))
            yield from _stored(positions, map(nodes.get, map(str, positions)),
                               map(records.get, map(str, positions)))  # fmt: skip
            return
        positions = self._positions(run, wanted)
        for at in range(0, len(positions), CHUNK):
            page = positions[at : at + CHUNK]
            commands = [
                self._documents.some(self._key(run, part), page) for part in ("nodes", "records")
            ]
            found = [self._documents.from_some(a, page) for a in self._session.ask_all(commands)]
            yield from _stored(page, *found)

    def _positions(self, run: str, wanted: TaskFilter) -> list[int]:
        if wanted.names:
            found = self._session.ask("HMGET", self._key(run, "names"), *wanted.names)
            return sorted({int(at) for at in found if at is not None})
        number = self._session.ask("HLEN", self._key(run, "names"))
        return list(range(wanted.after + 1, number))

    def records(self, run: str) -> Iterator[tuple[int, TaskRecord]]:
        """Yield how far each node has come, by position."""
        self._check(run)
        answer = self._session.ask(*self._documents.every(self._key(run, "records")))
        found = self._documents.from_every(answer)
        for position in sorted(found, key=int):
            yield int(position), documents.task_record(found[position])

    def attempts(self, run: str, tasks: Sequence[int] = ()) -> Iterator[AttemptRecord]:
        """Yield attempts by task position and number."""
        self._check(run)
        if tasks:
            tried = self._session.ask("HMGET", self._key(run, "tried"), *tasks)
            fields: list[str | int] = [
                f"{task}.{number}"
                for task, newest in zip(tasks, tried, strict=True)
                for number in range(1, int(newest or 0) + 1)
            ]
            found = [each for each in self._some(run, "attempts", fields) if each is not None]
        else:
            answer = self._session.ask(*self._documents.every(self._key(run, "attempts")))
            found = list(self._documents.from_every(answer).values())
        yield from sorted(map(documents.attempt_record, found), key=lambda one: one[:2])

    def history(self, run: str, after: int = 0, limit: int = 0) -> Iterator[HistoryRecord]:
        """Yield history records with numbers above `after`."""
        self._check(run)
        last = after + limit - 1 if limit else -1
        for text in self._session.ask("LRANGE", self._key(run, "history"), after, last):
            yield documents.history_record(text)

    def newest_history(self, run: str) -> HistoryRecord | None:
        """Return the newest history record of the run."""
        self._check(run)
        found = self._session.ask("LINDEX", self._key(run, "history"), -1)
        return None if found is None else documents.history_record(found)


def _stored(positions: Sequence[int], nodes: Any, records: Any) -> Iterator[StoredNode]:
    for position, node, record in zip(positions, nodes, records, strict=True):
        yield StoredNode(position, documents.node_of(node), documents.task_record(record))
