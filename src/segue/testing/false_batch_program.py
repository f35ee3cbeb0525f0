"""The programs of false batch systems: ``python ... STATE PROGRAM ARGUMENTS``.

LSF's bsub, bjobs and bkill, and the `flux` command; jobs are real processes. Standard
library only, and run without site packages. What they know is what Segue says to them:
anything else is an error, so that a test cannot pass on an option nobody has looked at.
See `segue.testing.false_batch`.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NoReturn

#: Between the two signals of a cancel, in seconds.
KILL_WAIT_S = 1.0
#: Options of bsub that take a value, and that stand alone.
_BSUB_VALUES = ("-cwd", "-Jd", "-J", "-oo", "-eo", "-nnodes", "-n", "-q", "-G", "-W", "-M", "-U")
_BSUB_FLAGS = ("-rn", "-x")
_FLUX_VALUES = ("-N", "-n", "-c", "-g", "-t", "-q")


class Place:
    """The state folder: a JSON file for each job, and what a test has switched on."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.jobs = folder / "jobs"

    @contextlib.contextmanager
    def locked(self) -> Iterator[None]:
        """Hold the lock: one program changes the state at a time."""
        with (self.folder / "lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    def fault(self, name: str) -> str | None:
        """Return the text of a fault that is switched on; None if it is not."""
        with contextlib.suppress(FileNotFoundError):
            return (self.folder / "faults" / name).read_text()
        return None

    def read(self, job_id: str) -> dict[str, Any] | None:
        """Return a job; None if there is none."""
        with contextlib.suppress(FileNotFoundError):
            found: dict[str, Any] = json.loads((self.jobs / f"{job_id}.json").read_text())
            return found
        return None

    def write(self, job: dict[str, Any]) -> None:
        """Store a job."""
        new = self.jobs / f"{job['id']}.new"
        new.write_text(json.dumps(job))
        new.replace(self.jobs / f"{job['id']}.json")

    def all(self) -> list[dict[str, Any]]:
        """Return all jobs."""
        found = [self.read(path.stem) for path in sorted(self.jobs.glob("*.json"))]
        return [job for job in found if job is not None]

    def add(self, **fields: Any) -> dict[str, Any]:
        """Make a job under a new id of at least nine digits, and store it."""
        with self.locked():
            path = self.folder / "last"
            number = int(path.read_text()) + 1 if path.exists() else 100_000_001
            path.write_text(str(number))
            job = {"id": str(number), "state": "pending", "code": None, "pid": 0, "why": ""}
            self.write(job | fields)
            return job | fields


def refuse(message: str) -> NoReturn:
    """End the program with an error."""
    sys.stderr.write(message + "\n")
    raise SystemExit(255)


def start(place: Place, job: dict[str, Any]) -> None:
    """Let a process of its own run the job and write down how it ends."""
    words = [sys.executable, "-I", "-S", __file__, str(place.folder), "_run", job["id"]]
    subprocess.Popen(
        words,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )


def run(place: Place, job_id: str) -> None:
    """Run a job to its end."""
    with place.locked():
        job = place.read(job_id)
        if job is None or job["state"] != "pending":
            return
        with open(job["report"], "ab") as report:
            child = subprocess.Popen(
                ["/bin/bash", job["script"]],
                cwd=job["cwd"],
                env=os.environ | job["variables"],
                stdin=subprocess.DEVNULL,
                stdout=report,
                stderr=report,
                start_new_session=True,
            )
        place.write(job | {"state": "running", "pid": child.pid})
    code = child.wait()
    with place.locked():
        job = place.read(job_id)
        assert job is not None
        place.write(job | {"state": "ended", "code": code})


def stop(place: Place, job_id: str) -> bool:
    """Cancel a job; return whether it lived."""
    with place.locked():
        job = place.read(job_id)
        if job is None or job["state"] == "ended":
            return False
        if job["state"] == "pending":
            place.write(job | {"state": "ended", "code": -signal.SIGTERM, "why": "cancelled"})
            return True
        place.write(job | {"why": "cancelled"})
    if os.fork() == 0:
        os.setsid()
        for number in (signal.SIGTERM, signal.SIGKILL):
            for pid in session_of(job["pid"]):
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, number)
            time.sleep(KILL_WAIT_S)
        os._exit(0)
    return True


