"""Wall times as Maestro's batch systems read them."""

from __future__ import annotations

import math
import re
from typing import Any, Final

_SLURM: Final = re.compile(r"(?:(\d+)-)?(\d+)(?::(\d+))?(?::(\d+))?")


def walltime_s(walltime: Any, system: str) -> int | None:
    """Return the wall time in seconds as the batch system reads it; None when it is none.

    A number is minutes everywhere. ``a:b:c`` is hours, minutes, seconds; ``a:b`` is
    minutes and seconds, to LSF hours and minutes. Slurm also knows days: ``d-h:m:s``.
    What cannot be read is None: the text itself still goes to the batch system.

    Examples
    --------
    >>> walltime_s("01:30:00", "slurm"), walltime_s(5, "slurm"), walltime_s("1-12", "slurm")
    (5400, 300, 129600)
    >>> walltime_s("00:10", "slurm"), walltime_s("00:10", "lsf"), walltime_s("soon", "slurm")
    (10, 600, None)

    Source: man sbatch, option --time; man bsub, option -W.
    """
    found = _SLURM.fullmatch(str(walltime).strip())
    if not found or len(found[0]) > 30:
        return None
    days, *rest = found.groups()
    parts = [int(each) for each in rest if each is not None]
    if days is not None:
        # Behind days come hours, so the missing parts are at the end.
        parts = [*parts, 0, 0][:3]
    elif len(parts) == 1 or (system == "lsf" and len(parts) == 2):
        parts = [*[0, *parts][-2:], 0]
    hours, minutes, seconds = [0, 0, *parts][-3:]
    return int(days or 0) * 86400 + hours * 3600 + minutes * 60 + seconds


def lsf_walltime(walltime: Any) -> str:
    """Return the wall time as ``bsub -W`` takes it: seconds are rounded up to minutes.

    Examples
    --------
    >>> lsf_walltime("01:30:01"), lsf_walltime("00:10"), lsf_walltime(10)
    ('01:31', '00:10', '10')
    """
    text = str(walltime)
    if text.count(":") != 2:
        return text
    seconds = walltime_s(text, "lsf")
    if seconds is None:
        return text
    hours, minutes = divmod(math.ceil(seconds / 60), 60)
    return f"{hours:02d}:{minutes:02d}"


def flux_walltime(walltime: Any) -> str:
    """Return the wall time as Maestro writes it for Flux.

    Examples
    --------
    >>> flux_walltime("01:30:00"), flux_walltime("00:60"), flux_walltime(""), flux_walltime("inf")
    ('5400.0s', '60.0s', '0s', '0s')
    """
    if walltime in (None, "") or str(walltime).lower() in ("none", "inf"):
        return "0s"
    seconds = walltime_s(walltime, "flux")
    return "0s" if seconds is None else f"{float(seconds)}s"
