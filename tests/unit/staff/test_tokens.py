"""A token is good when we signed it, for this tenant, now; everything else is the same refusal."""

import base64
import hashlib
import hmac
import inspect
import json
from collections.abc import Callable
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ed25519
from jwt.algorithms import HMACAlgorithm

from engine.desk.proposals import Person
from engine.errors import NotProven
from engine.staff.members import Member, MemberId, Role, Session, SessionId
from engine.staff.tokens import TOKEN_LENGTH_MAX, TokenKeys
from engine.staff.weak_keys import is_weak

OLD, NEW, STRANGER = (hashlib.sha256(word).digest() for word in (b"old", b"new", b"stranger"))
KEYS = TokenKeys({1: OLD, 2: NEW}, 7)
NOW = 1_800_000_000
SESSION = Session(
    SessionId("ab" * 16), Member(MemberId("1" * 32), Person("ada"), frozenset({Role.ADMIN})),
    NOW * 1000, (NOW + 3600) * 1000,
)  # fmt: skip
CLAIMS: dict[str, Any] = {
    "iss": "capp", "aud": "capp:staff:7", "sub": "ada", "sid": "ab" * 16, "roles": ["admin"],
    "iat": NOW, "nbf": NOW, "exp": NOW + 3600,
}  # fmt: skip


def signed(key: bytes = NEW, kid: Any = "2", algorithm: str = "HS256", **changes: Any) -> str:
    claims = {name: value for name, value in {**CLAIMS, **changes}.items() if value is not None}
    return jwt.encode(claims, key, algorithm, {"kid": kid} if kid is not None else None)


def by_hand(
    header: dict[str, Any], claims: Any, key: bytes | None = NEW, *, digest: str = "sha256"
) -> str:
    """Whatever no library would sign."""
    parts = [_part(json.dumps(part).encode()) for part in (header, claims)]
    text = ".".join(parts)
    mac = hmac.digest(key, text.encode(), digest) if key is not None else b""
    return f"{text}.{_part(mac)}"


def _part(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def test_a_token_leads_back_to_its_session() -> None:
    assert KEYS.read(KEYS.write(SESSION), NOW) == ("ab" * 16, "ada")


def test_the_highest_version_signs_and_every_version_reads() -> None:
    assert jwt.get_unverified_header(KEYS.write(SESSION))["kid"] == "2"
    before = TokenKeys({1: OLD}, 7).write(SESSION)
    assert KEYS.read(before, NOW) == ("ab" * 16, "ada")
    with pytest.raises(NotProven):
        TokenKeys({2: NEW}, 7).read(before, NOW)


def _with_public_key() -> str:
    key = ed25519.Ed25519PrivateKey.generate()
    return jwt.encode(CLAIMS, key, "EdDSA", {"kid": "2"})


FORGED: dict[str, Callable[[], str]] = {
    "nothing": lambda: "",
    "no token": lambda: "abc",
    "three empty parts": lambda: "..",
    "no signature wanted": lambda: by_hand({"alg": "none", "kid": "2"}, CLAIMS, None),
    "no signature wanted, in capitals": lambda: by_hand({"alg": "NONE", "kid": "2"}, CLAIMS, None),
    "another algorithm": lambda: by_hand({"alg": "HS512", "kid": "2"}, CLAIMS, digest="sha512"),
    "a public key's algorithm": _with_public_key,
    "another key": lambda: signed(STRANGER),
    "another key under no kid": lambda: signed(STRANGER, None),
    "our key under no kid": lambda: signed(kid=None),
    "our key under another kid": lambda: signed(NEW, "1"),
    "an unknown kid": lambda: signed(kid="3"),
    "a kid that is a path": lambda: signed(kid="../../dev/null"),
    "a kid that is a number": lambda: by_hand({"alg": "HS256", "kid": 2}, CLAIMS),
    "an extension that must be understood": lambda: by_hand(
        {"alg": "HS256", "kid": "2", "crit": ["exp"]}, CLAIMS
    ),
    "expired": lambda: signed(exp=NOW),
    "not yet": lambda: signed(nbf=NOW + 1),
    "another audience": lambda: signed(aud="capp:business:7"),
    "another tenant": lambda: signed(aud="capp:staff:8"),
    "several audiences": lambda: signed(aud=["capp:staff:7", "capp:business:7"]),
    "another issuer": lambda: signed(iss="cappp"),
    "no session": lambda: signed(sid=None),
    "a session that is no id": lambda: signed(sid="x" * 32),
    "no name": lambda: signed(sub=None),
    "no end": lambda: signed(exp=None),
    "an end that is a word": lambda: signed(exp="never"),
    "claims that are no object": lambda: by_hand({"alg": "HS256", "kid": "2"}, [1]),
    "a changed claim": lambda: _changed(signed()),
    "too long": lambda: signed(roles=["x" * TOKEN_LENGTH_MAX]),
    "other letters": lambda: signed() + "ü",
}


def _changed(token: str) -> str:
    header, claims, signature = token.split(".")
    said = json.loads(base64.urlsafe_b64decode(claims + "=="))
    return f"{header}.{_part(json.dumps({**said, 'sid': 'cd' * 16}).encode())}.{signature}"


@pytest.mark.parametrize("forge", FORGED.values(), ids=FORGED)
def test_what_is_not_ours_is_refused_always_the_same(forge: Callable[[], str]) -> None:
    with pytest.raises(NotProven) as caught:
        KEYS.read(forge(), NOW)
    assert str(caught.value) == "not proven"


def test_the_forger_of_these_tests_would_be_believed_with_the_right_claims() -> None:
    good = by_hand({"alg": "HS256", "kid": "2"}, CLAIMS)
    assert KEYS.read(good, NOW) == KEYS.read(signed(), NOW) == ("ab" * 16, "ada")


def test_another_algorithm_is_refused_also_when_the_key_is_long_enough_for_it() -> None:
    long = OLD + NEW
    keys = TokenKeys({2: long}, 7)
    assert keys.read(by_hand({"alg": "HS256", "kid": "2"}, CLAIMS, long), NOW)
    with pytest.raises(NotProven):
        keys.read(by_hand({"alg": "HS512", "kid": "2"}, CLAIMS, long, digest="sha512"), NOW)


def test_a_token_holds_its_last_second() -> None:
    assert KEYS.read(signed(), NOW + 3599.9)
    with pytest.raises(NotProven):
        KEYS.read(signed(), NOW + 3600)


def test_weak_keys_are_refused() -> None:
    for key in (b"", b"short", bytes(32), b"password" * 4, b"0123456789ab"):
        assert is_weak(key)
        with pytest.raises(ValueError, match="weak") as caught:
            TokenKeys({1: OLD, 2: key}, 7)
        assert repr(key) not in str(caught.value)
    with pytest.raises(ValueError, match="no key"):
        TokenKeys({}, 7)
    assert not is_weak(NEW)


def test_signatures_are_compared_in_a_time_that_tells_nothing() -> None:
    """The library's affair; a release of it that compares otherwise would be noticed here."""
    assert "compare_digest" in inspect.getsource(HMACAlgorithm.verify)
