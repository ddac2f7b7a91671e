"""What must be true once everything has ended, judged from three sides that share nothing.

What callers and businesses were shown, what our database keeps, what the operators' ledgers say
moved. Pure: figures in, sentences about what is wrong out. Amounts are minor units.
"""

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

HEARD_SECONDS_MAX = 40.0
"""Within so long somebody pays again, where every program has a processor."""
PAUSED_SECONDS_MAX = 300.0
"""So long at most pauses that follow each other, in which operators are left alone, excuse it."""
TERMINAL = frozenset({"PAID", "REFUNDED", "COLLECT_FAILED", "EXPIRED", "CANCELLED"})


class Placed(NamedTuple):
    """One caller's one dialogue, or what a business asked for under one key.

    `codes`: the payment's, from each screen or answer that said it was taken; none came: empty.
    """

    payer: str  # digits
    payee: str
    codes: tuple[str, ...] = ()
    business: str = ""
    refused: str = ""  # the last word, if it was a no


class Told(NamedTuple):
    """What a business heard by webhook, when it heard it first."""

    business: str
    event: str
    code: str
    kind: str
    sequence: int


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
    unsure: frozenset[str] = frozenset()  # notices that may have left; nobody can say
    is_named: bool = True  # the operator has told what it calls what is under way, or has failed


class Movement(NamedTuple):
    """Money that really moved, as the operator wrote it down."""

    operator: str
    kind: str
    msisdn: str
    minor: int
    receipt: str = ""

    @property
    def into_ours(self) -> int:
        return self.minor if self.kind == "collection" else -self.minor


class Deposit(NamedTuple):
    """What a stranger paid in, as we keep it. `stage` says who has it now."""

    receipt: str
    minor: int
    stage: str
    asked: int = 0  # how often its operator was asked whether it came

    @property
    def is_asked_about(self) -> bool:
        """An answer was lost: it is asked for again after minutes, and booked then."""
        return self.stage == "HEARD" and self.asked > 0


class Reading(NamedTuple):
    """Everything that was looked at, in one moment when nothing moved."""

    placed: Sequence[Placed]
    stored: Sequence[Stored]
    movements: Sequence[Movement]
    grown_in_books: Mapping[str, int]  # by operator, since before the first payment
    grown_at_operators: Mapping[str, int]
    inboxes: Mapping[str, Sequence[str]] = {}  # by number: the texts that phones were brought
    paid_in: Mapping[str, int] = {}  # by number: what strangers gave to an operator for us
    deposits: Sequence[Deposit] = ()
    grown_by_deposits: Mapping[str, int] = {}  # our books, by operator, beside payments
    told: Sequence[Told] = ()
    # Numbers of payers whose operator was to call the collection failed before their money came.
    may_pay_afterwards: Collection[str] = ()
    unbelieved: Sequence[str] = ()  # messages that a business could not take as ours, and why


def breaches(reading: Reading) -> list[str]:
    """What is wrong, a sentence each; empty when every law was kept."""
    by_number = _by_number(reading.movements)
    found = list(_acknowledged_is_stored(reading.placed, reading.stored))
    found += _businesses_were_told(reading)
    for stored in reading.stored:
        taken, given = by_number.pop(stored.payer, []), by_number.pop(stored.payee, [])
        is_late = stored.payer in reading.may_pay_afterwards
        story = _story(stored, taken, given, may_be_unheard=is_late)
        found += [f"{stored.code} ({stored.state}): {why}" for why in story]
    found += _deposits(reading, by_number)
    for stored in reading.stored:
        found += [f"{stored.code} ({stored.state}): {why}" for why in _learned(stored, reading)]
    found += [f"money moved for no payment: {moved}" for moved in by_number.values()]
    found += _totals(reading)
    return found


def unsettled(reading: Reading) -> list[str]:
    """What is still open after the operators have listed all that moved: nothing may be, and what
    only a statement could tell of is no excuse any more.

    Of what did not move a day's statement says nothing before that day is over. What an operator
    carried out under a name that it never told us is money of nobody: in SUSPENSE, for people.
    """
    by_number = _by_number(reading.movements)
    found = list(_businesses_were_told(reading))
    for one in reading.stored:
        taken, given = by_number[one.payer], by_number[one.payee]
        is_nobodys = not one.is_named and one.payer in reading.may_pay_afterwards
        is_over = one.state in TERMINAL
        if (is_over and one.cases and not is_nobodys) or (
            not is_over and one.is_named and (taken or given)
        ):
            found.append(f"{one.code} is {one.state} ({'; '.join(one.cases)})")
        story = [*_story(one, taken, given, may_be_unheard=is_nobodys), *_learned(one, reading)]
        found += [f"{one.code} ({one.state}): {why}" for why in story]
    theirs = Counter(reading.grown_at_operators)
    back = {m.msisdn for m in reading.movements if m.kind != "collection"}
    by_receipt = {deposit.receipt: deposit for deposit in reading.deposits}
    for moved in reading.movements:
        deposit = by_receipt.get(moved.receipt)
        if deposit and moved.msisdn in back and deposit.stage == "RETURNING":
            # Its answer was lost: within the hour it is ordered again, and found to be done.
            theirs[moved.operator] += deposit.minor
    if reading.grown_in_books != theirs:
        found.append(f"our books hold {dict(reading.grown_in_books)}, operators {dict(theirs)}")
    return [f"after the statements: {what}" for what in found]


