"""A breach would be seen: falsify one figure of a true story, and the law it breaks speaks."""

from collections.abc import Sequence

import pytest

from tests.chaos.laws import (
    HEARD_SECONDS_MAX,
    PAUSED_SECONDS_MAX,
    Deposit,
    Movement,
    Placed,
    Reading,
    Stored,
    Told,
    breaches,
    is_over_patience,
    unsettled,
)

KE, UG = "mpesa_ke", "mtn_ug"
PAYER, PAYEE, OTHER_PAYER, OTHER_PAYEE = "254711", "256772", "256773", "254714"
STRANGER, SENDER = "254715", "254716"

PAID = Stored(
    code="PAID1", state="PAID", payer=PAYER, payee=PAYEE, payer_operator=KE, payee_operator=UG,
    total_minor=51_500, receives_minor=14_000, grown={KE: 51_500, UG: -14_000},
    under_way={"CUSTOMER_FUNDS UGX": 0}, cases=(),
)  # fmt: skip
REFUNDED = Stored(
    code="BACK1", state="REFUNDED", payer=OTHER_PAYER, payee=OTHER_PAYEE,
    payer_operator=UG, payee_operator=KE,
    total_minor=20_700, receives_minor=69_000, grown={KE: 0, UG: 0}, under_way={}, cases=(),
)  # fmt: skip
COLLECTION = Movement(KE, "collection", PAYER, 51_500)
PAYOUT = Movement(UG, "disbursement", PAYEE, 14_000)
TAKEN = Movement(UG, "collection", OTHER_PAYER, 20_700)
RETURNED = Movement(UG, "refund", OTHER_PAYER, 20_700)

PAID_BY = "PAID1 Confirmed. KES 500 sent to +256772. Fee KES 15. Total paid KES 515."
RECEIVED = "PAID1 Confirmed. You have received UGX 14,000 from +254711."
GIVEN_BACK = "BACK1 Confirmed. UGX 20,700 was returned to you."
DEPOSITED = Movement(KE, "collection", STRANGER, 7_000, "R1")
SENT = Movement(KE, "collection", SENDER, 9_000, "R2")
SENT_BACK = Movement(KE, "refund", SENDER, 9_000, "R3")
MOVEMENTS = [COLLECTION, PAYOUT, TAKEN, RETURNED, DEPOSITED, SENT, SENT_BACK]

TRUE = Reading(
    placed=[Placed(PAYER, PAYEE, ("PAID1",)), Placed(OTHER_PAYER, OTHER_PAYEE, business="shop")],
    stored=[PAID, REFUNDED],
    movements=MOVEMENTS,
    grown_in_books={KE: 58_500, UG: -14_000},
    grown_at_operators={KE: 58_500, UG: -14_000},
    inboxes={
        PAYER: ["PAID1 is taking longer than usual", PAID_BY],
        PAYEE: [RECEIVED],
        OTHER_PAYER: ["BACK1 Not delivered: x. We are returning UGX 20,700 to you.", GIVEN_BACK],
    },
    paid_in={STRANGER: 7_000, SENDER: 9_000},
    deposits=[Deposit("R1", 7_000, "SUSPENDED"), Deposit("R2", 9_000, "RETURNED")],
    grown_by_deposits={KE: 7_000, UG: 0},
    told=[
        Told("shop", f"e{sequence}", "BACK1", f"payment.{kind}", sequence)
        for sequence, kind in enumerate(("created", "collected", "refunding", "refunded"), start=8)
    ],
)
WAITING = PAID._replace(
    state="COLLECT_UNKNOWN", grown={}, under_way={"POOL_HELD UGX": 14_000},
    cases=("UNRESOLVED: collect at mpesa_ke without proof",),
)  # fmt: skip
UNTOLD = {**TRUE.inboxes, PAYER: [], PAYEE: []}


def _stored(payment: Stored) -> Reading:
    return TRUE._replace(stored=[payment, REFUNDED])


def _moved(*movements: Movement) -> Reading:
    return TRUE._replace(movements=[*movements, *MOVEMENTS[4:]])


def _deposited(*movements: Movement) -> Reading:
    return TRUE._replace(movements=[*MOVEMENTS[:4], *movements])


