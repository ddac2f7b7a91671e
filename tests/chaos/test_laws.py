"""A breach would be seen: falsify one figure of a true story, and the law it breaks speaks."""

import pytest

from tests.chaos.laws import Movement, Placed, Reading, Stored, breaches

KE, UG = "mpesa_ke", "mtn_ug"
PAYER, PAYEE, OTHER_PAYER, OTHER_PAYEE = "254711", "256772", "256773", "254714"

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

TRUE = Reading(
    placed=[Placed(PAYER, PAYEE, "PAID1"), Placed(OTHER_PAYER, OTHER_PAYEE, None)],
    stored=[PAID, REFUNDED],
    movements=[COLLECTION, PAYOUT, TAKEN, RETURNED],
    grown_in_books={KE: 51_500, UG: -14_000},
    grown_at_operators={KE: 51_500, UG: -14_000},
)
WAITING = PAID._replace(
    state="COLLECT_UNKNOWN", grown={}, under_way={"POOL_HELD UGX": 14_000},
    cases=("UNRESOLVED: collect at mpesa_ke without proof",),
)  # fmt: skip


def _stored(payment: Stored) -> Reading:
    return TRUE._replace(stored=[payment, REFUNDED])


def _moved(*movements: Movement) -> Reading:
    return TRUE._replace(movements=movements)


FALSE: dict[str, tuple[Reading, str]] = {
    "acknowledged and not stored": (TRUE._replace(stored=[REFUNDED]), "PAID1 was acknowledged"),
    "acknowledged under another code": (
        TRUE._replace(placed=[Placed(PAYER, PAYEE, "ELSE1"), TRUE.placed[1]]),
        "ELSE1 was acknowledged",
    ),
    "stored twice": (
        TRUE._replace(stored=[PAID, PAID._replace(code="PAID2"), REFUNDED]),
        "one dialogue, 2 payments",
    ),
    "dialled by nobody": (TRUE._replace(placed=TRUE.placed[:1]), "nobody dialled it"),
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
        _moved(*TRUE.movements, Movement(KE, "disbursement", "254799", 1)), "for no payment",
    ),
    "ended with money on its way": (
        _stored(PAID._replace(under_way={"REFUND_DUE KES": 1})), "still on its way",
    ),
    "books of one payment off by one": (
        _stored(PAID._replace(grown={KE: 51_501, UG: -14_000})), "our books say",
    ),
    "all books off by one": (
        TRUE._replace(grown_in_books={KE: 51_501, UG: -14_000}), "our books hold 51501 more",
    ),
    "an operator's balance off by one": (
        TRUE._replace(grown_at_operators={KE: 51_500, UG: -13_999}), "mtn_ug holds -13999 more",
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


def test_payment_that_waits_with_a_case_is_no_breach() -> None:
    only_charged = Reading(
        placed=[Placed(PAYER, PAYEE, "PAID1")],
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
