"""Windows on a Redis store: read whole, as Redis sorts and counts nothing for us."""

from __future__ import annotations

from segue.model.run import RunRecord
from segue.store.plain_windows import PlainWindows
from segue.store.redis import RedisStore, open_redis


def open_windows(url: str) -> RedisWindows:
    """Return windows on the store that a URL names."""
    return RedisWindows(open_redis(url))


class RedisWindows(PlainWindows):
    """Fulfils `segue.protocols.windows.Windows` on a Redis server."""

    def __init__(self, store: RedisStore) -> None:
        super().__init__(store)
        self._redis = store

    def _numbered(self) -> list[tuple[int, RunRecord]]:
        numbers = self._redis.numbers()
        return [(numbers[run.id], run) for run in reversed(self._store.runs()) if run.id in numbers]