def _inbox(number: str, *texts: str) -> Reading:
    return TRUE._replace(inboxes={**TRUE.inboxes, number: texts})


def _kept(*deposits: Deposit) -> Reading:
    return TRUE._replace(deposits=deposits)


def _told(told: Sequence[Told]) -> Reading:
    return TRUE._replace(told=told)


FALSE: dict[str, tuple[Reading, str]] = {
    "acknowledged and not stored": (TRUE._replace(stored=[REFUNDED]), "PAID1 was acknowledged"),
    "acknowledged under another code": (
        TRUE._replace(placed=[Placed(PAYER, PAYEE, ("PAID1", "ELSE1")), TRUE.placed[1]]),
        "ELSE1 was acknowledged",
    ),
    "stored twice": (
        TRUE._replace(stored=[PAID, PAID._replace(code="PAID2"), REFUNDED]),
        "one dialogue or key, 2 payments",
    ),
    "asked for by nobody": (
        TRUE._replace(placed=TRUE.placed[:1], told=[]), "nobody asked for it",
    ),
    "refused": (
        TRUE._replace(placed=[TRUE.placed[0], TRUE.placed[1]._replace(refused="not_possible")]),
        "a payment was refused (not_possible)",
    ),
    "a business not told of an end": (_told(TRUE.told[:3]), "shop of BACK1: it is REFUNDED"),
    "a business told nothing": (_told([]), "shop of BACK1: it is REFUNDED; told was []"),
    "a business told of what was not": (
        _told([*TRUE.told, Told("shop", "e12", "BACK1", "payment.paid", 12)]), "it is REFUNDED",
    ),
    "a step told as two": (
        _told([*TRUE.told, TRUE.told[3]._replace(event="e99")]), "one step told as several",
    ),
    "two steps told as one": (
        _told([*TRUE.told[:3], TRUE.told[3]._replace(event="e10")]), "one step told as several",
    ),
    "told out of order": (
        _told([TRUE.told[1], TRUE.told[0], *TRUE.told[2:]]), "another order than it happened",
    ),
    "told of somebody else's": (
        _told([*TRUE.told, Told("shop", "e99", "PAID1", "payment.paid", 24)]), "not its own",
    ),
    "told another business's": (
        _told([one._replace(business="school") for one in TRUE.told]), "not its own",
    ),
    "told without a signature": (
        TRUE._replace(unbelieved=["no signature of ours"]), "cannot believe: no signature",
    ),
    "charged twice": (
        _moved(COLLECTION, COLLECTION, PAYOUT, TAKEN, RETURNED), "charged 2 times",
    ),
    "paid twice": (_moved(COLLECTION, PAYOUT, PAYOUT, TAKEN, RETURNED), "paid 2 times"),
    "refunded twice": (
        _moved(COLLECTION, PAYOUT, TAKEN, RETURNED, RETURNED), "refunded 2 times",
    ),
    "charged a unit too much": (
        _moved(COLLECTION._replace(minor=51_501), PAYOUT, TAKEN, RETURNED),
        "charged [51501] instead of 51500",
    ),
    "paid a unit too little": (
        _moved(COLLECTION, PAYOUT._replace(minor=13_999), TAKEN, RETURNED),
        "paid [13999] instead of 14000",
    ),
    "paid and never charged": (_moved(PAYOUT, TAKEN, RETURNED), "never came in"),
    "called paid, and not paid": (_moved(COLLECTION, TAKEN, RETURNED), "(PAID): charged"),
    "paid and refunded": (
        _moved(COLLECTION, PAYOUT, RETURNED._replace(operator=KE, msisdn=PAYER, minor=51_500)),
        "was paid and the payer was refunded",
    ),
    "called expired, and charged": (_stored(PAID._replace(state="EXPIRED")), "(EXPIRED): charged"),
    "another operator": (
        _moved(COLLECTION._replace(operator=UG), PAYOUT, TAKEN, RETURNED), "another operator",
    ),
    "money for no payment": (
        _deposited(*MOVEMENTS[4:], Movement(KE, "disbursement", "254799", 1)), "for no payment",
    ),
    "ended with money on its way": (
        _stored(PAID._replace(under_way={"REFUND_DUE KES": 1})), "still on its way",
    ),
    "books of one payment off by one": (
        _stored(PAID._replace(grown={KE: 51_501, UG: -14_000})), "our books say",
    ),
    "all books off by one": (
        TRUE._replace(grown_in_books={KE: 58_501, UG: -14_000}), "our books hold 58501 more",
    ),
    "an operator's balance off by one": (
        TRUE._replace(grown_at_operators={KE: 58_500, UG: -13_999}), "mtn_ug holds -13999 more",
    ),
    "a payer not told": (_inbox(PAYER, "PAID1 is taking longer"), "the payer was never told"),
    "a payee not told": (_inbox(PAYEE), "the payee was never told: []"),
    "a payer not told of a refund": (_inbox(OTHER_PAYER), "the payer was never told: []"),
    "the same twice": (_inbox(PAYER, PAID_BY, PAID_BY), "the payer was told the same twice"),
    "paid, and told that it went back": (
        _inbox(PAYER, PAID_BY, "PAID1 Confirmed. KES 515 was returned to you."), "what is not so",
    ),
    "refunded, and the payee told of money": (
        _inbox(OTHER_PAYEE, "BACK1 Confirmed. You have received KES 690 from +256773."),
        "the payee was told what is not so",
    ),
    "a stranger's money twice": (
        _deposited(DEPOSITED, DEPOSITED, SENT, SENT_BACK), "a stranger paid in 2 times",
    ),
    "a stranger given back twice": (
        _deposited(DEPOSITED, SENT, SENT_BACK, SENT_BACK), "a stranger was given back 2 times",
    ),
    "a stranger given back too much": (
        _deposited(DEPOSITED, SENT, SENT_BACK._replace(minor=9_001)),
        "given back [9001] instead of 9000",
    ),
    "called returned, and still here": (
        _deposited(DEPOSITED, SENT), "R2 is RETURNED, and back went []",
    ),
    "called suspended, and given back": (
        _kept(TRUE.deposits[0], Deposit("R2", 9_000, "SUSPENDED")),
        "R2 is SUSPENDED, and back went [9000]",
    ),
    "given back and never heard of": (_kept(TRUE.deposits[0]), "R2 went back, and we never heard"),
    "a deposit of another sum": (
        _kept(Deposit("R1", 7_001, "SUSPENDED"), TRUE.deposits[1]),
        "R1 is kept as 7001 instead of 7000",
    ),
    "a deposit left lying": (
        _kept(Deposit("R1", 7_000, "HEARD"), TRUE.deposits[1]), "R1 is left in HEARD",
    ),
    "a deposit nobody made": (
        _kept(*TRUE.deposits, Deposit("R9", 1, "RETURNED")), "R9 is kept, and nobody paid it in",
    ),
    "strangers' money not booked": (
        TRUE._replace(grown_by_deposits={KE: 0, UG: 0}), "our books hold 0 of strangers",
    ),
    "not ended and no case": (_stored(WAITING._replace(cases=())), "no case says why"),
    "not ended and a case without words": (_stored(WAITING._replace(cases=(" ",))), "no case says"),
}  # fmt: skip


