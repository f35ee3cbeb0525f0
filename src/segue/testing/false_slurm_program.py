"""The programs of the false Slurm: ``python false_slurm_program.py STATE PROGRAM ARGUMENTS``.

Standard library only, and run without site packages, so that a call takes some 20 ms.
What it knows of Slurm is what Segue says to Slurm; anything else is an error, so that a
test cannot pass on an option that nobody has looked at. See `segue.testing.false_slurm`.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import re
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

ENDED = ("COMPLETED", "FAILED", "CANCELLED", "TIMEOUT", "NODE_FAIL", "PREEMPTED", "OUT_OF_MEMORY")
#: What is no program of Slurm: parts of this one.
OURS = ("start", "run", "kill")
#: Between the two signals of a cancel, in seconds (KillWait).
KILL_WAIT_S = 2.0


class Cluster:
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
        path = self.jobs / f"{job['id']}.json"
        new = path.with_suffix(".new")
        new.write_text(json.dumps(job))
        new.replace(path)

    def all(self) -> list[dict[str, Any]]:
        """Return all jobs, the oldest first."""
        names = [path.stem for path in self.jobs.glob("*.json")]
        jobs = [self.read(name) for name in sorted(names, key=_order)]
        return [job for job in jobs if job is not None]

    def next_number(self) -> int:
        """Return a job number that was not used."""
        path = self.folder / "last"
        number = int(path.read_text()) + 1 if path.exists() else 1
        path.write_text(str(number))
        return number


def _order(job_id: str) -> tuple[int, int]:
    number, _, element = job_id.partition("_")
    return int(number), int(element or 0)


def fail(program: str, text: str, code: int = 1) -> int:
    """Say an error and return the exit code."""
    sys.stderr.write(f"{program}: {text}\n")
    return code


def split(arguments: list[str], known: tuple[str, ...]) -> tuple[dict[str, str], list[str]]:
    """Return options and further words; only ``--name`` and ``--name=value`` are known."""
    options: dict[str, str] = {}
    words: list[str] = []
    for word in arguments:
        if not word.startswith("-"):
            words.append(word)
            continue
        name, _, value = word.removeprefix("--").partition("=")
        if name not in known:
            raise SystemExit(fail("false slurm", f"unrecognized option '{word}'"))
        options[name] = value
    return options, words


# sbatch ------------------------------------------------------------------------------

SBATCH = (
    *("account", "array", "begin", "chdir", "comment", "constraint", "cpus-per-task", "error"),
    *("exclusive", "gres", "job-name", "mem", "no-requeue", "nodes", "ntasks", "output"),
    *("parsable", "partition", "qos", "reservation", "time", "tmp"),
)


def sbatch(cluster: Cluster, arguments: list[str]) -> int:
    """Take a job, start it, and say its id."""
    options, words = split(arguments, SBATCH)
    text = Path(words[0]).read_text(errors="surrogateescape")
    options = _header(text) | options
    if options.get("partition") == "nope":
        sys.stderr.write("sbatch: error: invalid partition specified: nope\n")
        reason = "Invalid partition name specified"
        return fail("sbatch", f"error: Batch job submission failed: {reason}")
    limit = cluster.fault("limit")
    with cluster.locked():
        alive = sum(job["state"] not in ENDED for job in cluster.all())
        indices = _indices(options.get("array"))
        if limit is not None and alive + len(indices) > int(limit):
            sys.stderr.write("sbatch: error: QOSMaxSubmitJobPerUserLimit\n")
            reason = "Job violates accounting/QOS policy (job submit limit)"
            return fail("sbatch", f"error: Batch job submission failed: {reason}")
        number = cluster.next_number()
        jobs = [_job(number, index, options, text, words[0]) for index in indices]
        for job in jobs:
            cluster.write(job)
    if cluster.fault("pending") is None:
        for job in jobs:
            _start(cluster, job)
    if cluster.fault("sbatch.silent") is not None:
        time.sleep(3600)
    sys.stdout.write(f"{number}\n")
    return 0


def _header(text: str) -> dict[str, str]:
    words: list[str] = []
    for line in text.splitlines():
        if line.startswith("#SBATCH"):
            words += shlex.split(line.removeprefix("#SBATCH"))
        elif line and not line.startswith("#"):
            break
    joined: list[str] = []
    for word in words:
        if word.startswith("-"):
            joined.append(word)
        else:
            joined[-1] += f"={word}"
    return split(joined, SBATCH)[0]


def _indices(array: str | None) -> list[int | None]:
    if array is None:
        return [None]
    first, last = array.split("-")
    return list(range(int(first), int(last) + 1))


def _job(
    number: int, index: int | None, options: dict[str, str], text: str, script: str
) -> dict[str, Any]:
    return {
        "id": str(number) if index is None else f"{number}_{index}",
        "number": number,
        "index": index,
        "state": "PENDING",
        "status": 0,
        "options": options,
        "script": text,
        "name": options.get("job-name", os.path.basename(script)),
        "cwd": options.get("chdir") or os.getcwd(),
        "environment": dict(os.environ),
        "start": None,
        "end": None,
        "pid": 0,
        "cancelled": False,
    }


def _start(cluster: Cluster, job: dict[str, Any]) -> None:
    subprocess.Popen(
        [sys.executable, "-I", "-S", __file__, str(cluster.folder), "run", job["id"]],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )


def start(cluster: Cluster, arguments: list[str]) -> int:
    """Start the jobs that wait."""
    for job in cluster.all():
        if job["state"] == "PENDING":
            _start(cluster, job)
    return 0


def run(cluster: Cluster, arguments: list[str]) -> int:
    """Be the job's keeper: run its script and write down how it ended."""
    with cluster.locked():
        job = cluster.read(arguments[0])
        if job is None or job["cancelled"]:
            return 0
        script = cluster.folder / "spool" / job["id"]
        script.write_text(job["script"], errors="surrogateescape")
        script.chmod(0o755)
        process = _spawn(job, script)
        now = int(time.time())
        cluster.write(job | {"state": "RUNNING", "start": now, "pid": os.getpid()})
    signal.signal(signal.SIGTERM, signal.SIG_IGN)  # of the whole session, and not for us
    code = process.wait()
    status = -code if code < 0 else code << 8
    with cluster.locked():
        job = cluster.read(arguments[0])
        if job is None:
            return 0
        state = "CANCELLED" if job["cancelled"] else "FAILED" if status else "COMPLETED"
        cluster.write(job | {"state": state, "status": status, "end": int(time.time())})
    return 0


