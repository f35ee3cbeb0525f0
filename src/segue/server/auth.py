"""Who asks, and what that one may do: tokens, roles, and doors that only this machine has.

A token reads ``segue_<id>_<secret>``; the store keeps the secret's digest alone. Where
nobody has made a token and the server listens to this machine alone, whoever asks is an
admin. Then the ``Host`` header must name this machine: else any page in a browser could
reach the server through a name of its own.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
import time
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from ipaddress import ip_address
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

from fastapi import Depends, Request, Response
from fastapi.routing import APIRoute
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from segue.model.access import Role, Token
from segue.server.crossing import may_cross
from segue.server.problems import ApiError

if TYPE_CHECKING:
    from segue.server.site import Site

PREFIX: Final = "segue"
#: Tokens are read again after so many seconds: one that is revoked is soon of no use.
TOKENS_KEPT_S: Final = 2.0
LOOPBACK: Final = frozenset({"localhost", "127.0.0.1", "::1"})
_SAFE: Final = frozenset({"GET", "HEAD", "OPTIONS"})

_BEARER: Final = HTTPBearer(auto_error=False, description="A token of `segue token create`.")
_bearer: Final = Depends(_BEARER)


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks: a name where a token says one."""

    role: Role
    name: str | None = None


def new_token(
    name: str, role: Role, now: float, expires_at: float | None = None
) -> tuple[Token, str]:
    """Return a token as it is kept, and the text that is handed out once."""
    number, secret = secrets.token_hex(4), secrets.token_urlsafe(32)
    kept = Token(number, name, role, digest_of(secret), now, expires_at)
    return kept, f"{PREFIX}_{number}_{secret}"


def digest_of(secret: str) -> str:
    """Return the digest of a secret: it is random and long, so one pass is enough."""
    return hashlib.sha256(secret.encode()).hexdigest()


def is_loopback(host: str) -> bool:
    """Tell whether only this machine can reach what listens there.

    Examples
    --------
    >>> [is_loopback(host) for host in ("localhost", "127.8.8.8", "::1", "0.0.0.0", "lab")]
    [True, True, True, False, False]
    """
    if host in LOOPBACK:
        return True
    try:
        return ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


class Gate:
    """Tells callers by their tokens; reads the tokens through `read`, now and then."""

    def __init__(
        self, host: str, cors_origins: tuple[str, ...], clock: Callable[[], float] = time.time
    ) -> None:
        self.host = host
        self.cors_origins = cors_origins
        self._clock = clock
        self._tokens: dict[str, Token] = {}
        self._read_at = float("-inf")

    def learn(self, tokens: list[Token]) -> None:
        """Take these tokens as the ones that there are."""
        self._tokens = {each.id: each for each in tokens}
        self._read_at = time.monotonic()

    @property
    def stale(self) -> bool:
        """Whether the tokens are to be read again."""
        return time.monotonic() > self._read_at + TOKENS_KEPT_S

    @property
    def open(self) -> bool:
        """Whether everybody who reaches us is an admin."""
        return not self._tokens and is_loopback(self.host)

    def caller(self, shown: str | None) -> Caller:
        """Return whose token is shown.

        Raises
        ------
        ApiError
            If it is none of ours, or has expired, or if there must be one and is not.
        """
        if shown is None:
            if self.open:
                return Caller(Role.ADMIN)
            raise _unknown("a token is needed")
        # The secret may hold underscores of its own.
        parts = shown.split("_", 2)
        kept = self._tokens.get(parts[1]) if len(parts) == 3 and parts[0] == PREFIX else None
        digest = digest_of(parts[-1])
        if not hmac.compare_digest(digest, kept.digest if kept else digest_of("")) or not kept:
            raise _unknown("the token is not known")
        if kept.expires_at is not None and kept.expires_at <= self._clock():
            raise _unknown("the token has expired")
        return Caller(kept.role, kept.name)

    def trusts(self, request: Request) -> bool:
        """Tell whether who asks may know where things lie: an operator, as tokens were last read.

        This asks nothing of the store, which may be what has failed. Before the tokens have
        been read, nobody is trusted.
        """
        if self._read_at == float("-inf"):
            return False
        kind, _, shown = request.headers.get("authorization", "").partition(" ")
        try:
            self.check_origin(request)
            caller = self.caller(shown.strip() if kind.lower() == "bearer" else None)
        except ApiError:
            return False
        return caller.role >= Role.OPERATOR

    def check_origin(self, request: Request) -> None:
        """Refuse what a page of another origin sends, where no token protects us.

        Raises
        ------
        ApiError
            If the host is not one of ours, or a write comes from elsewhere.
        """
        # What the header says may be no address at all, so no URL is made of it unasked.
        origin, host = request.headers.get("origin"), request.headers.get("host", "")
        own_origin = f"{request.scope['scheme']}://{host}"
        if (
            origin
            and request.method not in _SAFE
            and origin != own_origin
            and not may_cross(origin, request.scope["path"], self.cors_origins)
        ):
            raise ApiError(
                403,
                f"a page of {origin} may not change anything here",
                code="wrong_origin",
                hint=f"if it may: segue serve --cors-origin {origin}",
            )
        name = _name_in(host)
        if self.open and not (is_loopback(name) or name == self.host):
            raise ApiError(
                403,
                f"this server is not called {name!r}",
                code="wrong_host",
                hint=f"use the name that it was started with: {self.host}",
            )


