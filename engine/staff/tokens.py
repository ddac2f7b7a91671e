"""Bearer tokens of staff: signed notes of whose session it is. Pure; it asks no database.

A token proves nothing but a session's id: whether that session is still open, and what its member
may do, is read where it can be changed (`sessions.py`). JSON Web Tokens (RFC 7519) with one fixed
algorithm (RFC 8725 section 3.1): whatever else a header names is refused unread.
"""

from collections.abc import Mapping
from typing import Any, Final

import jwt
import msgspec

from engine.clock import is_id
from engine.errors import NotProven
from engine.staff.members import Session, SessionId, write_roles
from engine.staff.weak_keys import is_weak

ALGORITHM: Final = "HS256"
TOKEN_LENGTH_MAX: Final = 2048
ISSUER: Final = "capp"
_NOT_PROVEN: Final = "not proven"

_REQUIRED: Final = ["iss", "aud", "sub", "sid", "iat", "nbf", "exp"]
_OPTIONS: Final[Any] = {
    "require": _REQUIRED,
    "strict_aud": True,
    # The times are compared below, with the clock that was passed in.
    "verify_exp": False,
    "verify_nbf": False,
    "verify_iat": False,
    "enforce_minimum_key_length": True,
}


class Claims(msgspec.Struct, frozen=True):
    """What a token says, once its signature holds. `sub` is the member's name."""

    sub: str
    sid: str
    iat: int
    nbf: int
    exp: int


class TokenKeys:
    """Makes and reads the tokens of one tenant. The highest version signs, every version reads."""

    def __init__(self, keys: Mapping[int, bytes], tenant: int) -> None:
        """Raises ValueError for no key or a weak one; the value is never repeated."""
        if not keys or any(is_weak(key) for key in keys.values()):
            raise ValueError("no key, or a weak one")
        self._keys = {str(version): key for version, key in keys.items()}
        self._kid = str(max(keys))
        self._audience = f"capp:staff:{tenant}"

    def write(self, session: Session) -> str:
        """The token of a session. `roles` is there for people to read; nobody believes it."""
        claims = {
            "iss": ISSUER,
            "aud": self._audience,
            "sub": session.member.name,
            "sid": session.id,
            "roles": write_roles(session.member.roles).split(","),
            "iat": session.made_ms // 1000,
            "nbf": session.made_ms // 1000,
            "exp": session.expires_ms // 1000,
        }
        return jwt.encode(claims, self._keys[self._kid], ALGORITHM, {"kid": self._kid})

    def read(self, token: str, now: float) -> tuple[SessionId, str]:
        """Whose session it is: its id and the member's name. `now` is epoch seconds.

        Raises NotProven for everything that is not a token of ours, for this tenant, now.
        """
        claims = self._claims(token)
        if not claims.nbf <= now < claims.exp or not is_id(claims.sid):
            raise NotProven(_NOT_PROVEN)
        return SessionId(claims.sid), claims.sub

    def _claims(self, token: str) -> Claims:
        if len(token) > TOKEN_LENGTH_MAX or not token.isascii():
            raise NotProven(_NOT_PROVEN)
        try:
            kid = jwt.get_unverified_header(token).get("kid")
            key = self._keys.get(kid) if isinstance(kid, str) else None
            if key is None:
                raise NotProven(_NOT_PROVEN)
            said = jwt.decode(
                token, key, algorithms=[ALGORITHM], options=_OPTIONS, audience=self._audience,
                issuer=ISSUER,
            )  # fmt: skip
            return msgspec.convert(said, Claims)
        except (jwt.PyJWTError, msgspec.ValidationError, ValueError, RecursionError) as error:
            raise NotProven(_NOT_PROVEN) from error
