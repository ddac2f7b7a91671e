"""The record of one dialogue: where it stands, what was chosen, what was answered last.

It never holds what a customer typed in clear: of the text only its length and a keyed MAC are
kept, enough to recognise a repeat and to find what is new; of a new PIN only its MAC.
"""

import hashlib
import hmac
from typing import Any

import msgspec

from engine.clock import CustomerId
from engine.customers.customers import Customer
from engine.fx.quotes import Quote
from engine.msisdn import Msisdn
from engine.payments.views import PaymentSummary

OPENING = "opening"
"""Where a session stands before its first screen."""

TEXT, PIN = b"text", b"pin"
"""The kinds of text that are sealed; a MAC of one never passes for one of the other."""

_STEP_BYTES = 4
_MAC_BYTES = 16


class Session(msgspec.Struct, array_like=True):
    """Fields in the order they are stored; a new one goes to the end and has a default.

    `screen` is moved by the machine only. `step` counts the turns taken and is the version that a
    save compares.
    """

    nonce: str
    step: int
    menu: str
    msisdn: Msisdn
    network: str
    language: str
    country: str
    screen: str
    history: list[str]
    ended: bool = False
    text_length: int = 0
    text_mac: bytes = b""
    reply: str = ""
    customer_id: CustomerId | None = None
    tier: int = 0
    payee: Msisdn | None = None
    pin_mac: bytes | None = None
    quote: Quote | None = None
    code: str | None = None
    summary: PaymentSummary | None = None

    @property
    def customer(self) -> Customer:
        """Whom the session belongs to. Only after `find_customer` knew them, or `register`."""
        assert self.customer_id is not None, "no customer screen is reached before registration"
        return Customer(self.customer_id, self.msisdn, self.country, self.language, self.tier)


class Seal:
    """Keyed MACs (BLAKE2b) of what must be recognised but not kept."""

    def __init__(self, key: bytes) -> None:
        """Raises ValueError unless the key has 16 to 64 bytes."""
        if not _MAC_BYTES <= len(key) <= hashlib.blake2b.MAX_KEY_SIZE:
            raise ValueError("the session key must have 16 to 64 bytes")
        # Keyed once: a copy costs a third of mixing the key in again.
        self._keyed = {
            kind: hashlib.blake2b(digest_size=_MAC_BYTES, key=key, person=kind)
            for kind in (TEXT, PIN)
        }

    def __repr__(self) -> str:
        return "Seal(...)"

    def of(self, session: Session, kind: bytes, text: str) -> bytes:
        """The MAC of a text; the session's nonce is mixed in, so equal texts look different."""
        mac = self._keyed[kind].copy()
        mac.update(session.nonce.encode() + text.encode("utf-8", "surrogatepass"))
        return mac.digest()

    def matches(self, session: Session, kind: bytes, text: str, mac: bytes) -> bool:
        return hmac.compare_digest(self.of(session, kind, text), mac)


def pack(session: Session) -> bytes:
    """The step first, in four bytes, so that a save can compare it without reading the rest."""
    return session.step.to_bytes(_STEP_BYTES, "big") + _ENCODER.encode(session)


def unpack(record: bytes) -> Session | None:
    """The inverse of `pack`; None for a record this version of the program cannot read."""
    try:
        return _DECODER.decode(memoryview(record)[_STEP_BYTES:])
    except (msgspec.DecodeError, ValueError):
        return None


def version_of(step: int) -> bytes:
    """How a record of that step begins; empty before the first."""
    return step.to_bytes(_STEP_BYTES, "big") if step else b""


def _encode_special(value: Any) -> Any:
    if isinstance(value, Msisdn):
        return str(value)
    raise NotImplementedError(f"a session cannot hold {type(value).__name__}")


def _decode_special(kind: type, value: Any) -> Any:
    if kind is Msisdn:
        return Msisdn(value)
    raise NotImplementedError(f"a session cannot hold {kind.__name__}")


_ENCODER = msgspec.msgpack.Encoder(enc_hook=_encode_special)
_DECODER = msgspec.msgpack.Decoder(Session, dec_hook=_decode_special)
