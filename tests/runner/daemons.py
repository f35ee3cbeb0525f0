"""Help for tests of the runner: the real daemon at a free port, and jobs for it."""

import os
import signal
import sys
from contextlib import suppress
from pathlib import Path
from urllib.parse import quote

from places import alive, keeper_pid
from served import LIMIT_S, client_of, start_serving, wait_until

from segue.executors.keeper.processes import all_processes, mark_of
from segue.protocols.runner import Changes, Told

RUNNER = [sys.executable, "-m", "segue.cli", "runner", "--port", "0"]
#: Long enough for tests that are not about leases.
LEASE_S = 600.0


def argv(*words):
    return {"kind": "argv", "arguments": list(words)}


class Daemon:
    """`segue runner` on a spool of its own, and a client of it."""

    def __init__(self, folder, *words, token="", program=None):
        self.folder = folder
        self.work = folder / "work"
        self.spool = folder / "spool"
        self.words = words
        self.token = token
        self.program = program or [*RUNNER, "--spool", str(self.spool)]
        self.environment = os.environ | {"XDG_STATE_HOME": str(folder / "state")}
        self.process = None

    def start(self):
        self.errors = (self.folder / "runner.err").open("ab")
        words = [*self.program, *map(str, self.words)]
        self.process, self.line = start_serving(words, self.folder, self.environment, self.errors)
        self.url = "http://" + self.line.split("http://")[1].split("/")[0]
        self.client = client_of(self.url, self.token)
        return self

    def said(self):
        return (self.folder / "runner.err").read_text(errors="replace")

    def end(self, number=signal.SIGKILL):
        """End the daemon; return its exit code."""
        self.process.send_signal(number)
        return self.wait_for_end()

    def wait_for_end(self):
        code = self.process.wait(LIMIT_S)
        self.client.close()
        self.process.stdout.close()
        self.errors.close()
        return code

    def close(self):
        """End the daemon and everything of it."""
        if self.process is not None and self.process.poll() is None:
            self.end()
        for pid in self.keepers():
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        for pid in self.processes():
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)

    # What is asked -----------------------------------------------------------------

    def order(self, script, **fields):
        """An order; a text is run by a shell."""
        action = argv("/bin/sh", "-c", script) if isinstance(script, str) else script
        order = {"owner": "engine-1", "lease_s": LEASE_S, "needs": {"cores": 1}, "title": "job"}
        return order | {"action": action, "workdir": str(self.work)} | fields

    def put(self, name, script="true", status=202, **fields):
        answer = self.client.put(
            f"/api/v1/tasks/{quote(name, safe='')}", json=self.order(script, **fields)
        )
        assert answer.status_code == status, answer.text
        return answer.json()

    def capacity(self):
        return self.client.get("/api/v1/capacity").json()

    def free(self):
        return self.capacity()["free"]

    def changes(self, after=0, wait=0, owner="engine-1"):
        query = {"owner": owner, "after": after, "wait": wait}
        answer = self.client.get("/api/v1/tasks", params=query)
        assert answer.status_code == 200, answer.text
        return Changes.from_json(answer.json())

    def find(self, *names, owner="engine-1"):
        body = {"owner": owner, "names": names}
        answer = self.client.post("/api/v1/find", json=body)
        assert answer.status_code == 200, answer.text
        return {told.name: told for told in Changes.from_json(answer.json()).tasks}

    def told(self, name):
        """What is told of a job; None: nothing."""
        answer = self.client.get(f"/api/v1/tasks/{quote(name, safe='')}")
        if answer.status_code == 404:
            return None
        assert answer.status_code == 200, answer.text
        return Told.from_json(answer.json())

    def wait_for(self, name, *states):
        """Wait until the job is in one of the states; the question keeps no lease alive."""
        return wait_until(
            lambda: (told := self.told(name)) and told.state in states and told,
            f"{name} is {states}",
        )

    def end_of(self, name):
        return self.wait_for(name, "ended").end

    def output(self, name, stream="stdout", **query):
        answer = self.client.get(f"/api/v1/tasks/{quote(name, safe='')}/{stream}", params=query)
        assert answer.status_code == 200, answer.text
        return answer.content

    def ack(self, *names):
        return self.client.post("/api/v1/acks", json={"names": names}).json()["forgotten"]

    def stop(self, name):
        return self.client.delete(f"/api/v1/tasks/{quote(name, safe='')}").status_code

    # What it leaves behind ---------------------------------------------------------

    def keepers(self):
        """Pids of keepers that live."""
        folders = (self.spool / "keepers").glob("*/*/journal")
        pids = [keeper_pid(each.parent) for each in folders]
        return [pid for pid in pids if alive(pid)]

    def processes(self):
        """Pids of all processes of jobs of this spool."""
        place = f"{self.spool.resolve()}/"
        return [each.pid for each in all_processes() if mark_of(each.pid)[1].startswith(place)]


class Gate:
    """Where a job stops, after it has told its pid, until the test lets it go on."""

    def __init__(self, folder, name="gate"):
        self.pids = Path(folder, f"{name}.pids")
        self._path = Path(folder, f"{name}.fifo")
        os.mkfifo(self._path)

    def script(self, then="exit 0"):
        return f"echo $$ >> {self.pids}; read line < {self._path}; {then}"

    def wait(self):
        """Wait until a job stands here; return the pids of all that ever did."""
        wait_until(lambda: self.pids.exists() and self.pids.read_text().endswith("\n"), "a job")
        return [int(line) for line in self.pids.read_text().split()]

    def open(self):
        self._path.write_text("go\n")
