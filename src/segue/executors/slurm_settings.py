"""What a user can set about the Slurm executor. Pure."""

from __future__ import annotations

from collections.abc import Mapping

from segue.executors.batch_settings import POLL_S, Settings
from segue.model.errors import UserError


def settings_of(environment: Mapping[str, str]) -> Settings:
    """Return what ``SEGUE_SLURM_*`` variables say.

    Raises
    ------
    UserError
        If one of them has no meaning.
    """
    poll_text = environment.get("SEGUE_SLURM_POLL_S", "") or str(POLL_S)
    arrays_text = environment.get("SEGUE_SLURM_ARRAYS", "") or "on"
    try:
        poll_s = float(poll_text)
    except ValueError:
        poll_s = 0.0
    if not 0.05 <= poll_s <= 3600:
        raise UserError(
            f"SEGUE_SLURM_POLL_S is {poll_text!r}", "give seconds between two polls, 0.05 to 3600"
        )
    if arrays_text not in ("on", "off"):
        raise UserError(f"SEGUE_SLURM_ARRAYS is {arrays_text!r}", "write 'on' or 'off'")
    return Settings(poll_s=poll_s, arrays=arrays_text == "on")
