"""What Airtel posts to the one address its portal knows. Facts: `airtel-money.md`, section 8.

It tells our id, a status word and a receipt: no amount and no number, so it is a hint, and
`OperatorFacts.confirm_callback_above_minor` of 0 has every one of them asked about.
"""

import base64
import hmac
import re
from collections.abc import Iterable, Mapping
from typing import Any, Final

import msgspec

from engine.clock import AttemptId
from engine.errors import Unreadable
from engine.ports import FORGED, Acknowledgement, Callback, Finding, Outcome, Reason
from providers.airtel_money.answers import child
from providers.airtel_money.settings import CallbackHash
from providers.redaction import Fields, printable
from providers.wire import json_object, word

KINDS: Final = ("callback", "status")
"""The two addresses businesses know; both take the same body."""

SIGNATURE_HEADER: Final = "x-airtel-signature"

_TRANSACTION_ID = re.compile(r"[0-9a-f]{32}")
_MEMBERS = msgspec.json.Decoder(dict[str, msgspec.Raw])
# `message` is prose and may name the payer.
_FIELDS = Fields(
    kept=frozenset({"airtel_money_id", "id", "status_code"}),
    texts=frozenset({"transaction"}),
)
SHOWN: Final = _FIELDS.more(
    kept=frozenset(
        {"amount", "code", "country", "currency", "response_code", "result_code", "status"}
    )
)
"""What may be kept of requests and answers as well. A `message` is prose there too."""


def transaction_id(attempt_id: AttemptId) -> str:
    """Our id at Airtel: the attempt's own, 32 hexadecimal digits (4 to 64 characters, 5.1)."""
    return attempt_id


class Callbacks:
    """Reads callbacks of one application. `key` is "" where the portal's switch is off."""

    def __init__(self, name: str, *, key: str, over: CallbackHash) -> None:
        self._name = name
        self._key = key.encode()
        self._over = over

    def read(self, kind: str, body: bytes, headers: Mapping[str, str]) -> Callback:
        """Raises Unreadable, with the code FORGED when the hash is missing or not theirs."""
        message = json_object(body)
        told = child(message or {}, "transaction")
        status = word(told.get("status_code"))
        if kind not in KINDS or message is None or not word(told.get("id")) or not status:
            shown = printable(kind, length_max=20)
            raise Unreadable(self._name, f"no transaction of kind {shown!r}")
        if self._key and not self._is_theirs(message, body, headers):
            raise Unreadable(self._name, "a callback that Airtel did not sign", code=FORGED)
        return Callback(_finding(told, status), Acknowledgement(), _FIELDS.redact(message))

    def attempt_of(self, body: bytes) -> AttemptId:
        """Whose callback it is. Raises Unreadable when the id cannot be one of ours."""
        told = word(child(json_object(body) or {}, "transaction").get("id"))
        if not _TRANSACTION_ID.fullmatch(told):
            raise Unreadable(self._name, "a transaction that is not ours")
        return AttemptId(told)

    def _is_theirs(self, message: dict[str, Any], body: bytes, headers: Mapping[str, str]) -> bool:
        if self._over is CallbackHash.HEADER:
            told = headers.get(SIGNATURE_HEADER, "")
        else:
            found = message.get("hash")
            told = found if isinstance(found, str) else ""
        given = told.encode("utf-8", "replace")
        return any(
            hmac.compare_digest(_hash(self._key, text), given) for text in _texts(body, self._over)
        )


def _finding(told: dict[str, Any], status: str) -> Finding:
    """Only `TS` and `TF` are documented here; any other word is asked about."""
    if status == "TF":
        return Finding(Outcome.FAILED, code=status, reason=Reason.OTHER)
    if status != "TS":
        return Finding(Outcome.PENDING, code=status)
    receipt = word(told.get("airtel_money_id"))
    return Finding(Outcome.SUCCEEDED, code=status, receipt=receipt or None)


def _hash(key: bytes, text: bytes) -> bytes:
    return base64.b64encode(hmac.digest(key, text, "sha256"))


def _texts(body: bytes, over: CallbackHash) -> Iterable[bytes]:
    """What may have been hashed, put together from the bytes that came.

    Of a doubled member the last one counts, as it does for whoever reads the message.
    """
    if over is CallbackHash.HEADER:
        yield body
        return
    members = _MEMBERS.decode(body)
    if over is not CallbackHash.BODY:
        yield bytes(members["transaction"])
    if over is not CallbackHash.TRANSACTION:
        others = ((name, raw) for name, raw in members.items() if name != "hash")
        yield b"{" + b",".join(_member(name, raw) for name, raw in others) + b"}"


def _member(name: str, raw: msgspec.Raw) -> bytes:
    return msgspec.json.encode(name) + b":" + bytes(raw)