def session_of(leader: int) -> list[int]:
    """Return the living processes of a session and of those that their members made."""
    found = {leader}
    grown = True
    while grown:
        grown = False
        for name in os.listdir("/proc"):
            if not name.isdecimal() or int(name) in found:
                continue
            with contextlib.suppress(OSError):
                fields = Path(f"/proc/{name}/stat").read_text().rpartition(")")[2].split()
                if int(fields[3]) == leader or int(fields[1]) in found:
                    found.add(int(name))
                    grown = True
    return sorted(found)


# LSF -------------------------------------------------------------------------------------


def bsub(place: Place, words: list[str]) -> None:
    """Submit a job."""
    options: dict[str, str] = {}
    while words and words[0].startswith("-"):
        name = words.pop(0)
        if name in _BSUB_VALUES:
            options[name] = words.pop(0)
        elif name not in _BSUB_FLAGS:
            refuse(f"bsub: unknown option {name}")
    shell, script = words
    assert shell == "/bin/bash"
    job = place.add(
        script=script,
        cwd=options["-cwd"],
        report=options["-oo"],
        comment=options["-Jd"],
        name=options["-J"],
        variables={},
    )
    job["variables"] = {"LSB_JOBID": job["id"]}
    place.write(job)
    if place.fault("pending") is None:
        start(place, job)
    sys.stdout.write(f"Job <{job['id']}> is submitted to queue <{options.get('-q', 'normal')}>.\n")


def bjobs(place: Place, words: list[str]) -> None:
    """List jobs."""
    assert words[:3] == ["-a", "-noheader", "-o"], words
    assert words[3].endswith("delimiter='|'"), words
    wanted = [] if words[4:5] == ["-u"] else words[4:]
    missing = [job_id for job_id in wanted if place.read(job_id) is None]
    hidden = (place.fault("hidden") or "").split()
    for job in place.all():
        if (wanted and job["id"] not in wanted) or job["id"] in hidden:
            continue
        state, reason = _lsf_state(place, job)
        code = "-" if job["code"] is None else str(job["code"] if job["code"] >= 0 else 130)
        line = f"{job['id']}|{state}|{code}|host1|{reason}|{job['comment']}"
        garbled = place.fault("garbled") == job["id"]
        sys.stdout.write((line[:6] if garbled else line) + "\n")
    for job_id in missing:
        sys.stderr.write(f"Job <{job_id}> is not found\n")
    if missing:
        raise SystemExit(255)


def _lsf_state(place: Place, job: dict[str, Any]) -> tuple[str, str]:
    given = place.fault(f"state.{job['id']}") or place.fault("state")
    if given:
        state, _, reason = given.partition(" ")
        return state, reason or "-"
    if job["state"] != "ended":
        return {"pending": "PEND", "running": "RUN"}[job["state"]], "-"
    if job["why"] == "cancelled":
        return "EXIT", "TERM_OWNER: job killed by owner"
    return ("DONE", "-") if job["code"] == 0 else ("EXIT", "-")


def bkill(place: Place, words: list[str]) -> None:
    """Cancel jobs."""
    if not words:
        refuse("bkill: Job ID or -J must be specified")
    ended = [job_id for job_id in words if not stop(place, job_id)]
    for job_id in ended:
        sys.stderr.write(f"Job <{job_id}>: Job has already finished\n")
    if ended:
        raise SystemExit(255)


# Flux ------------------------------------------------------------------------------------