def _by_number(movements: Iterable[Movement]) -> dict[str, list[Movement]]:
    found: dict[str, list[Movement]] = defaultdict(list)
    for movement in movements:
        found[movement.msisdn].append(movement)
    return found


def _acknowledged_is_stored(placed: Iterable[Placed], stored: Iterable[Stored]) -> Iterator[str]:
    kept: dict[tuple[str, str], list[str]] = defaultdict(list)
    for payment in stored:
        kept[payment.payer, payment.payee].append(payment.code)
    for one in placed:
        codes = kept.pop((one.payer, one.payee), [])
        if len(codes) > 1:
            yield f"one dialogue or key, {len(codes)} payments: {codes}"
        for code in sorted({*one.codes}.difference(codes)):
            yield f"{code} was acknowledged; stored is {codes}"
        if one.refused:  # nobody here asks for what cannot be
            yield f"a payment was refused ({one.refused}); stored is {codes}"
    for codes in kept.values():
        yield f"stored, and nobody asked for it: {codes}"


def _businesses_were_told(reading: Reading) -> Iterator[str]:
    """Of each of their payments, of nobody else's; each step once, in order, signed."""
    yield from (f"a business was told what it cannot believe: {why}" for why in reading.unbelieved)
    asked = {(one.payer, one.payee): one.business for one in reading.placed if one.business}
    told: dict[tuple[str, str], list[Told]] = defaultdict(list)
    for one in reading.told:
        told[one.business, one.code].append(one)
    for payment in reading.stored:
        business = asked.get((payment.payer, payment.payee))
        if business is not None:
            heard = told.pop((business, payment.code), [])
            yield from (f"{business} of {payment.code}: {why}" for why in _heard(payment, heard))
    for business, code in told:
        yield f"{business} was told of {code}, which is not its own"


def _heard(payment: Stored, heard: Sequence[Told]) -> Iterator[str]:
    kinds = [one.kind for one in heard]
    if len({one.event for one in heard}) < len(heard) or len({*kinds}) < len(kinds):
        yield f"one step told as several: {kinds}"
    if [*heard] != sorted(heard, key=lambda one: one.sequence):
        yield f"told in another order than it happened: {kinds}"
    always, perhaps = _KINDS.get(payment.state, (_BEGUN, None))
    missing = always - {*kinds}
    added = {*kinds} - always - perhaps if perhaps is not None else set()
    if missing or added:
        yield f"it is {payment.state}; told was {kinds}"


_BEGUN = frozenset({"payment.created"})
_FAILED = _BEGUN | {"payment.failed"}
_GIVEN_BACK = _BEGUN | {"payment.collected", "payment.refunding", "payment.refunded"}
# By state: what is always told of such a payment, and what may have been told besides.
_KINDS: Mapping[str, tuple[frozenset[str], frozenset[str]]] = {
    "PAID": (_BEGUN | {"payment.collected", "payment.paid"}, frozenset({"payment.delayed"})),
    "REFUNDED": (_GIVEN_BACK, frozenset({"payment.delayed", "payment.failed"})),
    "COLLECT_FAILED": (_FAILED, frozenset()),
    "EXPIRED": (_FAILED, frozenset()),
    "CANCELLED": (_BEGUN | {"payment.cancelled"}, frozenset()),
}


def _story(
    stored: Stored,
    taken: Sequence[Movement],
    given: Sequence[Movement],
    *,
    may_be_unheard: bool,
) -> Iterator[str]:
    """`may_be_unheard`: a collection that was told failed may have come, and nobody told us yet."""
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
    is_unheard = may_be_unheard and stored.state == "COLLECT_FAILED" and bool(collected)
    if (bool(collected) and not is_unheard, bool(paid), bool(refunded)) != _ENDINGS[stored.state]:
        yield f"charged {collected}, paid {paid}, refunded {refunded}"
    if left := {account: minor for account, minor in stored.under_way.items() if minor}:
        yield f"ended, and money is still on its way: {left}"
    theirs = Counter({stored.payer_operator: 0, stored.payee_operator: 0})
    for movement in () if is_unheard else (*taken, *given):
        theirs[movement.operator] += movement.into_ours
    ours = {operator: stored.grown.get(operator, 0) for operator in theirs}
    if ours != dict(theirs):
        yield f"our books say {ours}, the operators' ledgers {dict(theirs)}"


