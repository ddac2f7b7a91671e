"""What is stored as a number means for ever what it means today: rows of years hang on it."""

import ast
from enum import IntEnum
from pathlib import Path

import pytest

from engine.compliance.clearance import Action
from engine.ledger.chart import Kind
from engine.ledger.entries import Manual
from engine.messages import letters
from engine.money import CURRENCIES
from engine.outbox import LEFT_BEHIND, QUESTION
from engine.payments import notices
from engine.payments.evidence import Source
from engine.payments.lifecycle import State
from engine.payments.payins import judging
from engine.payments.settlement import state
from engine.payments.statements.judged import Class
from engine.payments.statements.lines import Side
from engine.ports import Direction
from engine.traffic.messages import Way

ENGINE = Path(__file__).parent.parent.parent / "engine"
NOT_STORED = {"Admission", "Care", "Verdict"}
"""What lives no longer than a call."""

STORED: dict[type[IntEnum], str] = {
    Kind: """
        FLOAT=1 POOL_AVAIL=2 POOL_HELD=3 CUSTOMER_FUNDS=4 PAYOUT_IN_FLIGHT=5 REFUND_IN_FLIGHT=6
        REFUND_DUE=7 RETURNED=8 FEE_INCOME=9 FX_SPREAD=10 OPERATOR_COST=11 INTERPOOL=12
        SUSPENSE=13 ROUNDING=14 LOSS=15 RECOVERABLE=16 WITHDRAWAL_HELD=20 RETURN_HELD=21
        CHAIN_TREASURY=22 CHAIN_IN_FLIGHT=23 FX_POSITION=24 CHAIN_CAPITAL=25 POOL_RESERVED=26
    """,
    Manual: """
        SEEDED=100 TOPPED_UP=101 WITHDRAWAL_RESERVED=102 WITHDRAWN=103 WITHDRAWAL_CANCELLED=104
        REBALANCED=105 REVERSED=106 ADJUSTED=107 WRITTEN_OFF=108 SUSPENDED=110 UNSUSPENDED=111
        RETURN_RESERVED=112 RETURNED_TO_SENDER=113 RETURN_FAILED=114 SETTLEMENT_CLOSED=120
        SETTLEMENT_REOPENED=121 SETTLEMENT_FINAL=122 CHAIN_PROVIDED=123 CHAIN_WITHDRAWN=124
        CHAIN_REFUNDED=125 LIQUIDITY_RESERVED=130 RESERVATION_RELEASED=131 RESERVATION_EXPIRED=132
        RESERVATION_REFUSED=133
    """,
    State: """
        NEW=0 QUOTED=1 RESERVED=2 COLLECTING=3 COLLECT_UNKNOWN=4 COLLECTED=5 PAYOUT_QUEUED=6
        ON_HOLD=7 PAYING=8 PAYOUT_UNKNOWN=9 PAYOUT_FAILED=10 PAID=11 REFUND_DUE=12 REFUNDING=13
        REFUND_UNKNOWN=14 REFUNDED=15 COLLECT_FAILED=16 EXPIRED=17 CANCELLED=18 LATE_FUNDS=19
        RETURNED=20
    """,
    Direction: """
        COLLECT=1 DISBURSE=2 REFUND=3
    """,
    Source: """
        ANSWER=1 CALLBACK=2 QUERY=3 ACCEPTED=4 STATEMENT=5 PEOPLE=6 PAY_IN=7
        ORDERED=8 REPEATED=9
    """,
    Action: """
        ALLOW=0 HOLD=1 REFUSE=2 WAIT=3
    """,
    judging.Stage: """
        HEARD=1 DENIED=2 SUSPENDED=3 TAKEN=4 RETURNING=5 RETURNED=6 ASSIGNING=7 FOUND=8
    """,
    Class: """
        MATCHED=1 NEXT_DAY=2 UNKNOWN_RESOLVED=3 AMOUNT_DIFFERS=4 CONTRADICTION=5 MISSING_HERE=6
        MISSING_THERE=7 DUPLICATE_LINE=8 NOTHING_MOVED=9 WAITING=10 OTHER_DAY=11 PAID_IN=12
        MOVED=13
    """,
    Side: """
        IN=1 OUT=2
    """,
    Way: """
        THEY_CALLED=1 WE_CALLED=2
    """,
    state.BatchState: """
        CLOSING=1 CLOSED=2 APPROVED=3 SUBMITTED=4 SETTLED=5 REOPENING=6 REOPENED=7 PARKED=8
    """,
    state.ErrandState: """
        WANTED=1 UNDER_WAY=2 DONE=3 REFUSED=4 LAPSED=5
    """,
    state.Stage: """
        ALLOCATED=1 SIGNED=2 DONE=3 REFUSED=4 GONE=5
    """,
    state.DisputeStage: """
        OPEN=1 CONTESTED=2 RULED=3 CLOSED=4 REFUSED=5
    """,
}


@pytest.mark.parametrize("stored", STORED, ids=lambda enum: f"{enum.__module__}.{enum.__name__}")
def test_a_stored_number_keeps_its_meaning(stored: type[IntEnum]) -> None:
    """A new one gets a line here; one that is there is never changed, nor given to another."""
    assert [f"{name}={value}" for name, value in stored.__members__.items()] == (
        STORED[stored].split()
    )


CURRENCY_NUMBERS = """
    CDF=976.2 ETB=230.2 EUR=978.2 GHS=936.2 GNF=324.0 KES=404.2 LRD=430.2 MGA=969.2 MWK=454.2
    NGN=566.2 RWF=646.0 SCR=690.2 SSP=728.2 SZL=748.2 TZS=834.2 UGX=800.0 USD=840.2 USDC=1001.6
    XAF=950.0 XOF=952.0 ZAR=710.2 ZMW=967.2
"""
"""ISO 4217: the number, and how many digits come after the point."""


def test_a_currency_keeps_its_number_and_its_digits() -> None:
    """The number is in every account's; by the digits a stored amount means what it means."""
    told = [f"{c.code}={c.numeric}.{c.decimals}" for c in CURRENCIES.values()]
    assert told == CURRENCY_NUMBERS.split()


def test_kinds_of_intents_keep_their_meaning() -> None:
    """Those below are directions. A notice that waits is read by the next release."""
    assert (notices.SMS, notices.MESSAGE) == (10, 12)
    assert {*LEFT_BEHIND} == {*Direction, *letters.KINDS}
    assert QUESTION not in LEFT_BEHIND


def test_every_enumeration_of_numbers_is_among_them() -> None:
    found = {
        node.name
        for file in ENGINE.rglob("*.py")
        for node in ast.parse(file.read_text("utf-8")).body
        if isinstance(node, ast.ClassDef)
        and any(isinstance(base, ast.Name) and base.id == "IntEnum" for base in node.bases)
    }
    assert found - NOT_STORED == {stored.__name__ for stored in STORED}