def test_true_story_breaks_no_law() -> None:
    assert breaches(TRUE) == []


@pytest.mark.parametrize("falsehood", FALSE, ids=lambda name: name.replace(" ", "_"))
def test_falsified_figure_is_a_breach(falsehood: str) -> None:
    reading, expected = FALSE[falsehood]
    assert any(expected in breach for breach in breaches(reading)), breaches(reading)


OPEN: dict[str, tuple[Reading, str]] = {
    "a payment that waits": (_stored(WAITING), "PAID1 is COLLECT_UNKNOWN"),
    "a case that stays": (_stored(PAID._replace(cases=("CONFLICT: x",))), "CONFLICT: x"),
    "money that is not ours": (
        TRUE._replace(grown_at_operators={KE: 58_501, UG: -14_000}), "our books hold",
    ),
}  # fmt: skip


def test_notice_that_may_have_left_may_be_missing() -> None:
    unsure = TRUE._replace(
        stored=[PAID._replace(unsure=frozenset({"receipt_payee"})), REFUNDED],
        inboxes={**TRUE.inboxes, PAYEE: []},
    )
    assert breaches(unsure) == []


def test_true_story_is_settled() -> None:
    assert unsettled(TRUE) == []


def test_return_whose_answer_was_lost_stays_in_our_books_for_an_hour() -> None:
    waits = _kept(TRUE.deposits[0], Deposit("R2", 9_000, "RETURNING"))
    assert unsettled(waits._replace(grown_in_books={KE: 67_500, UG: -14_000})) == []
    assert unsettled(waits) != []


