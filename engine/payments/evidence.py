"""What the outside told us, where it came from, and what it means for an attempt. Pure."""

import hashlib
from enum import IntEnum

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


def body_hash(source: Source, body: str) -> str:
    """128 bits over where it came from and what it said: the same again is the same evidence."""
    return hashlib.blake2b(f"{int(source)}:{body}".encode(), digest_size=16).hexdigest()


def disagreement(payment: Payment, direction: Direction, finding: Finding) -> str | None:
    """What the operator says differently from what we ordered, or None. Silence agrees."""
    said = finding.amount
    if said is not None and said != (ordered := payment.amount_of(direction)):
        return f"amount {said.minor} {said.currency}, ordered {ordered.minor}"
    if finding.msisdn is not None and finding.msisdn != payment.msisdn_of(direction):
        return "another number than ordered"
    return None


def needs_proof(payment: Payment, direction: Direction, finding: Finding, above: int) -> bool:
    """An unsigned end above the operator's threshold is asked for again before it counts.

    A failure as much as a success: a forged failure of a payout would buy a refund.
    """
    final = finding.outcome in (Outcome.SUCCEEDED, Outcome.FAILED)
    return final and payment.amount_of(direction).minor > above
