"""`submit_launch_slurm.sh`: run a launch as a batch job of one core, and return at once.

submit_launch_slurm.sh /path/to/launch_slurm -c CONFIG -W WORKFLOW [...]
"""

from __future__ import annotations

import os
import secrets
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from segue.lute.submit_launch import launch_script, shared_options
from segue.model.errors import OutsideError, SegueError, UserError

USAGE: Final = """\
usage: submit_launch_slurm.sh /path/to/launch_slurm [-h] -c CONFIG -W WORKFLOW_DEFN
                              [-e EXPERIMENT] [-r RUN] [...] [$SLURM_ARGS]

Runs launch_slurm with these arguments as a batch job of one core. Its --partition and
--account are those among the arguments.
"""
_SUBMIT_LIMIT_S: Final = 120.0


def main(arguments: Sequence[str] | None = None) -> int:
    """Submit the launch; return the exit code."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    if not words or words[0] in ("-h", "--help"):
        sys.stdout.write(USAGE)
        return 0 if words else 2
    try:
        launch = _program(words[0])
        cache = private_cache(os.environ)
        sys.stdout.write(_submit([launch, *words[1:]], cache))
    except SegueError as error:
        sys.stderr.write(f"submit_launch_slurm.sh: {error}\n")
        return error.exit_code
    return 0


def _program(path: str) -> str:
    """Return the absolute path of the launch script."""
    found = shutil.which(path)
    if found is None:
        raise UserError(
            f"{path!r} is no program that can be run",
            "the first argument is the path of launch_slurm; its arguments follow",
        )
    return os.path.abspath(found)


def private_cache(environment: Mapping[str, str]) -> str:
    """Return the path of a copy of the Kerberos cache, for one launch; empty without one."""
    given = environment.get("KRB5CCNAME") or f"/tmp/krb5cc_{os.getuid()}"
    source = Path(given.removeprefix("FILE:"))
    if not source.is_file():
        return ""
    # In the home, which the node of the job has too.
    folder = Path.home() / ".tmp_cache"
    target = folder / f"kerbcache_{secrets.token_hex(8)}"
    try:
        folder.mkdir(mode=0o700, exist_ok=True)
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
        with open(os.open(target, flags, 0o600), "wb") as file:
            file.write(source.read_bytes())
    except OSError as error:
        raise OutsideError(
            f"the Kerberos cache cannot be copied to {target}: {error.strerror}",
            "make room in your home, or unset KRB5CCNAME",
        ) from error
    return str(target)


def _submit(words: Sequence[str], cache: str) -> str:
    # A launch that a failed node takes with it is resumed, not begun a second time.
    command = ["sbatch", "--ntasks=1", "--cpus-per-task=1", "--no-requeue"]
    command += ["--job-name=launch_slurm", *shared_options(words)]
    try:
        done = subprocess.run(
            command,
            input=launch_script(words, cache),
            capture_output=True,
            text=True,
            timeout=_SUBMIT_LIMIT_S,
            check=False,
        )
        if done.returncode == 0:
            sys.stderr.write(done.stderr)
            return done.stdout
        error = OutsideError(f"sbatch refuses: {done.stderr.strip()}", "see --partition, --account")
    except FileNotFoundError:
        hint = "run launch_slurm --local, or go where Slurm is"
        error = OutsideError("there is no sbatch on the PATH", hint)
    except subprocess.TimeoutExpired:
        error = OutsideError(
            f"sbatch has not answered after {_SUBMIT_LIMIT_S:g} s", "look for it: squeue --me"
        )
    if cache:
        Path(cache).unlink(missing_ok=True)
    raise error


if __name__ == "__main__":
    sys.exit(main())