def _learned(stored: Stored, reading: Reading) -> Iterator[str]:
    """Both hear the truth, once. What may have left is sent to nobody again: it may be missing."""
    for number, side in ((stored.payer, "payer"), (stored.payee, "payee")):
        texts = [text for text in reading.inboxes.get(number, ()) if stored.code in text]
        if len({*texts}) < len(texts):
            yield f"the {side} was told the same twice: {texts}"
        for template, words in _NOTICES.items():
            due = (stored.state, side) in _DUE[template]
            was_late = (stored.state, side) == ("REFUNDED", "payer") and template in _OF_LATE_MONEY
            may = due or (was_late and number in reading.may_pay_afterwards)
            told = sum(words in text for text in texts)
            if told > may:
                yield f"the {side} was told what is not so: {texts}"
            if told < due and template not in stored.unsure:
                yield f"the {side} was never told: {texts}"


# Words of each notice, and whom it is due in which end.
_NOTICES = {
    "receipt_payer": "Total paid",
    "receipt_payee": "You have received",
    "refunded": "was returned to you",
    "collect_failed": "Failed: ",
    "expired": "Expired before it was paid",
    "cancelled": "Cancelled. Nothing was charged",
    "late_funds": "reached us after this payment had ended",
}
_OF_LATE_MONEY = {"collect_failed", "late_funds"}
"""May have been told of a payment before its late money went back; each is dropped once it is
untrue."""
_DUE = {
    "receipt_payer": {("PAID", "payer")},
    "receipt_payee": {("PAID", "payee")},
    "refunded": {("REFUNDED", "payer")},
    "collect_failed": {("COLLECT_FAILED", "payer")},
    "expired": {("EXPIRED", "payer")},
    "cancelled": {("CANCELLED", "payer")},
    "late_funds": set[tuple[str, str]](),
}

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


def _deposits(reading: Reading, by_number: dict[str, list[Movement]]) -> Iterator[str]:
    """Each came once and went back once at most; what went back is called so, and nothing else."""
    kept = {deposit.receipt: deposit for deposit in reading.deposits}
    for number, minor in reading.paid_in.items():
        moved = by_number.pop(number, [])
        came = [movement for movement in moved if movement.kind == "collection"]
        back = [movement.minor for movement in moved if movement.kind != "collection"]
        yield from _once("a stranger paid in", [movement.minor for movement in came], minor)
        yield from _once("a stranger was given back", back, minor)
        for movement in came:
            deposit = kept.pop(movement.receipt, None)
            if deposit is None:
                if back:
                    yield f"{movement.receipt} went back, and we never heard of it"
            elif deposit.minor != minor:
                yield f"{movement.receipt} is kept as {deposit.minor} instead of {minor}"
            elif deposit.is_asked_about:
                if back:
                    yield f"the pay-in {movement.receipt} is yet to be proven, and back went {back}"
            elif deposit.stage not in _RESTING:
                yield f"the pay-in {movement.receipt} is left in {deposit.stage}"
            elif deposit.stage == ("SUSPENDED" if back else "RETURNED"):
                yield f"the pay-in {movement.receipt} is {deposit.stage}, and back went {back}"
    for receipt in kept:
        yield f"the pay-in {receipt} is kept, and nobody paid it in"


_RESTING = frozenset({"SUSPENDED", "RETURNING", "RETURNED"})


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
    held = sum(
        deposit.minor
        for deposit in reading.deposits
        if deposit.stage != "RETURNED" and not deposit.is_asked_about
    )
    if (booked := sum(reading.grown_by_deposits.values())) != held:
        yield f"our books hold {booked} of strangers, who paid in {held}"
    for operator, grown in reading.grown_in_books.items():
        said = ours[operator] + reading.grown_by_deposits.get(operator, 0)
        if grown != said:
            yield f"our books hold {grown} more at {operator}; payments and pay-ins say {said}"


def is_over_patience(now: float, began: float, paused_until: float, crowding: float = 1.0) -> bool:
    """Whether somebody should have paid again by now, as nobody has since `began`; seconds of one
    clock. While operators are left alone nobody can be paid: who asks is told so. `crowding`: how
    many programs want each processor.
    """
    excused_until = min(paused_until, began + PAUSED_SECONDS_MAX)
    return now > max(began, excused_until) + HEARD_SECONDS_MAX * crowding