def flux(place: Place, words: list[str]) -> None:
    """Do what the first word says."""
    verb, *rest = words
    if verb in ("batch", "submit"):
        _flux_submit(place, verb, rest)
    elif verb == "jobs":
        _flux_jobs(place, rest)
    elif verb == "cancel":
        ended = [word for word in rest if not stop(place, _number(word))]
        if ended:
            refuse(f"flux-cancel: ERROR: {ended[0]}: job is inactive")
    elif verb == "version":
        sys.stdout.write("commands:    \t0.62.0\nlibflux-core:\t0.62.0\n")
    elif verb == "getattr":
        sys.stdout.write(os.environ["FLUX_JOB_ID"] + "\n")
    elif verb == "job":
        assert rest[:2] == ["id", "--to=f58plain"], rest
        sys.stdout.write(rest[2].replace("ƒ", "f") + "\n")
    else:
        refuse(f"flux: {verb} is not a flux command")


def _flux_submit(place: Place, verb: str, words: list[str]) -> None:
    options: dict[str, str] = {}
    while words and words[0].startswith("-"):
        word = words.pop(0)
        if word in _FLUX_VALUES:
            options[word] = words.pop(0)
        elif word[:2] in _FLUX_VALUES and not word.startswith("--"):
            options[word[:2]] = word[2:]
        elif word == "--exclusive":
            options[word] = ""
        else:
            name, sign, value = word.partition("=")
            if not sign:
                refuse(f"flux-{verb}: error: unrecognized argument {word}")
            options[name] = value
    assert (len(words) == 2) == (verb == "submit"), words
    job = place.add(
        script=words[-1],
        cwd=options["--cwd"],
        report=options["--output"],
        comment=options["--setattr"],
        name=options["--job-name"],
        variables={},
        options=options,
    )
    job["variables"] = {"FLUX_JOB_ID": f"ƒ{_flux_id(job)}"}
    place.write(job)
    if place.fault("pending") is None and options.get("--urgency") != "0":
        start(place, job)
    sys.stdout.write(f"ƒ{_flux_id(job)}\n")


def _flux_id(job: dict[str, Any]) -> str:
    """Return a job's id without its first sign; base 58 has no zero."""
    return str(job["id"]).replace("0", "o")


def _number(flux_id: str) -> str:
    return flux_id.removeprefix("f").replace("o", "0")


def _flux_jobs(place: Place, words: list[str]) -> None:
    assert words[:2] == ["-a", "--no-header"], words
    assert words[2].startswith("--format={id.f58plain}|"), words
    wanted = [_number(word) for word in words[3:] if not word.startswith("--count=")]
    for job in place.all():
        if wanted and job["id"] not in wanted:
            continue
        state, result, code = _flux_state(place, job)
        line = f"f{_flux_id(job)}|{state}|{result}|{code}|0|{job['name']}"
        garbled = place.fault("garbled") == job["id"]
        sys.stdout.write((line[:6] if garbled else line) + "\n")


def _flux_state(place: Place, job: dict[str, Any]) -> tuple[str, str, str]:
    given = place.fault(f"state.{job['id']}") or place.fault("state")
    if given:
        state, _, result = given.partition(" ")
        return state, result, "-"
    if job["state"] != "ended":
        return {"pending": "SCHED", "running": "RUN"}[job["state"]], "", "-"
    if job["why"] == "cancelled":
        return "INACTIVE", "CANCELED", "-15"
    return "INACTIVE", "COMPLETED" if job["code"] == 0 else "FAILED", str(job["code"])


def main() -> None:
    """Be the program that the arguments name."""
    folder, program, *words = sys.argv[1:]
    place = Place(Path(folder))
    if program == "_run":
        run(place, words[0])
        return
    with (place.folder / "calls").open("a") as calls:
        calls.write(json.dumps([program, *words]) + "\n")
    named = f"{program}.{words[0]}" if program == "flux" and words else program
    for name in (program, named):
        said = place.fault(f"{name}.fails")
        if said is not None:
            refuse(said)
    {"bsub": bsub, "bjobs": bjobs, "bkill": bkill, "flux": flux}[program](place, words)


if __name__ == "__main__":
    main()
