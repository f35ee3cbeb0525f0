"""Telling the workflow's Server how a Task is getting on, and asking it who else runs.

`LUTE_MANAGER_URL` says where it listens (``host:port``). What is said is best effort: a
Server that is slow or gone neither stops the Task nor slows it, since the batch system
knows how the job ends. Lines are sent by a thread, many in one message.
"""

from __future__ import annotations

import contextlib
import http.client
import json
import logging
import queue
import threading
import time
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import urlsplit

log = logging.getLogger("segue.lute.manager")

ADDRESS_VARIABLE: Final = "LUTE_MANAGER_URL"
TOKEN_VARIABLE: Final = "SEGUE_MANAGER_TOKEN"
#: How long one request may take, in seconds.
REQUEST_LIMIT_S: Final = 5.0
#: After a request that failed, nothing is sent for so long.
PAUSE_S: Final = 10.0
#: How long `close` waits for what has not been sent.
FLUSH_LIMIT_S: Final = 10.0
#: More lines than this are not kept for a Server that does not listen.
_QUEUE_LIMIT: Final = 10_000
#: The Server cuts longer texts.
_TEXT_LIMIT: Final = 2**20


class ManagerClient:
    """Speaks to the Server for one managed Task."""

    def __init__(self, managed_task: str, environment: Mapping[str, str]) -> None:
        self._managed_task = managed_task
        self._address = environment.get(ADDRESS_VARIABLE, "")
        self._headers = {"Content-Type": "application/json"}
        if environment.get(TOKEN_VARIABLE):
            self._headers["Authorization"] = f"Bearer {environment[TOKEN_VARIABLE]}"
        #: What tells this job apart from others of the same name.
        self._identity = {
            key: environment[name]
            for key, name in (("orig_job_id", "SLURM_JOB_ID"), ("segue_job", "SEGUE_JOB"))
            if environment.get(name)
        }
        self._orders: queue.Queue[tuple[str, dict[str, Any]] | None] = queue.Queue(_QUEUE_LIMIT)
        self._silent_until = 0.0
        self._thread: threading.Thread | None = None
        if self._address:
            self._thread = threading.Thread(target=self._work, name="manager", daemon=True)
            self._thread.start()

    def status(self, status: str, **metadata: Any) -> None:
        """Say how far the Task has come: ``STARTED``, ``RUNNING``, ``COMPLETED`` ..."""
        self._put("/status", {"status": status, **metadata})

    def log(self, message: str) -> None:
        """Pass a line of the Task on."""
        self._put("/log", {"message": message})

    def running_tasks(self) -> list[dict[str, Any]]:
        """Return what the Server knows of tasks that run now; nothing if it does not answer."""
        answer = self._ask("GET", "/tasks", None)
        with contextlib.suppress(ValueError, TypeError, KeyError):
            found: list[dict[str, Any]] = json.loads(answer)["managed_tasks"]
            return found
        return []

    def send_message(self, target: str, message: str) -> bool:
        """Leave a message for another managed Task; tell whether the Server took it."""
        body = {"target": target, "message": message, **self._identity}
        return bool(self._ask("POST", "/rpc", body))

    def next_message(self) -> str | None:
        """Return the oldest message that was left for this Task, if there is one."""
        answer = self._ask("GET", "/rpc", {"task": self._managed_task})
        with contextlib.suppress(ValueError, TypeError, KeyError):
            found = json.loads(answer)["message"]
            return None if found is None else str(found)
        return None

    def close(self) -> None:
        """Send what has not been sent, for a while; then hang up."""
        if self._thread:
            with contextlib.suppress(queue.Full):
                self._orders.put(None, timeout=FLUSH_LIMIT_S)
            self._thread.join(FLUSH_LIMIT_S)

    # In the thread -----------------------------------------------------------

    def _put(self, path: str, body: dict[str, Any]) -> None:
        if not self._thread:
            return
        with contextlib.suppress(queue.Full):
            self._orders.put_nowait((path, body))

    def _work(self) -> None:
        while True:
            orders = [self._orders.get()]
            with contextlib.suppress(queue.Empty):
                while len(orders) < 1000:
                    orders.append(self._orders.get_nowait())
            for path, body in _joined([each for each in orders if each]):
                self._tell(path, body)
            if None in orders:
                return

    def _tell(self, path: str, body: dict[str, Any]) -> None:
        is_last = path == "/status" and body.get("status") not in ("STARTED", "RUNNING")
        if time.monotonic() < self._silent_until and not is_last:
            return
        self._ask("POST", path, {"managed_task": self._managed_task, **body, **self._identity})

    def _ask(self, method: str, path: str, body: dict[str, Any] | None) -> str:
        """Return the Server's answer; empty when there is none to be had."""
        if not self._address:
            return ""
        address = self._address if "//" in self._address else f"//{self._address}"
        try:
            parts = urlsplit(address)
            connection = http.client.HTTPConnection(
                parts.hostname or "", parts.port or 80, timeout=REQUEST_LIMIT_S
            )
            with contextlib.closing(connection):
                text = json.dumps(body) if body is not None else None
                connection.request(method, path, text, self._headers)
                answer = connection.getresponse()
                data = answer.read(_TEXT_LIMIT).decode(errors="replace")
        except (OSError, http.client.HTTPException, ValueError) as error:
            self._silent_until = time.monotonic() + PAUSE_S
            log.warning("the workflow's Server at %s does not answer: %s", self._address, error)
            return ""
        if answer.status != http.HTTPStatus.OK:
            log.warning("the workflow's Server refuses %s: %s %s", path, answer.status, data[:200])
            return ""
        return data


def _joined(orders: list[tuple[str, dict[str, Any]]]) -> list[tuple[str, dict[str, Any]]]:
    r"""Return the orders with lines that follow each other as one message.

    Examples
    --------
    >>> _joined([("/log", {"message": "a"}), ("/log", {"message": "b"})])
    [('/log', {'message': 'a\nb'})]
    """
    result: list[tuple[str, dict[str, Any]]] = []
    for path, body in orders:
        if path == "/log" and result and result[-1][0] == "/log":
            text = f"{result[-1][1]['message']}\n{body['message']}"
            if len(text) < _TEXT_LIMIT:
                result[-1] = (path, {"message": text})
                continue
        result.append((path, body))
    return result
