"""The threads that read and write the store for requests, each with a desk of its own.

A store is used by one thread at a time. So a few threads live as long as the server,
each opens store and windows once, and requests wait in line for one of them. Streams
hold none of them: they come back for each look.
"""

from __future__ import annotations

import asyncio
import logging
import queue
import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any, TypeVar

from segue.model.errors import StoreError
from segue.server.desk import Desk

log = logging.getLogger("segue.server")

Answer = TypeVar("Answer")


class Office:
    """Answers questions in its threads; `ask` from coroutines, `close` at the end."""

    def __init__(self, open_desk: Callable[[], Desk], workers: int) -> None:
        self._open_desk = open_desk
        self._questions: queue.SimpleQueue[tuple[Callable[[Desk], Any], Future[Any]] | None]
        self._questions = queue.SimpleQueue()
        self._threads = [
            threading.Thread(target=self._work, name=f"office-{number}", daemon=True)
            for number in range(workers)
        ]
        for thread in self._threads:
            thread.start()

    async def ask(self, question: Callable[[Desk], Answer]) -> Answer:
        """Return what the question answers, asked in one of the threads."""
        return await asyncio.wrap_future(self.put(question))

    def put(self, question: Callable[[Desk], Answer]) -> Future[Answer]:
        """Hand a question in; the answer comes with the future."""
        future: Future[Answer] = Future()
        self._questions.put((question, future))
        return future

    @property
    def waiting(self) -> int:
        """How many questions wait for a thread."""
        return self._questions.qsize()

    def close(self) -> None:
        """Answer what was asked, and end the threads."""
        for _ in self._threads:
            self._questions.put(None)
        for thread in self._threads:
            thread.join()

    def _work(self) -> None:
        desk: Desk | None = None
        while (asked := self._questions.get()) is not None:
            question, future = asked
            if not future.set_running_or_notify_cancel():
                continue
            try:
                desk = desk or self._open_desk()
                answer = question(desk)
            except BaseException as error:
                future.set_exception(error)
                desk = _after(error, desk)
            else:
                future.set_result(answer)
            # Nothing of a large answer is kept until the next question comes.
            del asked, question, future
            answer = None
        if desk is not None:
            desk.close()


def _after(error: BaseException, desk: Desk | None) -> Desk | None:
    """Return the desk if it can be used again: a store that failed is opened anew."""
    if desk is None or not isinstance(error, StoreError):
        return desk
    try:
        desk.close()
    except Exception as failure:
        log.warning("a store that failed could not be closed: %s", failure)
    return None
