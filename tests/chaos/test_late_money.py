"""What is paid after its collection was told failed: only a statement may tell of it, and then it
goes back. Nothing else is excused.
"""

import pytest

from tests.chaos.laws import Movement, Placed, Reading, breaches, unsettled
from tests.chaos.test_laws import GIVEN_BACK, KE, MOVEMENTS, OTHER_PAYER, PAID, TRUE, UG

LATECOMER = "254718"
CAME_LATE = Movement(KE, "collection", LATECOMER, 30_900)
FAILED = PAID._replace(
    code="LATE1", state="COLLECT_FAILED", payer=LATECOMER, payee="256774", total_minor=30_900,
    receives_minor=8_000, grown={}, under_way={},
)  # fmt: skip
TOLD_FAILED = "LATE1 Failed: the phone did not answer in time. Nothing was charged."
UNHEARD = TRUE._replace(
    placed=[*TRUE.placed, Placed(LATECOMER, "256774", ("LATE1",))],
    stored=[*TRUE.stored, FAILED],
    movements=[*MOVEMENTS, CAME_LATE],
    grown_at_operators={KE: 58_500 + 30_900, UG: -14_000},
    inboxes={**TRUE.inboxes, LATECOMER: [TOLD_FAILED]},
    may_pay_afterwards={LATECOMER},
)
HEARD = UNHEARD._replace(
    stored=[*TRUE.stored, FAILED._replace(state="REFUNDED", grown={KE: 0})],
    movements=[*MOVEMENTS, CAME_LATE, CAME_LATE._replace(kind="refund")],
    grown_at_operators=TRUE.grown_at_operators,
    inboxes={
        **TRUE.inboxes,
        LATECOMER: [
            TOLD_FAILED,
            "LATE1: KES 309 reached us after this payment had ended. We are returning it to you.",
            "LATE1 Confirmed. KES 309 was returned to you.",
        ],
    },
)


def test_only_a_statement_may_tell_of_what_was_paid_after_it_was_told_failed() -> None:
    assert breaches(UNHEARD) == []
    assert any("(COLLECT_FAILED): charged [30900]" in said for said in unsettled(UNHEARD))
    assert any("our books say" in said for said in unsettled(UNHEARD))


def test_what_was_paid_afterwards_is_given_back_once_it_is_known() -> None:
    assert breaches(HEARD) == unsettled(HEARD) == []
    was_told_less = HEARD._replace(
        inboxes={**TRUE.inboxes, LATECOMER: HEARD.inboxes[LATECOMER][2:]}
    )
    assert breaches(was_told_less) == unsettled(was_told_less) == []


def test_late_money_under_a_name_that_nobody_told_us_waits_for_people() -> None:
    nobodys = UNHEARD._replace(
        stored=[*TRUE.stored, FAILED._replace(is_named=False, cases=("UNRESOLVED: no name",))],
        grown_in_books=UNHEARD.grown_at_operators,  # in SUSPENSE
    )
    assert unsettled(nobodys) == []


AFTERWARDS: dict[str, tuple[Reading, str]] = {
    "by somebody whose operator tells the truth": (
        UNHEARD._replace(may_pay_afterwards=()), "(COLLECT_FAILED): charged [30900]",
    ),
    "twice": (
        UNHEARD._replace(movements=[*UNHEARD.movements, CAME_LATE]), "charged 2 times",
    ),
    "a unit too much": (
        UNHEARD._replace(movements=[*MOVEMENTS, CAME_LATE._replace(minor=30_901)]),
        "charged [30901] instead of 30900",
    ),
    "and booked without a word": (
        UNHEARD._replace(stored=[*TRUE.stored, FAILED._replace(grown={KE: 30_900})]),
        "our books say",
    ),
    "and given back behind our books": (
        UNHEARD._replace(movements=HEARD.movements), "refunded [30900]",
    ),
    "and told as another end": (
        UNHEARD._replace(
            inboxes={**TRUE.inboxes, LATECOMER: [TOLD_FAILED, HEARD.inboxes[LATECOMER][1]]}
        ),
        "the payer was told what is not so",
    ),
    "and never told": (
        HEARD._replace(inboxes={**TRUE.inboxes, LATECOMER: [TOLD_FAILED]}),
        "the payer was never told",
    ),
    "and failed twice": (
        HEARD._replace(
            inboxes={
                **TRUE.inboxes,
                LATECOMER: [*HEARD.inboxes[LATECOMER], TOLD_FAILED.replace("phone", "payer")],
            }
        ),
        "the payer was told what is not so",
    ),
}  # fmt: skip


@pytest.mark.parametrize("what", AFTERWARDS, ids=lambda name: name.replace(" ", "_"))
def test_what_is_paid_afterwards_excuses_nothing_else(what: str) -> None:
    reading, expected = AFTERWARDS[what]
    assert any(expected in said for said in breaches(reading)), breaches(reading)


def test_payer_of_another_payment_is_told_of_no_failure_and_no_late_money() -> None:
    for text in HEARD.inboxes[LATECOMER][:2]:
        told = text.replace("LATE1", "BACK1")
        inboxes = {**TRUE.inboxes, OTHER_PAYER: [GIVEN_BACK, told]}
        assert breaches(TRUE._replace(inboxes=inboxes)) != []
