"""Quotes, operators and payments that the tests of this room share."""

from engine.clock import AttemptId, CustomerId, PaymentId
from engine.fx.quotes import Corridor, Quote
from engine.ledger.chart import route_accounts
from engine.money import Money
from engine.msisdn import Msisdn
from engine.payments.facts import Facts
from engine.payments.lifecycle import State
from engine.payments.payment import Payment
from engine.ports import OperatorFacts

MPESA = OperatorFacts(
    code=1, name="mpesa_ke", country="KE", currency="KES", unit_minor=100,
    collect_minor_min=100, collect_minor_max=25_000_000,
    disburse_minor_min=1_000, disburse_minor_max=25_000_000,
    collect_repeat_is_safe=False, disburse_repeat_is_safe=True, refund_repeat_is_safe=True,
    confirm_callback_above_minor=1_000_000, callback_tells_receipt=True,
)  # fmt: skip
MTN = OperatorFacts(
    code=2, name="mtn_ug", country="UG", currency="UGX", unit_minor=1,
    collect_minor_min=500, collect_minor_max=5_000_000,
    disburse_minor_min=500, disburse_minor_max=5_000_000,
    collect_repeat_is_safe=True, disburse_repeat_is_safe=True, refund_repeat_is_safe=True,
    confirm_callback_above_minor=300_000,
)  # fmt: skip
KE_UG = Corridor("mpesa_ke", "mtn_ug", 150, 1_000, 100, 10_000, 7_000_000, 50, 300)
UG_KE = Corridor("mtn_ug", "mpesa_ke", 150, 500, 100, 2_000, 2_000_000, 0, 0)

PAYER = Msisdn("+254712000001")
PAYEE = Msisdn("+256772000002")
ROUTE = route_accounts(1, source=("KES", 1), destination=("UGX", 2))


def quote(*, expires_at: int = 2_000_000_000, collection_cost_minor: int = 510) -> Quote:
    return Quote(
        quote_id="9" * 32,
        payer=PAYER,
        payee=PAYEE,
        payer_operator="mpesa_ke",
        payee_operator="mtn_ug",
        amount=Money(100_000, "KES"),
        fee=Money(2_000, "KES"),
        receives=Money(28_023, "UGX"),
        rate="28.0232",
        mid="28.45",
        spread_minor=1_500,
        rounding_minor=1,
        value_at_mid_minor=98_499,
        collection_cost_minor=collection_cost_minor,
        payout_cost_minor_max=300,
        payer_language="en",
        payee_language="sw",
        expires_at=expires_at,
    )


def payment(state: State, *, version: int = 1, live: str | None = None) -> Payment:
    return Payment(
        payment_id=PaymentId("0190a000000070008000000000000001"),
        facts=Facts(quote(), 1, CustomerId("c" * 32)),
        route=ROUTE,
        state=state,
        version=version,
        live=AttemptId(live) if live else None,
    )
