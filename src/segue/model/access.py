"""Who may do what at a server: roles, and the tokens that carry them."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum


class Role(IntEnum):
    """What somebody may do; each role may do all that the lower ones may."""

    #: Look at everything, secrets apart.
    VIEWER = 1
    #: Submit runs, and change how they go on.
    OPERATOR = 2
    #: Delete runs, and see to the server.
    ADMIN = 3

    @property
    def word(self) -> str:
        """The role as people write it.

        Examples
        --------
        >>> Role.OPERATOR.word, Role["OPERATOR"] is Role.OPERATOR
        ('operator', True)
        """
        return self.name.lower()


@dataclass(frozen=True, slots=True)
class Token:
    """An access token as it is kept: what was handed out cannot be made from it.

    Attributes
    ----------
    id
        The part of the token that is no secret.
    name
        Who or what it was made for.
    digest
        SHA-256 of the secret part, in hexadecimal.
    expires_at
        Seconds since the epoch; None: never.
    """

    id: str
    name: str
    role: Role
    digest: str
    created_at: float
    expires_at: float | None = None