def _spawn(job: dict[str, Any], script: Path) -> subprocess.Popen[bytes]:
    options, index = job["options"], job["index"]
    environment = job["environment"] | {
        "SLURM_JOB_ID": str(job["number"] * 1000 + index if index else job["number"]),
        "SLURM_JOB_NAME": job["name"],
        "SLURMD_NODENAME": "false1",
    }
    if index is not None:
        environment["SLURM_ARRAY_JOB_ID"] = str(job["number"])
        environment["SLURM_ARRAY_TASK_ID"] = str(index)
    with contextlib.ExitStack() as files:
        output = files.enter_context(_open(options["output"], job))
        error = files.enter_context(_open(options["error"], job)) if "error" in options else output
        return subprocess.Popen(
            [str(script)],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=error,
            cwd=job["cwd"],
            env=environment,
        )


def _open(pattern: str, job: dict[str, Any]) -> Any:
    fields = {"%": "%", "a": str(job["index"]), "j": job["id"]}
    return open(re.sub("%(.)", lambda match: fields[match[1]], pattern), "wb")


# squeue, sacct, scancel, scontrol ----------------------------------------------------


def squeue(cluster: Cluster, arguments: list[str]) -> int:
    """List jobs in the fields and widths that were asked for."""
    options, _ = split(arguments, ("noheader", "array", "states", "user", "jobs", "Format"))
    wanted = options["jobs"].split(",") if "jobs" in options else None
    fields = [field.split(":") for field in options["Format"].split(",")]
    hidden = (cluster.fault("squeue.hidden") or "").split()
    lines = []
    for job in cluster.all():
        if job["id"] in hidden or (wanted is not None and str(job["number"]) not in wanted):
            continue
        values = {
            "JobArrayID": job["id"],
            "State": cluster.fault(f"state.{job['id']}") or job["state"],
            "exit_code": str(job["status"]),
            "BatchHost": "false1" if job["start"] else "n/a",
            "StartTime": str(job["start"] or "N/A"),
            "EndTime": str(job["end"] or "N/A"),
            "Reason": cluster.fault(f"reason.{job['id']}") or "None",
            "RestartCnt": "0",
            "Comment": job["options"].get("comment", "(null)"),
        }
        lines.append(
            "".join(values[name][: int(width)].ljust(int(width)) for name, width in fields)
        )
    if wanted is not None and len(wanted) == 1 and not lines:
        return fail("slurm_load_jobs error", "Invalid job id specified")
    garbled = cluster.fault("squeue.garbled")
    if garbled is not None:
        lines = [garbled if line.startswith(f"{garbled} ") else line for line in lines]
    sys.stdout.write("".join(f"{line}\n" for line in lines))
    return 0


