"""What a journal row of a payment is based on, as it is stored: its terms, an ending, a ruling."""

from typing import Any

import msgspec

from engine.clock import AttemptId, CustomerId
from engine.decisions import Decision
from engine.fx.quotes import Quote
from engine.ledger.plans import Spend


class Facts(msgspec.Struct, frozen=True, array_like=True):
    """The terms of a payment, stored in the journal row of its creation.

    They are stated anew only when two people correct the payee of a returned payment, or decide
    who gives a collection back that its own operator cannot give back.
    """

    quote: Quote
    tenant: int
    customer_id: CustomerId
    clearance: Decision | None = None  # what compliance decided when it was confirmed
    spend: Spend | None = None  # what it counts against the customer's limits
    refund_operator: str = ""  # whose wallet of ours the payer is paid from, if people said so
    client: str = ""  # the id of the client that asked for it; "": its payer dialled. Stays last.


class Ending(msgspec.Struct, frozen=True, tag="ending", omit_defaults=True):
    """An attempt ended: how, by whose word, and why the payment went on as it did."""

    attempt_id: AttemptId
    succeeded: bool
    code: str
    source: int
    receipt: str | None = None
    decisions: tuple[Decision, ...] = ()


class Ruling(msgspec.Struct, frozen=True, tag="ruling", omit_defaults=True):
    """People decided, or we by ourselves. `by`: who, if people; `terms`: in force from now on."""

    reason: str
    by: tuple[str, ...] = ()
    proposal: str | None = None
    decisions: tuple[Decision, ...] = ()
    terms: Facts | None = None


def _read(kind: type, value: Any) -> Any:
    return kind(value)  # an Msisdn, a text by another name


_encode = msgspec.json.Encoder(enc_hook=str).encode
_decode_facts = msgspec.json.Decoder(Facts, dec_hook=_read).decode
_decode_step = msgspec.json.Decoder(Ending | Ruling, dec_hook=_read).decode


def write(facts: Facts | Ending | Ruling) -> str:
    """The text that a journal row keeps."""
    return _encode(facts).decode()


def read_terms(text: str) -> Facts:
    """The terms in a creation's row, or in that of a ruling that stated them anew."""
    if text.startswith("["):
        return _decode_facts(text)
    step = _decode_step(text)
    assert isinstance(step, Ruling) and step.terms is not None, "another row holds the terms"
    return step.terms


def read_step(text: str) -> Ending | Ruling:
    """What a row after the first is based on."""
    step: Ending | Ruling = _decode_step(text)
    return step