def test_pay_in_whose_proof_was_lost_is_booked_when_it_is_asked_for_again() -> None:
    asked = _kept(Deposit("R1", 7_000, "HEARD", asked=1), TRUE.deposits[1])
    unbooked = asked._replace(
        grown_in_books={KE: 51_500, UG: -14_000}, grown_by_deposits={KE: 0, UG: 0}
    )
    assert breaches(unbooked) == []
    assert breaches(asked) != []


def test_what_moved_under_a_name_that_nobody_told_us_waits_for_people() -> None:
    waits = _stored(WAITING._replace(is_named=False))
    assert unsettled(waits._replace(inboxes=UNTOLD)) == []


def test_laws_hold_after_the_statements_too() -> None:
    for name in ("a payer not told of a refund", "paid twice", "a business not told of an end"):
        reading, expected = FALSE[name]
        assert any(expected in said for said in unsettled(reading)), name


def test_nothing_that_is_over_is_left_to_people() -> None:
    late = _stored(PAID._replace(cases=("AUDIT: late: version 1 appeared after block 1",)))
    assert unsettled(late) != []


def test_what_never_moved_may_wait_for_the_end_of_the_day() -> None:
    unmoved = TRUE._replace(
        stored=[WAITING, REFUNDED], movements=[TAKEN, RETURNED],
        grown_in_books={KE: 0, UG: 0}, grown_at_operators={KE: 0, UG: 0}, deposits=[],
        inboxes=UNTOLD,
    )  # fmt: skip
    assert unsettled(unmoved) == []


@pytest.mark.parametrize("what", OPEN, ids=lambda name: name.replace(" ", "_"))
def test_what_stays_open_after_the_statements_is_told(what: str) -> None:
    reading, expected = OPEN[what]
    assert any(expected in said for said in unsettled(reading)), unsettled(reading)


def test_payment_that_waits_with_a_case_is_no_breach() -> None:
    only_charged = Reading(
        placed=[Placed(PAYER, PAYEE, ("PAID1",))],
        stored=[WAITING],
        movements=[COLLECTION],
        grown_in_books={KE: 0, UG: 0},
        grown_at_operators={KE: 51_500, UG: 0},
    )
    assert breaches(only_charged) == []


@pytest.mark.parametrize("twice", [COLLECTION, PAYOUT], ids=lambda movement: movement.kind)
def test_payment_that_waits_may_not_move_twice(twice: Movement) -> None:
    moved = [COLLECTION, PAYOUT, twice, TAKEN, RETURNED]
    found = breaches(_stored(WAITING)._replace(movements=moved))
    assert any(" 2 times" in breach for breach in found), found


BEGAN = 1_800_000_000.0


@pytest.mark.parametrize(
    ("paused_until", "excused_seconds"),
    [
        pytest.param(0.0, 0.0, id="nobody_is_left_alone"),
        pytest.param(BEGAN - 5, 0.0, id="a_pause_that_was_over"),
        pytest.param(BEGAN + 60, 60.0, id="a_pause"),
        pytest.param(BEGAN + 900, PAUSED_SECONDS_MAX, id="pauses_without_an_end"),
    ],
)
def test_somebody_pays_again_soon_after_operators_were_left_alone(
    paused_until: float, excused_seconds: float
) -> None:
    last = BEGAN + excused_seconds + HEARD_SECONDS_MAX
    assert not is_over_patience(last, BEGAN, paused_until)
    assert is_over_patience(last + 0.1, BEGAN, paused_until)


def test_a_machine_with_twice_the_work_it_can_do_is_given_twice_the_time() -> None:
    last = BEGAN + 2 * HEARD_SECONDS_MAX
    assert not is_over_patience(last, BEGAN, 0.0, crowding=2.0)
    assert is_over_patience(last + 0.1, BEGAN, 0.0, crowding=2.0)
