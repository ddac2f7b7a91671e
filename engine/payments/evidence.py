"""What the outside told us, where it came from, and what it means for an attempt. Pure."""

import hashlib
from collections.abc import Collection
from enum import IntEnum

from engine.clock import AttemptId
from engine.ledger.plans import Evidence, evidence_of
from engine.payments.facts import Ending
from engine.payments.payment import Payment
from engine.ports import Direction, Finding, Outcome


class Source(IntEnum):
    """Where evidence came from. Numbers are stored: never renumber."""

    ANSWER = 1  # the operator's own reply to our request
    CALLBACK = 2  # unsigned as far as we know: a hint above a threshold
    QUERY = 3  # the operator's answer to our question
    ACCEPTED = 4  # the order was taken; the body is the operator's reference
    STATEMENT = 5  # a line of the operator's statement
    PEOPLE = 6  # two of us saw it at the operator
    PAY_IN = 7  # the payer sent the money of their own accord
    ORDERED = 8  # nobody told it: by which of its operator's ways an attempt began
    REPEATED = 9  # we sent the order once more; the body says when


FINAL = (Outcome.SUCCEEDED, Outcome.FAILED)
"""After these an attempt is over, whoever says so."""
_FROM = {source: f"{int(source)}:".encode() for source in Source}


def body_hash(source: Source, body: str) -> str:
    """128 bits over where it came from and what it said: the same again is the same evidence."""
    return hashlib.blake2b(_FROM[source] + body.encode(), digest_size=16).hexdigest()


def ordered_by(attempt_id: AttemptId, by: str) -> Evidence:
    """By which way an attempt begins: kept in the commit that begins it."""
    return evidence_of((attempt_id, body_hash(Source.ORDERED, by), Source.ORDERED, by))


def disagreement(
    payment: Payment,
    direction: Direction,
    finding: Finding,
    *,
    references: Collection[str] = (),
    numbers: Collection[str] = (),
) -> str | None:
    """What the operator says differently from what we ordered, or None. Silence agrees.

    `numbers` are further ones that an attempt which is over may have been ordered to.
    `references` are those under which the operator took the attempt, as far as they are known: what
    names another one speaks of something else, whatever it says of that.
    """
    said = finding.amount
    if said is not None and said != (ordered := payment.amount_of(direction)):
        return f"amount {said}, ordered {ordered}"
    number = finding.msisdn
    if number is not None and number != payment.msisdn_of(direction) and number not in numbers:
        return "another number than ordered"
    told = finding.provider_reference
    if told is not None and references and told not in references:
        return "another reference than the one it was taken under"
    return None


def needs_proof(payment: Payment, direction: Direction, finding: Finding, above: int) -> bool:
    """An end above the operator's threshold, signed or not, is asked for again before it counts.

    A failure as much as a success: a forged failure of a payout would buy a refund.
    """
    return finding.outcome in FINAL and payment.minor_of(direction) > above


def answers_question(finding: Finding, *, is_over: bool) -> bool:
    """Whether the operator said in the end how an attempt stands that we held to be over."""
    return finding.outcome is Outcome.REVERSED or (is_over and finding.outcome in FINAL)


def came_otherwise(ending: Ending, finding: Finding) -> bool:
    """Whether a collection is over by money that its payer sent of their own accord.

    Then what the operator says of its prompt speaks of other money: a failure contradicts nothing,
    and a success under another receipt, or under none, may be a second payment. The same receipt
    is the same money: an operator may announce what a prompt brought as if it came by itself.
    """
    if ending.source != Source.PAY_IN:
        return False
    return finding.outcome is not Outcome.SUCCEEDED or finding.receipt != ending.receipt


def came_twice(ending: Ending, finding: Finding, source: Source) -> bool:
    """Whether a collection that a callback ended is told by another callback under another receipt.

    Of an operator of which `OperatorFacts.callback_tells_receipt` holds that is a second approval:
    other money. What a query, a statement or people say may spell the first one otherwise.
    """
    if finding.outcome is not Outcome.SUCCEEDED or not ending.succeeded:
        return False
    if (ending.source, source) != (Source.CALLBACK, Source.CALLBACK):
        return False
    told, known = _spelled(finding.receipt), _spelled(ending.receipt)
    return bool(told and known) and told != known


def finding_without_numbers(finding: Finding) -> dict[str, str | int | None]:
    """What of a finding may be stored as it is: no phone number."""
    amount = finding.amount
    return {
        "outcome": finding.outcome,
        "code": finding.code,
        "reason": finding.reason,
        "minor": amount.minor if amount else None,
        "currency": amount.currency if amount else None,
        "receipt": finding.receipt,
        **({"reference": reference} if (reference := finding.provider_reference) else {}),
    }


def _spelled(receipt: str | None) -> str:
    return "".join((receipt or "").split()).upper()
