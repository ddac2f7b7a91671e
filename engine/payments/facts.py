"""What a journal row of a payment is based on, as it is stored: its terms, an ending, a ruling."""

import re
from collections.abc import Callable
from typing import Any

import msgspec

from engine.clock import AttemptId, CustomerId
from engine.decisions import Decision
from engine.fx.quotes import Quote
from engine.ledger.audit_rows import SEALED_LATER
from engine.ledger.plans import Spend
from engine.privacy.places import terms_name_place, terms_place
from engine.privacy.seals import Seals


class Facts(msgspec.Struct, frozen=True, array_like=True):
    """The terms of a payment, stored in the journal row of its creation.

    They are stated anew only when two people correct the payee of a returned payment, release one
    that was held for a list of after its confirm, or decide who gives a collection back that its
    own operator cannot give back; and by ourselves where what came late goes back with the fee that
    the price would have kept.
    """

    quote: Quote
    tenant: int
    customer_id: CustomerId
    # What compliance decided when it was confirmed, or what people released it from since; None
    # for a payee that has been put in another's place.
    clearance: Decision | None = None
    spend: Spend | None = None  # what it counts against the customer's limits
    refund_operator: str = ""  # whose wallet of ours the payer is paid from, if people said so
    client: str = ""  # the id of the client that asked for it; "": its payer dialled. Stays last.


class Ending(msgspec.Struct, frozen=True, tag="ending", omit_defaults=True):
    """An attempt ended: how, by whose word, and why the payment went on as it did.

    `reason`, one of `ports.Reason`, is why it failed, as far as people are told whose money it is;
    `terms` are in force from now on.
    """

    attempt_id: AttemptId
    succeeded: bool
    code: str
    source: int
    receipt: str | None = None
    decisions: tuple[Decision, ...] = ()
    reason: str | None = None
    terms: Facts | None = None


class Ruling(msgspec.Struct, frozen=True, tag="ruling", omit_defaults=True):
    """People decided, or we by ourselves. `by`: who, if people; `terms`: in force from now on."""

    reason: str
    by: tuple[str, ...] = ()
    proposal: str | None = None
    decisions: tuple[Decision, ...] = ()
    terms: Facts | None = None


def _read(kind: type, value: Any) -> Any:
    return kind(value)  # an Msisdn, a text by another name


def given_back_whole(facts: Facts) -> Facts:
    """The terms where the fee goes back as well: of a payment that was over before its money came
    nothing was done that a fee could be for, and the payer was told that nothing was charged.
    """
    quote = msgspec.structs.replace(facts.quote, fee_is_refunded=True)
    return msgspec.structs.replace(facts, quote=quote)


_encode = msgspec.json.Encoder(enc_hook=str).encode
_decode_facts = msgspec.json.Decoder(Facts, dec_hook=_read).decode
_decode_step = msgspec.json.Decoder(Ending | Ruling, dec_hook=_read).decode


def write(facts: Facts | Ending | Ruling) -> str:
    """The text that a journal row keeps."""
    return _encode(facts).decode()


def read_terms(text: str) -> Facts:
    """The terms in a creation's row, or in that of a step that stated them anew."""
    if text.startswith("["):
        return _decode_facts(text)
    step: Ending | Ruling = _decode_step(text)
    assert step.terms is not None, "another row holds the terms"
    return step.terms


def holds_terms(text: str) -> bool:
    """Whether a row holds terms: that of a creation, or of a step that stated them anew."""
    return _terms_at(text) is not None


def seal_terms(text: str, seals: Seals, payment_id: str) -> str:
    """A row's text with the terms' two numbers hidden: the payer's place holds both, sealed, the
    payee's its index, by which a payee is found (`decisions/0015`). The name that a client told
    is sealed where it stands. What holds no terms stays.
    """
    if not seals.hides or (at := _terms_at(text)) is None:
        return text
    head, payer, payee, rest = text[at:].split(_BETWEEN, _NUMBERS_END)
    sealed = seals.seal(f"{payer} {payee}", terms_place(payment_id))
    rest = _with_name(rest, seals.seal, payment_id)
    return f'{text[:at]}{head}","{sealed}","{seals.index(payee)}","{rest}'


def open_terms(text: str, seals: Seals, payment_id: str) -> str:
    """The inverse; what was never sealed passes. Raises KeyNotAtHand, or Tampered."""
    if (at := _terms_at(text)) is None:
        return text
    head, kept, _, rest = text[at:].split(_BETWEEN, _NUMBERS_END)
    sealed = kept.removeprefix(SEALED_LATER)
    payer, _, payee = seals.open(sealed, terms_place(payment_id)).partition(" ")
    if not payee:
        return text
    return f'{text[:at]}{head}","{payer}","{payee}","{_with_name(rest, seals.open, payment_id)}'


def payee_mark(text: str) -> str:
    """What stands for the payee in a row of terms as it is stored: nobody's but theirs.

    One payee has several where the index key changed, or where older rows are not sealed. "" in a
    row that holds no terms.
    """
    if (at := _terms_at(text)) is None:
        return ""
    _, *marks = text[at:].split(_BETWEEN, _NUMBERS_END)
    return marks[1] if len(marks) == _NUMBERS_END else ""


def _with_name(rest: str, change: Callable[[str, str], str], payment_id: str) -> str:
    """With the name that a client told changed in its place; it stays escaped as it was written."""
    if _NAMED not in rest:
        return rest
    before, named, behind = rest.partition(_NAMED)
    name = _TO_ITS_END.match(behind)
    assert name is not None, "a text ends"
    changed = change(name[0], terms_name_place(payment_id))
    return f"{before}{named}{changed}{behind[name.end() :]}"


def _terms_at(text: str) -> int | None:
    """Where the terms begin in the row of a creation, or of a step that stated them anew."""
    if text.startswith('[["'):
        return 0
    at = text.find(_RESTATED)  # never within a text: there its quotes have strokes before them
    return at + len(_RESTATED) - 3 if at >= 0 else None


# Payer and payee are the second and the third string of the terms; none of the first three has a
# quote in it.
_BETWEEN = '","'
_NUMBERS_END = 3
# Never within a text, as the above; no decision's inputs have it.
_NAMED = '{"payee_name":"'
_TO_ITS_END = re.compile(r'(?:[^"\\]|\\.)*')
_RESTATED = '"terms":[["'


def read_step(text: str) -> Ending | Ruling:
    """What a row after the first is based on."""
    step: Ending | Ruling = _decode_step(text)
    return step
