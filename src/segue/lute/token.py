"""A token for the electronic logbook, had for a Kerberos ticket.

Jobs that the logbook starts have one; people who launch by hand have a ticket. Kerberos is
spoken by curl, which is there wherever tickets are, and brings no package along.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import urllib.parse
from collections.abc import Mapping
from typing import Final

from segue.lute.logbook import DEFAULT_URL, REQUEST_LIMIT_S, URL_VARIABLE
from segue.model.errors import OutsideError, shorten

#: The variable that holds the header of the same name, as the logbook's jobs are given it.
AUTHORIZATION: Final = "Authorization"
#: In minutes; the logbook gives no longer one.
LIFETIME_MIN: Final = 480


def has_ticket(environment: Mapping[str, str]) -> bool:
    """Tell whether there may be a Kerberos ticket to ask with."""
    cache = environment.get("KRB5CCNAME") or f"/tmp/krb5cc_{os.getuid()}"
    kind, sign, path = cache.partition(":")
    if sign and kind not in ("FILE", "DIR"):
        return True  # kept in a place that only Kerberos itself can look into
    return os.path.exists(path if sign else cache)


def token_url(experiment: str, environment: Mapping[str, str]) -> str:
    """Return the address of the logbook that gives tokens.

    Examples
    --------
    >>> token_url("mfx1", {}).partition("slac.stanford.edu")[2]
    '/ws-kerb/lgbk/lgbk/mfx1/ws/generate_arp_token?token_lifetime=480'
    """
    base = (environment.get(URL_VARIABLE) or DEFAULT_URL).rstrip("/").replace("ws-jwt", "ws-kerb")
    where = f"{base}/{urllib.parse.quote(experiment)}/ws/generate_arp_token"
    return f"{where}?token_lifetime={LIFETIME_MIN}"


def token_for(experiment: str, environment: Mapping[str, str]) -> str:
    """Return the value of the ``Authorization`` header of requests to the logbook.

    Raises
    ------
    OutsideError
        If the logbook gives no token.
    """
    hint = "get a ticket with kinit, or say the facts yourself"
    curl = shutil.which("curl", path=environment.get("PATH"))
    if curl is None:
        raise OutsideError("there is no curl to ask the logbook for a token with", hint)
    url = token_url(experiment, environment)
    words = [curl, "--silent", "--show-error", "--fail", "--negotiate", "--user", ":"]
    words += ["--max-time", f"{REQUEST_LIMIT_S:g}", "--", url]
    try:
        done = subprocess.run(
            words,
            env=dict(environment),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=2 * REQUEST_LIMIT_S,
            check=False,
        )
        if done.returncode:
            said = done.stderr.decode(errors="replace").strip()
            # A Kerberos cache that is broken can make curl crash.
            said = shorten(said or f"curl has ended with {done.returncode}", 200)
            raise OutsideError(f"the logbook at {url} gives no token: {said}", hint)
        value = json.loads(done.stdout)["value"]
    except (OSError, subprocess.TimeoutExpired, ValueError, KeyError, TypeError) as error:
        raise OutsideError(f"the logbook at {url} gives no token: {error!r}", hint) from error
    return f"Bearer {value}"