def _name_in(host: str) -> str:
    """Return the name in a ``Host`` header, without its port; empty if there is none.

    Examples
    --------
    >>> [_name_in(host) for host in ("lab:8450", "[::1]:8450", "[", "")]
    ['lab', '::1', '', '']
    """
    try:
        return urlsplit(f"//{host}").hostname or ""
    except ValueError:
        return ""


def _unknown(message: str) -> ApiError:
    return ApiError(
        401,
        message,
        hint="an admin makes one: segue token create --name NAME --role viewer",
        headers={"WWW-Authenticate": "Bearer"},
    )


async def identify(
    request: Request, credentials: HTTPAuthorizationCredentials | None = _bearer
) -> Caller:
    """Return who asks; kept with the request, and done once for it."""
    site: Site = request.app.state.site
    gate = site.gate
    if gate.stale:
        gate.learn(await site.office.ask(lambda desk: list(desk.store.tokens())))
    gate.check_origin(request)
    given = request.headers.get("authorization")
    if given is not None and credentials is None:
        raise _unknown("only 'Authorization: Bearer TOKEN' is known")
    caller = gate.caller(credentials.credentials if credentials else None)
    request.state.caller = caller
    return caller


_identified: Final = Depends(identify)


class _AtLeast:
    """Refuses whoever has a smaller role; a dependency of routes."""

    def __init__(self, role: Role) -> None:
        self._role = role

    async def __call__(self, caller: Caller = _identified) -> Caller:
        """Return who asks.

        Raises
        ------
        ApiError
            If that one may not.
        """
        if caller.role < self._role:
            raise ApiError(
                403,
                f"this needs the role {self._role.word}; the token has {caller.role.word}",
                hint=f"segue token create --role {self._role.word} --name NAME",
            )
        return caller


class GuardedRoute(APIRoute):
    """Refuses before it reads: FastAPI itself takes JSON apart, and asks who sent it later."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """Return what answers a request."""
        handle = super().get_route_handler()
        guards = [
            each.dependency for each in self.dependencies if isinstance(each.dependency, _AtLeast)
        ]

        async def guarded(request: Request) -> Response:
            for guard in guards:
                await guard(await identify(request, await _BEARER(request)))
            return await handle(request)

        return guarded


viewer = Depends(_AtLeast(Role.VIEWER))
operator = Depends(_AtLeast(Role.OPERATOR))
admin = Depends(_AtLeast(Role.ADMIN))