def sacct(cluster: Cluster, arguments: list[str]) -> int:
    """Say what the accounts hold: the end of each job that has one, and its batch step."""
    options, _ = split(arguments, ("noheader", "parsable2", "delimiter", "jobs", "format"))
    if cluster.fault("sacct.disabled") is not None:
        return fail("sacct", "Slurm accounting storage is disabled")
    hidden = (cluster.fault("sacct.hidden") or "").split()
    for job_id in options["jobs"].split(","):
        job = cluster.read(job_id)
        if job is None or job_id in hidden:
            continue
        state = cluster.fault(f"accounted.{job_id}") or job["state"]
        code = f"{job['status'] >> 8}:{job['status'] & 0x7F}"
        times = f"{job['start'] or 'Unknown'}|{job['end'] or 'Unknown'}"
        sys.stdout.write(f"{job_id}|{state}|{code}|{times}|00:01.500||false1\n")
        sys.stdout.write(f"{job_id}.batch|{state}|{code}|{times}|00:01.500|4M|false1\n")
    return 0


def scancel(cluster: Cluster, arguments: list[str]) -> int:
    """End jobs: all their processes are told, and killed after a while."""
    _, words = split(arguments, ("quiet",))
    for job_id in words:
        with cluster.locked():
            job = cluster.read(job_id)
            if job is None or job["state"] in ENDED:
                continue
            job["cancelled"] = True
            if not job["pid"]:
                job |= {"state": "CANCELLED", "end": int(time.time())}
            cluster.write(job)
        if job["pid"]:
            subprocess.Popen(
                [
                    sys.executable,
                    "-I",
                    "-S",
                    __file__,
                    str(cluster.folder),
                    "kill",
                    str(job["pid"]),
                ],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                start_new_session=True,
            )
    return 0


def kill(cluster: Cluster, arguments: list[str]) -> int:
    """End the processes of a job's session."""
    keeper = int(arguments[0])
    for number in (signal.SIGTERM, signal.SIGKILL):
        for pid in session_of(keeper):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, number)
        until = time.monotonic() + KILL_WAIT_S
        while session_of(keeper) and time.monotonic() < until:
            time.sleep(0.01)
    return 0


def session_of(keeper: int) -> list[int]:
    """Return the processes of the keeper's session without the keeper itself."""
    found = []
    for path in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError, IndexError):
            fields = path.read_text().rsplit(")", 1)[1].split()
            if int(fields[3]) == keeper and fields[0] != "Z" and int(path.parent.name) != keeper:
                found.append(int(path.parent.name))
    return found


def scontrol(cluster: Cluster, arguments: list[str]) -> int:
    """Show the one thing that is asked of the configuration."""
    if arguments != ["show", "config"]:
        return fail("scontrol", f"what is {arguments}?")
    sys.stdout.write("MaxArraySize            = 1001\n")
    return 0


PROGRAMS = {
    "sbatch": sbatch,
    "squeue": squeue,
    "sacct": sacct,
    "scancel": scancel,
    "scontrol": scontrol,
    "start": start,
    "run": run,
    "kill": kill,
}


def main() -> int:
    """Be one of the programs."""
    cluster, program, arguments = Cluster(Path(sys.argv[1])), sys.argv[2], sys.argv[3:]
    if program not in OURS:
        with (cluster.folder / "calls").open("a") as calls:
            calls.write(json.dumps([program, *arguments]) + "\n")
        said = cluster.fault(f"{program}.fails")
        if said is not None:
            return fail(program, said)
    return PROGRAMS[program](cluster, arguments)


if __name__ == "__main__":
    sys.exit(main())
