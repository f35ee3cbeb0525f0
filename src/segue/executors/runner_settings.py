"""What the environment and files say of runners, where no configuration does."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Final

from segue.model.errors import UserError
from segue.model.pools import LEASE_S, RunnerSettings

URLS: Final = "SEGUE_RUNNERS"
TOKEN_FILE: Final = "SEGUE_RUNNER_TOKEN_FILE"
LEASE: Final = "SEGUE_RUNNER_LEASE_S"


def settings_of(environment: Mapping[str, str]) -> RunnerSettings:
    """Return what the environment says of runners.

    Raises
    ------
    UserError
        If it names none, or says what cannot be.

    Examples
    --------
    >>> settings_of({"SEGUE_RUNNERS": "http://a:2504 http://b:2504"}).urls
    ('http://a:2504', 'http://b:2504')
    """
    text = environment.get(LEASE, "") or str(LEASE_S)
    try:
        lease_s = float(text)
    except ValueError as error:
        raise UserError(f"{LEASE} is {text!r}", "give a number of seconds") from error
    urls = tuple(environment.get(URLS, "").replace(",", " ").split())
    settings = RunnerSettings(urls, environment.get(TOKEN_FILE, ""), lease_s)
    if settings.fault:
        hint = f"name them: {URLS}='http://host:2504 http://other:2504'"
        raise UserError(f"{URLS}: {settings.fault}", hint)
    return settings


def check_library() -> None:
    """Raise `UserError` if what speaks to runners is not installed."""
    if find_spec("httpx") is None:
        raise UserError(
            "speaking to runners needs a library that is not there",
            "install it: pip install 'segue[client]'",
        )


def token_of(settings: RunnerSettings) -> str:
    """Return the word that the runners ask for; empty: they ask for none.

    Raises
    ------
    UserError
        If its file cannot be read, or holds none.
    """
    if not settings.token_file:
        return ""
    path = Path(settings.token_file).expanduser()
    try:
        token = path.read_text(encoding="ascii").strip()
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not plain text"
        raise UserError(
            f"the token of the runners cannot be read from {path}: {reason}",
            "name the file that the runners were started with (--token-file)",
        ) from error
    if not token:
        raise UserError(f"there is no token in {path}", "write the word of the runners into it")
    return token
