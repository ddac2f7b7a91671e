"""What is handed to the commit, and what it answers. Pure values; knows no payment's states."""

from collections.abc import Callable
from enum import IntEnum
from functools import partial
from typing import Any, NamedTuple

CREATE = 0
NOTE = -1
NIL = "0" * 32
UNLIMITED = 2**62
"""Both maxima of a spend whose money came late: it was spent, whatever the limit says."""


class Verdict(IntEnum):
    """What became of one plan."""

    APPLIED = 0
    DUPLICATE = 1  # its key is known with the same request; `known` is the first payment
    CONFLICT = 2  # its key is known with another request
    STALE = 3  # the payment has moved on, or another attempt is live
    INSUFFICIENT = 4  # a guarded account would fall below zero
    UNBALANCED = 5  # some transfer is no balanced entry, or a note would move something
    POISON = 6  # the database refused this one plan by an error of its own
    OVER_LIMIT = 7  # what its customer may spend in a day or a month would be passed


class Verdicted(NamedTuple):
    """The answer to one plan."""

    verdict: Verdict
    known: str | None = None
    error: str | None = None


APPLIED = Verdicted(Verdict.APPLIED)


class Intent(NamedTuple):
    """Something the outside is to be asked, saved with the money and done after it.

    Times are epoch seconds; until `lease_until` the process that committed it is at it.
    """

    id: str
    kind: int
    payload: str | None
    not_before: int
    lease_until: int


class Evidence(NamedTuple):
    """What the outside told us about an attempt; the same hash twice is kept once."""

    attempt_id: str
    hash: str
    source: int
    body: str


class Spend(NamedTuple):
    """What a plan counts against its customer's limits; below zero gives back.

    `currency` is the ISO 4217 number, `day` the customer's own day counted from 1970-01-01,
    `month` like 202611; amounts are minor units, both maxima with this payment included. Where a
    newer day or month is being counted, it counts there: a clock was behind. Not so what is given
    back, nor what is UNLIMITED.
    """

    customer: str
    currency: int
    day: int
    month: int
    minor: int
    day_minor_max: int
    month_minor_max: int


class Plan(NamedTuple):
    """One transition, ready to commit. `version` is the expected one, CREATE or NOTE.

    `way` and `terms` are those of the payment once the plan is applied.
    """

    payment: str
    version: int
    tenant: int
    state: int
    due: int = 0
    key: str | None = None
    hash: str = NIL
    customer: str | None = None
    facts: str | None = None
    ends: str | None = None
    begins: str | None = None
    direction: int = 0
    operator: int = 0
    way: int = 0
    terms: int = 1
    transfers: tuple[tuple[int, int, int], ...] = ()
    intents: tuple[Intent, ...] = ()
    done: tuple[str, ...] = ()
    evidence: tuple[Evidence, ...] = ()
    spend: tuple[Spend, ...] = ()


# The same values made from a tuple of all fields, in their order: several are made in every step
# of a payment, and a named tuple spends most of its making on taking its arguments apart.
plan_of: Callable[[tuple[Any, ...]], Plan] = partial(tuple.__new__, Plan)
intent_of: Callable[[tuple[str, int, str | None, int, int]], Intent] = partial(
    tuple.__new__, Intent
)
evidence_of: Callable[[tuple[str, str, int, str]], Evidence] = partial(tuple.__new__, Evidence)


def note(
    payment: str, tenant: int, *, done: tuple[str, ...] = (), evidence: tuple[Evidence, ...] = ()
) -> Plan:
    """A plan that moves nothing: evidence kept, intents struck off. Always applied."""
    return Plan(payment, NOTE, tenant, 0, done=done, evidence=evidence)
