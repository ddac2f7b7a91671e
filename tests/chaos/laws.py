"""What must be true once everything has ended, judged from three sides that share nothing.

What callers saw on their phones, what our database keeps, what the operators' ledgers say moved.
Pure: figures in, sentences about what is wrong out. Amounts are minor units.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

TERMINAL = frozenset({"PAID", "REFUNDED", "COLLECT_FAILED", "EXPIRED", "CANCELLED"})


class Placed(NamedTuple):
    """One caller's one dialogue. `code` stood on the last screen; None: no such screen came."""

    payer: str  # digits
    payee: str
    code: str | None


class Stored(NamedTuple):
    """One payment in our database. `grown`: by how much we hold more, by operator."""

    code: str
    state: str
    payer: str
    payee: str
    payer_operator: str
    payee_operator: str
    total_minor: int
    receives_minor: int
    grown: Mapping[str, int]
    under_way: Mapping[str, int]  # what it left on accounts of money that is on its way
    cases: tuple[str, ...]  # open ones, with their words


class Movement(NamedTuple):
    """Money that really moved, as the operator wrote it down."""

    operator: str
    kind: str
    msisdn: str
    minor: int

    @property
    def into_ours(self) -> int:
        return self.minor if self.kind == "collection" else -self.minor


class Reading(NamedTuple):
    """Everything that was looked at, in one moment when nothing moved."""

    placed: Sequence[Placed]
    stored: Sequence[Stored]
    movements: Sequence[Movement]
    grown_in_books: Mapping[str, int]  # by operator, since before the first payment
    grown_at_operators: Mapping[str, int]


def breaches(reading: Reading) -> list[str]:
    """What is wrong, a sentence each; empty when every law was kept."""
    by_number: dict[str, list[Movement]] = defaultdict(list)
    for movement in reading.movements:
        by_number[movement.msisdn].append(movement)
    found = list(_acknowledged_is_stored(reading.placed, reading.stored))
    for stored in reading.stored:
        taken, given = by_number.pop(stored.payer, []), by_number.pop(stored.payee, [])
        found += [f"{stored.code} ({stored.state}): {why}" for why in _story(stored, taken, given)]
    found += [f"money moved for no payment: {moved}" for moved in by_number.values()]
    found += _totals(reading)
    return found


def _acknowledged_is_stored(placed: Iterable[Placed], stored: Iterable[Stored]) -> Iterator[str]:
    kept: dict[tuple[str, str], list[str]] = defaultdict(list)
    for payment in stored:
        kept[payment.payer, payment.payee].append(payment.code)
    for one in placed:
        codes = kept.pop((one.payer, one.payee), [])
        if len(codes) > 1:
            yield f"one dialogue, {len(codes)} payments: {codes}"
        if one.code is not None and one.code not in codes:
            yield f"{one.code} was acknowledged; stored is {codes}"
    for codes in kept.values():
        yield f"stored, and nobody dialled it: {codes}"


def _story(stored: Stored, taken: Sequence[Movement], given: Sequence[Movement]) -> Iterator[str]:
    collected = [m.minor for m in taken if m.kind == "collection"]
    refunded = [m.minor for m in taken if m.kind != "collection"]
    paid = [m.minor for m in given]
    yield from _once("charged", collected, stored.total_minor)
    yield from _once("refunded", refunded, stored.total_minor)
    yield from _once("paid", paid, stored.receives_minor)
    if (refunded or paid) and not collected:
        yield "money went out that never came in"
    if refunded and paid:
        yield "the payee was paid and the payer was refunded"
    if any(m.operator != stored.payer_operator for m in taken) or any(
        m.operator != stored.payee_operator for m in given
    ):
        yield "another operator moved the money"
    if stored.state not in TERMINAL:
        if not any(words.strip() for words in stored.cases):
            yield "it has not ended and no case says why"
        return
    if (bool(collected), bool(paid), bool(refunded)) != _ENDINGS[stored.state]:
        yield f"charged {collected}, paid {paid}, refunded {refunded}"
    if left := {account: minor for account, minor in stored.under_way.items() if minor}:
        yield f"ended, and money is still on its way: {left}"
    theirs = Counter({stored.payer_operator: 0, stored.payee_operator: 0})
    for movement in (*taken, *given):
        theirs[movement.operator] += movement.into_ours
    ours = {operator: stored.grown.get(operator, 0) for operator in theirs}
    if ours != dict(theirs):
        yield f"our books say {ours}, the operators' ledgers {dict(theirs)}"


# Whether the payer was charged, the payee paid, the payer refunded.
_ENDINGS = {
    "PAID": (True, True, False),
    "REFUNDED": (True, False, True),
    "COLLECT_FAILED": (False, False, False),
    "EXPIRED": (False, False, False),
    "CANCELLED": (False, False, False),
}


def _once(what: str, minors: Sequence[int], expected: int) -> Iterator[str]:
    if len(minors) > 1:
        yield f"{what} {len(minors)} times: {minors}"
    if any(minor != expected for minor in minors):
        yield f"{what} {minors} instead of {expected}"


def _totals(reading: Reading) -> Iterator[str]:
    """All payments together explain both balances; what has not ended is judged by itself."""
    theirs: Counter[str] = Counter()
    for movement in reading.movements:
        theirs[movement.operator] += movement.into_ours
    ours: Counter[str] = Counter()
    for stored in reading.stored:
        ours.update(stored.grown)
    for operator, grown in reading.grown_at_operators.items():
        if grown != theirs[operator]:
            yield f"{operator} holds {grown} more for us; its movements say {theirs[operator]}"
    for operator, grown in reading.grown_in_books.items():
        if grown != ours[operator]:
            yield f"our books hold {grown} more at {operator}; payments say {ours[operator]}"
